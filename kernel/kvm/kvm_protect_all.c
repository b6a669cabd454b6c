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
 *
 * TLBs: pushing changes leaves, dirty bits too, without a flush of its own. A CPU goes on
 * writing unlogged while it caches a translation that lets writes through, with the dirty
 * flag set (SDM vol. 3C, "Accessed and Dirty Flags for EPT"). The flush of protecting ends
 * all of these, and none comes back before the push is done: until then an entry above is
 * read-only, so what is cached is read-only; a write through that faults, which drops it,
 * and the walk after the fault finds the leaf as the push left it, because the entry above
 * is made writable last. A push between the change of the roots and the flush may meet a
 * CPU with an older translation. What that writes comes before the call returns, to a page
 * that was logged since the call before this one: it is in what the caller has taken, or
 * will be in what it takes next.
 *
 * Dirty bits that are cleared are not handed on to the pages: make_spte() has marked those
 * when it made the leaf, and nobody cleans a page without zapping the leaf first.
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

/*
 * Protect @n leaves, which map pages of one logged slot, by @mask. Nearly all that a
 * push costs is spent here: 512 times for each table of the last level.
 *
 * Leaves that are not writable are left alone: a write to them faults, and is logged
 * then; with the dirty bit cleared, too, it would be logged twice.
 */
static void protect_leaves(u64 *sptep, int n, u64 mask, int as_id, gfn_t gfn, int level)
{
	const u64 need = SPTE_MMU_PRESENT_MASK | PT_WRITABLE_MASK | mask;
	u64 old;
	int i;

	for (i = 0; i < n; i++) {
		old = READ_ONCE(sptep[i]);
		while ((old & need) == need) {
			if (!try_cmpxchg64(&sptep[i], &old, old & ~mask))
				continue;
			trace_kvm_tdp_mmu_spte_changed(as_id, gfn + i * KVM_PAGES_PER_HPAGE(level),
						       level, old, old & ~mask);
			break;
		}
	}
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
	struct kvm_memory_slot *slot;
	u64 spte;
	gfn_t at;
	int i, n;

	for (i = 0; i < SPTE_ENT_PER_PAGE; i += n) {
		n = 1;
		spte = READ_ONCE(table[i]);
		if (!is_shadow_present_pte(spte))
			continue;
		if (!is_last_spte(spte, level)) {
			protect_entry(&table[i], PT_WRITABLE_MASK);
			continue;
		}

		at = gfn + i * KVM_PAGES_PER_HPAGE(level);
		slot = __gfn_to_memslot(slots, at);
		if (!slot)
			continue;
		/* All entries of the last level are leaves: those of a slot in one go. */
		if (level == PG_LEVEL_4K)
			n = min_t(u64, SPTE_ENT_PER_PAGE - i, slot->base_gfn + slot->npages - at);
		/* A large leaf may have become a table by now, which is as good. */
		if (kvm_slot_dirty_track_enabled(slot))
			protect_leaves(&table[i], n, leaf_mask, as_id, at, level);
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
