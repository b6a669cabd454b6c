// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_MAPPED_LOG: which pages of a slot second-stage tables map. Called by the
 * ioctl dispatcher in kvm_dmabuf_ioctl.c. Changes nothing.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compat.h>
#include <linux/kvm_host.h>
#include <linux/uaccess.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_iter.h"

#include "kvm_mapped_log.h"

/* Pages looked at between two chances for others. */
#define MAPPED_LOG_STEP	(1UL << 14)

/* Bits of [gfn, gfn + npages), as far as it is in the slot. */
static void mapped_log_set(const struct kvm_memory_slot *slot, unsigned long *bits, gfn_t gfn,
			   unsigned long npages)
{
	gfn_t first = max(gfn, slot->base_gfn);
	gfn_t end = min(gfn + npages, slot->base_gfn + slot->npages);

	if (first < end)
		bitmap_set(bits, first - slot->base_gfn, end - first);
}

static void mapped_log_tdp(struct kvm *kvm, const struct kvm_memory_slot *slot,
			   unsigned long *bits, gfn_t first, gfn_t end)
{
	struct kvm_mmu_page *root;
	struct tdp_iter iter;

	guard(read_lock)(&kvm->mmu_lock);
	guard(rcu)();

	list_for_each_entry_rcu(root, &kvm->arch.tdp_mmu_roots, link) {
		if (root->role.invalid || kvm_mmu_page_as_id(root) != slot->as_id)
			continue;
		for_each_tdp_pte(iter, root, first, end)
			if (is_shadow_present_pte(iter.old_spte) &&
			    is_last_spte(iter.old_spte, iter.level))
				mapped_log_set(slot, bits, iter.gfn,
					       KVM_PAGES_PER_HPAGE(iter.level));
	}
}

/* Shadow paging and nested guests. */
static void mapped_log_rmaps(struct kvm *kvm, const struct kvm_memory_slot *slot,
			     unsigned long *bits, gfn_t first, gfn_t end)
{
	const struct kvm_rmap_head *heads;
	gfn_t gfn, in_slot;
	int level;

	guard(write_lock)(&kvm->mmu_lock);

	for (level = PG_LEVEL_4K; level <= KVM_MAX_HUGEPAGE_LEVEL; level++) {
		heads = slot->arch.rmap[level - PG_LEVEL_4K];
		for (gfn = gfn_round_for_level(first, level); gfn < end;
		     gfn += KVM_PAGES_PER_HPAGE(level)) {
			in_slot = max(gfn, slot->base_gfn);
			if (heads[gfn_to_index(in_slot, slot->base_gfn, level)].val)
				mapped_log_set(slot, bits, gfn, KVM_PAGES_PER_HPAGE(level));
		}
	}
}

/* slots_lock is held. */
static int mapped_log_get(struct kvm *kvm, const struct kvm_dirty_log *log)
{
	int as_id = log->slot >> 16, id = (u16)log->slot;
	struct kvm_memory_slot *slot;
	unsigned long *bits;
	gfn_t gfn, end, stop;
	int r;

	if (as_id >= kvm_arch_nr_memslot_as_ids(kvm) || id >= KVM_USER_MEM_SLOTS)
		return -EINVAL;
	slot = id_to_memslot(__kvm_memslots(kvm, as_id), id);
	if (!slot)
		return -ENOENT;

	bits = kvzalloc(kvm_dirty_bitmap_bytes(slot), GFP_KERNEL_ACCOUNT);
	if (!bits)
		return -ENOMEM;

	end = slot->base_gfn + slot->npages;
	for (gfn = slot->base_gfn; gfn < end; gfn = stop) {
		stop = min(end, gfn + MAPPED_LOG_STEP);
		if (tdp_mmu_enabled)
			mapped_log_tdp(kvm, slot, bits, gfn, stop);
		if (kvm_memslots_have_rmaps(kvm))
			mapped_log_rmaps(kvm, slot, bits, gfn, stop);
		cond_resched();
	}

	r = copy_to_user(log->dirty_bitmap, bits, kvm_dirty_bitmap_bytes(slot)) ? -EFAULT : 0;
	kvfree(bits);
	return r;
}

int kvm_vm_ioctl_get_mapped_log(struct kvm *kvm, void __user *argp)
{
	struct kvm_dirty_log log;
	int r;

	if (copy_from_user(&log, argp, sizeof(log)))
		return -EFAULT;
	/* As KVM_GET_DIRTY_LOG: of the union's eight bytes, four are the pointer. */
	if (in_compat_syscall())
		log.dirty_bitmap = compat_ptr((compat_uptr_t)log.padding2);

	mutex_lock(&kvm->slots_lock);
	r = mapped_log_get(kvm, &log);
	mutex_unlock(&kvm->slots_lock);
	return r;
}
