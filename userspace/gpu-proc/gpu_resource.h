/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resources of the guest's virtio-gpu driver: pictures and blobs, by number. */
#ifndef GPU_PROC_GPU_RESOURCE_H
#define GPU_PROC_GPU_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_gpu.h>

#include "gpu_blob.h"
#include "gpu_outcome.h"

struct gpu;
struct gpu_request;

enum gpu_resource_kind {
	GPU_RESOURCE_2D,	/* a picture in this process' memory */
	GPU_RESOURCE_BLOB,
};

/*
 * Guest memory behind a resource, as guest addresses: what they mean is looked up in the
 * memory map at each use, for that may change.
 */
struct gpu_backing {
	struct virtio_gpu_mem_entry *entries;	/* NULL: none is attached */
	uint32_t nr;
	uint64_t size;				/* bytes, of all */
	uint32_t at;				/* where the last use ended, for the next */
	uint64_t at_offset;			/* bytes before that entry */
};

struct gpu_image {
	uint32_t format;	/* VIRTIO_GPU_FORMAT_* */
	uint32_t width, height;	/* pixels */
	uint32_t stride;	/* bytes from a row to the next */
	uint8_t *pixels;
};

struct gpu_resource {
	struct gpu_resource *next;	/* in its bucket */
	uint32_t id;
	enum gpu_resource_kind kind;
	uint64_t size;			/* bytes that it has for the guest */
	uint64_t host_bytes;		/* as counted against the limit, backing apart */
	struct gpu_backing backing;
	struct gpu_image image;		/* GPU_RESOURCE_2D */
	struct gpu_blob blob;		/* GPU_RESOURCE_BLOB */
};

#define GPU_RESOURCE_BUCKETS	1024u	/* a power of two */

struct gpu_resource_table {
	struct gpu_resource *buckets[GPU_RESOURCE_BUCKETS];
	unsigned int count;
	uint64_t host_bytes;		/* of all resources and their backings */
};

/* NULL: no such resource. gpu_resource_get() then has answered the request. */
struct gpu_resource *gpu_resource_find(const struct gpu *gpu, uint32_t id);
struct gpu_resource *gpu_resource_get(struct gpu_request *req, uint32_t id);

/*
 * A new resource that takes host_bytes of this process' memory; its kind's own fields are
 * the caller's to fill in. NULL after it has answered the request: the id is 0 or in use,
 * or a limit is reached.
 */
struct gpu_resource *gpu_resource_create(struct gpu_request *req, uint32_t id,
					 enum gpu_resource_kind kind, uint64_t host_bytes);
void gpu_resource_destroy(struct gpu *gpu, struct gpu_resource *res);
void gpu_resource_destroy_all(struct gpu *gpu);

/*
 * Attach nr entries that stand in the request at offset: 0, or -1 after it has answered
 * the request.
 */
int gpu_resource_attach(struct gpu_request *req, struct gpu_resource *res, uint32_t offset,
			uint32_t nr);

/* len bytes at offset of the backing. -1: it has not so many, or they are not memory. */
int gpu_backing_read(const struct gpu *gpu, struct gpu_backing *backing, uint64_t offset,
		     void *data, size_t len);
int gpu_backing_write(const struct gpu *gpu, struct gpu_backing *backing, uint64_t offset,
		      void *data, size_t len);

/* len bytes at offset of what it shows: its picture's, or its blob's. -1: as above. */
int gpu_resource_read(const struct gpu *gpu, struct gpu_resource *res, uint64_t offset,
		      void *data, size_t len);

enum gpu_outcome gpu_resource_unref(struct gpu_request *req);
enum gpu_outcome gpu_resource_attach_backing(struct gpu_request *req);
enum gpu_outcome gpu_resource_detach_backing(struct gpu_request *req);

#endif /* GPU_PROC_GPU_RESOURCE_H */
