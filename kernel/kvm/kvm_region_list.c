// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_USER_MEMORY_REGION_LIST: see kvm_region_list.h.
 *
 * The operations of a list become visible at once. One swap of the memslot sets marks
 * what is deleted or moved invalid, so that no new leaves of it appear while the old ones
 * go; one swap publishes the result. Nothing is changed before all is known to be valid,
 * and what can fail after the first swap (allocation, a move in a VM whose pages kvmgt
 * tracks) is undone by a swap back.
 *
 * What vCPUs see in between. Invalid slots would do for faults, which are retried, but
 * not for what KVM reads and writes itself on behalf of a vCPU: instructions that it
 * emulates, page tables of the guest and of its guests, roots, cached addresses. These
 * fail, or make shadow pages that belong to a slot that is going. So no vCPU is at such
 * work between the swaps: each of it is done in an SRCU section, and vCPUs enter none
 * (kvm_srcu_read_lock()) while slots_in_flux is set. It is set before the first swap, and
 * the sections that did not see it are waited for. In the guest vCPUs go on: they use the
 * leaves of the old slots as long as there are any, then wait in the exit. Both of old and
 * new memory, and of the old slot's dirty log and the new one's, a vCPU sees but one.
 *
 * A vCPU waits with its mutex held and nothing else, in a place where it may sleep, so
 * that a list, which holds slots_lock and waits for SRCU and for MMU notifiers, does
 * not wait for what waits for it.
 *
 * Dirty bits of a deleted slot: after its leaves are gone, no new ones can be made, and
 * those in the CPUs' own buffers are drained; after the second swap nobody can reach
 * the slot. Then its bits go to the slots that cover the same guest pages now, and the
 * rest to the caller.
 *
 * A list is for one address space, as a swap is.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_host.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "mmu.h"
#include "x86.h"

#include "kvm_protect_all.h"
#include "kvm_region_list.h"

/* No list can be longer: it names each slot once. */
#define REGION_LIST_MAX	KVM_USER_MEM_SLOTS

struct region_op {
	struct kvm_user_memory_region_op user;
	enum kvm_mr_change change;
	struct kvm_memory_slot *old;		/* not CREATE */
	struct kvm_memory_slot *invalid;	/* DELETE and MOVE: what stands in for it */
	struct kvm_memory_slot *new;		/* not DELETE */
	bool prepared;				/* @new has what the architecture needs */
};

struct region_list {
	struct kvm *kvm;
	int as_id;
	u32 nent;
	u32 bad;				/* index of the entry at fault */
	struct region_op *ops;
	/* By slot id: named in the list; goes or moves */
	DECLARE_BITMAP(named, KVM_MEM_SLOTS_NUM);
	DECLARE_BITMAP(leaves, KVM_MEM_SLOTS_NUM);
};

static bool region_leaves(const struct region_op *op)
{
	return op->change == KVM_MR_DELETE || op->change == KVM_MR_MOVE;
}

static bool region_arrives(const struct region_op *op)
{
	return op->change == KVM_MR_CREATE || op->change == KVM_MR_MOVE;
}

static gfn_t region_gfn(const struct region_op *op)
{
	return op->user.guest_phys_addr >> PAGE_SHIFT;
}

static u64 region_npages(const struct region_op *op)
{
	return op->user.memory_size >> PAGE_SHIFT;
}

/* What one entry says by itself. */
static int region_check_entry(struct kvm *kvm, const struct kvm_user_memory_region_op *u)
{
	const struct kvm_userspace_memory_region2 mem = { .flags = u->flags };

	if (u->op > KVM_REGION_FLAGS || u->pad || u->reserved[0] || u->reserved[1])
		return -EINVAL;
	if ((u16)u->slot >= KVM_USER_MEM_SLOTS ||
	    u->slot >> 16 >= kvm_arch_nr_memslot_as_ids(kvm))
		return -EINVAL;
	if (u->dirty_bitmap && u->op != KVM_REGION_DELETE)
		return -EINVAL;
	if (u->op == KVM_REGION_DELETE)
		return 0;

	/* It would need a file, for which an entry has no room. */
	if (u->flags & KVM_MEM_GUEST_MEMFD || check_memory_region_flags(kvm, &mem))
		return -EINVAL;
	if (!u->memory_size ||
	    !PAGE_ALIGNED(u->guest_phys_addr | u->memory_size | u->userspace_addr) ||
	    u->guest_phys_addr + u->memory_size < u->guest_phys_addr ||
	    u->memory_size >> PAGE_SHIFT > KVM_MEM_MAX_NR_PAGES ||
	    (u->guest_phys_addr + u->memory_size - 1) >> PAGE_SHIFT > kvm_mmu_max_gfn() ||
	    u->userspace_addr != untagged_addr(u->userspace_addr) ||
	    !access_ok((void __user *)(unsigned long)u->userspace_addr, u->memory_size))
		return -EINVAL;

	return 0;
}

