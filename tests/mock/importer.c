// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock as an importer of anybody's DMA-bufs: CPU access through the
 * kernel mapping, and a device that reads and writes at DMA addresses. Called
 * by device.c.
 */
#include <linux/device.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "internal.h"

/**
 * struct import - an attachment
 * @dmabuf:	held
 * @attachment:	of the mock's device
 * @sgt:	DMA mapping; NULL where @dir is DMA_NONE
 * @dir:	of the mapping
 * @moved:	the exporter took the mapping back; resv lock
 */
struct import {
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	enum dma_data_direction dir;
	bool moved;
};

static struct platform_device *importer;

struct dma_buf *mock_get_dmabuf(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	return dmabuf == ERR_PTR(-EINVAL) ? ERR_PTR(-EBADFD) : dmabuf;
}

static bool within(u64 offset, u64 len, u64 size)
{
	return offset <= size && len <= size - offset;
}

long mock_access(const struct dmapat_mock_access *access)
{
	void __user *data = u64_to_user_ptr(access->data);
	struct dma_buf *dmabuf;
	struct iosys_map map;
	unsigned long left;
	int ret;

	if (access->write > 1)
		return -EINVAL;

	dmabuf = mock_get_dmabuf(access->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	if (!within(access->offset, access->len, dmabuf->size)) {
		ret = -ERANGE;
		goto out_put;
	}

	ret = dma_buf_vmap_unlocked(dmabuf, &map);
	if (ret)
		goto out_put;
	if (map.is_iomem) {
		ret = -EOPNOTSUPP;
		goto out_vunmap;
	}

	if (access->write)
		left = copy_from_user(map.vaddr + access->offset, data, access->len);
	else
		left = copy_to_user(data, map.vaddr + access->offset, access->len);
	ret = left ? -EFAULT : 0;

out_vunmap:
	dma_buf_vunmap_unlocked(dmabuf, &map);
out_put:
	dma_buf_put(dmabuf);
	return ret;
}

static void moved(struct dma_buf_attachment *attachment)
{
	struct import *import = attachment->importer_priv;

	import->moved = true;
	atomic_long_inc(&mock_counters.move_notifies);
}

static const struct dma_buf_attach_ops attach_ops = {
	.move_notify	= moved,
};

static struct import *import_create(const struct dmapat_mock_import *arg)
{
	struct import *import;
	int ret;

	import = kzalloc(sizeof(*import), GFP_KERNEL);
	if (!import)
		return ERR_PTR(-ENOMEM);
	import->dir = arg->dir;

	import->dmabuf = mock_get_dmabuf(arg->fd);
	if (IS_ERR(import->dmabuf)) {
		ret = PTR_ERR(import->dmabuf);
		goto err_free;
	}

	import->attachment = dma_buf_dynamic_attach(import->dmabuf, &importer->dev,
						    arg->dynamic ? &attach_ops : NULL, import);
	if (IS_ERR(import->attachment)) {
		ret = PTR_ERR(import->attachment);
		goto err_put;
	}

	if (import->dir != DMA_NONE) {
		import->sgt = dma_buf_map_attachment_unlocked(import->attachment, import->dir);
		if (IS_ERR(import->sgt)) {
			ret = PTR_ERR(import->sgt);
			goto err_detach;
		}
	}

	atomic_long_inc(&mock_counters.imports);
	return import;

err_detach:
	dma_buf_detach(import->dmabuf, import->attachment);
err_put:
	dma_buf_put(import->dmabuf);
err_free:
	kfree(import);
	return ERR_PTR(ret);
}

static void import_destroy(struct import *import)
{
	if (import->sgt)
		dma_buf_unmap_attachment_unlocked(import->attachment, import->sgt, import->dir);
	dma_buf_detach(import->dmabuf, import->attachment);
	dma_buf_put(import->dmabuf);
	kfree(import);
	atomic_long_dec(&mock_counters.imports);
}

long mock_import(struct xarray *imports, struct dmapat_mock_import *arg)
{
	struct import *import;
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	if (arg->dynamic > 1 || arg->dir > DMA_NONE || arg->reserved)
		return -EINVAL;

	import = import_create(arg);
	if (IS_ERR(import))
		return PTR_ERR(import);

	arg->dma_bytes = 0;
	arg->segments = 0;
	if (import->sgt) {
		for_each_sgtable_dma_sg(import->sgt, sg, i)
			arg->dma_bytes += sg_dma_len(sg);
		arg->segments = import->sgt->nents;
	}

	ret = xa_alloc(imports, &arg->id, import, xa_limit_31b, GFP_KERNEL);
	if (ret)
		import_destroy(import);
	return ret;
}

long mock_unimport(struct xarray *imports, unsigned long id)
{
	struct import *import = xa_erase(imports, id);

	if (!import)
		return -ENOENT;
	import_destroy(import);

	return 0;
}

void mock_unimport_all(struct xarray *imports)
{
	struct import *import;
	unsigned long id;

	xa_for_each(imports, id, import) {
		xa_erase(imports, id);
		import_destroy(import);
	}
	xa_destroy(imports);
}

/* Without an IOMMU, DMA addresses are physical ones, of bounce buffers if need be. */
static int access_segments(struct import *import, const struct dmapat_mock_device_access *access,
			   void *data)
{
	u64 skip = access->offset, left = access->len;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(import->sgt, sg, i) {
		phys_addr_t phys = dma_to_phys(&importer->dev, sg_dma_address(sg));
		u64 len = sg_dma_len(sg);
		void *vaddr;

		if (!left)
			break;
		if (skip >= len) {
			skip -= len;
			continue;
		}

		vaddr = phys_to_virt(phys + skip);
		len = min(len - skip, left);
		if (access->write)
			memcpy(vaddr, data, len);
		else
			memcpy(data, vaddr, len);
		data += len;
		left -= len;
		skip = 0;
	}

	return left ? -ERANGE : 0;
}

long mock_device_access(struct xarray *imports, const struct dmapat_mock_device_access *access)
{
	void __user *user = u64_to_user_ptr(access->data);
	struct import *import;
	void *data;
	int ret;

	if (access->write > 1)
		return -EINVAL;
	if (device_iommu_mapped(&importer->dev))
		return -EOPNOTSUPP;

	import = xa_load(imports, access->id);
	if (!import || !import->sgt)
		return -ENOENT;

	if (access->len > import->dmabuf->size)
		return -ERANGE;

	/* Page faults must not come under the reservation lock, which they take. */
	data = access->write ? vmemdup_user(user, access->len) :
			       kvzalloc(access->len, GFP_KERNEL);
	if (IS_ERR_OR_NULL(data))
		return data ? PTR_ERR(data) : -ENOMEM;

	dma_resv_lock(import->dmabuf->resv, NULL);
	ret = import->moved ? -ESTALE : access_segments(import, access, data);
	dma_resv_unlock(import->dmabuf->resv);

	if (!ret && !access->write && copy_to_user(user, data, access->len))
		ret = -EFAULT;
	kvfree(data);
	return ret;
}

int __init mock_importer_init(void)
{
	int ret;

	importer = platform_device_register_simple("dmapat-mock", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(importer))
		return PTR_ERR(importer);

	ret = dma_coerce_mask_and_coherent(&importer->dev, DMA_BIT_MASK(64));
	if (ret)
		platform_device_unregister(importer);
	return ret;
}

void mock_importer_exit(void)
{
	platform_device_unregister(importer);
}
