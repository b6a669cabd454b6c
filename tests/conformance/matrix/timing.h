/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second witness of a guest access' memory type: what it costs. Measures; the
 * judgement is timing_classify.h's. Called by dmapat-conformance --host and
 * test_timing_witness.c:
 *
 *	struct timing_refs refs;			once
 *	struct timing_samples samples;
 *	struct timing_verdict verdict;
 *	char text[TIMING_TEXT];
 *
 *	timing_references(&refs);
 *	for each cell, after its leaf was seen:
 *		if (timing_measure(&vm, gva, &samples))
 *			the vCPU left (no timing in a cell that wants a fault)
 *		verdict = timing_judge(&refs, &samples);
 *		timing_describe(&verdict, text, sizeof(text));
 *		if (timing_contradicts(&verdict, effective))
 *			the cell has failed
 *
 * References come from the process' own mappings, whose page tables select the type,
 * and from no guest. The code that is timed is the same in both places
 * (../lib/timed.inc); a guest has the host's TSC, as KVM lets it read that without
 * an exit unless it was told otherwise. In an emulator all types cost the same, and
 * the answer is "cannot tell".
 */
#ifndef TESTS_CONFORMANCE_TIMING_H
#define TESTS_CONFORMANCE_TIMING_H

#include <stdint.h>

#include "../lib/vm.h"
#include "timing_classify.h"

#define TIMING_TEXT	256	/* size of what timing_describe() may write */

/*
 * Costs of UC (heap system-uc), WC (heap system-wc) and WB (a udmabuf). 0, or errno
 * where one of the three devices cannot be opened: @refs is empty then, with which
 * timing_judge() cannot tell.
 */
int timing_references(struct timing_refs *refs);

/*
 * Costs of the guest's accesses to the page at @gva, which must be mapped writable, in
 * TEST_WINDOW_GVA's tables or RAM. Overwrites all of the page. Resumes the vCPU
 * 2 * TIMING_SAMPLES times; 0, or what vm_time_loads() returns, with the samples so far.
 */
int timing_measure(struct test_vm *vm, uint64_t gva, struct timing_samples *samples);

#endif /* TESTS_CONFORMANCE_TIMING_H */
