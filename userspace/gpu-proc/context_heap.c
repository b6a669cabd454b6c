// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The context type "heap": blobs of a chosen memory type, and no commands. What the guest
 * sees of it is in lib/virtio_gpu_heap.h. Called through gpu_context.c's table.
 */
#include "blob_memory.h"
#include "gpu_context.h"
#include "gpu_resource.h"
#include "log.h"
#include "memtype_name.h"
#include "virtio_gpu_heap.h"

#include <string.h>

#include <linux/dmabuf_memtype.h>

/* The one device's. */
static struct {
	uint32_t memtypes;	/* mask of those that there are */
	uint64_t limit, used;	/* bytes of all blobs */
} heap;

static int heap_open(const struct gpu_context_spec *spec, const struct sandbox_options *sandbox)
{
	uint32_t wanted[] = { DMABUF_MEMTYPE_UC, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_WB };
	size_t i;

	(void)sandbox;
	heap.limit = spec->limit;
	heap.used = 0;
	heap.memtypes = blob_memory_open();
	if (!heap.memtypes) {
		log_error("--context=heap: neither a heap of /dev/dma_heap (system-uc, system-wc) nor /dev/udmabuf can be opened: %m");
		return -1;
	}
	for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		if (!(heap.memtypes & (1u << wanted[i])))
			log_warn("context type heap: no %s memory to be had on this host",
				 memtype_name(wanted[i]));
	return 0;
}

static void heap_close(void)
{
	blob_memory_close();
}

static size_t heap_capset(void *data, size_t len)
{
	struct virtio_gpu_capset_heap capset = {
		.version = VIRTIO_GPU_HEAP_VERSION,
		.memtypes = heap.memtypes,
	};

	memcpy(data, &capset, sizeof(capset) < len ? sizeof(capset) : len);
	return sizeof(capset);
}

static uint32_t heap_blob_create(struct gpu_context *ctx, struct gpu_resource *res,
				 uint64_t blob_id, struct gpu_why *why)
{
	(void)ctx;
	if (blob_id > 31 || !(heap.memtypes & (1u << blob_id)))
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				       "blob_id %llu is no memory type of the mask 0x%x",
				       (unsigned long long)blob_id, heap.memtypes);
	if (res->size > heap.limit - heap.used)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
				       "0x%llx bytes, and 0x%llx are in use: above the limit of 0x%llx",
				       (unsigned long long)res->size,
				       (unsigned long long)heap.used,
				       (unsigned long long)heap.limit);
	res->blob.fd = blob_memory_new(blob_id, res->size);
	if (res->blob.fd < 0)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
				       "0x%llx bytes of %s memory: %m",
				       (unsigned long long)res->size, memtype_name(blob_id));
	heap.used += res->size;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static void heap_blob_destroy(struct gpu_resource *res)
{
	heap.used -= res->size;
}

static uint32_t heap_submit(struct gpu_context *ctx, void *data, uint32_t size,
			    struct gpu_why *why)
{
	(void)ctx;
	(void)data;
	if (size)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				       "%u bytes of commands, a heap has none", size);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

const struct gpu_context_type context_heap = {
	.name = "heap",
	.help = "heap[,limit=SIZE]     memory of type UC, WC or WB, up to SIZE in all (default 256M)",
	.capset_id = VIRTIO_GPU_CAPSET_HEAP,
	.capset_version = VIRTIO_GPU_HEAP_VERSION,
	.open = heap_open,
	.close = heap_close,
	.capset = heap_capset,
	.blob_create = heap_blob_create,
	.blob_destroy = heap_blob_destroy,
	.submit = heap_submit,
};
