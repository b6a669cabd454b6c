// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The mock module does what it is told: other tests are worth as much as this
 * one. Types of pages, mappings and statements one by one, moves, quiet changes,
 * failures on command, counters.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include "conformance/lib/buffer.h"
#include "conformance/lib/ktap.h"
#include "conformance/lib/witness.h"

#define PAGE	4096UL
#define SIZE	0x10000UL
#define HUGE	0x200000UL
#define MOVE	(DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY | DMAPAT_MOCK_NEW_PAGES)

static struct dmapat_mock_entry touch(const uint8_t *at)
{
	struct dmapat_mock_entry entry;

	(void)*(const volatile uint8_t *)at;
	test_assert(!witness_entry(at, &entry));
	return entry;
}

static void types(void)
{
	static const int pages[] = { TYPE_UC, TYPE_WC, TYPE_WB };
	static const int maps[] = { TYPE_UC, TYPE_WC, TYPE_WT, TYPE_WP, TYPE_WB, TYPE_UC_MINUS };
	struct dmapat_mock_entry entry;
	int fd, want;
	size_t p, m;
	uint8_t *map;

	for (p = 0; p < 3; p++) {
		for (m = 0; m < 6; m++) {
			fd = buffer_mock(SIZE, 0, (uint32_t)pages[p], (uint32_t)maps[m], 0);
			map = buffer_map(fd, SIZE, 0);
			entry = touch(map + SIZE - 1);
			want = maps[m] == TYPE_UC_MINUS ? TYPE_UC : maps[m];
			test_eq(witness_kernel_type(&entry), pages[p],
				"type %d mapped as %d: kernel mapping", pages[p], maps[m]);
			test_eq(witness_user_type(&entry), want,
				"type %d mapped as %d: user mapping", pages[p], maps[m]);
			munmap(map, SIZE);
			close(fd);
		}
	}
}

static void kinds(void)
{
	int fd = buffer_mock(SIZE, 0, TYPE_WC, TYPE_WC, 0);
	uint8_t *map = buffer_map(fd, SIZE, 0);

	test_eq(touch(map + PAGE).refcount, 1, "plain pages have a reference count");
	munmap(map, SIZE);
	close(fd);

	fd = buffer_mock(2 * SIZE, DMAPAT_MOCK_TAILS, TYPE_WC, TYPE_WC, 0);
	map = buffer_map(fd, 2 * SIZE, 0);
	test_eq(touch(map).refcount, 1, "tails: the first page has a reference count");
	test_eq(touch(map + PAGE).refcount, 0, "tails: the second has none");
	test_eq(touch(map + SIZE - PAGE).refcount, 0, "tails: nor the last of the chunk");
	test_eq(touch(map + SIZE).refcount, 1, "tails: the next chunk's first has one");
	munmap(map, 2 * SIZE);
	close(fd);

	fd = buffer_mock(2 * HUGE, DMAPAT_MOCK_HUGE | DMAPAT_MOCK_TAILS, TYPE_UC, TYPE_UC, 0);
	map = buffer_map(fd, 2 * HUGE, 0);
	test_eq(touch(map + HUGE + 9 * PAGE).user_shift, 21, "large: 2 MiB entry");
	test_eq(touch(map + HUGE + 9 * PAGE).refcount, 0, "large tails: no reference count");
	munmap(map, 2 * HUGE);
	close(fd);
}

static void moves(void)
{
	struct dmapat_mock_import attached, mapped;
	struct dmapat_mock_stats before, after;
	struct dmapat_mock_entry old, new;
	uint64_t word = 0;
	uint8_t *map;
	int fd;

	mock_stats(&before);
	fd = buffer_mock(SIZE, DMAPAT_MOCK_DYNAMIC, TYPE_WC, TYPE_WC, 0);
	map = buffer_map(fd, SIZE, 0);
	memcpy(map + 100, "contents", 9);
	old = touch(map);
	test_assert(!mock_import(fd, true, 3, &attached));
	test_errno(mock_change(fd, MOVE, TYPE_UC, TYPE_UC, 0), 0, "move");
	test_errno(witness_entry(map, &new), EFAULT, "move: the user mapping is zapped");
	new = touch(map);
	test_ok(new.pfn != old.pfn, "move: other pages");
	test_eq(witness_user_type(&new), TYPE_UC, "move: the new type, user mapping");
	test_eq(witness_kernel_type(&new), TYPE_UC, "move: the new type, kernel mapping");
	test_ok(!strcmp((char *)map + 100, "contents"), "move: same contents");
	mock_stats(&after);
	test_eq((long long)(after.move_notifies - before.move_notifies), 1,
		"move: importer is told");
	test_eq((long long)after.pages, (long long)(SIZE / PAGE), "move: old pages are free");

	test_errno(mock_change(fd, 0, TYPE_WB, TYPE_WB, 0), 0, "quiet change");
	new = touch(map);
	test_eq(witness_user_type(&new), TYPE_UC, "quiet change: the old entry stays");
	test_eq(witness_kernel_type(&new), TYPE_WB, "quiet change: the pages' type is new");
	mock_stats(&after);
	test_eq((long long)(after.move_notifies - before.move_notifies), 1,
		"quiet change: importer is not told");
	test_errno(mock_change(fd, DMAPAT_MOCK_ZAP, TYPE_WB, TYPE_WB, 0), 0, "zap");
	new = touch(map);
	test_eq(witness_user_type(&new), TYPE_WB, "zap: the next fault brings the type");

	/* This kernel pins for every DMA mapping (no CONFIG_DMABUF_MOVE_NOTIFY). */
	test_assert(!mock_import(fd, true, 1, &mapped));
	test_errno(mock_change(fd, MOVE, TYPE_UC, TYPE_UC, 0), EBUSY, "pinned: no move");
	mock_stats(&after);
	test_eq((long long)after.pins, 1, "pinned: counted");
	test_assert(!mock_unimport(mapped.id) && !mock_unimport(attached.id));
	test_errno(mock_change(fd, MOVE, TYPE_UC, TYPE_UC, 0), 0, "unpinned: it does");
	test_errno(mock_access(fd, false, 96, &word, 8), 0, "kernel mapping");
	test_ok(!memcmp((char *)&word + 4, "cont", 4), "kernel mapping: same contents");
	munmap(map, SIZE);
	close(fd);
}

