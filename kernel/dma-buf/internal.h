/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of dmabuf_memtype.ko know of each other. The module's exported
 * interface is <linux/dmabuf_memtype.h>.
 */
#ifndef DMABUF_MEMTYPE_INTERNAL_H
#define DMABUF_MEMTYPE_INTERNAL_H

#include <linux/mm_types.h>
#include <linux/rwsem.h>
#include <linux/types.h>

struct address_space;
struct dma_buf;
struct dmabuf_memtype_track;

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

/**
 * struct heap_writers - who writes a buffer of a heap; see heap_writers.c
 * @lock:	read: sets marks and makes entries of page tables; write: takes marks
 * @marks:	a bit for each page that is written or can be; NULL while not tracked
 * @nr:		pages of the buffer
 * @devices:	DMA mappings for a device that may write; resv lock
 * @accesses:	begin_cpu_access() to write without its end; resv lock
 */
struct heap_writers {
	struct rw_semaphore lock;
	unsigned long *marks;
	unsigned long nr;
	unsigned int devices;
	unsigned int accesses;
};

/* memtype.c */
void memtype_init(void);

/* query.c */
int memtype_query_init(void);
void memtype_query_exit(void);
struct dma_buf *memtype_get_dmabuf(int fd);

/* track.c */
long memtype_track(struct dmabuf_memtype_track __user *arg);

/* heap.c */
int memtype_heap_init(void);
void memtype_heap_exit(void);

/* heap_buffer.c */
struct dma_buf *heap_buffer_alloc(const struct memtype_heap *heap, size_t len, u32 fd_flags);
struct heap_writers *heap_buffer_writers(struct dma_buf *dmabuf);
int heap_buffer_init(void);
void heap_buffer_exit(void);

/* heap_writers.c: mappings of processes */
void heap_writers_init(struct heap_writers *w, unsigned long nr);
vm_fault_t heap_writers_map(struct heap_writers *w, struct vm_fault *vmf, unsigned long pfn);
vm_fault_t heap_writers_map_huge(struct heap_writers *w, struct vm_fault *vmf, unsigned long pfn);
vm_fault_t heap_writers_mkwrite(struct heap_writers *w, struct vm_fault *vmf);
void heap_writers_mprotect(struct heap_writers *w, struct vm_area_struct *vma,
			   unsigned long start, unsigned long end, unsigned long newflags);

/* Other access; all with the reservation lock held */
void heap_writers_device_begin(struct heap_writers *w);
void heap_writers_device_end(struct heap_writers *w);
void heap_writers_access_begin(struct heap_writers *w);
void heap_writers_access_end(struct heap_writers *w);
void heap_writers_mark_all(struct heap_writers *w);

/* For the tracker; _now, _start and _take with the reservation lock held */
u32 heap_writers_now(const struct heap_writers *w);
int heap_writers_start(struct heap_writers *w, struct address_space *mapping, bool all);
void heap_writers_take(struct heap_writers *w, struct address_space *mapping, bool all,
		       unsigned long first, unsigned long nr, unsigned long *out);
void heap_writers_put_back(struct heap_writers *w, unsigned long first, unsigned long nr,
			   const unsigned long *out);
void heap_writers_stop(struct heap_writers *w, struct address_space *mapping);

#endif /* DMABUF_MEMTYPE_INTERNAL_H */
