/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source of a migration, over a connected channel: passes over dirty memory,
 * switch-over, and the decision who runs afterwards. Reaches the machine through
 * struct migration_source_ops, whose users are migration_vm.c and the unit tests.
 */
#ifndef VMM_MIGRATION_SEND_H
#define VMM_MIGRATION_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/error.h"
#include "vmm/migration.h"
#include "vmm/migration_machine.h"

struct migration_channel;
struct migration_memory;
struct migration_source;

#define MIGRATION_ROUNDS_LIMIT	100	/* largest max_rounds */

struct migration_region_stats {
	char name[MIGRATION_NAME_MAX];
	enum migration_region_kind kind;
	uint64_t size;			/* bytes */
	uint64_t pages_sent;
};

struct migration_stats {
	uint32_t rounds;		/* passes begun while the guest runs */
	uint64_t round_pages[MIGRATION_ROUNDS_LIMIT];	/* dirty when the pass began */
	uint64_t round_bytes[MIGRATION_ROUNDS_LIMIT];	/* on the wire, of each whole pass */
	uint64_t round_ms[MIGRATION_ROUNDS_LIMIT];	/* how long each whole pass took */
	uint64_t round_done;		/* pages of this pass looked at so far */
	uint64_t pages_sent;		/* with contents */
	uint64_t zero_pages;		/* sent without */
	uint64_t remaining_pages;	/* dirty now */
	uint64_t bytes_per_second;	/* guest memory, last pass */
	uint64_t dirty_pages_per_second;	/* written meanwhile */
	uint32_t throttle_percent;	/* of the vCPUs' time, now */
	uint64_t expected_downtime_ms;	/* if the guest were stopped after the last pass */
	uint64_t bytes_sent;		/* on the wire */
	uint64_t bytes_verified;	/* by the destination */
	uint64_t downtime_ms;		/* from the guest's stop to RUNNING */
	uint32_t nr_regions;
	struct migration_region_stats regions[MIGRATION_MAX_REGIONS];
};

/* What log_sync() says, in pages. */
struct migration_dirty {
	uint64_t pages;			/* to be sent now */
	uint64_t floor;			/* to be looked at in the last pass, written or not */
};

/* All return 0 or -errno with @err filled, unless they return nothing. */
struct migration_source_ops {
	/* @m's hva and fd stay valid until release(). */
	int (*describe)(void *opaque, struct migration_machine *m, struct error *err);
	void (*release)(void *opaque);

	/* Pages written from here on are marked in @mem by log_sync() at the latest. */
	int (*log_start)(void *opaque, struct migration_memory *mem, struct error *err);
	/*
	 * Collect; afterwards @dirty->pages are to be sent. Read them after this only.
	 * @last: the guest is stopped; nothing may be missing.
	 */
	int (*log_sync)(void *opaque, bool last, struct migration_dirty *dirty,
			struct error *err);
	void (*log_stop)(void *opaque);

	/* The guest's vCPUs are to sleep @percent of the time, 0 (as they do at first) to 99. */
	int (*throttle)(void *opaque, unsigned int percent, struct error *err);

	/* Stop the guest for the switch-over; *@ran: it was running. */
	int (*pause)(void *opaque, bool *ran, struct error *err);
	/* Send the state of the stopped machine with migration_source__put_state(). */
	int (*save)(void *opaque, struct migration_source *src, struct error *err);
	/*
	 * The last moment for a cancel: fails if there was one; after success there
	 * can be none, and the channel's cancel_fd is not looked at any more.
	 */
	int (*commit)(void *opaque, struct error *err);
	/* Undo pause(): the destination will never run this guest. */
	void (*resume)(void *opaque);
	/*
	 * After commit() nothing was heard: the guest stays stopped. Returns an eventfd
	 * that becomes readable when somebody orders that it run here all the same.
	 */
	int (*unknown)(void *opaque, const char *reason);

	/* At each record and at each change of phase. */
	void (*progress)(void *opaque, const struct migration_stats *stats);
};

enum migration_outcome {
	MIGRATION_MOVED,	/* the destination runs it: never resume */
	MIGRATION_STAYED,	/* it runs here, or is stopped as it was before */
};

struct migration_source {
	const struct migration_source_ops *ops;
	void *opaque;
	struct migration_channel *ch;
	const char *uri;	/* where further channels are connected to */
	struct migration_params params;
	struct migration_stats stats;
	struct migration_sender *sender;	/* migration_send.c's own */
};

/*
 * Runs to the end. When it returns, the guest's fate is settled: for STAYED @err
 * says why, and the dirty log is off.
 */
enum migration_outcome migration_source__run(struct migration_source *src, struct error *err);

/* For ops->save(). */
int migration_source__put_state(struct migration_source *src, uint32_t id, uint32_t instance,
				const void *data, size_t len, struct error *err);

#endif /* VMM_MIGRATION_SEND_H */
