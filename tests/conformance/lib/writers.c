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

/* Slot 0: page tables that map the first 2 GiB one to one, and the code. */
#define PML4_GPA	0x1000
#define PDPT_GPA	0x2000
#define PD_GPA		0x3000
#define CODE_GPA	0x5000
#define COUNTER_GPA	0x6000		/* a vCPU's counter and checksum, 16 bytes */
#define MMIO_GPA	0x7ffff000UL	/* no memory */
#define NESTED_GPA	0x10000		/* NESTED_BYTES a vCPU */

/* writers_code.S */
extern const uint8_t writers_store_code[], writers_move_code[];
extern const uint64_t writers_store_size, writers_move_size;

/* What a vCPU has stored, as its generator says. */
struct replay {
	uint64_t state;
	uint64_t count;
	uint64_t sum;
	uint64_t *last;			/* by page: the last that was stored there */
};

struct writer {
	pthread_t thread;
	int fd;
	struct kvm_run *run;
	bool nested;
	atomic_ulong exits;
	struct kvm_dirty_gfn *ring;	/* or NULL */
	uint32_t ring_next;
	uint64_t moved;
	struct replay replay;
};

static int kvm_fd, vm_fd;
static uint8_t *ram;
static struct writer writers[WRITERS];
static pthread_barrier_t held, released;
static atomic_bool hold, end;
static uint32_t ring_entries;
static uint64_t page_mask;
static bool moves;

static void interrupt(int sig)
{
	(void)sig;
}

/* A vCPU has left for no signal: is it the move that KVM asks us about? */
static bool move(struct writer *writer)
{
	struct kvm_run *run = writer->run;

	if (!moves || run->exit_reason != KVM_EXIT_MMIO || run->mmio.is_write ||
	    run->mmio.phys_addr != MMIO_GPA || run->mmio.len != 8)
		return false;
	writer->moved++;
	memcpy(run->mmio.data, &writer->moved, 8);
	return true;
}

