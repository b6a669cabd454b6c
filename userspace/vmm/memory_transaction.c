// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changes of the memslots; see memory_transaction.h.
 *
 * A plan is the difference between what KVM has and what is wanted. A slot that is in
 * both with another flag changes its flag; every other one that is in only one of them is
 * deleted or created.
 */
#include "vmm/memory_transaction.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_dmabuf.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/memory_kvm.h"
#include "vmm/util.h"

struct memory_step {
	uint32_t op;			/* KVM_REGION_* */
	struct memory_range old;	/* not CREATE */
	struct memory_range new;	/* not DELETE */
	uint64_t *bitmap;		/* dirty bits that KVM has no more, or NULL: see memory_step__log() */
};

struct memory_plan {
	struct memory_step *steps;	/* what is deleted comes first */
	unsigned int nr;
	unsigned int nr_deleted;
	unsigned int nr_created;
};

void memory_map__init(struct memory_map *map, int vm_fd, const struct memory_map_ops *ops,
		      void *opaque)
{
	*map = (struct memory_map) {
		.vm_fd = vm_fd,
		.ops = ops,
		.opaque = opaque,
		.lists = memory_kvm__has_lists(vm_fd),
		.max_slots = memory_kvm__max_slots(vm_fd),
	};
	pthread_mutex_init(&map->busy, NULL);
	pthread_mutex_init(&map->lock, NULL);
}

void memory_map__exit(struct memory_map *map)
{
	memory_ranges__free(&map->slots);
	free(map->slot_gpa);
	pthread_mutex_destroy(&map->lock);
	pthread_mutex_destroy(&map->busy);
}

bool memory_map__gpa(struct memory_map *map, uint32_t slot, uint64_t page, uint64_t *gpa)
{
	bool found;

	pthread_mutex_lock(&map->lock);
	found = slot < map->nr_slot_gpa;
	if (found)
		*gpa = map->slot_gpa[slot] + page * VMM_PAGE_SIZE;
	pthread_mutex_unlock(&map->lock);
	return found;
}

static void memory_transaction__end(struct memory_transaction *t)
{
	memory_ranges__free(&t->want);
	pthread_mutex_unlock(&t->map->busy);
}

/* Who holds map->busy is the only one to change the map, and reads it without the lock. */
int memory_transaction__begin(struct memory_transaction *t, struct memory_map *map,
			      struct error *err)
{
	pthread_mutex_lock(&map->busy);
	*t = (struct memory_transaction) { .map = map, .log = map->log };
	if (memory_ranges__copy(&t->want, &map->slots) == 0)
		return 0;
	memory_transaction__end(t);
	return error__set(err, ENOMEM, "out of memory");
}

void memory_transaction__abort(struct memory_transaction *t)
{
	memory_transaction__end(t);
}

static int memory_transaction__check(uint64_t gpa, uint64_t size, struct error *err)
{
	if (!size || (gpa | size) % VMM_PAGE_SIZE || gpa + size < gpa)
		return error__set(err, EINVAL, "memory " RANGE_FMT ": not a range of pages", gpa,
				  size);
	return 0;
}

int memory_transaction__add(struct memory_transaction *t, uint64_t gpa, uint64_t size, void *hva,
			    uint32_t flags, struct error *err)
{
	const struct memory_range range = {
		.gpa = gpa, .size = size, .hva = hva, .flags = flags,
	};
	const struct memory_range *other;
	int r;

	r = memory_transaction__check(gpa, size, err);
	if (r < 0)
		return r;
	if ((uintptr_t)hva % VMM_PAGE_SIZE)
		return error__set(err, EINVAL, "memory " RANGE_FMT ": host address %p: not aligned",
				  gpa, size, hva);
	if (flags & ~KVM_MEM_READONLY)
		return error__set(err, EINVAL, "memory " RANGE_FMT ": flags 0x%" PRIx32
				  ": only KVM_MEM_READONLY is known", gpa, size, flags);
	r = memory_ranges__add(&t->want, &range);
	if (r == -EEXIST) {
		other = memory_ranges__overlap(&t->want, gpa, size);
		return error__set(err, EEXIST, "memory " RANGE_FMT ": there is " RANGE_FMT, gpa,
				  size, other->gpa, other->size);
	}
	return r < 0 ? error__set(err, -r, "out of memory") : 0;
}

