// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory type of EPT and NPT leaves: the decision, and its encoding.
 *
 * The leaf is a floor. With a UC or WC leaf no guest PAT value makes an access
 * cacheable (SDM vol. 3A, table "Effective Page-Level Memory Types", with the
 * EPT type in place of the MTRR's as of vol. 3C, 29.3.7.2; APM vol. 2, table
 * "Combining Guest and Host PAT Types"), so no line of such a page enters a
 * cache, whatever the guest does.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-buf.h>
#include <linux/dmabuf_memtype.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>

#include <asm/pgtable_types.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"

#include "kvm_memtype.h"

static bool memtype_from_host = true;
module_param(memtype_from_host, bool, 0444);
MODULE_PARM_DESC(memtype_from_host,
		 "Give pages that the host maps UC or WC a leaf of that type (default: 1; 0: stock leaf, KVM_SET_DMA_BUF aside)");

enum kvm_memtype_leaf kvm_memtype_leaf_for(int host_memtype)
{
	switch (host_memtype) {
	case DMABUF_MEMTYPE_UC:
		return KVM_MEMTYPE_LEAF_UC;
	case DMABUF_MEMTYPE_WC:
		return KVM_MEMTYPE_LEAF_WC;
	default:
		return KVM_MEMTYPE_LEAF_STOCK;
	}
}

/*
 * EPT leaves carry a type of their own (SDM vol. 3C, table "Format of an EPT
 * Page-Table Entry that Maps a 4-KByte Page": bits 5:3, and ignore-PAT in bit
 * 6, both in shadow_memtype_mask). NPT leaves select an entry of the host's PAT
 * (APM vol. 2, "Nested Paging and Memory Types"); WC and UC are below index 4,
 * so the PAT bit, whose place depends on the page size, is never needed.
 */
static u64 memtype_leaf_mask(void)
{
	return shadow_memtype_mask ? shadow_memtype_mask : _PAGE_PWT | _PAGE_PCD;
}

u64 __kvm_memtype_set_leaf(u64 spte, enum kvm_memtype_leaf leaf)
{
	u64 bits;

	if (shadow_memtype_mask)
		bits = (u64)(leaf == KVM_MEMTYPE_LEAF_WC ? DMABUF_MEMTYPE_WC :
			     DMABUF_MEMTYPE_UC) << VMX_EPT_MT_EPTE_SHIFT;
	else
		bits = cachemode2protval(leaf == KVM_MEMTYPE_LEAF_WC ? _PAGE_CACHE_MODE_WC :
					 _PAGE_CACHE_MODE_UC);

	return (spte & ~memtype_leaf_mask()) | bits;
}

u64 kvm_memtype_keep_leaf(u64 old_spte, u64 new_spte)
{
	u64 mask = memtype_leaf_mask();

	/* Without TDP these bits are the guest's own. */
	if (!tdp_enabled)
		return new_spte;

	return (new_spte & ~mask) | (old_spte & mask);
}

int kvm_memtype_of_leaf(u64 spte, bool *ignores_guest_pat)
{
	*ignores_guest_pat = false;

	if (shadow_memtype_mask) {
		*ignores_guest_pat = spte & VMX_EPT_IPAT_BIT;
		return (spte & VMX_EPT_MT_MASK) >> VMX_EPT_MT_EPTE_SHIFT;
	}

	return dmabuf_memtype_of_pgprot(__pgprot(spte & memtype_leaf_mask()), false);
}

enum kvm_memtype_leaf kvm_memtype_leaf_from_host(struct vm_area_struct *vma,
						 struct follow_pfnmap_args *args)
{
	enum kvm_memtype_leaf leaf;

	if (!memtype_from_host || !tdp_enabled)
		return KVM_MEMTYPE_LEAF_STOCK;

	/* A PMD or PUD has no PTE to lock; its PAT bit is elsewhere. */
	leaf = kvm_memtype_leaf_for(dmabuf_memtype_of_pgprot(args->pgprot, !args->ptep));
	if (leaf == KVM_MEMTYPE_LEAF_STOCK)
		return leaf;

	/* Device registers keep the stock leaf; video memory of a DMA-buf does not. */
	if (kvm_is_mmio_pfn(args->pfn) &&
	    !(vma->vm_file && file_inode(vma->vm_file)->i_sb->s_magic == DMA_BUF_MAGIC))
		return KVM_MEMTYPE_LEAF_STOCK;

	return leaf;
}

void kvm_memtype_note_host(struct vm_area_struct *vma, struct follow_pfnmap_args *args)
{
	struct kvm_vcpu *vcpu = kvm_get_running_vcpu();

	if (vcpu && vcpu->faultin)
		vcpu->faultin->leaf = kvm_memtype_leaf_from_host(vma, args);
}
