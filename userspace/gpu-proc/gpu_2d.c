// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pictures in this process' memory: RESOURCE_CREATE_2D and TRANSFER_TO_HOST_2D. Called by
 * gpu_command.c's table.
 */
#include "gpu_2d.h"
#include "gpu.h"
#include "gpu_command.h"
#include "gpu_format.h"

#include <stdlib.h>

bool gpu_rect_is_within(const struct virtio_gpu_rect *rect, uint32_t width, uint32_t height)
{
	return rect->width && rect->height && rect->x <= width && rect->y <= height &&
	       rect->width <= width - rect->x && rect->height <= height - rect->y;
}

enum gpu_outcome gpu_2d_create(struct gpu_request *req)
{
	const struct virtio_gpu_resource_create_2d *cmd = &req->cmd->create_2d;
	struct gpu_resource *res;
	uint64_t bytes;

	if (!gpu_format_find(cmd->format))
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "resource %u: format %u is unknown", cmd->resource_id,
				  cmd->format);
	if (!cmd->width || !cmd->height || cmd->width > GPU_SIDE_MAX ||
	    cmd->height > GPU_SIDE_MAX)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "resource %u: %u x %u pixels, must be 1 to %u each",
				  cmd->resource_id, cmd->width, cmd->height, GPU_SIDE_MAX);
	bytes = (uint64_t)cmd->width * cmd->height * GPU_PIXEL_BYTES;
	res = gpu_resource_create(req, cmd->resource_id, GPU_RESOURCE_2D, bytes);
	if (!res)
		return GPU_DONE;
	res->size = bytes;
	res->image = (struct gpu_image){
		.format = cmd->format,
		.width = cmd->width,
		.height = cmd->height,
		.stride = cmd->width * GPU_PIXEL_BYTES,
		.pixels = calloc(1, bytes),
	};
	if (!res->image.pixels) {
		gpu_resource_destroy(req->gpu, res);
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
				  "resource %u: no memory for %llu bytes", cmd->resource_id,
				  (unsigned long long)bytes);
	}
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}

/* The backing has the whole picture, too: offset is where in it the rectangle starts. */
enum gpu_outcome gpu_2d_transfer(struct gpu_request *req)
{
	const struct virtio_gpu_transfer_to_host_2d *cmd = &req->cmd->transfer_to_host_2d;
	const struct virtio_gpu_rect *r = &cmd->r;
	struct gpu_resource *res = gpu_resource_get(req, cmd->resource_id);
	struct gpu_image *image;
	uint64_t end;
	uint32_t y;

	if (!res)
		return GPU_DONE;
	image = &res->image;
	/* What the guest wrote to a blob is there. Linux asks all the same. */
	if (res->kind == GPU_RESOURCE_BLOB)
		return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
	if (!res->backing.entries)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC, "resource %u has no backing",
				  res->id);
	if (!gpu_rect_is_within(r, image->width, image->height))
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "%u x %u pixels at %u, %u of resource %u, which has %u x %u",
				  r->width, r->height, r->x, r->y, res->id, image->width,
				  image->height);
	end = (uint64_t)(r->height - 1) * image->stride + r->width * GPU_PIXEL_BYTES;
	if (end > res->backing.size || cmd->offset > res->backing.size - end)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "%llu bytes at 0x%llx of the backing of resource %u, which has %llu",
				  (unsigned long long)end, (unsigned long long)cmd->offset, res->id,
				  (unsigned long long)res->backing.size);
	for (y = 0; y < r->height; y++) {
		uint64_t to = (uint64_t)(r->y + y) * image->stride + r->x * GPU_PIXEL_BYTES;

		if (gpu_backing_read(req->gpu, &res->backing,
				     cmd->offset + (uint64_t)y * image->stride,
				     image->pixels + to, r->width * GPU_PIXEL_BYTES) < 0)
			return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC,
					  "the backing of resource %u is not in the guest's memory any more",
					  res->id);
	}
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}
