/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small virtual machine for the tests: one vCPU in 64-bit mode that runs an
 * agent. A test tells the agent what to do (load, store, write an MSR) and runs
 * the vCPU until it is done or KVM leaves for another reason. Uses the stock KVM
 * interface alone.
 */
#ifndef TESTS_CONFORMANCE_VM_H
#define TESTS_CONFORMANCE_VM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEST_RAM_SIZE		0x400000UL	/* slot 0, at guest-physical 0 */

/* vm_map() maps here, where no host process has anything. */
#define TEST_WINDOW_GVA		0x400000000000UL
#define TEST_WINDOW_SIZE	0x40000000UL

/* Index in the PAT that test_vm programs, and the page-table bits that select it */
enum test_pat { PAT_WB, PAT_WT, PAT_UC_MINUS, PAT_UC, PAT_WC, PAT_WP };
#define TEST_PAT_MSR		0x0606050100070406ULL
#define TEST_MSR_PAT		0x277

/* Linux 6.8 and later; Debian 12's headers are older. */
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT	39
#endif

/* What struct kvm_run holds at that exit */
struct test_memory_fault {
	uint64_t flags;
	uint64_t gpa;
	uint64_t size;
};

/* One of vm_sweep()'s: the guest loads 8 bytes, stores 8, and loads them again. */
#define TEST_MAX_ACCESSES	8

struct test_access {
	uint64_t gva;
	uint64_t value;			/* to be stored */
	uint64_t before;		/* out */
	uint64_t after;			/* out */
};

struct test_vm {
	int kvm;
	int fd;
	int vcpu;
	struct kvm_run *run;
	size_t run_size;
	uint8_t *ram;
	unsigned int ring_entries;	/* 0: no dirty ring */
	struct kvm_dirty_gfn *ring;
	bool interrupted;		/* the last operation did not end */
};

/* A new vCPU of any VM into 64-bit mode with paging, with all the CPUID that KVM supports. */
void vcpu_long_mode(int kvm, int vcpu, uint64_t cr3);

/* @ring_bytes: size of the dirty ring, 0 for the dirty bitmap */
void vm_create(struct test_vm *vm, uint32_t ring_bytes);
void vm_destroy(struct test_vm *vm);

/* KVM_SET_USER_MEMORY_REGION: 0 or errno; size 0 deletes. */
int vm_set_slot(struct test_vm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *hva,
		uint32_t flags);

/* Guest page tables: @size bytes at @gva to @gpa with @pat, 4 KiB pages or 2 MiB ones. */
void vm_map(struct test_vm *vm, uint64_t gva, uint64_t gpa, uint64_t size, enum test_pat pat);
void vm_map_2m(struct test_vm *vm, uint64_t gva, uint64_t gpa, uint64_t size, enum test_pat pat);

/*
 * Agent operations: 0 when done, else errno of KVM_RUN (EFAULT with exit reason
 * KVM_EXIT_MEMORY_FAULT, say), or ENXIO where the vCPU left for a reason that
 * @vm->run->exit_reason names. vm_resume() goes on with an operation that did not
 * end; another operation drops it.
 */
int vm_store(struct test_vm *vm, uint64_t gva, uint64_t value);
int vm_load(struct test_vm *vm, uint64_t gva, uint64_t *value);
int vm_store_pages(struct test_vm *vm, uint64_t gva, uint64_t value, unsigned int pages);
int vm_sweep(struct test_vm *vm, struct test_access *accesses, unsigned int n);
/* @n words of 8 bytes, @stride bytes apart: stores @value, @value + 1 …; loads their sum. */
int vm_store_strided(struct test_vm *vm, uint64_t gva, uint64_t stride, unsigned int n,
		     uint64_t value);
int vm_load_strided(struct test_vm *vm, uint64_t gva, uint64_t stride, unsigned int n,
		    uint64_t *sum);
int vm_wrmsr(struct test_vm *vm, uint32_t msr, uint64_t value);
/* TSC ticks of the accesses of timed.inc to the page at @gva; the stores overwrite it. */
int vm_time_loads(struct test_vm *vm, uint64_t gva, uint64_t *ticks);
int vm_time_stores(struct test_vm *vm, uint64_t gva, uint64_t *ticks);
int vm_resume(struct test_vm *vm);

/* Where the vCPU left with KVM_EXIT_MEMORY_FAULT */
struct test_memory_fault *vm_memory_fault(struct test_vm *vm);

/* The operations from here on are each bracketed by magic breaks (Bochs' memory trace). */
void vm_mark(struct test_vm *vm, bool mark);

#endif /* TESTS_CONFORMANCE_VM_H */
