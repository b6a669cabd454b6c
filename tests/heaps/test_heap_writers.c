// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Trackers of a buffer's writers. Buffers of the WC and UC heaps: CPUs by the
 * page, whatever maps the buffer and however; devices, fences and the kernel by
 * whether they can write. Other exporters: all pages, always.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/lib/buffer.h"
#include "conformance/lib/ktap.h"
#include "conformance/lib/track.h"
#include "conformance/lib/witness.h"

#define PAGE		4096UL
#define HUGE		0x200000UL
#define PAGES		520UL			/* a 2 MiB chunk and some pages */
#define SIZE		(PAGES * PAGE)

static const char *heap;
static int heap_type;
static struct track t;
static int buffer;			/* fd of the one in @t, for child processes */

static void store(uint8_t *map, size_t page)
{
	*(volatile uint64_t *)(map + page * PAGE + 8) += page + 1;
}

/* Takes all pages: exactly the @n that follow were written. */
static void expect_pages(const char *what, unsigned int n, ...)
{
	unsigned int missing = 0, i;
	va_list pages;

	test_errno(track_take(&t), 0, "%s: %s: asked", heap, what);
	va_start(pages, n);
	for (i = 0; i < n; i++)
		missing += !track_has(&t, va_arg(pages, unsigned int));
	va_end(pages);
	test_eq((long long)t.written, n, "%s: %s: number of pages", heap, what);
	test_eq(missing, 0, "%s: %s: these pages", heap, what);
}

static void expect_all(uint32_t writer, const char *what)
{
	test_errno(track_take(&t), 0, "%s: %s: asked", heap, what);
	test_eq((long long)t.written, (long long)t.nr, "%s: %s: all pages", heap, what);
	test_eq(t.writers & ~(uint32_t)DMABUF_WRITER_CPU_MAPPING, writer, "%s: %s: writers", heap,
		what);
}

static void expect_none(uint32_t writer, const char *what)
{
	expect_pages(what, 0);
	test_eq(t.writers & ~(uint32_t)DMABUF_WRITER_CPU_MAPPING, writer, "%s: %s: writers", heap,
		what);
}

/* A buffer of the heap with its whole mapping, 2 MiB aligned, tracked. */
static int tracked(uint8_t **map)
{
	buffer = buffer_heap(heap, SIZE);
	*map = buffer_map(buffer, SIZE, 0);
	test_assert(!track_start(buffer, &t));
	return buffer;
}

static void done(int fd, uint8_t *map)
{
	track_stop(&t);
	munmap(map, SIZE);
	close(fd);
}

static void by_the_page(void)
{
	uint8_t *map, *area, sum = 0;
	int fd;

	fd = tracked(&map);
	test_eq(t.precision, DMABUF_TRACK_EXACT, "%s: precision", heap);
	test_eq((long long)t.nr, PAGES, "%s: size", heap);
	expect_pages("nothing written", 0);
	for (size_t i = 0; i < PAGES; i++)
		sum |= map[i * PAGE];
	test_eq(sum, 0, "%s: all pages are read", heap);
	expect_pages("all read", 0);
	store(map, 0);
	store(map, 63);
	store(map, 64);
	store(map, 511);
	store(map, 512);
	store(map, PAGES - 1);
	expect_pages("some written", 6, 0, 63, 64, 511, 512, (unsigned int)PAGES - 1);
	test_eq(t.writers, DMABUF_WRITER_CPU_MAPPING, "%s: writers", heap);
	expect_pages("and no more", 0);
	store(map, 64);
	store(map, 64);
	expect_pages("one of them again", 1, 64);
	for (size_t i = 0; i < PAGES; i++)
		store(map, i);
	expect_all(0, "all written");
	expect_pages("all reported", 0);
	track_stop(&t);
	store(map, 3);
	test_assert(!track_start(fd, &t));
	expect_pages("written between two trackers", 0);
	munmap(map, SIZE);
	test_errno(track_take(&t), 0, "%s: no mapping", heap);
	test_eq(t.writers, 0, "%s: no mapping: no writers", heap);

	/* A read-only part of the file's writable mapping may become writable. */
	area = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	test_assert(area != MAP_FAILED);
	test_errno(track_take(&t), 0, "%s: mapped to read", heap);
	test_eq(t.writers, DMABUF_WRITER_CPU_MAPPING, "%s: mapped to read: may be changed", heap);
	munmap(area, PAGE);
	track_stop(&t);
	close(fd);
}

