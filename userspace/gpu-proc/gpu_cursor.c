// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cursor: its picture is copied when the guest defines it. Called by gpu_command.c's
 * table, and by screenshot.c.
 */
#include "gpu_cursor.h"
#include "gpu.h"
#include "gpu_command.h"
#include "gpu_format.h"

#include <string.h>

#define ROW_BYTES	(GPU_CURSOR_SIDE * GPU_PIXEL_BYTES)

uint32_t gpu_cursor_blend(const struct gpu_cursor *cursor, uint32_t x, uint32_t y, uint32_t below)
{
	int64_t cx = (int64_t)x - cursor->x, cy = (int64_t)y - cursor->y;
	const uint8_t *above;
	uint32_t mixed = 0;
	unsigned int i;

	if (!cursor->visible || cx < 0 || cy < 0 || cx >= GPU_CURSOR_SIDE || cy >= GPU_CURSOR_SIDE)
		return below;
	above = cursor->pixels[cy][cx];
	for (i = 0; i < 3; i++) {
		uint32_t c = (below >> 8 * i & 0xff) * (255 - above[3]) / 255 + above[i];

		mixed |= (c < 255 ? c : 255) << 8 * i;
	}
	return mixed;
}

static bool scanout_is_known(struct gpu_request *req, uint32_t id)
{
	if (id < req->gpu->config.num_scanouts)
		return true;
	gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID, "there is no scanout %u", id);
	return false;
}

static void place(struct gpu_cursor *cursor, const struct virtio_gpu_cursor_pos *pos)
{
	/* The upper left corner; beyond the display's edge it is negative. */
	cursor->x = (int32_t)pos->x;
	cursor->y = (int32_t)pos->y;
}

/* As the guest's format has them, to B, G, R, alpha. */
static void sort_bytes(struct gpu_cursor *cursor, uint32_t format_id)
{
	const struct gpu_format *format = gpu_format_find(format_id);
	uint8_t *p = cursor->pixels[0][0], from[GPU_PIXEL_BYTES];
	unsigned int i;

	for (i = 0; i < GPU_CURSOR_SIDE * GPU_CURSOR_SIDE; i++, p += GPU_PIXEL_BYTES) {
		memcpy(from, p, sizeof(from));
		p[0] = from[format->blue];
		p[1] = from[format->green];
		p[2] = from[format->red];
		p[3] = format->alpha < 0 ? 255 : from[format->alpha];
	}
}

/*
 * Where the hot spot is does not matter here. A blob has no size in pixels and no format:
 * its bytes are taken for a cursor's.
 */
enum gpu_outcome gpu_cursor_update(struct gpu_request *req)
{
	const struct virtio_gpu_update_cursor *cmd = &req->cmd->update_cursor;
	struct gpu_cursor *cursor = &req->gpu->cursor;
	struct gpu_resource *res;

	if (!scanout_is_known(req, cmd->pos.scanout_id))
		return GPU_DONE;
	cursor->visible = false;
	if (!cmd->resource_id)
		return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
	res = gpu_resource_get(req, cmd->resource_id);
	if (!res)
		return GPU_DONE;
	if (res->kind == GPU_RESOURCE_2D &&
	    (res->image.width != GPU_CURSOR_SIDE || res->image.height != GPU_CURSOR_SIDE))
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "resource %u has %u x %u pixels, a cursor has %u x %u", res->id,
				  res->image.width, res->image.height, GPU_CURSOR_SIDE,
				  GPU_CURSOR_SIDE);
	if (gpu_resource_read(req->gpu, res, 0, cursor->pixels, sizeof(cursor->pixels)) < 0)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "resource %u has no %u bytes of a cursor", res->id,
				  GPU_CURSOR_SIDE * ROW_BYTES);
	if (res->kind == GPU_RESOURCE_2D)
		sort_bytes(cursor, res->image.format);
	place(cursor, &cmd->pos);
	cursor->visible = true;
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}

enum gpu_outcome gpu_cursor_move(struct gpu_request *req)
{
	const struct virtio_gpu_update_cursor *cmd = &req->cmd->update_cursor;

	if (!scanout_is_known(req, cmd->pos.scanout_id))
		return GPU_DONE;
	place(&req->gpu->cursor, &cmd->pos);
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}
