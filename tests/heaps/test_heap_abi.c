// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The allocation ioctl of the WC and UC heaps: what drivers/dma-buf/dma-heap.c
 * takes and refuses, and that a refusal leaves nothing behind. The stock heap
 * answers beside ours, so that the two cannot differ.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/dma-heap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "conformance/lib/buffer.h"
#include "conformance/lib/ktap.h"
#include "conformance/lib/witness.h"

static const char *heap_name;
static int heap;

static int alloc(struct dma_heap_allocation_data *data)
{
	return ioctl(heap, DMA_HEAP_IOCTL_ALLOC, data) ? errno : 0;
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	test_assert(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void refuse(struct dma_heap_allocation_data data, int error, const char *what)
{
	int fds = count_fds();

	test_errno(alloc(&data), error, "%s: %s", heap_name, what);
	test_eq(count_fds(), fds, "%s: %s: no fd is left", heap_name, what);
}

static void refusals(void)
{
	struct dma_heap_allocation_data good = { .len = 4096, .fd_flags = O_RDWR | O_CLOEXEC };
	struct dma_heap_allocation_data bad;

	bad = good;
	bad.len = 0;
	refuse(bad, EINVAL, "length 0");
	bad = good;
	bad.len = UINT64_MAX;
	refuse(bad, EINVAL, "length wraps to 0 when it is rounded up");
	bad = good;
	bad.fd = 1;
	refuse(bad, EINVAL, "fd not 0");
	bad = good;
	bad.fd_flags = O_RDWR | O_NONBLOCK;
	refuse(bad, EINVAL, "fd flag O_NONBLOCK");
	bad = good;
	bad.fd_flags = UINT32_MAX;
	refuse(bad, EINVAL, "all fd flags");
	bad = good;
	bad.heap_flags = 1;
	refuse(bad, EINVAL, "heap flag 1");
	bad = good;
	bad.heap_flags = 1ULL << 63;
	refuse(bad, EINVAL, "heap flag 1 << 63");
}

static void limits(void)
{
	struct dma_heap_allocation_data good = { .len = 4096, .fd_flags = O_RDWR | O_CLOEXEC };
	struct dma_heap_allocation_data bad;
	struct sysinfo info;

	test_assert(!sysinfo(&info));
	bad = good;
	bad.len = (uint64_t)info.totalram * info.mem_unit + 4096;
	refuse(bad, ENOMEM, "more than the machine's memory");
	bad = good;
	bad.len = 1ULL << 62;
	refuse(bad, ENOMEM, "2^62 bytes");
	bad = good;
	bad.len = (uint64_t)info.freeram * info.mem_unit + (64 << 20);
	refuse(bad, ENOMEM, "more than is free, and nobody is killed for it");
}

static void bad_calls(void)
{
	struct dma_heap_allocation_data data = { .len = 4096, .fd_flags = O_RDWR | O_CLOEXEC };
	struct rlimit limit, none;
	int fds = count_fds();
	void *ro;

	test_errno(ioctl(heap, DMA_HEAP_IOCTL_ALLOC, NULL) ? errno : 0, EFAULT,
		   "%s: no argument", heap_name);
	test_errno(ioctl(heap, _IOWR('H', 1, struct dma_heap_allocation_data), &data) ? errno : 0,
		   EINVAL, "%s: command 1", heap_name);
	test_errno(ioctl(heap, _IO('H', 0)) ? errno : 0, EINVAL,
		   "%s: command without argument", heap_name);
	/* The fd cannot be told: the buffer must not stay. */
	ro = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(ro != MAP_FAILED);
	memcpy(ro, &data, sizeof(data));
	test_assert(!mprotect(ro, 4096, PROT_READ));
	test_errno(alloc(ro), EFAULT, "%s: argument is read-only", heap_name);
	munmap(ro, 4096);
	test_eq(count_fds(), fds, "%s: read-only argument: no fd is left", heap_name);

	test_assert(!getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 0;
	test_assert(!setrlimit(RLIMIT_NOFILE, &none));
	test_errno(alloc(&data), EMFILE, "%s: no fd to be had", heap_name);
	test_assert(!setrlimit(RLIMIT_NOFILE, &limit));
}

static void sizes(void)
{
	struct dma_heap_allocation_data data = { .len = 1, .fd_flags = O_RDONLY };
	struct {
		struct dma_heap_allocation_data data;
		uint64_t more[16];
	} large = { .data = { .len = 8193, .fd_flags = O_RDWR | O_CLOEXEC } };
	int fd;

	test_errno(alloc(&data), 0, "%s: 1 byte", heap_name);
	fd = (int)data.fd;
	test_eq(lseek(fd, 0, SEEK_END), 4096, "%s: 1 byte is one page", heap_name);
	test_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY, "%s: access mode as asked", heap_name);
	test_eq(fcntl(fd, F_GETFD), 0, "%s: no close-on-exec unless asked", heap_name);
	test_ok(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED &&
		errno == EACCES, "%s: read-only fd has no writable mapping", heap_name);
	close(fd);

	/* A newer user space's longer struct */
	memset(large.more, 0xff, sizeof(large.more));
	test_errno(ioctl(heap, _IOWR('H', 0, large), &large) ? errno : 0, 0,
		   "%s: longer argument", heap_name);
	fd = (int)large.data.fd;
	test_eq(lseek(fd, 0, SEEK_END), 12288, "%s: 8193 bytes are three pages", heap_name);
	test_eq(fcntl(fd, F_GETFD), FD_CLOEXEC, "%s: close-on-exec as asked", heap_name);
	close(fd);
}

int main(void)
{
	static const char *const heaps[] = { "system", "system-wc", "system-uc" };
	struct dmapat_mock_stats before, after;
	char path[64];
	struct stat st;
	size_t i;

	mock_stats(&before);
	for (i = 0; i < 3; i++) {
		heap_name = heaps[i];
		snprintf(path, sizeof(path), "/dev/dma_heap/%s", heap_name);
		heap = open(path, O_RDWR | O_CLOEXEC);
		test_assert(heap >= 0);
		test_assert(!fstat(heap, &st));
		test_ok(S_ISCHR(st.st_mode) && (st.st_mode & 0777) == 0600,
			"%s: a node for root alone", heap_name);
		refusals();
		bad_calls();
		sizes();
		/* The stock heap calls the OOM killer; ours must not. */
		if (strcmp(heap_name, "system"))
			limits();
		close(heap);
	}
	mock_stats(&after);
	test_eq((long long)after.uncached_pages, (long long)before.uncached_pages,
		"all memory is WB again");
	return test_end();
}
