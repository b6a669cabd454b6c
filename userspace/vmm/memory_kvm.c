// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM's memslot ioctls; see memory_kvm.h. */
#include "vmm/memory_kvm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_dmabuf.h>
#include <sys/ioctl.h>

bool memory_kvm__has_lists(int vm_fd)
{
	int has = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF);

	return has > 0 && (has & KVM_DMA_BUF_HAS_REGION_LIST);
}

uint32_t memory_kvm__max_slots(int vm_fd)
{
	int nr = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);

	/* What a KVM that does not say so has. */
	return nr > 0 ? nr : 32;
}

int memory_kvm__set_slot(int vm_fd, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
			 void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

int memory_kvm__set_list(int vm_fd, const struct kvm_user_memory_region_op *ops, uint32_t nr,
			 uint64_t *bad)
{
	/* The kernel leaves the index alone where the error is none of an entry. */
	struct kvm_user_memory_region_list list = {
		.nent = nr,
		.entries = (uintptr_t)ops,
	};

	if (ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION_LIST, &list) == 0)
		return 0;
	*bad = list.reserved[0];
	return -errno;
}

int memory_kvm__get_log(int vm_fd, uint32_t slot, uint64_t *bitmap)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bitmap };

	return ioctl(vm_fd, KVM_GET_DIRTY_LOG, &log) < 0 ? -errno : 0;
}
