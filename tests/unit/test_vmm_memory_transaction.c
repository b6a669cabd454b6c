// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Transactions of memslots against a KVM that is made here: it has slots, refuses what
 * KVM refuses, and keeps dirty bits. What comes out is compared, page by page, with plain
 * arrays that know no ranges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_dmabuf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/memory_kvm.h"
#include "vmm/memory_transaction.h"

#define PAGES		64U
#define PAGE		4096ULL
#define GPA(page)	(0x100000ULL + (page) * PAGE)
#define MAX_SLOTS	40U
#define LOG		KVM_MEM_LOG_DIRTY_PAGES

/* Two places in host memory; only the addresses count. */
static uint8_t *const host[2] = { (uint8_t *)0x10000000, (uint8_t *)0x20000000 };

static struct kvm {
	bool lists;
	struct memory_range slots[MAX_SLOTS];	/* by number; size 0: there is none */
	bool dirty[MAX_SLOTS][PAGES];
	unsigned int calls, list_calls;
	unsigned int fail_call;			/* this one and all after it up to fail_last */
	unsigned int fail_last;
	unsigned int stopped, stops;
} kvm;

static struct memory_map map;

/* What the guest should see. */
static struct page {
	uint8_t *hva;
	uint32_t flags;
	bool dirty;
} model[PAGES];

static unsigned int told[PAGES];	/* handed over as dirty */

bool memory_kvm__has_lists(int vm_fd)
{
	assert_int_equal(vm_fd, 7);
	return kvm.lists;
}

uint32_t memory_kvm__max_slots(int vm_fd)
{
	assert_int_equal(vm_fd, 7);
	return MAX_SLOTS;
}

static bool fails(void)
{
	kvm.calls++;
	return kvm.calls >= kvm.fail_call && kvm.calls <= kvm.fail_last;
}

static void kvm_delete(uint32_t slot)
{
	assert_true(kvm.slots[slot].size);
	kvm.slots[slot].size = 0;
	memset(kvm.dirty[slot], 0, sizeof(kvm.dirty[slot]));
}

static void kvm_create(uint32_t slot, const struct memory_range *range)
{
	unsigned int i;

	assert_int_equal(kvm.slots[slot].size, 0);
	for (i = 0; i < MAX_SLOTS; i++)
		assert_false(kvm.slots[i].size && range->gpa < kvm.slots[i].gpa + kvm.slots[i].size &&
			     kvm.slots[i].gpa < range->gpa + range->size);
	kvm.slots[slot] = *range;
}

static void kvm_flags(uint32_t slot, const struct memory_range *range)
{
	struct memory_range *old = &kvm.slots[slot];

	assert_true(old->gpa == range->gpa && old->size == range->size && old->hva == range->hva);
	assert_int_equal(old->flags ^ range->flags, LOG);
	old->flags = range->flags;
	if (!(range->flags & LOG))
		memset(kvm.dirty[slot], 0, sizeof(kvm.dirty[slot]));
}

int memory_kvm__set_slot(int vm_fd, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
			 void *hva)
{
	const struct memory_range range = { .gpa = gpa, .size = size, .hva = hva, .flags = flags };

	assert_int_equal(vm_fd, 7);
	assert_false(kvm.lists);
	assert_true(slot < MAX_SLOTS);
	if (fails())
		return -ENOMEM;
	if (!size) {
		/* vCPUs run, as far as KVM knows. Who commits sees to the rest: test_rings_and_stops(). */
		assert_true(kvm.stopped || !(kvm.slots[slot].flags & LOG));
		kvm_delete(slot);
	} else if (kvm.slots[slot].size) {
		kvm_flags(slot, &range);
	} else {
		kvm_create(slot, &range);
	}
	return 0;
}

