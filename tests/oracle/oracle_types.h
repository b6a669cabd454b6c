/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory types as the manuals define them, for judging what the modules did.
 * Written from the manuals alone: no header, table or code of kernel/ or
 * userspace/ is used here. Called by oracle_trace.c, trace_report.c and the
 * programs in tests/conformance.
 *
 * SDM: Intel 64 and IA-32 Architectures Software Developer's Manual.
 * APM: AMD64 Architecture Programmer's Manual.
 */
#ifndef TESTS_ORACLE_TYPES_H
#define TESTS_ORACLE_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/* SDM vol. 3A, table "Memory Types That Can Be Encoded With PAT" */
enum oracle_type {
	ORACLE_INVALID = -1,
	ORACLE_UC = 0,
	ORACLE_WC = 1,
	ORACLE_WT = 4,
	ORACLE_WP = 5,
	ORACLE_WB = 6,
	ORACLE_UC_MINUS = 7,
};

/* A last-level entry of second-stage tables. */
struct oracle_leaf {
	bool present;
	bool writable;
	bool executable;
	bool ignore_pat;	/* EPT alone */
	enum oracle_type type;	/* EPT: the entry's; NPT: the host PAT's entry */
	unsigned int level;	/* 1: 4 KiB, 2: 2 MiB, 3: 1 GiB */
	uint64_t address;	/* of the first byte */
};

const char *oracle_type_name(enum oracle_type type);
/* "UC", "UC-", "WC", "WT", "WP", "WB"; ORACLE_INVALID for anything else */
enum oracle_type oracle_type_parse(const char *name);
bool oracle_type_cacheable(enum oracle_type type);

/* Bytes that a leaf of this level maps; 0 for a level that has no leaves. */
uint64_t oracle_level_size(unsigned int level);

/* Entry 0 to 7 of an IA32_PAT value. */
enum oracle_type oracle_pat_entry(uint64_t pat_msr, unsigned int index);
/* Which PAT entry a page-table entry of this level selects, if it maps a page. */
unsigned int oracle_pte_pat_index(uint64_t pte, unsigned int level);

/* false: the entry is no leaf of that level (a table, or a reserved encoding) */
bool oracle_ept_leaf(uint64_t entry, unsigned int level, struct oracle_leaf *leaf);
bool oracle_npt_leaf(uint64_t entry, unsigned int level, uint64_t host_pat_msr,
		     struct oracle_leaf *leaf);

/* What the CPU uses for a guest access; pat_type is the guest's own. */
enum oracle_type oracle_ept_effective(const struct oracle_leaf *leaf, enum oracle_type pat_type);
enum oracle_type oracle_npt_effective(const struct oracle_leaf *leaf, enum oracle_type pat_type);

#endif /* TESTS_ORACLE_TYPES_H */
