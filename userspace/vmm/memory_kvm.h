/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ioctls by which memslots change, for memory_transaction.c; in a file of their own
 * so that its test can put another KVM in their place.
 */
#ifndef VMM_MEMORY_KVM_H
#define VMM_MEMORY_KVM_H

#include <stdbool.h>
#include <stdint.h>

struct kvm_user_memory_region_op;

/* Does this KVM have KVM_SET_USER_MEMORY_REGION_LIST? */
bool memory_kvm__has_lists(int vm_fd);

/* How many slots a VM can have. */
uint32_t memory_kvm__max_slots(int vm_fd);

/* KVM_SET_USER_MEMORY_REGION; @size 0 deletes. -errno. */
int memory_kvm__set_slot(int vm_fd, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
			 void *hva);

/* KVM_SET_USER_MEMORY_REGION_LIST: -errno, with @bad the index of the entry that it is about. */
int memory_kvm__set_list(int vm_fd, const struct kvm_user_memory_region_op *ops, uint32_t nr,
			 uint64_t *bad);

/* KVM_GET_DIRTY_LOG: -errno. */
int memory_kvm__get_log(int vm_fd, uint32_t slot, uint64_t *bitmap);

#endif /* VMM_MEMORY_KVM_H */
