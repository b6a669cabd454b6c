/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's memslots for tests that move one of them: how many there are, and where the last
 * one came. Takes the place of memory_kvm.c at link time.
 */
#ifndef UNIT_VMM_FAKE_SLOTS_H
#define UNIT_VMM_FAKE_SLOTS_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/memory_kvm.h"

static struct {
	unsigned int calls;
	unsigned int nr;
	uint64_t gpa, size;
	void *hva;
	bool fail;
} kvm;

int memory_kvm__set_slot(int vm_fd, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
			 void *hva)
{
	(void)vm_fd;
	(void)slot;
	(void)flags;
	kvm.calls++;
	if (kvm.fail)
		return -ENOMEM;
	kvm.nr += size ? 1 : -1;
	kvm.gpa = gpa;
	kvm.size = size;
	kvm.hva = hva;
	return 0;
}

int memory_kvm__set_list(int vm_fd, const struct kvm_user_memory_region_op *ops, uint32_t nr,
			 uint64_t *bad)
{
	(void)vm_fd;
	(void)ops;
	(void)nr;
	(void)bad;
	return -ENOTTY;
}

int memory_kvm__get_log(int vm_fd, uint32_t slot, uint64_t *bitmap)
{
	(void)vm_fd;
	(void)slot;
	(void)bitmap;
	return -ENOENT;
}

bool memory_kvm__has_lists(int vm_fd)
{
	(void)vm_fd;
	return false;
}

uint32_t memory_kvm__max_slots(int vm_fd)
{
	(void)vm_fd;
	return 32;
}

#endif /* UNIT_VMM_FAKE_SLOTS_H */
