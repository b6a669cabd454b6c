// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * DMABUF_MEMTYPE_QUERY: the answer for every exporter at hand, each of its
 * errors, and that it leaves the caller's address space as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/dmabuf_memtype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/lib/buffer.h"
#include "conformance/lib/ktap.h"
#include "conformance/lib/witness.h"

#define SIZE		0x10000UL
#define EXPORTER	DMABUF_MEMTYPE_SOURCE_EXPORTER
#define MAPPING		DMABUF_MEMTYPE_SOURCE_MAPPING

static void expect(int fd, int type, int source, const char *what)
{
	int memtype = -1, from = -1;

	test_errno(memtype_query(fd, &memtype, &from), 0, "%s: has an answer", what);
	test_eq(memtype, type, "%s: type", what);
	test_eq(from, source, "%s: source", what);
}

static void expect_error(int fd, int error, const char *what)
{
	int memtype, from;

	test_errno(memtype_query(fd, &memtype, &from), error, "%s", what);
}

static void exporters(void)
{
	static const struct {
		const char *what;
		uint32_t flags, page, mmap;
		int32_t says;
		int type, source;
	} mocks[] = {
		{ "mock WB, unasked", 0, TYPE_WB, TYPE_WB, TYPE_UC, TYPE_WB, MAPPING },
		{ "mock WC, unasked", 0, TYPE_WC, TYPE_WC, TYPE_UC, TYPE_WC, MAPPING },
		{ "mock UC, unasked", 0, TYPE_UC, TYPE_UC, TYPE_WB, TYPE_UC, MAPPING },
		{ "mock WC mapping of WB pages", 0, TYPE_WB, TYPE_WC, 0, TYPE_WC, MAPPING },
		{ "mock WT mapping of WB pages", 0, TYPE_WB, TYPE_WT, 0, TYPE_WT, MAPPING },
		{ "mock WP mapping of WB pages", 0, TYPE_WB, TYPE_WP, 0, TYPE_WP, MAPPING },
		{ "mock UC- mapping of WB pages", 0, TYPE_WB, TYPE_UC_MINUS, 0, TYPE_UC, MAPPING },
		{ "mock WB mapping of WC pages", 0, TYPE_WC, TYPE_WB, 0, TYPE_WB, MAPPING },
		{ "mock WC, VMA says WB", DMAPAT_MOCK_LAZY, TYPE_WC, TYPE_WC, 0, TYPE_WC, MAPPING },
		{ "mock says WC, dynamic", DMAPAT_MOCK_REGISTERED | DMAPAT_MOCK_DYNAMIC,
		  TYPE_WB, TYPE_WB, TYPE_WC, TYPE_WC, EXPORTER },
		{ "mock says UC-", DMAPAT_MOCK_REGISTERED, TYPE_WB, TYPE_WB, TYPE_UC_MINUS,
		  TYPE_UC, EXPORTER },
		{ "mock says WT", DMAPAT_MOCK_REGISTERED, TYPE_WB, TYPE_WB, TYPE_WT,
		  TYPE_WT, EXPORTER },
		{ "mock cannot say", DMAPAT_MOCK_REGISTERED, TYPE_WC, TYPE_WC, -ENODATA,
		  TYPE_WC, MAPPING },
	};
	size_t i;
	int fd;

	for (i = 0; i < sizeof(mocks) / sizeof(mocks[0]); i++) {
		fd = buffer_mock(SIZE, mocks[i].flags, mocks[i].page, mocks[i].mmap, mocks[i].says);
		expect(fd, mocks[i].type, mocks[i].source, mocks[i].what);
		close(fd);
	}

	fd = buffer_mock(0x200000, DMAPAT_MOCK_HUGE, TYPE_WC, TYPE_WC, 0);
	expect(fd, TYPE_WC, MAPPING, "mock WC in 2 MiB chunks");
	close(fd);
	fd = buffer_mock(SIZE, DMAPAT_MOCK_TAILS, TYPE_UC, TYPE_UC, 0);
	expect(fd, TYPE_UC, MAPPING, "mock UC without reference counts");
	close(fd);

	fd = buffer_heap("system-wc", SIZE);
	expect(fd, TYPE_WC, EXPORTER, "heap system-wc");
	close(fd);
	fd = buffer_heap("system-uc", SIZE);
	expect(fd, TYPE_UC, EXPORTER, "heap system-uc");
	close(fd);
	fd = buffer_heap("system", SIZE);
	expect(fd, TYPE_WB, MAPPING, "heap system");
	close(fd);
	fd = buffer_udmabuf(SIZE);
	expect(fd, TYPE_WB, MAPPING, "udmabuf");
	close(fd);
	fd = buffer_vgem(0x400000);
	expect(fd, TYPE_WC, MAPPING, "vgem");
	close(fd);
}

