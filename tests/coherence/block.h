/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What coherence-check prints of a scenario, for people and for conformance-report. */
#ifndef TESTS_COHERENCE_BLOCK_H
#define TESTS_COHERENCE_BLOCK_H

#include <stdio.h>

#include "scenario.h"

/* After replay(). @cpu: the machine's name */
void block_print(FILE *out, const char *cpu, const struct scenario *s);

#endif /* TESTS_COHERENCE_BLOCK_H */
