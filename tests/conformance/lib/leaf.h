/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The EPT or NPT leaf that KVM installed, as its tracepoints say, and decoded by
 * the oracle. leaf.c judges, leaf_watch.c watches, leaf_state.c keeps what was seen.
 */
#ifndef TESTS_CONFORMANCE_LEAF_H
#define TESTS_CONFORMANCE_LEAF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test_leaf {
	bool seen;
	int level;		/* 1: 4 KiB, 2: 2 MiB, 3: 1 GiB */
	uint64_t spte;
	int type;		/* architectural number */
	bool ignores_guest_pat;	/* EPT alone can */
};

/*
 * Leaves are watched between these two, in a tracefs instance of its own; nothing is
 * known of a gfn that has not changed since the start. The test ends where the events
 * cannot be had. Who leaves without leaf_watch_stop() stops, too (atexit).
 */
void leaf_watch_start(void);
void leaf_watch_stop(void);

/*
 * Watch entries at these gfns (first gfn of a large page) alone, and what this task
 * causes; right after leaf_watch_start().
 */
void leaf_watch_only(const uint64_t *gfns, size_t n);

/* Watch entries at @gfn and above alone, whatever task causes them. */
void leaf_watch_from(uint64_t gfn);

/* leaf_last() forgets what was seen; leaf_now() does not. */
void leaf_watch_clear(void);

/* The last leaf that was installed for @gfn since leaf_watch_clear(). */
struct test_leaf leaf_last(uint64_t gfn);

/*
 * What maps @gfn now, by all changes since leaf_watch_start(): level and SPTE. 0 and 0:
 * nothing. Right for the TDP MMU alone: the shadow MMU does not trace that it zaps.
 */
unsigned int leaf_now(uint64_t gfn, uint64_t *spte);

/* As leaf_last(), not decoded: level and SPTE of the last leaf; 0: none. */
unsigned int leaf_last_spte(uint64_t gfn, uint64_t *spte);

/* Is this an Intel machine (EPT)? */
bool leaf_is_ept(void);

/* Reports whether the last leaf of @gpa is of @type, with ignore-PAT clear, or stock. */
bool leaf_expect_type(uint64_t gpa, int type, const char *what);
bool leaf_expect_stock(uint64_t gpa, const char *what);

/* What Linux 6.12's KVM gives device registers: UC on Intel, WB on AMD. */
bool leaf_expect_stock_mmio(uint64_t gpa, const char *what);

#endif /* TESTS_CONFORMANCE_LEAF_H */