static int write_only_buffer(void)
{
	struct dma_heap_allocation_data data = { .len = SIZE, .fd_flags = O_WRONLY | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);

	test_assert(heap >= 0 && !ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data));
	close(heap);
	return (int)data.fd;
}

static void bad_calls(void)
{
	struct dmabuf_memtype_query query = { .fd = buffer_heap("system-wc", SIZE) };
	int node = open("/dev/dmabuf-memtype", O_RDONLY | O_CLOEXEC);
	int memfd = memfd_create("no-dma-buf", MFD_CLOEXEC);
	int fd;

	test_assert(node >= 0 && memfd >= 0);
	expect_error(-1, EBADF, "fd -1");
	expect_error(memfd, EBADFD, "a memfd");
	expect_error(node, EBADFD, "the node itself");
	close(memfd);
	expect_error(memfd, EBADF, "a closed fd");

	query.reserved = 1;
	test_errno(ioctl(node, DMABUF_MEMTYPE_QUERY, &query) ? errno : 0, EINVAL, "reserved is 1");
	test_errno(ioctl(node, DMABUF_MEMTYPE_QUERY, NULL) ? errno : 0, EFAULT, "no argument");
	test_errno(ioctl(node, _IO(0xDB, 0x41)) ? errno : 0, ENOTTY, "another command");
	test_errno(ioctl(node, _IOWR(0xDB, 0x40, uint64_t), &query) ? errno : 0, ENOTTY,
		   "another size");
	close(query.fd);
	close(node);

	fd = write_only_buffer();
	expect_error(fd, EACCES, "an fd that may not be read");
	close(fd);
}

/* As TTM's faults do when they cannot get the buffer's lock */
static void fail_faults(int fd, uint32_t times)
{
	struct dmapat_mock_fail fail = {
		.fd = fd,
		.op = DMAPAT_MOCK_OP_FAULT,
		.error = EAGAIN,
		.times = times,
	};
	int node = open("/dev/dmapat-mock", O_RDWR | O_CLOEXEC);

	test_assert(node >= 0 && !ioctl(node, DMAPAT_MOCK_FAIL, &fail));
	close(node);
}

static void exporter_errors(void)
{
	static const struct {
		const char *what;
		enum dmapat_mock_op op;
		uint32_t flags;
		int error, want;
	} fails[] = {
		{ "exporter fails", DMAPAT_MOCK_OP_MEMTYPE, DMAPAT_MOCK_REGISTERED, EIO, EIO },
		{ "mmap fails", DMAPAT_MOCK_OP_MMAP, 0, EPERM, EPERM },
		{ "fault fails", DMAPAT_MOCK_OP_FAULT, 0, EIO, EFAULT },
		{ "fault has no memory", DMAPAT_MOCK_OP_FAULT, 0, ENOMEM, ENOMEM },
	};
	size_t i;
	int fd;

	for (i = 0; i < sizeof(fails) / sizeof(fails[0]); i++) {
		fd = buffer_mock(SIZE, fails[i].flags, TYPE_WC, TYPE_WC, TYPE_WC);
		test_assert(!mock_fail(fd, fails[i].op, 0, (uint32_t)fails[i].error));
		expect_error(fd, fails[i].want, fails[i].what);
		expect(fd, TYPE_WC, fails[i].flags ? EXPORTER : MAPPING, "the next time");
		close(fd);
	}

	fd = buffer_mock(SIZE, 0, TYPE_WC, TYPE_WC, 0);
	fail_faults(fd, 1000);
	expect_error(fd, ENODATA, "faults bring nothing");
	fail_faults(fd, 2);
	expect(fd, TYPE_WC, MAPPING, "the third fault brings it");
	close(fd);

	fd = buffer_mock(SIZE, DMAPAT_MOCK_REGISTERED, TYPE_WC, TYPE_WC, 3);
	expect_error(fd, EPROTO, "exporter states type 3");
	close(fd);
	fd = buffer_mock(SIZE, DMAPAT_MOCK_REGISTERED, TYPE_WC, TYPE_WC, 256 + TYPE_WC);
	expect_error(fd, EPROTO, "exporter states type 257");
	close(fd);
	fd = buffer_mock(SIZE, DMAPAT_MOCK_REGISTERED, TYPE_WC, TYPE_WC, -EACCES);
	expect_error(fd, EACCES, "exporter answers -EACCES");
	close(fd);
}

