/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A judged cell of the matrix, as dmapat-conformance and conformance-report make it:
 * the first from KVM's tracepoints, the second from Bochs' trace where there is one.
 */
#ifndef TESTS_REPORT_VERDICT_H
#define TESTS_REPORT_VERDICT_H

#include <stdbool.h>

#include "oracle_cell.h"
#include "why.h"

struct verdict {
	struct cell cell;
	bool traced;			/* leaf and effective are from Bochs' trace */
	bool has_leaf;			/* false for a fault, or where none was seen */
	struct oracle_leaf leaf;
	enum oracle_type effective;	/* of the guest's access; ORACLE_INVALID: none seen */
	bool ok;
	struct why why;			/* empty if ok */
};

/* Judges a cell by its tracepoints alone. */
void verdict_by_tracepoints(struct verdict *verdict, const struct cell *cell);

/* "WC"; "fault" for KVM_EXIT_MEMORY_FAULT; "none" */
const char *verdict_effective(const struct verdict *verdict);
const char *verdict_expected(const struct verdict *verdict);

/* "4K", "2M" */
const char *verdict_size(const struct cell *cell);

#endif /* TESTS_REPORT_VERDICT_H */
