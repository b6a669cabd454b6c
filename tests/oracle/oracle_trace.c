// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reader of Bochs' memory trace; see oracle_trace.h. The lines that matter, with
 * the labels that Bochs 2.7 and 3.0 give to page-walk reads:
 *
 *	Memory-Tracing enabled for CPU0
 *	[CPU0 WR]: LIN 0x00007ffd28cc0600 PHY 0x000002bde600 (len=8, WB): 0x444D4150 0x00001001
 *	[CPU0 RD]: PHY 0x000036dd6000 (len=8, WB): 0x86000000 0x05AEBB77	; EPT PTE
 *
 * LIN lines are data accesses of host and guest alike; PHY is always the host's
 * physical address. Large leaves carry the label of their level (EPT PDE, EPT
 * PDPTE). Accesses that hit the emulator's TLB come without a walk.
 */
#include "oracle_trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* see trace_begin() in tests/emu/trace.h */
#define MARK	0x444d4150ull

#define USER_END	0x0000800000000000ull

struct trace_leaf_slot {
	bool used;
	struct oracle_leaf leaf;
};

static const char *const walk_labels[] = { "EPT PTE", "EPT PDE", "EPT PDPTE", "EPT PML4E" };

int trace_init(struct trace *trace)
{
	memset(trace, 0, sizeof(*trace));
	trace->n_slots = 1024;
	trace->slots = calloc(trace->n_slots, sizeof(*trace->slots));
	return trace->slots ? 0 : -ENOMEM;
}

void trace_destroy(struct trace *trace)
{
	free(trace->slots);
	trace->slots = NULL;
}

static void forget_leaves(struct trace *trace)
{
	memset(trace->slots, 0, trace->n_slots * sizeof(*trace->slots));
	trace->n_used = 0;
	trace->walk_done = false;
	trace->walk_level = 0;
}

/* Where the leaf for this first byte and level is, or would be put. */
static struct trace_leaf_slot *find_slot(struct trace_leaf_slot *slots, unsigned int n,
					 uint64_t address, unsigned int level)
{
	unsigned int i = (unsigned int)((address >> 12) * 0x9e3779b97f4a7c15ull >> 32) + level;

	for (;; i++) {
		struct trace_leaf_slot *slot = &slots[i % n];

		if (!slot->used || (slot->leaf.address == address && slot->leaf.level == level))
			return slot;
	}
}

