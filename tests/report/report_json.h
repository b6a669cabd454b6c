/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report as JSON: an array of objects for each kind of result. Called by main.c.
 */
#ifndef TESTS_REPORT_REPORT_JSON_H
#define TESTS_REPORT_REPORT_JSON_H

#include <stdio.h>

#include "machine.h"

/* conformance.json: what cell_json() prints. */
void report_json_cells(FILE *out, const struct machine *machines, size_t n);
/* agreement.json: {"cpu","host","stage","bound",…one member an answer…,"ok","why"} */
void report_json_agreements(FILE *out, const struct machine *machines, size_t n);
/*
 * coherence.json: {"cpu","scenario","modules","host","host_memtype","accesses","reads",
 * "stale","lost","expected","lines","findings","remarks","ok","why"}
 */
void report_json_coherence(FILE *out, const struct machine *machines, size_t n);

#endif /* TESTS_REPORT_REPORT_JSON_H */
