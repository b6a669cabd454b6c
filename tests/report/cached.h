/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of the memory that the host does not cache a guest would cache. Called by
 * page_overview.c and page_matrix.c.
 */
#ifndef TESTS_REPORT_CACHED_H
#define TESTS_REPORT_CACHED_H

#include <stdio.h>

#include "verdict.h"

struct cached {
	unsigned int uncached;	/* accesses to memory that the host maps UC or WC */
	unsigned int hazards;	/* of these: through the guest's cache */
};

/* Does the guest cache what the host does not? */
bool cached_hazard(const struct verdict *verdict);

void cached_add(struct cached *cached, const struct verdict *verdict);

/* A bar and the two numbers, as HTML. */
void cached_print(FILE *out, const struct cached *cached);

#endif /* TESTS_REPORT_CACHED_H */
