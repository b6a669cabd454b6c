// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/dmabuf-memtype: tells user space the host memory type of a DMA-buf, and
 * hands out trackers of its writers (track.c). It says nothing that a holder of
 * the fd could not see, so anyone may open it.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/dmabuf_memtype.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "internal.h"

static int ask_exporter(struct dma_buf *dmabuf)
{
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	ret = dmabuf_memtype_of_exporter(dmabuf);
	dma_resv_unlock(dmabuf->resv);

	return ret;
}

/*
 * Many exporters decide at mmap or fault time, so the buffer's first page is
 * mapped into the caller and looked at. The caller's other threads can see and
 * disturb that mapping; they only deceive themselves.
 */
static int ask_mapping(struct dma_buf *dmabuf)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long addr;
	int ret;

	if (!dmabuf->ops->mmap)
		return -ENODATA;

	addr = vm_mmap(dmabuf->file, 0, PAGE_SIZE, PROT_READ, MAP_SHARED, 0);
	if (IS_ERR_VALUE(addr))
		return addr;

	do {
		ret = mmap_read_lock_killable(mm);
		if (ret)
			break;
		vma = vma_lookup(mm, addr);
		ret = vma ? dmabuf_memtype_of_mapping(vma, addr, true) : -EFAULT;
		mmap_read_unlock(mm);
	} while (ret == -EAGAIN && !signal_pending(current));

	vm_munmap(addr, PAGE_SIZE);

	return ret == -EAGAIN ? -EINTR : ret;
}

struct dma_buf *memtype_get_dmabuf(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	return dmabuf == ERR_PTR(-EINVAL) ? ERR_PTR(-EBADFD) : dmabuf;
}

static long query(struct dmabuf_memtype_query __user *arg)
{
	struct dmabuf_memtype_query query;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&query, arg, sizeof(query)))
		return -EFAULT;
	if (query.reserved)
		return -EINVAL;

	dmabuf = memtype_get_dmabuf(query.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	query.source = DMABUF_MEMTYPE_SOURCE_EXPORTER;
	ret = ask_exporter(dmabuf);
	if (ret == -ENODATA) {
		query.source = DMABUF_MEMTYPE_SOURCE_MAPPING;
		ret = ask_mapping(dmabuf);
	}
	dma_buf_put(dmabuf);
	if (ret < 0)
		return ret;

	query.memtype = ret;
	return copy_to_user(arg, &query, sizeof(query)) ? -EFAULT : 0;
}

static long query_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case DMABUF_MEMTYPE_QUERY:
		return query((void __user *)arg);
	case DMABUF_MEMTYPE_TRACK:
		return memtype_track((void __user *)arg);
	}
	return -ENOTTY;
}

static const struct file_operations query_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= query_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice query_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "dmabuf-memtype",
	.fops	= &query_fops,
	.mode	= 0666,
};

int __init memtype_query_init(void)
{
	return misc_register(&query_device);
}

void memtype_query_exit(void)
{
	misc_deregister(&query_device);
}
