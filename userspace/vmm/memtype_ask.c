// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asks the kernel about a buffer's memory type, in the ways that do not depend on
 * each other. Called when a buffer is mapped and for each query-memtype.
 */
#include "vmm/memtype.h"

#include <fcntl.h>
#include <linux/kvm_dmabuf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/vm.h"

static void memtype__query(int dmabuf_fd, struct memtype_answers *a)
{
	struct dmabuf_memtype_query q = { .fd = dmabuf_fd };
	int fd;

	fd = open(MEMTYPE_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (ioctl(fd, DMABUF_MEMTYPE_QUERY, &q) == 0) {
		a->query = q.memtype;
		a->source = q.source;
	}
	close(fd);
}

void memtype__ask(struct vm *vm, const struct buffer *buf, struct memtype_answers *a)
{
	struct kvm_memtype mt = { .guest_phys_addr = vm->window.gpa + buf->offset };

	a->host = MEMTYPE_NONE;
	a->leaf = MEMTYPE_NONE;
	a->query = MEMTYPE_NONE;
	a->flags = 0;
	a->source = 0;

	if (ioctl(vm->vm_fd, KVM_GET_MEMTYPE, &mt) == 0) {
		a->host = mt.host_memtype;
		a->leaf = mt.leaf_memtype;
		a->flags = mt.flags;
	}
	memtype__query(buf->fd, a);
}
