// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock exporter: a buffer whose pages, mappings and statements have the
 * types that a test chose, that moves on command and fails on command. Called
 * by device.c and by the dma-buf core.
 *
 * It locks as TTM does: what can change is protected by the reservation lock,
 * and a fault takes that lock below the mmap lock.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/dmabuf_memtype.h>
#include <linux/fs.h>
#include <linux/huge_mm.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn_t.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "internal.h"

#define CREATE_FLAGS	(DMAPAT_MOCK_REGISTERED | DMAPAT_MOCK_DYNAMIC | DMAPAT_MOCK_TAILS | \
			 DMAPAT_MOCK_HUGE | DMAPAT_MOCK_LAZY | DMAPAT_MOCK_NODE)
#define CHANGE_FLAGS	(DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY | DMAPAT_MOCK_NEW_PAGES)

#define TAILS_ORDER	4

/**
 * struct mock_buffer - what may change is under the reservation lock, unless said
 * @mem:	its pages now
 * @types:	what it states; types.page is mem->memtype
 * @flags:	DMAPAT_MOCK_*
 * @pins:	pins and kernel mappings: pages do not change
 * @fail_lock:	protects @fails
 * @fails:	commands of mock_fail()
 */
struct mock_buffer {
	struct mock_pages *mem;
	struct dmapat_mock_types types;
	u32 flags;
	unsigned int pins;
	spinlock_t fail_lock;	/* @fails */
	struct {
		u32 after;
		u32 error;
		u32 times;
	} fails[DMAPAT_MOCK_OP_COUNT];
};

struct mock_dma {
	struct mock_pages *mem;
	struct sg_table sgt;
};

/* Counts the operation; 0, or the error that it must end with. */
static int commanded_error(struct mock_buffer *buffer, enum dmapat_mock_op op)
{
	int error = 0;

	spin_lock(&buffer->fail_lock);
	if (buffer->fails[op].times) {
		if (buffer->fails[op].after) {
			buffer->fails[op].after--;
		} else {
			buffer->fails[op].times--;
			error = buffer->fails[op].error;
		}
	}
	spin_unlock(&buffer->fail_lock);

	return -error;
}

static int mock_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	int ret = commanded_error(dmabuf->priv, DMAPAT_MOCK_OP_ATTACH);

	if (!ret)
		atomic_long_inc(&mock_counters.attachments);
	return ret;
}

static void mock_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	atomic_long_dec(&mock_counters.attachments);
}

static int mock_pin(struct dma_buf_attachment *attachment)
{
	struct mock_buffer *buffer = attachment->dmabuf->priv;
	int ret = commanded_error(buffer, DMAPAT_MOCK_OP_PIN);

	if (ret)
		return ret;
	buffer->pins++;
	atomic_long_inc(&mock_counters.pins);

	return 0;
}

static void mock_unpin(struct dma_buf_attachment *attachment)
{
	struct mock_buffer *buffer = attachment->dmabuf->priv;

	buffer->pins--;
	atomic_long_dec(&mock_counters.pins);
}

static struct sg_table *mock_map_dma(struct dma_buf_attachment *attachment,
				     enum dma_data_direction dir)
{
	struct mock_buffer *buffer = attachment->dmabuf->priv;
	struct mock_pages *mem = buffer->mem;
	struct mock_dma *dma;
	int ret;

	ret = commanded_error(buffer, DMAPAT_MOCK_OP_MAP_DMA);
	if (ret)
		return ERR_PTR(ret);

	dma = kzalloc(sizeof(*dma), GFP_KERNEL);
	if (!dma)
		return ERR_PTR(-ENOMEM);

	ret = sg_alloc_table_from_pages(&dma->sgt, mem->pages, mem->nr, 0,
					mem->nr << PAGE_SHIFT, GFP_KERNEL);
	if (ret)
		goto err_free;
	ret = dma_map_sgtable(attachment->dev, &dma->sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	if (ret)
		goto err_table;

	mock_pages_get(mem);
	dma->mem = mem;
	atomic_long_inc(&mock_counters.dma_maps);
	return &dma->sgt;

err_table:
	sg_free_table(&dma->sgt);
err_free:
	kfree(dma);
	return ERR_PTR(ret);
}

static void mock_unmap_dma(struct dma_buf_attachment *attachment, struct sg_table *sgt,
			   enum dma_data_direction dir)
{
	struct mock_dma *dma = container_of(sgt, struct mock_dma, sgt);

