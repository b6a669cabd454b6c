// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_GET_MEMTYPE: what KVM does for one guest page, and why. Changes nothing but
 * the VMM's own mapping, into which it faults the page, as a guest access would.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dmabuf_memtype.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <uapi/linux/kvm_dmabuf.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_iter.h"

#include "kvm_dmabuf.h"
#include "kvm_memtype.h"

/*
 * The present leaf for @gfn outside SMM, if there is one. Only the TDP MMU can be
 * asked without a vCPU: with kvm.tdp_mmu=0 the answer is always "none".
 */
static bool memtype_find_leaf(struct kvm *kvm, gfn_t gfn, u64 *leaf)
{
	struct kvm_mmu_page *root;
	struct tdp_iter iter;
	bool found = false;

	if (!tdp_mmu_enabled)
		return false;

	guard(read_lock)(&kvm->mmu_lock);
	guard(rcu)();

	list_for_each_entry_rcu(root, &kvm->arch.tdp_mmu_roots, link) {
		if (root->role.invalid || kvm_mmu_page_as_id(root))
			continue;
		for_each_tdp_pte(iter, root, gfn, gfn + 1) {
			if (!is_shadow_present_pte(iter.old_spte) ||
			    !is_last_spte(iter.old_spte, iter.level))
				continue;
			*leaf = iter.old_spte;
			found = true;
		}
	}

	return found;
}

/*
 * Type of the caller's mapping at @hva, and the rule that an unbound page there
 * has. -EADDRNOTAVAIL: nothing is mapped; or why the page cannot be had.
 */
static int memtype_of_host(unsigned long hva, enum kvm_memtype_leaf *leaf, bool *mmio)
{
	struct mm_struct *mm = current->mm;
	struct follow_pfnmap_args args;
	struct vm_area_struct *vma;
	int memtype;

	*leaf = KVM_MEMTYPE_LEAF_STOCK;
	*mmio = false;

	mmap_read_lock(mm);
	do {
		vma = vma_lookup(mm, hva);
		memtype = vma ? dmabuf_memtype_of_mapping(vma, hva, true) : -EADDRNOTAVAIL;
	} while (memtype == -EAGAIN && !signal_pending(current));

	if (memtype >= 0 && vma->vm_flags & (VM_IO | VM_PFNMAP)) {
		args = (struct follow_pfnmap_args){ .vma = vma, .address = hva };
		if (!follow_pfnmap_start(&args)) {
			*leaf = kvm_memtype_leaf_from_host(vma, &args);
			*mmio = kvm_is_mmio_pfn(args.pfn);
			follow_pfnmap_end(&args);
		}
	}
	mmap_read_unlock(mm);

	return memtype;
}

/* What stock KVM puts into a leaf: vmx_get_mt_mask(), and WB on SVM. */
static int memtype_of_stock_leaf(struct kvm *kvm, bool mmio, bool *ignores_guest_pat)
{
	*ignores_guest_pat = false;
	if (!shadow_memtype_mask)
		return DMABUF_MEMTYPE_WB;
	if (mmio)
		return DMABUF_MEMTYPE_UC;
	*ignores_guest_pat = !kvm_arch_has_noncoherent_dma(kvm) &&
			     kvm_mmu_may_ignore_guest_pat(kvm);
	return DMABUF_MEMTYPE_WB;
}

int kvm_vm_ioctl_get_memtype(struct kvm *kvm, void __user *argp)
{
	enum kvm_memtype_leaf leaf;
	bool mmio, stale, ignores;
	struct kvm_memtype arg;
	unsigned long hva;
	int memtype;
	u64 spte;
	int idx;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (memchr_inv(arg.reserved, 0, sizeof(arg.reserved)))
		return -EINVAL;
	if (!tdp_enabled)
		return -EOPNOTSUPP;

	idx = srcu_read_lock(&kvm->srcu);
	hva = gfn_to_hva_prot(kvm, gpa_to_gfn(arg.guest_phys_addr), NULL);
	srcu_read_unlock(&kvm->srcu, idx);
	if (kvm_is_error_hva(hva))
		return -ENXIO;

	arg.flags = 0;
	memtype = memtype_of_host(hva, &leaf, &mmio);
	if (kvm_dmabuf_query(kvm, hva, &arg.host_memtype, &stale)) {
		arg.flags |= KVM_MEMTYPE_BOUND | (stale ? KVM_MEMTYPE_STALE : 0);
		leaf = kvm_memtype_leaf_for(arg.host_memtype);
	} else if (leaf != KVM_MEMTYPE_LEAF_STOCK) {
		arg.flags |= KVM_MEMTYPE_FROM_HOST;
	}

	/* The mapping's own type: that of a stale binding may be another. */
	if (memtype >= 0)
		arg.host_memtype = memtype;
	else if (!(arg.flags & KVM_MEMTYPE_BOUND))
		return memtype;

	if (memtype_find_leaf(kvm, gpa_to_gfn(arg.guest_phys_addr), &spte)) {
		arg.flags |= KVM_MEMTYPE_MAPPED;
		arg.leaf_memtype = kvm_memtype_of_leaf(spte, &ignores);
	} else if (leaf != KVM_MEMTYPE_LEAF_STOCK) {
		arg.leaf_memtype = leaf == KVM_MEMTYPE_LEAF_WC ? DMABUF_MEMTYPE_WC :
								 DMABUF_MEMTYPE_UC;
		ignores = false;
	} else {
		arg.leaf_memtype = memtype_of_stock_leaf(kvm, mmio, &ignores);
	}
	if (ignores)
		arg.flags |= KVM_MEMTYPE_IGNORES_GUEST_PAT;

	return copy_to_user(argp, &arg, sizeof(arg)) ? -EFAULT : 0;
}
