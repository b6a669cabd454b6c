/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM_GET_MAPPED_LOG. Called by the ioctl dispatcher in kvm_dmabuf_ioctl.c. */
#ifndef __KVM_X86_KVM_MAPPED_LOG_H
#define __KVM_X86_KVM_MAPPED_LOG_H

#include <linux/kvm_host.h>

/* struct kvm_dirty_log: a bit for each page of the slot, set where it is mapped. */
int kvm_vm_ioctl_get_mapped_log(struct kvm *kvm, void __user *argp);

#endif /* __KVM_X86_KVM_MAPPED_LOG_H */
