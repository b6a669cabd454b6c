/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM_SET_USER_MEMORY_REGION_LIST: several changes of the memslots at once. Called by
 * the ioctl dispatcher in kvm_dmabuf_ioctl.c and by KVM (hooks); uses the steps of which
 * virt/kvm/kvm_main.c makes one change.
 */
#ifndef __KVM_X86_KVM_REGION_LIST_H
#define __KVM_X86_KVM_REGION_LIST_H

#include <linux/kvm_host.h>
#include <uapi/linux/kvm_dmabuf.h>

int kvm_vm_ioctl_set_region_list(struct kvm *kvm,
				 struct kvm_user_memory_region_list __user *argp);

/*
 * The vCPU has left the guest, is in its SRCU section, and may sleep: wait while a list
 * swaps memslots. kvm_srcu_read_lock() in linux/kvm_host.h is for the other sections.
 */
void kvm_region_list_wait_exit(struct kvm_vcpu *vcpu);

static inline void kvm_region_list_exit(struct kvm_vcpu *vcpu)
{
	if (unlikely(READ_ONCE(vcpu->kvm->slots_in_flux)))
		kvm_region_list_wait_exit(vcpu);
}

/* A slot's log is on: kvm_protect_all(), but once for all slots of a list. */
void kvm_region_list_protect_all(struct kvm *kvm);

/* virt/kvm/kvm_main.c */
int check_memory_region_flags(struct kvm *kvm, const struct kvm_userspace_memory_region2 *mem);
void kvm_replace_memslot(struct kvm *kvm, struct kvm_memory_slot *old,
			 struct kvm_memory_slot *new);
void kvm_copy_memslot(struct kvm_memory_slot *dest, const struct kvm_memory_slot *src);
void kvm_swap_active_memslots(struct kvm *kvm, int as_id);
int kvm_prepare_memory_region(struct kvm *kvm, const struct kvm_memory_slot *old,
			      struct kvm_memory_slot *new, enum kvm_mr_change change);
void kvm_commit_memory_region(struct kvm *kvm, struct kvm_memory_slot *old,
			      const struct kvm_memory_slot *new, enum kvm_mr_change change);
void kvm_free_memslot(struct kvm *kvm, struct kvm_memory_slot *slot);

#endif /* __KVM_X86_KVM_REGION_LIST_H */
