/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the host's memory of blobs comes from: nodes that are opened before the sandbox. */
#ifndef GPU_PROC_BLOB_MEMORY_H
#define GPU_PROC_BLOB_MEMORY_H

#include <stdint.h>

/*
 * Open the nodes that there are, once. Returns a mask of memory types, 1 << DMABUF_MEMTYPE_*,
 * of which memory can be had.
 */
uint32_t blob_memory_open(void);
#define BLOB_MEMORY_WRAPS	(1u << 6)	/* WB: blob_memory_of() works, too */
void blob_memory_close(void);

/* Zeroed memory of a type of the mask: a DMA-buf, or -1 with errno. */
int blob_memory_new(uint32_t memtype, uint64_t size);

/* A DMA-buf of the first size bytes of a memfd, or -1 with errno. The memfd stays the caller's. */
int blob_memory_of(int memfd, uint64_t size);

#endif /* GPU_PROC_BLOB_MEMORY_H */
