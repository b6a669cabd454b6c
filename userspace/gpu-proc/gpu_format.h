/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats of pictures. Each has four bytes a pixel. */
#ifndef GPU_PROC_GPU_FORMAT_H
#define GPU_PROC_GPU_FORMAT_H

#include <stdint.h>

#define GPU_PIXEL_BYTES	4u

/* Where a pixel's bytes are in memory. */
struct gpu_format {
	uint32_t id;		/* VIRTIO_GPU_FORMAT_* */
	uint8_t red, green, blue;
	int8_t alpha;		/* -1: has none */
};

/* NULL: unknown. */
const struct gpu_format *gpu_format_find(uint32_t id);

/* count pixels as 0x00RRGGBB. */
void gpu_format_convert(const struct gpu_format *format, const uint8_t *from, uint32_t *to,
			uint32_t count);

#endif /* GPU_PROC_GPU_FORMAT_H */
