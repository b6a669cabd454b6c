// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Resources of the guest's virtio-gpu driver, by number, and the guest memory that it
 * attaches to them. Called by gpu_command.c's table and by the files of each kind.
 */
#include "gpu_resource.h"
#include "gpu.h"
#include "gpu_command.h"

#include <stdlib.h>
#include <string.h>

static struct gpu_resource **bucket(const struct gpu *gpu, uint32_t id)
{
	/* Drivers count upwards. */
	return (struct gpu_resource **)&gpu->resources.buckets[id & (GPU_RESOURCE_BUCKETS - 1)];
}

struct gpu_resource *gpu_resource_find(const struct gpu *gpu, uint32_t id)
{
	struct gpu_resource *res = *bucket(gpu, id);

	while (res && res->id != id)
		res = res->next;
	return res;
}

struct gpu_resource *gpu_resource_get(struct gpu_request *req, uint32_t id)
{
	struct gpu_resource *res = gpu_resource_find(req->gpu, id);

	if (!res)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID,
			   "there is no resource %u", id);
	return res;
}

/* Room for so much more? */
static bool within_limit(const struct gpu *gpu, uint64_t bytes)
{
	return gpu->resources.host_bytes <= gpu->limits.host_bytes &&
	       bytes <= gpu->limits.host_bytes - gpu->resources.host_bytes;
}

struct gpu_resource *gpu_resource_create(struct gpu_request *req, uint32_t id,
					 enum gpu_resource_kind kind, uint64_t host_bytes)
{
	struct gpu *gpu = req->gpu;
	struct gpu_resource *res;

	if (!id || gpu_resource_find(gpu, id)) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID,
			   "resource %u is %s", id, id ? "there already" : "none");
		return NULL;
	}
	if (gpu->resources.count >= gpu->limits.resources) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
			   "resource %u: there are %u resources, and may not be more", id,
			   gpu->resources.count);
		return NULL;
	}
	if (!within_limit(gpu, host_bytes)) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
			   "resource %u: %llu bytes and the %llu of all others are above the limit, %llu",
			   id, (unsigned long long)host_bytes,
			   (unsigned long long)gpu->resources.host_bytes,
			   (unsigned long long)gpu->limits.host_bytes);
		return NULL;
	}
	res = calloc(1, sizeof(*res));
	if (!res) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "resource %u: no memory", id);
		return NULL;
	}
	res->id = id;
	res->kind = kind;
	res->host_bytes = host_bytes;
	res->next = *bucket(gpu, id);
	*bucket(gpu, id) = res;
	gpu->resources.count++;
	gpu->resources.host_bytes += host_bytes;
	return res;
}

static uint64_t entries_bytes(uint32_t nr)
{
	return (uint64_t)nr * sizeof(struct virtio_gpu_mem_entry);
}

static void detach(struct gpu *gpu, struct gpu_resource *res)
{
	gpu->resources.host_bytes -= entries_bytes(res->backing.nr);
	free(res->backing.entries);
	res->backing = (struct gpu_backing){ .nr = 0 };
}

void gpu_resource_destroy(struct gpu *gpu, struct gpu_resource *res)
{
	struct gpu_resource **p = bucket(gpu, res->id);

	while (*p != res)
		p = &(*p)->next;
	*p = res->next;
	gpu_scanout_forget(gpu, res);
	if (res->kind == GPU_RESOURCE_BLOB)
		gpu_blob_release(gpu, res);
	detach(gpu, res);
	free(res->image.pixels);
	gpu->resources.count--;
	gpu->resources.host_bytes -= res->host_bytes;
	free(res);
}

void gpu_resource_destroy_all(struct gpu *gpu)
{
	unsigned int i;

	for (i = 0; i < GPU_RESOURCE_BUCKETS; i++)
		while (gpu->resources.buckets[i])
			gpu_resource_destroy(gpu, gpu->resources.buckets[i]);
}

/* 0: all of them are guest memory; their bytes in *size. */
static int check_entries(struct gpu_request *req, const struct virtio_gpu_mem_entry *entries,
			 uint32_t nr, uint64_t *size)
{
	uint32_t i;

	*size = 0;
	for (i = 0; i < nr; i++) {
		if (!entries[i].length ||
		    !guest_memory_from_guest(req->gpu->memory, entries[i].addr,
					     entries[i].length)) {
			gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				   "entry %u, 0x%x bytes at 0x%llx, is not in the guest's memory",
				   i, entries[i].length, (unsigned long long)entries[i].addr);
			return -1;
		}
		*size += entries[i].length;
	}
	return 0;
}

