// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blob resources. Guest memory stays where it is; the host's memory comes from a context
 * as a DMA-buf, which the front-end maps into the region when the guest asks for it. A blob may
 * have both: the guest maps its own, and gpu_transfer.c moves bytes from one to the other.
 * Called by gpu_command.c's table and by gpu_resource.c.
 *
 * While the front-end maps or unmaps, the control queue stands: a driver may rely on the
 * order of its requests. The main loop goes on.
 *
 * What the guest is told of the mapping's memory type is what the kernel says of the
 * DMA-buf. A type that the kernel does not know, or virtio-gpu has no word for, cannot be
 * mapped: a guess would be an alias of another type in the guest.
 */
#include "gpu_blob.h"
#include "gpu.h"
#include "gpu_command.h"
#include "gpu_context.h"
#include "memtype.h"
#include "memtype_name.h"
#include "shmem.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dmabuf_memtype.h>

#define PAGE	4096u	/* the guest's; this host's is the same */

#define ALL_FLAGS	(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | \
			 VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE | \
			 VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE)

/* Parameters that are wrong whatever there is: 0, or -1 after it has answered the request. */
static int check_create(struct gpu_request *req)
{
	const struct virtio_gpu_resource_create_blob *cmd = &req->cmd->create_blob;

	if (cmd->blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST &&
	    cmd->blob_mem != VIRTIO_GPU_BLOB_MEM_HOST3D &&
	    cmd->blob_mem != VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u: there is no blob_mem %u", cmd->resource_id,
			   cmd->blob_mem);
	else if (cmd->blob_flags & ~ALL_FLAGS)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u: blob_flags 0x%x, only 0x%x are known", cmd->resource_id,
			   cmd->blob_flags, ALL_FLAGS);
	else if (!cmd->size || cmd->size % PAGE)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u: a blob of 0x%llx bytes, must be pages of %u",
			   cmd->resource_id, (unsigned long long)cmd->size, PAGE);
	else if (cmd->blob_mem == VIRTIO_GPU_BLOB_MEM_HOST3D && cmd->nr_entries)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u: %u entries of guest memory for a blob of the host's",
			   cmd->resource_id, cmd->nr_entries);
	else
		return 0;
	return -1;
}

/* The guest's memory behind a blob: 0, or -1 after it has answered the request. */
static int attach_guest_memory(struct gpu_request *req, struct gpu_resource *res)
{
	const struct virtio_gpu_resource_create_blob *cmd = &req->cmd->create_blob;

	if (gpu_resource_attach(req, res, sizeof(*cmd), cmd->nr_entries) < 0)
		return -1;
	if (res->backing.size < cmd->size) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u: a blob of 0x%llx bytes has 0x%llx of guest memory",
			   res->id, (unsigned long long)cmd->size,
			   (unsigned long long)res->backing.size);
		return -1;
	}
	return 0;
}

/* The host's memory behind a blob: 0, or -1 after it has answered the request. */
static int create_host_memory(struct gpu_request *req, struct gpu_resource *res)
{
	const struct virtio_gpu_resource_create_blob *cmd = &req->cmd->create_blob;
	struct gpu_context *ctx = gpu_context_find(req->gpu, cmd->hdr.ctx_id);
	struct gpu_why why = { "" };
	uint32_t type;

	if (!ctx) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID,
			   "resource %u: there is no context %u", res->id, cmd->hdr.ctx_id);
		return -1;
	}
	type = ctx->type->blob_create(ctx, res, cmd->blob_id, &why);
	if (type != VIRTIO_GPU_RESP_OK_NODATA) {
		gpu_refuse(req, type, "resource %u of context %u: %s", res->id, ctx->id, why.text);
		return -1;
	}
	res->blob.type = ctx->type;
	return 0;
}

enum gpu_outcome gpu_blob_create(struct gpu_request *req)
{
	const struct virtio_gpu_resource_create_blob *cmd = &req->cmd->create_blob;
	struct gpu_resource *res;

