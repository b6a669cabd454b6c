/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Migration as the rest of the VMM sees it: start, cancel, ask, receive, and
 * who may let the guest run while a migration decides. Called by the control
 * socket and by main(), in the event loop's thread; the work is done in a thread
 * of its own, which ends before migration__exit() returns.
 *
 * Events: MIGRATION {"status": …} at each change of the status,
 * MIGRATION_PASS {"pass": N} at the start of each pass over dirty memory.
 */
#ifndef VMM_MIGRATION_H
#define VMM_MIGRATION_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "vmm/error.h"

struct vm;

#define MIGRATION_TIMEOUT_MS		5000
#define MIGRATION_DOWNTIME_LIMIT_MS	300
#define MIGRATION_MAX_ROUNDS		30
#define MIGRATION_COMPRESSION_LEVEL	1

/* Arguments of `migrate` besides the URI. In the first three 0 stands for the default above. */
struct migration_params {
	uint32_t timeout_ms;		/* "timeout-ms": longest silence of the peer */
	uint32_t downtime_limit_ms;	/* "downtime-limit-ms" */
	uint32_t max_rounds;		/* "max-rounds": passes before the guest is stopped */
	uint32_t channels;		/* "channels": connections; 0: one */
	uint32_t compression_level;	/* "compression-level": zstd's; 0: do not compress */
	bool auto_converge;		/* "auto-converge": slow down a guest that writes too fast */
	uint64_t bandwidth;		/* "bandwidth": bytes a second in the passes; 0: no limit */
};

/*
 * Source: migrate to @uri, unix:PATH or tcp:HOST:PORT. Returns as soon as the
 * thread exists; migration__query() and the events tell how it goes.
 * -EINVAL bad URI or value; -EBUSY a migration is under way; -EPERM the guest
 * cannot run any more, or has not arrived yet.
 */
int migration__start(struct vm *vm, const char *uri, const struct migration_params *params,
		     struct error *err);

/*
 * Source: give up and let the guest run on. Returns at once, the status follows.
 * -ENOENT nothing to cancel; -EBUSY too late: the destination may own the guest.
 */
int migration__cancel(struct vm *vm, struct error *err);

/* Add the members of the `query-migrate` answer to @out. */
void migration__query(struct vm *vm, cJSON *out);

/*
 * Destination (`--incoming`): listen on @uri and receive one guest. The VM is in
 * VM_INMIGRATE until it runs. If that fails, the reason is logged and the process
 * ends by vm__exit(vm, EXIT_INCOMING). All buffers are in the window already.
 */
int migration__incoming(struct vm *vm, const char *uri, struct error *err);

/*
 * `cont` and `stop` of the control socket go through here, because for as long
 * as a switch-over lasts, the guest's run state is the migration's.
 * -EBUSY switch-over; -EPERM the guest is or may be at the destination (@force
 * overrides "may be" only), or has not arrived yet.
 */
int migration__cont(struct vm *vm, bool force, struct error *err);
int migration__stop(struct vm *vm, struct error *err);

/* Cancel what can be cancelled, wait for the thread, free vm->migration. */
void migration__exit(struct vm *vm);

#endif /* VMM_MIGRATION_H */