	atomic_long_dec(&mock_counters.dma_maps);
	dma_unmap_sgtable(attachment->dev, sgt, dir, DMA_ATTR_SKIP_CPU_SYNC);
	sg_free_table(sgt);
	mock_pages_put(dma->mem);
	kfree(dma);
}

static pgprot_t pgprot_of(pgprot_t prot, u32 memtype)
{
	static const enum page_cache_mode modes[] = {
		[DMABUF_MEMTYPE_UC]		= _PAGE_CACHE_MODE_UC,
		[DMABUF_MEMTYPE_WC]		= _PAGE_CACHE_MODE_WC,
		[DMABUF_MEMTYPE_WT]		= _PAGE_CACHE_MODE_WT,
		[DMABUF_MEMTYPE_WP]		= _PAGE_CACHE_MODE_WP,
		[DMABUF_MEMTYPE_WB]		= _PAGE_CACHE_MODE_WB,
		[DMABUF_MEMTYPE_UC_MINUS]	= _PAGE_CACHE_MODE_UC_MINUS,
	};

	return __pgprot((pgprot_val(prot) & ~_PAGE_CACHE_MASK) | cachemode2protval(modes[memtype]));
}

struct forced_entry {
	unsigned long pfn;
	pgprot_t prot;
};

static int set_forced_entry(pte_t *pte, unsigned long addr, void *data)
{
	struct forced_entry *entry = data;

	set_pte(pte, pte_mkspecial(pfn_pte(entry->pfn, entry->prot)));
	return 0;
}

/* vmf_insert_pfn() takes the type from the page; some drivers do not use it. */
/* Where the device's address space has the buffer, in pages: see DMAPAT_MOCK_NODE. */
static pgoff_t node_start(const struct mock_buffer *buffer)
{
	return buffer->flags & DMAPAT_MOCK_NODE ? SZ_4G >> PAGE_SHIFT : 0;
}

static vm_fault_t insert(struct mock_buffer *buffer, struct vm_fault *vmf)
{
	pgoff_t page = vmf->pgoff - node_start(buffer);
	struct vm_area_struct *vma = vmf->vma;
	struct forced_entry entry;

	if (page >= buffer->mem->nr)
		return VM_FAULT_SIGBUS;

	entry.pfn = page_to_pfn(buffer->mem->pages[page]);
	if (buffer->types.mmap == buffer->types.page)
		return vmf_insert_pfn(vma, vmf->address, entry.pfn);

	entry.prot = pgprot_of(vma->vm_page_prot, buffer->types.mmap);
	if (apply_to_page_range(vma->vm_mm, vmf->address, PAGE_SIZE, set_forced_entry, &entry))
		return VM_FAULT_OOM;
	return VM_FAULT_NOPAGE;
}

static vm_fault_t insert_huge(struct mock_buffer *buffer, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long start = vmf->address & PMD_MASK;
	unsigned long first;
	pfn_t pfn;

	if (!(buffer->flags & DMAPAT_MOCK_HUGE))
		return VM_FAULT_FALLBACK;
	if (start < vma->vm_start || vma->vm_end - start < PMD_SIZE)
		return VM_FAULT_FALLBACK;

	first = vmf->pgoff - node_start(buffer) - ((vmf->address - start) >> PAGE_SHIFT);
	if (first % HPAGE_PMD_NR)
		return VM_FAULT_FALLBACK;
	if (first >= buffer->mem->nr)
		return VM_FAULT_SIGBUS;

	pfn = __pfn_to_pfn_t(page_to_pfn(buffer->mem->pages[first]), PFN_DEV);
	return vmf_insert_pfn_pmd(vmf, pfn, vmf->flags & FAULT_FLAG_WRITE);
}

/* 0 with the lock held, else what the fault ends with */
static vm_fault_t lock_for_fault(struct dma_buf *dmabuf, struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;

	if (dma_resv_trylock(dmabuf->resv))
		return 0;

	if (!fault_flag_allow_retry_first(vmf->flags))
		return dma_resv_lock_interruptible(dmabuf->resv, NULL) ? VM_FAULT_NOPAGE : 0;

	if (!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT)) {
		get_dma_buf(dmabuf);
		mmap_read_unlock(mm);
		if (!dma_resv_lock_interruptible(dmabuf->resv, NULL))
			dma_resv_unlock(dmabuf->resv);
		dma_buf_put(dmabuf);
	}
	return VM_FAULT_RETRY;
}

