// SPDX-License-Identifier: GPL-2.0-or-later
/* The cells of one exporter at one moment; see group.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../emu/trace.h"
#include "../lib/ktap.h"
#include "../lib/leaf.h"
#include "cells_json.h"
#include "group.h"
#include "timing.h"

/* Phases are 12 bits of a mark; tests/emu/machine gives each test so many. */
#define MAX_PHASES	0xfffu

/* What is the same for all cells of the group. */
static struct cell group_cell(const struct stage *stage, const struct moment *moment, bool bound)
{
	struct cell cell = {
		.modules = stage->modules,
		.vendor = stage->vendor,
		.memtype = stage->exporter->memtype,
		.page = stage->exporter->page,
		.bound = bound,
		.want_level = moment->flags & MOMENT_SPLIT ? 1 : stage->exporter->page,
		.want_fault = bound && moment->flags & MOMENT_STALE,
		.host_pat = stage->host_pat,
	};

	snprintf(cell.host, sizeof(cell.host), "%s", stage->exporter->name);
	snprintf(cell.moment, sizeof(cell.moment), "%s", moment->name);
	return cell;
}

static void group_name(const struct cell *cell, char *name, size_t size)
{
	snprintf(name, size, "%s %s %s %s %s", cell_modules_name(cell->modules), cell->host,
		 cell->page == 2 ? "2M" : "4K", cell->bound ? "bound" : "unbound", cell->moment);
}

/* What came of the guest's accesses. */
struct seen {
	bool fault[STAGE_PAGES];	/* the vCPU left with KVM_EXIT_MEMORY_FAULT */
	bool data_ok[STAGE_PAGES];
	unsigned int phase;		/* of the memory trace; 0: not traced */
};

/* Stores that must not arrive; the host's values stay. false: interrupted */
static bool look_at_faults(const struct run *run, struct stage *stage, struct seen *seen)
{
	const struct test_memory_fault *where = vm_memory_fault(&stage->vm);

	for (unsigned int page = 0; page < STAGE_PAGES; page++) {
		const uint64_t by_host = stage_value(stage);
		int r;

		*stage_host(stage, page) = by_host;
		memset(vm_memory_fault(&stage->vm), 0, sizeof(*where));
		r = vm_store(&stage->vm, stage_gva(stage, page), stage_value(stage));
		if (run->interrupted)
			return false;
		seen->fault[page] = r == EFAULT && where->gpa >> 12 == stage_gfn(stage, page) &&
				    stage->vm.run->exit_reason == KVM_EXIT_MEMORY_FAULT;
		if (r && !seen->fault[page])
			test_note("page %u: KVM_RUN: %s, exit reason %u, gpa 0x%llx; expected %d at 0x%llx",
				  page, strerror(r), stage->vm.run->exit_reason,
				  (unsigned long long)where->gpa, KVM_EXIT_MEMORY_FAULT,
				  (unsigned long long)stage_gfn(stage, page) << 12);
		seen->data_ok[page] = *stage_host(stage, page) == by_host;
	}
	return true;
}

/* Traced where there is Bochs: EPT, and this is no real machine. */
static int touch_traced(struct run *run, struct stage *stage, struct seen *seen)
{
	int r;

	if (run->real_host || stage->vendor != CELL_INTEL)
		return stage_touch(stage, 0, STAGE_PAGES, seen->data_ok);
	test_assert(run->phases < MAX_PHASES);
	run->phases++;
	seen->phase = trace_phase(run->phases);
	trace_begin(run->phases);
	trace_end();
	vm_mark(&stage->vm, true);
	r = stage_touch(stage, 0, STAGE_PAGES, seen->data_ok);
	vm_mark(&stage->vm, false);
	if (r) {
		/* The guest has opened the bracket and does not come to close it. */
		trace_end();
		seen->phase = 0;
	}
	return r;
}

