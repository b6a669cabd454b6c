// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mode=steady: write ram=SIZE once, then set=SIZE of it again and again at a steady
 * rate: every tick=NS of the timer rate=N pages, and a `+` on the serial line, so that
 * who listens knows when the guest ran and how much it wrote. In between the CPU
 * halts. `v` on the serial line ends it with a verification of all that was written.
 *
 * random=N: of 8 cache lines of a page, N hold random words (8).
 */
#include "cpu.h"
#include "pattern.h"
#include "payload.h"

struct steady {
	uint64_t start;		/* gpa */
	uint64_t pages;		/* all of them */
	uint64_t set;		/* those that are written again and again, from the start */
	uint64_t image_sum;
};

/* Pages of the set written so far; volatile, so that memory has each step before the next. */
static volatile uint64_t written;

/* @in_register: written, as the CPU has it; memory can be stale. */
static uint64_t verify(const struct steady *s, uint64_t in_register)
{
	struct progress set = { .nr_pages = s->set };
	uint64_t mismatches = 0, bad, p;
	unsigned int reports = 0;

	if (written != in_register) {
		print("mismatch counter: memory holds %llu, register: %llu\n",
		      (unsigned long long)written, (unsigned long long)in_register);
		mismatches += sizeof(written);
	}
	for (p = 0; p < s->pages; p++) {
		bad = page_check(s->start + p * PAGE_SIZE, p >= s->set ? 1 :
				 1 + pattern_generation(&set, in_register, p),
				 reports < PAGE_MAX_REPORTS);
		reports += bad != 0;
		mismatches += bad;
	}
	if (page_sum_image() != s->image_sum) {
		print("mismatch image: its checksum has changed\n");
		mismatches += page_image_size();
	}
	print("\nverified %llu mismatches %llu written %llu\n",
	      (unsigned long long)(s->pages * PAGE_SIZE + page_image_size()),
	      (unsigned long long)mismatches, (unsigned long long)in_register);
	return mismatches;
}

void steady_run(const struct boot_info *info)
{
	uint64_t rate = cmdline_number(info->cmdline, "rate", 1), count = 0, i;
	struct steady s = {
		.start = paging_free_start(),
		.pages = cmdline_number(info->cmdline, "ram", 0) / PAGE_SIZE,
		.set = cmdline_number(info->cmdline, "set", 0) / PAGE_SIZE,
		.image_sum = page_sum_image(),
	};

	if (s.pages > (info->ram_size - s.start) / PAGE_SIZE || s.set > s.pages || !s.set) {
		print("payload: mode=steady wants set= up to ram=, and ram= up to 0x%llx\n",
		      (unsigned long long)(info->ram_size - s.start));
		payload_exit(PAYLOAD_USAGE);
	}
	page_set_random(cmdline_number(info->cmdline, "random", 8));
	for (i = 0; i < s.pages; i++)
		page_write(s.start + i * PAGE_SIZE, 1);
	print("steady: %llu pages, %llu of them again\n", (unsigned long long)s.pages,
	      (unsigned long long)s.set);
	timer_start(cmdline_number(info->cmdline, "tick", 1000000));
	while (console_poll() != 'v') {
		cpu_wait_interrupt();
		for (i = 0; i < rate; i++) {
			page_write(s.start + count % s.set * PAGE_SIZE, 2 + count / s.set);
			written = ++count;
		}
		print("+");
	}
	payload_exit(verify(&s, count) ? PAYLOAD_MISMATCH : PAYLOAD_OK);
}