int memory_transaction__remove(struct memory_transaction *t, uint64_t gpa, uint64_t size,
			       struct error *err)
{
	int r;

	r = memory_transaction__check(gpa, size, err);
	if (r < 0)
		return r;
	r = memory_ranges__remove(&t->want, gpa, size);
	if (r == -ENOENT)
		return error__set(err, ENOENT, "memory " RANGE_FMT ": not all of it is there", gpa,
				  size);
	return r < 0 ? error__set(err, -r, "out of memory") : 0;
}

void memory_transaction__set_log(struct memory_transaction *t, bool log)
{
	t->log = log;
}

static bool memory_range__logged(const struct memory_range *range)
{
	return range->flags & KVM_MEM_LOG_DIRTY_PAGES;
}

/* One slot may become the other by a change of its flags, or of nothing. */
static bool memory_range__same(const struct memory_range *a, const struct memory_range *b)
{
	return a->gpa == b->gpa && a->size == b->size && a->hva == b->hva &&
	       !((a->flags ^ b->flags) & KVM_MEM_READONLY);
}

/* Bytes of a bitmap as KVM writes it. */
static size_t memory_range__bitmap_size(const struct memory_range *range)
{
	return (range->size / VMM_PAGE_SIZE + 63) / 64 * 8;
}

static void memory_plan__free(struct memory_plan *plan)
{
	unsigned int i;

	for (i = 0; i < plan->nr; i++)
		free(plan->steps[i].bitmap);
	free(plan->steps);
}

/*
 * Room for what the step takes out of KVM's log. That of a slot whose log is switched off
 * counts only if a later one of several calls fails, and it is on again.
 */
static int memory_step__log(struct memory_step *step, const struct memory_map *map)
{
	if (!memory_range__logged(&step->old) || map->rings ||
	    (map->lists && step->op != KVM_REGION_DELETE))
		return 0;
	step->bitmap = calloc(1, memory_range__bitmap_size(&step->old));
	return step->bitmap ? 0 : -ENOMEM;
}

static int memory_plan__delete(struct memory_plan *plan, const struct memory_map *map,
			       const struct memory_range *old)
{
	struct memory_step *step = &plan->steps[plan->nr++];

	*step = (struct memory_step) { .op = KVM_REGION_DELETE, .old = *old };
	plan->nr_deleted++;
	return memory_step__log(step, map);
}

static bool memory_map__has_slot(const struct memory_map *map, uint32_t slot)
{
	unsigned int i;

	for (i = 0; i < map->slots.nr; i++)
		if (map->slots.at[i].slot == slot)
			return true;
	return false;
}

/* A number that no slot has; nor may it be one that is deleted in the same list. */
static int memory_map__take_slot(struct memory_map *map, uint32_t *slot)
{
	uint64_t *gpa;
	uint32_t i;

	for (i = 0; i < map->max_slots; i++) {
		*slot = map->next_slot;
		map->next_slot = (map->next_slot + 1) % map->max_slots;
		if (!memory_map__has_slot(map, *slot))
			break;
	}
	if (i == map->max_slots)
		return -ENOSPC;
	if (*slot < map->nr_slot_gpa)
		return 0;

	/* In turn: it is the next one. */
	pthread_mutex_lock(&map->lock);
	gpa = reallocarray(map->slot_gpa, *slot + 1, sizeof(*gpa));
	if (gpa) {
		memset(gpa + map->nr_slot_gpa, 0, (*slot + 1 - map->nr_slot_gpa) * sizeof(*gpa));
		map->slot_gpa = gpa;
		map->nr_slot_gpa = *slot + 1;
	}
	pthread_mutex_unlock(&map->lock);
	return gpa ? 0 : -ENOMEM;
}

/* @new gets its number; a step, if it differs from what is there. */
static int memory_plan__keep(struct memory_plan *plan, struct memory_map *map,
			     struct memory_range *new)
{
	const struct memory_range *old = memory_ranges__start(&map->slots, new->gpa);
	struct memory_step step = { .op = KVM_REGION_CREATE };
	int r;

