/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts over machines. Called by all that print sums, and by machine.c.
 */
#ifndef TESTS_REPORT_TOTALS_H
#define TESTS_REPORT_TOTALS_H

#include "machine.h"

struct totals {
	unsigned long cells;
	unsigned long mismatches;
	unsigned long buffers;		/* lines of agreement */
	unsigned long disagree;
	unsigned long blocks;
	unsigned long blocks_wrong;
	uint64_t stale_stock;		/* stale reads of UC and WC buffers */
	uint64_t stale_dmapat;
	unsigned long problems;
};

/* Adds a machine's counts. */
void totals_add(struct totals *totals, const struct machine *machine);
bool totals_ok(const struct totals *totals);

#endif /* TESTS_REPORT_TOTALS_H */
