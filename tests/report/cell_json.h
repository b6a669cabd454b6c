/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A judged cell as JSON. Called by conformance-report for conformance.json and by
 * dmapat-conformance for --json.
 */
#ifndef TESTS_REPORT_CELL_JSON_H
#define TESTS_REPORT_CELL_JSON_H

#include <stdio.h>

#include "verdict.h"

/*
 * One object, without what separates it from the next:
 * {"cpu","host","pat","size","moment","leaf","effective","expected","ok",
 *  "modules","bound","host_memtype","level","ignore_pat","entry","source","why"}
 * leaf, ignore_pat: null where there is none; effective, expected: a type or "fault";
 * source: "trace" or "tracepoint"; entry: the leaf as KVM's tracepoints reported it;
 * why: what is wrong, if ok is false.
 */
void cell_json(FILE *out, const char *cpu, const struct verdict *verdict);

#endif /* TESTS_REPORT_CELL_JSON_H */
