// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_WRITE_PROTECT_ALL_MEM: see kvm_protect_all.h.
 *
 * EPT and NPT let a write through only if every entry of the walk does (SDM vol.
 * 3C, "EPT Translation Mechanism"; APM vol. 2, "Nested Paging"). So protecting all
 * of the VM is clearing the writable bit in the entries of each root, at most 512,
 * and one TLB flush. A write fault below such an entry pushes the protection down
 * one table: all entries of the next table are protected, then the one above is made
 * writable again; at the last level what is protected are the leaves of logged slots,
 * by their writable bit, or by their dirty bit where the CPU logs dirty pages (PML).
 *
 * mmu_lock: protecting writes it, for as long as a root has entries. Pushing reads
 * it, and so happens wholly before or wholly after: an entry that is made writable
 * again has, since the last protect, had all below it protected. Pushes of several
 * vCPUs may meet in one table; the later one protects again what the earlier one has
 * already let through, which costs a fault and loses nothing, because it was logged.
 *
 * Entries that appear meanwhile need no care: a leaf in a logged slot is logged when it
 * is made writable, a table that splits a large leaf inherits its writable bit.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_host.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"
#include "mmu/mmutrace.h"

#include "kvm_protect_all.h"

/* Clear @mask in a present entry that may change at the same time; returns what it was. */
static u64 protect_entry(u64 *sptep, u64 mask)
{
	u64 old = READ_ONCE(*sptep);

	while (is_shadow_present_pte(old) && (old & mask))
		if (try_cmpxchg64(sptep, &old, old & ~mask))
			break;

	return old;
}

/* Tables that the TDP MMU does not own: shadow paging, nested guests. */
static void protect_rmaps(struct kvm *kvm)
{
	struct kvm_memory_slot *slot;
	int as_id, bkt;

	for (as_id = 0; as_id < kvm_arch_nr_memslot_as_ids(kvm); as_id++) {
		kvm_for_each_memslot(slot, bkt, __kvm_memslots(kvm, as_id)) {
			if (!kvm_slot_dirty_track_enabled(slot))
				continue;
			if (kvm_x86_ops.cpu_dirty_log_size) {
				kvm_mmu_slot_leaf_clear_dirty(kvm, slot);
				kvm_mmu_slot_remove_write_access(kvm, slot, PG_LEVEL_2M);
			} else {
				kvm_mmu_slot_remove_write_access(kvm, slot, PG_LEVEL_4K);
			}
		}
	}
}

void kvm_protect_all(struct kvm *kvm)
{
	struct kvm_mmu_page *root;
	int i;

	lockdep_assert_held(&kvm->slots_lock);

	/* Before the first entry is protected: a fault there must find it set. */
	WRITE_ONCE(kvm->protect_all, true);

	if (tdp_mmu_enabled) {
		write_lock(&kvm->mmu_lock);
		list_for_each_entry(root, &kvm->arch.tdp_mmu_roots, link)
			for (i = 0; i < SPTE_ENT_PER_PAGE; i++)
				protect_entry(root->spt + i, PT_WRITABLE_MASK);
		write_unlock(&kvm->mmu_lock);
	}

	if (kvm_memslots_have_rmaps(kvm))
		protect_rmaps(kvm);

	kvm_flush_remote_tlbs(kvm);
}

int kvm_vm_ioctl_protect_all(struct kvm *kvm)
{
	mutex_lock(&kvm->slots_lock);
	kvm_protect_all(kvm);
	mutex_unlock(&kvm->slots_lock);
	return 0;
}

static u64 *child_table(u64 spte, int level)
{
	tdp_ptep_t table = spte_to_child_pt(spte, level);

	return rcu_dereference(table);
}

/* Is every table entry above @gfn's leaf writable? RCU is held. */
static bool path_is_writable(struct kvm_mmu_page *root, gfn_t gfn)
{
	u64 *table = root->spt;
	int level;
	u64 spte;

	for (level = root->role.level; level > PG_LEVEL_4K; level--) {
		spte = READ_ONCE(table[SPTE_INDEX(gfn << PAGE_SHIFT, level)]);
		if (!is_shadow_present_pte(spte) || is_last_spte(spte, level))
			return true;
		if (!is_writable_pte(spte))
			return false;
		table = child_table(spte, level);
	}

	return true;
}

