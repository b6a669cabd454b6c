/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Are there cells for all types that a guest can use? Called by machine.c.
 */
#ifndef TESTS_REPORT_COMPLETE_H
#define TESTS_REPORT_COMPLETE_H

#include "machine.h"

/* Adds a problem for each exporter, rule and moment that has cells of some types alone. */
void complete_check(struct machine *machine);

#endif /* TESTS_REPORT_COMPLETE_H */
