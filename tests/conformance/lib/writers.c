// SPDX-License-Identifier: GPL-2.0-or-later
/* vCPUs that write for ever; see writers.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "ktap.h"
#include "writers.h"

#define RAM_SIZE	0x200000UL

/* Slot 0: page tables that map the first 2 GiB one to one, and the code. */
#define PML4_GPA	0x1000
#define PDPT_GPA	0x2000
#define PD_GPA		0x3000
#define CODE_GPA	0x5000

/*
 * rsi: where to write, rdi: state, rbx: counter, rdx: mask of page numbers. For ever:
 * step the generator, store the counter to a page that it names.
 */
static const uint8_t code[] = {
	0x48, 0x69, 0xff, 0x0d, 0x66, 0x19, 0x00,	/* imul $1664525, %rdi, %rdi */
	0x48, 0x81, 0xc7, 0x5f, 0xf3, 0x6e, 0x3c,	/* add $1013904223, %rdi */
	0x48, 0x89, 0xf8,				/* mov %rdi, %rax */
	0x48, 0xc1, 0xe8, 0x14,				/* shr $20, %rax */
	0x48, 0x21, 0xd0,				/* and %rdx, %rax */
	0x48, 0xc1, 0xe0, 0x0c,				/* shl $12, %rax */
	0x48, 0xff, 0xc3,				/* inc %rbx */
	0x48, 0x89, 0x1c, 0x06,				/* mov %rbx, (%rsi,%rax) */
	0xeb, 0xdb,					/* jmp to the beginning */
};

struct writer {
	pthread_t thread;
	int fd;
	struct kvm_run *run;
	atomic_ulong exits;
};

static int kvm_fd, vm_fd;
static struct writer writers[WRITERS];
static pthread_barrier_t held, released;
static atomic_bool hold, end;

static void interrupt(int sig)
{
	(void)sig;
}

static void *write_for_ever(void *arg)
{
	struct writer *writer = arg;

	while (!atomic_load(&end)) {
		if (ioctl(writer->fd, KVM_RUN, 0) != -1 || errno != EINTR)
			atomic_fetch_add(&writer->exits, 1);
		if (atomic_load(&hold)) {
			pthread_barrier_wait(&held);
			pthread_barrier_wait(&released);
		}
	}
	return NULL;
}

void writers_hold(void)
{
	atomic_store(&hold, true);
	for (unsigned int i = 0; i < WRITERS; i++) {
		writers[i].run->immediate_exit = 1;
		pthread_kill(writers[i].thread, SIGUSR1);
	}
	pthread_barrier_wait(&held);
	for (unsigned int i = 0; i < WRITERS; i++)
		writers[i].run->immediate_exit = 0;
	atomic_store(&hold, false);
}

void writers_release(void)
{
	pthread_barrier_wait(&released);
}

uint64_t writers_stores(unsigned int i)
{
	struct kvm_regs regs;

	test_assert(!ioctl(writers[i].fd, KVM_GET_REGS, &regs));
	return regs.rbx;
}

unsigned long writers_exits(void)
{
	unsigned long n = 0;

	for (unsigned int i = 0; i < WRITERS; i++)
		n += atomic_load(&writers[i].exits);
	return n;
}

void writers_end(void)
{
	writers_hold();
	atomic_store(&end, true);
	writers_release();
	for (unsigned int i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
}

int writers_slot(unsigned int slot, uint64_t gpa, uint64_t size, void *hva, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa, .memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) ? errno : 0;
}

static void set_cpuid(int vcpu)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 128 * sizeof(cpuid->entries[0]));

	test_assert(cpuid);
	cpuid->nent = 128;
	test_assert(!ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid));
	test_assert(!ioctl(vcpu, KVM_SET_CPUID2, cpuid));
	free(cpuid);
}

static void create_writer(unsigned int i, size_t run_size)
{
	const struct kvm_segment code_segment = {
		.selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1, .limit = 0xffffffff
	};
	const struct kvm_segment data = {
		.selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1, .limit = 0xffffffff
	};
	struct writer *writer = &writers[i];
	struct kvm_sregs sregs;

	writer->fd = ioctl(vm_fd, KVM_CREATE_VCPU, i);
	test_assert(writer->fd >= 0);
	writer->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, writer->fd, 0);
	test_assert(writer->run != MAP_FAILED);
	set_cpuid(writer->fd);
	test_assert(!ioctl(writer->fd, KVM_GET_SREGS, &sregs));
	sregs.cs = code_segment;
	sregs.ds = data;
	sregs.es = data;
	sregs.fs = data;
	sregs.gs = data;
	sregs.ss = data;
	sregs.cr0 = 0x80010033;		/* PG WP NE ET MP PE */
	sregs.cr3 = PML4_GPA;
	sregs.cr4 = 0x20;		/* PAE */
	sregs.efer = 0x500;		/* LMA LME */
	test_assert(!ioctl(writer->fd, KVM_SET_SREGS, &sregs));
}

int writers_create(void)
{
	struct sigaction action = { .sa_handler = interrupt };
	uint8_t *ram;
	int size;

	kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	test_assert(kvm_fd >= 0);
	vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	test_assert(vm_fd >= 0);
	test_assert(!ioctl(vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000));
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(ram != MAP_FAILED);
	/* Accessed and dirty already: the walk writes nothing. */
	*(uint64_t *)(ram + PML4_GPA) = PDPT_GPA | 0x23;
	for (uint64_t i = 0; i < 2; i++)
		((uint64_t *)(ram + PDPT_GPA))[i] = (PD_GPA + i * 0x1000) | 0x23;
	for (uint64_t i = 0; i < 1024; i++)
		((uint64_t *)(ram + PD_GPA))[i] = i << 21 | 0xe3;
	memcpy(ram + CODE_GPA, code, sizeof(code));
	test_assert(!writers_slot(0, 0, RAM_SIZE, ram, 0));
	size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	test_assert(size > 0);
	test_assert(!sigaction(SIGUSR1, &action, NULL));
	test_assert(!pthread_barrier_init(&held, NULL, WRITERS + 1));
	test_assert(!pthread_barrier_init(&released, NULL, WRITERS + 1));
	for (unsigned int i = 0; i < WRITERS; i++)
		create_writer(i, (size_t)size);
	return vm_fd;
}

void writers_start(uint64_t pages)
{
	for (unsigned int i = 0; i < WRITERS; i++) {
		/* With interrupts on: Bochs leaves the guest for the host's no other way. */
		struct kvm_regs regs = {
			.rip = CODE_GPA, .rflags = 0x202, .rsi = WRITERS_GPA + 8 * i,
			.rdi = 0x1234567 * (i + 1), .rdx = pages - 1,
		};

		test_assert(!ioctl(writers[i].fd, KVM_SET_REGS, &regs));
		test_assert(!pthread_create(&writers[i].thread, NULL, write_for_ever, &writers[i]));
	}
}
