/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `mode=write` leaves in memory, so that the payload itself or somebody who
 * looks at guest memory from outside can check every byte of it.
 *
 * The pages of all ranges are numbered through, 0 to N-1, in the order of the
 * ranges. Pass g, from 1, writes them in that order with generation g. One counter
 * tells how far it is: when W pages have been written in all, the pages below W % N
 * hold generation W / N + 1, the others the one before, and page W % N itself may be
 * half way between the two. A page that was lost or is stale holds another one.
 */
#ifndef GUEST_PATTERN_H
#define GUEST_PATTERN_H

#include <stdint.h>

#define PROGRESS_GPA		0x100000
#define PROGRESS_MAGIC		0x5353455247504d44ULL	/* "DMPGRESS" */
#define PROGRESS_MAX_RANGES	65	/* RAM and 64 buffers */

struct progress_range {
	uint64_t gpa;
	uint64_t pages;
};

struct progress {
	uint64_t magic;
	uint64_t written;	/* pages written since the start: W */
	uint64_t nr_pages;	/* in all ranges: N */
	uint64_t nr_ranges;
	struct progress_range ranges[PROGRESS_MAX_RANGES];
};

static inline uint64_t pattern_generation(const volatile struct progress *p, uint64_t written,
					  uint64_t index)
{
	return written / p->nr_pages + (index < written % p->nr_pages);
}

/*
 * Word @i of the page at @gpa in generation @generation: an invertible mix of the
 * three (constants of the splitmix64 generator), so that no two pages,
 * generations or places share their content.
 */
static inline uint64_t pattern_word(uint64_t gpa, uint64_t generation, uint64_t i)
{
	uint64_t x = (gpa >> 12) << 40 ^ generation << 9 ^ i;

	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

#endif /* GUEST_PATTERN_H */