static void expect_entry(const uint8_t *addr, unsigned int shift, bool writable, const char *what)
{
	struct dmapat_mock_entry entry;

	test_errno(witness_entry(addr, &entry), 0, "%s: %s: mapped", heap, what);
	test_eq(entry.user_shift, shift, "%s: %s: size of the entry", heap, what);
	test_eq(entry.user >> 1 & 1, writable, "%s: %s: writable", heap, what);
	test_eq(witness_user_type(&entry), heap_type, "%s: %s: memory type", heap, what);
}

/* What tracking costs, and what it leaves behind: nothing while there is no tracker. */
static void entries(void)
{
	uint8_t *area = mmap(NULL, 2 * HUGE + SIZE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *map = (uint8_t *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));
	int fd = buffer_heap(heap, SIZE);
	struct dmapat_mock_entry entry;

	test_assert(area != MAP_FAILED);
	buffer_map_at(map, fd, SIZE, 0);
	(void)*(volatile uint8_t *)map;
	(void)*(volatile uint8_t *)(map + HUGE);
	expect_entry(map, 21, true, "untracked, read");
	expect_entry(map + HUGE, 12, true, "untracked tail, read");

	test_assert(!track_start(fd, &t));
	test_errno(witness_entry(map, &entry), EFAULT, "%s: what was mapped is gone", heap);
	(void)*(volatile uint8_t *)map;
	expect_entry(map, 12, false, "tracked, read");
	store(map, 0);
	expect_entry(map, 12, true, "tracked, written");
	store(map, 1);
	expect_entry(map + PAGE, 12, true, "tracked, written at once");
	expect_pages("both", 2, 0, 1);
	expect_entry(map, 12, false, "taken");
	expect_entry(map + PAGE, 12, false, "the other one");

	track_stop(&t);
	(void)*(volatile uint8_t *)map;
	expect_entry(map, 12, true, "not tracked any more, read");
	munmap(map, SIZE);
	buffer_map_at(map, fd, SIZE, 0);
	(void)*(volatile uint8_t *)map;
	expect_entry(map, 21, true, "mapped anew");
	munmap(area, 2 * HUGE + SIZE);
	close(fd);
}

static void ranges(void)
{
	uint8_t *map;
	int fd = tracked(&map);

	store(map, 10);
	store(map, 100);
	store(map, 200);
	test_errno(track_take_range(&t, 50, 100), 0, "%s: pages 50 to 149", heap);
	test_eq((long long)t.written, 1, "%s: one of them", heap);
	test_ok(t.bits[0] == 1UL << 50 && !t.bits[1], "%s: bit 0 is page 50; none beyond the end",
		heap);
	test_eq((long long)t.bits[2], -1, "%s: the rest of the caller's memory is untouched", heap);
	test_errno(track_take_range(&t, PAGES - 1, 1), 0, "%s: the last page alone", heap);
	test_ok(!t.written && !t.bits[0], "%s: was not written", heap);
	store(map, 100);
	expect_pages("outside the range", 3, 10, 100, 200);
	done(fd, map);
}

/* Runs @write in another process that has what this one has. */
static void in_child(void (*write)(uint8_t *map), uint8_t *map)
{
	pid_t pid = fork();
	int status;

	test_assert(pid >= 0);
	if (!pid) {
		write(map);
		_exit(0);
	}
	test_assert(waitpid(pid, &status, 0) == pid && !status);
}

static void child_stores(uint8_t *map)
{
	store(map, 7);
	store(map, 8);
}

static void child_maps(uint8_t *map)
{
	munmap(map, SIZE);
	store(buffer_map(buffer, 2 * PAGE, 8 * PAGE), 1);
}

static void child_takes(uint8_t *map)
{
	store(map, 77);
	if (track_take(&t) || t.written != 1 || !track_has(&t, 77))
		_exit(1);
}

