// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranges of guest-physical memory; see memory_ranges.h. */
#include "vmm/memory_ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void memory_ranges__free(struct memory_ranges *set)
{
	free(set->at);
	*set = (struct memory_ranges) { 0 };
}

static int memory_ranges__reserve(struct memory_ranges *set, unsigned int nr)
{
	struct memory_range *at;

	if (nr <= set->room)
		return 0;
	nr += nr / 2 + 8;
	at = reallocarray(set->at, nr, sizeof(*at));
	if (!at)
		return -ENOMEM;
	set->at = at;
	set->room = nr;
	return 0;
}

int memory_ranges__copy(struct memory_ranges *to, const struct memory_ranges *from)
{
	int r = memory_ranges__reserve(to, from->nr);

	if (r < 0)
		return r;
	if (from->nr)
		memcpy(to->at, from->at, from->nr * sizeof(*to->at));
	to->nr = from->nr;
	return 0;
}

static uint64_t memory_ranges__end(const struct memory_range *range)
{
	return range->gpa + range->size;
}

/* Index of the first range that ends behind @gpa. */
static unsigned int memory_ranges__find(const struct memory_ranges *set, uint64_t gpa)
{
	unsigned int low = 0, high = set->nr, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (memory_ranges__end(&set->at[middle]) > gpa)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

const struct memory_range *memory_ranges__overlap(const struct memory_ranges *set, uint64_t gpa,
						  uint64_t size)
{
	unsigned int i = memory_ranges__find(set, gpa);

	return i < set->nr && set->at[i].gpa < gpa + size ? &set->at[i] : NULL;
}

const struct memory_range *memory_ranges__start(const struct memory_ranges *set, uint64_t gpa)
{
	unsigned int i = memory_ranges__find(set, gpa);

	return i < set->nr && set->at[i].gpa == gpa ? &set->at[i] : NULL;
}

/* There is room. */
static void memory_ranges__insert(struct memory_ranges *set, unsigned int i,
				  const struct memory_range *range)
{
	memmove(&set->at[i + 1], &set->at[i], (set->nr - i) * sizeof(*set->at));
	set->at[i] = *range;
	set->nr++;
}

int memory_ranges__add(struct memory_ranges *set, const struct memory_range *range)
{
	int r;

	if (memory_ranges__overlap(set, range->gpa, range->size))
		return -EEXIST;
	r = memory_ranges__reserve(set, set->nr + 1);
	if (r < 0)
		return r;
	memory_ranges__insert(set, memory_ranges__find(set, range->gpa), range);
	return 0;
}

/* Make sure that a range starts at @gpa, if one covers it. There is room. */
static void memory_ranges__split(struct memory_ranges *set, uint64_t gpa)
{
	unsigned int i = memory_ranges__find(set, gpa);
	struct memory_range *first, rest;

	if (i == set->nr || set->at[i].gpa >= gpa)
		return;
	first = &set->at[i];
	rest = *first;
	rest.gpa = gpa;
	rest.size -= gpa - first->gpa;
	rest.hva += gpa - first->gpa;
	first->size = gpa - first->gpa;
	memory_ranges__insert(set, i + 1, &rest);
}

int memory_ranges__remove(struct memory_ranges *set, uint64_t gpa, uint64_t size)
{
	unsigned int i, first, last;
	uint64_t at = gpa;
	int r;

	for (i = memory_ranges__find(set, gpa); at < gpa + size; i++) {
		if (i == set->nr || set->at[i].gpa > at)
			return -ENOENT;
		at = memory_ranges__end(&set->at[i]);
	}

	r = memory_ranges__reserve(set, set->nr + 2);
	if (r < 0)
		return r;
	memory_ranges__split(set, gpa);
	memory_ranges__split(set, gpa + size);
	first = memory_ranges__find(set, gpa);
	last = memory_ranges__find(set, gpa + size);
	memmove(&set->at[first], &set->at[last], (set->nr - last) * sizeof(*set->at));
	set->nr -= last - first;
	return 0;
}

void memory_ranges__merge(struct memory_ranges *set)
{
	struct memory_range *to, *from;
	unsigned int i, nr = 0;

	for (i = 0; i < set->nr; i++) {
		to = &set->at[nr ? nr - 1 : 0];
		from = &set->at[i];
		if (nr && memory_ranges__end(to) == from->gpa &&
		    to->hva + to->size == from->hva && to->flags == from->flags)
			to->size += from->size;
		else
			set->at[nr++] = *from;
	}
	set->nr = nr;
}
