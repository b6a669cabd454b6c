// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hole is punched into a logged slot of 1 GiB, another slot put there, and the whole
 * made one slot again, while two vCPUs write across it. By KVM_SET_USER_MEMORY_REGION_LIST
 * no vCPU leaves the guest, no store is lost, neither from memory nor from the log, and a
 * list takes two swaps of the memslots at most. By single calls all of that happens.
 *
 *	test_region_list_hole SECONDS
 *	test_region_list_hole HOLESx		lists alone: emulators with one CPU take ages
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/kvm_dmabuf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "lib/process.h"
#include "lib/writers.h"

#define PAGES		(1UL << 18)		/* 1 GiB */
#define SIZE		(PAGES * 4096)
#define GPA		WRITERS_GPA
#define HOLE		(PAGES / 4 + 5)		/* first page of the hole */
#define HOLE_PAGES	(PAGES / 2)
#define LOG		KVM_MEM_LOG_DIRTY_PAGES
#define MASK		0x3f03fUL		/* 4096 pages in all of it, inside and out */

#define TRACING		"/sys/kernel/tracing/"

static int vm;
static uint8_t *memory, *copy;
static uint64_t bitmap[PAGES / 64];

/* Slot 1 is the whole; 2, 3 and 4 are what is before the hole, in it, and behind. */
static const struct {
	uint64_t first, pages;
} parts[] = {
	[1] = { 0, PAGES },
	[2] = { 0, HOLE },
	[3] = { HOLE, HOLE_PAGES },
	[4] = { HOLE + HOLE_PAGES, PAGES - HOLE - HOLE_PAGES },
};

#define PARTS		4U

static struct kvm_user_memory_region_op part(unsigned int slot, bool create)
{
	struct kvm_user_memory_region_op op = {
		.op = create ? KVM_REGION_CREATE : KVM_REGION_DELETE, .slot = slot, .flags = LOG,
		.guest_phys_addr = GPA + parts[slot].first * 4096,
		.memory_size = parts[slot].pages * 4096,
		.userspace_addr = (uintptr_t)memory + parts[slot].first * 4096,
	};

	return op;
}

static void by_list(bool punch)
{
	struct kvm_user_memory_region_op ops[PARTS];
	struct kvm_user_memory_region_list list = { .nent = PARTS, .entries = (uintptr_t)ops };

	for (unsigned int i = 0; i < PARTS; i++)
		ops[i] = part(i + 1, punch == (i > 0));
	test_assert(!ioctl(vm, KVM_SET_USER_MEMORY_REGION_LIST, &list));
}

static void set_part(unsigned int slot, bool create)
{
	test_assert(!writers_slot(slot, GPA + parts[slot].first * 4096,
				  create ? parts[slot].pages * 4096 : 0,
				  memory + parts[slot].first * 4096, create ? LOG : 0));
}

/* As a VMM has to: take the log, delete, create. */
static void by_single_calls(bool punch, void (*take)(unsigned int slot))
{
	for (unsigned int slot = 1; slot <= PARTS; slot++) {
		bool first = slot == 1;

		if (punch != first)
			continue;
		take(slot);
		set_part(slot, false);
	}
	for (unsigned int slot = 1; slot <= PARTS; slot++) {
		bool first = slot == 1;

		if (punch != first)
			set_part(slot, true);
	}
}

static void take_log(unsigned int slot)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };
	uint64_t at;

	test_assert(!ioctl(vm, KVM_GET_DIRTY_LOG, &log));
	for (uint64_t page = 0; page < parts[slot].pages; page++) {
		if (!(bitmap[page / 64] >> page % 64 & 1))
			continue;
		at = (parts[slot].first + page) * 4096;
		memcpy(copy + at, memory + at, WRITERS_BYTES);
	}
}

/* The vCPUs are held, slot 1 is there, and its log is in the copy: pages that differ. */
static unsigned long not_logged(void)
{
	unsigned long n = 0;

	take_log(1);
	for (uint64_t page = 0; page < PAGES; page++)
		if (!(page & ~MASK))
			n += !!memcmp(copy + page * 4096, memory + page * 4096, WRITERS_BYTES);
	return n;
}

static void tell(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_APPEND);

	test_assert(fd >= 0);
	test_assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static unsigned long swaps(void)
{
	FILE *f = fopen(TRACING "kprobe_profile", "r");
	unsigned long hits = 0;
	char name[64];
	bool found = false;

	test_assert(f);
	while (!found && fscanf(f, "%63s %lu %*u", name, &hits) == 2)
		found = !strcmp(name, "memslot_swap");
	fclose(f);
	test_assert(found);
	return hits;
}

static void lists(unsigned long n, bool holes)
{
	const int64_t end = process_now_ms() + (int64_t)n * 1000;
	unsigned long done, before, stores = writers_stores(0) + writers_stores(1);

	tell(TRACING "kprobe_events", "p:memslot_swap kvm:kvm_swap_active_memslots\n");
	tell(TRACING "events/kprobes/memslot_swap/enable", "1");
	before = swaps();
	for (done = 0; holes ? done < n : process_now_ms() < end; done++) {
		by_list(true);
		writers_wait(20);
		by_list(false);
		writers_wait(20);
	}
	before = swaps() - before;
	tell(TRACING "events/kprobes/memslot_swap/enable", "0");
	tell(TRACING "kprobe_events", "-:memslot_swap\n");

	writers_hold();
	stores = writers_stores(0) + writers_stores(1) - stores;
	test_note("%lu holes, %lu swaps, %lu stores", done, before, stores);
	test_ok(done && before >= 2 * done && before <= 4 * done,
		"a list takes two swaps at most");
	test_eq((long long)writers_exits(), 0, "no vCPU has left the guest");
	test_eq((long long)writers_lost(memory), 0, "no store is missing in memory");
	test_eq((long long)not_logged(), 0, "no store is missing in the log");
	writers_release();
}

static void single_calls(void)
{
	const unsigned long exits = writers_exits();
	unsigned long lost = 0, unlogged = 0;
	unsigned int tries;

	for (tries = 0; tries < 1000 && (!lost || !unlogged); tries++) {
		by_single_calls(true, take_log);
		writers_wait(20);
		by_single_calls(false, take_log);
		writers_hold();
		lost += writers_lost(memory);
		unlogged += not_logged();
		writers_release();
	}
	test_note("by single calls, %u holes: %lu exits, stores missing in %lu pages, in the log of %lu",
		  tries, writers_exits() - exits, lost, unlogged);
	test_ok(writers_exits() > exits, "by single calls vCPUs leave the guest");
	test_ok(lost, "by single calls stores are lost");
	test_ok(unlogged, "by single calls dirty pages are lost");
}

int main(int argc, char **argv)
{
	const int fd = memfd_create("hole", MFD_CLOEXEC);
	bool holes;

	test_assert(argc == 2 && fd >= 0 && !ftruncate(fd, SIZE));
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	copy = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	test_assert(memory != MAP_FAILED && copy != MAP_FAILED);
	test_assert(!madvise(copy, SIZE, MADV_NOHUGEPAGE));
	vm = writers_create(0);
	test_assert(!writers_slot(1, GPA, SIZE, memory, LOG));
	writers_start(MASK);
	writers_wait(1000);
	holes = strchr(argv[1], 'x');
	lists(strtoul(argv[1], NULL, 0), holes);
	if (!holes)
		single_calls();
	writers_end();
	return test_end();
}
