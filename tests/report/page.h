/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report as one page of HTML: self-contained, without scripts. Called by main.c.
 */
#ifndef TESTS_REPORT_PAGE_H
#define TESTS_REPORT_PAGE_H

#include <stdio.h>

#include "machine.h"

void page_print(FILE *out, const struct machine *machines, size_t n);

/* The parts of the page, a file each. */
void page_overview(FILE *out, const struct machine *machines, size_t n);
void page_matrix(FILE *out, const struct machine *machine);
void page_agreement(FILE *out, const struct machine *machines, size_t n);
void page_coherence(FILE *out, const struct machine *machines, size_t n);

/* The files that the page is made of; see parts.S. */
extern const char page_style[];
extern const char page_legend[];
extern const char page_about_agreement[];
extern const char page_about_coherence[];
extern const char page_rules[];

#endif /* TESTS_REPORT_PAGE_H */
