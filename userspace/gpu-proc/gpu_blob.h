/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blob resources: memory of the guest or of the host, and where the guest maps it. */
#ifndef GPU_PROC_GPU_BLOB_H
#define GPU_PROC_GPU_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gpu_outcome.h"

struct gpu;
struct gpu_context_type;
struct gpu_request;
struct gpu_resource;
struct shmem_mapping;

/* Of a GPU_RESOURCE_BLOB. */
struct gpu_blob {
	struct gpu *gpu;
	uint32_t mem;				/* VIRTIO_GPU_BLOB_MEM_* */
	uint32_t flags;				/* VIRTIO_GPU_BLOB_FLAG_* */
	const struct gpu_context_type *type;	/* that made the host's memory; NULL: guest memory */
	int fd;					/* the host's memory, a DMA-buf; -1: none to map */
	void *view;				/* this process' mapping of fd, or NULL */
	char label[24];				/* for log lines */
	struct shmem_mapping *mapping;		/* in the region; NULL: none */
	struct gpu_request *waiting;		/* for the front-end to map or unmap it; NULL: none */
	uint32_t map_info;			/* of the mapping, VIRTIO_GPU_MAP_CACHE_* */
};

/*
 * A blob of the guest that goes. If it is mapped, the request is answered when the
 * front-end has unmapped it, and the resource goes then: true.
 */
bool gpu_blob_unref_mapped(struct gpu_request *req, struct gpu_resource *res);

/* Its memory, and its mapping: the front-end is told, its answer not waited for. */
void gpu_blob_release(struct gpu *gpu, struct gpu_resource *res);

/*
 * The host's memory in this process, to be written only where the guest has memory of its
 * own. NULL with errno: it cannot be mapped.
 */
void *gpu_blob_view(struct gpu_resource *res);

/* len bytes at offset of the host's memory. -1: it has not so many, or cannot be mapped. */
int gpu_blob_read(struct gpu_resource *res, uint64_t offset, void *data, size_t len);

/* Handlers of requests. */
enum gpu_outcome gpu_blob_create(struct gpu_request *req);
enum gpu_outcome gpu_blob_map(struct gpu_request *req);
enum gpu_outcome gpu_blob_unmap(struct gpu_request *req);

#endif /* GPU_PROC_GPU_BLOB_H */
