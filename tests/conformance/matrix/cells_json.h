/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of --json: an array of cells, in the form of conformance-report's. Called by
 * main.c and group.c.
 */
#ifndef TESTS_MATRIX_CELLS_JSON_H
#define TESTS_MATRIX_CELLS_JSON_H

#include "oracle_cell.h"

struct cells_json;

/* NULL and errno where @path cannot be written. */
struct cells_json *cells_json_open(const char *path);
void cells_json_add(struct cells_json *json, const struct cell *cell);
/* Ends the array. 0, or errno: not all of it was written. */
int cells_json_close(struct cells_json *json);

#endif /* TESTS_MATRIX_CELLS_JSON_H */
