/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where buffers come from: one allocator a file, one table of them. */
#ifndef GPU_PROC_ALLOC_H
#define GPU_PROC_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct allocator {
	const char *kind;	/* as in --buffer KIND=NODE */
	const char *node_help;	/* what NODE is, for --help */

	/*
	 * Allocate at least size bytes (a multiple of the page size) from node.
	 * Returns an fd that can be mapped shared and passed on, or -1 after it
	 * has logged why not.
	 */
	int (*alloc)(const char *node, uint64_t size);

	/*
	 * Open (start) or close (!start) a window of CPU writes to a mapping of
	 * the fd. Returns 0, or -1 with errno. Must work inside the sandbox.
	 */
	int (*cpu_access)(int fd, bool start);
};

extern const struct allocator alloc_heap;
extern const struct allocator alloc_drm;
extern const struct allocator alloc_udmabuf;
extern const struct allocator alloc_vulkan;

/* All of them, in the order of --help; NULL ends the table. */
extern const struct allocator *const allocators[];

/* The allocator whose kind is the len bytes at kind, or NULL. */
const struct allocator *alloc_find(const char *kind, size_t len);

/* cpu_access() of everything that hands out DMA-bufs: DMA_BUF_IOCTL_SYNC. */
int dmabuf_cpu_access(int fd, bool start);

/*
 * What some of them and gpu-proc's blobs are made of. heap and udmabuf are open nodes; each
 * returns the fd of a DMA-buf of size bytes, or -1 with errno, and works in the sandbox.
 */
int heap_new(int heap, uint64_t size);
int udmabuf_new(int udmabuf, uint64_t size);
/* Of the first size bytes of a memfd, which is sealed so that it cannot shrink any more. */
int udmabuf_of(int udmabuf, int memfd, uint64_t size);

#endif /* GPU_PROC_ALLOC_H */
