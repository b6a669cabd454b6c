/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report as KTAP version 1: a nested subtest for each machine, a result for each
 * cell, each agreement, each coherence scenario and each problem. Called by main.c.
 */
#ifndef TESTS_REPORT_KTAP_H
#define TESTS_REPORT_KTAP_H

#include <stdio.h>

#include "machine.h"

void ktap_print(FILE *out, const struct machine *machines, size_t n);

#endif /* TESTS_REPORT_KTAP_H */
