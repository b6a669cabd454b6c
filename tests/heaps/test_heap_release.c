// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of the WC and UC heaps comes back: as WB, all of it, whoever holds the
 * buffer last, and also from an allocation that a signal ends. While it is out,
 * the control group of its owner pays.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/dma-heap.h>

#include "conformance/lib/buffer.h"
#include "conformance/lib/ktap.h"
#include "conformance/lib/witness.h"

#define PAGE	4096UL
#define MIB	0x100000UL

static const char *const heaps[] = { "system-wc", "system-uc" };

static long long uncached(void)
{
	struct dmapat_mock_stats stats;

	mock_stats(&stats);
	return (long long)stats.uncached_pages;
}

/* The last reference to a killed process' buffer may be dropped a moment after its end. */
static long long uncached_settles(long long want)
{
	struct timespec start, now, step = { .tv_nsec = 10000000 };
	long long have;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		have = uncached();
		if (have == want)
			break;
		nanosleep(&step, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < 20);
	return have;
}

/* Free memory with what the CPUs' own lists hold of it, which is tens of MiB. */
static long long free_kib(void)
{
	long long pages = 0, n;
	char line[256];
	FILE *file;

	/* Folds the CPUs' counters into the sums; reading does it. */
	file = fopen("/proc/sys/vm/stat_refresh", "re");
	test_assert(file);
	while (fgets(line, sizeof(line), file))
		;
	fclose(file);

	file = fopen("/proc/zoneinfo", "re");
	test_assert(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " pages free %lld", &n) == 1 ||
		    sscanf(line, " count: %lld", &n) == 1)
			pages += n;
	fclose(file);
	return pages * 4;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	test_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static long long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	long long n;

	test_assert(file && fscanf(file, "%lld", &n) == 1);
	fclose(file);
	return n;
}

static void cycles(void)
{
	static const size_t sizes[] = { PAGE, 17 * PAGE, 64 * PAGE, 2 * MIB, 2 * MIB + PAGE };
	long long before, kib;
	uint8_t *map;
	size_t size;
	int i, fd;

	/* The first rounds fill the kernel's caches. */
	for (i = 0; i < 50; i++)
		close(buffer_heap(heaps[i % 2], sizes[i % 5]));
	before = uncached();
	kib = free_kib();

	for (i = 0; i < 1000; i++) {
		size = sizes[i % 5];
		fd = buffer_heap(heaps[i % 2], size);
		map = buffer_map(fd, size, 0);
		map[size - 1] = 1;
		close(fd);
		munmap(map, size);
	}
	test_eq(uncached(), before, "1,000 buffers: all memory is WB again");
	kib -= free_kib();
	test_note("1,000 buffers (850 MiB in all) cost %lld KiB of free memory", kib);
	test_ok(kib < 4 * 1024, "1,000 buffers: no memory is lost");
}

