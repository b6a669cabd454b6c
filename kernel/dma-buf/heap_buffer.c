// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer of the WC and UC heaps, in the order in which it lives: pages, user
 * mapping, kernel mapping, DMA mappings, CPU access, release. heap.c allocates
 * it; the dma-buf core calls the rest.
 *
 * What an importer or a VMM may rely on: the pages never move, all of them have
 * the heap's type in the kernel's mapping and in each user mapping, each has
 * its own reference count, and a user mapping keeps vm_file (the DMA-buf's) and
 * vm_pgoff (pages into the buffer).
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/dmabuf_memtype.h>
#include <linux/huge_mm.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include <asm/set_memory.h>

#include "internal.h"

/* Pages whose type changes in one go, between looks at signals and the scheduler. */
#define TYPE_BATCH	SZ_16K

/**
 * struct heap_buffer - memory of one type
 * @heap:	gave it
 * @nr:		pages
 * @nr_huge:	leading pages that come in 2 MiB chunks; a multiple of 512
 * @nr_typed:	leading pages that may have another type than WB
 * @dma:	struct heap_dma, one for each live DMA mapping; resv lock
 * @writers:	who writes it
 * @pages:	fixed from allocation to release
 */
struct heap_buffer {
	const struct memtype_heap *heap;
	unsigned long nr;
	unsigned long nr_huge;
	unsigned long nr_typed;
	struct list_head dma;
	struct heap_writers writers;
	struct page *pages[] __counted_by(nr);
};

struct heap_dma {
	struct device *dev;
	enum dma_data_direction dir;
	struct sg_table sgt;
	struct list_head node;
};

/*
 * 2 MiB chunks so that user space and second-stage tables can have large
 * leaves, then 64 KiB, then pages. Only the last may wait for reclaim; it fails
 * rather than calling the OOM killer upon others.
 */
static const struct {
	unsigned int order;
	gfp_t gfp;
} chunks[] = {
	{ HPAGE_PMD_ORDER, GFP_USER & ~__GFP_RECLAIM },
	{ 4, GFP_USER & ~__GFP_RECLAIM },
	{ 0, GFP_USER | __GFP_RETRY_MAYFAIL },
};

static int alloc_pages_of(struct heap_buffer *buffer)
{
	unsigned long done = 0, i;
	unsigned int c = 0;

	while (done < buffer->nr) {
		unsigned int order = chunks[c].order;
		struct page *page = NULL;

		if (fatal_signal_pending(current))
			return -EINTR;

		if (buffer->nr - done >= 1UL << order)
			page = alloc_pages(chunks[c].gfp | __GFP_ZERO | __GFP_ACCOUNT |
					   __GFP_NOWARN, order);
		if (!page) {
			if (++c == ARRAY_SIZE(chunks))
				return -ENOMEM;
			continue;
		}

		/* KVM and others take references of single pages. */
		split_page(page, order);
		for (i = 0; i < 1UL << order; i++)
			buffer->pages[done + i] = page + i;
		done += 1UL << order;
		if (order == HPAGE_PMD_ORDER)
			buffer->nr_huge = done;
		cond_resched();
	}

	return 0;
}

/*
 * Changing the type writes back and drops what the caches hold of the pages, so
 * that the zeroes are in memory before anybody maps them.
 */
static int set_type(struct heap_buffer *buffer)
{
	while (buffer->nr_typed < buffer->nr) {
		struct page **pages = buffer->pages + buffer->nr_typed;
		unsigned long nr = min(buffer->nr - buffer->nr_typed, TYPE_BATCH);

		if (fatal_signal_pending(current))
			return -EINTR;

		/* Counted first: a failure may leave some of these changed. */
		buffer->nr_typed += nr;
		if (buffer->heap->set_pages(pages, nr))
			return -ENOMEM;
		cond_resched();
	}

	return 0;
}

static void free_pages_of(struct heap_buffer *buffer)
{
	unsigned long done, nr, i;

	for (done = 0; done < buffer->nr; done += nr) {
		struct page **pages = buffer->pages + done;

		nr = min(buffer->nr - done, TYPE_BATCH);

		if (done < buffer->nr_typed && set_pages_array_wb(pages, nr)) {
			/* Never give out memory that is not WB. */
			pr_err("dmabuf_memtype: %s: %lu pages do not become WB again: lost\n",
			       buffer->heap->name, nr);
			continue;
		}
		for (i = 0; i < nr && pages[i]; i++)
			__free_page(pages[i]);
		cond_resched();
	}
}

static void buffer_free(struct heap_buffer *buffer)
{
	free_pages_of(buffer);
	kvfree(buffer);
}

static vm_fault_t heap_buffer_fault(struct vm_fault *vmf)
{
	struct heap_buffer *buffer = vmf->vma->vm_private_data;

	if (vmf->pgoff >= buffer->nr)
		return VM_FAULT_SIGBUS;

	return heap_writers_map(&buffer->writers, vmf, page_to_pfn(buffer->pages[vmf->pgoff]));
}

static vm_fault_t heap_buffer_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	struct heap_buffer *buffer = vma->vm_private_data;
	unsigned long start = vmf->address & PMD_MASK;
	unsigned long first;

	if (order != HPAGE_PMD_ORDER)
		return VM_FAULT_FALLBACK;
	if (start < vma->vm_start || vma->vm_end - start < PMD_SIZE)
		return VM_FAULT_FALLBACK;
	/* vmf_insert_pfn_pmd() knows the PAT bit of small pages only. */
	if (pgprot_val(vma->vm_page_prot) & _PAGE_PAT)
		return VM_FAULT_FALLBACK;

	first = vmf->pgoff - ((vmf->address - start) >> PAGE_SHIFT);
	if (first % HPAGE_PMD_NR || first >= buffer->nr_huge)
		return VM_FAULT_FALLBACK;

	return heap_writers_map_huge(&buffer->writers, vmf, page_to_pfn(buffer->pages[first]));
}