/* Maps the buffer where the parent has nothing, tells what it sees there, and waits. */
static pid_t start_mapper(int fd, uint8_t *at, struct dmapat_mock_entry *seen)
{
	int fds[2];
	pid_t pid;

	test_assert(!pipe2(fds, O_CLOEXEC));
	pid = fork();
	test_assert(pid >= 0);
	if (!pid) {
		*seen = touch(buffer_map_at(at, fd, SIZE, 0));
		test_assert(write(fds[1], seen, sizeof(*seen)) == sizeof(*seen));
		for (;;)
			pause();
	}
	test_assert(read(fds[0], seen, sizeof(*seen)) == sizeof(*seen));
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static void processes(void)
{
	uint8_t *at = (uint8_t *)0x410000000000;
	struct dmapat_mock_stats before, after;
	struct dmapat_mock_entry entry, seen;
	siginfo_t info;
	pid_t pid;
	int fd;

	mock_stats(&before);
	fd = buffer_mock(SIZE, 0, TYPE_WB, TYPE_WC, 0);
	pid = start_mapper(fd, at, &seen);
	close(fd);
	test_errno(witness_entry(at, &entry), EFAULT, "process: nothing there in this one");
	test_errno(witness_entry_of(pid, (uintptr_t)at, &entry), 0, "process: the other's entry");
	test_ok(entry.user == seen.user && entry.kernel == seen.kernel && entry.pfn == seen.pfn,
		"process: as it sees it itself");
	test_eq(witness_user_type(&entry), TYPE_WC, "process: its type");
	test_errno(witness_entry_of(pid, (uintptr_t)at + SIZE, &entry), EFAULT,
		   "process: behind its mapping");
	test_errno(witness_entry_of(pid, UINT64_MAX, &entry), EFAULT, "process: no user address");

	test_assert(!kill(pid, SIGKILL) && !waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	test_errno(witness_entry_of(pid, (uintptr_t)at, &entry), ESRCH, "process: a zombie");
	test_assert(waitpid(pid, NULL, 0) == pid);
	test_errno(witness_entry_of(pid, (uintptr_t)at, &entry), ESRCH, "process: gone");
	test_errno(witness_entry_of(2, (uintptr_t)at, &entry), ESRCH, "process: a kernel thread");
	test_errno(witness_entry_of(-1, (uintptr_t)at, &entry), EINVAL, "process: -1");
	mock_stats(&after);
	test_eq((long long)after.buffers, (long long)before.buffers,
		"process: looking at its memory did not keep it");
}

static int op_mmap(int fd)
{
	void *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return errno;
	munmap(map, PAGE);
	return 0;
}

static int op_import(int fd)
{
	struct dmapat_mock_import import;
	int ret = mock_import(fd, true, 0, &import);

	return ret ? ret : mock_unimport(import.id);
}

static int op_fault(int fd)
{
	uint8_t *map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	bool ok;

	test_assert(map != MAP_FAILED);
	ok = witness_readable(map);
	munmap(map, PAGE);
	return ok ? 0 : EFAULT;
}

static int op_memtype(int fd)
{
	int memtype, source;

	return memtype_query(fd, &memtype, &source);
}

static void failures(void)
{
	static const struct {
		const char *what;
		enum dmapat_mock_op op;
		int (*call)(int fd);
		int error, want;
	} ops[] = {
		{ "attach", DMAPAT_MOCK_OP_ATTACH, op_import, ENODEV, ENODEV },
		{ "pin", DMAPAT_MOCK_OP_PIN, op_import, ENOSPC, ENOSPC },
		{ "map for DMA", DMAPAT_MOCK_OP_MAP_DMA, op_import, EIO, EIO },
		{ "mmap", DMAPAT_MOCK_OP_MMAP, op_mmap, EPERM, EPERM },
		{ "fault", DMAPAT_MOCK_OP_FAULT, op_fault, EIO, EFAULT },
		{ "memtype", DMAPAT_MOCK_OP_MEMTYPE, op_memtype, EIO, EIO },
	};
	struct dmapat_mock_stats stats;
	size_t i;
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_DYNAMIC | DMAPAT_MOCK_REGISTERED, TYPE_WC, TYPE_WC,
			     TYPE_WC);

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		test_assert(!mock_fail(fd, ops[i].op, 1, (uint32_t)ops[i].error));
		test_errno(ops[i].call(fd), 0, "%s: before its time", ops[i].what);
		test_errno(ops[i].call(fd), ops[i].want, "%s: fails as told", ops[i].what);
		test_errno(ops[i].call(fd), 0, "%s: once", ops[i].what);
		test_assert(!mock_fail(fd, ops[i].op, 0, (uint32_t)ops[i].error));
		test_assert(!mock_fail(fd, ops[i].op, 0, 0));
		test_errno(ops[i].call(fd), 0, "%s: command withdrawn", ops[i].what);
	}
	mock_stats(&stats);
	test_eq((long long)(stats.attachments + stats.pins + stats.dma_maps + stats.imports), 0,
		"nothing of it is left behind");
	close(fd);
}

