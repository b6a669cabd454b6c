/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * struct migration, which vm->migration points to, and the operations by which
 * migration_send.c and migration_recv.c reach a real VM. For migration.c,
 * migration_vm.c and their tests; everybody else uses migration.h.
 */
#ifndef VMM_MIGRATION_VM_H
#define VMM_MIGRATION_VM_H

#include <pthread.h>
#include <stdbool.h>

#include "vmm/dirty_sources.h"
#include "vmm/migration.h"
#include "vmm/migration_channel.h"
#include "vmm/migration_recv.h"
#include "vmm/migration_send.h"
#include "vmm/migration_state.h"
#include "vmm/vm.h"

#define MIGRATION_URI_MAX	300

enum migration_status {
	MIGRATION_NONE,
	MIGRATION_SETUP,
	MIGRATION_ACTIVE,
	MIGRATION_PRE_SWITCHOVER,	/* the guest is stopped, its run state is the migration's */
	MIGRATION_OUTCOME_UNKNOWN,	/* the guest is stopped and may run at the destination */
	MIGRATION_COMPLETED,
	MIGRATION_FAILED,
	MIGRATION_CANCELLED,
};

/* What query-migrate tells of a dirty source: as it was at the last log_sync(). */
struct migration_source_report {
	char name[sizeof(((struct dirty_source *)0)->name)];
	bool exact;
	uint64_t pages;
	uint32_t writers;
};

struct migration {
	struct vm *vm;
	const struct migration_source_ops *source_ops;
	const struct migration_destination_ops *destination_ops;

	pthread_t thread;
	bool has_thread;		/* to be joined */
	int cancel_fd;			/* eventfds: readable is the order */
	int force_fd;

	/* The thread's own. */
	struct migration_memory *memory;	/* while the dirty log is on */
	struct dirty_sources sources;
	struct dirty_sink sink;
	struct migration_state state;	/* destination: pieces received so far */
	enum vm_status status_before;	/* of the VM, when the switch-over stopped it */
	struct migration_listener listener;

	pthread_mutex_t lock;		/* guards what follows */
	pthread_cond_t cond;		/* the status changed */
	enum migration_status status;
	bool incoming;
	bool cancel;			/* somebody asked for it */
	bool committed;			/* too late for it */
	bool exiting;			/* the process ends: nothing resumes */
	char uri[MIGRATION_URI_MAX];
	uint64_t begin_ns, end_ns;	/* end: of a migration that is over */
	struct error error;
	struct migration_params params;
	struct migration_stats stats;
	struct migration_arrival arrival;
	struct migration_source_report reports[DIRTY_SOURCES_MAX];
	unsigned int nr_reports;
};

/* Allocate vm->migration, or find it. NULL without memory or eventfds. */
struct migration *migration__get(struct vm *vm);

/* Change the status and tell: the event, and those who wait for it. */
void migration__set_status(struct migration *m, enum migration_status status);

/* Member "sources" of query-migrate. With m->lock. */
void migration_vm__report_sources(const struct migration *m, cJSON *out);

extern const struct migration_source_ops migration_vm__source_ops;
extern const struct migration_destination_ops migration_vm__destination_ops;

#endif /* VMM_MIGRATION_VM_H */
