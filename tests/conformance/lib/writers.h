/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM whose vCPUs write for ever: each stores its own counter, which it increments
 * each time, to pages in random order, in its own eight bytes of the page. For tests of
 * what may happen to memory meanwhile. vCPUs leave the guest for signals alone.
 */
#ifndef TESTS_CONFORMANCE_WRITERS_H
#define TESTS_CONFORMANCE_WRITERS_H

#include <stdint.h>

#define WRITERS		2
#define WRITERS_RAM_SIZE 0x200000UL	/* slot 0, from 0 on: code, page tables, counters */
#define WRITERS_GPA	0x200000UL	/* of the first page that they write */
#define WRITERS_BYTES	(8 * WRITERS)	/* of a page */

/*
 * VM fd; memory from WRITERS_GPA on is the caller's business. Nobody writes yet. @ring:
 * entries of each vCPU's dirty ring, 0 for bitmaps.
 */
int writers_create(uint32_t ring);

/* vCPU @i will write as a nested guest (L2). After writers_create(), before writers_start(). */
void writers_nest(unsigned int i);

/* Slot 0's memory. */
uint8_t *writers_ram(void);

/* @mask: of page numbers, in which they write; below 2^18. */
void writers_start(uint64_t mask);

/*
 * The same, but KVM makes the stores: it emulates an instruction that moves the counter
 * from where no memory is. The vCPU leaves for it each time, which does not count.
 */
void writers_start_moves(uint64_t mask);

/* Between these two, no vCPU runs guest code. */
void writers_hold(void);
void writers_release(void);

/* How often vCPU @i has stored. */
uint64_t writers_stores(unsigned int i);

/* Until each has stored @n times more. The test ends where that takes a minute. */
void writers_wait(uint64_t n);

/*
 * In how many pages of @memory is not what the vCPUs have stored there last? They are
 * held, and started with writers_start(). What they stored follows from how often; that
 * they did, from a checksum that they keep.
 */
unsigned long writers_lost(const uint8_t *memory);

/* Take all entries of the rings, and reset them. Returns their number. */
unsigned int writers_harvest(void (*page)(uint32_t slot, uint64_t page));

/* How often one left for another reason than a signal; it goes on after that. */
unsigned long writers_exits(void);

/* They end; the VM stays until the process does. */
void writers_end(void);

/* KVM_SET_USER_MEMORY_REGION on the VM: 0 or errno */
int writers_slot(unsigned int slot, uint64_t gpa, uint64_t size, void *hva, uint32_t flags);

#endif /* TESTS_CONFORMANCE_WRITERS_H */
