/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of ranges of guest-physical memory, sorted and disjoint: the memslots that are,
 * or those that shall be. Used by memory_transaction.c alone.
 */
#ifndef VMM_MEMORY_RANGES_H
#define VMM_MEMORY_RANGES_H

#include <stdint.h>

struct memory_range {
	uint64_t gpa;			/* page aligned, as size and hva are */
	uint64_t size;			/* bytes, not 0 */
	uint8_t *hva;
	uint32_t flags;			/* KVM_MEM_READONLY, KVM_MEM_LOG_DIRTY_PAGES */
	uint32_t slot;			/* its number in KVM */
};

struct memory_ranges {
	struct memory_range *at;	/* by gpa, ascending */
	unsigned int nr;
	unsigned int room;
};

void memory_ranges__free(struct memory_ranges *set);

/* @to becomes what @from is. -ENOMEM: it is as it was. */
int memory_ranges__copy(struct memory_ranges *to, const struct memory_ranges *from);

/* The first range that has part of [gpa, gpa+size), or NULL. */
const struct memory_range *memory_ranges__overlap(const struct memory_ranges *set, uint64_t gpa,
						  uint64_t size);

/* The range that starts at @gpa, or NULL. */
const struct memory_range *memory_ranges__start(const struct memory_ranges *set, uint64_t gpa);

/* -EEXIST: something is there; -ENOMEM. */
int memory_ranges__add(struct memory_ranges *set, const struct memory_range *range);

/*
 * Cut [gpa, gpa+size) out, from as many ranges as it takes. -ENOENT: a part of it is not
 * there, -ENOMEM; nothing has changed then.
 */
int memory_ranges__remove(struct memory_ranges *set, uint64_t gpa, uint64_t size);

/* Neighbours with equal flags, in guest and host memory, become one. */
void memory_ranges__merge(struct memory_ranges *set);

#endif /* VMM_MEMORY_RANGES_H */
