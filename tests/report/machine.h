/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One machine's folder, read and judged. Called by main.c; everything that prints
 * reads it.
 *
 * The folder has NAME.log per test, trace.log on Bochs machines, NAME.coherence of
 * coherence-check, serial.log, and `result`; tests/emu/machine makes it.
 */
#ifndef TESTS_REPORT_MACHINE_H
#define TESTS_REPORT_MACHINE_H

#include "agreement.h"
#include "coherence_block.h"
#include "grow.h"
#include "no_cell.h"
#include "verdict.h"

struct machine {
	char *cpu;		/* its name in the report */
	char *kernel;		/* release, by serial.log; NULL: unknown */
	char *model;		/* as the CPU calls itself; NULL: unknown */
	bool traced;		/* there is a trace.log */
	struct verdict *verdicts;
	size_t n_verdicts;
	struct no_cell *no_cells;
	size_t n_no_cells;
	struct agreement *agreements;
	size_t n_agreements;
	struct coherence_block *blocks;
	size_t n_blocks;
	/* what is wrong with the folder: each is a failed result */
	struct texts problems;
};

/*
 * Reads the folder @path into @machine and judges it. Whatever cannot be read or
 * understood becomes a problem of the machine; there is no other error.
 */
void machine_read(struct machine *machine, const char *cpu, const char *path);
void machine_free(struct machine *machine);

#endif /* TESTS_REPORT_MACHINE_H */
