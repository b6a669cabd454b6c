/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of dmabuf_memtype.ko know of each other. The module's exported
 * interface is <linux/dmabuf_memtype.h>.
 */
#ifndef DMABUF_MEMTYPE_INTERNAL_H
#define DMABUF_MEMTYPE_INTERNAL_H

#include <linux/mm_types.h>
#include <linux/types.h>

struct dma_buf;

/**
 * struct memtype_heap - a heap whose buffers have one memory type
 * @name:	of the node in /dev/dma_heap, and of the buffers' exporter
 * @memtype:	DMABUF_MEMTYPE_*
 * @pgprot:	turns a WB protection into one of @memtype
 * @set_pages:	gives the kernel mapping of pages @memtype
 */
struct memtype_heap {
	const char *name;
	int memtype;
	pgprot_t (*pgprot)(pgprot_t prot);
	int (*set_pages)(struct page **pages, int nr);
};

/* memtype.c */
void memtype_init(void);

/* query.c */
int memtype_query_init(void);
void memtype_query_exit(void);

/* heap.c */
int memtype_heap_init(void);
void memtype_heap_exit(void);

/* heap_buffer.c */
struct dma_buf *heap_buffer_alloc(const struct memtype_heap *heap, size_t len, u32 fd_flags);
int heap_buffer_init(void);
void heap_buffer_exit(void);

#endif /* DMABUF_MEMTYPE_INTERNAL_H */
