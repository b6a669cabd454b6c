// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mode=serve: halt until a character comes in on the serial line, and do what it
 * says: `t` touches every buffer, `q` ends the payload. In between nothing is
 * written, so that a VM can be migrated and asked again.
 *
 * The first pages of a buffer have one PAT type each, the page behind them the one
 * that map_info or bufN= means. A touch finds in each page what the touch before it
 * left (pattern.h: word 0, the number of the touch as generation), leaves its own
 * word, and reads it back. With `mark` the stores and loads of a buffer stand between
 * two magic breaks, and nothing else does.
 */
#include "cpu.h"
#include "pattern.h"
#include "payload.h"

static const enum memtype pat_types[] = { MT_UC, MT_UC_MINUS, MT_WC, MT_WT, MT_WP, MT_WB };

#define NR_TYPES	(sizeof(pat_types) / sizeof(pat_types[0]))
#define NR_PAGES	(NR_TYPES + 1)

static uint64_t touches;
static bool mark;

static void map_buffer(const struct boot_info *info, unsigned int n)
{
	uint64_t gpa = info->window_gpa + info->buffers[n].offset;
	unsigned int p;

	if (info->buffers[n].size < NR_PAGES * PAGE_SIZE) {
		print("payload: mode=serve wants buffers of %d pages: %s has 0x%llx bytes\n",
		      (int)NR_PAGES, info->buffers[n].name,
		      (unsigned long long)info->buffers[n].size);
		payload_exit(PAYLOAD_USAGE);
	}
	for (p = 0; p < NR_TYPES; p++)
		paging_map(gpa + p * PAGE_SIZE, PAGE_SIZE, memtype_pat_index(pat_types[p]));
}

/* How many of the words that the pages hold are not those of touch number @touch? */
static void check(uint64_t gpa, uint64_t touch, const uint64_t *words, unsigned int *wrong)
{
	unsigned int p;

	for (p = 0; p < NR_PAGES; p++)
		wrong[p] += words[p] != pattern_word(gpa + p * PAGE_SIZE, touch, 0);
}

static void touch_pages(uint64_t gpa, unsigned int *wrong)
{
	uint64_t words[NR_PAGES], stores[NR_PAGES];
	volatile uint64_t *page;
	unsigned int p;

	/* First touches cost thousands of instructions in the host, and belong into no trace. */
	for (p = 0; p < NR_PAGES; p++) {
		page = (volatile uint64_t *)(gpa + p * PAGE_SIZE);
		words[p] = *page;
		*page = words[p];
		stores[p] = pattern_word(gpa + p * PAGE_SIZE, touches, 0);
	}
	if (touches > 1)
		check(gpa, touches - 1, words, wrong);

	if (mark) {
		cpu_magic_break();
		/* A translation that the TLB holds would not be walked, and so not be traced. */
		paging_flush();
	}
	for (p = 0; p < NR_PAGES; p++) {
		page = (volatile uint64_t *)(gpa + p * PAGE_SIZE);
		*page = stores[p];
		words[p] = *page;
	}
	if (mark)
		cpu_magic_break();
	check(gpa, touches, words, wrong);
}

static void touch_buffers(const struct boot_info *info)
{
	unsigned int i, p, all = 0;

	touches++;
	for (i = 0; i < info->nr_buffers; i++) {
		uint64_t gpa = info->window_gpa + info->buffers[i].offset;
		unsigned int wrong[NR_PAGES] = { 0 };

		touch_pages(gpa, wrong);
		print("serve %s touch %llu gpa 0x%llx wrong:", info->buffers[i].name,
		      (unsigned long long)touches, (unsigned long long)gpa);
		for (p = 0; p < NR_PAGES; p++) {
			print(" %s %d", memtype_name(p < NR_TYPES ? pat_types[p] :
						     memtype_of_buffer(info, i)), (int)wrong[p]);
			all += wrong[p];
		}
		print("\n");
	}
	print("served %d buffers, wrong words %d\n", (int)info->nr_buffers, (int)all);
}

void serve_run(const struct boot_info *info)
{
	unsigned int i;

	mark = cmdline_has(info->cmdline, "mark");
	for (i = 0; i < info->nr_buffers; i++)
		map_buffer(info, i);
	cpu_wbinvd();
	paging_flush();
	print("serving %d buffers\n", (int)info->nr_buffers);
	for (;;) {
		switch (console_wait()) {
		case 't':
			touch_buffers(info);
			break;
		case 'q':
			payload_exit(PAYLOAD_OK);
		default:
			print("payload: mode=serve knows t and q\n");
			break;
		}
	}
}