static int remember_leaf(struct trace *trace, const struct oracle_leaf *leaf)
{
	struct trace_leaf_slot *slot, *bigger;
	unsigned int i;

	if (trace->n_used * 2 >= trace->n_slots) {
		bigger = calloc(2 * trace->n_slots, sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		for (i = 0; i < trace->n_slots; i++) {
			if (!trace->slots[i].used)
				continue;
			slot = find_slot(bigger, 2 * trace->n_slots, trace->slots[i].leaf.address,
					 trace->slots[i].leaf.level);
			*slot = trace->slots[i];
		}
		free(trace->slots);
		trace->slots = bigger;
		trace->n_slots *= 2;
	}
	slot = find_slot(trace->slots, trace->n_slots, leaf->address, leaf->level);
	if (!slot->used)
		trace->n_used++;
	slot->used = true;
	slot->leaf = *leaf;
	return 0;
}

static bool covers(const struct oracle_leaf *leaf, uint64_t physical)
{
	return physical >= leaf->address &&
	       physical - leaf->address < oracle_level_size(leaf->level);
}

static bool recall_leaf(const struct trace *trace, uint64_t physical, struct oracle_leaf *leaf)
{
	const struct trace_leaf_slot *slot;
	unsigned int level;

	for (level = 1; level <= 3; level++) {
		slot = find_slot(trace->slots, trace->n_slots,
				 physical & ~(oracle_level_size(level) - 1), level);
		if (slot->used) {
			*leaf = slot->leaf;
			return true;
		}
	}
	return false;
}

static bool take(const char **at, const char *text)
{
	size_t length = strlen(text);

	if (strncmp(*at, text, length))
		return false;
	*at += length;
	return true;
}

static bool take_hex(const char **at, uint64_t *value)
{
	char *end;

	if (!take(at, "0x"))
		return false;
	errno = 0;
	*value = strtoull(*at, &end, 16);
	if (end == *at || errno)
		return false;
	*at = end;
	return true;
}

/*
 * "(len=8, WB):"; Bochs prints INVALID where no type applies, and no colon behind a
 * length that is not a power of two: one part of an access that crosses a page.
 */
static bool take_length_and_type(const char **at, unsigned int *length, enum oracle_type *type)
{
	char name[8] = "";
	char *end;
	size_t i;

	if (!take(at, " (len="))
		return false;
	*length = (unsigned int)strtoul(*at, &end, 10);
	*at = end;
	if (!take(at, ", "))
		return false;
	for (i = 0; i < sizeof(name) - 1 && (*at)[i] && (*at)[i] != ')'; i++)
		name[i] = (*at)[i];
	*at += i;
	*type = oracle_type_parse(name);
	return take(at, *length & (*length - 1) ? ")" : "):");
}

/* Up to two 32-bit words, the upper one first; longer values are not kept. */
static void take_value(const char **at, unsigned int length, struct trace_access *access)
{
	uint64_t word;

	access->high = 0;
	access->low = 0;
	if (length > 8 || !take(at, " ") || !take_hex(at, &word))
		return;
	access->low = word;
	if (length == 8 && take(at, " ") && take_hex(at, &word)) {
		access->high = access->low;
		access->low = word;
	}
}

/* One entry of a walk; bits 11:3 of its address are the index at its level. */
static int walk_entry(struct trace *trace, unsigned int level, uint64_t physical, uint64_t entry)
{
	unsigned int shift = 12 + 9 * (level - 1);

	trace->walk_done = false;
	if (level == 4)
		trace->walk_gpa = 0;
	else if (level != trace->walk_level)
		return TRACE_WALK;	/* of a walk that began before tracing did */
	trace->walk_gpa |= ((physical >> 3) & 0x1ff) << shift;
	trace->walk_level = 0;
	if (level < 4 && oracle_ept_leaf(entry, level, &trace->walk_leaf)) {
		if (!trace->walk_leaf.present)
			return TRACE_WALK;
		trace->walk_done = true;
		trace->walk_leaf_gpa = trace->walk_gpa;
		if (remember_leaf(trace, &trace->walk_leaf))
			return -ENOMEM;
	} else if (entry & 7) {
		trace->walk_level = level - 1;
	}
	return TRACE_WALK;
}

static int physical_line(struct trace *trace, const char *at, bool write)
{
	struct trace_access access;
	const char *label;
	uint64_t physical;
	unsigned int level, length;
	enum oracle_type type;

	label = strchr(at, ';');
	if (!label)
		return TRACE_OTHER;
	label += 2;
	for (level = 1; level <= 4; level++)
		if (!strncmp(label, walk_labels[level - 1], strlen(walk_labels[level - 1])))
			break;
	if (level > 4)
		return TRACE_OTHER;
	if (!take_hex(&at, &physical) || !take_length_and_type(&at, &length, &type) || length != 8)
		return TRACE_DAMAGED;
	take_value(&at, length, &access);
	if (write)
		return TRACE_WALK;
	return walk_entry(trace, level, physical, access.high << 32 | access.low);
}

static int linear_line(struct trace *trace, const char *at, bool write)
{
	struct trace_access *access = &trace->access;

	memset(access, 0, sizeof(*access));
	access->write = write;
	if (!take_hex(&at, &access->linear) || !take(&at, " PHY ") ||
	    !take_hex(&at, &access->physical) ||
	    !take_length_and_type(&at, &access->length, &access->type))
		return TRACE_DAMAGED;
	take_value(&at, access->length, access);
	if (write && access->length == 8 && access->high == MARK && access->low &&
	    access->linear < USER_END) {
		trace->phase = (uint32_t)access->low;
		return TRACE_PHASE;
	}
	if (trace->walk_done && covers(&trace->walk_leaf, access->physical)) {
		access->walked = true;
		access->has_leaf = true;
		access->leaf = trace->walk_leaf;
	} else {
		access->has_leaf = recall_leaf(trace, access->physical, &access->leaf);
	}
	trace->walk_done = false;
	return TRACE_ACCESS;
}

int trace_line(struct trace *trace, const char *line)
{
	const char *at = line;
	bool write;

	if (!strncmp(line, "Memory-Tracing ", 15)) {
		forget_leaves(trace);
		return strstr(line, "enabled") ? TRACE_ON : TRACE_OFF;
	}
	if (!take(&at, "[CPU"))
		return TRACE_OTHER;
	at += strspn(at, "0123456789");
	if (take(&at, " RD]: "))
		write = false;
	else if (take(&at, " WR]: ") || take(&at, " RW]: "))
		write = true;
	else
		return TRACE_OTHER;
	if (take(&at, "LIN "))
		return linear_line(trace, at, write);
	if (take(&at, "PHY "))
		return physical_line(trace, at, write);
	return TRACE_DAMAGED;
}
