// SPDX-License-Identifier: GPL-2.0-or-later
/* The mock module as a witness; see witness.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/dmabuf_memtype.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ktap.h"
#include "witness.h"

static int mock_ioctl(unsigned long cmd, void *arg)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/dmapat-mock", O_RDWR | O_CLOEXEC);
	test_assert(fd >= 0);
	return ioctl(fd, cmd, arg) ? errno : 0;
}

int witness_entry_of(pid_t pid, uint64_t addr, struct dmapat_mock_entry *entry)
{
	*entry = (struct dmapat_mock_entry) { .addr = addr, .pid = pid };
	return mock_ioctl(DMAPAT_MOCK_ENTRY, entry);
}

int witness_entry(const volatile void *addr, struct dmapat_mock_entry *entry)
{
	return witness_entry_of(0, (uint64_t)addr, entry);
}

/* PAT index: bit 3 (PWT), bit 4 (PCD), and bit 7, or bit 12 where bit 7 says "large". */
static int entry_type(uint64_t entry, uint32_t shift, uint64_t pat)
{
	unsigned int pat_bit = shift == 12 ? 7 : 12;
	unsigned int index = (entry >> 3 & 3) | (entry >> pat_bit & 1) << 2;
	int type = (int)(pat >> index * 8 & 7);

	return type == TYPE_UC_MINUS ? TYPE_UC : type;
}

int witness_user_type(const struct dmapat_mock_entry *entry)
{
	return entry_type(entry->user, entry->user_shift, entry->pat);
}

int witness_kernel_type(const struct dmapat_mock_entry *entry)
{
	test_assert(entry->kernel & 1);
	return entry_type(entry->kernel, entry->kernel_shift, entry->pat);
}

bool witness_readable(const volatile void *addr)
{
	int fds[2];
	bool ok;

	test_assert(!pipe2(fds, O_CLOEXEC));
	ok = write(fds[1], (const void *)addr, 1) == 1;
	test_assert(ok || errno == EFAULT);
	close(fds[0]);
	close(fds[1]);
	return ok;
}

int memtype_query(int fd, int *memtype, int *source)
{
	struct dmabuf_memtype_query query = { .fd = fd };
	static int node = -1;

	if (node < 0)
		node = open("/dev/dmabuf-memtype", O_RDWR | O_CLOEXEC);
	test_assert(node >= 0);
	if (ioctl(node, DMABUF_MEMTYPE_QUERY, &query))
		return errno;
	*memtype = (int)query.memtype;
	*source = (int)query.source;
	return 0;
}

int mock_import(int fd, bool dynamic, uint32_t dir, struct dmapat_mock_import *import)
{
	*import = (struct dmapat_mock_import) { .fd = fd, .dynamic = dynamic, .dir = dir };
	return mock_ioctl(DMAPAT_MOCK_IMPORT, import);
}

int mock_unimport(uint32_t id)
{
	return mock_ioctl(DMAPAT_MOCK_UNIMPORT, (void *)(uintptr_t)id);
}

int mock_hold(int fd, uint32_t what, uint32_t *id)
{
	struct dmapat_mock_hold hold = { .fd = fd, .what = what };
	int error = mock_ioctl(DMAPAT_MOCK_HOLD, &hold);

	*id = hold.id;
	return error;
}

int mock_let_go(uint32_t id)
{
	return mock_ioctl(DMAPAT_MOCK_LET_GO, (void *)(uintptr_t)id);
}

int mock_device_access(uint32_t id, bool write, size_t offset, void *data, size_t len)
{
	struct dmapat_mock_device_access access = {
		.id = id,
		.write = write,
		.offset = offset,
		.len = len,
		.data = (uint64_t)data,
	};

	return mock_ioctl(DMAPAT_MOCK_DEVICE_ACCESS, &access);
}

int mock_access(int fd, bool write, size_t offset, void *data, size_t len)
{
	struct dmapat_mock_access access = {
		.fd = fd,
		.write = write,
		.offset = offset,
		.len = len,
		.data = (uint64_t)data,
	};

	return mock_ioctl(DMAPAT_MOCK_ACCESS, &access);
}
