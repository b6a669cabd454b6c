// SPDX-License-Identifier: GPL-2.0-or-later
/* Buffers from ordinary memory: a sealed memfd behind udmabuf. Called by buffer.c. */
#include "alloc.h"
#include "log.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/udmabuf.h>

static int udmabuf_alloc(const char *node, uint64_t size)
{
	struct udmabuf_create create = {
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = size,
	};
	int dev, memfd, fd = -1;

	dev = open(node, O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		log_error("udmabuf %s: cannot open it: %m", node);
		return -1;
	}
	memfd = memfd_create("dmapat-udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (memfd < 0) {
		log_error("udmabuf %s: cannot create a memfd: %m", node);
		goto out_dev;
	}
	if (ftruncate(memfd, size) < 0 || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) < 0) {
		log_error("udmabuf %s: cannot make a sealed memfd of %llu bytes: %m", node,
			  (unsigned long long)size);
		goto out_memfd;
	}
	create.memfd = memfd;
	fd = ioctl(dev, UDMABUF_CREATE, &create);
	if (fd < 0)
		log_error("udmabuf %s: cannot create a buffer of %llu bytes: %m", node,
			  (unsigned long long)size);
out_memfd:
	close(memfd);
out_dev:
	close(dev);
	return fd;
}

const struct allocator alloc_udmabuf = {
	.kind = "udmabuf",
	.node_help = "path of the udmabuf node, /dev/udmabuf",
	.alloc = udmabuf_alloc,
	.cpu_access = dmabuf_cpu_access,
};
