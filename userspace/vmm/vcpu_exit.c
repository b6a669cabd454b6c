// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exits of a vCPU: accesses for the devices, the ends of a guest, and memory faults,
 * which stop the VM until somebody mends them.
 */
#include "vmm/vcpu_exit.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "log.h"
#include "vmm/control.h"
#include "vmm/dirty_ring.h"
#include "vmm/exit_status.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* Since Linux 6.8; Debian 12's user-space headers are older. */
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT	39
#endif

struct vcpu_memory_fault {
	uint64_t flags;
	uint64_t gpa;
	uint64_t size;
};

static uint64_t vcpu_exit__rip(struct vcpu *vcpu)
{
	struct kvm_regs regs;

	return ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0 ? 0 : regs.rip;
}

/* The guest cannot go on. Say so everywhere, and end. */
static void vcpu_exit__fatal(struct vcpu *vcpu, const char *what)
{
	struct vm *vm = vcpu->vm;
	uint64_t rip = vcpu_exit__rip(vcpu);
	cJSON *data = cJSON_CreateObject();

	log_error("vCPU %u: %s at RIP 0x%" PRIx64 "; the guest cannot go on", vcpu->index, what,
		  rip);
	cJSON_AddNumberToObject(data, "vcpu", vcpu->index);
	cJSON_AddStringToObject(data, "reason", what);
	vm__stop_from_vcpu(vm, VM_INTERNAL_ERROR);
	control__event(vm->control, "INTERNAL_ERROR", data);
	vm__exit(vm, EXIT_STOPPED);
}

static void vcpu_exit__io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t i;

	for (i = 0; i < run->io.count; i++, data += run->io.size)
		bus__access(&vcpu->vm->ports, run->io.port, data, run->io.size,
			    run->io.direction == KVM_EXIT_IO_OUT);
}

static void vcpu_exit__mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	bus__access(&vcpu->vm->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len,
		    run->mmio.is_write);
}

void vcpu_exit__handle(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	char what[64];
	int r;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		vcpu_exit__io(vcpu);
		return;
	case KVM_EXIT_MMIO:
		vcpu_exit__mmio(vcpu);
		return;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		return;
	case KVM_EXIT_DIRTY_RING_FULL:
		r = dirty_ring__full(vcpu->vm);
		if (!r)
			return;
		snprintf(what, sizeof(what), "dirty ring cannot be emptied: %s", strerror(-r));
		break;
	case KVM_EXIT_SHUTDOWN:
		snprintf(what, sizeof(what), "triple fault");
		break;
	case KVM_EXIT_FAIL_ENTRY:
		snprintf(what, sizeof(what), "VM entry failed, hardware reason 0x%llx",
			 run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		snprintf(what, sizeof(what), "KVM internal error %u", run->internal.suberror);
		break;
	default:
		snprintf(what, sizeof(what), "KVM exit reason %u is not handled",
			 run->exit_reason);
		break;
	}
	vcpu_exit__fatal(vcpu, what);
}

/* Which buffer, if any, is at @gpa. */
static void vcpu_exit__buffer_name(struct vm *vm, uint64_t gpa, char *name, size_t size)
{
	struct window *win = &vm->window;
	struct buffer *buf = NULL;

	name[0] = '\0';
	if (gpa < win->gpa || gpa - win->gpa >= win->size)
		return;
	pthread_mutex_lock(&win->lock);
	buf = window__lookup(win, gpa - win->gpa);
	if (buf)
		snprintf(name, size, "%s", buf->name);
	pthread_mutex_unlock(&win->lock);
}

/*
 * The guest touched memory for which there is no valid mapping: a buffer whose
 * binding went stale, or the empty part of the window. Retried by `cont`; without
 * a control socket nobody can say cont.
 */
static void vcpu_exit__memory_fault(struct vcpu *vcpu, bool gpa_known)
{
	static const char stale[] = "stale binding, or a page that the exporter lacks, of buffer ";
	const struct vcpu_memory_fault *fault = (const void *)vcpu->run->padding;
	uint64_t rip = vcpu_exit__rip(vcpu);
	struct vm *vm = vcpu->vm;
	char name[BUFFER_NAME_MAX] = "";
	cJSON *data = cJSON_CreateObject();

	cJSON_AddNumberToObject(data, "vcpu", vcpu->index);
	cJSON_AddNumberToObject(data, "rip", rip);
	if (gpa_known) {
		vcpu_exit__buffer_name(vm, fault->gpa, name, sizeof(name));
		cJSON_AddNumberToObject(data, "gpa", fault->gpa);
		log_error("vCPU %u: memory fault at GPA 0x%" PRIx64 ", RIP 0x%" PRIx64 ": %s%s",
			  vcpu->index, fault->gpa, rip, name[0] ? stale : "no buffer there", name);
	} else {
		/* Before KVM_EXIT_MEMORY_FAULT was sent for this, KVM said EFAULT alone. */
		log_error("vCPU %u: memory fault at RIP 0x%" PRIx64
			  ": no memory behind the access, most likely in the empty part of the window at GPA 0x%"
			  PRIx64 "; this KVM does not tell the address", vcpu->index, rip,
			  vm->window.gpa);
	}
	if (name[0])
		cJSON_AddStringToObject(data, "buffer", name);
	else
		cJSON_AddNullToObject(data, "buffer");

	vm__stop_from_vcpu(vm, VM_PAUSED);
	control__event(vm->control, "MEMORY_FAULT", data);
	if (!vm->control)
		vm__exit(vm, EXIT_STOPPED);
}

void vcpu_exit__error(struct vcpu *vcpu, int errnum)
{
	char what[64];

	if (errnum == EFAULT) {
		vcpu_exit__memory_fault(vcpu, vcpu->run->exit_reason == KVM_EXIT_MEMORY_FAULT);
		return;
	}
	snprintf(what, sizeof(what), "KVM_RUN: %s", strerror(errnum));
	vcpu_exit__fatal(vcpu, what);
}
