// SPDX-License-Identifier: GPL-2.0-or-later
/* The tests' virtual machine; see vm.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ktap.h"
#include "vm.h"

/* Guest-physical layout of slot 0 */
#define PML4_GPA	0x1000
#define PDPT_GPA	0x2000
#define PD_GPA		0x3000		/* 0 … 1 GiB: RAM, 2 MiB pages */
#define WINDOW_PD_GPA	0x4000		/* what vm_map() maps */
#define CMD_GPA		0x5000
#define CODE_GPA	0x6000
#define WINDOW_PDPT_GPA	0x7000
#define PT_GPA		0x10000		/* one page table each 2 MiB of the window */

#define PTE_P		(1ULL << 0)
#define PTE_W		(1ULL << 1)
#define PTE_PWT		(1ULL << 3)
#define PTE_PCD		(1ULL << 4)
#define PTE_PS		(1ULL << 7)
#define PTE_PAT_4K	(1ULL << 7)
#define PTE_PAT_2M	(1ULL << 12)

#define EXIT_PORT	0x10

enum agent_op {
	AGENT_LOAD = 1,
	AGENT_STORE,
	AGENT_WRMSR,
	AGENT_SWEEP,
	AGENT_TIMED_LOADS = 5,
	AGENT_TIMED_STORES,
	AGENT_STRIDED_STORES,
	AGENT_STRIDED_LOADS,
};

/* agent.S knows the offsets. */
struct agent_cmd {
	uint64_t op;
	uint64_t addr;
	uint64_t value;
	uint64_t pages;
	uint64_t mark;
	uint64_t stride;
	uint64_t unused[2];
	struct test_access accesses[TEST_MAX_ACCESSES];
};

extern const uint8_t agent_start[];
extern const uint64_t agent_size;

static struct agent_cmd *vm_cmd(struct test_vm *vm)
{
	return (struct agent_cmd *)(vm->ram + CMD_GPA);
}

void vcpu_long_mode(int kvm, int vcpu, uint64_t cr3)
{
	const unsigned int entries = 128;
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + entries * sizeof(cpuid->entries[0]));
	struct kvm_segment code = {
		.selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1, .limit = 0xffffffff
	};
	struct kvm_segment data = {
		.selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1, .limit = 0xffffffff
	};
	struct kvm_sregs sregs;

	test_assert(cpuid);
	cpuid->nent = entries;
	test_assert(!ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid));
	test_assert(!ioctl(vcpu, KVM_SET_CPUID2, cpuid));
	free(cpuid);

	test_assert(!ioctl(vcpu, KVM_GET_SREGS, &sregs));
	sregs.cs = code;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.cr0 = 0x80010033;		/* PG WP NE ET MP PE */
	sregs.cr3 = cr3;
	sregs.cr4 = 0x20;		/* PAE */
	sregs.efer = 0x500;		/* LMA LME */
	test_assert(!ioctl(vcpu, KVM_SET_SREGS, &sregs));
}

static void vm_setup_cpu(struct test_vm *vm)
{
	struct kvm_regs regs = { .rip = CODE_GPA, .rflags = 2, .rbx = CMD_GPA };

	vcpu_long_mode(vm->kvm, vm->vcpu, PML4_GPA);
	test_assert(!ioctl(vm->vcpu, KVM_SET_REGS, &regs));
}

void vm_create(struct test_vm *vm, uint32_t ring_bytes)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING, .args[0] = ring_bytes };
	int size;

	*vm = (struct test_vm){ .kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC) };
	test_assert(vm->kvm >= 0);
	vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	test_assert(vm->fd >= 0);
	if (ring_bytes) {
		test_assert(!ioctl(vm->fd, KVM_ENABLE_CAP, &cap));
		vm->ring_entries = ring_bytes / sizeof(struct kvm_dirty_gfn);
	}
	/* Intel wants somewhere for a task state segment; far from everything here. */
	test_assert(!ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000));

	vm->ram = mmap(NULL, TEST_RAM_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(vm->ram != MAP_FAILED);
	test_assert(!vm_set_slot(vm, 0, 0, TEST_RAM_SIZE, vm->ram, 0));

	*(uint64_t *)(vm->ram + PML4_GPA) = PDPT_GPA | PTE_P | PTE_W;
	((uint64_t *)(vm->ram + PDPT_GPA))[0] = PD_GPA | PTE_P | PTE_W;
	((uint64_t *)(vm->ram + PML4_GPA))[TEST_WINDOW_GVA >> 39] = WINDOW_PDPT_GPA | PTE_P | PTE_W;
	*(uint64_t *)(vm->ram + WINDOW_PDPT_GPA) = WINDOW_PD_GPA | PTE_P | PTE_W;
	for (int i = 0; i < 512; i++)
		((uint64_t *)(vm->ram + PD_GPA))[i] = (uint64_t)i << 21 | PTE_P | PTE_W | PTE_PS;
	memcpy(vm->ram + CODE_GPA, agent_start, agent_size);

	vm->vcpu = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	test_assert(vm->vcpu >= 0);
	size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	test_assert(size > 0);
	vm->run_size = (size_t)size;
	vm->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	test_assert(vm->run != MAP_FAILED);
	if (ring_bytes) {
		vm->ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu,
				KVM_DIRTY_LOG_PAGE_OFFSET * 4096);
		test_assert(vm->ring != MAP_FAILED);
	}

	vm_setup_cpu(vm);
	test_assert(!vm_wrmsr(vm, TEST_MSR_PAT, TEST_PAT_MSR));
}