static vm_fault_t mock_fault_order(struct vm_fault *vmf, unsigned int order)
{
	struct dma_buf *dmabuf = vmf->vma->vm_private_data;
	struct mock_buffer *buffer = dmabuf->priv;
	vm_fault_t ret;
	int error;

	if (order && order != HPAGE_PMD_ORDER)
		return VM_FAULT_FALLBACK;

	/* The lock below belongs under the mmap lock. */
	if (vmf->flags & FAULT_FLAG_VMA_LOCK) {
		vma_end_read(vmf->vma);
		return VM_FAULT_RETRY;
	}

	ret = lock_for_fault(dmabuf, vmf);
	if (ret)
		return ret;

	ret = order ? insert_huge(buffer, vmf) : 0;
	if (order && ret == VM_FAULT_FALLBACK)
		goto out;
	error = commanded_error(buffer, DMAPAT_MOCK_OP_FAULT);
	if (error == -EAGAIN)
		ret = VM_FAULT_NOPAGE;
	else if (error)
		ret = vmf_error(error);
	else if (!order)
		ret = insert(buffer, vmf);
out:
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static vm_fault_t mock_fault(struct vm_fault *vmf)
{
	return mock_fault_order(vmf, 0);
}

static const struct vm_operations_struct mock_vm_ops = {
	.fault		= mock_fault,
	.huge_fault	= mock_fault_order,
};

static int mock_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct mock_buffer *buffer = dmabuf->priv;
	int ret;

	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	ret = commanded_error(buffer, DMAPAT_MOCK_OP_MMAP);
	if (ret)
		return ret;

	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = dmabuf;
	vma->vm_ops = &mock_vm_ops;
	vma->vm_pgoff += node_start(buffer);
	if (!(buffer->flags & DMAPAT_MOCK_LAZY)) {
		dma_resv_lock(dmabuf->resv, NULL);
		vma->vm_page_prot = pgprot_of(vma->vm_page_prot, buffer->types.mmap);
		dma_resv_unlock(dmabuf->resv);
	}

	return 0;
}

static int mock_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct mock_buffer *buffer = dmabuf->priv;
	struct mock_pages *mem = buffer->mem;
	void *vaddr;

	vaddr = vmap(mem->pages, mem->nr, VM_MAP, pgprot_of(PAGE_KERNEL, buffer->types.page));
	if (!vaddr)
		return -ENOMEM;
	iosys_map_set_vaddr(map, vaddr);
	buffer->pins++;

	return 0;
}

static void mock_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct mock_buffer *buffer = dmabuf->priv;

	buffer->pins--;
	vunmap(map->vaddr);
	iosys_map_clear(map);
}

static void mock_release(struct dma_buf *dmabuf)
{
	struct mock_buffer *buffer = dmabuf->priv;

	mock_pages_put(buffer->mem);
	kfree(buffer);
	atomic_long_dec(&mock_counters.buffers);
}

/* Indexed by DMAPAT_MOCK_REGISTERED | DMAPAT_MOCK_DYNAMIC: four exporters to the core. */
static struct dma_buf_ops mock_ops[4] __ro_after_init;

static void __init init_ops(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mock_ops); i++) {
		mock_ops[i] = (struct dma_buf_ops) {
			.attach		= mock_attach,
			.detach		= mock_detach,
			.map_dma_buf	= mock_map_dma,
			.unmap_dma_buf	= mock_unmap_dma,
			.mmap		= mock_mmap,
			.vmap		= mock_vmap,
			.vunmap		= mock_vunmap,
			.release	= mock_release,
		};
		if (i & DMAPAT_MOCK_DYNAMIC) {
			mock_ops[i].pin = mock_pin;
			mock_ops[i].unpin = mock_unpin;
		}
	}
}

