// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmapat_mock.ko, /dev/dmapat-mock: takes the commands of dmapat_mock.h. For
 * tests only; whoever can open the node can do anything to its buffers.
 */
#include <linux/dmabuf_memtype.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

struct mock_counters mock_counters;

/* One open file. */
struct mock_file {
	struct mutex lock;	/* keeps an import alive while it is used */
	struct xarray imports;
	struct xarray holds;
};

union mock_arg {
	struct dmapat_mock_change change;
	struct dmapat_mock_fail fail;
	struct dmapat_mock_access access;
	struct dmapat_mock_import import;
	struct dmapat_mock_device_access device_access;
	struct dmapat_mock_hold hold;
	struct dmapat_mock_entry entry;
	struct dmapat_mock_stats stats;
	struct dmapat_mock_mapping mapping;
};

static int mock_open(struct inode *inode, struct file *file)
{
	struct mock_file *mock = kzalloc(sizeof(*mock), GFP_KERNEL);

	if (!mock)
		return -ENOMEM;
	mutex_init(&mock->lock);
	xa_init_flags(&mock->imports, XA_FLAGS_ALLOC);
	xa_init_flags(&mock->holds, XA_FLAGS_ALLOC);
	file->private_data = mock;

	return nonseekable_open(inode, file);
}

static int mock_release(struct inode *inode, struct file *file)
{
	struct mock_file *mock = file->private_data;

	mock_unimport_all(&mock->imports);
	mock_let_go_all(&mock->holds);
	mutex_destroy(&mock->lock);
	kfree(mock);

	return 0;
}

static long mock_stats(struct dmapat_mock_stats *stats)
{
	*stats = (struct dmapat_mock_stats) {
		.buffers	= atomic_long_read(&mock_counters.buffers),
		.pages		= atomic_long_read(&mock_counters.pages),
		.attachments	= atomic_long_read(&mock_counters.attachments),
		.dma_maps	= atomic_long_read(&mock_counters.dma_maps),
		.pins		= atomic_long_read(&mock_counters.pins),
		.imports	= atomic_long_read(&mock_counters.imports),
		.move_notifies	= atomic_long_read(&mock_counters.move_notifies),
		.uncached_pages	= mock_uncached_pages(),
	};
	return 0;
}

static long mock_mapping(struct dmapat_mock_mapping *mapping)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	int ret;

	if (mapping->fault > 1)
		return -EINVAL;

	do {
		ret = mmap_read_lock_killable(mm);
		if (ret)
			return ret;
		vma = vma_lookup(mm, mapping->addr);
		ret = vma ? dmabuf_memtype_of_mapping(vma, mapping->addr, mapping->fault) : -EFAULT;
		mmap_read_unlock(mm);
	} while (ret == -EAGAIN && !signal_pending(current));
	if (ret < 0)
		return ret;

	mapping->memtype = ret;
	return 0;
}

static long imports_ioctl(struct mock_file *mock, unsigned int cmd, union mock_arg *arg)
{
	long ret = -ENOTTY;

	mutex_lock(&mock->lock);
	if (cmd == DMAPAT_MOCK_IMPORT)
		ret = mock_import(&mock->imports, &arg->import);
	else if (cmd == DMAPAT_MOCK_DEVICE_ACCESS)
		ret = mock_device_access(&mock->imports, &arg->device_access);
	mutex_unlock(&mock->lock);

	return ret;
}

static long unimport_ioctl(struct mock_file *mock, unsigned long id)
{
	long ret;

	mutex_lock(&mock->lock);
	ret = mock_unimport(&mock->imports, id);
	mutex_unlock(&mock->lock);

	return ret;
}

static long mock_ioctl(struct file *file, unsigned int cmd, unsigned long user)
{
	struct mock_file *mock = file->private_data;
	void __user *ptr = (void __user *)user;
	union mock_arg arg;
	long ret;

	/* These do not take their argument from the union. */
	if (cmd == DMAPAT_MOCK_CREATE)
		return mock_create(ptr);
	if (cmd == DMAPAT_MOCK_UNIMPORT)
		return unimport_ioctl(mock, user);
	if (cmd == DMAPAT_MOCK_LET_GO)
		return mock_let_go(&mock->holds, user);

	if (_IOC_SIZE(cmd) > sizeof(arg))
		return -ENOTTY;
	if ((cmd & IOC_IN) && copy_from_user(&arg, ptr, _IOC_SIZE(cmd)))
		return -EFAULT;

	switch (cmd) {
	case DMAPAT_MOCK_CHANGE:
		ret = mock_change(&arg.change);
		break;
	case DMAPAT_MOCK_FAIL:
		ret = mock_fail(&arg.fail);
		break;
	case DMAPAT_MOCK_ACCESS:
		ret = mock_access(&arg.access);
		break;
	case DMAPAT_MOCK_IMPORT:
	case DMAPAT_MOCK_DEVICE_ACCESS:
		ret = imports_ioctl(mock, cmd, &arg);
		break;
	case DMAPAT_MOCK_HOLD:
		ret = mock_hold(&mock->holds, &arg.hold);
		break;
	case DMAPAT_MOCK_ENTRY:
		ret = mock_entry(&arg.entry);
		break;
	case DMAPAT_MOCK_MAPPING:
		ret = mock_mapping(&arg.mapping);
		break;
	case DMAPAT_MOCK_STATS:
		ret = mock_stats(&arg.stats);
		break;
	default:
		return -ENOTTY;
	}

	if (!ret && (cmd & IOC_OUT) && copy_to_user(ptr, &arg, _IOC_SIZE(cmd)))
		return -EFAULT;
	return ret;
}

static const struct file_operations mock_fops = {
	.owner		= THIS_MODULE,
	.open		= mock_open,
	.release	= mock_release,
	.unlocked_ioctl	= mock_ioctl,
};

static struct miscdevice mock_device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "dmapat-mock",
	.fops	= &mock_fops,
	.mode	= 0600,
};

static int __init mock_init(void)
{
	int ret;

	ret = mock_importer_init();
	if (ret)
		return ret;
	ret = mock_buffer_init();
	if (ret)
		goto err_importer;
	ret = misc_register(&mock_device);
	if (ret)
		goto err_buffer;

	return 0;

err_buffer:
	mock_buffer_exit();
err_importer:
	mock_importer_exit();
	return ret;
}

static void __exit mock_exit(void)
{
	misc_deregister(&mock_device);
	mock_buffer_exit();
	mock_importer_exit();
}

module_init(mock_init);
module_exit(mock_exit);

MODULE_DESCRIPTION("Test exporter and importer of DMA-bufs for dmapat");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