int memory_kvm__set_list(int vm_fd, const struct kvm_user_memory_region_op *ops, uint32_t nr,
			 uint64_t *bad)
{
	struct memory_range range;
	uint64_t *bitmap, gpa;
	unsigned int i, j, page, to;
	bool *dirty;

	assert_int_equal(vm_fd, 7);
	assert_true(kvm.lists && nr);
	kvm.list_calls++;
	if (fails()) {
		*bad = nr - 1;
		return -EEXIST;
	}
	for (i = 0; i < nr; i++) {
		assert_true(ops[i].slot < MAX_SLOTS);
		for (j = 0; j < i; j++)
			assert_int_not_equal(ops[i].slot, ops[j].slot);
	}

	/* A deleted slot's bits wait in the caller's memory until the others are there. */
	for (i = 0; i < nr; i++) {
		if (ops[i].op != KVM_REGION_DELETE)
			continue;
		bitmap = (uint64_t *)(uintptr_t)ops[i].dirty_bitmap;
		assert_true(!bitmap == !(kvm.slots[ops[i].slot].flags & LOG));
		dirty = kvm.dirty[ops[i].slot];
		for (page = 0; bitmap && page < kvm.slots[ops[i].slot].size / PAGE; page++)
			bitmap[page / 64] |= (uint64_t)dirty[page] << page % 64;
		range = kvm.slots[ops[i].slot];
		kvm_delete(ops[i].slot);
		kvm.slots[ops[i].slot].gpa = range.gpa;
		kvm.slots[ops[i].slot].flags = range.size / PAGE;
	}
	for (i = 0; i < nr; i++) {
		range = (struct memory_range) {
			.gpa = ops[i].guest_phys_addr, .size = ops[i].memory_size,
			.hva = (uint8_t *)(uintptr_t)ops[i].userspace_addr, .flags = ops[i].flags,
		};
		if (ops[i].op == KVM_REGION_CREATE)
			kvm_create(ops[i].slot, &range);
		else if (ops[i].op == KVM_REGION_FLAGS)
			kvm_flags(ops[i].slot, &range);
		else
			assert_int_equal(ops[i].op, KVM_REGION_DELETE);
	}
	for (i = 0; i < nr; i++) {
		bitmap = (uint64_t *)(uintptr_t)ops[i].dirty_bitmap;
		for (page = 0; bitmap && page < kvm.slots[ops[i].slot].flags; page++) {
			gpa = kvm.slots[ops[i].slot].gpa + page * PAGE;
			for (to = 0; to < MAX_SLOTS; to++) {
				if (!(bitmap[page / 64] >> page % 64 & 1) ||
				    gpa - kvm.slots[to].gpa >= kvm.slots[to].size ||
				    !(kvm.slots[to].flags & LOG))
					continue;
				kvm.dirty[to][(gpa - kvm.slots[to].gpa) / PAGE] = true;
				bitmap[page / 64] &= ~(1ULL << page % 64);
			}
		}
	}
	return 0;
}

int memory_kvm__get_log(int vm_fd, uint32_t slot, uint64_t *bitmap)
{
	unsigned int page;

	assert_int_equal(vm_fd, 7);
	assert_true(kvm.slots[slot].flags & LOG);
	for (page = 0; page < kvm.slots[slot].size / PAGE; page++)
		bitmap[page / 64] |= (uint64_t)kvm.dirty[slot][page] << page % 64;
	memset(kvm.dirty[slot], 0, sizeof(kvm.dirty[slot]));
	return 0;
}

static void stop(void *opaque)
{
	assert_ptr_equal(opaque, &map);
	assert_int_equal(kvm.stopped++, 0);
	kvm.stops++;
}

static void start(void *opaque)
{
	assert_ptr_equal(opaque, &map);
	assert_int_equal(kvm.stopped--, 1);
}

static const struct memory_map_ops ops = { .stop = stop, .start = start };

static void dirty_page(void *opaque, uint64_t gpa)
{
	assert_ptr_equal(opaque, &kvm);
	assert_int_equal(kvm.stopped, 0);
	told[(gpa - GPA(0)) / PAGE]++;
}

static void begin_map(bool lists)
{
	memset(&kvm, 0, sizeof(kvm));
	memset(model, 0, sizeof(model));
	memset(told, 0, sizeof(told));
	kvm.lists = lists;
	memory_map__init(&map, 7, &ops, &map);
}

static void begin(struct memory_transaction *t)
{
	assert_int_equal(memory_transaction__begin(t, &map, NULL), 0);
}

static int add(struct memory_transaction *t, unsigned int page, unsigned int pages,
	       unsigned int where, uint32_t flags)
{
	return memory_transaction__add(t, GPA(page), pages * PAGE, host[where] + page * PAGE, flags,
				       NULL);
}

static int commit(struct memory_transaction *t)
{
	return memory_transaction__commit(t, dirty_page, &kvm, NULL);
}

