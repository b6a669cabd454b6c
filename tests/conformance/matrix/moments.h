/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The moments of the matrix: what happened to a page before it is looked at. One line
 * each in moments.c. Called by main.c and group.c.
 */
#ifndef TESTS_MATRIX_MOMENTS_H
#define TESTS_MATRIX_MOMENTS_H

#include <stdbool.h>

#include "stage.h"

#define MOMENT_STEPS	6

enum moment_flag {
	MOMENT_BOUND = 1 << 0,		/* of bound pages alone */
	MOMENT_UNBOUND = 1 << 1,	/* of unbound pages alone */
	MOMENT_SPLIT = 1 << 2,		/* leaves of 4 KiB, whatever the exporter allows */
	MOMENT_STALE = 1 << 3,		/* bindings do not hold any more: want a fault */
};

struct moment {
	const char *name;
	unsigned int flags;		/* enum moment_flag */
	/* In order, up to the first NULL; each returns 0 or errno. */
	int (*steps[MOMENT_STEPS])(struct stage *stage);
};

/* The table; ends with an entry without a name. */
extern const struct moment moments[];

/* Why a cell of these cannot exist; NULL: it can. */
const char *moment_excluded(const struct moment *moment, const struct exporter *exporter,
			    enum cell_modules modules, bool bound);

/* Does all steps. false: one failed; which, and why, is noted. */
bool moment_make(const struct moment *moment, struct stage *stage);

#endif /* TESTS_MATRIX_MOMENTS_H */