/* Memory that was WC or UC a moment ago serves others as WB. */
static void ordinary_memory(void)
{
	struct dmapat_mock_entry entry;
	int wrong = 0;
	uint8_t *map;
	size_t i;

	for (i = 0; i < 2; i++)
		close(buffer_heap(heaps[i], 128 * MIB));

	map = mmap(NULL, 400 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(map != MAP_FAILED);
	for (i = 0; i < 400 * MIB; i += PAGE) {
		map[i] = 1;
		if (witness_entry(map + i, &entry) || witness_user_type(&entry) != TYPE_WB ||
		    witness_kernel_type(&entry) != TYPE_WB)
			wrong++;
	}
	test_eq(wrong, 0, "400 MiB of ordinary memory are WB in both mappings");
	munmap(map, 400 * MIB);
}

/* What keeps the module: each buffer, for as long as anybody has it. */
static void module_references(void)
{
	const char *path = "/sys/module/dmabuf_memtype/refcnt";
	long long before = read_number(path);
	int fd = buffer_heap("system-wc", PAGE);
	uint8_t *map;

	test_eq(read_number(path), before + 1, "a buffer holds the module");
	map = buffer_map(fd, PAGE, 0);
	close(fd);
	test_eq(read_number(path), before + 1, "its mapping does, without the fd");
	munmap(map, PAGE);
	test_eq(read_number(path), before, "nobody does after the last of them");
}

/* A process that dies with everything open: fds, mappings, a fork, an import. */
static void killed_holder(void)
{
	long long before = uncached();
	int status, fds[2];
	char byte;
	pid_t pid;

	test_assert(!pipe2(fds, O_CLOEXEC));
	pid = fork();
	test_assert(pid >= 0);
	if (!pid) {
		int wc = buffer_heap("system-wc", 4 * MIB), uc = buffer_heap("system-uc", MIB);
		struct dmapat_mock_import import = { .fd = wc };
		int mock = open("/dev/dmapat-mock", O_RDWR | O_CLOEXEC);

		memset(buffer_map(wc, 4 * MIB, 0), 1, 4 * MIB);
		memset(buffer_map(uc, MIB, 0), 1, MIB);
		if (mock < 0 || ioctl(mock, DMAPAT_MOCK_IMPORT, &import))
			_exit(3);
		if (uncached() != before + (long)(5 * MIB / PAGE))
			_exit(1);
		if (write(fds[1], "x", 1) != 1)
			_exit(2);
		pause();
	}
	close(fds[1]);
	test_ok(read(fds[0], &byte, 1) == 1, "a process holds 5 MiB");
	close(fds[0]);
	kill(pid, SIGKILL);
	test_assert(waitpid(pid, &status, 0) == pid);
	test_eq(uncached_settles(before), before, "killed: all memory is WB again");
}

/* Killed at any moment of an allocation; the child tells when it starts. */
static void killed_allocation(void)
{
	long long before = uncached(), kib = free_kib();
	int round, status, fds[2];
	char byte;
	pid_t pid;

	for (round = 0; round < 20; round++) {
		struct timespec delay = { .tv_nsec = round * 10000000L };

		test_assert(!pipe2(fds, O_CLOEXEC));
		pid = fork();
		test_assert(pid >= 0);
		if (!pid) {
			if (write(fds[1], "x", 1) != 1)
				_exit(1);
			for (;;)
				close(buffer_heap(heaps[round % 2], 300 * MIB));
		}
		close(fds[1]);
		test_assert(read(fds[0], &byte, 1) == 1);
		close(fds[0]);
		/* Where in the allocation the signal lands is what varies. */
		nanosleep(&delay, NULL);
		kill(pid, SIGKILL);
		test_assert(waitpid(pid, &status, 0) == pid);
		test_assert(WIFSIGNALED(status));
	}
	test_eq(uncached_settles(before), before, "20 killed allocations: all memory is WB again");
	kib -= free_kib();
	test_note("20 killed allocations cost %lld KiB of free memory", kib);
	test_ok(kib < 8 * 1024, "20 killed allocations: no memory is lost");
}

static void accounting(void)
{
	struct dma_heap_allocation_data data = { .len = 64 * MIB, .fd_flags = O_RDWR | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system-wc", O_RDWR | O_CLOEXEC), fd;
	long long empty, charged;

	test_assert(heap >= 0);
	test_assert(!mkdir("/tmp/cgroup", 0755));
	test_assert(!mount("none", "/tmp/cgroup", "cgroup2", 0, NULL));
	write_file("/tmp/cgroup/cgroup.subtree_control", "+memory");
	test_assert(!mkdir("/tmp/cgroup/test", 0755));
	write_file("/tmp/cgroup/test/cgroup.procs", "0");

	empty = read_number("/tmp/cgroup/test/memory.current");
	fd = buffer_heap("system-wc", 16 * MIB);
	charged = read_number("/tmp/cgroup/test/memory.current") - empty;
	test_note("16 MiB charge %lld KiB", charged / 1024);
	test_ok(charged >= (long long)(16 * MIB) && charged < (long long)(18 * MIB),
		"the control group pays for a buffer");

	write_file("/tmp/cgroup/test/memory.max", "50331648");
	test_errno(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) ? errno : 0, ENOMEM,
		   "a buffer beyond its limit is refused, and nobody is killed");
	close(fd);
	test_ok(read_number("/tmp/cgroup/test/memory.current") < empty + (long long)(2 * MIB),
		"nothing is charged after the release");

	write_file("/tmp/cgroup/cgroup.procs", "0");
	test_assert(!rmdir("/tmp/cgroup/test"));
	write_file("/tmp/cgroup/cgroup.subtree_control", "-memory");
	test_assert(!umount("/tmp/cgroup"));
	test_assert(!rmdir("/tmp/cgroup"));
	close(heap);
}

int main(void)
{
	cycles();
	ordinary_memory();
	module_references();
	killed_holder();
	killed_allocation();
	accounting();
	return test_end();
}