	if (old && memory_range__same(old, new)) {
		new->slot = old->slot;
		if (old->flags == new->flags)
			return 0;
		step.op = KVM_REGION_FLAGS;
		step.old = *old;
	} else {
		if (map->slots.nr + plan->nr_created == map->max_slots)
			return -ENOSPC;
		r = memory_map__take_slot(map, &new->slot);
		if (r < 0)
			return r;
		plan->nr_created++;
	}
	step.new = *new;
	plan->steps[plan->nr++] = step;
	return memory_step__log(&plan->steps[plan->nr - 1], map);
}

/* The ranges that are wanted become what the slots shall be, and @plan the way there. */
static int memory_plan__make(struct memory_plan *plan, struct memory_transaction *t,
			     struct error *err)
{
	struct memory_ranges *want = &t->want;
	struct memory_map *map = t->map;
	const struct memory_range *new;
	unsigned int i;
	int r = 0;

	for (i = 0; i < want->nr; i++) {
		want->at[i].flags &= ~KVM_MEM_LOG_DIRTY_PAGES;
		if (t->log)
			want->at[i].flags |= KVM_MEM_LOG_DIRTY_PAGES;
	}
	memory_ranges__merge(want);

	plan->steps = calloc(map->slots.nr + want->nr + 1, sizeof(*plan->steps));
	if (!plan->steps)
		return error__set(err, ENOMEM, "out of memory");

	for (i = 0; i < map->slots.nr && !r; i++) {
		new = memory_ranges__start(want, map->slots.at[i].gpa);
		if (!new || !memory_range__same(&map->slots.at[i], new))
			r = memory_plan__delete(plan, map, &map->slots.at[i]);
	}
	for (i = 0; i < want->nr && !r; i++)
		r = memory_plan__keep(plan, map, &want->at[i]);

	if (r == -ENOSPC)
		return error__set(err, ENOSPC, "%u memslots, %u more wanted: KVM has %" PRIu32
				  " in all", map->slots.nr, plan->nr_created + 1, map->max_slots);
	return r < 0 ? error__set(err, -r, "out of memory") : 0;
}

static int memory_step__failed(const struct memory_step *step, int r, struct error *err)
{
	static const char *const names[] = {
		[KVM_REGION_CREATE] = "creating",
		[KVM_REGION_DELETE] = "deleting",
		[KVM_REGION_FLAGS] = "changing the flags of",
	};
	const struct memory_range *range = step->op == KVM_REGION_DELETE ? &step->old : &step->new;

	return error__set(err, -r, "%s memslot %" PRIu32 ", memory " RANGE_FMT ": %s",
			  names[step->op], range->slot, range->gpa, range->size, strerror(-r));
}

static int memory_plan__by_list(const struct memory_plan *plan, const struct memory_map *map,
				struct error *err)
{
	struct kvm_user_memory_region_op *ops;
	const struct memory_range *range;
	const struct memory_step *step;
	uint64_t bad = plan->nr;
	unsigned int i;
	int r;

	ops = calloc(plan->nr, sizeof(*ops));
	if (!ops)
		return error__set(err, ENOMEM, "out of memory");
	for (i = 0; i < plan->nr; i++) {
		step = &plan->steps[i];
		range = step->op == KVM_REGION_DELETE ? &step->old : &step->new;
		ops[i].op = step->op;
		ops[i].slot = range->slot;
		if (step->op == KVM_REGION_DELETE) {
			ops[i].dirty_bitmap = (uintptr_t)step->bitmap;
			continue;
		}
		ops[i].flags = range->flags;
		ops[i].guest_phys_addr = range->gpa;
		ops[i].memory_size = range->size;
		ops[i].userspace_addr = (uintptr_t)range->hva;
	}
	r = memory_kvm__set_list(map->vm_fd, ops, plan->nr, &bad);
	free(ops);
	if (r < 0 && bad < plan->nr)
		return memory_step__failed(&plan->steps[bad], r, err);
	return r < 0 ? error__set(err, -r, "%u changes of memslots: %s", plan->nr, strerror(-r)) : 0;
}

/* Make @range a slot, or change its flags; @size 0 deletes it. */
static int memory_map__set_slot(const struct memory_map *map, const struct memory_range *range,
				uint64_t size)
{
	return memory_kvm__set_slot(map->vm_fd, range->slot, range->flags, range->gpa, size,
				    range->hva);
}

