// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmabuf_memtype_of_mapping(), which KVM asks: for entries of each size, with
 * and without a fault, called through the mock module.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conformance/lib/buffer.h"
#include "conformance/lib/ktap.h"
#include "conformance/lib/witness.h"

#define PAGE	4096UL
#define SIZE	0x10000UL
#define HUGE	0x200000UL

static int node;

static void expect(const void *addr, uint32_t fault, int type, const char *what)
{
	struct dmapat_mock_mapping mapping = { .addr = (uint64_t)addr, .fault = fault };

	test_errno(ioctl(node, DMAPAT_MOCK_MAPPING, &mapping) ? errno : 0, 0,
		   "%s: has a type", what);
	test_eq((int)mapping.memtype, type, "%s: type", what);
}

static void expect_error(const void *addr, uint32_t fault, int error, const char *what)
{
	struct dmapat_mock_mapping mapping = { .addr = (uint64_t)addr, .fault = fault };

	test_errno(ioctl(node, DMAPAT_MOCK_MAPPING, &mapping) ? errno : 0, error, "%s", what);
}

static void large(void)
{
	static const struct {
		uint32_t type;
		const char *name;
	} types[] = {
		{ TYPE_WB, "2 MiB entry, WB" },
		{ TYPE_WC, "2 MiB entry, WC" },
		{ TYPE_UC, "2 MiB entry, UC" },
	};
	struct dmapat_mock_entry entry;
	uint8_t *map;
	size_t i;
	int fd;

	for (i = 0; i < 3; i++) {
		fd = buffer_mock(2 * HUGE, DMAPAT_MOCK_HUGE, types[i].type, types[i].type, 0);
		map = buffer_map(fd, 2 * HUGE, 0);
		expect(map + HUGE + 5 * PAGE, 1, (int)types[i].type, types[i].name);
		test_errno(witness_entry(map + HUGE, &entry), 0, "%s: mapped", types[i].name);
		test_eq(entry.user_shift, 21, "%s: it is one", types[i].name);
		munmap(map, 2 * HUGE);
		close(fd);
	}
}

static void without_fault(void)
{
	struct dmapat_mock_entry entry;
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_LAZY, TYPE_WC, TYPE_WC, 0);
	uint8_t *map = buffer_map(fd, SIZE, 0);

	expect(map, 0, TYPE_WB, "no entry yet: what the VMA states");
	test_errno(witness_entry(map, &entry), EFAULT, "and still no entry");
	expect(map, 1, TYPE_WC, "faulted in: what the entry has");
	expect(map, 0, TYPE_WC, "entry is there: it decides");

	test_assert(!mock_fail(fd, DMAPAT_MOCK_OP_FAULT, 0, EIO));
	expect_error(map + PAGE, 1, EFAULT, "the fault fails");
	test_assert(!mock_fail(fd, DMAPAT_MOCK_OP_FAULT, 0, ENOMEM));
	expect_error(map + PAGE, 1, ENOMEM, "the fault has no memory");
	expect(map + PAGE, 1, TYPE_WC, "the next one");

	test_assert(!mprotect(map, SIZE, PROT_NONE));
	expect_error(map + 2 * PAGE, 1, EFAULT, "no access, no entry");
	expect(map, 0, TYPE_WC, "no access: the entry keeps its type");
	munmap(map, SIZE);
	expect_error(map, 1, EFAULT, "nothing is mapped");
	close(fd);
}

/* Mappings of pages that have no special entries: the VMA's protection is theirs. */
static void ordinary(void)
{
	uint8_t *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	test_assert(map != MAP_FAILED);
	expect(map, 1, TYPE_WB, "anonymous memory");
	munmap(map, PAGE);
}

int main(void)
{
	node = open("/dev/dmapat-mock", O_RDWR | O_CLOEXEC);
	test_assert(node >= 0);
	large();
	without_fault();
	ordinary();
	close(node);
	return test_end();
}
