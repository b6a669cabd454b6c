/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one way in which the VMM changes memslots: begin, any number of changes, commit.
 * The guest sees all of them at once, and of a page that is there before and after, no
 * moment without it; nothing of what was logged as dirty is lost.
 *
 * struct memory_map is what the guest has: struct vm has one. A transaction works on a
 * copy of its ranges, so that what is added and removed again, or removed and added again
 * at the same host address, is no change. Neighbours that are neighbours in host memory,
 * too, are one slot. commit compares the two and has KVM make the difference: by one
 * KVM_SET_USER_MEMORY_REGION_LIST; or, on a KVM without it, by single calls with the vCPUs
 * stopped, after their dirty log was fetched.
 *
 * Any thread but a vCPU's, which may only add one range, or remove one that is not logged:
 * that stops nobody. The second transaction waits until the first has ended. vCPUs
 * must be able to stop meanwhile: do not hold a lock that they may wait for.
 */
#ifndef VMM_MEMORY_TRANSACTION_H
#define VMM_MEMORY_TRANSACTION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/error.h"
#include "vmm/memory_ranges.h"

/* For a KVM without lists. */
struct memory_map_ops {
	/* Until start(), no vCPU runs, and what they wrote is logged. */
	void (*stop)(void *opaque);
	void (*start)(void *opaque);
};

struct memory_map {
	int vm_fd;
	const struct memory_map_ops *ops;
	void *opaque;
	bool lists;			/* KVM has lists */
	uint32_t max_slots;
	bool rings;			/* the dirty log is in rings: set before it is switched on */

	pthread_mutex_t busy;		/* held from begin to the end of commit or abort */
	pthread_mutex_t lock;		/* guards what follows */
	struct memory_ranges slots;	/* what KVM has */
	bool log;			/* every slot has KVM_MEM_LOG_DIRTY_PAGES */
	uint64_t *slot_gpa;		/* by number: where the slot starts, or did when it was deleted */
	uint32_t nr_slot_gpa;
	uint32_t next_slot;		/* numbers are given in turn, so that one comes back late */
};

struct memory_transaction {
	struct memory_map *map;
	struct memory_ranges want;
	bool log;
};

/*
 * Takes pages of slots that are no more: dirty ones that are in no log that KVM still has.
 * Called by commit, when all is done, in the caller's thread.
 */
typedef void memory_transaction_dirty(void *opaque, uint64_t gpa);

/* @ops and @opaque stay the caller's. The map is empty. */
void memory_map__init(struct memory_map *map, int vm_fd, const struct memory_map_ops *ops,
		      void *opaque);
/* KVM's slots stay. */
void memory_map__exit(struct memory_map *map);

/*
 * A page as the dirty ring tells it: its guest-physical address. Of a slot that has been
 * deleted since, where it was. From any thread. False: there never was such a slot.
 */
bool memory_map__gpa(struct memory_map *map, uint32_t slot, uint64_t page, uint64_t *gpa);

/* Waits for a transaction under way. -ENOMEM: it has not begun. */
int memory_transaction__begin(struct memory_transaction *t, struct memory_map *map,
			      struct error *err);

/*
 * From here on it has not happened until commit. @flags: KVM_MEM_READONLY or 0; whether it
 * is logged is the map's business. -EINVAL: not aligned, empty, wraps, or another flag;
 * -EEXIST: there is memory, and the message says which; -ENOMEM.
 */
int memory_transaction__add(struct memory_transaction *t, uint64_t gpa, uint64_t size, void *hva,
			    uint32_t flags, struct error *err);

/* Any part of what is there. -EINVAL as above; -ENOENT: not all of it is; -ENOMEM. */
int memory_transaction__remove(struct memory_transaction *t, uint64_t gpa, uint64_t size,
			       struct error *err);

/* Switch the dirty log of all memory, what is added later included. Off forgets what it had. */
void memory_transaction__set_log(struct memory_transaction *t, bool log);

/*
 * Ends the transaction in every case. -errno: nothing has changed, but on a KVM without
 * lists @dirty has had what was logged. -ENOTRECOVERABLE, only there: nor could that be
 * undone, and the guest misses memory. @dirty may be NULL where nothing is logged.
 */
int memory_transaction__commit(struct memory_transaction *t, memory_transaction_dirty *dirty,
			       void *opaque, struct error *err);

/* Ends it; nothing has happened. */
void memory_transaction__abort(struct memory_transaction *t);

/* A transaction that switches the log and changes nothing else. */
int memory_map__set_log(struct memory_map *map, bool log, struct error *err);

#endif /* VMM_MEMORY_TRANSACTION_H */