static const struct memory_range *slot_at(uint64_t gpa, unsigned int *slot)
{
	for (*slot = 0; *slot < MAX_SLOTS; ++*slot)
		if (kvm.slots[*slot].size && gpa - kvm.slots[*slot].gpa < kvm.slots[*slot].size)
			return &kvm.slots[*slot];
	return NULL;
}

/* Does KVM have what @want says, in as few slots as can be? */
static void compare(const struct page *want, bool log)
{
	const struct memory_range *range;
	unsigned int page, slot, runs = 0, slots = 0;
	uint64_t gpa;

	for (page = 0; page < PAGES; page++) {
		range = slot_at(GPA(page), &slot);
		assert_true(!range == !want[page].hva);
		if (!range)
			continue;
		assert_ptr_equal(range->hva + (GPA(page) - range->gpa), want[page].hva);
		assert_int_equal(range->flags, want[page].flags | (log ? LOG : 0));
		assert_true(memory_map__gpa(&map, slot, (GPA(page) - range->gpa) / PAGE, &gpa));
		assert_int_equal(gpa, GPA(page));
		runs += !page || want[page - 1].hva + PAGE != want[page].hva ||
			want[page - 1].flags != want[page].flags;
	}
	for (slot = 0; slot < MAX_SLOTS; slot++)
		slots += !!kvm.slots[slot].size;
	assert_int_equal(slots, runs);
	assert_int_equal(kvm.stopped, 0);
}

static void write_page(unsigned int page)
{
	const struct memory_range *range;
	unsigned int slot;

	range = slot_at(GPA(page), &slot);
	if (!range || !(range->flags & LOG))
		return;
	kvm.dirty[slot][(GPA(page) - range->gpa) / PAGE] = true;
	model[page].dirty = true;
}

/* Each dirty page is in a log, or was handed over; no other is. */
static void compare_dirty(void)
{
	unsigned int page, slot;
	bool logged;

	for (page = 0; page < PAGES; page++) {
		logged = slot_at(GPA(page), &slot) &&
			 kvm.dirty[slot][(GPA(page) - kvm.slots[slot].gpa) / PAGE];
		assert_int_equal(logged + !!told[page], model[page].dirty);
		if (told[page])
			model[page].dirty = false;
		told[page] = 0;
	}
}

static void random_step(struct memory_transaction *t, struct page *want)
{
	unsigned int page = rand() % PAGES, pages = 1 + rand() % (PAGES - page), where = rand() % 2;
	uint32_t flags = rand() % 4 ? 0 : KVM_MEM_READONLY;
	bool covered = true, free_ = true;
	unsigned int i;
	int r;

	for (i = page; i < page + pages; i++) {
		covered &= !!want[i].hva;
		free_ &= !want[i].hva;
	}
	if (rand() % 2) {
		r = add(t, page, pages, where, flags);
		assert_int_equal(r, free_ ? 0 : -EEXIST);
		for (i = page; !r && i < page + pages; i++) {
			want[i].hva = host[where] + i * PAGE;
			want[i].flags = flags;
		}
	} else {
		r = memory_transaction__remove(t, GPA(page), pages * PAGE, NULL);
		assert_int_equal(r, covered ? 0 : -ENOENT);
		for (i = page; !r && i < page + pages; i++)
			want[i].hva = NULL;
	}
}

static void random_transactions(bool lists, unsigned int seed)
{
	struct page want[PAGES];
	struct memory_transaction t;
	unsigned int round, i, calls;
	bool log = false, was, fail;
	int r;

	begin_map(lists);
	srand(seed);
	for (round = 0; round < 400; round++) {
		for (i = 0; i < 8; i++)
			write_page(rand() % PAGES);
		memcpy(want, model, sizeof(want));
		was = log;
		begin(&t);
		for (i = rand() % 6; i; i--)
			random_step(&t, want);
		if (rand() % 8 == 0) {
			log = !log;
			memory_transaction__set_log(&t, log);
		}
		if (rand() % 8 == 0) {
			memory_transaction__abort(&t);
			log = was;
			compare(model, log);
			continue;
		}
		fail = rand() % 4 == 0;
		kvm.fail_call = kvm.fail_last = fail ? kvm.calls + 1 + rand() % 3 : 0;
		calls = kvm.calls;
		kvm.list_calls = 0;
		r = commit(&t);
		assert_true(kvm.list_calls <= 1);
		/* It may have needed less calls than the one that would have failed. */
		if (r < 0) {
			assert_true(fail && kvm.calls >= kvm.fail_call);
			log = was;
		} else {
			assert_true(!fail || kvm.calls < kvm.fail_call || kvm.calls == calls);
			for (i = 0; i < PAGES; i++) {
				model[i].hva = want[i].hva;
				model[i].flags = want[i].flags;
				/* Off forgets, where a slot stays. */
				if (was && !log && !told[i])
					model[i].dirty = false;
			}
		}
		compare(model, log);
		if (log)
			compare_dirty();
		for (i = 0; i < PAGES && !log; i++) {
			model[i].dirty = false;
			told[i] = 0;
		}
	}
	memory_map__exit(&map);
}