static void *write_for_ever(void *arg)
{
	struct writer *writer = arg;
	int r;

	while (!atomic_load(&end)) {
		r = ioctl(writer->fd, KVM_RUN, 0);
		if ((r || !move(writer)) && (!r || errno != EINTR) &&
		    !atomic_fetch_add(&writer->exits, 1))
			test_note("vCPU %td: KVM_RUN %d, errno %d, exit reason %u",
				  writer - writers, r, errno, writer->run->exit_reason);
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
	return *(volatile uint64_t *)(ram + COUNTER_GPA + 16 * i);
}

/* The next store, as the guest makes it. */
static uint64_t replay_store(struct replay *replay)
{
	uint64_t page;

	replay->state = replay->state * 1664525 + 1013904223;
	page = replay->state >> 20 & page_mask;
	replay->count++;
	replay->sum = (replay->sum << 1 | replay->sum >> 63) + (page << 12);
	replay->sum ^= replay->count;
	return page;
}

static unsigned long replay_lost(struct writer *writer, const uint8_t *memory)
{
	const unsigned int i = (unsigned int)(writer - writers);
	const uint64_t told = *(uint64_t *)(ram + COUNTER_GPA + 16 * i + 8);
	struct replay *replay = &writer->replay, next;
	uint64_t page, value, under_way;
	unsigned long lost = 0;

	while (replay->count < writers_stores(i)) {
		page = replay_store(replay);
		replay->last[page] = replay->count;
	}
	/* The vCPU may have been stopped behind any instruction of the next store. */
	next = *replay;
	under_way = replay_store(&next);
	test_assert(told == replay->sum || told == next.sum);

	for (page = 0; page <= page_mask; page++) {
		if (!replay->last[page])
			continue;
		value = *(const uint64_t *)(memory + page * 4096 + 8 * i);
		if (value == replay->last[page] || (page == under_way && value == next.count))
			continue;
		if (!lost++)
			test_note("vCPU %u: page %llu holds %llu, not %llu", i,
				  (unsigned long long)page, (unsigned long long)value,
				  (unsigned long long)replay->last[page]);
	}
	return lost;
}

unsigned long writers_lost(const uint8_t *memory)
{
	unsigned long lost = 0;

	for (unsigned int i = 0; i < WRITERS; i++)
		lost += replay_lost(&writers[i], memory);
	return lost;
}

unsigned int writers_harvest(void (*page)(uint32_t slot, uint64_t page))
{
	struct kvm_dirty_gfn *gfn;
	unsigned int n = 0;

	for (unsigned int i = 0; i < WRITERS; i++) {
		for (;;) {
			gfn = &writers[i].ring[writers[i].ring_next % ring_entries];
			if (!(__atomic_load_n(&gfn->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY))
				break;
			page(gfn->slot, gfn->offset);
			__atomic_store_n(&gfn->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
			writers[i].ring_next++;
			n++;
		}
	}
	test_assert(ioctl(vm_fd, KVM_RESET_DIRTY_RINGS, 0) == (int)n);
	return n;
}

uint8_t *writers_ram(void)
{
	return ram;
}

void writers_wait(uint64_t n)
{
	const int64_t deadline = process_now_ms() + process_timeout_ms();

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
	if (ring_entries) {
		writer->ring = mmap(NULL, ring_entries * sizeof(*writer->ring),
				    PROT_READ | PROT_WRITE, MAP_SHARED, writer->fd,
				    KVM_DIRTY_LOG_PAGE_OFFSET * 4096);
		test_assert(writer->ring != MAP_FAILED);
	}
	vcpu_long_mode(kvm_fd, writer->fd, PML4_GPA);
}

int writers_create(uint32_t ring)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DIRTY_LOG_RING, .args[0] = ring * sizeof(struct kvm_dirty_gfn)
	};
	struct sigaction action = { .sa_handler = interrupt };
	int size;

	kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	test_assert(kvm_fd >= 0);
	vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	test_assert(vm_fd >= 0);
	test_assert(!ioctl(vm_fd, KVM_SET_TSS_ADDR, 0xfffbd000));
	test_assert(!ring || !ioctl(vm_fd, KVM_ENABLE_CAP, &cap));
	ring_entries = ring;
	ram = mmap(NULL, WRITERS_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(ram != MAP_FAILED);
	/* Accessed and dirty already: the walk writes nothing. */
	*(uint64_t *)(ram + PML4_GPA) = PDPT_GPA | 0x23;
	for (uint64_t i = 0; i < 2; i++)
		((uint64_t *)(ram + PDPT_GPA))[i] = (PD_GPA + i * 0x1000) | 0x23;
	for (uint64_t i = 0; i < 1024; i++)
		((uint64_t *)(ram + PD_GPA))[i] = i << 21 | 0xe3;
	test_assert(!writers_slot(0, 0, WRITERS_RAM_SIZE, ram, 0));
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

static void start(uint64_t mask, const uint8_t *code, uint64_t size)
{
	page_mask = mask;
	memcpy(ram + CODE_GPA, code, size);
	for (unsigned int i = 0; i < WRITERS; i++) {
		/* With interrupts on: Bochs leaves the guest for the host's no other way. */
		struct kvm_regs regs = {
			.rip = CODE_GPA, .rflags = 0x202, .rsi = WRITERS_GPA + 8 * i,
			.rdi = 0x1234567 * (i + 1), .rdx = mask,
			.r8 = COUNTER_GPA + 16 * i, .r9 = MMIO_GPA,
		};

		writers[i].replay.state = regs.rdi;
		writers[i].replay.last = calloc(mask + 1, sizeof(uint64_t));
		test_assert(writers[i].replay.last);
		test_assert(!ioctl(writers[i].fd, KVM_SET_REGS, &regs));
		test_assert(!pthread_create(&writers[i].thread, NULL, write_for_ever, &writers[i]));
	}
}

void writers_start(uint64_t mask)
{
	start(mask, writers_store_code, writers_store_size);
}

void writers_start_moves(uint64_t mask)
{
	moves = true;
	start(mask, writers_move_code, writers_move_size);
}
