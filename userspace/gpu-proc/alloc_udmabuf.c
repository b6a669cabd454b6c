// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers from ordinary memory: a sealed memfd behind udmabuf. Called by buffer.c, and
 * udmabuf_new() and udmabuf_of() by blob_memory.c.
 */
#include "alloc.h"
#include "log.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/udmabuf.h>

int udmabuf_of(int udmabuf, int memfd, uint64_t size)
{
	struct udmabuf_create create = {
		.memfd = memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = size,
	};

	int seals = fcntl(memfd, F_GET_SEALS);

	/* One may be sealed against further seals. */
	if (seals < 0 || (!(seals & F_SEAL_SHRINK) &&
			  fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) < 0))
		return -1;
	return ioctl(udmabuf, UDMABUF_CREATE, &create);
}

int udmabuf_new(int udmabuf, uint64_t size)
{
	int memfd, fd = -1;

	memfd = memfd_create("dmapat-udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0)
		return -1;
	if (ftruncate(memfd, size) == 0)
		fd = udmabuf_of(udmabuf, memfd, size);
	close(memfd);
	return fd;
}

static int udmabuf_alloc(const char *node, uint64_t size)
{
	int dev, fd;

	dev = open(node, O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		log_error("udmabuf %s: cannot open it: %m", node);
		return -1;
	}
	fd = udmabuf_new(dev, size);
	if (fd < 0)
		log_error("udmabuf %s: cannot create a buffer of %llu bytes: %m", node,
			  (unsigned long long)size);
	close(dev);
	return fd;
}

const struct allocator alloc_udmabuf = {
	.kind = "udmabuf",
	.node_help = "path of the udmabuf node, /dev/udmabuf",
	.alloc = udmabuf_alloc,
	.cpu_access = dmabuf_cpu_access,
};
