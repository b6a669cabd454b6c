// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The manuals' tables of memory types, and the decoding of EPT and NPT leaves.
 * See oracle_types.h.
 */
#include "oracle_types.h"

#include <stddef.h>
#include <string.h>

#define BIT(n)	(1ull << (n))

/* Bits 51:12 of an entry, as far as the level's alignment leaves them. */
#define ADDRESS_MASK	0x000ffffffffff000ull

#define N_TYPES	8

static const struct {
	enum oracle_type type;
	const char *name;
} names[] = {
	{ ORACLE_UC, "UC" }, { ORACLE_WC, "WC" }, { ORACLE_WT, "WT" },
	{ ORACLE_WP, "WP" }, { ORACLE_WB, "WB" }, { ORACLE_UC_MINUS, "UC-" },
};

#define N_NAMES	(sizeof(names) / sizeof(names[0]))

/*
 * SDM vol. 3A, table "Effective Page-Level Memory Types for Pentium III and More
 * Recent Processor Families", [MTRR type][PAT type]. SDM vol. 3C, "Memory Type Used
 * for Translated Guest-Physical Addresses": with bit 6 of the EPT leaf clear, the
 * EPT type takes the place of the MTRR type. Columns 2 and 3 are reserved.
 */
static const signed char intel_combined[N_TYPES][N_TYPES] = {
	/*               UC          WC                  WT         WP         WB         UC- */
	[ORACLE_UC] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_UC, ORACLE_UC, ORACLE_UC, ORACLE_UC },
	[ORACLE_WC] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_UC, ORACLE_UC, ORACLE_WC, ORACLE_WC },
	[2] = { -1, -1, -1, -1, -1, -1, -1, -1 },
	[3] = { -1, -1, -1, -1, -1, -1, -1, -1 },
	[ORACLE_WT] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_WT, ORACLE_WP, ORACLE_WT, ORACLE_UC },
	[ORACLE_WP] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_WT, ORACLE_WP, ORACLE_WP, ORACLE_WC },
	[ORACLE_WB] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_WT, ORACLE_WP, ORACLE_WB, ORACLE_UC },
	[ORACLE_UC_MINUS] = { -1, -1, -1, -1, -1, -1, -1, -1 },
};

/*
 * APM vol. 2, 15.25.8, table "Combining Guest and Host PAT Types",
 * [host PAT type][guest PAT type].
 */
static const signed char amd_combined[N_TYPES][N_TYPES] = {
	/*               UC          WC                  WT         WP         WB         UC- */
	[ORACLE_UC] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_UC, ORACLE_UC, ORACLE_UC, ORACLE_UC },
	[ORACLE_WC] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_UC, ORACLE_UC, ORACLE_WC, ORACLE_WC },
	[2] = { -1, -1, -1, -1, -1, -1, -1, -1 },
	[3] = { -1, -1, -1, -1, -1, -1, -1, -1 },
	[ORACLE_WT] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_WT, ORACLE_UC, ORACLE_WT, ORACLE_UC },
	[ORACLE_WP] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_UC, ORACLE_WP, ORACLE_WP, ORACLE_UC },
	[ORACLE_WB] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_WT, ORACLE_WP, ORACLE_WB, ORACLE_UC },
	[ORACLE_UC_MINUS] = { ORACLE_UC, ORACLE_WC, -1, -1, ORACLE_UC, ORACLE_UC, ORACLE_UC,
			      ORACLE_UC_MINUS },
};

const char *oracle_type_name(enum oracle_type type)
{
	size_t i;

	for (i = 0; i < N_NAMES; i++)
		if (names[i].type == type)
			return names[i].name;
	return "invalid";
}

enum oracle_type oracle_type_parse(const char *name)
{
	size_t i;

	for (i = 0; i < N_NAMES; i++)
		if (!strcmp(names[i].name, name))
			return names[i].type;
	return ORACLE_INVALID;
}

/* SDM vol. 3A, table "Memory Types and Their Properties" */
bool oracle_type_cacheable(enum oracle_type type)
{
	return type == ORACLE_WT || type == ORACLE_WP || type == ORACLE_WB;
}

