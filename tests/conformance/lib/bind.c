// SPDX-License-Identifier: GPL-2.0-or-later
/* dmapat's VM ioctls; see bind.h. */
#include <errno.h>
#include <sys/ioctl.h>

#include "bind.h"

int vm_bind(struct test_vm *vm, uint64_t gpa, uint64_t size, int fd, uint64_t offset,
	    uint32_t *memtype)
{
	struct kvm_dma_buf arg = {
		.guest_phys_addr = gpa,
		.size = size,
		.dmabuf_offset = offset,
		.dmabuf_fd = fd,
		.memtype = UINT32_MAX,
	};

	if (ioctl(vm->fd, KVM_SET_DMA_BUF, &arg))
		return errno;
	if (memtype)
		*memtype = arg.memtype;
	return 0;
}

int vm_unbind(struct test_vm *vm, uint64_t gpa, uint64_t size)
{
	return vm_bind(vm, gpa, size, -1, 0, NULL);
}

int vm_get_memtype(struct test_vm *vm, uint64_t gpa, struct kvm_memtype *memtype)
{
	*memtype = (struct kvm_memtype){ .guest_phys_addr = gpa };
	return ioctl(vm->fd, KVM_GET_MEMTYPE, memtype) ? errno : 0;
}
