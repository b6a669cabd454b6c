// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM_SET_USER_MEMORY_REGION_LIST and KVM_GET_MAPPED_LOG: what each refuses, and that
 * then nothing has changed; where dirty bits go; and that vCPUs that write all the time
 * lose nothing and never leave while slots are cut and joined under them.
 *
 *	test_region_list ROUNDS
 */
#include <errno.h>
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

#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/writers.h"

#define PAGES		4096UL			/* 16 MiB */
#define SIZE		(PAGES * 4096)
#define GPA		WRITERS_GPA
#define HOLE		1000UL			/* first page of what is cut out */
#define HOLE_PAGES	500UL
#define LOG		KVM_MEM_LOG_DIRTY_PAGES

static int vm;
static uint8_t *memory;

static int set_list(const struct kvm_user_memory_region_op *ops, unsigned int n, uint64_t *bad)
{
	struct kvm_user_memory_region_list list = { .nent = n, .entries = (uintptr_t)ops };
	int r = ioctl(vm, KVM_SET_USER_MEMORY_REGION_LIST, &list) ? errno : 0;

	*bad = list.reserved[0];
	return r;
}

static struct kvm_user_memory_region_op region(uint32_t op, uint32_t slot, uint64_t page,
					       uint64_t pages, uint32_t flags)
{
	return (struct kvm_user_memory_region_op) {
		.op = op, .slot = slot, .flags = flags, .guest_phys_addr = GPA + page * 4096,
		.memory_size = pages * 4096, .userspace_addr = (uintptr_t)memory + page * 4096,
	};
}

/* Slot 1 as a whole, or as 1, 2, 3 with slot 2 where the hole is. */
static int cut(uint64_t *bitmap)
{
	struct kvm_user_memory_region_op ops[] = {
		region(KVM_REGION_DELETE, 1, 0, 0, 0),
		region(KVM_REGION_CREATE, 2, HOLE, HOLE_PAGES, LOG),
		region(KVM_REGION_CREATE, 3, HOLE + HOLE_PAGES, PAGES - HOLE - HOLE_PAGES, LOG),
		region(KVM_REGION_CREATE, 4, 0, HOLE, LOG),
	};
	uint64_t bad;

	ops[0].dirty_bitmap = (uintptr_t)bitmap;
	return set_list(ops, 4, &bad);
}

static int join(uint64_t *bitmap)
{
	struct kvm_user_memory_region_op ops[] = {
		region(KVM_REGION_CREATE, 1, 0, PAGES, LOG),
		region(KVM_REGION_DELETE, 2, 0, 0, 0),
		region(KVM_REGION_DELETE, 3, 0, 0, 0),
		region(KVM_REGION_DELETE, 4, 0, 0, 0),
	};
	uint64_t bad;

	ops[1].dirty_bitmap = (uintptr_t)bitmap;
	return set_list(ops, 4, &bad);
}

static int get_log(unsigned int slot, uint64_t *bitmap, unsigned long cmd)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	return ioctl(vm, cmd, &log) ? errno : 0;
}

static unsigned int count(const uint64_t *bitmap, unsigned long pages)
{
	unsigned int n = 0;

	for (unsigned long i = 0; i < pages; i++)
		n += bitmap[i / 64] >> i % 64 & 1;
	return n;
}

static bool has(const uint64_t *bitmap, unsigned long page)
{
	return bitmap[page / 64] >> page % 64 & 1;
}

/* One list that is refused; slot 1 must be as it was. */
static void refused(const char *what, const struct kvm_user_memory_region_op *ops, unsigned int n,
		    int want, uint64_t want_bad)
{
	static uint64_t bitmap[PAGES / 64];
	uint64_t bad;

	test_errno(set_list(ops, n, &bad), want, "%s", what);
	test_eq((long long)bad, (long long)want_bad, "%s: index", what);
	test_errno(get_log(1, bitmap, KVM_GET_DIRTY_LOG), 0, "%s: slot 1 is there", what);
	test_errno(get_log(2, bitmap, KVM_GET_DIRTY_LOG), ENOENT, "%s: slot 2 is not", what);
}