/* One of the six ended the accesses to all: which ones do? */
static void look_at_each(const struct run *run, struct stage *stage, struct seen *seen)
{
	for (unsigned int page = 0; page < STAGE_PAGES && !run->interrupted; page++) {
		int r = stage_touch(stage, page, 1, seen->data_ok);

		if (!r)
			continue;
		seen->fault[page] = r == EFAULT &&
				    stage->vm.run->exit_reason == KVM_EXIT_MEMORY_FAULT;
		test_note("page %u: the guest's access ends: %s, exit reason %u", page, strerror(r),
			  stage->vm.run->exit_reason);
	}
}

/*
 * Twice: what KVM has to do at an access is done at the first one, outside the trace.
 * false: interrupted.
 */
static bool look_at_accesses(struct run *run, struct stage *stage, struct seen *seen)
{
	bool first_ok[STAGE_PAGES];
	int r = stage_touch(stage, 0, STAGE_PAGES, first_ok);

	if (!r)
		r = touch_traced(run, stage, seen);
	if (r)
		look_at_each(run, stage, seen);
	else
		for (unsigned int page = 0; page < STAGE_PAGES; page++)
			seen->data_ok[page] &= first_ok[page];
	return !run->interrupted;
}

/* NULL, or what is wrong. */
static const char *judge(const struct cell *cell)
{
	if (cell->want_fault && cell->fault) {
		if (cell->level)
			return "a leaf is left where the guest must not access";
		if (!cell->data_ok)
			return "a store arrived that ended with KVM_EXIT_MEMORY_FAULT";
	}
	return cell_wrong(cell);
}

/* The second witness: NULL, or what its verdict contradicts. */
static const char *judge_timing(const struct run *run, struct stage *stage,
				const struct cell *cell, unsigned int page)
{
	struct timing_samples samples;
	struct timing_verdict verdict;
	struct oracle_leaf leaf;
	char text[TIMING_TEXT];

	if (!run->timing || cell->fault || !cell_leaf(cell, &leaf))
		return NULL;
	if (timing_measure(&stage->vm, stage_gva(stage, page), &samples))
		return run->interrupted ? NULL : "the vCPU left while its accesses were timed";
	verdict = timing_judge(run->timing, &samples);
	timing_describe(&verdict, text, sizeof(text));
	test_note("%s", text);
	return timing_contradicts(&verdict, cell_effective(cell, &leaf)) ?
	       "the cost of accesses contradicts the leaf" : NULL;
}

/* One cell: prints and judges it. */
static void group_cell_end(struct run *run, struct stage *stage, const struct cell *cell,
			   const char *name, unsigned int page)
{
	const char *why = judge(cell);

	cell_print(stdout, cell);
	if (!why)
		why = judge_timing(run, stage, cell, page);
	if (run->interrupted)
		return;
	if (why)
		test_note("%s", why);
	test_ok(!why, "%s %s", name, oracle_type_name(cell->pat));
	run->judged++;
	run->wrong += !!why;
	if (run->json)
		cells_json_add(run->json, cell);
}

void group_run(struct run *run, struct stage *stage, const struct moment *moment, bool bound)
{
	struct cell cell = group_cell(stage, moment, bound);
	struct seen seen = { 0 };
	char name[128];

	group_name(&cell, name, sizeof(name));
	if (!stage_reset(stage, bound) || !moment_make(moment, stage)) {
		if (!run->interrupted)
			test_ok(false, "%s: no cell could be looked at", name);
		return;
	}
	if (!(cell.want_fault ? look_at_faults(run, stage, &seen) :
				look_at_accesses(run, stage, &seen)))
		return;
	for (unsigned int page = 0; page < STAGE_PAGES && !run->interrupted; page++) {
		cell.pat = stage_guest_type(stage, page);
		cell.fault = seen.fault[page];
		cell.data_ok = seen.data_ok[page];
		cell.level = leaf_now(stage_gfn(stage, page), &cell.spte);
		cell.phase = seen.phase;
		cell.linear = seen.phase ? stage_gva(stage, page) : 0;
		group_cell_end(run, stage, &cell, name, page);
	}
}
