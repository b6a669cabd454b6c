/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pictures in this process' memory, that the guest draws in its own and transfers. */
#ifndef GPU_PROC_GPU_2D_H
#define GPU_PROC_GPU_2D_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_gpu.h>

#include "gpu_outcome.h"

#define GPU_SIDE_MAX	16384u	/* pixels, of any picture */

struct gpu_request;

/* Is it not empty, and within width × height? */
bool gpu_rect_is_within(const struct virtio_gpu_rect *rect, uint32_t width, uint32_t height);

enum gpu_outcome gpu_2d_create(struct gpu_request *req);
enum gpu_outcome gpu_2d_transfer(struct gpu_request *req);

#endif /* GPU_PROC_GPU_2D_H */