/* Protect what @table maps, @level its entries' level, @gfn of the first one. */
static void protect_table(struct kvm *kvm, struct kvm_mmu_page *root, u64 *table, int level,
			  gfn_t gfn)
{
	int as_id = kvm_mmu_page_as_id(root);
	bool pml = level == PG_LEVEL_4K && kvm_x86_ops.cpu_dirty_log_size &&
		   kvm_ad_enabled() && !kvm_mmu_page_ad_need_write_protect(root);
	u64 leaf_mask = pml ? shadow_dirty_mask : PT_WRITABLE_MASK;
	struct kvm_memslots *slots = __kvm_memslots(kvm, as_id);
	struct kvm_memory_slot *slot = NULL;
	u64 old;
	int i;

	for (i = 0; i < SPTE_ENT_PER_PAGE; i++, gfn += KVM_PAGES_PER_HPAGE(level)) {
		old = READ_ONCE(table[i]);
		if (!is_shadow_present_pte(old))
			continue;
		if (!is_last_spte(old, level)) {
			protect_entry(&table[i], PT_WRITABLE_MASK);
			continue;
		}

		/* A write faults and is logged then; a dirty bit cleared, too, would log twice. */
		if (!is_writable_pte(old))
			continue;
		if (!slot || gfn < slot->base_gfn || gfn - slot->base_gfn >= slot->npages)
			slot = __gfn_to_memslot(slots, gfn);
		if (!slot || !kvm_slot_dirty_track_enabled(slot))
			continue;

		/* A large leaf may have become a table by now, which is as good. */
		old = protect_entry(&table[i], leaf_mask);
		if (!is_shadow_present_pte(old) || !(old & leaf_mask))
			continue;
		trace_kvm_tdp_mmu_spte_changed(as_id, gfn, level, old, old & ~leaf_mask);
		if (is_dirty_spte(old) && !is_dirty_spte(old & ~leaf_mask))
			kvm_set_pfn_dirty(spte_to_pfn(old));
	}
}

/* Make the table entry @sptep writable if it still leads to the same table. */
static bool allow_writes(u64 *sptep, u64 spte)
{
	u64 old = spte;

	while (!try_cmpxchg64(sptep, &old, old | PT_WRITABLE_MASK))
		if (!is_shadow_present_pte(old) || spte_to_pfn(old) != spte_to_pfn(spte))
			return false;

	return true;
}

static void push_down(struct kvm *kvm, struct kvm_mmu_page *root, gfn_t gfn)
{
	u64 *table = root->spt;
	u64 *sptep, spte;
	int level;

	for (level = root->role.level; level > PG_LEVEL_4K; level--) {
		sptep = &table[SPTE_INDEX(gfn << PAGE_SHIFT, level)];
		spte = READ_ONCE(*sptep);
		if (!is_shadow_present_pte(spte) || is_last_spte(spte, level))
			return;
		table = child_table(spte, level);
		if (is_writable_pte(spte))
			continue;
		protect_table(kvm, root, table, level - 1, gfn_round_for_level(gfn, level));
		/* Else somebody took the table away: the next fault finds what is there. */
		if (!allow_writes(sptep, spte))
			return;
	}
}

void kvm_protect_all_push_down(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	struct kvm_mmu_page *root = root_to_sp(vcpu->arch.mmu->root.hpa);
	struct kvm *kvm = vcpu->kvm;
	bool writable;

	if (WARN_ON_ONCE(!root || !is_tdp_mmu_page(root)))
		return;

	rcu_read_lock();
	writable = path_is_writable(root, gfn);
	rcu_read_unlock();
	if (writable)
		return;

	guard(read_lock)(&kvm->mmu_lock);
	guard(rcu)();
	push_down(kvm, root, gfn);
}
