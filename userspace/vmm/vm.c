// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtual machine as a whole: its parts and its run state; see vm.h. */
#include "vmm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/kvm_dmabuf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "vmm/control.h"
#include "vmm/dirty_marks.h"
#include "vmm/dirty_ring.h"
#include "vmm/loop.h"
#include "vmm/options.h"
#include "vmm/ports.h"
#include "vmm/util.h"
#include "vmm/vcpu.h"

/* VMX without unrestricted guest needs three pages for a TSS and one for a page table. */
#define VM_IDENTITY_MAP_GPA	0xfffbc000ULL
#define VM_TSS_GPA		0xfffbd000ULL

static const char *const vm__status_names[] = {
	[VM_PRELAUNCH]		= "prelaunch",
	[VM_RUNNING]		= "running",
	[VM_PAUSED]		= "paused",
	[VM_INMIGRATE]		= "inmigrate",
	[VM_FINISH_MIGRATE]	= "finish-migrate",
	[VM_POSTMIGRATE]	= "postmigrate",
	[VM_INTERNAL_ERROR]	= "internal-error",
	[VM_SHUTDOWN]		= "shutdown",
};

const char *vm__status_name(enum vm_status status)
{
	return vm__status_names[status];
}

static int vm__create_kvm(struct vm *vm, struct error *err)
{
	uint64_t identity_map = VM_IDENTITY_MAP_GPA;
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	int version;

	vm->sys_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->sys_fd < 0)
		return error__set(err, errno, "/dev/kvm: %s", strerror(errno));
	version = ioctl(vm->sys_fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION)
		return error__set(err, ENODEV, "/dev/kvm: API version %d, %d wanted", version,
				  KVM_API_VERSION);
	vm->vm_fd = ioctl(vm->sys_fd, KVM_CREATE_VM, 0);
	if (vm->vm_fd < 0)
		return error__set(err, errno, "KVM_CREATE_VM: %s", strerror(errno));

	if (vm->options->bind == BIND_REQUIRE &&
	    !(ioctl(vm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF) & KVM_DMA_BUF_HAS_BIND))
		return error__set(err, EOPNOTSUPP,
				  "this KVM cannot bind DMA-bufs (no KVM_CAP_DMA_BUF): load dmapat's modules on a CPU with EPT or NPT, or use --bind off");

	if (ioctl(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
		return error__set(err, errno, "KVM_SET_IDENTITY_MAP_ADDR: %s", strerror(errno));
	if (ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, VM_TSS_GPA) < 0)
		return error__set(err, errno, "KVM_SET_TSS_ADDR: %s", strerror(errno));
	if (ioctl(vm->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return error__set(err, errno, "KVM_CREATE_IRQCHIP: %s", strerror(errno));
	if (ioctl(vm->vm_fd, KVM_CREATE_PIT2, &pit) < 0)
		return error__set(err, errno, "KVM_CREATE_PIT2: %s", strerror(errno));
	return 0;
}

/* For a KVM that cannot change several memslots at once. */
static void vm__stop_for_memory(void *opaque)
{
	struct vm *vm = opaque;

	vm->status_before = vm__pause(vm, VM_PAUSED);
}

static void vm__start_after_memory(void *opaque)
{
	struct vm *vm = opaque;

	if (vm->status_before == VM_RUNNING)
		vm__resume(vm, NULL);
	else
		vm__set_status(vm, vm->status_before);
}

static const struct memory_map_ops vm__memory_ops = {
	.stop = vm__stop_for_memory,
	.start = vm__start_after_memory,
};

static int vm__create_slots(struct vm *vm, struct error *err)
{
	struct memory_transaction t;
	int r;

	r = memory_transaction__begin(&t, &vm->memory_map, err);
	if (r < 0)
		return r;
	/* The first two numbers: VM_SLOT_RAM and VM_SLOT_WINDOW. */
	r = memory_transaction__add(&t, vm->ram.gpa, vm->ram.size, vm->ram.hva, 0, err);
	if (!r)
		r = memory_transaction__add(&t, vm->window.gpa, vm->window.size, vm->window.hva, 0,
					    err);
	if (!r)
		return memory_transaction__commit(&t, NULL, NULL, err);
	memory_transaction__abort(&t);
	return r;
}

static int vm__create_memory(struct vm *vm, struct error *err)
{
	const struct options *opts = vm->options;
	int r;

	r = memory__init(&vm->ram, opts->memory, err);
	if (!r)
		r = window__init(&vm->window, opts->window_base, opts->window_size, err);
	if (!r)
		r = vm__create_slots(vm, err);
	return r;
}

static int vm__create_vcpus(struct vm *vm, struct error *err)
{
	unsigned int i;
	int r;

	vm->vcpus = calloc(vm->options->vcpus, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return error__set(err, ENOMEM, "out of memory");
	for (i = 0; i < vm->options->vcpus; i++) {
		r = vcpu__create(vm, &vm->vcpus[i], i, err);
		if (r < 0)
			return r;
		vm->nr_vcpus++;
	}
	return 0;
}

static void vm__serial_irq(void *opaque, bool level)
{
	struct kvm_irq_level irq = { .irq = SERIAL_IRQ, .level = level };
	struct vm *vm = opaque;

	if (ioctl(vm->vm_fd, KVM_IRQ_LINE, &irq) < 0)
		log_warn("KVM_IRQ_LINE %d: %s", SERIAL_IRQ, strerror(errno));
}

/* KVM keeps rings or bitmaps, and is told before the first vCPU exists. */
static int vm__choose_dirty_log(struct vm *vm, struct error *err)
{
	int r;

	if (vm->options->dirty_log == DIRTY_LOG_BITMAP)
		return 0;
	r = dirty_ring__enable(vm, vm->options->dirty_ring, err);
	if (r == -EOPNOTSUPP && vm->options->dirty_log == DIRTY_LOG_AUTO) {
		err->msg[0] = '\0';
		r = 0;
	}
	return r;
}

static int vm__create_devices(struct vm *vm, struct error *err)
{
	const struct options *opts = vm->options;
	int r;

	r = ports__init(vm, err);
	if (!r)
		r = gsi__init(&vm->gsi, vm->vm_fd, err);
	if (!r)
		r = pci__init(&vm->pci, &vm->ports, &vm->mmio, err);
	for (; !r && vm->nr_devices < opts->nr_devices; vm->nr_devices += !r)
		r = device__create(&vm->devices[vm->nr_devices], vm,
				   &opts->devices[vm->nr_devices], err);
	return r;
}

int vm__create(struct vm *vm, const struct options *opts, struct loop *loop, struct error *err)
{
	int r;

	*vm = (struct vm) {
		.options = opts, .loop = loop, .sys_fd = -1, .vm_fd = -1, .ram.fd = -1,
		.status = opts->incoming ? VM_INMIGRATE : VM_PRELAUNCH,
	};
	pthread_mutex_init(&vm->run_lock, NULL);
	pthread_cond_init(&vm->run_cond, NULL);
	pthread_mutex_init(&vm->dirty_lock, NULL);
	pthread_cond_init(&vm->dirty_cond, NULL);
	serial__init(&vm->serial, -1, vm__serial_irq, vm);

	r = vm__create_kvm(vm, err);
	memory_map__init(&vm->memory_map, vm->vm_fd, &vm__memory_ops, vm);
	if (!r)
		r = vm__create_memory(vm, err);
	if (!r)
		r = vm__choose_dirty_log(vm, err);
	vm->memory_map.rings = vm->dirty_ring_entries != 0;
	if (!r)
		r = vm__create_devices(vm, err);
	if (!r)
		r = vm__create_vcpus(vm, err);
	if (r < 0)
		vm__destroy(vm);
	return r;
}

void vm__stop_vcpus(struct vm *vm)
{
	unsigned int i;

	vm__exit(vm, vm->exit_status);
	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu__stop(&vm->vcpus[i]);
}

void vm__destroy(struct vm *vm)
{
	unsigned int i;

	vm__stop_vcpus(vm);
	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu__destroy(&vm->vcpus[i]);
	free(vm->vcpus);
	vm->vcpus = NULL;
	vm->nr_vcpus = 0;
	while (vm->nr_devices)
		device__destroy(&vm->devices[--vm->nr_devices]);
	pci__exit(&vm->pci);
	gsi__exit(&vm->gsi);
	memory_map__exit(&vm->memory_map);
	window__exit(&vm->window);
	memory__exit(&vm->ram);
	if (vm->vm_fd >= 0)
		close(vm->vm_fd);
	if (vm->sys_fd >= 0)
		close(vm->sys_fd);
	serial__exit(&vm->serial);
	pthread_cond_destroy(&vm->dirty_cond);
	pthread_mutex_destroy(&vm->dirty_lock);
	pthread_cond_destroy(&vm->run_cond);
	pthread_mutex_destroy(&vm->run_lock);
}

int vm__start_vcpus(struct vm *vm, struct error *err)
{
	unsigned int i;
	int r;

	for (i = 0; i < vm->nr_vcpus; i++) {
		r = vcpu__start(&vm->vcpus[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

enum vm_status vm__status(struct vm *vm)
{
	enum vm_status status;

	pthread_mutex_lock(&vm->run_lock);
	status = vm->status;
	pthread_mutex_unlock(&vm->run_lock);
	return status;
}

/* With vm->run_lock. */
static void vm__kick(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu__kick(&vm->vcpus[i]);
	pthread_cond_broadcast(&vm->run_cond);
}

static bool vm__parked(const struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		if (vm->vcpus[i].started && !vm->vcpus[i].parked)
			return false;
	}
	return true;
}

enum vm_status vm__pause(struct vm *vm, enum vm_status status)
{
	enum vm_status prev;

	pthread_mutex_lock(&vm->run_lock);
	prev = vm->status;
	vm->status = status;
	if (prev == VM_RUNNING)
		vm__kick(vm);
	while (!vm__parked(vm))
		pthread_cond_wait(&vm->run_cond, &vm->run_lock);
	pthread_mutex_unlock(&vm->run_lock);

	if (prev == VM_RUNNING)
		control__event(vm->control, "STOP", NULL);
	return prev;
}

int vm__resume(struct vm *vm, struct error *err)
{
	enum vm_status status;
	int r = 0;

	pthread_mutex_lock(&vm->run_lock);
	status = vm->status;
	switch (status) {
	case VM_RUNNING:
		break;
	case VM_PRELAUNCH:
	case VM_PAUSED:
	case VM_INMIGRATE:
	case VM_FINISH_MIGRATE:
		vm->status = VM_RUNNING;
		pthread_cond_broadcast(&vm->run_cond);
		break;
	case VM_POSTMIGRATE:
	case VM_INTERNAL_ERROR:
	case VM_SHUTDOWN:
		r = error__set(err, EPERM, "the guest is in status %s and cannot run again",
			       vm__status_name(status));
		break;
	}
	pthread_mutex_unlock(&vm->run_lock);

	if (!r && status != VM_RUNNING)
		control__event(vm->control, "RESUME", NULL);
	return r;
}

void vm__set_status(struct vm *vm, enum vm_status status)
{
	pthread_mutex_lock(&vm->run_lock);
	vm->status = status;
	pthread_mutex_unlock(&vm->run_lock);
}

void vm__stop_from_vcpu(struct vm *vm, enum vm_status status)
{
	pthread_mutex_lock(&vm->run_lock);
	/* A pause under way decides the status; what stopped this vCPU will recur. */
	if (vm->status == VM_RUNNING) {
		vm->status = status;
		vm__kick(vm);
	}
	pthread_mutex_unlock(&vm->run_lock);
}

/* Nothing to do: the loop has come round, and sees vm->exiting. */
static void vm__wake(void *arg)
{
	(void)arg;
}

void vm__exit(struct vm *vm, int exit_status)
{
	pthread_mutex_lock(&vm->run_lock);
	if (!vm->exiting) {
		vm->exiting = true;
		vm->exit_status = exit_status;
	}
	vm__kick(vm);
	pthread_mutex_unlock(&vm->run_lock);
	loop__post(vm->loop, vm__wake, NULL);
}

void vm__mark_dirty(struct vm *vm, uint64_t gpa, uint64_t len)
{
	uint64_t page, last;

	if (!len || !memory__hva(&vm->ram, gpa, len))
		return;
	last = (gpa + len - 1 - vm->ram.gpa) / VMM_PAGE_SIZE;

	pthread_mutex_lock(&vm->dirty_lock);
	for (page = (gpa - vm->ram.gpa) / VMM_PAGE_SIZE; vm->dirty_marks && page <= last; page++)
		dirty_marks__add(vm->dirty_marks, VM_SLOT_RAM, page);
	pthread_mutex_unlock(&vm->dirty_lock);
}
