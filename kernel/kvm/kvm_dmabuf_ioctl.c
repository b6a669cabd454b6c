// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM ioctls that this KVM has and the stock one has not: which file does which, and
 * what KVM_CAP_DMA_BUF says of them. Called by KVM (hooks).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_host.h>
#include <uapi/linux/kvm_dmabuf.h>

#include "mmu.h"

#include "kvm_dmabuf.h"
#include "kvm_mapped_log.h"
#include "kvm_memtype.h"
#include "kvm_protect_all.h"
#include "kvm_region_list.h"

int kvm_dmabuf_vm_ioctl(struct kvm *kvm, unsigned int ioctl, void __user *argp)
{
	switch (ioctl) {
	case KVM_SET_DMA_BUF:
		return kvm_vm_ioctl_set_dma_buf(kvm, argp);
	case KVM_GET_MEMTYPE:
		return kvm_vm_ioctl_get_memtype(kvm, argp);
	case KVM_SET_USER_MEMORY_REGION_LIST:
		return kvm_vm_ioctl_set_region_list(kvm, argp);
	case KVM_GET_MAPPED_LOG:
		return kvm_vm_ioctl_get_mapped_log(kvm, argp);
	case KVM_WRITE_PROTECT_ALL_MEM:
		return kvm_vm_ioctl_protect_all(kvm);
	default:
		return -ENOTTY;
	}
}

int kvm_dmabuf_capabilities(void)
{
	if (!tdp_enabled)
		return 0;

	return KVM_DMA_BUF_HAS_BIND | KVM_DMA_BUF_HAS_MEMTYPE | KVM_DMA_BUF_HAS_REGION_LIST |
	       KVM_DMA_BUF_HAS_WRITE_PROTECT_ALL | KVM_DMA_BUF_HAS_MAPPED_LOG;
}