static void refusals(void)
{
	const struct kvm_user_memory_region_op good = region(KVM_REGION_CREATE, 2, PAGES, 16, 0);
	struct kvm_user_memory_region_op ops[3] = { good };
	struct kvm_user_memory_region_list list = { .nent = 1, .entries = (uintptr_t)ops };
	uint64_t bad;

#define REFUSE(name, err, ...)							\
	do {									\
		ops[1] = region(KVM_REGION_CREATE, 3, PAGES + 64, 16, 0);	\
		__VA_ARGS__;							\
		refused(name, ops, 2, err, 1);					\
	} while (0)

	REFUSE("unknown operation", EINVAL, ops[1].op = 4);
	REFUSE("pad", EINVAL, ops[1].pad = 1);
	REFUSE("reserved", EINVAL, ops[1].reserved[1] = 1);
	REFUSE("unknown flag", EINVAL, ops[1].flags = 1 << 5);
	REFUSE("slot number too large", EINVAL, ops[1].slot = 0xffff);
	REFUSE("no such address space", EINVAL, ops[1].slot |= 7 << 16);
	REFUSE("another address space", EXDEV, ops[1].slot |= 1 << 16);
	REFUSE("no size", EINVAL, ops[1].memory_size = 0);
	REFUSE("size not aligned", EINVAL, ops[1].memory_size = 0x1800);
	REFUSE("gpa not aligned", EINVAL, ops[1].guest_phys_addr |= 0x10);
	REFUSE("hva not aligned", EINVAL, ops[1].userspace_addr |= 0x10);
	REFUSE("gpa beyond what the CPU has", EINVAL, ops[1].guest_phys_addr = 1ULL << 52);
	REFUSE("guest_memfd", EINVAL, ops[1].flags = 1 << 2);
	REFUSE("gpa wraps", EINVAL, ops[1].guest_phys_addr = -0x1000ULL);
	REFUSE("hva of the kernel", EINVAL, ops[1].userspace_addr = 1ULL << 63);
	REFUSE("a bitmap for what is created", EINVAL, ops[1].dirty_bitmap = (uintptr_t)&bad);
	REFUSE("create a slot that exists", EBUSY, ops[1].slot = 1);
	REFUSE("a slot twice", EALREADY, ops[1].slot = 2);
	REFUSE("overlaps a slot", EEXIST, ops[1].guest_phys_addr = GPA + SIZE - 4096);
	REFUSE("overlaps another entry", EEXIST, ops[1].guest_phys_addr = GPA + SIZE + 4096);
	REFUSE("delete what is not there", ENOENT, ops[1].op = KVM_REGION_DELETE);
	REFUSE("move what is not there", ENOENT, ops[1].op = KVM_REGION_MOVE);
	REFUSE("flags of what is not there", ENOENT, ops[1].op = KVM_REGION_FLAGS);
	REFUSE("a bad bitmap", EFAULT, ops[1] = region(KVM_REGION_DELETE, 1, 0, 0, 0);
	       ops[1].dirty_bitmap = 8);
	REFUSE("a bitmap of a slot without log", ESTALE,
	       ops[1] = region(KVM_REGION_DELETE, 0, 0, 0, 0); ops[1].dirty_bitmap = (uintptr_t)&bad);
	REFUSE("move to where it is", ESTALE, ops[1] = region(KVM_REGION_MOVE, 1, 0, PAGES, LOG));
	REFUSE("move another size", ESTALE,
	       ops[1] = region(KVM_REGION_MOVE, 1, 0, PAGES - 1, LOG));
	REFUSE("move another hva", ESTALE, ops[1] = region(KVM_REGION_MOVE, 1, 0, PAGES, LOG);
	       ops[1].userspace_addr += 4096; ops[1].guest_phys_addr += 2 * SIZE);
	REFUSE("move and other flags", ESTALE, ops[1] = region(KVM_REGION_MOVE, 1, 0, PAGES, 0);
	       ops[1].guest_phys_addr += 2 * SIZE);
	REFUSE("flags as they are", ESTALE, ops[1] = region(KVM_REGION_FLAGS, 1, 0, PAGES, LOG));
	REFUSE("flags and a move", ESTALE, ops[1] = region(KVM_REGION_FLAGS, 1, 0, PAGES, 0);
	       ops[1].guest_phys_addr += 2 * SIZE);
	REFUSE("flags: read-only", ESTALE,
	       ops[1] = region(KVM_REGION_FLAGS, 1, 0, PAGES, LOG | KVM_MEM_READONLY));

	list.flags = 1;
	test_errno(ioctl(vm, KVM_SET_USER_MEMORY_REGION_LIST, &list) ? errno : 0, EINVAL, "flags");
	list.flags = 0;
	list.reserved[1] = 1;
	test_errno(ioctl(vm, KVM_SET_USER_MEMORY_REGION_LIST, &list) ? errno : 0, EINVAL, "reserved");
	list.reserved[1] = 0;
	list.nent = 1 << 20;
	test_errno(ioctl(vm, KVM_SET_USER_MEMORY_REGION_LIST, &list) ? errno : 0, E2BIG,
		   "too many entries");
	list.nent = 2;
	list.entries = 8;
	test_errno(ioctl(vm, KVM_SET_USER_MEMORY_REGION_LIST, &list) ? errno : 0, EFAULT,
		   "entries that cannot be read");
	test_errno(ioctl(vm, KVM_SET_USER_MEMORY_REGION_LIST, 8) ? errno : 0, EFAULT,
		   "a list that cannot be read");
	test_errno(set_list(ops, 0, &bad), 0, "an empty list changes nothing");

	test_errno(get_log(1, (uint64_t *)8, KVM_GET_MAPPED_LOG), EFAULT, "mapped log: bad bitmap");
	test_errno(get_log(9, &bad, KVM_GET_MAPPED_LOG), ENOENT, "mapped log: no such slot");
	test_errno(get_log(0xffff, &bad, KVM_GET_MAPPED_LOG), EINVAL, "mapped log: slot number");
	test_errno(get_log(7 << 16, &bad, KVM_GET_MAPPED_LOG), EINVAL,
		   "mapped log: address space");
}

