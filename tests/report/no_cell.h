/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cells that cannot be, which dmapat-conformance names once with the reason: a
 * buffer that cannot move, a type that no virtio map_info stands for. Called by
 * machine.c and page_matrix.c.
 */
#ifndef TESTS_REPORT_NO_CELL_H
#define TESTS_REPORT_NO_CELL_H

#include "oracle_cell.h"

struct no_cell {
	enum cell_modules modules;
	char host[CELL_NAME];
	unsigned int page;
	bool bound;
	char moment[CELL_NAME];
	char *why;		/* to be freed */
};

/* @text: behind "# no-cell ". false: not understood. */
bool no_cell_parse(const char *text, struct no_cell *no_cell);

#endif /* TESTS_REPORT_NO_CELL_H */
