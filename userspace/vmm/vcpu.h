/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPU: its KVM fd, its thread, its exits. Created by vm.c. While the VM is
 * paused (vm__pause()) every vCPU is parked and any thread may use vcpu->fd.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/kvm.h>

#include "vmm/error.h"

struct vm;

/* Where the guest starts; set by the loader before the thread does. */
struct vcpu_entry {
	uint64_t rip;
	uint64_t cr3;
	uint64_t gdt;
	uint64_t boot_info;	/* GPA, in RBX, RDI and RSI */
	uint64_t stack;
	bool protected_mode;	/* 32 bits, no paging; else 64 bits with cr3 */
};

struct vcpu {
	struct vm *vm;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	struct kvm_cpuid2 *cpuid;	/* as it was set; cpuid.c's */
	bool started;		/* the thread exists */
	bool pending;		/* own thread: KVM_RUN has an exit to complete */
	bool parked;		/* under vm->run_lock: out of KVM_RUN, nothing pending */

	struct kvm_dirty_gfn *ring;	/* NULL without a dirty ring */
	uint32_t ring_next;		/* under vm->dirty_lock: next entry to harvest */
};

/*
 * As firmware leaves it: MTRRs on, all memory WB. KVM does not heed them, but Linux does: it
 * maps what is no RAM, such as a BAR with cached blobs, write-back only where they say so.
 * Who wants another type says so in its page tables.
 */
int vcpu__set_mtrrs(struct vcpu *vcpu, struct error *err);

/* Create the vCPU and give it the guest's CPUID. After dirty_ring__enable(). */
int vcpu__create(struct vm *vm, struct vcpu *vcpu, unsigned int index, struct error *err);
int vcpu__set_entry(struct vcpu *vcpu, const struct vcpu_entry *entry, struct error *err);
int vcpu__start(struct vcpu *vcpu, struct error *err);
/* Make KVM_RUN return. From any thread. */
void vcpu__kick(struct vcpu *vcpu);
/* Wait for the thread to end, which vm->exiting makes it do. */
void vcpu__stop(struct vcpu *vcpu);
void vcpu__destroy(struct vcpu *vcpu);

#endif /* VMM_VCPU_H */