uint64_t oracle_level_size(unsigned int level)
{
	if (level < 1 || level > 3)
		return 0;
	return BIT(12 + 9 * (level - 1));
}

static enum oracle_type valid_type(unsigned int value)
{
	return value == 2 || value == 3 || value > 7 ? ORACLE_INVALID : (enum oracle_type)value;
}

/* SDM vol. 3A, "IA32_PAT MSR": byte i is entry i, its upper five bits are reserved. */
enum oracle_type oracle_pat_entry(uint64_t pat_msr, unsigned int index)
{
	if (index > 7)
		return ORACLE_INVALID;
	return valid_type((pat_msr >> (8 * index)) & 0xff);
}

/*
 * SDM vol. 3A, "Paging and Memory Typing": 4 * PAT + 2 * PCD + PWT; PAT is bit 7 of
 * a PTE, bit 12 of larger leaves.
 */
unsigned int oracle_pte_pat_index(uint64_t pte, unsigned int level)
{
	unsigned int pat = level == 1 ? !!(pte & BIT(7)) : !!(pte & BIT(12));

	return 4 * pat + 2 * !!(pte & BIT(4)) + !!(pte & BIT(3));
}

/*
 * SDM vol. 3C, tables "Format of an EPT … Entry that Maps a … Page": bits 2:0 read,
 * write, execute; 5:3 type; 6 ignore PAT; 7 set above the last level.
 */
bool oracle_ept_leaf(uint64_t entry, unsigned int level, struct oracle_leaf *leaf)
{
	uint64_t size = oracle_level_size(level);

	memset(leaf, 0, sizeof(*leaf));
	leaf->type = ORACLE_INVALID;
	if (!size || (level > 1 && !(entry & BIT(7))))
		return false;
	leaf->level = level;
	leaf->present = entry & 7;
	if (!leaf->present)
		return true;
	leaf->writable = entry & BIT(1);
	leaf->executable = entry & BIT(2);
	leaf->ignore_pat = entry & BIT(6);
	leaf->address = entry & ADDRESS_MASK & ~(size - 1);
	leaf->type = valid_type((entry >> 3) & 7);
	/* UC- has no encoding in an EPT entry */
	if (leaf->type == ORACLE_UC_MINUS)
		leaf->type = ORACLE_INVALID;
	return leaf->type != ORACLE_INVALID;
}

/*
 * APM vol. 2, 15.25.8: a nested page table is an ordinary one; its bits select an
 * entry of the host's PAT.
 */
bool oracle_npt_leaf(uint64_t entry, unsigned int level, uint64_t host_pat_msr,
		     struct oracle_leaf *leaf)
{
	uint64_t size = oracle_level_size(level);

	memset(leaf, 0, sizeof(*leaf));
	leaf->type = ORACLE_INVALID;
	if (!size || (level > 1 && (entry & BIT(0)) && !(entry & BIT(7))))
		return false;
	leaf->level = level;
	leaf->present = entry & BIT(0);
	if (!leaf->present)
		return true;
	leaf->writable = entry & BIT(1);
	leaf->executable = !(entry & BIT(63));
	leaf->address = entry & ADDRESS_MASK & ~(size - 1);
	leaf->type = oracle_pat_entry(host_pat_msr, oracle_pte_pat_index(entry, level));
	return leaf->type != ORACLE_INVALID;
}

static enum oracle_type combined(const signed char table[N_TYPES][N_TYPES], enum oracle_type leaf,
				 enum oracle_type pat)
{
	if (leaf < 0 || leaf >= N_TYPES || pat < 0 || pat >= N_TYPES)
		return ORACLE_INVALID;
	return table[leaf][pat];
}

enum oracle_type oracle_ept_effective(const struct oracle_leaf *leaf, enum oracle_type pat_type)
{
	if (!leaf->present)
		return ORACLE_INVALID;
	if (leaf->ignore_pat)
		return leaf->type;
	return combined(intel_combined, leaf->type, pat_type);
}

enum oracle_type oracle_npt_effective(const struct oracle_leaf *leaf, enum oracle_type pat_type)
{
	if (!leaf->present)
		return ORACLE_INVALID;
	return combined(amd_combined, leaf->type, pat_type);
}
