// SPDX-License-Identifier: GPL-2.0-only
/*
 * What drivers keep on a buffer for some time: fences of a device that is at
 * work, and kernel mappings. A test says when they begin and end. Called by
 * device.c.
 */
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/iosys-map.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * struct hold - one fence or kernel mapping
 * @dmabuf:	held
 * @fence:	unsignalled; NULL for a mapping
 * @map:	of the mapping
 */
struct hold {
	struct dma_buf *dmabuf;
	struct dma_fence *fence;
	struct iosys_map map;
};

struct mock_fence {
	struct dma_fence base;
	spinlock_t lock;	/* the fence's own */
};

static const char *fence_name(struct dma_fence *fence)
{
	return "dmapat-mock";
}

/* A signalled fence lives as long as the buffer may, and needs its operations. */
static void fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name	= fence_name,
	.get_timeline_name	= fence_name,
	.release		= fence_release,
};

static int hold_fence(struct hold *hold, enum dma_resv_usage usage)
{
	struct dma_resv *resv = hold->dmabuf->resv;
	struct mock_fence *fence;
	int ret;

	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	if (!fence)
		return -ENOMEM;

	dma_resv_lock(resv, NULL);
	ret = dma_resv_reserve_fences(resv, 1);
	if (ret) {
		kfree(fence);
	} else {
		__module_get(THIS_MODULE);
		spin_lock_init(&fence->lock);
		dma_fence_init(&fence->base, &fence_ops, &fence->lock, dma_fence_context_alloc(1),
			       1);
		dma_resv_add_fence(resv, &fence->base, usage);
		hold->fence = &fence->base;
	}
	dma_resv_unlock(resv);

	return ret;
}

static int hold_begin(struct hold *hold, u32 what)
{
	switch (what) {
	case DMAPAT_MOCK_HOLD_READ_FENCE:
		return hold_fence(hold, DMA_RESV_USAGE_READ);
	case DMAPAT_MOCK_HOLD_WRITE_FENCE:
		return hold_fence(hold, DMA_RESV_USAGE_WRITE);
	case DMAPAT_MOCK_HOLD_VMAP:
		return dma_buf_vmap_unlocked(hold->dmabuf, &hold->map);
	}
	return -EINVAL;
}

static void hold_end(struct hold *hold)
{
	if (hold->fence) {
		dma_fence_signal(hold->fence);
		dma_fence_put(hold->fence);
	} else {
		dma_buf_vunmap_unlocked(hold->dmabuf, &hold->map);
	}
	dma_buf_put(hold->dmabuf);
	kfree(hold);
}

long mock_hold(struct xarray *holds, struct dmapat_mock_hold *arg)
{
	struct hold *hold;
	int ret;

	if (arg->reserved)
		return -EINVAL;

	hold = kzalloc(sizeof(*hold), GFP_KERNEL);
	if (!hold)
		return -ENOMEM;

	hold->dmabuf = mock_get_dmabuf(arg->fd);
	if (IS_ERR(hold->dmabuf)) {
		ret = PTR_ERR(hold->dmabuf);
		goto err_free;
	}

	ret = hold_begin(hold, arg->what);
	if (ret)
		goto err_put;

	ret = xa_alloc(holds, &arg->id, hold, xa_limit_31b, GFP_KERNEL);
	if (ret)
		hold_end(hold);
	return ret;

err_put:
	dma_buf_put(hold->dmabuf);
err_free:
	kfree(hold);
	return ret;
}

long mock_let_go(struct xarray *holds, unsigned long id)
{
	struct hold *hold = xa_erase(holds, id);

	if (!hold)
		return -ENOENT;
	hold_end(hold);

	return 0;
}

void mock_let_go_all(struct xarray *holds)
{
	struct hold *hold;
	unsigned long id;

	xa_for_each(holds, id, hold) {
		xa_erase(holds, id);
		hold_end(hold);
	}
	xa_destroy(holds);
}
