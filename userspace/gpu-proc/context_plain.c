// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The context of capset id 0, which a guest need not ask for by --context: Linux makes one
 * for each program that has pictures in 2D, the text console among them, where there are
 * contexts at all. It has neither commands nor memory. Called through gpu_context.c.
 */
#include "gpu_context.h"
#include "gpu_resource.h"

static uint32_t plain_blob_create(struct gpu_context *ctx, struct gpu_resource *res,
				  uint64_t blob_id, struct gpu_why *why)
{
	(void)ctx;
	(void)res;
	(void)blob_id;
	return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			       "a context of capset id 0 has no memory of the host");
}

static uint32_t plain_submit(struct gpu_context *ctx, void *data, uint32_t size,
			     struct gpu_why *why)
{
	(void)ctx;
	(void)data;
	if (size)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				       "%u bytes of commands, capset id 0 has none", size);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

const struct gpu_context_type context_plain = {
	.name = "plain",
	.blob_create = plain_blob_create,
	.submit = plain_submit,
};