static void test_random_lists(void **state)
{
	unsigned int seed;

	(void)state;
	for (seed = 0; seed < 100; seed++)
		random_transactions(true, seed);
}

static void test_random_single_calls(void **state)
{
	unsigned int seed;

	(void)state;
	for (seed = 0; seed < 100; seed++)
		random_transactions(false, seed);
}

static void test_nothing_is_no_call(void **state)
{
	struct memory_transaction t;

	(void)state;
	begin_map(true);
	begin(&t);
	assert_int_equal(add(&t, 0, 10, 0, 0), 0);
	assert_int_equal(memory_transaction__remove(&t, GPA(0), 10 * PAGE, NULL), 0);
	assert_int_equal(commit(&t), 0);
	assert_int_equal(kvm.calls, 0);

	begin(&t);
	assert_int_equal(add(&t, 0, 10, 0, 0), 0);
	assert_int_equal(commit(&t), 0);
	begin(&t);
	assert_int_equal(memory_transaction__remove(&t, GPA(3), 2 * PAGE, NULL), 0);
	assert_int_equal(add(&t, 3, 2, 0, 0), 0);
	assert_int_equal(commit(&t), 0);
	assert_int_equal(kvm.calls, 1);
	memory_map__exit(&map);
}

/* The first slots have the numbers that the migration's stream relies on; a number comes back late. */
static void test_slot_numbers(void **state)
{
	struct memory_transaction t;
	unsigned int slot, i;
	uint64_t gpa;

	(void)state;
	begin_map(true);
	begin(&t);
	assert_int_equal(add(&t, 40, 10, 1, 0), 0);
	assert_int_equal(add(&t, 0, 10, 0, 0), 0);
	assert_int_equal(commit(&t), 0);
	assert_non_null(slot_at(GPA(0), &slot));
	assert_int_equal(slot, 0);
	assert_non_null(slot_at(GPA(40), &slot));
	assert_int_equal(slot, 1);

	assert_false(memory_map__gpa(&map, 2, 0, &gpa));
	for (i = 0; i < 3 * MAX_SLOTS; i++) {
		begin(&t);
		assert_int_equal(memory_transaction__remove(&t, GPA(0), PAGE, NULL), 0);
		assert_int_equal(commit(&t), 0);
		slot_at(GPA(1), &slot);
		begin(&t);
		assert_int_equal(add(&t, 0, 1, 0, 0), 0);
		assert_int_equal(commit(&t), 0);
		/* What the ring says of a slot that is gone. */
		assert_int_equal(kvm.slots[slot].size, 0);
		assert_true(memory_map__gpa(&map, slot, 5, &gpa));
		assert_int_equal(gpa, GPA(6));
	}
	memory_map__exit(&map);
}

static void test_too_many_slots(void **state)
{
	struct memory_transaction t;
	struct error err = { 0 };
	unsigned int i;

	(void)state;
	begin_map(true);
	map.max_slots = 20;
	begin(&t);
	for (i = 0; i < 20; i++)
		assert_int_equal(add(&t, 2 * i, 1, 0, 0), 0);
	assert_int_equal(commit(&t), 0);
	begin(&t);
	assert_int_equal(add(&t, 50, 1, 0, 0), 0);
	assert_int_equal(memory_transaction__commit(&t, NULL, NULL, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "20 memslots"));
	assert_int_equal(kvm.calls, 1);
	memory_map__exit(&map);
}

