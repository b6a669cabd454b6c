// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What dirty tracking costs, in instructions: Bochs advances the TSC by one for each.
 * Runs on stock and on dmapat's modules, and on these with PML and without; prints
 * "bench NAME UNIT COUNT". On dmapat's modules KVM_WRITE_PROTECT_ALL_MEM does the work
 * that on stock the memslot's flag and KVM_GET_DIRTY_LOG do.
 */
#include <fcntl.h>
#include <linux/kvm_dmabuf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../tests/conformance/lib/ktap.h"
#include "../tests/conformance/lib/vm.h"

#define GPA		0x10000000UL
#define GVA		TEST_WINDOW_GVA
#define MIB		0x100000UL
#define BACKING		(16 * MIB)	/* of all sizes: the machine has not 1 GiB to give */
#define SLOT		1
#define LOG		KVM_MEM_LOG_DIRTY_PAGES

static struct test_vm vm;
static bool ours;
static uint8_t *memory;
static uint64_t *bitmap;

static inline uint64_t bench_now(void)
{
	return __builtin_ia32_rdtsc();
}

static void bench_print(const char *name, unsigned long mib, const char *more, uint64_t count)
{
	printf("bench %s,%lu-MiB%s instructions %llu\n", name, mib, more,
	       (unsigned long long)count);
	fflush(stdout);
}

/* @size bytes that repeat the same memory. */
static void map_memory(size_t size)
{
	int fd = memfd_create("bench", MFD_CLOEXEC);

	test_assert(fd >= 0 && !ftruncate(fd, (off_t)BACKING));
	memory = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	test_assert(memory != MAP_FAILED);
	for (size_t at = 0; at < size; at += BACKING)
		test_assert(mmap(memory + at, BACKING, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) == memory + at);
	close(fd);
}

static void take_log(void)
{
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };

	test_assert(!ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
}

/* What a round of a migration does: take the log, protect again. */
static uint64_t rearm(void)
{
	uint64_t start = bench_now();

	take_log();
	if (ours)
		test_assert(!ioctl(vm.fd, KVM_WRITE_PROTECT_ALL_MEM, 0));
	return bench_now() - start;
}

/* The call alone. */
static uint64_t protect(void)
{
	uint64_t start = bench_now();

	test_assert(!ioctl(vm.fd, KVM_WRITE_PROTECT_ALL_MEM, 0));
	return bench_now() - start;
}

/* Re-arm with every page dirty, then touch @n scattered pages: both, and all exits. */
static void rearm_and_touch(unsigned long mib, unsigned long n, const char *share)
{
	const unsigned long pages = mib * MIB / 4096;
	uint64_t start;

	test_assert(!vm_store_pages(&vm, GVA, 1, (unsigned int)pages));
	start = bench_now();
	rearm();
	test_assert(!vm_store_strided(&vm, GVA, pages / n * 4096, (unsigned int)n, 1));
	bench_print("rearm-and-touch", mib, share, bench_now() - start);
}

static void bench_size(unsigned long mib)
{
	const size_t size = mib * MIB;
	uint64_t start;

	vm_create(&vm, 0);
	map_memory(size);
	bitmap = calloc(1, size / 4096 / 8);
	test_assert(bitmap);
	test_assert(!vm_set_slot(&vm, SLOT, GPA, size, memory, 0));
	vm_map(&vm, GVA, GPA, size, PAT_WB);
	test_assert(!vm_store_pages(&vm, GVA, 1, (unsigned int)(size / 4096)));
	if (ours)
		protect();

	start = bench_now();
	test_assert(!vm_set_slot(&vm, SLOT, GPA, size, memory, LOG));
	bench_print("log-on", mib, "", bench_now() - start);
	test_assert(!vm_store_pages(&vm, GVA, 1, (unsigned int)(size / 4096)));
	bench_print("take-log-and-rearm,all-dirty", mib, "", rearm());
	bench_print("take-log-and-rearm,clean", mib, "", rearm());
	if (ours)
		bench_print("write-protect-all", mib, "", protect());
	if (mib == 256) {
		rearm_and_touch(mib, 65, ",0.1%");
		rearm_and_touch(mib, 655, ",1%");
		rearm_and_touch(mib, mib * MIB / 4096, ",100%");
	}
	free(bitmap);
	vm_destroy(&vm);
	munmap(memory, size);
}

int main(void)
{
	static const unsigned long sizes[] = { 16, 64, 256, 1024 };
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	test_assert(kvm >= 0);
	ours = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF) & KVM_DMA_BUF_HAS_WRITE_PROTECT_ALL;
	close(kvm);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		bench_size(sizes[i]);
	return 0;
}