	if (check_create(req) < 0)
		return GPU_DONE;
	res = gpu_resource_create(req, cmd->resource_id, GPU_RESOURCE_BLOB, 0);
	if (!res)
		return GPU_DONE;
	res->blob = (struct gpu_blob){
		.gpu = req->gpu,
		.mem = cmd->blob_mem,
		.flags = cmd->blob_flags,
		.fd = -1,
	};
	res->size = cmd->size;
	snprintf(res->blob.label, sizeof(res->blob.label), "blob %u", res->id);
	if ((cmd->blob_mem != VIRTIO_GPU_BLOB_MEM_HOST3D && attach_guest_memory(req, res) < 0) ||
	    (cmd->blob_mem != VIRTIO_GPU_BLOB_MEM_GUEST && create_host_memory(req, res) < 0)) {
		gpu_resource_destroy(req->gpu, res);
		return GPU_DONE;
	}
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}

void gpu_blob_release(struct gpu *gpu, struct gpu_resource *res)
{
	if (res->blob.waiting)
		res->blob.waiting->held_by = NULL;
	if (res->blob.mapping)
		shmem_abandon(gpu->shmem, res->blob.mapping);
	if (res->blob.type && res->blob.type->blob_destroy)
		res->blob.type->blob_destroy(res);
	if (res->blob.view)
		munmap(res->blob.view, res->size);
	if (res->blob.fd >= 0)
		close(res->blob.fd);
}

void *gpu_blob_view(struct gpu_resource *res)
{
	int prot = res->blob.mem == VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST ? PROT_READ | PROT_WRITE :
								       PROT_READ;
	void *view;

	if (!res->blob.view) {
		view = mmap(NULL, res->size, prot, MAP_SHARED, res->blob.fd, 0);
		if (view == MAP_FAILED)
			return NULL;
		res->blob.view = view;
	}
	return res->blob.view;
}

int gpu_blob_read(struct gpu_resource *res, uint64_t offset, void *data, size_t len)
{
	if (res->blob.fd < 0 || offset > res->size || len > res->size - offset ||
	    !gpu_blob_view(res))
		return -1;
	memcpy(data, (const char *)res->blob.view + offset, len);
	return 0;
}

/* The request waits for the front-end, and with it the control queue. */
static enum gpu_outcome wait_for_front_end(struct gpu_request *req, struct gpu_resource *res)
{
	res->blob.waiting = req;
	req->held_by = &res->blob.waiting;
	queue_hold(req->queue);
	return GPU_PENDING;
}

/* The front-end has answered, or will not any more. */
static void on_event(struct shmem_mapping *mapping, enum shmem_event event)
{
	struct gpu_resource *res = mapping->owner;
	struct gpu_request *req = res->blob.waiting;
	struct gpu *gpu = res->blob.gpu;
	struct queue *queue;

	if (event != SHMEM_EVENT_MAPPED)
		res->blob.mapping = NULL;
	if (!req) {
		/* The ring was stopped, and the guest told that it failed. */
		if (event == SHMEM_EVENT_MAPPED) {
			res->blob.mapping = NULL;
			shmem_abandon(gpu->shmem, mapping);
		}
		return;
	}
	queue = req->queue;
	switch (req->cmd->hdr.type) {
	case VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB:
		if (event != SHMEM_EVENT_MAPPED) {
			gpu_request_complete(req, VIRTIO_GPU_RESP_ERR_UNSPEC);
			break;
		}
		req->response.map_info.map_info = res->blob.map_info;
		gpu_respond_with(req, VIRTIO_GPU_RESP_OK_MAP_INFO,
				 sizeof(req->response.map_info));
		gpu_request_done(req);
		break;
	case VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB:
		gpu_request_complete(req, event == SHMEM_EVENT_UNMAPPED ?
					  VIRTIO_GPU_RESP_OK_NODATA :
					  VIRTIO_GPU_RESP_ERR_UNSPEC);
		break;
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
		gpu_resource_destroy(gpu, res);
		gpu_request_complete(req, VIRTIO_GPU_RESP_OK_NODATA);
		break;
	}
	queue_release(queue);
}

