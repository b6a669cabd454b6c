/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's cells by exporter, rule, moment and guest PAT. Called by page_matrix.c and complete.c.
 */
#ifndef TESTS_REPORT_GRID_H
#define TESTS_REPORT_GRID_H

#include "machine.h"

#define GRID_PATS	6u

/* UC UC- WC WT WP WB: the order of all tables */
extern const enum oracle_type grid_pats[GRID_PATS];

/* An exporter and the page size that it gives. */
struct grid_row {
	const char *host;
	unsigned int page;
	enum oracle_type memtype;
};

/* A rule in force. */
struct grid_column {
	enum cell_modules modules;
	bool bound;
};

/* The columns that there may be: each module set, unbound and bound. */
#define GRID_COLUMNS	8

/* NULL: there is no such cell. */
struct grid_square {
	const struct verdict *verdict;
};

struct grid {
	const struct machine *machine;
	struct grid_row *rows;
	size_t n_rows;
	struct grid_column columns[GRID_COLUMNS];
	size_t n_columns;	/* those that have cells */
	const char **moments;
	size_t n_moments;
	struct grid_square *squares;	/* see grid_cell() */
};

/* The grid points into the machine. */
void grid_make(struct grid *grid, const struct machine *machine);
void grid_free(struct grid *grid);

/* NULL: there is none. Of several, one that is wrong. */
const struct verdict *grid_cell(const struct grid *grid, size_t row, size_t column,
				size_t moment, size_t pat);

/* Why there is no cell; NULL: nothing was said. */
const char *grid_no_cell(const struct grid *grid, size_t row, size_t column, size_t moment);

/* "stock", "dmapat, bound" */
const char *grid_column_name(const struct grid_column *column);

#endif /* TESTS_REPORT_GRID_H */
