/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A test's output: its cells, what cannot be, agreement, and whether it is whole.
 * Called by machine.c.
 */
#ifndef TESTS_REPORT_LOG_H
#define TESTS_REPORT_LOG_H

#include "machine.h"

/* Cells and agreements as printed, before the trace has been read. */
struct log {
	struct cell *cells;
	size_t n_cells;
	struct machine *machine;
};

/* Adds what the log at @path holds; @name is for messages. */
void log_read(struct log *log, const char *path, const char *name);

#endif /* TESTS_REPORT_LOG_H */