/* Does the entry fit the slots as they are now? */
static int region_check_slot(struct region_list *list, struct region_op *op)
{
	const struct kvm_user_memory_region_op *u = &op->user;
	struct kvm_memory_slot *old;

	if (u->slot >> 16 != list->as_id)
		return -EXDEV;
	if (test_and_set_bit((u16)u->slot, list->named))
		return -EALREADY;

	old = id_to_memslot(__kvm_memslots(list->kvm, list->as_id), (u16)u->slot);
	if (u->op == KVM_REGION_CREATE) {
		op->change = KVM_MR_CREATE;
		return old ? -EBUSY : 0;
	}
	if (!old)
		return -ENOENT;
	op->old = old;

	/* Private memslots know one change, and it is not made here. */
	if (old->flags & KVM_MEM_GUEST_MEMFD)
		return -EOPNOTSUPP;

	if (u->op == KVM_REGION_DELETE) {
		op->change = KVM_MR_DELETE;
		__set_bit((u16)u->slot, list->leaves);
		return u->dirty_bitmap && !old->dirty_bitmap ? -ESTALE : 0;
	}

	if (region_npages(op) != old->npages || u->userspace_addr != old->userspace_addr ||
	    (u->flags ^ old->flags) & KVM_MEM_READONLY)
		return -ESTALE;

	if (u->op == KVM_REGION_MOVE) {
		op->change = KVM_MR_MOVE;
		__set_bit((u16)u->slot, list->leaves);
		return region_gfn(op) == old->base_gfn || u->flags != old->flags ? -ESTALE : 0;
	}

	op->change = KVM_MR_FLAGS_ONLY;
	return region_gfn(op) != old->base_gfn ||
	       (u->flags ^ old->flags) != KVM_MEM_LOG_DIRTY_PAGES ? -ESTALE : 0;
}

static int region_by_gfn(const void *a, const void *b)
{
	const struct region_op *const *x = a, *const *y = b;

	return region_gfn(*x) < region_gfn(*y) ? -1 : region_gfn(*x) > region_gfn(*y);
}

/* What arrives must overlap nothing that stays, and nothing else that arrives. */
static int region_check_overlaps(struct region_list *list)
{
	struct kvm_memslots *slots = __kvm_memslots(list->kvm, list->as_id);
	struct region_op **arriving;
	struct kvm_memslot_iter iter;
	struct region_op *op;
	int r = 0;
	u32 i, n = 0;

	arriving = kvmalloc_array(list->nent, sizeof(*arriving), GFP_KERNEL_ACCOUNT);
	if (!arriving)
		return -ENOMEM;

	for (i = 0; i < list->nent; i++)
		if (region_arrives(&list->ops[i]))
			arriving[n++] = &list->ops[i];

	/* First this: then each slot is met once, or at the edges of two that arrive. */
	sort(arriving, n, sizeof(*arriving), region_by_gfn, NULL);
	for (i = 1; i < n && !r; i++) {
		if (region_gfn(arriving[i - 1]) + region_npages(arriving[i - 1]) <=
		    region_gfn(arriving[i]))
			continue;
		list->bad = max(arriving[i - 1], arriving[i]) - list->ops;
		r = -EEXIST;
	}

	for (i = 0; i < n && !r; i++) {
		op = arriving[i];
		kvm_for_each_memslot_in_gfn_range(&iter, slots, region_gfn(op),
						  region_gfn(op) + region_npages(op)) {
			if (test_bit(iter.slot->id, list->leaves))
				continue;
			list->bad = op - list->ops;
			r = -EEXIST;
			break;
		}
		cond_resched();
	}

	kvfree(arriving);
	return r;
}