/* The word of virtio-gpu for a memory type; CACHE_NONE: there is none. */
static uint32_t map_info_of(uint32_t memtype)
{
	switch (memtype) {
	case DMABUF_MEMTYPE_WB:
		return VIRTIO_GPU_MAP_CACHE_CACHED;
	case DMABUF_MEMTYPE_WC:
		return VIRTIO_GPU_MAP_CACHE_WC;
	case DMABUF_MEMTYPE_UC:
	case DMABUF_MEMTYPE_UC_MINUS:
		return VIRTIO_GPU_MAP_CACHE_UNCACHED;
	}
	return VIRTIO_GPU_MAP_CACHE_NONE;
}

/* Can it be mapped at all, and there? 0, or -1 after it has answered the request. */
static int check_map(struct gpu_request *req, const struct gpu_resource *res, uint64_t offset)
{
	const struct gpu_blob *blob = &res->blob;
	const struct shmem *shmem = req->gpu->shmem;

	if (res->kind != GPU_RESOURCE_BLOB || blob->mem != VIRTIO_GPU_BLOB_MEM_HOST3D ||
	    blob->fd < 0 || !(blob->flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE))
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u is no mappable blob of the host's", res->id);
	else if (blob->mapping)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u is mapped already, at 0x%llx", res->id,
			   (unsigned long long)blob->mapping->offset);
	else if (offset % PAGE || !shmem_is_free(shmem, offset, res->size))
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u: 0x%llx bytes at 0x%llx are not free pages of the region's 0x%llx",
			   res->id, (unsigned long long)res->size, (unsigned long long)offset,
			   (unsigned long long)shmem->size);
	else if (!shmem_can_send(shmem))
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC,
			   "resource %u: the front-end has not negotiated that it maps blobs",
			   res->id);
	else
		return 0;
	return -1;
}

enum gpu_outcome gpu_blob_map(struct gpu_request *req)
{
	const struct virtio_gpu_resource_map_blob *cmd = &req->cmd->map_blob;
	struct gpu_resource *res = gpu_resource_get(req, cmd->resource_id);
	struct shmem_mapping what;
	uint32_t memtype;

	if (!res || check_map(req, res, cmd->offset) < 0)
		return GPU_DONE;
	if (memtype_ask(res->blob.fd, &memtype) < 0)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC,
				  "resource %u: the kernel does not tell its memory type: %m",
				  res->id);
	res->blob.map_info = map_info_of(memtype);
	if (res->blob.map_info == VIRTIO_GPU_MAP_CACHE_NONE)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC,
				  "resource %u: has memory type %s, of which a guest cannot be told",
				  res->id, memtype_name(memtype) ?: "unknown");
	what = (struct shmem_mapping){
		.offset = cmd->offset,
		.size = res->size,
		.fd = res->blob.fd,
		.label = res->blob.label,
		.event = on_event,
		.owner = res,
	};
	res->blob.mapping = shmem_map(req->gpu->shmem, &what);
	if (!res->blob.mapping)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
				  "resource %u: the front-end cannot be asked to map it", res->id);
	return wait_for_front_end(req, res);
}

/* Have it unmapped, and wait. */
static enum gpu_outcome unmap(struct gpu_request *req, struct gpu_resource *res)
{
	if (shmem_unmap(req->gpu->shmem, res->blob.mapping) < 0)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC,
				  "resource %u: the front-end cannot be asked to unmap it",
				  res->id);
	return wait_for_front_end(req, res);
}

enum gpu_outcome gpu_blob_unmap(struct gpu_request *req)
{
	uint32_t id = req->cmd->unmap_blob.resource_id;
	struct gpu_resource *res = gpu_resource_get(req, id);

	if (!res)
		return GPU_DONE;
	if (!res->blob.mapping || res->blob.mapping->state == SHMEM_UNMAPPING)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "resource %u is not mapped", id);
	if (!shmem_can_send(req->gpu->shmem))
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC,
				  "resource %u: the front-end has closed its socket", id);
	return unmap(req, res);
}

bool gpu_blob_unref_mapped(struct gpu_request *req, struct gpu_resource *res)
{
	const struct shmem_mapping *mapping = res->blob.mapping;

	return mapping && mapping->state != SHMEM_UNMAPPING && req->gpu->shmem->sock >= 0 &&
	       unmap(req, res) == GPU_PENDING;
}
