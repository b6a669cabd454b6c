/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one place that knows a DMA-buf's host memory type. Exporters register
 * here; importers that must map a buffer as the host does (KVM) ask here.
 */
#ifndef _LINUX_DMABUF_MEMTYPE_H
#define _LINUX_DMABUF_MEMTYPE_H

#include <linux/list.h>
#include <linux/mm_types.h>
#include <uapi/linux/dmabuf_memtype.h>

struct dma_buf;
struct dma_buf_ops;
struct module;

/**
 * struct dmabuf_memtype_exporter - an exporter that can be asked
 * @ops:	every buffer with these ops belongs to the exporter
 * @owner:	module that holds @memtype; it stays while @memtype runs
 * @memtype:	DMABUF_MEMTYPE_* of the CPU mapping that the buffer has now,
 *		-ENODATA if only the mapping can tell, or another -errno. Called
 *		with the buffer's reservation lock held; may sleep.
 * @node:	private to memtype.c
 */
struct dmabuf_memtype_exporter {
	const struct dma_buf_ops *ops;
	struct module *owner;
	int (*memtype)(struct dma_buf *dmabuf);
	struct list_head node;
};

/*
 * 0; -EINVAL: @ops or @memtype is missing; -EEXIST: these ops are registered.
 * Unregister when @owner goes: @memtype may still run for a moment.
 */
int dmabuf_memtype_register_exporter(struct dmabuf_memtype_exporter *exporter);
void dmabuf_memtype_unregister_exporter(struct dmabuf_memtype_exporter *exporter);

/*
 * What the exporter states: DMABUF_MEMTYPE_* with UC- reported as UC, -ENODATA
 * if it did not register, -EPROTO if it states what is no type, or its own
 * -errno. The caller holds dmabuf->resv.
 */
int dmabuf_memtype_of_exporter(struct dma_buf *dmabuf);

/*
 * Type that a page protection selects, UC- reported as UC. @large: the
 * protection comes from a PMD or PUD, where the PAT bit is bit 12.
 */
int dmabuf_memtype_of_pgprot(pgprot_t prot, bool large);

/*
 * Type of the mapping that @vma has at @addr: the PTE's if one is present, after
 * a fault if @fault, else that of vma->vm_page_prot. The caller holds the mmap
 * lock for reading, and holds it again on return. -EAGAIN: it was dropped during
 * the fault, look @vma up again and retry unless a signal is pending; after any
 * other error @vma may be gone too. -EFAULT: @addr is not in @vma, or the fault
 * fails (as do -ENOMEM, -EHWPOISON); -EINTR: a signal ended the fault; -ENODATA:
 * the fault inserts nothing.
 */
int dmabuf_memtype_of_mapping(struct vm_area_struct *vma, unsigned long addr, bool fault);

/* "UC", "WC", …; for messages */
const char *dmabuf_memtype_name(int memtype);

#endif /* _LINUX_DMABUF_MEMTYPE_H */