static int region_check(struct region_list *list)
{
	u64 npages = list->kvm->nr_memslot_pages;
	struct region_op *op;
	int r;

	list->as_id = list->ops[0].user.slot >> 16;

	for (list->bad = 0; list->bad < list->nent; list->bad++) {
		op = &list->ops[list->bad];
		r = region_check_entry(list->kvm, &op->user) ?: region_check_slot(list, op);
		if (r)
			return r;
		if (op->change == KVM_MR_CREATE &&
		    check_add_overflow(npages, region_npages(op), &npages))
			return -EINVAL;
	}

	r = region_check_overlaps(list);
	if (r)
		return r;

	/* The last moment at which bad memory can be said. */
	for (list->bad = 0; list->bad < list->nent; list->bad++) {
		op = &list->ops[list->bad];
		if (op->user.dirty_bitmap &&
		    clear_user(u64_to_user_ptr(op->user.dirty_bitmap),
			       kvm_dirty_bitmap_bytes(op->old)))
			return -EFAULT;
	}

	return 0;
}

static struct kvm_memory_slot *region_new_slot(const struct region_op *op)
{
	struct kvm_memory_slot *new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);

	if (!new)
		return NULL;

	new->as_id = op->user.slot >> 16;
	new->id = (u16)op->user.slot;
	new->base_gfn = region_gfn(op);
	new->npages = region_npages(op);
	new->flags = op->user.flags;
	new->userspace_addr = op->user.userspace_addr;
	return new;
}

static int region_allocate(struct region_list *list)
{
	struct region_op *op;

	for (op = list->ops; op < list->ops + list->nent; op++) {
		if (region_leaves(op)) {
			op->invalid = kzalloc(sizeof(*op->invalid), GFP_KERNEL_ACCOUNT);
			if (!op->invalid)
				return -ENOMEM;
		}
		if (op->change != KVM_MR_DELETE) {
			op->new = region_new_slot(op);
			if (!op->new)
				return -ENOMEM;
		}
	}

	return 0;
}

/* slots_arch_lock is held, so that what is copied or made here stays true until the swap. */
static int region_prepare(struct region_list *list)
{
	struct region_op *op;
	int r;

	for (list->bad = 0; list->bad < list->nent; list->bad++) {
		op = &list->ops[list->bad];
		r = kvm_prepare_memory_region(list->kvm, op->old, op->new, op->change);
		if (r)
			return r;
		op->prepared = true;
	}

	return 0;
}

/* Take back what region_prepare() has made; a bitmap that the old slot has is the old slot's. */
static void region_unprepare(struct region_list *list)
{
	struct region_op *op;

	for (op = list->ops; op < list->ops + list->nent; op++) {
		if (!op->prepared || !op->new)
			continue;
		if (op->old && op->old->dirty_bitmap)
			op->new->dirty_bitmap = NULL;
		if (op->change == KVM_MR_FLAGS_ONLY)
			memset(&op->new->arch, 0, sizeof(op->new->arch));
		kvm_free_memslot(list->kvm, op->new);
		op->new = NULL;
	}
}

/* From here on, vCPUs use memslots in the guest alone. */
static void region_hold_vcpus(struct kvm *kvm)
{
	WRITE_ONCE(kvm->slots_in_flux, true);
	/* Pairs with srcu_read_lock(): who has not seen it is waited for. */
	synchronize_srcu_expedited(&kvm->srcu);
}

static void region_release_vcpus(struct kvm *kvm)
{
	/*
	 * After the swap, for who sees it without waiting; and before wake_up_var() looks
	 * whether somebody waits.
	 */
	smp_mb();
	WRITE_ONCE(kvm->slots_in_flux, false);
	/* Pairs with that of wait_var_event(). */
	smp_mb();
	wake_up_var(&kvm->slots_in_flux);
}

int kvm_srcu_read_lock_slow(struct kvm *kvm, int idx)
{
	do {
		srcu_read_unlock(&kvm->srcu, idx);
		wait_var_event(&kvm->slots_in_flux, !READ_ONCE(kvm->slots_in_flux));
		idx = srcu_read_lock(&kvm->srcu);
	} while (READ_ONCE(kvm->slots_in_flux));

	return idx;
}

void kvm_region_list_wait_exit(struct kvm_vcpu *vcpu)
{
	/* region_drain_cpu_logs() waits for this section, and not for the next. */
	if (kvm_x86_ops.cpu_dirty_log_size)
		kvm_x86_ops.flush_cpu_dirty_log(vcpu);
	vcpu->____srcu_idx = kvm_srcu_read_lock_slow(vcpu->kvm, vcpu->____srcu_idx);
}