static int create(size_t size, uint32_t flags, uint32_t page, uint32_t map)
{
	struct dmapat_mock_create arg = {
		.size = size,
		.flags = flags,
		.types = { .page = page, .mmap = map },
	};
	int node = open("/dev/dmapat-mock", O_RDWR | O_CLOEXEC), ret;

	test_assert(node >= 0);
	ret = ioctl(node, DMAPAT_MOCK_CREATE, &arg) ? errno : 0;
	close(node);
	if (!ret)
		close(arg.fd);
	return ret;
}

static void refusals(void)
{
	int heap = buffer_heap("system-wc", SIZE);
	int fd = buffer_mock(SIZE, 0, TYPE_WC, TYPE_WC, 0);
	uint32_t id;

	test_errno(create(SIZE, 0, TYPE_WC, TYPE_WC), 0, "create");
	test_errno(create(0, 0, TYPE_WC, TYPE_WC), EINVAL, "size 0");
	test_errno(create(PAGE + 1, 0, TYPE_WC, TYPE_WC), EINVAL, "part of a page");
	test_errno(create(PAGE, DMAPAT_MOCK_TAILS, TYPE_WC, TYPE_WC), EINVAL, "part of a chunk");
	test_errno(create(SIZE, DMAPAT_MOCK_HUGE, TYPE_WC, TYPE_WC), EINVAL, "part of 2 MiB");
	test_errno(create(HUGE, DMAPAT_MOCK_HUGE, TYPE_WB, TYPE_WC), EINVAL,
		   "2 MiB mapping of another type than the pages'");
	test_errno(create(SIZE, 1u << 31, TYPE_WC, TYPE_WC), EINVAL, "unknown flag");
	test_errno(create(SIZE, 0, TYPE_WT, TYPE_WT), EINVAL, "WT pages");
	test_errno(create(SIZE, 0, TYPE_WC, 3), EINVAL, "mapping of type 3");
	test_errno(mock_change(heap, 0, TYPE_WC, TYPE_WC, 0), ENXIO, "another exporter's buffer");
	test_errno(mock_change(fd, DMAPAT_MOCK_NEW_PAGES, TYPE_WC, TYPE_WC, 0), EINVAL,
		   "new pages below live mappings");
	test_errno(mock_change(fd, 1u << 31, TYPE_WC, TYPE_WC, 0), EINVAL, "unknown change");
	test_errno(mock_fail(fd, DMAPAT_MOCK_OP_COUNT, 0, EIO), EINVAL, "unknown operation");
	test_errno(mock_hold(fd, DMAPAT_MOCK_HOLD_VMAP + 1, &id), EINVAL, "hold an unknown thing");
	test_errno(mock_hold(-1, DMAPAT_MOCK_HOLD_VMAP, &id), EBADF, "hold nothing");
	test_errno(mock_let_go(12345), ENOENT, "let go what is not held");
	close(heap);
	close(fd);
}

int main(void)
{
	struct dmapat_mock_stats before, after;

	mock_stats(&before);
	types();
	kinds();
	moves();
	processes();
	failures();
	refusals();
	mock_stats(&after);
	after.move_notifies = before.move_notifies;
	test_ok(!memcmp(&before, &after, sizeof(before)),
		"counters are as before: nothing is alive, all memory is WB");
	return test_end();
}