/* With rings no bitmap is asked for; a single change that takes nothing away stops nobody. */
static void test_rings_and_stops(void **state)
{
	struct memory_transaction t;

	(void)state;
	begin_map(false);
	map.rings = true;
	begin(&t);
	assert_int_equal(add(&t, 0, 10, 0, 0), 0);
	assert_int_equal(commit(&t), 0);
	assert_int_equal(memory_map__set_log(&map, true, NULL), 0);
	assert_int_equal(kvm.stops, 0);
	write_page(5);
	begin(&t);
	assert_int_equal(memory_transaction__remove(&t, GPA(0), 10 * PAGE, NULL), 0);
	assert_int_equal(commit(&t), 0);
	assert_int_equal(kvm.stops, 1);
	assert_int_equal(told[5], 0);
	/* Two changes stop the guest; a vCPU that moves a BAR makes one after the other. */
	assert_int_equal(memory_map__set_log(&map, false, NULL), 0);
	begin(&t);
	assert_int_equal(add(&t, 0, 10, 0, 0), 0);
	assert_int_equal(commit(&t), 0);
	begin(&t);
	assert_int_equal(memory_transaction__remove(&t, GPA(0), 10 * PAGE, NULL), 0);
	assert_int_equal(add(&t, 10, 10, 0, 0), 0);
	assert_int_equal(commit(&t), 0);
	assert_int_equal(kvm.stops, 2);
	begin(&t);
	assert_int_equal(memory_transaction__remove(&t, GPA(10), 10 * PAGE, NULL), 0);
	assert_int_equal(commit(&t), 0);
	assert_int_equal(kvm.stops, 2);
	memory_map__exit(&map);
}

static void test_undo_that_fails(void **state)
{
	struct memory_transaction t;
	struct error err = { 0 };

	(void)state;
	begin_map(false);
	begin(&t);
	assert_int_equal(add(&t, 0, 10, 0, 0), 0);
	assert_int_equal(commit(&t), 0);
	begin(&t);
	assert_int_equal(memory_transaction__remove(&t, GPA(5), PAGE, NULL), 0);
	/* The first create, and then bringing back what was deleted. */
	kvm.fail_call = kvm.calls + 2;
	kvm.fail_last = kvm.calls + 3;
	assert_int_equal(memory_transaction__commit(&t, NULL, NULL, &err), -ENOTRECOVERABLE);
	assert_non_null(strstr(err.msg, "creating memslot 1"));
	assert_int_equal(kvm.stopped, 0);
	memory_map__exit(&map);
}

static void test_bad_input(void **state)
{
	struct memory_transaction t;
	struct error err;

	(void)state;
	begin_map(true);
	begin(&t);
	assert_int_equal(add(&t, 8, 8, 0, 0), 0);
#define BAD(call, errnum, text)							\
	do {									\
		memset(&err, 0, sizeof(err));					\
		assert_int_equal(call, -(errnum));				\
		assert_non_null(strstr(err.msg, text));				\
	} while (0)
	BAD(memory_transaction__add(&t, GPA(0), 0, host[0], 0, &err), EINVAL, "not a range");
	BAD(memory_transaction__add(&t, GPA(0) + 1, PAGE, host[0], 0, &err), EINVAL, "not a range");
	BAD(memory_transaction__add(&t, GPA(0), 100, host[0], 0, &err), EINVAL, "not a range");
	BAD(memory_transaction__add(&t, -PAGE, 2 * PAGE, host[0], 0, &err), EINVAL, "not a range");
	BAD(memory_transaction__add(&t, GPA(0), PAGE, host[0] + 8, 0, &err), EINVAL, "not aligned");
	BAD(memory_transaction__add(&t, GPA(0), PAGE, host[0], LOG, &err), EINVAL, "flags 0x1");
	BAD(memory_transaction__add(&t, GPA(15), PAGE, host[0], 0, &err), EEXIST, "there is [0x108000, +0x8000)");
	BAD(memory_transaction__remove(&t, GPA(8), 0, &err), EINVAL, "not a range");
	BAD(memory_transaction__remove(&t, GPA(7), 2 * PAGE, &err), ENOENT, "not all of it");
	BAD(memory_transaction__remove(&t, GPA(15), 2 * PAGE, &err), ENOENT, "not all of it");
	kvm.fail_call = kvm.fail_last = 1;
	BAD(memory_transaction__commit(&t, NULL, NULL, &err), EEXIST,
	    "creating memslot 0, memory [0x108000, +0x8000)");
	memory_map__exit(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_no_call),
		cmocka_unit_test(test_slot_numbers),
		cmocka_unit_test(test_too_many_slots),
		cmocka_unit_test(test_rings_and_stops),
		cmocka_unit_test(test_undo_that_fails),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_random_lists),
		cmocka_unit_test(test_random_single_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
