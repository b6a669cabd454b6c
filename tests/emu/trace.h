/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a test program that runs in the emulated machine has its accesses traced
 * and says what the trace must show. Read by test programs alone; README.md
 * has the format of the lines, tests/oracle/trace-report checks them.
 *
 * Outside Bochs the brackets do nothing and the lines are comments.
 */
#ifndef TESTS_EMU_TRACE_H
#define TESTS_EMU_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Upper half of a stored value that tells the trace's reader which phase begins. */
#define TRACE_MARK	0x444d4150ull	/* "DMAP" */

static inline void trace_toggle(void)
{
	__asm__ volatile("xchgw %%bx, %%bx" ::: "memory");
}

/* Phases are numbered by the test, from 1; the runner makes them unique in its machine. */
static inline unsigned int trace_phase(unsigned int phase)
{
	const char *base = getenv("DMAPAT_TRACE_BASE");

	return (base ? (unsigned int)strtoul(base, NULL, 0) : 0) + phase;
}

/* From here on, accesses of every agent belong to the phase, until the next one begins. */
static inline void trace_begin(unsigned int phase)
{
	volatile uint64_t mark;
	uint64_t value = TRACE_MARK << 32 | trace_phase(phase);

	trace_toggle();
	mark = value;
	(void)mark;
}

static inline void trace_end(void)
{
	trace_toggle();
}

/*
 * Accesses of the host to [linear, linear + size) in the phase: there are some of
 * each kind in access ("r", "w", "rw"), and all of them have the type ("WC").
 */
static inline void trace_expect_host(const char *name, unsigned int phase,
				     const volatile void *linear, size_t size,
				     const char *access, const char *type)
{
	printf("# expect %s phase=0x%x agent=host linear=0x%llx size=0x%zx access=%s type=%s\n",
	       name, trace_phase(phase), (unsigned long long)(uintptr_t)linear, size, access, type);
}

/*
 * The same for a guest: linear is the guest's own address, type the effective
 * type, leaf and ignore_pat what the EPT leaf that it went through must have.
 */
static inline void trace_expect_guest(const char *name, unsigned int phase, uint64_t linear,
				      size_t size, const char *access, const char *type,
				      const char *leaf, int ignore_pat)
{
	printf("# expect %s phase=0x%x agent=guest linear=0x%llx size=0x%zx access=%s", name,
	       trace_phase(phase), (unsigned long long)linear, size, access);
	printf(" type=%s leaf=%s ignore-pat=%d\n", type, leaf, ignore_pat);
}

#endif /* TESTS_EMU_TRACE_H */
