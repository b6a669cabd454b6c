/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory type from the cost of accesses: pure functions over numbers, no I/O.
 * timing.c measures, dmapat-conformance and test_timing_witness.c ask.
 *
 * What the types differ in:
 *  - a load of UC or WC memory goes to memory each time, a load of WB memory hits
 *    the cache: loads separate WB from the two others;
 *  - eight stores to one line of WC memory leave the CPU as one, of UC memory as
 *    eight, one after another: stores separate WC from UC.
 * WT and WP are known as what they have in common with these: loads like WB, stores
 * that are not. For them there is no verdict.
 *
 * All costs are compared as natural logarithms of TSC ticks per access. Of each
 * series the median counts, and as its spread the distance from the first to the
 * third quartile: up to a quarter of the samples may hold an interrupt. Between the
 * nearest reference N and the nearest one of another type F, with d() the distance
 * of the measured median to a reference's:
 *
 *	spread = max(spreads of the measured series, of N and of F; ln 1.05)
 *	margin = (d(F) - spread) / (d(N) + spread)
 *
 * A verdict needs a margin of TIMING_MARGIN in loads, and for UC and WC in stores, too;
 * the smaller one is the verdict's margin.
 */
#ifndef TESTS_CONFORMANCE_TIMING_CLASSIFY_H
#define TESTS_CONFORMANCE_TIMING_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "oracle_types.h"

#define TIMING_SAMPLES		32	/* of a whole measurement */
#define TIMING_MIN_SAMPLES	16	/* usable ones, below which nothing is said */

#define TIMING_MARGIN		2.0
#define TIMING_SEPARATION	3.0	/* factor by which references must differ */
#define TIMING_FAR		2.0	/* factor by which a cost may miss its reference */
#define TIMING_NOISY		2.0	/* factor between the quartiles from which it is noise */
#define TIMING_ABSURD		1e6	/* ticks per access from which a sample is none */

/* TSC ticks per access, as measured: unsorted, outliers and all. */
struct timing_series {
	unsigned int n;
	double ticks[TIMING_SAMPLES];
};

struct timing_samples {
	struct timing_series loads;
	struct timing_series stores;
};

/* The same of memory whose type is known. */
struct timing_refs {
	struct timing_samples uc;
	struct timing_samples wc;
	struct timing_samples wb;
};

struct timing_verdict {
	enum oracle_type type;	/* UC, WC, WB; ORACLE_INVALID: cannot tell */
	double margin;		/* as above; 0 where it cannot tell */
	char why[160];		/* what speaks for it, or why it cannot tell */
};

struct timing_verdict timing_judge(const struct timing_refs *refs,
				   const struct timing_samples *samples);

/*
 * Does @verdict contradict that the accesses were of type @effective? UC- is UC; WT
 * and WP have cached loads, so that UC and WC contradict them, and WB does not.
 */
bool timing_contradicts(const struct timing_verdict *verdict, enum oracle_type effective);

/* "timing: WC (margin 3.2: …)" or "timing: cannot tell (…)", one line without its end. */
void timing_describe(const struct timing_verdict *verdict, char *text, size_t size);

#endif /* TESTS_CONFORMANCE_TIMING_CLASSIFY_H */
