// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trackers: file descriptors that tell which pages of a DMA-buf were written.
 * query.c hands them out. What is known of a buffer of our heaps is in
 * heap_writers.c; of other exporters' buffers any page may have been written at
 * any time.
 *
 * Locks, outer to inner: a tracker's lock, the buffer's dma_resv; user memory is
 * touched under the tracker's lock alone.
 */
#include <linux/anon_inodes.h>
#include <linux/bitmap.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>
#include <uapi/linux/dmabuf_memtype.h>

#include "internal.h"

/* Writers that no fault announces: all pages stay written while there is one. */
#define WRITERS_OF_ALL	(DMABUF_WRITER_DEVICE | DMABUF_WRITER_FENCE | DMABUF_WRITER_KERNEL)

/* struct tracker by the address of its buffer, which it holds. */
static DEFINE_XARRAY(trackers);

/**
 * struct tracker - an open file
 * @dmabuf:	held
 * @writers:	of @dmabuf if it is a buffer of our heaps, else NULL
 * @lock:	one caller at a time: what was taken from @writers may have to go back
 */
struct tracker {
	struct dma_buf *dmabuf;
	struct heap_writers *writers;
	struct mutex lock;	/* pages that were taken and not reported yet */
};

static u64 pages_of(const struct dma_buf *dmabuf)
{
	return DIV_ROUND_UP(dmabuf->size, PAGE_SIZE);
}

/*
 * Another exporter's buffer. An attachment that does not say otherwise may be
 * mapped for a device to write; but an importer that follows moves, which may
 * keep no mapping at all (KVM's bindings), announces its writes by fences.
 */
static bool device_attached(struct dma_buf *dmabuf)
{
	struct dma_buf_attachment *attach;

	dma_resv_assert_held(dmabuf->resv);

	list_for_each_entry(attach, &dmabuf->attachments, node)
		if (attach->sgt ? attach->dir != DMA_TO_DEVICE : !attach->importer_ops)
			return true;

	return false;
}

static u32 writers_now(const struct tracker *tracker)
{
	struct dma_buf *dmabuf = tracker->dmabuf;
	u32 writers;

	dma_resv_assert_held(dmabuf->resv);

	if (tracker->writers)
		writers = heap_writers_now(tracker->writers);
	else
		writers = device_attached(dmabuf) ? DMABUF_WRITER_DEVICE : 0;

	if (mapping_writably_mapped(dmabuf->file->f_mapping))
		writers |= DMABUF_WRITER_CPU_MAPPING;
	if (!dma_resv_test_signaled(dmabuf->resv, DMA_RESV_USAGE_WRITE))
		writers |= DMABUF_WRITER_FENCE;
	if (dmabuf->vmapping_counter)
		writers |= DMABUF_WRITER_KERNEL;

	return writers;
}

/* The pages of @arg's range that were written, to @out; the caller holds the lock. */
static int take_pages(struct tracker *tracker, struct dmabuf_memtype_written *arg,
		      unsigned long *out)
{
	struct dma_buf *dmabuf = tracker->dmabuf;
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;

	arg->writers = writers_now(tracker);
	if (tracker->writers)
		heap_writers_take(tracker->writers, dmabuf->file->f_mapping,
				  arg->writers & WRITERS_OF_ALL, arg->first_page, arg->nr_pages,
				  out);
	else
		bitmap_set(out, 0, arg->nr_pages);

	dma_resv_unlock(dmabuf->resv);

	arg->nr_written = bitmap_weight(out, arg->nr_pages);
	return 0;
}

static int get_written_locked(struct tracker *tracker, struct dmabuf_memtype_written *arg,
			      struct dmabuf_memtype_written __user *user, unsigned long *out)
{
	size_t size = BITS_TO_LONGS(arg->nr_pages) * sizeof(*out);
	int ret;

	ret = take_pages(tracker, arg, out);
	if (ret)
		return ret;

	if (!copy_to_user(u64_to_user_ptr(arg->bitmap), out, size) &&
	    !copy_to_user(user, arg, sizeof(*arg)))
		return 0;

	if (tracker->writers)
		heap_writers_put_back(tracker->writers, arg->first_page, arg->nr_pages, out);
	return -EFAULT;
}

