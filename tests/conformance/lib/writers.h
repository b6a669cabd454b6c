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
#define WRITERS_GPA	0x200000UL	/* of the first page that they write */
#define WRITERS_BYTES	(8 * WRITERS)	/* of a page */

/* VM fd; memory from WRITERS_GPA on is the caller's business. Nobody writes yet. */
int writers_create(void);

/* vCPU @i will write as a nested guest (L2). After writers_create(), before writers_start(). */
void writers_nest(unsigned int i);

/* @pages: a power of two, at most 2^18 */
void writers_start(uint64_t pages);

/* Between these two, no vCPU runs guest code. */
void writers_hold(void);
void writers_release(void);

/* How often vCPU @i has stored. */
uint64_t writers_stores(unsigned int i);

/* Until each has stored @n times more. The test ends where that takes a minute. */
void writers_wait(uint64_t n);

/* How often one left for another reason than a signal; it goes on after that. */
unsigned long writers_exits(void);

/* They end; the VM stays until the process does. */
void writers_end(void);

/* KVM_SET_USER_MEMORY_REGION on the VM: 0 or errno */
int writers_slot(unsigned int slot, uint64_t gpa, uint64_t size, void *hva, uint32_t flags);

#endif /* TESTS_CONFORMANCE_WRITERS_H */