/* The writers have written everywhere and are held. */
static void bits_and_pages(void)
{
	static uint64_t all[PAGES / 64], part[PAGES / 64], rest[PAGES / 64];
	struct kvm_user_memory_region_op ops[] = {
		region(KVM_REGION_DELETE, 1, 0, 0, 0),
		region(KVM_REGION_CREATE, 2, 0, HOLE, LOG),
		region(KVM_REGION_CREATE, 3, HOLE, HOLE_PAGES, 0),
	};
	unsigned int dirty, wrong = 0, untouched = 0;
	uint64_t bad;

	test_errno(get_log(1, all, KVM_GET_MAPPED_LOG), 0, "mapped log");
	for (unsigned long i = 0; i < PAGES; i++) {
		const bool written = memcmp(memory + i * 4096, (uint64_t[WRITERS]) { 0 },
					    WRITERS_BYTES);

		wrong += written && !has(all, i);
		untouched += !written && has(all, i);
	}
	test_eq(wrong, 0, "mapped log: the pages that were written");
	/* A vCPU may be held between the fault and the store. */
	test_ok(untouched <= WRITERS, "mapped log: and no others");
	dirty = count(all, PAGES);

	ops[0].dirty_bitmap = (uintptr_t)rest;
	memset(rest, 0xff, sizeof(rest));
	test_errno(set_list(ops, 3, &bad), 0, "cut a slot: one part logged, one not, one gone");
	test_errno(get_log(2, part, KVM_GET_MAPPED_LOG), 0, "mapped log of the new slot");
	test_eq(count(part, HOLE), 0, "is empty");
	test_errno(get_log(2, part, KVM_GET_DIRTY_LOG), 0, "dirty log of the new slot");
	test_errno(get_log(3, part, KVM_GET_DIRTY_LOG), ENOENT, "the other part has none");
	wrong = 0;
	for (unsigned long i = 0; i < PAGES; i++)
		wrong += i < HOLE ? has(part, i) != has(all, i) || has(rest, i) :
			 has(rest, i) != has(all, i);
	test_eq(wrong, 0, "each dirty bit is in the new slot's log or in the caller's");
	test_eq(count(part, HOLE) + count(rest, PAGES), dirty, "all of them");

	ops[0] = region(KVM_REGION_DELETE, 2, 0, 0, 0);
	ops[1] = region(KVM_REGION_DELETE, 3, 0, 0, 0);
	ops[2] = region(KVM_REGION_CREATE, 1, 0, PAGES, LOG);
	test_errno(set_list(ops, 3, &bad), 0, "one slot again");
	ops[0] = region(KVM_REGION_FLAGS, 1, 0, PAGES, 0);
	test_errno(set_list(ops, 1, &bad), 0, "its log off");
	test_errno(get_log(1, part, KVM_GET_DIRTY_LOG), ENOENT, "it has none now");
	ops[0] = region(KVM_REGION_MOVE, 1, 0, PAGES, 0);
	ops[0].guest_phys_addr += 2 * SIZE;
	test_errno(set_list(ops, 1, &bad), 0, "move it");
	ops[1] = region(KVM_REGION_CREATE, 2, 0, PAGES, 0);
	test_errno(set_list(&ops[1], 1, &bad), 0, "its place is free");
	/* Two slots change places. */
	ops[0].guest_phys_addr -= 2 * SIZE;
	ops[1] = region(KVM_REGION_MOVE, 2, 0, PAGES, 0);
	ops[1].guest_phys_addr += 2 * SIZE;
	test_errno(set_list(ops, 2, &bad), 0, "two slots change places");
	ops[0] = region(KVM_REGION_FLAGS, 1, 0, PAGES, LOG);
	ops[1] = region(KVM_REGION_DELETE, 2, 0, 0, 0);
	test_errno(set_list(ops, 2, &bad), 0, "log on, and the other deleted");
}

