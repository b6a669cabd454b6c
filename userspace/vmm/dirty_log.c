// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM's dirty logging of the VM's slots; see dirty_log.h. */
#include "vmm/dirty_log.h"

#include <errno.h>
#include <linux/kvm_dmabuf.h>
#include <string.h>
#include <sys/ioctl.h>

#include "log.h"
#include "vmm/vm.h"

bool dirty_log__can_protect_all(const struct vm *vm)
{
	int has = ioctl(vm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF);

	return has > 0 && has & KVM_DMA_BUF_HAS_WRITE_PROTECT_ALL;
}

int dirty_log__protect_all(struct vm *vm, struct error *err)
{
	if (ioctl(vm->vm_fd, KVM_WRITE_PROTECT_ALL_MEM) < 0)
		return error__set(err, errno, "KVM_WRITE_PROTECT_ALL_MEM: %s", strerror(errno));
	return 0;
}

int dirty_log__on(struct vm *vm, bool protect_all, struct error *err)
{
	int r;

	/* The first call makes KVM stop protecting page by page, here already. */
	r = protect_all ? dirty_log__protect_all(vm, err) : 0;
	return r ? r : memory_map__set_log(&vm->memory_map, true, err);
}

void dirty_log__off(struct vm *vm)
{
	struct error err = { "" };

	if (memory_map__set_log(&vm->memory_map, false, &err) < 0)
		log_warn("dirty log off: %s", err.msg);
}
