// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's display: what it is, what it shows, and what of that has changed. Called by
 * gpu_command.c's table, and by gpu_resource.c for a resource that goes.
 */
#include "gpu_scanout.h"
#include "gpu.h"
#include "gpu_2d.h"
#include "gpu_command.h"
#include "gpu_edid.h"
#include "gpu_format.h"

static int check_id(struct gpu_request *req, uint32_t id)
{
	if (id < req->gpu->config.num_scanouts)
		return 0;
	gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID, "there is no scanout %u", id);
	return -1;
}

static void switch_off(struct gpu *gpu)
{
	gpu->scanout = (struct gpu_scanout){ .res = NULL };
	frame_set_off(&gpu->frame);
}

void gpu_scanout_forget(struct gpu *gpu, const struct gpu_resource *res)
{
	if (gpu->scanout.res == res)
		switch_off(gpu);
}

enum gpu_outcome gpu_scanout_get_display_info(struct gpu_request *req)
{
	struct virtio_gpu_resp_display_info *info = &req->response.display_info;

	info->pmodes[0] = (struct virtio_gpu_display_one){
		.r = { .width = req->gpu->width, .height = req->gpu->height },
		.enabled = 1,
	};
	return gpu_respond_with(req, VIRTIO_GPU_RESP_OK_DISPLAY_INFO, sizeof(*info));
}

enum gpu_outcome gpu_scanout_get_edid(struct gpu_request *req)
{
	struct virtio_gpu_resp_edid *resp = &req->response.edid;

	if (check_id(req, req->cmd->get_edid.scanout) < 0)
		return GPU_DONE;
	resp->size = GPU_EDID_SIZE;
	gpu_edid_make(resp->edid, req->gpu->width, req->gpu->height);
	return gpu_respond_with(req, VIRTIO_GPU_RESP_OK_EDID, sizeof(*resp));
}

/* The rectangle of the resource's picture, as far as it is shown. -1: it cannot be read. */
static int paint(struct gpu *gpu, const struct virtio_gpu_rect *rect)
{
	const struct gpu_scanout *s = &gpu->scanout;
	uint32_t left = rect->x > s->r.x ? rect->x : s->r.x;
	uint32_t top = rect->y > s->r.y ? rect->y : s->r.y;
	uint32_t right = rect->x + rect->width, bottom = rect->y + rect->height, y;
	uint8_t row[FRAME_SIDE_MAX * GPU_PIXEL_BYTES];
	int ret = 0;

	if (right > s->r.x + s->r.width)
		right = s->r.x + s->r.width;
	if (bottom > s->r.y + s->r.height)
		bottom = s->r.y + s->r.height;
	if (!gpu->frame.shm || left >= right || top >= bottom)
		return 0;
	frame_begin(&gpu->frame);
	for (y = top; y < bottom && ret == 0; y++) {
		uint64_t from = s->offset + (uint64_t)y * s->stride + left * GPU_PIXEL_BYTES;
		uint32_t *to = gpu->frame.pixels + (size_t)(y - s->r.y) * gpu->frame.width;

		ret = gpu_resource_read(gpu, s->res, from, row, (right - left) * GPU_PIXEL_BYTES);
		if (ret == 0)
			gpu_format_convert(s->format, row, to + left - s->r.x, right - left);
	}
	frame_end(&gpu->frame);
	return ret;
}

/* Show it from now on, all of it at once. */
static enum gpu_outcome show(struct gpu_request *req, const struct gpu_scanout *scanout)
{
	struct gpu *gpu = req->gpu;
	const struct virtio_gpu_rect *r = &scanout->r;

	if (!gpu_rect_is_within(r, scanout->width, scanout->height) ||
	    !frame_size_is_possible(r->width, r->height))
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "%u x %u pixels at %u, %u of resource %u, which shows %u x %u",
				  r->width, r->height, r->x, r->y, scanout->res->id,
				  scanout->width, scanout->height);
	gpu->scanout = *scanout;
	frame_set_size(&gpu->frame, r->width, r->height);
	if (paint(gpu, r) < 0)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC,
				  "resource %u cannot be read", scanout->res->id);
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}

