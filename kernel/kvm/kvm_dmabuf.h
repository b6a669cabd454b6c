/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA-bufs bound to ranges of guest memory. Called by KVM (hooks).
 *
 * kvm->dmabuf is NULL until the first bind: a VM without bindings pays one load
 * and one branch.
 */
#ifndef __KVM_X86_KVM_DMABUF_H
#define __KVM_X86_KVM_DMABUF_H

#include <linux/kvm_host.h>
#include <linux/rbtree.h>
#include <uapi/linux/kvm_dmabuf.h>

struct kvm_page_fault;
struct mmu_notifier_range;

/* Bindings of one VM. Lives from the first bind to the end of the VM. */
struct kvm_dmabuf {
	rwlock_t lock;
	struct rb_root_cached bindings;		/* by hva, not overlapping */
	/* Where bindings are or have been: slots elsewhere need no look at the tree. */
	unsigned long first, last;
};

/*
 * Can a page of @slot be bound? Not locked: a bind that this misses zaps later,
 * and the fault is retried.
 */
static inline bool kvm_dmabuf_may_cover(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	const struct kvm_dmabuf *d = READ_ONCE(kvm->dmabuf);

	return unlikely(d) && slot->userspace_addr <= READ_ONCE(d->last) &&
	       slot->userspace_addr + slot->npages * PAGE_SIZE > READ_ONCE(d->first);
}

/* kvm_dmabuf_ioctl.c: VM ioctls with our own magic; -ENOTTY: not ours. */
int kvm_dmabuf_vm_ioctl(struct kvm *kvm, unsigned int ioctl, void __user *argp);

/* kvm_dmabuf_ioctl.c: mask of KVM_DMA_BUF_HAS_*, for KVM_CAP_DMA_BUF. */
int kvm_dmabuf_capabilities(void);

/* KVM_SET_DMA_BUF */
int kvm_vm_ioctl_set_dma_buf(struct kvm *kvm, struct kvm_dma_buf __user *argp);

/*
 * Look up the frame of a bound page. RET_PF_INVALID: take the stock lookup, the
 * page is not bound, or bound to pages that have references. RET_PF_CONTINUE:
 * found. -EFAULT: the binding does not hold, KVM_EXIT_MEMORY_FAULT is prepared.
 * May sleep.
 */
int kvm_dmabuf_faultin_pfn(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault);

/*
 * The host mapping of @range is about to change, and has changed: MMU notifier.
 * Slots do not change in between.
 */
void kvm_dmabuf_invalidate_start(struct kvm *kvm, const struct mmu_notifier_range *range);
void kvm_dmabuf_invalidate_end(struct kvm *kvm, const struct mmu_notifier_range *range);

/* @slot is gone from the active set; slots_lock is held. */
void kvm_dmabuf_slot_deleted(struct kvm *kvm, const struct kvm_memory_slot *slot);

/* Nobody can reach the VM any more, and it maps nothing. */
void kvm_dmabuf_destroy_vm(struct kvm *kvm);

int kvm_dmabuf_init(void);
void kvm_dmabuf_exit(void);

/* Host type and state of the binding that covers @hva; false: there is none. */
bool kvm_dmabuf_query(struct kvm *kvm, unsigned long hva, u32 *memtype, bool *stale);

#endif /* __KVM_X86_KVM_DMABUF_H */
