// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM_WRITE_PROTECT_ALL_MEM while several vCPUs write: no page is lost. A copy of the
 * memory is kept up to date from the log alone, as a migration does it; whenever the
 * vCPUs are held, every page that the log does not name must be as in the copy.
 *
 *	test_protect_all_race ROUNDS [nested]
 *
 * nested: the first vCPU writes as a nested guest.
 */
#include <linux/kvm.h>
#include <linux/kvm_dmabuf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "lib/writers.h"

#define PAGES		1024UL			/* two 2 MiB regions */
#define SIZE		(PAGES * 4096)
#define SLOT		1

static int vm;
static uint8_t *memory, *copy;
static uint64_t bitmap[PAGES / 64];

static unsigned int take_log(void)
{
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };
	unsigned int n = 0;

	test_assert(!ioctl(vm, KVM_GET_DIRTY_LOG, &log));
	for (unsigned int i = 0; i < PAGES / 64; i++)
		n += (unsigned int)__builtin_popcountll(bitmap[i]);
	return n;
}

static bool is_logged(unsigned int page)
{
	return bitmap[page / 64] >> page % 64 & 1;
}

/* What the log names goes into the copy, after everything was protected. */
static void protect_and_copy(void)
{
	test_assert(!ioctl(vm, KVM_WRITE_PROTECT_ALL_MEM, 0));
	for (unsigned int page = 0; page < PAGES; page++)
		if (is_logged(page))
			memcpy(copy + page * 4096, memory + page * 4096, WRITERS_BYTES);
}

/* With the vCPUs held: pages that are neither logged nor as in the copy. */
static unsigned int lost_pages(void)
{
	unsigned int lost = 0;

	for (unsigned int page = 0; page < PAGES; page++) {
		if (is_logged(page) || !memcmp(copy + page * 4096, memory + page * 4096, WRITERS_BYTES))
			continue;
		if (!lost++)
			test_note("page %u holds %llu, its copy %llu", page,
				  *(unsigned long long *)(memory + page * 4096),
				  *(unsigned long long *)(copy + page * 4096));
	}
	return lost;
}

int main(int argc, char **argv)
{
	const unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
	unsigned long lost = 0, logged = 0;

	vm = writers_create(0);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	copy = calloc(1, SIZE);
	test_assert(memory != MAP_FAILED && copy);
	test_assert(!writers_slot(SLOT, WRITERS_GPA, SIZE, memory, KVM_MEM_LOG_DIRTY_PAGES));
	if (argc > 2 && !strcmp(argv[2], "nested"))
		writers_nest(0);
	writers_start(PAGES - 1);
	for (unsigned long round = 0; round < rounds && !lost; round++) {
		/* Written while it is taken, protected, copied; … */
		for (unsigned int n = round % 4; n; n--) {
			logged += take_log();
			protect_and_copy();
			writers_wait(20);
		}
		/* … and then looked at. */
		writers_hold();
		logged += take_log();
		lost += lost_pages();
		protect_and_copy();
		writers_release();
		writers_wait(50);
	}
	writers_end();
	for (unsigned int i = 0; i < WRITERS; i++)
		test_ok(writers_stores(i) > rounds, "vCPU %u stored %llu times in %lu rounds", i,
			(unsigned long long)writers_stores(i), rounds);
	test_eq((long long)writers_exits(), 0, "vCPUs left for signals alone");
	test_note("%lu pages logged", logged);
	test_ok(logged > rounds, "pages were logged");
	test_eq((long long)lost, 0, "no page is lost in %lu rounds", rounds);
	return test_end();
}
