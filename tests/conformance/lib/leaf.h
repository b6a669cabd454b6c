/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The EPT or NPT leaf that KVM installed, as its tracepoints say, and decoded by
 * the oracle.
 */
#ifndef TESTS_CONFORMANCE_LEAF_H
#define TESTS_CONFORMANCE_LEAF_H

#include <stdbool.h>
#include <stdint.h>

struct test_leaf {
	bool seen;
	int level;		/* 1: 4 KiB, 2: 2 MiB, 3: 1 GiB */
	uint64_t spte;
	int type;		/* architectural number */
	bool ignores_guest_pat;	/* EPT alone can */
};

/* Leaves are watched between these two. */
void leaf_watch_start(void);
void leaf_watch_stop(void);

/* Forget what was seen. */
void leaf_watch_clear(void);

/* The last leaf that was installed for @gfn since leaf_watch_clear(). */
struct test_leaf leaf_last(uint64_t gfn);

/* Is this an Intel machine (EPT)? */
bool leaf_is_ept(void);

/* Reports whether the last leaf of @gpa is of @type, with ignore-PAT clear, or stock. */
bool leaf_expect_type(uint64_t gpa, int type, const char *what);
bool leaf_expect_stock(uint64_t gpa, const char *what);

/* What Linux 6.12's KVM gives device registers: UC on Intel, WB on AMD. */
bool leaf_expect_stock_mmio(uint64_t gpa, const char *what);

#endif /* TESTS_CONFORMANCE_LEAF_H */