static int check_types(const struct dmapat_mock_types *types, u32 flags)
{
	switch (types->page) {
	case DMABUF_MEMTYPE_UC:
	case DMABUF_MEMTYPE_WC:
	case DMABUF_MEMTYPE_WB:
		break;
	default:
		return -EINVAL;
	}

	switch (types->mmap) {
	case DMABUF_MEMTYPE_UC:
	case DMABUF_MEMTYPE_WC:
	case DMABUF_MEMTYPE_WT:
	case DMABUF_MEMTYPE_WP:
	case DMABUF_MEMTYPE_WB:
	case DMABUF_MEMTYPE_UC_MINUS:
		break;
	default:
		return -EINVAL;
	}

	if ((flags & DMAPAT_MOCK_HUGE) && types->mmap != types->page)
		return -EINVAL;
	return 0;
}

static unsigned int chunk_order(u32 flags)
{
	if (flags & DMAPAT_MOCK_HUGE)
		return HPAGE_PMD_ORDER;
	return (flags & DMAPAT_MOCK_TAILS) ? TAILS_ORDER : 0;
}

static struct mock_buffer *buffer_alloc(const struct dmapat_mock_create *create)
{
	unsigned int order = chunk_order(create->flags);
	struct mock_buffer *buffer;

	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->types = create->types;
	buffer->flags = create->flags;
	spin_lock_init(&buffer->fail_lock);

	buffer->mem = mock_pages_alloc(create->size >> PAGE_SHIFT, order,
				       !(create->flags & DMAPAT_MOCK_TAILS), create->types.page);
	if (IS_ERR(buffer->mem)) {
		void *error = buffer->mem;

		kfree(buffer);
		return error;
	}

	atomic_long_inc(&mock_counters.buffers);
	return buffer;
}

long mock_create(struct dmapat_mock_create __user *arg)
{
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct dmapat_mock_create create;
	struct mock_buffer *buffer;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&create, arg, sizeof(create)))
		return -EFAULT;
	if ((create.flags & ~CREATE_FLAGS) || create.reserved)
		return -EINVAL;
	if (!create.size || create.size > SZ_1G ||
	    create.size % (PAGE_SIZE << chunk_order(create.flags)))
		return -EINVAL;
	ret = check_types(&create.types, create.flags);
	if (ret)
		return ret;

	buffer = buffer_alloc(&create);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);

	exp_info.exp_name = "dmapat-mock";
	exp_info.ops = &mock_ops[create.flags & (DMAPAT_MOCK_REGISTERED | DMAPAT_MOCK_DYNAMIC)];
	exp_info.size = create.size;
	exp_info.flags = O_RDWR;
	exp_info.priv = buffer;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf)) {
		mock_pages_put(buffer->mem);
		kfree(buffer);
		atomic_long_dec(&mock_counters.buffers);
		return PTR_ERR(dmabuf);
	}

	create.fd = get_unused_fd_flags(O_CLOEXEC);
	if (create.fd < 0) {
		ret = create.fd;
		goto err_put;
	}
	if (copy_to_user(arg, &create, sizeof(create))) {
		put_unused_fd(create.fd);
		ret = -EFAULT;
		goto err_put;
	}
	fd_install(create.fd, dmabuf->file);

	return 0;

err_put:
	dma_buf_put(dmabuf);
	return ret;
}

static struct dma_buf *get_mock_dmabuf(int fd)
{
	struct dma_buf *dmabuf = mock_get_dmabuf(fd);

	if (IS_ERR(dmabuf))
		return dmabuf;
	if (dmabuf->ops >= mock_ops && dmabuf->ops < mock_ops + ARRAY_SIZE(mock_ops))
		return dmabuf;

	dma_buf_put(dmabuf);
	return ERR_PTR(-ENXIO);
}

static void copy_pages(struct mock_pages *to, struct mock_pages *from)
{
	unsigned long i;

	for (i = 0; i < to->nr; i++)
		memcpy(page_address(to->pages[i]), page_address(from->pages[i]), PAGE_SIZE);
}

