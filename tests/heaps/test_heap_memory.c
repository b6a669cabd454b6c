// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory of the WC and UC heaps as user space sees it: contents, memory type of
 * every mapping (entries read by the mock module), page sizes, and what fork,
 * mremap, munmap, mprotect and madvise do to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/lib/buffer.h"
#include "conformance/lib/ktap.h"
#include "conformance/lib/witness.h"

#define PAGE		4096UL
#define HUGE		0x200000UL
#define SIZE		(2 * HUGE + 5 * PAGE)	/* two large chunks and some pages */

static const char *heap;
static int heap_type;

/* Page numbers as contents, so that each page can be told from the others. */
static void number_pages(uint8_t *map, size_t size)
{
	size_t i;

	for (i = 0; i < size / PAGE; i++)
		*(uint64_t *)(map + i * PAGE) = 0x1000000000000000UL | i;
}

static bool numbered(const uint8_t *map, size_t size, size_t first)
{
	size_t i;

	for (i = 0; i < size / PAGE; i++)
		if (*(const volatile uint64_t *)(map + i * PAGE) !=
		    (0x1000000000000000UL | (first + i)))
			return false;
	return true;
}

/* Pages of [map, map + size) whose user or kernel mapping is not of the heap's type. */
static int wrong_types(const uint8_t *map, size_t size)
{
	struct dmapat_mock_entry entry;
	int wrong = 0;
	size_t i;

	for (i = 0; i < size; i += PAGE) {
		(void)*(const volatile uint8_t *)(map + i);
		if (witness_entry(map + i, &entry) || witness_user_type(&entry) != heap_type ||
		    witness_kernel_type(&entry) != heap_type)
			wrong++;
	}
	return wrong;
}

static size_t count_nonzero(const uint8_t *map, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < size / 8; i++)
		n += ((const volatile uint64_t *)map)[i] != 0;
	return n;
}