static int memory_step__do(const struct memory_step *step, const struct memory_map *map)
{
	int r;

	if (step->bitmap) {
		r = memory_kvm__get_log(map->vm_fd, step->old.slot, step->bitmap);
		if (r < 0)
			return r;
	}
	if (step->op == KVM_REGION_DELETE)
		return memory_map__set_slot(map, &step->old, 0);
	return memory_map__set_slot(map, &step->new, step->new.size);
}

static int memory_step__undo(const struct memory_step *step, const struct memory_map *map)
{
	if (step->op == KVM_REGION_CREATE)
		return memory_map__set_slot(map, &step->new, 0);
	return memory_map__set_slot(map, &step->old, step->old.size);
}

static int memory_plan__one_by_one(const struct memory_plan *plan, const struct memory_map *map,
				   struct error *err)
{
	unsigned int i;
	int r, undone;

	for (i = 0; i < plan->nr; i++) {
		r = memory_step__do(&plan->steps[i], map);
		if (r < 0)
			break;
	}
	if (i == plan->nr)
		return 0;
	memory_step__failed(&plan->steps[i], r, err);
	while (i-- > 0) {
		undone = memory_step__undo(&plan->steps[i], map);
		if (undone < 0)
			r = -ENOTRECOVERABLE;
	}
	return r;
}

static int memory_plan__by_single_calls(const struct memory_plan *plan,
					const struct memory_map *map, struct error *err)
{
	/*
	 * One slot more, one less without a log, or other flags: the guest cannot tell at what
	 * point we are. (A vCPU that moves a BAR is who commits then, and cannot wait for itself.)
	 */
	bool alone = plan->nr == 1 && !(plan->steps[0].old.flags & KVM_MEM_LOG_DIRTY_PAGES);
	bool stop = (plan->nr_deleted && !alone) || (plan->nr_created && plan->nr > 1);
	int r;

	if (stop)
		map->ops->stop(map->opaque);
	r = memory_plan__one_by_one(plan, map, err);
	if (stop)
		map->ops->start(map->opaque);
	return r;
}

/* KVM has what the transaction wants. */
static void memory_map__settle(struct memory_map *map, struct memory_transaction *t)
{
	struct memory_ranges old = map->slots;
	unsigned int i;

	pthread_mutex_lock(&map->lock);
	map->slots = t->want;
	map->log = t->log;
	for (i = 0; i < map->slots.nr; i++)
		map->slot_gpa[map->slots.at[i].slot] = map->slots.at[i].gpa;
	pthread_mutex_unlock(&map->lock);
	t->want = old;
}

static void memory_plan__report_dirty(const struct memory_plan *plan, bool done,
				      memory_transaction_dirty *dirty, void *opaque)
{
	const struct memory_step *step;
	uint64_t page;
	unsigned int i;

	for (i = 0; i < plan->nr; i++) {
		step = &plan->steps[i];
		if (!step->bitmap || (done && step->op == KVM_REGION_FLAGS))
			continue;
		for (page = 0; page < step->old.size / VMM_PAGE_SIZE; page++)
			if (step->bitmap[page / 64] >> page % 64 & 1)
				dirty(opaque, step->old.gpa + page * VMM_PAGE_SIZE);
	}
}

int memory_transaction__commit(struct memory_transaction *t, memory_transaction_dirty *dirty,
			       void *opaque, struct error *err)
{
	struct memory_plan plan = { 0 };
	struct memory_map *map = t->map;
	int r;

	r = memory_plan__make(&plan, t, err);
	if (r == 0 && plan.nr)
		r = map->lists ? memory_plan__by_list(&plan, map, err) :
				 memory_plan__by_single_calls(&plan, map, err);
	if (r == 0)
		memory_map__settle(map, t);
	memory_transaction__end(t);

	if (dirty)
		memory_plan__report_dirty(&plan, r == 0, dirty, opaque);
	memory_plan__free(&plan);
	return r;
}

int memory_map__set_log(struct memory_map *map, bool log, struct error *err)
{
	struct memory_transaction t;
	int r;

	r = memory_transaction__begin(&t, map, err);
	if (r < 0)
		return r;
	memory_transaction__set_log(&t, log);
	return memory_transaction__commit(&t, NULL, NULL, err);
}
