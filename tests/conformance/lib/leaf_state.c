// SPDX-License-Identifier: GPL-2.0-or-later
/* Second-stage entries as tracepoints tell of them; see leaf_state.h. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leaf_state.h"

#define MAX_LEVEL	3	/* of a leaf: 1 GiB */

struct entry {
	uint64_t gfn;		/* the first that it maps */
	unsigned int level;	/* 0: this place is free */
	uint64_t now;		/* 0: no leaf */
	uint64_t leaf;		/* the last one */
	uint64_t order;		/* of the last one: a higher number came later */
};

/* Open addressing; never more than half full. */
static struct entry *entries;
static size_t n_places, n_used;
static uint64_t order;

void leaf_state_reset(void)
{
	free(entries);
	entries = NULL;
	n_places = 0;
	n_used = 0;
	order = 0;
}

static struct entry *entry_place(struct entry *table, size_t places, uint64_t gfn,
				 unsigned int level)
{
	size_t i = (size_t)((gfn * 4 + level) * 0x9e3779b97f4a7c15ULL >> 20) & (places - 1);

	while (table[i].level && (table[i].gfn != gfn || table[i].level != level))
		i = (i + 1) & (places - 1);
	return &table[i];
}

static int entries_grow(void)
{
	const size_t places = n_places ? 2 * n_places : 1024;
	struct entry *table = calloc(places, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < n_places; i++)
		if (entries[i].level)
			*entry_place(table, places, entries[i].gfn, entries[i].level) = entries[i];
	free(entries);
	entries = table;
	n_places = places;
	return 0;
}

/* The entry that maps @gfn at @level, or NULL if it was never told of. */
static const struct entry *entry_find(uint64_t gfn, unsigned int level)
{
	const struct entry *e;

	if (!n_places)
		return NULL;
	e = entry_place(entries, n_places, gfn & ~((1ULL << (level - 1) * 9) - 1), level);
	return e->level ? e : NULL;
}

/* Bit 0: readable resp. present; bit 7: maps a page above the last level. */
static bool is_leaf(uint64_t spte, unsigned int level)
{
	return spte & 1 && (level == 1 || spte & 0x80);
}

static int entry_changed(uint64_t gfn, unsigned int level, uint64_t spte)
{
	struct entry *e;

	if (level < 1 || level > MAX_LEVEL)
		return 0;
	if (2 * (n_used + 1) > n_places && entries_grow())
		return -ENOMEM;
	e = entry_place(entries, n_places, gfn, level);
	if (!e->level) {
		*e = (struct entry){ .gfn = gfn, .level = level };
		n_used++;
	}
	e->now = 0;
	if (is_leaf(spte, level)) {
		e->now = spte;
		e->leaf = spte;
		e->order = ++order;
	}
	return 0;
}

/* include/…/mmutrace.h of KVM has both formats. */
int leaf_state_line(const char *line)
{
	unsigned long long gfn, spte;
	unsigned int space = 0, level;
	const char *p;

	if (strstr(line, "LOST"))
		return -EOVERFLOW;
	p = strstr(line, "kvm_tdp_mmu_spte_changed: ");
	if (p) {
		if (sscanf(p, "kvm_tdp_mmu_spte_changed: as id %u gfn %llx level %u old_spte %*x new_spte %llx",
			   &space, &gfn, &level, &spte) != 4)
			return -EINVAL;
	} else {
		p = strstr(line, "kvm_mmu_set_spte: ");
		if (!p)
			return 0;
		if (sscanf(p, "kvm_mmu_set_spte: gfn %llx spte %llx (%*[^)]) level %u", &gfn, &spte,
			   &level) != 3)
			return -EINVAL;
	}
	/* System management mode has tables of its own. */
	return space ? 0 : entry_changed(gfn, level, spte);
}

uint64_t leaf_state_order(void)
{
	return order;
}

unsigned int leaf_state_now(uint64_t gfn, uint64_t *spte)
{
	uint64_t newest = 0;
	unsigned int found = 0;

	*spte = 0;
	for (unsigned int level = 1; level <= MAX_LEVEL; level++) {
		const struct entry *e = entry_find(gfn, level);

		if (!e || !e->now || e->order <= newest)
			continue;
		newest = e->order;
		*spte = e->now;
		found = level;
	}
	return found;
}

unsigned int leaf_state_last(uint64_t gfn, uint64_t since, uint64_t *spte)
{
	uint64_t newest = since;
	unsigned int found = 0;

	*spte = 0;
	for (unsigned int level = 1; level <= MAX_LEVEL; level++) {
		const struct entry *e = entry_find(gfn, level);

		if (!e || e->order <= newest)
			continue;
		newest = e->order;
		*spte = e->leaf;
		found = level;
	}
	return found;
}
