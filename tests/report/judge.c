// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A cell judged by Bochs' trace; see judge.h.
 */
#include "judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum oracle_type judge_traced_pat(const struct traced_view *view, enum oracle_type pat)
{
	if (pat == ORACLE_UC_MINUS && view->type == ORACLE_UC)
		return ORACLE_UC_MINUS;
	return view->type;
}

/* What the trace must have for an access that the cell wants and got. */
static void judge_view(struct verdict *verdict, const struct traced_view *view)
{
	char seen[CELL_LEAF_TEXT], other[CELL_LEAF_TEXT];
	const struct cell *cell = &verdict->cell;
	struct oracle_leaf expected, reported;
	struct why *why = &verdict->why;
	enum oracle_type pat;

	cell_leaf_text(&view->leaf, seen);
	pat = judge_traced_pat(view, cell->pat);
	if (pat != cell->pat)
		why_add(why, "the guest's type is %s by the trace, its tables select %s: its access is %s, expected %s",
			oracle_type_name(pat), oracle_type_name(cell->pat),
			oracle_type_name(verdict->effective),
			oracle_type_name(cell_expected(cell)));
	cell_expected_leaf(cell, &expected);
	if (!cell_leaf_agrees(&view->leaf, &expected))
		why_add(why, "the trace has leaf %s, expected %s", seen,
			cell_leaf_text(&expected, other));
	/* that there is no leaf in the tracepoints has been said */
	if (cell_leaf(cell, &reported) &&
	    (!cell_leaf_agrees(&view->leaf, &reported) || view->leaf.address != reported.address))
		why_add(why, "the trace has leaf %s at 0x%" PRIx64 ", the tracepoints %s at 0x%" PRIx64,
			seen, view->leaf.address, cell_leaf_text(&reported, other),
			reported.address);
}

/* A cell that faulted must have no access in the trace, all others a load and a store. */
static void judge_counts(struct verdict *verdict, const struct traced_place *place)
{
	struct why *why = &verdict->why;

	if (place->users > 1)
		why_add(why, "phase 0x%" PRIx64 " linear 0x%" PRIx64 " is that of %u cells, expected 1",
			place->phase, place->linear, place->users);
	if (verdict->cell.fault && (place->loads || place->stores))
		why_add(why, "KVM_EXIT_MEMORY_FAULT, but the trace has %lu loads and %lu stores",
			place->loads, place->stores);
	if (!verdict->cell.fault && (!place->loads || !place->stores))
		why_add(why, "not traced: %lu loads and %lu stores at phase 0x%" PRIx64
			" linear 0x%" PRIx64 ", expected some of both", place->loads,
			place->stores, place->phase, place->linear);
}

static void judge_place(struct verdict *verdict, const struct traced_place *place)
{
	const struct cell *cell = &verdict->cell;
	char first[TRACED_VIEW_TEXT], other[TRACED_VIEW_TEXT];

	judge_counts(verdict, place);
	if (cell->fault || (!place->loads && !place->stores))
		return;
	if (place->mixed)
		why_add(&verdict->why, "one access was %s, another %s",
			traced_view_text(&place->view, first),
			traced_view_text(&place->other, other));
	if (!place->view.has_leaf) {
		why_add(&verdict->why, "the trace has no EPT leaf for the access at linear 0x%" PRIx64,
			place->linear);
		return;
	}
	verdict->has_leaf = true;
	verdict->leaf = place->view.leaf;
	verdict->effective = oracle_ept_effective(&verdict->leaf,
						  judge_traced_pat(&place->view, cell->pat));
	if (!cell->want_fault)
		judge_view(verdict, &place->view);
}

static void judge_by_trace(struct verdict *verdict, const struct traced *traced)
{
	const struct cell *cell = &verdict->cell;

	verdict->traced = true;
	/* what the tracepoints said is what the trace is compared with, no observation */
	verdict->has_leaf = false;
	verdict->effective = ORACLE_INVALID;
	if (cell->vendor != CELL_INTEL)
		why_add(&verdict->why, "vendor amd, but the machine has a trace of EPT walks");
	else if (cell->phase)
		judge_place(verdict, traced_find(traced, cell->phase, cell->linear));
	else if (!cell->fault)
		why_add(&verdict->why, "not traced: no phase");
}

void judge_cell(struct verdict *verdict, const struct cell *cell, const struct traced *traced)
{
	verdict_by_tracepoints(verdict, cell);
	if (traced)
		judge_by_trace(verdict, traced);
	else if (cell->vendor == CELL_INTEL && cell->phase)
		/* QEMU numbers phases, too, but there are EPT walks in Bochs' trace alone */
		why_add(&verdict->why, "phase 0x%" PRIx64 ", but the machine has no trace.log",
			cell->phase);
	verdict->ok = !*verdict->why.text;
}