static vm_fault_t heap_buffer_mkwrite(struct vm_fault *vmf)
{
	struct heap_buffer *buffer = vmf->vma->vm_private_data;

	return heap_writers_mkwrite(&buffer->writers, vmf);
}

static int heap_buffer_mprotect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
				unsigned long newflags)
{
	struct heap_buffer *buffer = vma->vm_private_data;

	heap_writers_mprotect(&buffer->writers, vma, start, end, newflags);
	return 0;
}

static const struct vm_operations_struct heap_buffer_vm_ops = {
	.fault		= heap_buffer_fault,
	.huge_fault	= heap_buffer_huge_fault,
	.pfn_mkwrite	= heap_buffer_mkwrite,
	.mprotect	= heap_buffer_mprotect,
};

/* The core has checked that the mapping ends within the buffer. */
static int heap_buffer_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct heap_buffer *buffer = dmabuf->priv;

	/* A private copy would be cached memory that no device sees. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;

	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_page_prot = buffer->heap->pgprot(vma->vm_page_prot);
	vma->vm_private_data = buffer;
	vma->vm_ops = &heap_buffer_vm_ops;

	return 0;
}

/* The core counts: one mapping serves all users. */
static int heap_buffer_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct heap_buffer *buffer = dmabuf->priv;
	void *vaddr;

	vaddr = vmap(buffer->pages, buffer->nr, VM_MAP, buffer->heap->pgprot(PAGE_KERNEL));
	if (!vaddr)
		return -ENOMEM;

	iosys_map_set_vaddr(map, vaddr);
	heap_writers_mark_all(&buffer->writers);
	return 0;
}

static void heap_buffer_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	vunmap(map->vaddr);
	iosys_map_clear(map);
}

/*
 * On x86 a DMA mapping costs no cache maintenance, whatever its direction;
 * copies happen only for a device that needs bounce buffers.
 */
static struct sg_table *heap_buffer_map_dma(struct dma_buf_attachment *attachment,
					    enum dma_data_direction dir)
{
	struct heap_buffer *buffer = attachment->dmabuf->priv;
	struct device *dev = attachment->dev;
	struct heap_dma *dma;
	int ret;

	dma = kzalloc(sizeof(*dma), GFP_KERNEL);
	if (!dma)
		return ERR_PTR(-ENOMEM);
	dma->dev = dev;
	dma->dir = dir;

	ret = sg_alloc_table_from_pages_segment(&dma->sgt, buffer->pages, buffer->nr, 0,
						buffer->nr << PAGE_SHIFT,
						dma_get_max_seg_size(dev), GFP_KERNEL);
	if (ret)
		goto err_free;

	/* What the CPU wrote leaves its write-combining buffers first. */
	wmb();
	ret = dma_map_sgtable(dev, &dma->sgt, dir, 0);
	if (ret)
		goto err_table;

	list_add(&dma->node, &buffer->dma);
	if (dir != DMA_TO_DEVICE)
		heap_writers_device_begin(&buffer->writers);
	return &dma->sgt;

err_table:
	sg_free_table(&dma->sgt);
err_free:
	kfree(dma);
	return ERR_PTR(ret);
}

