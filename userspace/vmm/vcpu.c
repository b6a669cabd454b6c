// SPDX-License-Identifier: GPL-2.0-or-later
/* vCPU: creation, thread, kicks; its exits are vcpu_exit.c's. See vcpu.h. */
#include "vmm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "vmm/cpuid.h"
#include "vmm/dirty_ring.h"
#include "vmm/vcpu_exit.h"
#include "vmm/vm.h"

#define CR0_LONG_MODE	0x80050033ULL	/* PG, AM, WP, NE, ET, MP, PE */
#define CR0_PROTECTED_MODE 0x11ULL	/* ET, PE */
#define CR4_LONG_MODE	0x620ULL	/* PAE, OSFXSR, OSXMMEXCPT */
#define EFER_LONG_MODE	0x500ULL	/* LMA, LME */
#define SELECTOR_CODE	0x08
#define SELECTOR_DATA	0x10
#define GDT_LIMIT	(3 * 8 - 1)

/* SDM vol. 3A, 12.11.2.1 */
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MTRR_ENABLED	0x800ULL
#define MTRR_WB		6ULL

/* Only there to make KVM_RUN return with EINTR. */
static void vcpu__on_kick(int signo)
{
	(void)signo;
}

static int vcpu__kick_signal(void)
{
	return SIGRTMIN;
}

int vcpu__create(struct vm *vm, struct vcpu *vcpu, unsigned int index, struct error *err)
{
	struct sigaction action = { .sa_handler = vcpu__on_kick };
	void *run;
	int r;

	*vcpu = (struct vcpu) { .vm = vm, .index = index };
	sigaction(vcpu__kick_signal(), &action, NULL);

	vcpu->fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, (unsigned long)index);
	if (vcpu->fd < 0)
		return error__set(err, errno, "vCPU %u: KVM_CREATE_VCPU: %s", index,
				  strerror(errno));
	r = ioctl(vm->sys_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (r < 0) {
		r = error__set(err, errno, "KVM_GET_VCPU_MMAP_SIZE: %s", strerror(errno));
		goto out;
	}
	vcpu->run_size = r;
	run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED) {
		r = error__set(err, errno, "vCPU %u: mmap: %s", index, strerror(errno));
		goto out;
	}
	vcpu->run = run;
	r = dirty_ring__map(vcpu, err);
	if (!r)
		r = cpuid__init(vcpu, err);
out:
	if (r < 0)
		vcpu__destroy(vcpu);
	return r;
}

int vcpu__set_entry(struct vcpu *vcpu, const struct vcpu_entry *entry, struct error *err)
{
	struct kvm_segment code = {
		.limit = 0xffffffff, .selector = SELECTOR_CODE, .type = 0xb, .present = 1,
		.s = 1, .l = 1, .g = 1,
	};
	struct kvm_segment data = {
		.limit = 0xffffffff, .selector = SELECTOR_DATA, .type = 0x3, .present = 1,
		.s = 1, .db = 1, .g = 1,
	};
	struct kvm_regs regs = {
		.rip = entry->rip, .rsp = entry->stack, .rflags = 0x2,
		.rbx = entry->boot_info, .rdi = entry->boot_info, .rsi = entry->boot_info,
	};
	struct kvm_sregs sregs;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return error__set(err, errno, "vCPU %u: KVM_GET_SREGS: %s", vcpu->index,
				  strerror(errno));
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.gdt = (struct kvm_dtable) { .base = entry->gdt, .limit = GDT_LIMIT };
	sregs.idt = (struct kvm_dtable) { .limit = 0 };
	if (entry->protected_mode) {
		sregs.cs.l = 0;
		sregs.cs.db = 1;
		sregs.cr0 = CR0_PROTECTED_MODE;
	} else {
		sregs.cr0 = CR0_LONG_MODE;
		sregs.cr3 = entry->cr3;
		sregs.cr4 = CR4_LONG_MODE;
		sregs.efer = EFER_LONG_MODE;
	}
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0)
		return error__set(err, errno, "vCPU %u: KVM_SET_SREGS: %s", vcpu->index,
				  strerror(errno));
	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return error__set(err, errno, "vCPU %u: KVM_SET_REGS: %s", vcpu->index,
				  strerror(errno));
	return 0;
}

int vcpu__set_mtrrs(struct vcpu *vcpu, struct error *err)
{
	const struct kvm_msr_entry entry = {
		.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED | MTRR_WB,
	};
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + sizeof(entry));
	int n;

	if (!msrs)
		return error__set(err, ENOMEM, "out of memory");
	msrs->nmsrs = 1;
	msrs->entries[0] = entry;
	n = ioctl(vcpu->fd, KVM_SET_MSRS, msrs);
	free(msrs);
	if (n != 1)
		return error__set(err, EIO, "vCPU %u: KVM refuses MSR 0x%x = 0x%llx", vcpu->index,
				  entry.index, entry.data);
	return 0;
}

/*
 * Wait until the VM runs. Returns false when the thread has to end. A vCPU parks
 * only with nothing pending in KVM: an exit for I/O is completed by the next
 * KVM_RUN, which immediate_exit makes come back before it enters the guest.
 */
static bool vcpu__wait(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	bool go_on;

	pthread_mutex_lock(&vm->run_lock);
	vcpu_throttle__sleep(vm);
	if ((vm->status != VM_RUNNING || vm->exiting) && !vcpu->pending) {
		vcpu->parked = true;
		pthread_cond_broadcast(&vm->run_cond);
		while (vm->status != VM_RUNNING && !vm->exiting)
			pthread_cond_wait(&vm->run_cond, &vm->run_lock);
		if (!vm->exiting)
			vcpu->parked = false;
	}
	vcpu->run->immediate_exit = vm->status != VM_RUNNING || vm->exiting;
	go_on = !vm->exiting || vcpu->pending;
	pthread_mutex_unlock(&vm->run_lock);
	return go_on;
}

static void *vcpu__thread(void *arg)
{
	struct vcpu *vcpu = arg;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "vcpu%u", vcpu->index);
	pthread_setname_np(pthread_self(), name);

	while (vcpu__wait(vcpu)) {
		r = ioctl(vcpu->fd, KVM_RUN, 0);
		vcpu->pending = r == 0;
		if (r < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (r < 0)
			vcpu_exit__error(vcpu, errno);
		else
			vcpu_exit__handle(vcpu);
	}
	return NULL;
}

int vcpu__start(struct vcpu *vcpu, struct error *err)
{
	sigset_t all, kick, old;
	int r;

	/* Signals are the event loop's; a vCPU takes the kick alone. */
	sigfillset(&all);
	sigemptyset(&kick);
	sigaddset(&kick, vcpu__kick_signal());
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	r = pthread_create(&vcpu->thread, NULL, vcpu__thread, vcpu);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return error__set(err, r, "vCPU %u: thread: %s", vcpu->index, strerror(r));
	vcpu->started = true;
	return 0;
}

void vcpu__kick(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	if (vcpu->started)
		pthread_kill(vcpu->thread, vcpu__kick_signal());
}

void vcpu__stop(struct vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	pthread_join(vcpu->thread, NULL);
	vcpu->started = false;
}

void vcpu__destroy(struct vcpu *vcpu)
{
	vcpu__stop(vcpu);
	dirty_ring__unmap(vcpu);
	free(vcpu->cpuid);
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	*vcpu = (struct vcpu) { .fd = -1 };
}
