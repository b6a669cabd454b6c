// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heaps' nodes, /dev/dma_heap/system-wc and system-uc, with the ABI of
 * drivers/dma-buf/dma-heap.c, whose dma_heap_add() modules cannot call.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dmabuf_memtype.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/uaccess.h>
#include <uapi/linux/dma-heap.h>

#include <asm/set_memory.h>

#include "internal.h"

static pgprot_t wc_pgprot(pgprot_t prot)
{
	return pgprot_writecombine(prot);
}

static pgprot_t uc_pgprot(pgprot_t prot)
{
	return pgprot_noncached(prot);
}

/* Indexed by minor */
static const struct memtype_heap heaps[] = {
	{
		.name		= "system-wc",
		.memtype	= DMABUF_MEMTYPE_WC,
		.pgprot		= wc_pgprot,
		.set_pages	= set_pages_array_wc,
	}, {
		.name		= "system-uc",
		.memtype	= DMABUF_MEMTYPE_UC,
		.pgprot		= uc_pgprot,
		.set_pages	= set_pages_array_uc,
	},
};

static dev_t heap_devt;
static struct cdev heap_cdev;

/* Without PAT there is no WC, and the kernel puts UC- in its place. */
static int heap_memtype_now(const struct memtype_heap *heap)
{
	return dmabuf_memtype_of_pgprot(heap->pgprot(PAGE_KERNEL), false);
}

static int heap_open(struct inode *inode, struct file *file)
{
	const struct memtype_heap *heap = &heaps[iminor(inode)];

	if (heap_memtype_now(heap) != heap->memtype)
		return -ENODEV;

	file->private_data = (void *)heap;
	return nonseekable_open(inode, file);
}

/* The fd is installed last: until then nobody else can see or close it. */
static long heap_ioctl_alloc(const struct memtype_heap *heap, unsigned int cmd, void __user *arg)
{
	struct dma_heap_allocation_data data = {};
	size_t size = min_t(size_t, _IOC_SIZE(cmd), sizeof(data));
	struct dma_buf *dmabuf;
	int fd;

	if ((cmd & IOC_IN) && copy_from_user(&data, arg, size))
		return -EFAULT;

	if (data.fd)
		return -EINVAL;
	if (data.fd_flags & ~DMA_HEAP_VALID_FD_FLAGS)
		return -EINVAL;
	if (data.heap_flags & ~DMA_HEAP_VALID_HEAP_FLAGS)
		return -EINVAL;
	if (!PAGE_ALIGN(data.len))
		return -EINVAL;

	dmabuf = heap_buffer_alloc(heap, PAGE_ALIGN(data.len), data.fd_flags);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	fd = get_unused_fd_flags(data.fd_flags);
	if (fd < 0) {
		dma_buf_put(dmabuf);
		return fd;
	}

	data.fd = fd;
	if ((cmd & IOC_OUT) && copy_to_user(arg, &data, size)) {
		put_unused_fd(fd);
		dma_buf_put(dmabuf);
		return -EFAULT;
	}
	fd_install(fd, dmabuf->file);

	return 0;
}

/* As dma-heap.c does: the number says which command, size and direction may differ. */
static long heap_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (_IOC_NR(cmd)) {
	case _IOC_NR(DMA_HEAP_IOCTL_ALLOC):
		return heap_ioctl_alloc(file->private_data, cmd, (void __user *)arg);
	}
	return -EINVAL;
}

static const struct file_operations heap_fops = {
	.owner		= THIS_MODULE,
	.open		= heap_open,
	.unlocked_ioctl	= heap_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static char *heap_devnode(const struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "dma_heap/%s", dev_name(dev));
}

/* The name dma_heap is taken by the kernel's own class. */
static const struct class heap_class = {
	.name		= "dmabuf_memtype_heap",
	.devnode	= heap_devnode,
};

static void destroy_nodes(unsigned int nr)
{
	while (nr--)
		device_destroy(&heap_class, heap_devt + nr);
}

static int __init create_nodes(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(heaps); i++) {
		const struct memtype_heap *heap = &heaps[i];
		struct device *dev;
		int memtype;

		memtype = heap_memtype_now(heap);
		if (memtype != heap->memtype) {
			pr_warn("dmabuf_memtype: no heap %s: this kernel has %s in place of %s (nopat?)\n",
				heap->name, dmabuf_memtype_name(memtype),
				dmabuf_memtype_name(heap->memtype));
			continue;
		}

		dev = device_create(&heap_class, NULL, heap_devt + i, NULL, "%s", heap->name);
		if (IS_ERR(dev)) {
			destroy_nodes(i);
			return PTR_ERR(dev);
		}
	}

	return 0;
}

int __init memtype_heap_init(void)
{
	int ret;

	ret = alloc_chrdev_region(&heap_devt, 0, ARRAY_SIZE(heaps), heap_class.name);
	if (ret)
		return ret;

	cdev_init(&heap_cdev, &heap_fops);
	heap_cdev.owner = THIS_MODULE;
	ret = cdev_add(&heap_cdev, heap_devt, ARRAY_SIZE(heaps));
	if (ret)
		goto err_region;

	ret = class_register(&heap_class);
	if (ret)
		goto err_cdev;

	ret = create_nodes();
	if (ret)
		goto err_class;

	return 0;

err_class:
	class_unregister(&heap_class);
err_cdev:
	cdev_del(&heap_cdev);
err_region:
	unregister_chrdev_region(heap_devt, ARRAY_SIZE(heaps));
	return ret;
}

void memtype_heap_exit(void)
{
	destroy_nodes(ARRAY_SIZE(heaps));
	class_unregister(&heap_class);
	cdev_del(&heap_cdev);
	unregister_chrdev_region(heap_devt, ARRAY_SIZE(heaps));
}
