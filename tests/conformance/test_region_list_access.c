// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM's own use of guest memory while KVM_SET_USER_MEMORY_REGION_LIST cuts and joins all
 * slots: it emulates every store of two vCPUs, and for that walks their page tables and
 * reads their code, all in slots that go and come back. No access may fail, and every
 * store must be in a dirty log: bitmaps, or rings. Where KVM has nested guests, one of the
 * vCPUs can be one, whose second-stage tables are in such a slot, too.
 *
 *	test_region_list_access ROUNDS [RING ENTRIES [nested]]
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_dmabuf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "lib/ktap.h"
#include "lib/writers.h"

#define PAGES		256UL
#define SIZE		(PAGES * 4096)
#define HOLE		100UL		/* first page of the second half */
#define RAM_HOLE	3UL		/* between two levels of the page tables */
#define RAM_PAGES	(WRITERS_RAM_SIZE / 4096)
#define LOG		KVM_MEM_LOG_DIRTY_PAGES

/* Whole: 0 and 1. Cut: 2 to 5. */
static const struct {
	bool ram;
	uint64_t first, pages;
} parts[] = {
	{ true, 0, RAM_PAGES }, { false, 0, PAGES },
	{ true, 0, RAM_HOLE }, { true, RAM_HOLE, RAM_PAGES - RAM_HOLE },
	{ false, 0, HOLE }, { false, HOLE, PAGES - HOLE },
};

#define WHOLE		2U
#define PARTS		6U

static int vm;
static uint8_t *memory, *copy;
static bool dirty[PAGES];
static unsigned long logged;
static bool cut;

static struct kvm_user_memory_region_op part(unsigned int slot, bool create)
{
	uint8_t *base = parts[slot].ram ? writers_ram() : memory;
	struct kvm_user_memory_region_op op = {
		.op = create ? KVM_REGION_CREATE : KVM_REGION_DELETE, .slot = slot,
		.guest_phys_addr = (parts[slot].ram ? 0 : WRITERS_GPA) + parts[slot].first * 4096,
		.memory_size = parts[slot].pages * 4096,
		.userspace_addr = (uintptr_t)base + parts[slot].first * 4096,
		.flags = parts[slot].ram ? 0 : LOG,
	};

	return op;
}

/* All slots as they are go, all others come. */
static int change(void)
{
	struct kvm_user_memory_region_op ops[PARTS];
	struct kvm_user_memory_region_list list = { .nent = PARTS, .entries = (uintptr_t)ops };

	for (unsigned int i = 0; i < PARTS; i++)
		ops[i] = part(i, cut == (i < WHOLE));
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION_LIST, &list))
		return errno;
	cut = !cut;
	return 0;
}

/* The number of a slot that may be gone by now. */
static void take_page(uint32_t slot, uint64_t page)
{
	test_assert(slot < PARTS && !parts[slot].ram && page < parts[slot].pages);
	dirty[parts[slot].first + page] = true;
	logged++;
}

static void take_bitmaps(void)
{
	for (unsigned int i = 0; i < PARTS; i++) {
		uint64_t bitmap[PAGES / 64 + 1] = { 0 };
		struct kvm_dirty_log log = { .slot = i, .dirty_bitmap = bitmap };
		bool whole = i < WHOLE;

		if (parts[i].ram || cut == whole)
			continue;
		test_assert(!ioctl(vm, KVM_GET_DIRTY_LOG, &log));
		for (uint64_t page = 0; page < parts[i].pages; page++)
			if (bitmap[page / 64] >> page % 64 & 1)
				take_page(i, page);
	}
}

/* The vCPUs are held. What the log names goes into the copy, which then is what there is. */
static unsigned int lost_pages(bool ring)
{
	unsigned int lost = 0;

	memset(dirty, 0, sizeof(dirty));
	if (ring)
		writers_harvest(take_page);
	else
		take_bitmaps();
	for (uint64_t page = 0; page < PAGES; page++) {
		if (dirty[page])
			memcpy(copy + page * 4096, memory + page * 4096, WRITERS_BYTES);
		lost += !!memcmp(copy + page * 4096, memory + page * 4096, WRITERS_BYTES);
	}
	return lost;
}

int main(int argc, char **argv)
{
	const unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 100;
	const uint32_t ring = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	unsigned int lost = 0, refused = 0;

	vm = writers_create(ring);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	copy = calloc(1, SIZE);
	test_assert(memory != MAP_FAILED && copy);
	test_assert(!writers_slot(1, WRITERS_GPA, SIZE, memory, LOG));
	if (argc > 3 && !strcmp(argv[3], "nested"))
		writers_nest(0);
	writers_start_moves(PAGES - 1);
	for (unsigned long round = 0; round < rounds && !lost && !writers_exits(); round++) {
		for (unsigned int i = 0; i < 3; i++) {
			writers_wait(3);
			refused += !!change();
		}
		writers_hold();
		lost += lost_pages(ring);
		writers_release();
	}
	writers_end();
	test_eq((long long)refused, 0, "every list was accepted");
	test_eq((long long)writers_exits(), 0, "no access of KVM's failed");
	test_eq((long long)lost, 0, "no store of KVM's is missing in the logs of %lu rounds", rounds);
	test_ok(logged > rounds, "%lu pages were logged", logged);
	for (unsigned int i = 0; i < WRITERS; i++)
		test_ok(writers_stores(i) > rounds, "vCPU %u had %llu stores made", i,
			(unsigned long long)writers_stores(i));
	return test_end();
}