static int change_locked(struct dma_buf *dmabuf, const struct dmapat_mock_change *change)
{
	struct mock_buffer *buffer = dmabuf->priv;
	struct mock_pages *old = buffer->mem, *new = NULL;
	int ret;

	if (buffer->pins && ((change->flags & DMAPAT_MOCK_NEW_PAGES) ||
			     change->types.page != buffer->types.page))
		return -EBUSY;

	if (change->flags & DMAPAT_MOCK_NEW_PAGES) {
		new = mock_pages_alloc(old->nr, old->order, old->split, change->types.page);
		if (IS_ERR(new))
			return PTR_ERR(new);
	}

	if (change->flags & DMAPAT_MOCK_ZAP)
		unmap_mapping_range(dmabuf->file->f_mapping, 0, 0, 1);
	if (change->flags & DMAPAT_MOCK_NOTIFY)
		dma_buf_move_notify(dmabuf);

	if (new) {
		copy_pages(new, old);
		buffer->mem = new;
		mock_pages_put(old);
	} else {
		ret = mock_pages_set_type(old, change->types.page);
		if (ret)
			return ret;
	}
	buffer->types = change->types;

	return 0;
}

long mock_change(const struct dmapat_mock_change *change)
{
	struct mock_buffer *buffer;
	struct dma_buf *dmabuf;
	int ret;

	if ((change->flags & ~CHANGE_FLAGS) || change->reserved)
		return -EINVAL;
	if ((change->flags & DMAPAT_MOCK_NEW_PAGES) && !(change->flags & DMAPAT_MOCK_ZAP))
		return -EINVAL;

	dmabuf = get_mock_dmabuf(change->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	buffer = dmabuf->priv;

	ret = check_types(&change->types, buffer->flags);
	if (ret)
		goto out;
	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		goto out;
	ret = change_locked(dmabuf, change);
	dma_resv_unlock(dmabuf->resv);
out:
	dma_buf_put(dmabuf);
	return ret;
}

long mock_fail(const struct dmapat_mock_fail *fail)
{
	struct mock_buffer *buffer;
	struct dma_buf *dmabuf;

	if (fail->op >= DMAPAT_MOCK_OP_COUNT || fail->error > MAX_ERRNO || fail->reserved)
		return -EINVAL;

	dmabuf = get_mock_dmabuf(fail->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	buffer = dmabuf->priv;

	spin_lock(&buffer->fail_lock);
	buffer->fails[fail->op].after = fail->after;
	buffer->fails[fail->op].error = fail->error;
	buffer->fails[fail->op].times = fail->error ? fail->times ?: 1 : 0;
	spin_unlock(&buffer->fail_lock);
	dma_buf_put(dmabuf);

	return 0;
}

static int mock_memtype(struct dma_buf *dmabuf)
{
	struct mock_buffer *buffer = dmabuf->priv;
	int ret = commanded_error(buffer, DMAPAT_MOCK_OP_MEMTYPE);

	return ret ? ret : buffer->types.says;
}

static struct dmabuf_memtype_exporter mock_static_exporter = {
	.ops		= &mock_ops[DMAPAT_MOCK_REGISTERED],
	.owner		= THIS_MODULE,
	.memtype	= mock_memtype,
};

static struct dmabuf_memtype_exporter mock_dynamic_exporter = {
	.ops		= &mock_ops[DMAPAT_MOCK_REGISTERED | DMAPAT_MOCK_DYNAMIC],
	.owner		= THIS_MODULE,
	.memtype	= mock_memtype,
};

int __init mock_buffer_init(void)
{
	int ret;

	init_ops();

	ret = dmabuf_memtype_register_exporter(&mock_static_exporter);
	if (ret)
		return ret;
	ret = dmabuf_memtype_register_exporter(&mock_dynamic_exporter);
	if (ret)
		dmabuf_memtype_unregister_exporter(&mock_static_exporter);

	return ret;
}

void mock_buffer_exit(void)
{
	dmabuf_memtype_unregister_exporter(&mock_dynamic_exporter);
	dmabuf_memtype_unregister_exporter(&mock_static_exporter);
}