int gpu_resource_attach(struct gpu_request *req, struct gpu_resource *res, uint32_t offset,
			uint32_t nr)
{
	struct gpu *gpu = req->gpu;
	struct virtio_gpu_mem_entry *entries;
	uint64_t bytes = entries_bytes(nr), size;

	if (res->backing.entries) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC, "resource %u has a backing already",
			   res->id);
		return -1;
	}
	if (!nr || bytes > req->size - offset) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "resource %u: %u entries, but %u bytes of them", res->id, nr,
			   req->size - offset);
		return -1;
	}
	if (!within_limit(gpu, bytes)) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
			   "resource %u: %u entries are above the limit of memory, %llu", res->id,
			   nr, (unsigned long long)gpu->limits.host_bytes);
		return -1;
	}
	entries = malloc(bytes);
	if (!entries) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
			   "resource %u: no memory for %u entries", res->id, nr);
		return -1;
	}
	memcpy(entries, (const char *)req->cmd + offset, bytes);
	if (check_entries(req, entries, nr, &size) < 0) {
		free(entries);
		return -1;
	}
	res->backing = (struct gpu_backing){ .entries = entries, .nr = nr, .size = size };
	gpu->resources.host_bytes += bytes;
	return 0;
}

/* Bytes between data and the backing. */
static int move_bytes(const struct gpu *gpu, struct gpu_backing *backing, uint64_t offset,
		      uint8_t *data, size_t len, bool write)
{
	if (offset > backing->size || len > backing->size - offset)
		return -1;
	/* Rows follow each other: seldom from the start. */
	if (offset < backing->at_offset) {
		backing->at = 0;
		backing->at_offset = 0;
	}
	while (len) {
		const struct virtio_gpu_mem_entry *entry = &backing->entries[backing->at];
		uint64_t skip = offset - backing->at_offset, n;
		void *there;

		if (skip >= entry->length) {
			backing->at_offset += entry->length;
			backing->at++;
			continue;
		}
		n = entry->length - skip < len ? entry->length - skip : len;
		there = guest_memory_from_guest(gpu->memory, entry->addr + skip, n);
		if (!there)
			return -1;
		memcpy(write ? there : data, write ? data : there, n);
		if (write)
			guest_memory_mark(gpu->memory, entry->addr + skip, n);
		data += n;
		offset += n;
		len -= n;
	}
	return 0;
}

int gpu_backing_read(const struct gpu *gpu, struct gpu_backing *backing, uint64_t offset,
		     void *data, size_t len)
{
	return move_bytes(gpu, backing, offset, data, len, false);
}

int gpu_backing_write(const struct gpu *gpu, struct gpu_backing *backing, uint64_t offset,
		      void *data, size_t len)
{
	return move_bytes(gpu, backing, offset, data, len, true);
}

int gpu_resource_read(const struct gpu *gpu, struct gpu_resource *res, uint64_t offset,
		      void *data, size_t len)
{
	if (res->kind == GPU_RESOURCE_BLOB && res->blob.mem != VIRTIO_GPU_BLOB_MEM_GUEST)
		return gpu_blob_read(res, offset, data, len);
	if (res->kind != GPU_RESOURCE_2D)
		return gpu_backing_read(gpu, &res->backing, offset, data, len);
	if (offset > res->size || len > res->size - offset)
		return -1;
	memcpy(data, res->image.pixels + offset, len);
	return 0;
}

enum gpu_outcome gpu_resource_unref(struct gpu_request *req)
{
	struct gpu_resource *res = gpu_resource_get(req, req->cmd->unref.resource_id);

	if (!res)
		return GPU_DONE;
	if (res->kind == GPU_RESOURCE_BLOB && gpu_blob_unref_mapped(req, res))
		return GPU_PENDING;
	gpu_resource_destroy(req->gpu, res);
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}

enum gpu_outcome gpu_resource_attach_backing(struct gpu_request *req)
{
	const struct virtio_gpu_resource_attach_backing *cmd = &req->cmd->attach_backing;
	struct gpu_resource *res = gpu_resource_get(req, cmd->resource_id);

	if (!res || gpu_resource_attach(req, res, sizeof(*cmd), cmd->nr_entries) < 0)
		return GPU_DONE;
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}

enum gpu_outcome gpu_resource_detach_backing(struct gpu_request *req)
{
	struct gpu_resource *res = gpu_resource_get(req, req->cmd->detach_backing.resource_id);

	if (!res)
		return GPU_DONE;
	if (!res->backing.entries)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC, "resource %u has no backing",
				  res->id);
	detach(req->gpu, res);
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}
