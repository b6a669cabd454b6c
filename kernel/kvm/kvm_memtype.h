/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which memory type an EPT/NPT leaf gets. Called by KVM's fault path (hooks)
 * and by kvm_dmabuf.c.
 */
#ifndef __KVM_X86_KVM_MEMTYPE_H
#define __KVM_X86_KVM_MEMTYPE_H

#include <linux/types.h>

struct follow_pfnmap_args;
struct kvm;
struct kvm_page_fault;
struct vm_area_struct;

/*
 * Rule for one leaf. STOCK is 0, so that a fault that nobody told anything
 * about gets what KVM gives it without us.
 */
enum kvm_memtype_leaf {
	KVM_MEMTYPE_LEAF_STOCK,
	KVM_MEMTYPE_LEAF_UC,
	KVM_MEMTYPE_LEAF_WC,
};

/*
 * The one rule, for bound and for unbound pages: a page that the host maps UC
 * or WC gets a leaf of that type that honours the guest's PAT, any other page
 * keeps the stock leaf. @host_memtype: DMABUF_MEMTYPE_*.
 */
enum kvm_memtype_leaf kvm_memtype_leaf_for(int host_memtype);

u64 __kvm_memtype_set_leaf(u64 spte, enum kvm_memtype_leaf leaf);

/* The leaf @spte with the memory type that @leaf asks for. */
static inline u64 kvm_memtype_set_leaf(u64 spte, enum kvm_memtype_leaf leaf)
{
	return likely(leaf == KVM_MEMTYPE_LEAF_STOCK) ? spte : __kvm_memtype_set_leaf(spte, leaf);
}

/* @new_spte with @old_spte's memory type; both map the same frame. */
u64 kvm_memtype_keep_leaf(u64 old_spte, u64 new_spte);

/* Type and ignore-PAT of a present leaf: DMABUF_MEMTYPE_*. */
int kvm_memtype_of_leaf(u64 spte, bool *ignores_guest_pat);

/* Whether the unbound rule gives this mapping's frame another leaf than stock. */
enum kvm_memtype_leaf kvm_memtype_leaf_from_host(struct vm_area_struct *vma,
						 struct follow_pfnmap_args *args);

/*
 * The frame lookup of the fault that the running vCPU handles has found @args:
 * note the leaf rule in the fault. A lookup for any other purpose is ignored.
 */
void kvm_memtype_note_host(struct vm_area_struct *vma, struct follow_pfnmap_args *args);

/* KVM_GET_MEMTYPE */
int kvm_vm_ioctl_get_memtype(struct kvm *kvm, void __user *argp);

#endif /* __KVM_X86_KVM_MEMTYPE_H */
