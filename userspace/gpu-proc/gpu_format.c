// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Formats of pictures. Their names have the bytes in the order of memory. Called by
 * gpu_2d.c, gpu_cursor.c and gpu_scanout.c.
 */
#include "gpu_format.h"

#include <stddef.h>

#include <linux/virtio_gpu.h>

static const struct gpu_format formats[] = {
	{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, .red = 2, .green = 1, .blue = 0, .alpha = 3 },
	{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .red = 2, .green = 1, .blue = 0, .alpha = -1 },
	{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, .red = 1, .green = 2, .blue = 3, .alpha = 0 },
	{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, .red = 1, .green = 2, .blue = 3, .alpha = -1 },
	{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, .red = 0, .green = 1, .blue = 2, .alpha = 3 },
	{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, .red = 0, .green = 1, .blue = 2, .alpha = -1 },
	{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, .red = 3, .green = 2, .blue = 1, .alpha = 0 },
	{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, .red = 3, .green = 2, .blue = 1, .alpha = -1 },
};

const struct gpu_format *gpu_format_find(uint32_t id)
{
	size_t i;

	for (i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (formats[i].id == id)
			return &formats[i];
	return NULL;
}

void gpu_format_convert(const struct gpu_format *format, const uint8_t *from, uint32_t *to,
			uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++, from += GPU_PIXEL_BYTES)
		to[i] = (uint32_t)from[format->red] << 16 | (uint32_t)from[format->green] << 8 |
			from[format->blue];
}
