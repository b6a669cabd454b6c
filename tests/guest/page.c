// SPDX-License-Identifier: GPL-2.0-or-later
/* What the modes write and steady leave in pages, and whether it is still there; pattern.h. */
#include "pattern.h"
#include "payload.h"

#define LINE_WORDS	8	/* of a cache line */
#define GROUP_LINES	8	/* of which page_set_random() takes some */

extern const char _image_start[], _image_end[];

static unsigned int random_lines = GROUP_LINES;
static uint64_t words = PAGE_WORDS;

void page_set_random(unsigned int lines)
{
	random_lines = lines;
}

void page_set_words(uint64_t n)
{
	words = n < PAGE_WORDS ? n : PAGE_WORDS;
}

static uint64_t word(uint64_t gpa, uint64_t generation, uint64_t i)
{
	/* The page's first word all over the line: compresses, and yet tells a stale page. */
	if (i / LINE_WORDS % GROUP_LINES >= random_lines)
		i = 0;
	return pattern_word(gpa, generation, i);
}

uint64_t page_sum_image(void)
{
	uint64_t end = (uint64_t)_image_end, sum = 0, p;

	for (p = (uint64_t)_image_start; p < end; p += sizeof(uint64_t))
		sum = pattern_word(p, sum, *(const uint64_t *)p);
	return sum;
}

uint64_t page_image_size(void)
{
	return (uint64_t)_image_end - (uint64_t)_image_start;
}

void page_write(uint64_t gpa, uint64_t generation)
{
	volatile uint64_t *page = (volatile uint64_t *)gpa;
	uint64_t i;

	for (i = 0; i < words; i++)
		page[i] = word(gpa, generation, i);
}

uint64_t page_check(uint64_t gpa, uint64_t generation, bool report)
{
	const volatile uint64_t *page = (const volatile uint64_t *)gpa;
	uint64_t i, diff, bytes = 0, first = PAGE_WORDS, held = 0;

	for (i = 0; i < words; i++) {
		uint64_t found = page[i];

		diff = found ^ word(gpa, generation, i);
		if (diff && first == PAGE_WORDS) {
			first = i;
			held = found;
		}
		for (; diff; diff >>= 8)
			bytes += (diff & 0xff) != 0;
	}
	if (bytes && report)
		print("mismatch gpa 0x%llx generation %llu: word %llu holds 0x%llx, wanted 0x%llx, %llu bytes differ\n",
		      (unsigned long long)gpa, (unsigned long long)generation,
		      (unsigned long long)first, (unsigned long long)held,
		      (unsigned long long)word(gpa, generation, first),
		      (unsigned long long)bytes);
	return bytes;
}
