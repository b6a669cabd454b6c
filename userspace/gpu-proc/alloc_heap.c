// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers from a DMA-buf heap: a node below /dev/dma_heap. Called by buffer.c, and
 * heap_new() by blob_memory.c.
 */
#include "alloc.h"
#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/dma-heap.h>

int heap_new(int heap, uint64_t size)
{
	struct dma_heap_allocation_data data = {
		.len = size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) < 0 ? -1 : (int)data.fd;
}

static int heap_alloc(const char *node, uint64_t size)
{
	char path[128];
	int heap, fd;

	if (!*node || strchr(node, '/')) {
		log_error("heap '%s': wants the name of a node in /dev/dma_heap, not a path", node);
		return -1;
	}
	snprintf(path, sizeof(path), "/dev/dma_heap/%s", node);

	heap = open(path, O_RDONLY | O_CLOEXEC);
	if (heap < 0) {
		log_error("heap %s: cannot open %s: %m", node, path);
		return -1;
	}
	fd = heap_new(heap, size);
	if (fd < 0)
		log_error("heap %s: cannot allocate %llu bytes: %m", node,
			  (unsigned long long)size);
	close(heap);
	return fd;
}

const struct allocator alloc_heap = {
	.kind = "heap",
	.node_help = "name of a heap in /dev/dma_heap, such as system-wc",
	.alloc = heap_alloc,
	.cpu_access = dmabuf_cpu_access,
};
