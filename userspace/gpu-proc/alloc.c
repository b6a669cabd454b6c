// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of allocators and what they share. Used by options.c and by them. */
#include "alloc.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <linux/dma-buf.h>

const struct allocator *const allocators[] = {
	&alloc_heap,
	&alloc_drm,
	&alloc_udmabuf,
	&alloc_vulkan,
	NULL,
};

const struct allocator *alloc_find(const char *kind, size_t len)
{
	const struct allocator *const *a;

	for (a = allocators; *a; a++)
		if (strlen((*a)->kind) == len && !memcmp((*a)->kind, kind, len))
			return *a;
	return NULL;
}

int dmabuf_cpu_access(int fd, bool start)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_WRITE | (start ? DMA_BUF_SYNC_START : DMA_BUF_SYNC_END),
	};
	int ret;

	do {
		ret = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
	} while (ret < 0 && (errno == EINTR || errno == EAGAIN));
	return ret;
}
