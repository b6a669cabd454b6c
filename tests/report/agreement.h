/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Do all who access a buffer use one memory type? GPU process, VMM, guest, the
 * map_info that the guest's driver is told, and the kernel. Called by machine.c.
 */
#ifndef TESTS_REPORT_AGREEMENT_H
#define TESTS_REPORT_AGREEMENT_H

#include "oracle_cell.h"
#include "traced.h"
#include "why.h"

/* The answers that must agree. UC- counts as UC: an MTRR says WB for all RAM. */
enum agreement_answer {
	ANSWER_MEMTYPE,		/* the exporter's type, as the table of exporters says */
	ANSWER_KERNEL,		/* what the bind or KVM_GET_MEMTYPE reported */
	ANSWER_LEAF,		/* what query-memtype reported of the leaf */
	ANSWER_MAP_INFO,	/* what the guest's driver was told */
	ANSWER_GPU_PTE,		/* what the GPU process' page-table entry selects */
	ANSWER_VMM_PTE,
	ANSWER_GPU_TRACED,	/* the GPU process' access in Bochs' trace */
	ANSWER_VMM_TRACED,
	ANSWER_GUEST,		/* effective type of the guest's access */
	N_ANSWERS
};

/* phase 0: not traced */
struct agreement_place {
	uint64_t phase;
	uint64_t linear;
};

struct agreement {
	char stage[CELL_NAME];		/* "source", "destination" */
	bool required;			/* bind=require; else bind=off */
	enum cell_vendor vendor;
	char host[CELL_NAME];
	enum oracle_type answers[N_ANSWERS];	/* ORACLE_INVALID: unknown */
	enum oracle_type guest_pat;
	uint64_t spte;
	unsigned int level;
	uint64_t host_pat;
	struct agreement_place gpu;
	struct agreement_place vmm;
	struct agreement_place guest;
	/* judged */
	bool ok;
	struct why why;			/* empty if ok */
};

/* "memtype", "kernel", … */
const char *agreement_answer_name(enum agreement_answer answer);

/* @text: behind "# agree ". false: not understood. */
bool agreement_parse(const char *text, struct agreement *agreement);

/* Has @traced look for the accesses. */
void agreement_want(const struct agreement *agreement, struct traced *traced);

/*
 * @traced: NULL on a machine without a trace; the guest's type is then what its page
 * tables select, combined with the leaf of the tracepoints.
 */
void agreement_judge(struct agreement *agreement, const struct traced *traced);

#endif /* TESTS_REPORT_AGREEMENT_H */
