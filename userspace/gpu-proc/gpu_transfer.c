// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TRANSFER_TO_HOST_3D and TRANSFER_FROM_HOST_3D of blobs whose memory is the guest's and
 * the host's (BLOB_MEM_HOST3D_GUEST): the guest's CPU sees one, host and contexts the
 * other. Both are rows of bytes: the box is one-dimensional, its x and width in bytes of
 * the host's, and offset is in the guest's. Called by gpu_command.c's table.
 */
#include "gpu_transfer.h"
#include "gpu.h"
#include "gpu_command.h"
#include "gpu_context.h"
#include "gpu_resource.h"

#include <stdbool.h>

/* Has it both memories, and is it one of the context's? 0, or -1 after it has answered. */
static int check_resource(struct gpu_request *req, const struct gpu_resource *res)
{
	const struct gpu_context *ctx = gpu_context_find(req->gpu, req->cmd->hdr.ctx_id);

	if (!ctx)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID, "there is no context %u",
			   req->cmd->hdr.ctx_id);
	else if (res->kind != GPU_RESOURCE_BLOB ||
		 res->blob.mem != VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u is no blob of the guest's and the host's memory", res->id);
	else if (res->blob.type != ctx->type)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u is of type %s, context %u of type %s", res->id,
			   res->blob.type->name, ctx->id, ctx->type->name);
	else if (!res->backing.entries)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC, "resource %u has no backing", res->id);
	else
		return 0;
	return -1;
}

/* Bytes that there are? 0, or -1 after it has answered. */
static int check_box(struct gpu_request *req, const struct gpu_resource *res)
{
	const struct virtio_gpu_transfer_host_3d *cmd = &req->cmd->transfer_3d;
	const struct virtio_gpu_box *box = &cmd->box;

	if (!box->w || box->y || box->z || box->h != 1 || box->d != 1 || cmd->level ||
	    cmd->stride || cmd->layer_stride)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u: a box of %u x %u x %u at %u, %u, %u, level %u, strides %u and %u: a blob is a row of bytes",
			   res->id, box->w, box->h, box->d, box->x, box->y, box->z, cmd->level,
			   cmd->stride, cmd->layer_stride);
	else if (box->x > res->size || box->w > res->size - box->x)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u: %u bytes at 0x%x of 0x%llx", res->id, box->w, box->x,
			   (unsigned long long)res->size);
	else if (cmd->offset > res->backing.size || box->w > res->backing.size - cmd->offset)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u: %u bytes at 0x%llx of the backing's 0x%llx", res->id,
			   box->w, (unsigned long long)cmd->offset,
			   (unsigned long long)res->backing.size);
	else
		return 0;
	return -1;
}

static enum gpu_outcome transfer(struct gpu_request *req, bool to_host)
{
	const struct virtio_gpu_transfer_host_3d *cmd = &req->cmd->transfer_3d;
	struct gpu_resource *res = gpu_resource_get(req, cmd->resource_id);
	uint8_t *host;
	int ret;

	if (!res || check_resource(req, res) < 0 || check_box(req, res) < 0)
		return GPU_DONE;
	host = gpu_blob_view(res);
	if (!host)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
				  "resource %u: the host's memory cannot be mapped: %m", res->id);
	if (to_host)
		ret = gpu_backing_read(req->gpu, &res->backing, cmd->offset, host + cmd->box.x,
				       cmd->box.w);
	else
		ret = gpu_backing_write(req->gpu, &res->backing, cmd->offset, host + cmd->box.x,
					cmd->box.w);
	if (ret < 0)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC,
				  "the backing of resource %u is not in the guest's memory any more",
				  res->id);
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}

enum gpu_outcome gpu_transfer_to_host(struct gpu_request *req)
{
	return transfer(req, true);
}

enum gpu_outcome gpu_transfer_from_host(struct gpu_request *req)
{
	return transfer(req, false);
}
