/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timed accesses of this process, of the same code as those of the tests' guest
 * (timed.inc). Called by matrix/timing.c.
 */
#ifndef TESTS_CONFORMANCE_TIMED_H
#define TESTS_CONFORMANCE_TIMED_H

#define TIMED_LINES	64	/* of 64 bytes, a page's */
#define TIMED_LOADS	64	/* one each line */
#define TIMED_STORES	512	/* eight each line */

#ifndef __ASSEMBLER__

#include <stdint.h>

/* TSC ticks of TIMED_LOADS or TIMED_STORES accesses; the stores overwrite the page. */
uint64_t timed_loads(const volatile void *page);
uint64_t timed_stores(volatile void *page);

#endif

#endif /* TESTS_CONFORMANCE_TIMED_H */
