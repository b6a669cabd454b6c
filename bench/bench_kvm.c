// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What bindings and faults cost, in instructions: Bochs advances the TSC by one
 * for each. Runs on stock and on dmapat's modules; prints "bench NAME UNIT COUNT"
 * for what the modules at hand can do. bench/run pairs the two.
 *
 * Each figure is the least of several rounds: timer interrupts only add.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "../tests/conformance/lib/bind.h"
#include "../tests/conformance/lib/buffer.h"
#include "../tests/conformance/lib/ktap.h"
#include "../tests/conformance/lib/vm.h"

#define GPA		0x10000000UL
#define GVA		TEST_WINDOW_GVA
#define BIND_SIZE	0x10000UL		/* 64 KiB */
#define OTHERS		4096UL
#define ROUNDS		40
#define FAULT_PAGES	64UL		/* few enough that some round meets no timer tick */

static inline uint64_t bench_now(void)
{
	return __builtin_ia32_rdtsc();
}

static uint64_t bench_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void bench_print(const char *name, const char *unit, uint64_t count)
{
	printf("bench %s %s %llu\n", name, unit, (unsigned long long)count);
	fflush(stdout);
}

/* Bind and unbind 64 KiB of a window that holds @others bindings already. */
static void bench_bind(unsigned long others, bool touched)
{
	const size_t size = (OTHERS + 1) * BIND_SIZE;
	uint64_t start, best = UINT64_MAX;
	struct test_vm vm;
	char name[64];
	uint8_t *window;
	int fd = buffer_heap("system-wc", BIND_SIZE);

	vm_create(&vm, 0);
	window = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	test_assert(window != MAP_FAILED);
	test_assert(!vm_set_slot(&vm, 1, GPA, size, window, 0));
	/* One buffer behind all of them: each binding is a mapping of its own all the same. */
	for (unsigned long i = 0; i < others; i++) {
		buffer_map_at(window + (i + 1) * BIND_SIZE, fd, BIND_SIZE, 0);
		test_assert(!vm_bind(&vm, GPA + (i + 1) * BIND_SIZE, BIND_SIZE, fd, 0, NULL));
	}
	buffer_map_at(window, fd, BIND_SIZE, 0);
	memset(window, 0, BIND_SIZE);
	vm_map(&vm, GVA, GPA, BIND_SIZE, PAT_WC);

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t cost;

		start = bench_now();
		test_assert(!vm_bind(&vm, GPA, BIND_SIZE, fd, 0, NULL));
		cost = bench_now() - start;
		if (touched)
			test_assert(!vm_store_pages(&vm, GVA, 1, BIND_SIZE / 4096));
		start = bench_now();
		test_assert(!vm_unbind(&vm, GPA, BIND_SIZE));
		best = bench_min(best, cost + bench_now() - start);
	}
	snprintf(name, sizeof(name), "bind-unbind-64KiB,others=%lu%s", others,
		 touched ? ",touched" : "");
	bench_print(name, "instructions", best);

	munmap(window, size);
	vm_destroy(&vm);
}

/* What user space did before: a slot of its own for each buffer. */
static void bench_slot(void)
{
	uint64_t start, best = UINT64_MAX;
	struct test_vm vm;
	void *hva = mmap(NULL, BIND_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	test_assert(hva != MAP_FAILED);
	vm_create(&vm, 0);
	for (int i = 0; i < ROUNDS; i++) {
		start = bench_now();
		test_assert(!vm_set_slot(&vm, 1, GPA, BIND_SIZE, hva, 0));
		test_assert(!vm_set_slot(&vm, 1, 0, 0, NULL, 0));
		best = bench_min(best, bench_now() - start);
	}
	bench_print("slot-create-delete-64KiB", "instructions", best);
	munmap(hva, BIND_SIZE);
	vm_destroy(&vm);
}

/*
 * First touch of a page of ordinary RAM that the host has populated; with a
 * window that has a binding beside it, as a VM with a GPU has.
 */
static void bench_fault(bool window)
{
	const size_t size = FAULT_PAGES * 4096;
	uint64_t start, best = UINT64_MAX;
	struct test_vm vm;
	uint8_t *ram;
	void *hva;
	int fd;

	ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(ram != MAP_FAILED);
	test_assert(!madvise(ram, size, MADV_NOHUGEPAGE));
	memset(ram, 1, size);
	vm_create(&vm, 0);
	vm_map(&vm, GVA, GPA, size, PAT_WB);
	if (window) {
		fd = buffer_heap("system-wc", BIND_SIZE);
		hva = buffer_map(fd, BIND_SIZE, 0);
		test_assert(!vm_set_slot(&vm, 2, GPA + 2 * size, BIND_SIZE, hva, 0));
		test_assert(!vm_bind(&vm, GPA + 2 * size, BIND_SIZE, fd, 0, NULL));
	}
	for (int i = 0; i < ROUNDS; i++) {
		test_assert(!vm_set_slot(&vm, 1, GPA, size, ram, 0));
		/* The table pages above the leaves, and the agent's own pages. */
		test_assert(!vm_store(&vm, GVA, 1));
		start = bench_now();
		test_assert(!vm_store_pages(&vm, GVA + 4096, 1, FAULT_PAGES - 1));
		best = bench_min(best, bench_now() - start);
		test_assert(!vm_set_slot(&vm, 1, 0, 0, NULL, 0));
	}
	bench_print(window ? "ept-fault-unbound,window-bound" : "ept-fault-unbound",
		    "instructions-a-page", (best + FAULT_PAGES / 2) / (FAULT_PAGES - 1));
	vm_destroy(&vm);
	munmap(ram, size);
}

int main(void)
{
	struct test_vm vm;
	int can;

	vm_create(&vm, 0);
	can = ioctl(vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF);
	vm_destroy(&vm);

	bench_slot();
	bench_fault(false);
	if (can > 0) {
		bench_fault(true);
		bench_bind(0, false);
		bench_bind(OTHERS, false);
		bench_bind(0, true);
		bench_bind(OTHERS, true);
	}
	return 0;
}
