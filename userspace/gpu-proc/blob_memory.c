// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host's memory of blobs, by its memory type: our heaps for UC and WC, udmabuf for
 * WB. Called by the context types.
 */
#include "blob_memory.h"
#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include <linux/dmabuf_memtype.h>

static struct {
	uint32_t memtype;
	const char *path;
	int flags;
	int (*alloc)(int node, uint64_t size);
	int node;		/* -1: not open */
} sources[] = {
	{ DMABUF_MEMTYPE_UC, "/dev/dma_heap/system-uc", O_RDONLY, heap_new, -1 },
	{ DMABUF_MEMTYPE_WC, "/dev/dma_heap/system-wc", O_RDONLY, heap_new, -1 },
	{ DMABUF_MEMTYPE_WB, "/dev/udmabuf", O_RDWR, udmabuf_new, -1 },
};

#define NSOURCES	(sizeof(sources) / sizeof(*sources))

uint32_t blob_memory_open(void)
{
	uint32_t mask = 0;
	size_t i;

	for (i = 0; i < NSOURCES; i++) {
		if (sources[i].node < 0)
			sources[i].node = open(sources[i].path, sources[i].flags | O_CLOEXEC);
		if (sources[i].node >= 0)
			mask |= 1u << sources[i].memtype;
	}
	return mask;
}

void blob_memory_close(void)
{
	size_t i;

	for (i = 0; i < NSOURCES; i++) {
		if (sources[i].node >= 0)
			close(sources[i].node);
		sources[i].node = -1;
	}
}

int blob_memory_new(uint32_t memtype, uint64_t size)
{
	size_t i;

	for (i = 0; i < NSOURCES; i++)
		if (sources[i].memtype == memtype)
			return sources[i].alloc(sources[i].node, size);
	errno = EINVAL;
	return -1;
}

int blob_memory_of(int memfd, uint64_t size)
{
	size_t i;

	for (i = 0; i < NSOURCES; i++)
		if (sources[i].memtype == DMABUF_MEMTYPE_WB)
			return udmabuf_of(sources[i].node, memfd, size);
	return -1;
}
