// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A cell judged by KVM's tracepoints; see verdict.h.
 */
#include "verdict.h"

#include <stdio.h>
#include <string.h>

void verdict_by_tracepoints(struct verdict *verdict, const struct cell *cell)
{
	const char *why = cell_wrong(cell);

	memset(verdict, 0, sizeof(*verdict));
	verdict->cell = *cell;
	verdict->effective = ORACLE_INVALID;
	if (!cell->fault && cell_leaf(cell, &verdict->leaf)) {
		verdict->has_leaf = true;
		verdict->effective = cell_effective(cell, &verdict->leaf);
	}
	verdict->ok = !why;
	if (why)
		snprintf(verdict->why.text, sizeof(verdict->why.text), "%s", why);
}

const char *verdict_effective(const struct verdict *verdict)
{
	if (verdict->cell.fault)
		return "fault";
	if (verdict->effective == ORACLE_INVALID)
		return "none";
	return oracle_type_name(verdict->effective);
}

const char *verdict_expected(const struct verdict *verdict)
{
	if (verdict->cell.want_fault)
		return "fault";
	return oracle_type_name(cell_expected(&verdict->cell));
}

const char *verdict_size(const struct cell *cell)
{
	return cell->page == 2 ? "2M" : "4K";
}