static long get_written(struct tracker *tracker, struct dmabuf_memtype_written __user *user)
{
	u64 nr = pages_of(tracker->dmabuf);
	struct dmabuf_memtype_written arg;
	unsigned long *out;
	int ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.reserved || !arg.nr_pages)
		return -EINVAL;
	if (arg.nr_pages > nr || arg.first_page > nr - arg.nr_pages)
		return -ERANGE;

	out = kvcalloc(BITS_TO_LONGS(arg.nr_pages), sizeof(*out), GFP_KERNEL_ACCOUNT);
	if (!out)
		return -ENOMEM;

	ret = mutex_lock_interruptible(&tracker->lock);
	if (!ret) {
		ret = get_written_locked(tracker, &arg, user, out);
		mutex_unlock(&tracker->lock);
	}
	kvfree(out);

	return ret;
}

static long tracker_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case DMABUF_MEMTYPE_GET_WRITTEN:
		return get_written(file->private_data, (void __user *)arg);
	}
	return -ENOTTY;
}

static void tracker_destroy(struct tracker *tracker)
{
	struct dma_buf *dmabuf = tracker->dmabuf;

	if (tracker->writers)
		heap_writers_stop(tracker->writers, dmabuf->file->f_mapping);
	xa_erase(&trackers, (unsigned long)dmabuf);
	mutex_destroy(&tracker->lock);
	kfree(tracker);
	dma_buf_put(dmabuf);
}

static int tracker_release(struct inode *inode, struct file *file)
{
	tracker_destroy(file->private_data);
	return 0;
}

static const struct file_operations tracker_fops = {
	.owner		= THIS_MODULE,
	.release	= tracker_release,
	.unlocked_ioctl	= tracker_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static int tracker_start(struct tracker *tracker)
{
	struct dma_buf *dmabuf = tracker->dmabuf;
	int ret;

	if (!tracker->writers)
		return 0;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	ret = heap_writers_start(tracker->writers, dmabuf->file->f_mapping,
				 writers_now(tracker) & WRITERS_OF_ALL);
	dma_resv_unlock(dmabuf->resv);

	return ret;
}

/* Takes over the reference to @dmabuf, also where it fails. */
static struct tracker *tracker_create(struct dma_buf *dmabuf)
{
	struct tracker *tracker;
	int ret = -ENOMEM;

	tracker = kzalloc(sizeof(*tracker), GFP_KERNEL_ACCOUNT);
	if (!tracker)
		goto err_put;
	tracker->dmabuf = dmabuf;
	tracker->writers = heap_buffer_writers(dmabuf);
	mutex_init(&tracker->lock);

	ret = xa_insert(&trackers, (unsigned long)dmabuf, tracker, GFP_KERNEL_ACCOUNT);
	if (ret)
		goto err_free;

	ret = tracker_start(tracker);
	if (ret)
		goto err_erase;

	return tracker;

err_erase:
	xa_erase(&trackers, (unsigned long)dmabuf);
err_free:
	mutex_destroy(&tracker->lock);
	kfree(tracker);
err_put:
	dma_buf_put(dmabuf);
	return ERR_PTR(ret);
}

/* The fd is installed last: until then nobody else can see or close it. */
long memtype_track(struct dmabuf_memtype_track __user *user)
{
	struct dmabuf_memtype_track arg;
	struct tracker *tracker;
	struct dma_buf *dmabuf;
	struct file *file;
	int fd;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || memchr_inv(arg.reserved, 0, sizeof(arg.reserved)))
		return -EINVAL;

	dmabuf = memtype_get_dmabuf(arg.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	tracker = tracker_create(dmabuf);
	if (IS_ERR(tracker))
		return PTR_ERR(tracker);

	file = anon_inode_getfile("dmabuf-tracker", &tracker_fops, tracker, O_RDWR);
	if (IS_ERR(file)) {
		tracker_destroy(tracker);
		return PTR_ERR(file);
	}

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto out_file;

	arg.tracker = fd;
	arg.precision = tracker->writers ? DMABUF_TRACK_EXACT : DMABUF_TRACK_CONSERVATIVE;
	arg.nr_pages = pages_of(dmabuf);
	if (copy_to_user(user, &arg, sizeof(arg))) {
		put_unused_fd(fd);
		fd = -EFAULT;
		goto out_file;
	}
	fd_install(fd, file);

	return 0;

out_file:
	fput(file);
	return fd;
}