/* Memory that was full of something else, by a heap's user or anybody, arrives as zeroes. */
static void zeroed(void)
{
	int round, fd;
	uint8_t *map;
	void *dirty;

	for (round = 0; round < 3; round++) {
		dirty = mmap(NULL, 16 * HUGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		test_assert(dirty != MAP_FAILED);
		memset(dirty, 0xa5, 16 * HUGE);
		munmap(dirty, 16 * HUGE);

		fd = buffer_heap(heap, 8 * HUGE + 3 * PAGE);
		map = buffer_map(fd, 8 * HUGE + 3 * PAGE, 0);
		test_eq((long long)count_nonzero(map, 8 * HUGE + 3 * PAGE), 0,
			"%s: zeroes, round %d", heap, round);
		memset(map, 0x5a, 8 * HUGE + 3 * PAGE);
		munmap(map, 8 * HUGE + 3 * PAGE);
		close(fd);
	}
}

static void types(void)
{
	int fd = buffer_heap(heap, SIZE), memtype, source;
	uint8_t *map = buffer_map(fd, SIZE, 0);
	struct dmapat_mock_entry entry;
	int without_ref = 0;
	uint64_t word = 0;
	size_t i;

	test_eq(wrong_types(map, SIZE), 0, "%s: type of all user and kernel mappings", heap);
	test_errno(memtype_query(fd, &memtype, &source), 0, "%s: query", heap);
	test_eq(memtype, heap_type, "%s: the query agrees with the page tables", heap);

	for (i = 0; i < SIZE; i += PAGE)
		if (witness_entry(map + i, &entry) || entry.refcount != 1)
			without_ref++;
	test_eq(without_ref, 0, "%s: each page has a reference count of its own", heap);

	number_pages(map, SIZE);
	test_errno(mock_access(fd, false, HUGE, &word, sizeof(word)), 0,
		   "%s: kernel mapping (vmap)", heap);
	test_eq((long long)word, 0x1000000000000000LL | (HUGE / PAGE),
		"%s: kernel and user mapping show the same", heap);
	word = 0x1122334455667788;
	test_errno(mock_access(fd, true, 24, &word, sizeof(word)), 0,
		   "%s: write through the kernel mapping", heap);
	test_eq((long long)*(volatile uint64_t *)(map + 24), (long long)word,
		"%s: what the kernel wrote is in the user mapping", heap);
	munmap(map, SIZE);
	close(fd);
}

static void large_entries(void)
{
	int fd = buffer_heap(heap, SIZE);
	struct dmapat_mock_entry entry;
	uint8_t *area, *at, *map;

	area = mmap(NULL, 4 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	test_assert(area != MAP_FAILED);
	at = (uint8_t *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));

	map = buffer_map_at(at, fd, SIZE, 0);
	number_pages(map, SIZE);
	test_errno(witness_entry(map + HUGE + 7 * PAGE, &entry), 0, "%s: mapped", heap);
	test_eq(entry.user_shift, 21, "%s: aligned chunk has a 2 MiB entry", heap);
	test_errno(witness_entry(map + 2 * HUGE + PAGE, &entry), 0, "%s: tail is mapped", heap);
	test_eq(entry.user_shift, 12, "%s: pages after the last chunk have 4 KiB entries", heap);

	/* A hole in the middle of a large entry */
	munmap(map + 3 * PAGE, PAGE);
	test_ok(!witness_readable(map + 3 * PAGE), "%s: unmapped page is gone", heap);
	test_ok(numbered(map, 3 * PAGE, 0) && numbered(map + 4 * PAGE, HUGE - 4 * PAGE, 4),
		"%s: pages around it are not", heap);
	test_eq(wrong_types(map + 4 * PAGE, HUGE - 4 * PAGE), 0, "%s: and keep the type", heap);
	test_errno(witness_entry(map + 4 * PAGE, &entry), 0, "%s: neighbour is mapped", heap);
	test_eq(entry.user_shift, 12, "%s: by 4 KiB entries", heap);
	munmap(map, SIZE);

	map = buffer_map_at(at + PAGE, fd, SIZE, 0);
	test_ok(numbered(map, SIZE, 0), "%s: unaligned mapping shows the same", heap);
	test_errno(witness_entry(map + HUGE, &entry), 0, "%s: unaligned: mapped", heap);
	test_eq(entry.user_shift, 12, "%s: unaligned: 4 KiB entries", heap);
	munmap(map, SIZE);

	map = buffer_map_at(at, fd, SIZE - HUGE, HUGE);
	test_ok(numbered(map, SIZE - HUGE, HUGE / PAGE), "%s: mapping at 2 MiB", heap);
	test_errno(witness_entry(map, &entry), 0, "%s: at 2 MiB: mapped", heap);
	test_eq(entry.user_shift, 21, "%s: at 2 MiB: 2 MiB entry", heap);
	munmap(map, SIZE - HUGE);

	map = mmap(at, HUGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0);
	test_assert(map == at);
	test_ok(numbered(map, HUGE, 0), "%s: read-only mapping", heap);
	test_assert(!mprotect(map, HUGE, PROT_READ | PROT_WRITE));
	*(volatile uint64_t *)(map + 8) = 1;
	test_eq(wrong_types(map, HUGE), 0, "%s: writable by mprotect keeps the type", heap);
	munmap(area, 4 * HUGE);
	close(fd);
}

static void offsets(void)
{
	int fd = buffer_heap(heap, SIZE);
	uint8_t *map = buffer_map(fd, SIZE, 0);
	void *bad;

	number_pages(map, SIZE);
	munmap(map, SIZE);

	map = buffer_map(fd, 9 * PAGE, 5 * PAGE);
	test_ok(numbered(map, 9 * PAGE, 5), "%s: mapping at an offset", heap);
	munmap(map, 9 * PAGE);
	map = buffer_map(fd, PAGE, SIZE - PAGE);
	test_ok(numbered(map, PAGE, SIZE / PAGE - 1), "%s: mapping of the last page", heap);
	munmap(map, PAGE);

	bad = mmap(NULL, SIZE + PAGE, PROT_READ, MAP_SHARED, fd, 0);
	test_ok(bad == MAP_FAILED && errno == EINVAL, "%s: beyond the end", heap);
	bad = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, SIZE - PAGE);
	test_ok(bad == MAP_FAILED && errno == EINVAL, "%s: over the end", heap);
	bad = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, SIZE);
	test_ok(bad == MAP_FAILED && errno == EINVAL, "%s: at the end", heap);
	bad = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 1L << 50);
	test_ok(bad == MAP_FAILED && errno == EINVAL, "%s: far beyond the end", heap);
	bad = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0x7ffffffffffff000);
	test_ok(bad == MAP_FAILED, "%s: offset wraps", heap);
	bad = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	test_ok(bad == MAP_FAILED && errno == EINVAL, "%s: private mapping", heap);
	close(fd);
}