void vm_destroy(struct test_vm *vm)
{
	if (vm->ring)
		munmap(vm->ring, vm->ring_entries * sizeof(*vm->ring));
	munmap(vm->run, vm->run_size);
	close(vm->vcpu);
	close(vm->fd);
	close(vm->kvm);
	munmap(vm->ram, TEST_RAM_SIZE);
}

int vm_set_slot(struct test_vm *vm, uint32_t slot, uint64_t gpa, uint64_t size, void *hva,
		uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) ? errno : 0;
}

static uint64_t pat_bits(enum test_pat pat, uint64_t pat_bit)
{
	return ((pat & 1) ? PTE_PWT : 0) | ((pat & 2) ? PTE_PCD : 0) | ((pat & 4) ? pat_bit : 0);
}

void vm_map(struct test_vm *vm, uint64_t gva, uint64_t gpa, uint64_t size, enum test_pat pat)
{
	uint64_t *pd = (uint64_t *)(vm->ram + WINDOW_PD_GPA);

	for (uint64_t off = 0; off < size; off += 4096) {
		uint64_t page = (gva + off - TEST_WINDOW_GVA) >> 12;
		uint64_t pt_gpa = PT_GPA + (page >> 9) * 4096;

		test_assert(gva + off - TEST_WINDOW_GVA < TEST_WINDOW_SIZE &&
			    pt_gpa + 4096 <= TEST_RAM_SIZE);
		pd[page >> 9] = pt_gpa | PTE_P | PTE_W;
		((uint64_t *)(vm->ram + pt_gpa))[page & 511] =
			(gpa + off) | PTE_P | PTE_W | pat_bits(pat, PTE_PAT_4K);
	}
}

void vm_map_2m(struct test_vm *vm, uint64_t gva, uint64_t gpa, uint64_t size, enum test_pat pat)
{
	uint64_t *pd = (uint64_t *)(vm->ram + WINDOW_PD_GPA);

	for (uint64_t off = 0; off < size; off += 1 << 21)
		pd[(gva + off - TEST_WINDOW_GVA) >> 21] =
			(gpa + off) | PTE_P | PTE_W | PTE_PS | pat_bits(pat, PTE_PAT_2M);
}

int vm_resume(struct test_vm *vm)
{
	vm->interrupted = true;
	if (ioctl(vm->vcpu, KVM_RUN, 0))
		return errno;
	if (vm->run->exit_reason != KVM_EXIT_IO || vm->run->io.port != EXIT_PORT)
		return ENXIO;
	vm->interrupted = false;
	return 0;
}

static int vm_do(struct test_vm *vm, enum agent_op op, uint64_t addr, uint64_t value,
		 unsigned int pages)
{
	struct kvm_regs regs = { .rip = CODE_GPA, .rflags = 2, .rbx = CMD_GPA };
	struct agent_cmd *cmd = vm_cmd(vm);

	if (vm->interrupted)
		test_assert(!ioctl(vm->vcpu, KVM_SET_REGS, &regs));
	cmd->op = op;
	cmd->addr = addr;
	cmd->value = value;
	cmd->pages = pages;
	return vm_resume(vm);
}

int vm_store(struct test_vm *vm, uint64_t gva, uint64_t value)
{
	return vm_do(vm, AGENT_STORE, gva, value, 1);
}

int vm_store_pages(struct test_vm *vm, uint64_t gva, uint64_t value, unsigned int pages)
{
	return vm_do(vm, AGENT_STORE, gva, value, pages);
}

int vm_load(struct test_vm *vm, uint64_t gva, uint64_t *value)
{
	int r = vm_do(vm, AGENT_LOAD, gva, 0, 1);

	*value = vm_cmd(vm)->value;
	return r;
}

int vm_time_loads(struct test_vm *vm, uint64_t gva, uint64_t *ticks)
{
	int r = vm_do(vm, AGENT_TIMED_LOADS, gva, 0, 1);

	*ticks = vm_cmd(vm)->value;
	return r;
}

int vm_time_stores(struct test_vm *vm, uint64_t gva, uint64_t *ticks)
{
	int r = vm_do(vm, AGENT_TIMED_STORES, gva, 0, 1);

	*ticks = vm_cmd(vm)->value;
	return r;
}

int vm_sweep(struct test_vm *vm, struct test_access *accesses, unsigned int n)
{
	const size_t size = n * sizeof(*accesses);
	int r;

	test_assert(n >= 1 && n <= TEST_MAX_ACCESSES);
	memcpy(vm_cmd(vm)->accesses, accesses, size);
	r = vm_do(vm, AGENT_SWEEP, 0, 0, n);
	memcpy(accesses, vm_cmd(vm)->accesses, size);
	return r;
}

int vm_store_strided(struct test_vm *vm, uint64_t gva, uint64_t stride, unsigned int n,
		     uint64_t value)
{
	vm_cmd(vm)->stride = stride;
	return vm_do(vm, AGENT_STRIDED_STORES, gva, value, n);
}

int vm_load_strided(struct test_vm *vm, uint64_t gva, uint64_t stride, unsigned int n,
		    uint64_t *sum)
{
	int r;

	vm_cmd(vm)->stride = stride;
	r = vm_do(vm, AGENT_STRIDED_LOADS, gva, 0, n);
	*sum = vm_cmd(vm)->value;
	return r;
}

int vm_wrmsr(struct test_vm *vm, uint32_t msr, uint64_t value)
{
	return vm_do(vm, AGENT_WRMSR, msr, value, 1);
}

void vm_mark(struct test_vm *vm, bool mark)
{
	vm_cmd(vm)->mark = mark;
}

struct test_memory_fault *vm_memory_fault(struct test_vm *vm)
{
	return (struct test_memory_fault *)vm->run->padding;
}