/* Every CPU has handed over what it has logged of guest writes by now. */
static void region_drain_cpu_logs(struct kvm *kvm)
{
	if (!kvm_x86_ops.cpu_dirty_log_size)
		return;

	/*
	 * All vCPUs leave the guest, with preemption off; before it is on again they are in
	 * an SRCU section; in that one the CPU's buffer is emptied
	 * (kvm_region_list_wait_exit()).
	 */
	kvm_make_all_cpus_request(kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
	synchronize_rcu_expedited();
	synchronize_srcu_expedited(&kvm->srcu);
}

/* Take the leaves of what leaves away; where one slot's takes all along, once is enough. */
static void region_zap(struct region_list *list)
{
	struct kvm *kvm = list->kvm;
	bool all = kvm->arch.vm_type == KVM_X86_DEFAULT_VM &&
		   kvm_check_has_quirk(kvm, KVM_X86_QUIRK_SLOT_ZAP_ALL);
	struct region_op *op;

	for (op = list->ops; op < list->ops + list->nent; op++) {
		if (!region_leaves(op))
			continue;
		kvm_arch_flush_shadow_memslot(kvm, op->old);
		if (all)
			return;
	}
}

/* The first swap, of a list in which something leaves. slots_arch_lock is held before and after. */
static void region_invalidate(struct region_list *list)
{
	struct kvm *kvm = list->kvm;
	bool logged = false;
	struct region_op *op;

	for (op = list->ops; op < list->ops + list->nent; op++) {
		if (!region_leaves(op))
			continue;
		kvm_copy_memslot(op->invalid, op->old);
		op->invalid->flags |= KVM_MEMSLOT_INVALID;
		kvm_replace_memslot(kvm, op->old, op->invalid);
		logged |= op->old->dirty_bitmap || kvm_slot_dirty_track_enabled(op->old);
	}

	/* Drops slots_arch_lock. */
	kvm_swap_active_memslots(kvm, list->as_id);

	region_zap(list);
	kvm_arch_guest_memory_reclaimed(kvm);
	if (logged)
		region_drain_cpu_logs(kvm);

	mutex_lock(&kvm->slots_arch_lock);
	for (op = list->ops; op < list->ops + list->nent; op++)
		if (region_leaves(op))
			op->old->arch = op->invalid->arch;
}

/*
 * Make the inactive set what the list asks for; where something left, it holds
 * @invalid if the first swap has reached it, else the old slot. What leaves goes
 * before anything arrives in its place.
 */
static void region_replace(struct region_list *list, bool invalid)
{
	struct kvm *kvm = list->kvm;
	struct region_op *op;

	for (op = list->ops; op < list->ops + list->nent; op++)
		if (region_leaves(op))
			kvm_replace_memslot(kvm, invalid ? op->invalid : op->old, NULL);

	for (op = list->ops; op < list->ops + list->nent; op++)
		if (op->new)
			kvm_replace_memslot(kvm, region_leaves(op) ? NULL : op->old, op->new);
}

/* Undo region_invalidate(). Drops slots_arch_lock. */
static void region_revalidate(struct region_list *list)
{
	struct region_op *op;

	/* The inactive set still has the old slots. */
	kvm_swap_active_memslots(list->kvm, list->as_id);

	for (op = list->ops; op < list->ops + list->nent; op++)
		if (region_leaves(op))
			kvm_replace_memslot(list->kvm, op->invalid, op->old);
}

/* The dirty bits of a deleted slot, which nobody can reach any more. */
static int region_move_dirty_bits(struct region_list *list, const struct region_op *op)
{
	struct kvm_memslots *slots = __kvm_memslots(list->kvm, list->as_id);
	unsigned long *bits = op->old->dirty_bitmap;
	struct kvm_memory_slot *slot = NULL;
	unsigned long page;
	gfn_t gfn;

	for_each_set_bit(page, bits, op->old->npages) {
		gfn = op->old->base_gfn + page;
		if (!slot || gfn < slot->base_gfn || gfn - slot->base_gfn >= slot->npages)
			slot = __gfn_to_memslot(slots, gfn);
		if (!slot || !slot->dirty_bitmap)
			continue;
		set_bit_le(gfn - slot->base_gfn, slot->dirty_bitmap);
		clear_bit_le(page, bits);
	}

	if (!op->user.dirty_bitmap)
		return 0;

	return copy_to_user(u64_to_user_ptr(op->user.dirty_bitmap), bits,
			    kvm_dirty_bitmap_bytes(op->old)) ? -EFAULT : 0;
}

void kvm_region_list_protect_all(struct kvm *kvm)
{
	if (kvm->region_list_commits)
		kvm->region_list_protects = true;
	else
		kvm_protect_all(kvm);
}

static int region_commit(struct region_list *list)
{
	struct region_op *op;
	int r = 0;

	for (op = list->ops; op < list->ops + list->nent; op++)
		if (op->change == KVM_MR_DELETE && op->old->dirty_bitmap)
			r = region_move_dirty_bits(list, op) ?: r;

	/* What goes comes last: the CPUs' logging must not end while a slot needs it. */
	list->kvm->region_list_commits = true;
	for (op = list->ops; op < list->ops + list->nent; op++)
		if (op->change != KVM_MR_DELETE)
			kvm_commit_memory_region(list->kvm, op->old, op->new, op->change);
	list->kvm->region_list_commits = false;
	if (list->kvm->region_list_protects)
		kvm_protect_all(list->kvm);
	list->kvm->region_list_protects = false;
	for (op = list->ops; op < list->ops + list->nent; op++)
		if (op->change == KVM_MR_DELETE)
			kvm_commit_memory_region(list->kvm, op->old, NULL, op->change);

	for (op = list->ops; op < list->ops + list->nent; op++)
		op->new = NULL;

	return r;
}

/* slots_lock is held; the list is valid, and its slots are allocated. */
static int region_apply(struct region_list *list)
{
	bool leaving = !bitmap_empty(list->leaves, KVM_MEM_SLOTS_NUM);
	struct kvm *kvm = list->kvm;
	int r;

	if (leaving)
		region_hold_vcpus(kvm);

	mutex_lock(&kvm->slots_arch_lock);
	if (leaving)
		region_invalidate(list);

	r = region_prepare(list);
	if (r) {
		if (leaving) {
			region_revalidate(list);
			region_release_vcpus(kvm);
		} else {
			mutex_unlock(&kvm->slots_arch_lock);
		}
		region_unprepare(list);
		return r;
	}

	/* The first swap left the old slots in the set that is inactive now. */
	region_replace(list, false);
	/* Drops slots_arch_lock. */
	kvm_swap_active_memslots(kvm, list->as_id);
	if (leaving)
		region_release_vcpus(kvm);
	region_replace(list, leaving);

	return region_commit(list);
}

static int region_list_set(struct region_list *list)
{
	struct kvm *kvm = list->kvm;
	struct region_op *op;
	int r;

	mutex_lock(&kvm->slots_lock);
	r = region_check(list) ?: region_allocate(list) ?: region_apply(list);
	mutex_unlock(&kvm->slots_lock);

	for (op = list->ops; op < list->ops + list->nent; op++) {
		kfree(op->invalid);
		kfree(op->new);
	}

	return r;
}

int kvm_vm_ioctl_set_region_list(struct kvm *kvm,
				 struct kvm_user_memory_region_list __user *argp)
{
	struct kvm_user_memory_region_op __user *entries;
	struct kvm_user_memory_region_list arg;
	struct region_list *list;
	int r;
	u32 i;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.reserved[0] || arg.reserved[1])
		return -EINVAL;
	if (arg.nent > REGION_LIST_MAX)
		return -E2BIG;
	if (!arg.nent)
		return 0;

	list = kvzalloc(sizeof(*list), GFP_KERNEL_ACCOUNT);
	if (!list)
		return -ENOMEM;
	list->kvm = kvm;
	list->nent = arg.nent;
	list->ops = kvcalloc(arg.nent, sizeof(*list->ops), GFP_KERNEL_ACCOUNT);
	r = -ENOMEM;
	if (!list->ops)
		goto out;

	entries = u64_to_user_ptr(arg.entries);
	r = -EFAULT;
	for (i = 0; i < arg.nent; i++)
		if (copy_from_user(&list->ops[i].user, entries + i, sizeof(*entries)))
			goto out;

	r = region_list_set(list);
	/* Where the index cannot be told, the error still is. */
	if (r)
		(void)put_user((u64)list->bad, &argp->reserved[0]);
out:
	kvfree(list->ops);
	kvfree(list);
	return r;
}