static void forked(void)
{
	int fd = buffer_heap(heap, SIZE), status;
	uint8_t *map = buffer_map(fd, SIZE, 0);
	pid_t pid;

	number_pages(map, SIZE);
	pid = fork();
	test_assert(pid >= 0);
	if (!pid) {
		if (!numbered(map, SIZE, 0))
			_exit(1);
		if (wrong_types(map, SIZE))
			_exit(2);
		*(volatile uint64_t *)(map + HUGE + 64) = 77;
		_exit(0);
	}
	test_assert(waitpid(pid, &status, 0) == pid);
	test_eq(status, 0, "%s: child sees contents and type", heap);
	test_eq((long long)*(volatile uint64_t *)(map + HUGE + 64), 77,
		"%s: parent sees what the child wrote", heap);
	test_eq(wrong_types(map, SIZE), 0, "%s: parent's type stays", heap);
	munmap(map, SIZE);
	close(fd);
}

static void moved(void)
{
	int fd = buffer_heap(heap, SIZE);
	uint8_t *map = buffer_map(fd, SIZE, 0), *new;

	number_pages(map, SIZE);
	close(fd);
	test_ok(numbered(map, SIZE, 0), "%s: mapping outlives the fd", heap);

	new = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	test_assert(new != MAP_FAILED);
	test_ok(mremap(map, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, new) == new,
		"%s: mremap moves", heap);
	test_ok(!witness_readable(map), "%s: nothing stays at the old address", heap);
	test_ok(numbered(new, SIZE, 0), "%s: contents at the new address", heap);
	test_eq(wrong_types(new, SIZE), 0, "%s: type at the new address", heap);

	test_ok(mremap(new, SIZE, SIZE + PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT,
		"%s: mremap does not grow", heap);
	test_ok(mremap(new, SIZE, HUGE + PAGE, 0) == new, "%s: mremap shrinks", heap);
	test_ok(!witness_readable(new + HUGE + PAGE), "%s: the rest is gone", heap);
	test_ok(numbered(new, HUGE + PAGE, 0), "%s: what stays is the same", heap);

	test_ok(madvise(new, HUGE, MADV_DONTNEED) && errno == EINVAL,
		"%s: MADV_DONTNEED is refused", heap);
	test_eq(wrong_types(new, HUGE + PAGE), 0, "%s: its type too", heap);
	munmap(new, HUGE + PAGE);
}

static void cpu_access(void)
{
	static const uint64_t dirs[] = { DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW };
	struct dma_buf_sync sync;
	int fd = buffer_heap(heap, PAGE);
	size_t i;

	for (i = 0; i < 3; i++) {
		sync.flags = DMA_BUF_SYNC_START | dirs[i];
		test_errno(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? errno : 0, 0,
			   "%s: begin CPU access %d", heap, (int)dirs[i]);
		sync.flags = DMA_BUF_SYNC_END | dirs[i];
		test_errno(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? errno : 0, 0,
			   "%s: end CPU access %d", heap, (int)dirs[i]);
	}
	sync.flags = DMA_BUF_SYNC_START;
	test_errno(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) ? errno : 0, EINVAL,
		   "%s: CPU access of no kind", heap);
	close(fd);
}

int main(void)
{
	static const struct {
		const char *name;
		int type;
	} heaps[] = { { "system-wc", TYPE_WC }, { "system-uc", TYPE_UC } };
	struct dmapat_mock_stats before, after;
	size_t i;

	mock_stats(&before);
	for (i = 0; i < 2; i++) {
		heap = heaps[i].name;
		heap_type = heaps[i].type;
		zeroed();
		types();
		large_entries();
		offsets();
		forked();
		moved();
		cpu_access();
	}
	mock_stats(&after);
	test_eq((long long)after.uncached_pages, (long long)before.uncached_pages,
		"all memory is WB again");
	return test_end();
}
