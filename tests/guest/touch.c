// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mode=touch: read and write a few pages of each buffer, and say what was found.
 * With `mark`, the accesses stand between two magic breaks, and nothing else does.
 * pages=N limits the pages touched in each buffer (4): a KVM without dmapat's hooks
 * maps only the first page of what an exporter allocated in one piece. hole=OFFSET
 * reads the window there first, where no buffer is.
 */
#include "cpu.h"
#include "payload.h"

#define TOUCH_WORDS	4	/* in each page touched */
#define TOUCH_PAGES	4	/* spread over the buffer, the first one among them */

static uint64_t touch_pattern(uint64_t gpa, unsigned int i)
{
	return 0xd0a9a700d0a9a700ULL ^ gpa << 8 ^ i;
}

unsigned int touch_buffer(const struct boot_info *info, unsigned int n, uint64_t *first)
{
	uint64_t limit = cmdline_number(info->cmdline, "pages", TOUCH_PAGES);
	uint64_t gpa = info->window_gpa + info->buffers[n].offset;
	uint64_t pages = info->buffers[n].size / PAGE_SIZE;
	uint64_t values[TOUCH_PAGES][TOUCH_WORDS];
	bool mark = cmdline_has(info->cmdline, "mark");
	unsigned int count = TOUCH_PAGES, bad = 0, i, p;
	uint64_t gpas[TOUCH_PAGES];

	if (count > limit)
		count = limit;
	if (count > pages)
		count = pages;
	for (p = 0; p < count; p++)
		gpas[p] = gpa + p * (pages / count) * PAGE_SIZE;

	if (mark) {
		cpu_magic_break();
		/* A translation that the TLB holds would not be walked, and so not be traced. */
		paging_flush();
	}
	*first = *(volatile uint64_t *)gpa;
	for (p = 0; p < count; p++) {
		volatile uint64_t *page = (volatile uint64_t *)gpas[p];

		for (i = 0; i < TOUCH_WORDS; i++)
			page[i] = touch_pattern(gpas[p], i);
		cpu_mfence();
		for (i = 0; i < TOUCH_WORDS; i++)
			values[p][i] = page[i];
	}
	if (mark)
		cpu_magic_break();

	for (p = 0; p < count; p++) {
		for (i = 0; i < TOUCH_WORDS; i++)
			bad += values[p][i] != touch_pattern(gpas[p], i);
	}
	return bad;
}

static void touch_hole(const struct boot_info *info)
{
	uint64_t gpa = info->window_gpa + cmdline_number(info->cmdline, "hole", 0);

	paging_map(gpa & ~(PAGE_SIZE - 1), PAGE_SIZE, memtype_pat_index(MT_WB));
	paging_flush();
	print("hole gpa 0x%llx\n", (unsigned long long)gpa);
	print("hole held 0x%llx\n", (unsigned long long)*(volatile uint64_t *)gpa);
}

void touch_run(const struct boot_info *info)
{
	unsigned int i, bad, all = 0;
	uint64_t gpa, first;

	if (cmdline_value(info->cmdline, "hole"))
		touch_hole(info);
	for (i = 0; i < info->nr_buffers; i++) {
		const struct boot_info_buffer *buf = &info->buffers[i];

		bad = touch_buffer(info, i, &first);
		all += bad;
		gpa = info->window_gpa + buf->offset;
		print("touch %s gpa 0x%llx size 0x%llx pat %s held 0x%llx wrong %d\n", buf->name,
		      (unsigned long long)gpa,
		      (unsigned long long)buf->size,
		      memtype_name(memtype_of_buffer(info, i)), (unsigned long long)first,
		      (int)bad);
	}
	print("touched %d buffers, wrong words %d\n", (int)info->nr_buffers, (int)all);
	payload_exit(all ? PAYLOAD_MISMATCH : PAYLOAD_OK);
}
