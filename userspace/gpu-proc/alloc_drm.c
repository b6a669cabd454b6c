// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers from a DRM device, as "dumb buffers": the one way of allocation that
 * all drivers share. Only card nodes offer it. Called by buffer.c.
 */
#include "alloc.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <xf86drm.h>
#include <xf86drmMode.h>

#define ROW_BYTES	4096u
#define BYTES_PER_PIXEL	4u

static int drm_alloc(const char *node, uint64_t size)
{
	struct drm_mode_create_dumb create = {
		.width = ROW_BYTES / BYTES_PER_PIXEL,
		.height = size / ROW_BYTES,
		.bpp = 8 * BYTES_PER_PIXEL,
	};
	struct drm_gem_close gem_close = { 0 };
	int dev, fd = -1;

	if (size / ROW_BYTES > UINT32_MAX) {
		log_error("drm %s: %llu bytes are more than a dumb buffer can have", node,
			  (unsigned long long)size);
		return -1;
	}
	dev = open(node, O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		log_error("drm %s: cannot open it: %m", node);
		return -1;
	}
	if (drmGetNodeTypeFromFd(dev) == DRM_NODE_RENDER) {
		log_error("drm %s: a render node has no dumb buffers; name the card node", node);
		goto out_close;
	}
	if (drmIoctl(dev, DRM_IOCTL_MODE_CREATE_DUMB, &create) < 0) {
		log_error("drm %s: cannot create a dumb buffer of %llu bytes: %m%s", node,
			  (unsigned long long)size,
			  errno == ENOTTY ? " (is it a DRM node?)" : "");
		goto out_close;
	}
	if (create.size < size)
		log_error("drm %s: asked for %llu bytes, the driver made %llu", node,
			  (unsigned long long)size, (unsigned long long)create.size);
	else if (drmPrimeHandleToFD(dev, create.handle, DRM_CLOEXEC | DRM_RDWR, &fd) < 0)
		log_error("drm %s: cannot export a buffer: %m", node);

	/* The DMA-buf, where there is one, keeps the buffer alive. */
	gem_close.handle = create.handle;
	drmIoctl(dev, DRM_IOCTL_GEM_CLOSE, &gem_close);
out_close:
	close(dev);
	return fd;
}

const struct allocator alloc_drm = {
	.kind = "drm",
	.node_help = "path of a DRM card node, such as /dev/dri/card0",
	.alloc = drm_alloc,
	.cpu_access = dmabuf_cpu_access,
};