/*
 * What a scanout is to show. NULL: the request is answered; for resource 0, which
 * switches it off, too.
 */
static struct gpu_resource *find(struct gpu_request *req, uint32_t scanout, uint32_t id)
{
	if (check_id(req, scanout) < 0)
		return NULL;
	if (id)
		return gpu_resource_get(req, id);
	switch_off(req->gpu);
	gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
	return NULL;
}

enum gpu_outcome gpu_scanout_set(struct gpu_request *req)
{
	const struct virtio_gpu_set_scanout *cmd = &req->cmd->set_scanout;
	struct gpu_resource *res = find(req, cmd->scanout_id, cmd->resource_id);
	struct gpu_scanout scanout;

	if (!res)
		return GPU_DONE;
	if (res->kind != GPU_RESOURCE_2D)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "resource %u is no picture of 2D", res->id);
	scanout = (struct gpu_scanout){
		.res = res,
		.r = cmd->r,
		.format = gpu_format_find(res->image.format),
		.width = res->image.width,
		.height = res->image.height,
		.stride = res->image.stride,
	};
	return show(req, &scanout);
}

enum gpu_outcome gpu_scanout_set_blob(struct gpu_request *req)
{
	const struct virtio_gpu_set_scanout_blob *cmd = &req->cmd->set_scanout_blob;
	uint64_t row = (uint64_t)cmd->width * GPU_PIXEL_BYTES, end;
	struct gpu_resource *res = find(req, cmd->scanout_id, cmd->resource_id);
	struct gpu_scanout scanout;

	if (!res)
		return GPU_DONE;
	if (res->kind != GPU_RESOURCE_BLOB)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "resource %u is no blob", res->id);
	scanout = (struct gpu_scanout){
		.res = res,
		.r = cmd->r,
		.format = gpu_format_find(cmd->format),
		.width = cmd->width,
		.height = cmd->height,
		.stride = cmd->strides[0],
		.offset = cmd->offsets[0],
	};
	if (!scanout.format)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "resource %u: format %u is unknown", res->id, cmd->format);
	if (!cmd->width || !cmd->height || cmd->width > GPU_SIDE_MAX ||
	    cmd->height > GPU_SIDE_MAX || cmd->strides[0] < row)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "resource %u: %u rows of %u bytes for %u pixels", res->id,
				  cmd->height, cmd->strides[0], cmd->width);
	end = scanout.offset + (uint64_t)(cmd->height - 1) * scanout.stride + row;
	if (end > res->size)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "a picture that ends at %llu of resource %u, which has %llu bytes",
				  (unsigned long long)end, res->id, (unsigned long long)res->size);
	return show(req, &scanout);
}

enum gpu_outcome gpu_scanout_flush(struct gpu_request *req)
{
	const struct virtio_gpu_resource_flush *cmd = &req->cmd->resource_flush;
	const struct gpu_scanout *s = &req->gpu->scanout;
	struct gpu_resource *res = gpu_resource_get(req, cmd->resource_id);
	bool shown = res && s->res == res;
	uint32_t width, height;

	if (!res)
		return GPU_DONE;
	/* A blob has a size in pixels only by what shows it. */
	width = shown ? s->width : res->image.width;
	height = shown ? s->height : res->image.height;
	if ((shown || res->kind == GPU_RESOURCE_2D) && !gpu_rect_is_within(&cmd->r, width, height))
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "%u x %u pixels at %u, %u of resource %u, which has %u x %u",
				  cmd->r.width, cmd->r.height, cmd->r.x, cmd->r.y, res->id, width,
				  height);
	if (shown && paint(req->gpu, &cmd->r) < 0)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC, "resource %u cannot be read",
				  res->id);
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}
