// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory types: which one a page protection selects, which one a user mapping
 * has, and which one an exporter states. Called by KVM, query.c and whoever
 * registers an exporter.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/dmabuf_memtype.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pgtable.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>

#include <asm/msr.h>

#include "internal.h"

/* A mapping that is zapped this often while it is looked at has no type. */
#define FAULT_TRIES	4

static DEFINE_MUTEX(exporters_lock);
static LIST_HEAD(exporters);

/* IA32_PAT: eight fields whose encodings are the architectural type numbers. */
static u64 pat;

void __init memtype_init(void)
{
	rdmsrl(MSR_IA32_CR_PAT, pat);
}

/* UC- lets MTRRs decide, and these say WB for RAM: then it is UC. */
static int normalize(int memtype)
{
	return memtype == DMABUF_MEMTYPE_UC_MINUS ? DMABUF_MEMTYPE_UC : memtype;
}

const char *dmabuf_memtype_name(int memtype)
{
	switch (memtype) {
	case DMABUF_MEMTYPE_UC:
		return "UC";
	case DMABUF_MEMTYPE_WC:
		return "WC";
	case DMABUF_MEMTYPE_WT:
		return "WT";
	case DMABUF_MEMTYPE_WP:
		return "WP";
	case DMABUF_MEMTYPE_WB:
		return "WB";
	case DMABUF_MEMTYPE_UC_MINUS:
		return "UC-";
	}
	return "none";
}
EXPORT_SYMBOL_GPL(dmabuf_memtype_name);

int dmabuf_memtype_of_pgprot(pgprot_t prot, bool large)
{
	pgprotval_t bits = pgprot_val(prot);
	unsigned int index = 0;

	if (bits & _PAGE_PWT)
		index |= 1;
	if (bits & _PAGE_PCD)
		index |= 2;
	if (bits & (large ? _PAGE_PAT_LARGE : _PAGE_PAT))
		index |= 4;

	return normalize((pat >> (index * 8)) & 7);
}
EXPORT_SYMBOL_GPL(dmabuf_memtype_of_pgprot);

/* The type of the entry that maps @addr, or -ENOENT where none is present. */
static int type_of_entry(struct vm_area_struct *vma, unsigned long addr)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = addr };
	int memtype;

	if (follow_pfnmap_start(&args))
		return -ENOENT;
	memtype = dmabuf_memtype_of_pgprot(args.pgprot, !args.ptep);
	follow_pfnmap_end(&args);

	return memtype;
}

int dmabuf_memtype_of_mapping(struct vm_area_struct *vma, unsigned long addr, bool fault)
{
	struct mm_struct *mm = vma->vm_mm;
	int tries, ret;

	mmap_assert_locked(mm);

	if (addr < vma->vm_start || addr >= vma->vm_end)
		return -EFAULT;

	/* Pages of the page cache and the like: inserted with the VMA's protection. */
	if (!(vma->vm_flags & (VM_PFNMAP | VM_IO)))
		return dmabuf_memtype_of_pgprot(vma->vm_page_prot, false);

	for (tries = 0; tries < FAULT_TRIES; tries++) {
		bool unlocked = false;

		ret = type_of_entry(vma, addr);
		if (ret != -ENOENT)
			return ret;
		if (!fault)
			return dmabuf_memtype_of_pgprot(vma->vm_page_prot, false);
		/* Exporters insert nothing when a signal ends their wait. */
		if (tries && signal_pending(current))
			return -EINTR;

		ret = fixup_user_fault(mm, addr, mm == current->mm ? 0 : FAULT_FLAG_REMOTE,
				       &unlocked);
		if (ret)
			return ret;
		if (unlocked)
			return -EAGAIN;
	}

	return -ENODATA;
}
EXPORT_SYMBOL_GPL(dmabuf_memtype_of_mapping);

static struct dmabuf_memtype_exporter *find_exporter(const struct dma_buf_ops *ops)
{
	struct dmabuf_memtype_exporter *exporter;

	lockdep_assert_held(&exporters_lock);

	list_for_each_entry(exporter, &exporters, node)
		if (exporter->ops == ops)
			return exporter;

	return NULL;
}

int dmabuf_memtype_register_exporter(struct dmabuf_memtype_exporter *exporter)
{
	int ret = 0;

	if (!exporter || !exporter->ops || !exporter->memtype)
		return -EINVAL;

	mutex_lock(&exporters_lock);
	if (find_exporter(exporter->ops))
		ret = -EEXIST;
	else
		list_add_tail(&exporter->node, &exporters);
	mutex_unlock(&exporters_lock);

	return ret;
}
EXPORT_SYMBOL_GPL(dmabuf_memtype_register_exporter);

void dmabuf_memtype_unregister_exporter(struct dmabuf_memtype_exporter *exporter)
{
	mutex_lock(&exporters_lock);
	list_del(&exporter->node);
	mutex_unlock(&exporters_lock);
}
EXPORT_SYMBOL_GPL(dmabuf_memtype_unregister_exporter);

int dmabuf_memtype_of_exporter(struct dma_buf *dmabuf)
{
	struct dmabuf_memtype_exporter *exporter;
	int memtype;

	dma_resv_assert_held(dmabuf->resv);

	/* The exporter is called without the lock: its module stays for so long. */
	mutex_lock(&exporters_lock);
	exporter = find_exporter(dmabuf->ops);
	if (exporter && !try_module_get(exporter->owner))
		exporter = NULL;
	mutex_unlock(&exporters_lock);
	if (!exporter)
		return -ENODATA;

	memtype = exporter->memtype(dmabuf);
	module_put(exporter->owner);

	switch (memtype) {
	case DMABUF_MEMTYPE_UC:
	case DMABUF_MEMTYPE_WC:
	case DMABUF_MEMTYPE_WT:
	case DMABUF_MEMTYPE_WP:
	case DMABUF_MEMTYPE_WB:
	case DMABUF_MEMTYPE_UC_MINUS:
		return normalize(memtype);
	}
	if (memtype < 0)
		return memtype;

	pr_err_ratelimited("dmabuf_memtype: exporter %s states type %d, which is none\n",
			   dmabuf->exp_name, memtype);
	return -EPROTO;
}
EXPORT_SYMBOL_GPL(dmabuf_memtype_of_exporter);