/* A binding lives on where one slot has all of its host range. */
static void bindings(void)
{
	struct kvm_dma_buf bind = {
		.guest_phys_addr = GPA + 2 * SIZE,
		.size = 0x10000,
		.dmabuf_fd = buffer_heap("system-wc", 0x40000),
	};
	struct kvm_memtype memtype = { .guest_phys_addr = GPA + 2 * SIZE };
	uint8_t *window = buffer_map(bind.dmabuf_fd, 0x40000, 0);
	struct kvm_user_memory_region_op whole = {
		.op = KVM_REGION_CREATE, .slot = 5, .guest_phys_addr = GPA + 2 * SIZE,
		.memory_size = 0x40000, .userspace_addr = (uintptr_t)window,
	};
	struct kvm_user_memory_region_op ops[3] = { whole, whole, whole };
	uint64_t bad;

	test_errno(set_list(ops, 1, &bad), 0, "a slot with a buffer");
	test_assert(!ioctl(vm, KVM_SET_DMA_BUF, &bind));
	bind.guest_phys_addr += 0x20000;
	bind.dmabuf_offset = 0x20000;
	test_assert(!ioctl(vm, KVM_SET_DMA_BUF, &bind));

	/* Cut in the middle of the second binding. */
	ops[0].op = KVM_REGION_DELETE;
	ops[1].slot = 6;
	ops[1].memory_size = 0x28000;
	ops[2].slot = 7;
	ops[2].guest_phys_addr += 0x28000;
	ops[2].userspace_addr += 0x28000;
	ops[2].memory_size = 0x18000;
	test_errno(set_list(ops, 3, &bad), 0, "cut it");
	test_assert(!ioctl(vm, KVM_GET_MEMTYPE, &memtype));
	test_ok(memtype.flags & KVM_MEMTYPE_BOUND, "the first binding is in the new slot");
	memtype.guest_phys_addr += 0x20000;
	test_assert(!ioctl(vm, KVM_GET_MEMTYPE, &memtype));
	test_ok(!(memtype.flags & KVM_MEMTYPE_BOUND), "the one that was cut through has ended");
	ops[0].slot = 7;
	test_errno(set_list(ops, 1, &bad), 0, "delete the second slot");
	ops[0].slot = 6;
	test_errno(set_list(ops, 1, &bad), 0, "delete the first one");
	test_errno(set_list(&whole, 1, &bad), 0, "create it anew");
	memtype.guest_phys_addr = GPA + 2 * SIZE;
	test_assert(!ioctl(vm, KVM_GET_MEMTYPE, &memtype));
	test_ok(!(memtype.flags & KVM_MEMTYPE_BOUND), "it has no binding");
	ops[0].slot = 5;
	test_errno(set_list(ops, 1, &bad), 0, "and goes");
	munmap(window, 0x40000);
	close(bind.dmabuf_fd);
}

