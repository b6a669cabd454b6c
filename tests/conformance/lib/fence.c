// SPDX-License-Identifier: GPL-2.0-or-later
/* Write fences; see fence.h. */
#include "lib/fence.h"

#include <drm.h>
#include <drm_mode.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/ktap.h"

/* The kernel's include/uapi/drm/vgem_drm.h, which no package of headers has. */
struct drm_vgem_fence_attach {
	__u32 handle;
	__u32 flags;
	__u32 out_fence;
	__u32 pad;
};

struct drm_vgem_fence_signal {
	__u32 fence;
	__u32 flags;
};

#define VGEM_FENCE_WRITE		0x1
#define DRM_IOCTL_VGEM_FENCE_ATTACH	\
	DRM_IOWR(DRM_COMMAND_BASE + 0x1, struct drm_vgem_fence_attach)
#define DRM_IOCTL_VGEM_FENCE_SIGNAL	\
	DRM_IOW(DRM_COMMAND_BASE + 0x2, struct drm_vgem_fence_signal)

void fence_open(struct fence_source *s)
{
	struct drm_mode_create_dumb dumb = { .width = 32, .height = 32, .bpp = 32 };
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR };

	s->card = buffer_vgem_node();
	test_assert(s->card >= 0 && !ioctl(s->card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb));
	s->handle = dumb.handle;
	prime.handle = dumb.handle;
	test_assert(!ioctl(s->card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime));
	s->dmabuf = prime.fd;
}

void fence_close(struct fence_source *s)
{
	close(s->dmabuf);
	close(s->card);
}

uint32_t fence_attach(struct fence_source *s, const int *bufs, size_t nr)
{
	struct drm_vgem_fence_attach fence = {
		.handle = s->handle, .flags = VGEM_FENCE_WRITE,
	};
	/* Who wants to read waits for the writers. */
	struct dma_buf_export_sync_file of_writer = { .flags = DMA_BUF_SYNC_READ };
	struct dma_buf_import_sync_file as_writer = { .flags = DMA_BUF_SYNC_WRITE };
	size_t i;

	test_assert(!ioctl(s->card, DRM_IOCTL_VGEM_FENCE_ATTACH, &fence));
	test_assert(!ioctl(s->dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &of_writer));
	as_writer.fd = of_writer.fd;
	for (i = 0; i < nr; i++)
		test_assert(!ioctl(bufs[i], DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &as_writer));
	close(of_writer.fd);
	return fence.out_fence;
}

void fence_signal(struct fence_source *s, uint32_t fence)
{
	struct drm_vgem_fence_signal signal = { .fence = fence };

	test_assert(!ioctl(s->card, DRM_IOCTL_VGEM_FENCE_SIGNAL, &signal));
}
