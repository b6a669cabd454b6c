// SPDX-License-Identifier: GPL-2.0-or-later
/* The tests' DMA-bufs; see buffer.h. */
#include <drm.h>
#include <drm_mode.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "ktap.h"

static int buffer_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		test_note("%s: %s", path, strerror(errno));
	test_assert(fd >= 0);
	return fd;
}

int buffer_heap(const char *heap, size_t size)
{
	struct dma_heap_allocation_data data = { .len = size, .fd_flags = O_RDWR | O_CLOEXEC };
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", heap);
	fd = buffer_open(path);
	test_assert(!ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &data));
	close(fd);
	return (int)data.fd;
}

int buffer_vgem_node(void)
{
	char path[32], driver[16];
	struct drm_version version;
	int fd, last_error = ENOENT;

	/* A real machine has other cards, too. */
	for (unsigned int card = 0; card < 64; card++) {
		snprintf(path, sizeof(path), "/dev/dri/card%u", card);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			if (errno != ENOENT)
				last_error = errno;
			continue;
		}
		memset(driver, 0, sizeof(driver));
		version = (struct drm_version){ .name = driver, .name_len = sizeof(driver) - 1 };
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(driver, "vgem"))
			return fd;
		close(fd);
	}
	errno = last_error;
	return -1;
}

/* Dumb buffers, exported by PRIME. */
int buffer_vgem(size_t size)
{
	struct drm_mode_create_dumb dumb = { .width = (uint32_t)(size / 4096), .height = 1024,
					     .bpp = 32 };
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };
	int card = buffer_vgem_node();

	if (card < 0)
		test_note("no card node of vgem: %s", strerror(errno));
	test_assert(card >= 0);
	test_assert(!ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb));
	test_assert(dumb.size == size);
	prime.handle = dumb.handle;
	test_assert(!ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	close(card);
	return prime.fd;
}

int buffer_udmabuf(size_t size)
{
	struct udmabuf_create create = { .size = size, .flags = UDMABUF_FLAGS_CLOEXEC };
	int dev = buffer_open("/dev/udmabuf");
	int memfd = memfd_create("udmabuf", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	int fd;

	test_assert(memfd >= 0 && !ftruncate(memfd, (off_t)size));
	test_assert(!fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	create.memfd = (uint32_t)memfd;
	fd = ioctl(dev, UDMABUF_CREATE, &create);
	test_assert(fd >= 0);
	close(memfd);
	close(dev);
	return fd;
}

/* Opened once: closing the node must not matter to a buffer, but opening costs time. */
static int mock_node(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = buffer_open("/dev/dmapat-mock");
	return fd;
}

int buffer_mock(size_t size, uint32_t flags, uint32_t page, uint32_t mmap, int32_t says)
{
	struct dmapat_mock_create create = {
		.size = size,
		.types = { .page = page, .mmap = mmap, .says = says },
		.flags = flags,
	};

	test_assert(!ioctl(mock_node(), DMAPAT_MOCK_CREATE, &create));
	return create.fd;
}

int mock_change(int fd, uint32_t flags, uint32_t page, uint32_t mmap, int32_t says)
{
	struct dmapat_mock_change change = {
		.fd = fd,
		.flags = flags,
		.types = { .page = page, .mmap = mmap, .says = says },
	};

	return ioctl(mock_node(), DMAPAT_MOCK_CHANGE, &change) ? errno : 0;
}

int mock_fail(int fd, enum dmapat_mock_op op, uint32_t after, uint32_t error)
{
	struct dmapat_mock_fail fail = { .fd = fd, .op = op, .after = after, .error = error };

	return ioctl(mock_node(), DMAPAT_MOCK_FAIL, &fail) ? errno : 0;
}

void mock_stats(struct dmapat_mock_stats *stats)
{
	test_assert(!ioctl(mock_node(), DMAPAT_MOCK_STATS, stats));
}

uint64_t mock_host_pat(void)
{
	static struct dmapat_mock_entry entry;

	entry = (struct dmapat_mock_entry){ .addr = (uintptr_t)&entry };
	test_assert(!ioctl(mock_node(), DMAPAT_MOCK_ENTRY, &entry));
	return entry.pat;
}

void *buffer_map_at(void *addr, int fd, size_t size, size_t offset)
{
	void *p = mmap(addr, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | (addr ? MAP_FIXED : 0), fd, (off_t)offset);

	if (p == MAP_FAILED)
		test_note("mmap of fd %d, %zu bytes at %zu: %s", fd, size, offset, strerror(errno));
	test_assert(p != MAP_FAILED);
	return p;
}

void *buffer_map(int fd, size_t size, size_t offset)
{
	return buffer_map_at(NULL, fd, size, offset);
}
