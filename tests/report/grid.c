// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine's cells as a grid; see grid.h.
 */
#include "grid.h"

#include <stdlib.h>
#include <string.h>

const enum oracle_type grid_pats[GRID_PATS] = {
	ORACLE_UC, ORACLE_UC_MINUS, ORACLE_WC, ORACLE_WT, ORACLE_WP, ORACLE_WB,
};

/* Stock first, then what dmapat makes of it. */
static const struct {
	struct grid_column column;
	const char *name;
} all_columns[GRID_COLUMNS] = {
	{ { CELL_STOCK, false }, "stock" },
	{ { CELL_STOCK, true }, "stock, bound" },
	{ { CELL_STOCK_QUIRK_OFF, false }, "stock, quirk off" },
	{ { CELL_STOCK_QUIRK_OFF, true }, "stock, quirk off, bound" },
	{ { CELL_DMAPAT, false }, "dmapat" },
	{ { CELL_DMAPAT, true }, "dmapat, bound" },
	{ { CELL_DMAPAT_OFF, false }, "from_host=0" },
	{ { CELL_DMAPAT_OFF, true }, "from_host=0, bound" },
};

static bool same_column(const struct grid_column *a, const struct grid_column *b)
{
	return a->modules == b->modules && a->bound == b->bound;
}

const char *grid_column_name(const struct grid_column *column)
{
	size_t i;

	for (i = 0; i < GRID_COLUMNS; i++)
		if (same_column(column, &all_columns[i].column))
			return all_columns[i].name;
	return "";
}

static size_t find_row(const struct grid *grid, const struct cell *cell)
{
	size_t i;

	for (i = 0; i < grid->n_rows; i++)
		if (grid->rows[i].page == cell->page && !strcmp(grid->rows[i].host, cell->host))
			break;
	return i;
}

static size_t find_moment(const struct grid *grid, const char *moment)
{
	size_t i;

	for (i = 0; i < grid->n_moments; i++)
		if (!strcmp(grid->moments[i], moment))
			break;
	return i;
}

static size_t find_column(const struct grid *grid, const struct grid_column *column)
{
	size_t i;

	for (i = 0; i < grid->n_columns; i++)
		if (same_column(&grid->columns[i], column))
			break;
	return i;
}

static size_t find_pat(enum oracle_type pat)
{
	size_t i;

	for (i = 0; i < GRID_PATS - 1; i++)
		if (grid_pats[i] == pat)
			break;
	return i;
}

static struct grid_column column_of(const struct cell *cell)
{
	return (struct grid_column){ cell->modules, cell->bound };
}

static void add_names(struct grid *grid, const struct cell *cell)
{
	if (find_row(grid, cell) == grid->n_rows) {
		grid->rows = grow(grid->rows, grid->n_rows, sizeof(*grid->rows));
		grid->rows[grid->n_rows++] = (struct grid_row){
			.host = cell->host, .page = cell->page, .memtype = cell->memtype,
		};
	}
	if (find_moment(grid, cell->moment) == grid->n_moments) {
		grid->moments = grow(grid->moments, grid->n_moments, sizeof(*grid->moments));
		grid->moments[grid->n_moments++] = cell->moment;
	}
}

static void add_columns(struct grid *grid)
{
	struct grid_column column;
	size_t i, j;

	for (i = 0; i < GRID_COLUMNS; i++)
		for (j = 0; j < grid->machine->n_verdicts; j++) {
			column = column_of(&grid->machine->verdicts[j].cell);
			if (same_column(&column, &all_columns[i].column)) {
				grid->columns[grid->n_columns++] = column;
				break;
			}
		}
}

static size_t index_of(const struct grid *grid, size_t row, size_t column, size_t moment,
		       size_t pat)
{
	return ((row * grid->n_columns + column) * grid->n_moments + moment) * GRID_PATS + pat;
}

void grid_make(struct grid *grid, const struct machine *machine)
{
	struct grid_column column;
	size_t i, at;

	memset(grid, 0, sizeof(*grid));
	grid->machine = machine;
	for (i = 0; i < machine->n_verdicts; i++)
		add_names(grid, &machine->verdicts[i].cell);
	add_columns(grid);
	if (!grid->n_rows)
		return;
	grid->squares = calloc(index_of(grid, grid->n_rows, 0, 0, 0), sizeof(*grid->squares));
	if (!grid->squares) {
		fputs("conformance-report: out of memory\n", stderr);
		exit(2);
	}
	for (i = 0; i < machine->n_verdicts; i++) {
		const struct verdict *verdict = &machine->verdicts[i];

		column = column_of(&verdict->cell);
		at = index_of(grid, find_row(grid, &verdict->cell), find_column(grid, &column),
			      find_moment(grid, verdict->cell.moment), find_pat(verdict->cell.pat));
		if (!grid->squares[at].verdict || !verdict->ok)
			grid->squares[at].verdict = verdict;
	}
}

void grid_free(struct grid *grid)
{
	free(grid->rows);
	free(grid->moments);
	free(grid->squares);
	memset(grid, 0, sizeof(*grid));
}

const struct verdict *grid_cell(const struct grid *grid, size_t row, size_t column,
				size_t moment, size_t pat)
{
	return grid->squares[index_of(grid, row, column, moment, pat)].verdict;
}

const char *grid_no_cell(const struct grid *grid, size_t row, size_t column, size_t moment)
{
	const struct grid_column *wanted = &grid->columns[column];
	const struct machine *machine = grid->machine;
	size_t i;

	for (i = 0; i < machine->n_no_cells; i++) {
		const struct no_cell *no = &machine->no_cells[i];

		if (no->modules == wanted->modules && no->bound == wanted->bound &&
		    no->page == grid->rows[row].page && !strcmp(no->host, grid->rows[row].host) &&
		    (!strcmp(no->moment, "*") || !strcmp(no->moment, grid->moments[moment])))
			return no->why;
	}
	return NULL;
}
