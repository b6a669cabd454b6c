/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of dmapat_mock.ko know of each other.
 */
#ifndef DMAPAT_MOCK_INTERNAL_H
#define DMAPAT_MOCK_INTERNAL_H

#include <linux/atomic.h>
#include <linux/dma-buf.h>
#include <linux/kref.h>
#include <linux/mm_types.h>
#include <linux/xarray.h>

#include "dmapat_mock.h"

/* Live objects of the module; see struct dmapat_mock_stats. */
struct mock_counters {
	atomic_long_t buffers;
	atomic_long_t pages;
	atomic_long_t attachments;
	atomic_long_t dma_maps;
	atomic_long_t pins;
	atomic_long_t imports;
	atomic_long_t move_notifies;
};

extern struct mock_counters mock_counters;

/**
 * struct mock_pages - memory of a buffer between two moves
 * @ref:	one by the buffer, one by each DMA mapping
 * @memtype:	of the kernel mapping; changed under the buffer's resv lock
 * @order:	of a chunk
 * @split:	each page has its own reference count
 * @nr:		pages
 */
struct mock_pages {
	struct kref ref;
	u32 memtype;
	unsigned int order;
	bool split;
	unsigned long nr;
	struct page *pages[];
};

/* pages.c */
struct mock_pages *mock_pages_alloc(unsigned long nr, unsigned int order, bool split, u32 memtype);
int mock_pages_set_type(struct mock_pages *mem, u32 memtype);
void mock_pages_get(struct mock_pages *mem);
void mock_pages_put(struct mock_pages *mem);

/* buffer.c: the exporter */
long mock_create(struct dmapat_mock_create __user *arg);
long mock_change(const struct dmapat_mock_change *change);
long mock_fail(const struct dmapat_mock_fail *fail);
int mock_buffer_init(void);
void mock_buffer_exit(void);

/* importer.c */
struct dma_buf *mock_get_dmabuf(int fd);
long mock_access(const struct dmapat_mock_access *access);
long mock_import(struct xarray *imports, struct dmapat_mock_import *import);
long mock_unimport(struct xarray *imports, unsigned long id);
long mock_device_access(struct xarray *imports, const struct dmapat_mock_device_access *access);
void mock_unimport_all(struct xarray *imports);
int mock_importer_init(void);
void mock_importer_exit(void);

/* hold.c */
long mock_hold(struct xarray *holds, struct dmapat_mock_hold *hold);
long mock_let_go(struct xarray *holds, unsigned long id);
void mock_let_go_all(struct xarray *holds);

/* witness.c */
long mock_entry(struct dmapat_mock_entry *entry);
u64 mock_uncached_pages(void);

#endif /* DMAPAT_MOCK_INTERNAL_H */