static void mappings(void)
{
	uint8_t *map, *part, *moved;
	int fd = tracked(&map);

	part = buffer_map(fd, 4 * PAGE, 300 * PAGE);
	store(map, 300);
	store(part, 3);
	expect_pages("two mappings", 2, 300, 303);
	store(part, 0);
	store(map, 303);
	expect_pages("the other way round", 2, 300, 303);
	store(part, 1);
	munmap(part, 4 * PAGE);
	expect_pages("unmapped after the write", 1, 301);

	store(map, 7);
	in_child(child_stores, map);
	expect_pages("fork: parent and child", 2, 7, 8);
	in_child(child_stores, map);
	expect_pages("fork after the pages were taken", 2, 7, 8);
	in_child(child_maps, map);
	expect_pages("a mapping of the child's own", 1, 9);
	in_child(child_takes, map);
	expect_pages("another process took them", 0);

	store(map, 5);
	moved = mremap(map, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	test_assert(moved != MAP_FAILED);
	expect_pages("moved after the write", 1, 5);
	store(moved, 5);
	expect_pages("written where it is now", 1, 5);
	test_eq((long long)(uintptr_t)mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0),
		-1, "%s: a private mapping is refused", heap);
	done(fd, moved);
}

/* The kernel restores the write permission of dirty entries without asking. */
static void protection(void)
{
	uint8_t *map;
	int fd = tracked(&map);

	store(map, 1);
	store(map, 2);
	test_assert(!mprotect(map, SIZE, PROT_READ));
	expect_pages("read-only after the write", 2, 1, 2);
	test_assert(!mprotect(map, SIZE, PROT_READ | PROT_WRITE));
	store(map, 1);
	expect_pages("writable again, and written", 1, 1);
	test_assert(!mprotect(map, SIZE, PROT_READ));
	test_assert(!mprotect(map, SIZE, PROT_READ | PROT_WRITE));
	store(map, 1);
	expect_pages("and again", 1, 1);
	store(map, 2);
	test_assert(!mprotect(map + PAGE, 2 * PAGE, PROT_NONE));
	test_assert(!mprotect(map + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
	store(map, 1);
	expect_pages("part of the mapping", 2, 1, 2);
	done(fd, map);
}

static void import(int fd, bool dynamic, uint32_t dir, struct dmapat_mock_import *import)
{
	test_assert(!mock_import(fd, dynamic, dir, import));
}

static void devices(void)
{
	struct dmapat_mock_import first, second;
	uint8_t *map;
	int fd = tracked(&map);

	import(fd, false, TO_DEVICE, &first);
	store(map, 4);
	expect_pages("to device", 1, 4);
	test_eq(t.writers, DMABUF_WRITER_CPU_MAPPING, "%s: to device: no writer", heap);
	import(fd, false, FROM_DEVICE, &second);
	test_assert(!mock_device_access(second.id, true, 33 * PAGE, (void *)"dev", 4));
	expect_all(DMABUF_WRITER_DEVICE, "from device");
	expect_all(DMABUF_WRITER_DEVICE, "from device, still");
	test_errno(track_take_range(&t, 3, 2), 0, "%s: from device: some pages", heap);
	test_ok(t.written == 2 && t.bits[0] == 3, "%s: from device: these are written", heap);
	test_assert(!mock_unimport(second.id));
	test_errno(track_take_range(&t, 3, 2), 0, "%s: unmapped: some pages", heap);
	test_eq((long long)t.written, 2, "%s: unmapped: once more", heap);
	test_errno(track_take(&t), 0, "%s: unmapped: the others", heap);
	test_eq((long long)t.written, PAGES - 2, "%s: unmapped: once more, the others", heap);
	expect_none(0, "unmapped");
	test_assert(!mock_unimport(first.id));
	expect_none(0, "reader unmapped");

	import(fd, false, BIDIRECTIONAL, &first);
	import(fd, false, FROM_DEVICE, &second);
	test_assert(!mock_unimport(first.id));
	expect_all(DMABUF_WRITER_DEVICE, "one of two is left");
	test_assert(!mock_unimport(second.id));
	expect_all(0, "both unmapped");
	expect_none(0, "both unmapped before");

	import(fd, false, FROM_DEVICE, &first);
	test_assert(!mock_device_access(first.id, true, 33 * PAGE, (void *)"dev", 4));
	test_assert(!mock_unimport(first.id));
	expect_all(0, "mapped and unmapped in between");
	expect_none(0, "that was all");
	import(fd, false, NONE, &first);
	expect_none(0, "attached, not mapped");
	test_assert(!mock_unimport(first.id));

	/* The core maps for a dynamic importer when it attaches, both ways. */
	import(fd, true, TO_DEVICE, &first);
	expect_all(DMABUF_WRITER_DEVICE, "dynamic importer");
	test_assert(!mock_unimport(first.id));
	expect_all(0, "dynamic importer is gone");
	track_stop(&t);

	import(fd, false, FROM_DEVICE, &first);
	test_assert(!track_start(fd, &t));
	test_assert(!mock_unimport(first.id));
	expect_all(0, "mapped before, unmapped since");
	expect_none(0, "mapped before");
	done(fd, map);
}

static void sync_cpu(int fd, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = flags };

	test_assert(!ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync));
}