/* A buffer whose type changes gives the answer of the moment. */
static void changes(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_DYNAMIC, TYPE_WC, TYPE_WC, 0);

	expect(fd, TYPE_WC, MAPPING, "before the move");
	test_assert(!mock_change(fd, DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY | DMAPAT_MOCK_NEW_PAGES,
				 TYPE_WB, TYPE_WB, 0));
	expect(fd, TYPE_WB, MAPPING, "after the move");
	close(fd);
}

static size_t count_maps(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t n = 0;
	int c;

	test_assert(maps);
	while ((c = getc(maps)) != EOF)
		n += c == '\n';
	fclose(maps);
	return n;
}

static void no_traces(void)
{
	int fd = buffer_udmabuf(SIZE), bad = buffer_mock(SIZE, 0, TYPE_WC, TYPE_WC, 0);
	int memtype, from, i;
	size_t maps;

	test_assert(!memtype_query(fd, &memtype, &from));
	maps = count_maps();
	for (i = 0; i < 100; i++) {
		test_assert(!memtype_query(fd, &memtype, &from));
		test_assert(!mock_fail(bad, DMAPAT_MOCK_OP_FAULT, 0, EIO));
		test_assert(memtype_query(bad, &memtype, &from) == EFAULT);
	}
	test_eq((long long)count_maps(), (long long)maps, "no mapping is left behind");
	close(fd);
	close(bad);
}

static void unprivileged(void)
{
	int status, fd = buffer_heap("system", SIZE);
	pid_t pid = fork();

	test_assert(pid >= 0);
	if (!pid) {
		struct dmabuf_memtype_query query = { .fd = fd };
		int node;

		if (setgid(65534) || setuid(65534))
			_exit(1);
		node = open("/dev/dmabuf-memtype", O_RDWR | O_CLOEXEC);
		if (node < 0)
			_exit(2);
		_exit(ioctl(node, DMABUF_MEMTYPE_QUERY, &query) || query.memtype != TYPE_WB);
	}
	test_assert(waitpid(pid, &status, 0) == pid);
	test_eq(status, 0, "a user without privileges gets an answer");
	close(fd);
}

static atomic_bool done;

static void *mover(void *arg)
{
	int fd = *(int *)arg, i;

	for (i = 0; i < 200; i++) {
		uint32_t type = i % 2 ? TYPE_WC : TYPE_UC;

		test_assert(!mock_change(fd, DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY |
					 DMAPAT_MOCK_NEW_PAGES, type, type, 0));
	}
	done = true;
	return NULL;
}

/* Each answer is a type that the buffer had; fault and move contend for its lock. */
static void races(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_DYNAMIC, TYPE_WC, TYPE_WC, 0);
	int memtype, from, bad = 0, errors = 0;
	pthread_t thread;

	test_assert(!pthread_create(&thread, NULL, mover, &fd));
	while (!done) {
		if (memtype_query(fd, &memtype, &from))
			errors++;
		else if (memtype != TYPE_WC && memtype != TYPE_UC)
			bad++;
	}
	pthread_join(thread, NULL);
	test_eq(errors, 0, "no error while the buffer moves");
	test_eq(bad, 0, "no wrong type while the buffer moves");
	close(fd);
}

int main(void)
{
	struct dmapat_mock_stats before, after;

	mock_stats(&before);
	exporters();
	bad_calls();
	exporter_errors();
	changes();
	no_traces();
	unprivileged();
	races();
	mock_stats(&after);
	test_eq((long long)after.buffers, (long long)before.buffers, "no mock buffer is left");
	return test_end();
}
