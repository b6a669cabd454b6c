/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What coherence-check found in a scenario on a buffer. Called by machine.c.
 */
#ifndef TESTS_REPORT_COHERENCE_BLOCK_H
#define TESTS_REPORT_COHERENCE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "grow.h"
#include "oracle_cell.h"
#include "why.h"

struct coherence_block {
	char name[CELL_NAME];		/* scenario */
	bool dmapat;			/* dmapat's modules; else stock */
	char host[CELL_NAME];
	enum oracle_type memtype;
	uint64_t accesses;
	uint64_t reads;
	uint64_t stale;			/* reads */
	uint64_t lost;			/* writes */
	bool expect_stale;
	bool said_ok;			/* by coherence-check */
	char *lines;			/* a character for each 64 bytes; see page_coherence.c */
	struct texts findings;		/* stale reads and lost writes, one each */
	struct texts remarks;		/* whatever else was said */
	/* judged */
	bool ok;
	struct why why;			/* empty if ok */
};

/*
 * Reads one output of coherence-check; calls @add with each block, which it owns from
 * then on, and @bad with each line that is not understood.
 */
void coherence_read(FILE *file, void (*add)(void *arg, const struct coherence_block *block),
		    void (*bad)(void *arg, const char *line), void *arg);
void coherence_free(struct coherence_block *block);

void coherence_judge(struct coherence_block *block);

#endif /* TESTS_REPORT_COHERENCE_BLOCK_H */
