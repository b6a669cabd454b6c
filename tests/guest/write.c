// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mode=write: write every page of RAM and of the buffers, pass after pass, for
 * ever, and verify all of it when the VM was migrated (the generation port
 * changes) or somebody types `v`. mode=verify: one pass, one verification.
 * pattern.h says what is where.
 *
 * ram=SIZE limits the RAM that is written, words=N each page to its first N words,
 * pace=N spins between two pages, verifies=N ends after N verifications.
 */
#include "cpu.h"
#include "pattern.h"
#include "payload.h"

#define PORT_GENERATION	0xf0
#define POLL_PAGES	16	/* pages between two looks at the ports: each is a VM exit */

/* Volatile, so that each step is in memory when the next one starts. */
static volatile struct progress *const progress = (volatile struct progress *)PROGRESS_GPA;
static uint64_t image_sum;

/* @written is the caller's register: the progress page can be stale, too. */
static uint64_t verify(uint64_t written)
{
	uint64_t mismatches = 0, bytes = 0, index = 0, bad, r, p;
	unsigned int reports = 0;

	cpu_mfence();
	if (progress->written != written) {
		print("mismatch progress page: holds %llu, register: %llu\n",
		      (unsigned long long)progress->written, (unsigned long long)written);
		mismatches += sizeof(progress->written);
	}
	for (r = 0; r < progress->nr_ranges; r++) {
		for (p = 0; p < progress->ranges[r].pages; p++, index++) {
			bad = page_check(progress->ranges[r].gpa + p * PAGE_SIZE,
					 pattern_generation(progress, written, index),
					 reports < PAGE_MAX_REPORTS);
			reports += bad != 0;
			mismatches += bad;
			bytes += PAGE_SIZE;
		}
	}
	bad = page_image_size();
	bytes += bad;
	if (page_sum_image() != image_sum) {
		print("mismatch image: its checksum has changed\n");
		mismatches += bad;
	}
	print("verified %llu mismatches %llu generation %llu migrations %llu\n",
	      (unsigned long long)bytes, (unsigned long long)mismatches,
	      (unsigned long long)pattern_generation(progress, written, 0),
	      (unsigned long long)cpu_inl(PORT_GENERATION));
	return mismatches;
}

static void add_range(uint64_t gpa, uint64_t pages)
{
	if (!pages)
		return;
	progress->ranges[progress->nr_ranges++] = (struct progress_range) { gpa, pages };
	progress->nr_pages += pages;
}

static void plan(const struct boot_info *info)
{
	uint64_t start = paging_free_start(), size = info->ram_size - start;
	uint64_t limit = cmdline_number(info->cmdline, "ram", size);
	unsigned int i;

	progress->nr_ranges = 0;
	progress->nr_pages = 0;
	add_range(start, (limit < size ? limit : size) / PAGE_SIZE);
	for (i = 0; i < info->nr_buffers; i++)
		add_range(info->window_gpa + info->buffers[i].offset,
			  info->buffers[i].size / PAGE_SIZE);
	progress->written = 0;
	progress->magic = PROGRESS_MAGIC;
	image_sum = page_sum_image();
}

static void spin(uint64_t n)
{
	while (n--)
		cpu_pause();
}

struct watch {
	uint32_t migrations;
	uint64_t left;		/* verifications until the end; 0: there is none */
	bool bad;
};

static void look(struct watch *watch, uint64_t written)
{
	uint32_t migrations = cpu_inl(PORT_GENERATION);
	bool asked = console_poll() == 'v';

	if (!asked && migrations == watch->migrations)
		return;
	watch->migrations = migrations;
	watch->bad |= verify(written) != 0;
	if (watch->left && --watch->left == 0)
		payload_exit(watch->bad ? PAYLOAD_MISMATCH : PAYLOAD_OK);
}

/* One pass over all pages. */
static void pass(uint64_t generation, uint64_t pace, struct watch *watch)
{
	uint64_t written = (generation - 1) * progress->nr_pages, r, p;

	for (r = 0; r < progress->nr_ranges; r++) {
		for (p = 0; p < progress->ranges[r].pages; p++) {
			page_write(progress->ranges[r].gpa + p * PAGE_SIZE, generation);
			progress->written = ++written;
			spin(pace);
			if (watch && written % POLL_PAGES == 0)
				look(watch, written);
		}
	}
}

void write_run(const struct boot_info *info, bool forever)
{
	uint64_t pace = cmdline_number(info->cmdline, "pace", 0), generation;
	struct watch watch = {
		.migrations = cpu_inl(PORT_GENERATION),
		.left = cmdline_number(info->cmdline, "verifies", 0),
	};

	plan(info);
	page_set_words(cmdline_number(info->cmdline, "words", PAGE_WORDS));
	/* The first pass has no generation before it to compare with. */
	pass(1, 0, NULL);
	print("writing %llu pages of RAM and %d buffers\n",
	      (unsigned long long)progress->nr_pages, (int)info->nr_buffers);
	if (!forever)
		payload_exit(verify(progress->nr_pages) ? PAYLOAD_MISMATCH : PAYLOAD_OK);
	for (generation = 2;; generation++)
		pass(generation, pace, &watch);
}