/* Slots are cut and joined under the writers; a copy is kept from the log. */
static void under_fire(unsigned long rounds)
{
	static uint64_t log[4][PAGES / 64], rest[PAGES / 64];
	const struct { unsigned int slot; unsigned long first, pages; } part[] = {
		{ 1, 0, PAGES }, { 2, HOLE, HOLE_PAGES },
		{ 3, HOLE + HOLE_PAGES, PAGES - HOLE - HOLE_PAGES }, { 4, 0, HOLE },
	};
	uint8_t *copy = malloc(SIZE);
	unsigned int lost = 0, kept = 0, wrong = 0;
	unsigned long logged = 0;

	test_assert(copy);
	/* From here on, all that changes must be in a log. */
	get_log(1, log[0], KVM_GET_DIRTY_LOG);
	memcpy(copy, memory, SIZE);
	writers_release();
	for (unsigned long round = 0; round < rounds && !lost && !wrong; round++) {
		writers_wait(50);
		wrong += cut(rest);
		kept += count(rest, PAGES);
		writers_wait(50);
		if (round % 2) {
			wrong += join(rest);
			kept += count(rest, HOLE_PAGES);
		}
		writers_hold();
		for (unsigned int i = 0; i < 4; i++) {
			memset(log[i], 0, sizeof(log[i]));
			if (!get_log(part[i].slot, log[i], KVM_GET_DIRTY_LOG))
				logged += count(log[i], part[i].pages);
			for (unsigned long page = 0; page < part[i].pages; page++)
				if (has(log[i], page))
					memcpy(copy + (part[i].first + page) * 4096,
					       memory + (part[i].first + page) * 4096,
					       WRITERS_BYTES);
		}
		for (unsigned long page = 0; page < PAGES; page++)
			lost += !!memcmp(copy + page * 4096, memory + page * 4096, WRITERS_BYTES);
		lost += writers_lost(memory);
		if (!(round % 2))
			wrong += join(rest);
		writers_release();
	}
	test_eq((long long)wrong, 0, "every list was accepted");
	test_eq((long long)lost, 0, "no write is missing in the logs of %lu rounds", rounds);
	test_eq((long long)kept, 0, "no bit was left over: every page was covered");
	test_ok(logged > rounds, "%lu pages were logged", logged);
	free(copy);
}

/* What a VMM had to do before: the guest meets the gap, or a write meets no log. */
static void by_single_calls(void)
{
	unsigned long before = writers_exits();
	unsigned int tries;

	for (tries = 0; tries < 1000 && writers_exits() == before; tries++) {
		test_assert(!writers_slot(1, 0, 0, NULL, 0));
		test_assert(!writers_slot(4, GPA, HOLE * 4096, memory, LOG));
		test_assert(!writers_slot(2, GPA + HOLE * 4096, HOLE_PAGES * 4096,
					  memory + HOLE * 4096, LOG));
		writers_wait(50);
		test_assert(!writers_slot(4, 0, 0, NULL, 0));
		test_assert(!writers_slot(2, 0, 0, NULL, 0));
		test_assert(!writers_slot(1, GPA, SIZE, memory, LOG));
	}
	test_ok(writers_exits() > before, "by single calls a vCPU leaves for a gap, here in try %u",
		tries);
}

int main(int argc, char **argv)
{
	const unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;

	vm = writers_create(0);
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(memory != MAP_FAILED);
	test_assert(!madvise(memory, SIZE, MADV_NOHUGEPAGE));
	test_assert(!writers_slot(1, GPA, SIZE, memory, LOG));
	refusals();
	writers_start(PAGES - 1);
	writers_wait(PAGES);
	writers_hold();
	bits_and_pages();
	bindings();
	under_fire(rounds);
	test_eq((long long)writers_exits(), 0, "no vCPU left for another reason than a signal");
	by_single_calls();
	writers_end();
	for (unsigned int i = 0; i < WRITERS; i++)
		test_ok(writers_stores(i) > rounds, "vCPU %u stored %llu times", i,
			(unsigned long long)writers_stores(i));
	return test_end();
}
