/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cursor of the guest's display. */
#ifndef GPU_PROC_GPU_CURSOR_H
#define GPU_PROC_GPU_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu_outcome.h"

#define GPU_CURSOR_SIDE	64u

struct gpu_request;

struct gpu_cursor {
	bool visible;
	int32_t x, y;			/* of its upper left corner, on the display */
	uint8_t pixels[GPU_CURSOR_SIDE][GPU_CURSOR_SIDE][4];	/* B, G, R, alpha; premultiplied */
};

/* 0x00RRGGBB at a place of the display, with the cursor above it. */
uint32_t gpu_cursor_blend(const struct gpu_cursor *cursor, uint32_t x, uint32_t y, uint32_t below);

enum gpu_outcome gpu_cursor_update(struct gpu_request *req);
enum gpu_outcome gpu_cursor_move(struct gpu_request *req);

#endif /* GPU_PROC_GPU_CURSOR_H */
