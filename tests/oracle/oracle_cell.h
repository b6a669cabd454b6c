/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One cell of the conformance matrix: what was asked of one guest page at one
 * moment, and what was seen. dmapat-conformance and test_agreement print cells,
 * conformance-report reads them; the rule that says what a cell must show is here,
 * written from the design and the manuals, and shares nothing with the product.
 */
#ifndef TESTS_ORACLE_CELL_H
#define TESTS_ORACLE_CELL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "oracle_types.h"

#define CELL_NAME	32	/* of an exporter, of a moment; with the terminating NUL */
#define CELL_LEAF_TEXT	48

enum cell_vendor { CELL_INTEL, CELL_AMD };

/* The rule in force. */
enum cell_modules {
	CELL_DMAPAT,		/* dmapat's modules, memtype_from_host=1 */
	CELL_DMAPAT_OFF,	/* memtype_from_host=0: bound pages alone */
	CELL_STOCK,
	CELL_STOCK_QUIRK_OFF,	/* KVM_X86_QUIRK_IGNORE_GUEST_PAT disabled; Intel alone */
};

struct cell {
	enum cell_modules modules;
	enum cell_vendor vendor;
	char host[CELL_NAME];		/* exporter */
	enum oracle_type memtype;	/* its host type; UC- counts as UC */
	unsigned int page;		/* level that the exporter can give: 1 or 2 */
	bool bound;
	enum oracle_type pat;		/* what the guest's tables and IA32_PAT select */
	char moment[CELL_NAME];
	unsigned int want_level;
	bool want_fault;		/* the vCPU must leave with KVM_EXIT_MEMORY_FAULT */
	/* seen */
	bool fault;
	uint64_t spte;			/* by KVM's tracepoints; 0: no leaf */
	unsigned int level;
	uint64_t host_pat;		/* IA32_PAT of the host; NPT leaves select from it */
	bool data_ok;
	/* where Bochs' trace has the access; phase 0: not traced */
	uint64_t phase;
	uint64_t linear;
};

/* "dmapat", "dmapat-off", "stock", "stock-quirk-off" */
const char *cell_modules_name(enum cell_modules modules);
/* "intel", "amd" */
const char *cell_vendor_name(enum cell_vendor vendor);

/* Prints the "# cell …" line, with its newline. */
void cell_print(FILE *out, const struct cell *cell);

/*
 * @line: a whole "# cell …" line; it may end in CR and LF. 0, or -EINVAL: a word is
 * missing, doubled, unknown or no value, or two words exclude each other.
 */
int cell_parse(const char *line, struct cell *cell);

/* A decimal or 0x number and nothing else, up to @max. For the other lines, too. */
bool cell_number(const char *text, uint64_t max, uint64_t *value);

/* What the cell must show, unless it wants a fault: the leaf (type, ignore-PAT, level) … */
void cell_expected_leaf(const struct cell *cell, struct oracle_leaf *leaf);
/* … and the type of the guest's access. */
enum oracle_type cell_expected(const struct cell *cell);

/* The leaf that the tracepoints reported; false: none, or no valid one. */
bool cell_leaf(const struct cell *cell, struct oracle_leaf *leaf);
/* The type of the guest's access through @leaf; ORACLE_INVALID for none. */
enum oracle_type cell_effective(const struct cell *cell, const struct oracle_leaf *leaf);

/* Same type, ignore-PAT and level? The frame's address and the rights may differ. */
bool cell_leaf_agrees(const struct oracle_leaf *leaf, const struct oracle_leaf *expected);
/* "WC ignore-pat=0 level 1"; returns @text. */
const char *cell_leaf_text(const struct oracle_leaf *leaf, char text[CELL_LEAF_TEXT]);

/*
 * Is what the tracepoints reported right? NULL, or what is not, with the value seen
 * and the value expected, in a static buffer. conformance-report compares the Bochs
 * trace besides.
 */
const char *cell_wrong(const struct cell *cell);

#endif /* TESTS_ORACLE_CELL_H */