static void heap_buffer_unmap_dma(struct dma_buf_attachment *attachment, struct sg_table *sgt,
				  enum dma_data_direction dir)
{
	struct heap_buffer *buffer = attachment->dmabuf->priv;
	struct heap_dma *dma = container_of(sgt, struct heap_dma, sgt);

	if (dma->dir != DMA_TO_DEVICE)
		heap_writers_device_end(&buffer->writers);
	list_del(&dma->node);
	dma_unmap_sgtable(attachment->dev, sgt, dma->dir, 0);
	sg_free_table(sgt);
	kfree(dma);
}

/*
 * For bounce buffers: brings what devices wrote, also around a CPU write. A CPU
 * that only reads says DMA_FROM_DEVICE.
 */
static int heap_buffer_begin_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct heap_buffer *buffer = dmabuf->priv;
	struct heap_dma *dma;

	dma_resv_lock(dmabuf->resv, NULL);
	if (dir != DMA_FROM_DEVICE)
		heap_writers_access_begin(&buffer->writers);
	list_for_each_entry(dma, &buffer->dma, node)
		dma_sync_sgtable_for_cpu(dma->dev, &dma->sgt, dma->dir);
	dma_resv_unlock(dmabuf->resv);

	return 0;
}

static int heap_buffer_end_cpu_access(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct heap_buffer *buffer = dmabuf->priv;
	struct heap_dma *dma;

	/* A CPU that only read must not undo what devices wrote meanwhile. */
	if (dir == DMA_FROM_DEVICE)
		return 0;

	/* What this CPU wrote leaves its write-combining buffers. */
	wmb();

	dma_resv_lock(dmabuf->resv, NULL);
	list_for_each_entry(dma, &buffer->dma, node)
		dma_sync_sgtable_for_device(dma->dev, &dma->sgt, dma->dir);
	heap_writers_access_end(&buffer->writers);
	dma_resv_unlock(dmabuf->resv);

	return 0;
}

static void heap_buffer_release(struct dma_buf *dmabuf)
{
	buffer_free(dmabuf->priv);
}

static const struct dma_buf_ops heap_buffer_ops = {
	.map_dma_buf		= heap_buffer_map_dma,
	.unmap_dma_buf		= heap_buffer_unmap_dma,
	.begin_cpu_access	= heap_buffer_begin_cpu_access,
	.end_cpu_access		= heap_buffer_end_cpu_access,
	.mmap			= heap_buffer_mmap,
	.vmap			= heap_buffer_vmap,
	.vunmap			= heap_buffer_vunmap,
	.release		= heap_buffer_release,
};

struct dma_buf *heap_buffer_alloc(const struct memtype_heap *heap, size_t len, u32 fd_flags)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	unsigned long nr = len >> PAGE_SHIFT;
	struct heap_buffer *buffer;
	struct dma_buf *dmabuf;
	int ret;

	/* kvzalloc(), sg tables and the change of type count in an int. */
	if (nr > totalram_pages() || struct_size(buffer, pages, nr) > INT_MAX)
		return ERR_PTR(-ENOMEM);

	buffer = kvzalloc(struct_size(buffer, pages, nr), GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->heap = heap;
	buffer->nr = nr;
	INIT_LIST_HEAD(&buffer->dma);
	heap_writers_init(&buffer->writers, nr);

	ret = alloc_pages_of(buffer);
	if (ret)
		goto err;

	ret = set_type(buffer);
	if (ret)
		goto err;

	exp_info.exp_name = heap->name;
	exp_info.ops = &heap_buffer_ops;
	exp_info.size = len;
	exp_info.flags = fd_flags;
	exp_info.priv = buffer;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto err;
	}

	return dmabuf;

err:
	buffer_free(buffer);
	return ERR_PTR(ret);
}

/* NULL: not a buffer of the heaps */
struct heap_writers *heap_buffer_writers(struct dma_buf *dmabuf)
{
	struct heap_buffer *buffer = dmabuf->priv;

	return dmabuf->ops == &heap_buffer_ops ? &buffer->writers : NULL;
}

static int heap_buffer_memtype(struct dma_buf *dmabuf)
{
	struct heap_buffer *buffer = dmabuf->priv;

	return buffer->heap->memtype;
}

static struct dmabuf_memtype_exporter heap_exporter = {
	.ops		= &heap_buffer_ops,
	.owner		= THIS_MODULE,
	.memtype	= heap_buffer_memtype,
};

int __init heap_buffer_init(void)
{
	return dmabuf_memtype_register_exporter(&heap_exporter);
}

void heap_buffer_exit(void)
{
	dmabuf_memtype_unregister_exporter(&heap_exporter);
}
