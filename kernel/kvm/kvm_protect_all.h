/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM_WRITE_PROTECT_ALL_MEM: write tracking of the whole VM re-armed in constant
 * time. Called by KVM (hooks) and by the ioctl dispatcher in kvm_dmabuf_ioctl.c.
 *
 * kvm->protect_all is set by the first call and stays: from then on nothing else
 * protects guest memory for dirty logging (dirty log, ring reset, enabling).
 */
#ifndef __KVM_X86_KVM_PROTECT_ALL_H
#define __KVM_X86_KVM_PROTECT_ALL_H

#include <linux/kvm_host.h>

struct kvm_page_fault;

/* Protect everything; the caller holds slots_lock. */
void kvm_protect_all(struct kvm *kvm);

/* KVM_WRITE_PROTECT_ALL_MEM */
int kvm_vm_ioctl_protect_all(struct kvm *kvm);

void kvm_protect_all_push_down(struct kvm_vcpu *vcpu, gfn_t gfn);

/*
 * The vCPU is about to handle a write fault: move the protection of the tables
 * above @gfn down to their other entries. After it the leaf alone decides.
 */
static inline void kvm_protect_all_fault(struct kvm_vcpu *vcpu, gfn_t gfn, bool write)
{
	if (unlikely(READ_ONCE(vcpu->kvm->protect_all)) && write)
		kvm_protect_all_push_down(vcpu, gfn);
}

#endif /* __KVM_X86_KVM_PROTECT_ALL_H */
