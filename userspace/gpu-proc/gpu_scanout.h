/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's display: which resource it shows, and how. */
#ifndef GPU_PROC_GPU_SCANOUT_H
#define GPU_PROC_GPU_SCANOUT_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_gpu.h>

#include "gpu_outcome.h"

struct gpu;
struct gpu_format;
struct gpu_request;
struct gpu_resource;

struct gpu_scanout {
	struct gpu_resource *res;	/* NULL: off */
	struct virtio_gpu_rect r;	/* of the picture in it, what is shown */
	const struct gpu_format *format;
	uint32_t width, height;		/* of that picture */
	uint32_t stride;		/* bytes from a row to the next */
	uint64_t offset;		/* bytes before its first row */
};

/* The resource goes: what shows it is off then. */
void gpu_scanout_forget(struct gpu *gpu, const struct gpu_resource *res);

enum gpu_outcome gpu_scanout_get_display_info(struct gpu_request *req);
enum gpu_outcome gpu_scanout_get_edid(struct gpu_request *req);
enum gpu_outcome gpu_scanout_set(struct gpu_request *req);
enum gpu_outcome gpu_scanout_set_blob(struct gpu_request *req);
enum gpu_outcome gpu_scanout_flush(struct gpu_request *req);

#endif /* GPU_PROC_GPU_SCANOUT_H */
