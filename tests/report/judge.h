/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judging a cell by Bochs' trace beside KVM's tracepoints. Called by machine.c.
 */
#ifndef TESTS_REPORT_JUDGE_H
#define TESTS_REPORT_JUDGE_H

#include "traced.h"
#include "verdict.h"

/*
 * @traced: NULL on a machine without a trace, where the tracepoints' leaf is the
 * observation. With one, each access of a cell must be in it, with a leaf that is
 * the expected one and the tracepoints' one.
 */
void judge_cell(struct verdict *verdict, const struct cell *cell, const struct traced *traced);

/*
 * The guest's own type of an access: Bochs combines the PAT with the MTRRs, which
 * makes UC of UC-. @pat: what the guest's tables select, so that the two are told apart.
 */
enum oracle_type judge_traced_pat(const struct traced_view *view, enum oracle_type pat);

#endif /* TESTS_REPORT_JUDGE_H */
