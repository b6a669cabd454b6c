// SPDX-License-Identifier: GPL-2.0-or-later
/* vCPUs that write for ever; see writers.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "ktap.h"
#include "nested.h"
#include "process.h"
#include "vm.h"
#include "writers.h"

#define RAM_SIZE	0x200000UL

/* Slot 0: page tables that map the first 2 GiB one to one, and the code. */
#define PML4_GPA	0x1000
#define PDPT_GPA	0x2000
#define PD_GPA		0x3000
#define CODE_GPA	0x5000
#define COUNTER_GPA	0x6000		/* eight bytes a vCPU */
#define NESTED_GPA	0x10000		/* NESTED_BYTES a vCPU */

/*
 * rsi: where to write, rdi: state, rbx: counter, rdx: mask of page numbers, r8: where
 * the counter is told. For ever: step the generator, store the counter to a page that
 * it names, and tell it.
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
	0x49, 0x89, 0x18,				/* mov %rbx, (%r8) */
	0xeb, 0xd8,					/* jmp to the beginning */
};

struct writer {
	pthread_t thread;
	int fd;
	struct kvm_run *run;
	bool nested;
	atomic_ulong exits;
};

static int kvm_fd, vm_fd;
static uint8_t *ram;
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
	return *(volatile uint64_t *)(ram + COUNTER_GPA + 8 * i);
}

void writers_wait(uint64_t n)
{
	const int64_t deadline = process_now_ms() + PROCESS_TIMEOUT_MS;

	for (unsigned int i = 0; i < WRITERS; i++) {
		const uint64_t before = writers_stores(i);

		while (writers_stores(i) - before < n) {
			test_assert(process_now_ms() < deadline);
			sched_yield();
		}
	}
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
	for (unsigned int i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		test_assert(writers[i].nested == vcpu_is_nested(writers[i].fd));
	}
}

int writers_slot(unsigned int slot, uint64_t gpa, uint64_t size, void *hva, uint32_t flags)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa, .memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region) ? errno : 0;
}

static void create_writer(unsigned int i, size_t run_size)
{
	struct writer *writer = &writers[i];

	writer->fd = ioctl(vm_fd, KVM_CREATE_VCPU, i);
	test_assert(writer->fd >= 0);
	writer->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, writer->fd, 0);
	test_assert(writer->run != MAP_FAILED);
	vcpu_long_mode(kvm_fd, writer->fd, PML4_GPA);
}

int writers_create(void)
{
	struct sigaction action = { .sa_handler = interrupt };
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

void writers_nest(unsigned int i)
{
	vcpu_nest(writers[i].fd, ram, NESTED_GPA + i * NESTED_BYTES);
	writers[i].nested = true;
}

void writers_start(uint64_t pages)
{
	for (unsigned int i = 0; i < WRITERS; i++) {
		/* With interrupts on: Bochs leaves the guest for the host's no other way. */
		struct kvm_regs regs = {
			.rip = CODE_GPA, .rflags = 0x202, .rsi = WRITERS_GPA + 8 * i,
			.rdi = 0x1234567 * (i + 1), .rdx = pages - 1,
			.r8 = COUNTER_GPA + 8 * i,
		};

		test_assert(!ioctl(writers[i].fd, KVM_SET_REGS, &regs));
		test_assert(!pthread_create(&writers[i].thread, NULL, write_for_ever, &writers[i]));
	}
}