static void cpu_access(void)
{
	uint8_t *map;
	int fd = tracked(&map);

	sync_cpu(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	expect_none(0, "an end without a beginning");
	sync_cpu(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	expect_none(0, "access to read");
	sync_cpu(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE);
	store(map, 17);
	expect_pages("access to write", 1, 17);
	test_eq(t.writers, DMABUF_WRITER_CPU_MAPPING | DMABUF_WRITER_CPU_ACCESS, "%s: writers",
		heap);
	sync_cpu(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	expect_none(DMABUF_WRITER_CPU_ACCESS, "the reader ends");
	sync_cpu(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
	sync_cpu(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	expect_none(DMABUF_WRITER_CPU_ACCESS, "one of two ends");
	sync_cpu(fd, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
	expect_none(0, "both end");
	done(fd, map);
}

static void kernel(void)
{
	uint64_t word = 1;
	uint8_t *map;
	uint32_t id;
	int fd = tracked(&map);

	test_assert(!mock_hold(fd, DMAPAT_MOCK_HOLD_VMAP, &id));
	expect_all(DMABUF_WRITER_KERNEL, "vmap");
	expect_all(DMABUF_WRITER_KERNEL, "vmap, still");
	test_assert(!mock_let_go(id));
	expect_all(0, "vunmap");
	expect_none(0, "vunmapped before");
	test_assert(!mock_access(fd, true, 3 * PAGE, &word, sizeof(word)));
	expect_all(0, "vmap, write and vunmap in between");
	expect_none(0, "that was all");
	track_stop(&t);

	test_assert(!mock_hold(fd, DMAPAT_MOCK_HOLD_VMAP, &id));
	test_assert(!track_start(fd, &t));
	test_assert(!mock_let_go(id));
	expect_all(0, "vmap before, vunmap since");
	expect_none(0, "vmap before");
	done(fd, map);
}

static void fences(void)
{
	struct dmapat_mock_import import;
	uint8_t *map;
	uint32_t id;
	int fd = tracked(&map);

	test_assert(!mock_hold(fd, DMAPAT_MOCK_HOLD_READ_FENCE, &id));
	expect_none(0, "read fence");
	test_assert(!mock_let_go(id));

	test_assert(!mock_import(fd, false, FROM_DEVICE, &import));
	test_assert(!mock_hold(fd, DMAPAT_MOCK_HOLD_WRITE_FENCE, &id));
	expect_all(DMABUF_WRITER_DEVICE | DMABUF_WRITER_FENCE, "device and write fence");
	test_assert(!mock_unimport(import.id));
	expect_all(DMABUF_WRITER_FENCE, "write fence, device unmapped");
	expect_all(DMABUF_WRITER_FENCE, "write fence, still");
	test_assert(!mock_let_go(id));
	expect_all(0, "signalled");
	expect_none(0, "signalled before");
	track_stop(&t);

	test_assert(!mock_hold(fd, DMAPAT_MOCK_HOLD_WRITE_FENCE, &id));
	test_assert(!track_start(fd, &t));
	test_assert(!mock_let_go(id));
	expect_all(0, "write fence before, signalled since");
	expect_none(0, "write fence before");
	done(fd, map);
}

static void conservative(const char *name, int fd)
{
	struct dmapat_mock_import import;
	uint32_t id;

	heap = name;
	test_errno(track_start(fd, &t), 0, "%s: tracked", heap);
	test_eq(t.precision, DMABUF_TRACK_CONSERVATIVE, "%s: precision", heap);
	expect_all(0, "nobody writes");
	expect_all(0, "nobody writes, still");
	test_errno(track_take_range(&t, 2, 3), 0, "%s: a range", heap);
	test_ok(t.written == 3 && t.bits[0] == 7, "%s: a range: its pages alone", heap);
	test_assert(!mock_import(fd, false, FROM_DEVICE, &import));
	test_assert(!mock_hold(fd, DMAPAT_MOCK_HOLD_WRITE_FENCE, &id));
	expect_all(DMABUF_WRITER_DEVICE | DMABUF_WRITER_FENCE, "device and fence");
	test_assert(!mock_unimport(import.id));
	test_assert(!mock_let_go(id));
	expect_all(0, "signalled and unmapped");
	track_stop(&t);
	close(fd);
}

static void other_exporters(void)
{
	struct dmapat_mock_import import;
	int fd;

	conservative("udmabuf", buffer_udmabuf(16 * PAGE));
	conservative("vgem", buffer_vgem(0x100000));
	conservative("system heap", buffer_heap("system", 16 * PAGE));
	conservative("mock", buffer_mock(16 * PAGE, 0, TYPE_WC, TYPE_WC, TYPE_WC));

	/* An importer that follows moves, as KVM's binding does, need not write. */
	fd = buffer_mock(16 * PAGE, DMAPAT_MOCK_DYNAMIC, TYPE_WC, TYPE_WC, TYPE_WC);
	heap = "movable mock";
	test_assert(!track_start(fd, &t));
	test_assert(!mock_import(fd, true, NONE, &import));
	expect_all(0, "dynamic importer");
	test_assert(!mock_unimport(import.id));
	track_stop(&t);
	close(fd);
}

static int track_errno(int fd, uint32_t flags, uint64_t reserved0, uint64_t reserved1)
{
	struct dmabuf_memtype_track arg = {
		.fd = fd,
		.flags = flags,
		.reserved = { reserved0, reserved1 },
	};

	return track_ioctl(&arg);
}

static void bad_track(void)
{
	int fd = buffer_heap(heap, SIZE), node = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct dmabuf_memtype_track *arg;
	struct rlimit limit, old;
	struct track second;

	test_errno(track_errno(fd, 1, 0, 0), EINVAL, "%s: track: flags", heap);
	test_errno(track_errno(fd, 0, 1, 0), EINVAL, "%s: track: reserved[0]", heap);
	test_errno(track_errno(fd, 0, 0, 1), EINVAL, "%s: track: reserved[1]", heap);
	test_errno(track_errno(-1, 0, 0, 0), EBADF, "%s: track: no fd", heap);
	test_errno(track_errno(node, 0, 0, 0), EBADFD, "%s: track: no DMA-buf", heap);
	test_errno(track_ioctl(NULL), EFAULT, "%s: track: no argument", heap);

	arg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(arg != MAP_FAILED);
	arg->fd = fd;
	test_assert(!mprotect(arg, PAGE, PROT_READ));
	test_errno(track_ioctl(arg), EFAULT, "%s: track: read-only argument", heap);
	munmap(arg, PAGE);

	test_assert(!getrlimit(RLIMIT_NOFILE, &old));
	limit = old;
	limit.rlim_cur = (rlim_t)node + 1;
	test_assert(!setrlimit(RLIMIT_NOFILE, &limit));
	test_errno(track_errno(fd, 0, 0, 0), EMFILE, "%s: track: no fd left", heap);
	test_assert(!setrlimit(RLIMIT_NOFILE, &old));

	test_errno(track_start(fd, &t), 0, "%s: and nothing is left behind", heap);
	test_eq(fcntl(t.fd, F_GETFD), FD_CLOEXEC, "%s: the tracker is closed by exec", heap);
	test_errno(track_start(fd, &second), EBUSY, "%s: track: a second tracker", heap);
	track_stop(&t);
	test_errno(track_start(fd, &t), 0, "%s: after the first is closed", heap);
	track_stop(&t);
	close(node);
	close(fd);
}

static int written_errno(uint64_t first, uint64_t nr, uint64_t bitmap, uint32_t flags,
			 uint64_t reserved)
{
	struct dmabuf_memtype_written arg = {
		.first_page = first,
		.nr_pages = nr,
		.bitmap = bitmap,
		.flags = flags,
		.reserved = reserved,
	};

	return track_get_written(t.fd, &arg);
}

static void bad_written(void)
{
	struct dmabuf_memtype_written *arg;
	uint64_t *bits, here = (uint64_t)t.bits;
	uint8_t *map;
	int fd = tracked(&map);

	store(map, 1);
	store(map, 500);
	test_errno(written_errno(0, PAGES, here, 1, 0), EINVAL, "%s: written: flags", heap);
	test_errno(written_errno(0, PAGES, here, 0, 1), EINVAL, "%s: written: reserved", heap);
	test_errno(written_errno(0, 0, here, 0, 0), EINVAL, "%s: written: no pages", heap);
	test_errno(written_errno(0, PAGES + 1, here, 0, 0), ERANGE, "%s: written: too many", heap);
	test_errno(written_errno(PAGES, 1, here, 0, 0), ERANGE, "%s: written: beyond", heap);
	test_errno(written_errno(1, PAGES, here, 0, 0), ERANGE, "%s: written: over the end", heap);
	test_errno(written_errno(2, UINT64_MAX, here, 0, 0), ERANGE, "%s: written: wraps", heap);
	test_errno(written_errno(0, PAGES, 0, 0, 0), EFAULT, "%s: written: no bitmap", heap);
	test_errno(track_get_written(t.fd, NULL), EFAULT, "%s: written: no argument", heap);
	test_errno(ioctl(t.fd, DMABUF_MEMTYPE_TRACK, t.bits) ? errno : 0, ENOTTY,
		   "%s: a tracker has no other ioctl", heap);

	/* The second half of the bitmap, and then the argument, cannot be written. */
	bits = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(bits != MAP_FAILED);
	arg = (void *)((uint8_t *)bits + PAGE);
	*arg = (struct dmabuf_memtype_written) { .nr_pages = PAGES, .bitmap = (uint64_t)bits };
	test_assert(!mprotect(arg, PAGE, PROT_READ));
	test_errno(written_errno(0, PAGES, (uint64_t)arg - 32, 0, 0), EFAULT,
		   "%s: written: half of the bitmap", heap);
	test_errno(track_get_written(t.fd, arg), EFAULT, "%s: written: read-only argument", heap);
	munmap(bits, 2 * PAGE);
	expect_pages("no page is forgotten", 2, 1, 500);
	expect_pages("nor reported twice", 0);
	store(map, 1);
	expect_pages("and tracking goes on", 1, 1);
	done(fd, map);
}

static void lifetimes(void)
{
	struct dmapat_mock_import import;
	struct dmapat_mock_stats before, after;
	uint8_t *map;
	uint32_t id;
	int fd;

	mock_stats(&before);
	fd = tracked(&map);
	store(map, 2);
	munmap(map, SIZE);
	close(fd);
	expect_pages("buffer closed, tracker open", 1, 2);
	expect_none(0, "and no more");
	track_stop(&t);
	mock_stats(&after);
	test_eq((long long)after.uncached_pages, (long long)before.uncached_pages,
		"%s: the tracker was the last to hold the buffer", heap);

	fd = tracked(&map);
	test_assert(!mock_import(fd, false, FROM_DEVICE, &import));
	test_assert(!mock_hold(fd, DMAPAT_MOCK_HOLD_WRITE_FENCE, &id));
	track_stop(&t);
	store(map, 2);
	test_assert(!mock_let_go(id));
	test_assert(!mock_unimport(import.id));
	test_assert(!track_start(fd, &t));
	expect_none(0, "device and fence ended without a tracker");
	done(fd, map);
}

int main(void)
{
	static const struct {
		const char *name;
		int type;
	} heaps[] = {
		{ "system-wc", TYPE_WC },
		{ "system-uc", TYPE_UC },
	};
	struct dmapat_mock_stats before, after;

	mock_stats(&before);
	for (size_t i = 0; i < 2; i++) {
		heap = heaps[i].name;
		heap_type = heaps[i].type;
		by_the_page();
		entries();
		ranges();
		mappings();
		protection();
		devices();
		cpu_access();
		kernel();
		fences();
		bad_track();
		bad_written();
		lifetimes();
	}
	other_exporters();
	mock_stats(&after);
	test_eq((long long)after.uncached_pages, (long long)before.uncached_pages,
		"all memory is WB again");
	test_eq((long long)after.imports, (long long)before.imports, "no import is left");
	return test_end();
}
