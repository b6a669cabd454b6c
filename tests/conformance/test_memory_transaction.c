// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The VMM's transactions of memslots on a real KVM: a hole is punched into logged memory
 * and filled again while two vCPUs write on both sides of it. By a list, and by single
 * calls with the vCPUs stopped: the same slots afterwards, no vCPU leaves for missing
 * memory, no store is lost from memory or from the log.
 *
 *	test_memory_transaction ROUNDS [stock]
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "lib/ktap.h"
#include "lib/writers.h"
#include "vmm/memory_transaction.h"

#define PAGES		4096UL
#define SIZE		(PAGES * 4096)
#define GPA(page)	(WRITERS_GPA + (page) * 4096)
#define MASK		0xc3fUL		/* 0 … 63, 1024 … 1087, 2048 …, 3072 … */
#define HOLE		1100UL
#define HOLE_PAGES	900UL
#define PROBE_SLOT	500U

static int vm;
static uint8_t *memory, *copy;
static struct memory_map map;
static bool running;

static void stop(void *opaque)
{
	(void)opaque;
	if (running)
		writers_hold();
}

static void start(void *opaque)
{
	(void)opaque;
	if (running)
		writers_release();
}

static const struct memory_map_ops ops = { .stop = stop, .start = start };

static void copy_page(void *opaque, uint64_t gpa)
{
	uint64_t page = (gpa - WRITERS_GPA) / 4096;

	(void)opaque;
	if (gpa >= WRITERS_GPA)
		memcpy(copy + page * 4096, memory + page * 4096, WRITERS_BYTES);
}

/* The vCPUs are held: the log of all slots goes into the copy; pages that still differ. */
static unsigned int not_logged(void)
{
	uint64_t bitmap[PAGES / 64 + 1] = { 0 };
	unsigned int n = 0;

	for (unsigned int i = 0; i < map.slots.nr; i++) {
		const struct memory_range *slot = &map.slots.at[i];
		struct kvm_dirty_log log = { .slot = slot->slot, .dirty_bitmap = bitmap };

		test_assert(!ioctl(vm, KVM_GET_DIRTY_LOG, &log));
		for (uint64_t page = 0; page < slot->size / 4096; page++)
			if (bitmap[page / 64] >> page % 64 & 1)
				copy_page(NULL, slot->gpa + page * 4096);
	}
	for (uint64_t page = 0; page < PAGES; page++)
		n += !!memcmp(copy + page * 4096, memory + page * 4096, WRITERS_BYTES);
	return n;
}

/* Has KVM memory there? */
static bool has_page(uint64_t page)
{
	int r = writers_slot(PROBE_SLOT, GPA(page), 4096, memory, 0);

	test_assert(!r || r == EEXIST);
	if (!r)
		test_assert(!writers_slot(PROBE_SLOT, 0, 0, NULL, 0));
	return r;
}

static int change(bool punch)
{
	struct memory_transaction t;
	struct error err = { 0 };
	int r;

	test_assert(!memory_transaction__begin(&t, &map, &err));
	if (punch)
		r = memory_transaction__remove(&t, GPA(HOLE), HOLE_PAGES * 4096, &err);
	else
		r = memory_transaction__add(&t, GPA(HOLE), HOLE_PAGES * 4096, memory + HOLE * 4096,
					    0, &err);
	test_assert(!r);
	r = memory_transaction__commit(&t, copy_page, NULL, &err);
	if (r)
		test_note("%s", err.msg);
	return r;
}

static void rounds(const char *how, unsigned long n)
{
	unsigned int wrong = 0, failed = 0;
	unsigned long lost = 0, unlogged = 0;

	for (unsigned long i = 0; i < n && !lost && !unlogged && !wrong; i++) {
		writers_wait(20);
		failed += !!change(true);
		wrong += !has_page(HOLE - 1) + has_page(HOLE) + has_page(HOLE + HOLE_PAGES - 1) +
			 !has_page(HOLE + HOLE_PAGES) + (map.slots.nr != 3);
		writers_wait(20);
		failed += !!change(false);
		wrong += !has_page(HOLE) + !has_page(HOLE + HOLE_PAGES - 1) + (map.slots.nr != 2);
		writers_wait(20);
		writers_hold();
		lost += writers_lost(memory);
		unlogged += not_logged();
		writers_release();
	}
	test_eq(failed, 0, "%s: all is committed", how);
	test_eq(wrong, 0, "%s: the hole is there, and nothing else is missing", how);
	test_eq((long long)lost, 0, "%s: no store is missing in memory", how);
	test_eq((long long)unlogged, 0, "%s: no store is missing in the log", how);
	test_eq((long long)writers_exits(), 0, "%s: no vCPU missed memory", how);
}

int main(int argc, char **argv)
{
	const unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 0) : 50;
	const bool stock = argc > 2 && !strcmp(argv[2], "stock");
	struct memory_transaction t;

	vm = writers_create(0);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	copy = calloc(1, SIZE);
	test_assert(memory != MAP_FAILED && copy);
	test_assert(!writers_slot(0, 0, 0, NULL, 0));
	memory_map__init(&map, vm, &ops, NULL);
	test_eq(map.lists, !stock, "KVM has lists, or has not");

	test_assert(!memory_transaction__begin(&t, &map, NULL));
	test_assert(!memory_transaction__add(&t, 0, WRITERS_RAM_SIZE, writers_ram(), 0, NULL));
	test_assert(!memory_transaction__add(&t, GPA(0), SIZE, memory, 0, NULL));
	memory_transaction__set_log(&t, true);
	test_assert(!memory_transaction__commit(&t, copy_page, NULL, NULL));
	writers_start(MASK);
	running = true;
	if (map.lists)
		rounds("by a list", n);
	map.lists = false;
	rounds("by single calls", n);
	running = false;
	writers_end();
	memory_map__exit(&map);
	return test_end();
}
