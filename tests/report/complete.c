// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cells of all types that a guest can use; see complete.h. A cell that nobody printed
 * is no mismatch, and would otherwise go unnoticed.
 */
#include "complete.h"

#include "grid.h"

static void check_group(struct machine *machine, const struct grid *grid, size_t row,
			size_t column, size_t moment)
{
	const struct verdict *verdict, *one = NULL;
	unsigned int present = 0;
	size_t pat;

	for (pat = 0; pat < GRID_PATS; pat++) {
		verdict = grid_cell(grid, row, column, moment, pat);
		if (!verdict)
			continue;
		one = verdict;
		present++;
	}
	if (one && present < GRID_PATS)
		texts_add(&machine->problems, "%s %s %s %s %s: cells for %u of %u guest PAT types",
			  cell_modules_name(one->cell.modules), one->cell.host,
			  verdict_size(&one->cell), one->cell.bound ? "bound" : "unbound",
			  one->cell.moment, present, GRID_PATS);
}

void complete_check(struct machine *machine)
{
	size_t row, column, moment;
	struct grid grid;

	grid_make(&grid, machine);
	for (row = 0; row < grid.n_rows; row++)
		for (column = 0; column < grid.n_columns; column++)
			for (moment = 0; moment < grid.n_moments; moment++)
				check_group(machine, &grid, row, column, moment);
	grid_free(&grid);
}
