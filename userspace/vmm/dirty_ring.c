// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM's dirty rings; see dirty_ring.h. */
#include "vmm/dirty_ring.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/vcpu.h"
#include "vmm/util.h"
#include "vmm/vm.h"

int dirty_ring__enable(struct vm *vm, uint32_t entries, struct error *err)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL };
	uint32_t size = entries * sizeof(struct kvm_dirty_gfn);
	int max;

	max = ioctl(vm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING_ACQ_REL);
	if (max <= 0)
		return error__set(err, EOPNOTSUPP, "this KVM has no dirty ring");
	if (size > (uint32_t)max)
		return error__set(err, EINVAL,
				  "dirty ring of %" PRIu32 " entries (%" PRIu32 " bytes): KVM allows %d bytes",
				  entries, size, max);
	cap.args[0] = size;
	if (ioctl(vm->vm_fd, KVM_ENABLE_CAP, &cap) < 0)
		return error__set(err, errno, "dirty ring of %" PRIu32 " entries: %s", entries,
				  strerror(errno));
	vm->dirty_ring_entries = entries;
	return 0;
}

static size_t dirty_ring__bytes(const struct vcpu *vcpu)
{
	return vcpu->vm->dirty_ring_entries * sizeof(struct kvm_dirty_gfn);
}

int dirty_ring__map(struct vcpu *vcpu, struct error *err)
{
	void *ring;

	if (!vcpu->vm->dirty_ring_entries)
		return 0;
	ring = mmap(NULL, dirty_ring__bytes(vcpu), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd,
		    KVM_DIRTY_LOG_PAGE_OFFSET * VMM_PAGE_SIZE);
	if (ring == MAP_FAILED)
		return error__set(err, errno, "vCPU %u: mmap of its dirty ring: %s", vcpu->index,
				  strerror(errno));
	vcpu->ring = ring;
	vcpu->ring_next = 0;
	return 0;
}

void dirty_ring__unmap(struct vcpu *vcpu)
{
	if (vcpu->ring)
		munmap(vcpu->ring, dirty_ring__bytes(vcpu));
	vcpu->ring = NULL;
}

static int dirty_ring__log(struct vm *vm, uint32_t flags)
{
	int r;

	r = memory__set_slot(vm->vm_fd, VM_SLOT_RAM, flags, vm->ram.gpa, vm->ram.size,
			     vm->ram.hva);
	if (r < 0)
		return r;
	return memory__set_slot(vm->vm_fd, VM_SLOT_WINDOW, flags, vm->window.gpa, vm->window.size,
				vm->window.hva);
}

/* With vm->dirty_lock. */
static unsigned int dirty_ring__harvest_vcpu(struct vm *vm, struct vcpu *vcpu)
{
	uint32_t mask = vm->dirty_ring_entries - 1;
	struct kvm_dirty_gfn *gfn;
	unsigned int n = 0;

	for (;;) {
		gfn = &vcpu->ring[vcpu->ring_next & mask];
		/* Pairs with KVM's release store: flags last, then the entry is whole. */
		if (!(__atomic_load_n(&gfn->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
			return n;
		if (vm->dirty_sink)
			vm->dirty_sink->page(vm->dirty_sink, gfn->slot & 0xffff, gfn->offset);
		__atomic_store_n(&gfn->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
		vcpu->ring_next++;
		n++;
	}
}

/* With vm->dirty_lock. */
static int dirty_ring__harvest_locked(struct vm *vm)
{
	unsigned int i, n = 0;

	for (i = 0; i < vm->nr_vcpus; i++)
		n += dirty_ring__harvest_vcpu(vm, &vm->vcpus[i]);
	if (n && ioctl(vm->vm_fd, KVM_RESET_DIRTY_RINGS) < 0)
		return -errno;
	return n;
}

int dirty_ring__harvest(struct vm *vm)
{
	int r;

	if (!vm->dirty_ring_entries)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&vm->dirty_lock);
	r = dirty_ring__harvest_locked(vm);
	pthread_mutex_unlock(&vm->dirty_lock);
	return r;
}

int dirty_ring__start(struct vm *vm, const struct dirty_sink *sink, struct error *err)
{
	int r;

	if (!vm->dirty_ring_entries)
		return error__set(err, EOPNOTSUPP, "this KVM has no dirty ring");

	pthread_mutex_lock(&vm->dirty_lock);
	if (vm->dirty_sink) {
		r = error__set(err, EALREADY, "the dirty log is in use");
		goto out;
	}
	vm->dirty_sink = sink;
	r = dirty_ring__log(vm, KVM_MEM_LOG_DIRTY_PAGES);
	if (r < 0) {
		error__set(err, -r, "dirty log: %s", strerror(-r));
		dirty_ring__log(vm, 0);
		vm->dirty_sink = NULL;
	}
out:
	pthread_mutex_unlock(&vm->dirty_lock);
	return r;
}

int dirty_ring__stop(struct vm *vm)
{
	int r, harvested;

	pthread_mutex_lock(&vm->dirty_lock);
	vm->dirty_sink = NULL;
	r = dirty_ring__log(vm, 0);
	/* What is still in the rings must not turn up in the next log. */
	harvested = dirty_ring__harvest_locked(vm);
	pthread_mutex_unlock(&vm->dirty_lock);
	return r < 0 ? r : harvested < 0 ? harvested : 0;
}
