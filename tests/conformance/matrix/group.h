/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A group of cells: one exporter, bound or not, at one moment, with each guest PAT type.
 * Makes the moment, looks, prints and judges. Called by main.c.
 */
#ifndef TESTS_MATRIX_GROUP_H
#define TESTS_MATRIX_GROUP_H

#include <signal.h>
#include <stdbool.h>

#include "moments.h"
#include "stage.h"

/* One run of the program. */
struct run {
	bool real_host;			/* no magic breaks, and the timing witness */
	unsigned int phases;		/* brackets of the memory trace so far */
	unsigned int judged;		/* cells */
	unsigned int wrong;
	struct cells_json *json;	/* NULL: not wanted */
	struct timing_refs *timing;	/* NULL: no timing witness */
	volatile sig_atomic_t interrupted;
};

/* The cells of a group, or a failed result where the moment could not be made. */
void group_run(struct run *run, struct stage *stage, const struct moment *moment, bool bound);

#endif /* TESTS_MATRIX_GROUP_H */
