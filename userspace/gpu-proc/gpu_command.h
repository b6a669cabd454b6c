/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests of the guest's virtio-gpu driver, from the chain to the answer. */
#ifndef GPU_PROC_GPU_COMMAND_H
#define GPU_PROC_GPU_COMMAND_H

#include <stdint.h>

#include <linux/virtio_gpu.h>

#include "gpu.h"
#include "gpu_outcome.h"

#define GPU_REQUEST_MAX		(4u << 20)	/* bytes of one */
#define GPU_RESPONSE_MAX	4096u		/* with the header */

union gpu_response {
	struct virtio_gpu_ctrl_hdr hdr;
	struct virtio_gpu_resp_display_info display_info;
	struct virtio_gpu_resp_capset_info capset_info;
	struct virtio_gpu_resp_edid edid;
	struct virtio_gpu_resp_map_info map_info;
	uint8_t bytes[GPU_RESPONSE_MAX];	/* a capset, too */
};

struct gpu_request {
	struct gpu *gpu;
	struct queue *queue;
	struct gpu_request *next, *prev;	/* of gpu->pending */
	struct gpu_request **held_by;		/* pointer to it that goes with it, or NULL */
	uint64_t fence;				/* that it waits for; 0: none */
	uint16_t head;				/* of its chain */
	unsigned int nr_in;			/* room for the response, in the guest's memory */
	struct queue_segment *in;
	uint32_t in_len;
	union gpu_response response;
	uint32_t response_size;
	uint32_t size;				/* bytes of what follows: the handler's struct, or more */
	union {
		struct virtio_gpu_ctrl_hdr hdr;
		struct virtio_gpu_cmd_get_edid get_edid;
		struct virtio_gpu_resource_create_2d create_2d;
		struct virtio_gpu_resource_unref unref;
		struct virtio_gpu_resource_attach_backing attach_backing;
		struct virtio_gpu_resource_detach_backing detach_backing;
		struct virtio_gpu_transfer_to_host_2d transfer_to_host_2d;
		struct virtio_gpu_transfer_host_3d transfer_3d;
		struct virtio_gpu_set_scanout set_scanout;
		struct virtio_gpu_set_scanout_blob set_scanout_blob;
		struct virtio_gpu_resource_flush resource_flush;
		struct virtio_gpu_update_cursor update_cursor;
		struct virtio_gpu_get_capset_info get_capset_info;
		struct virtio_gpu_get_capset get_capset;
		struct virtio_gpu_ctx_create ctx_create;
		struct virtio_gpu_ctx_resource ctx_resource;
		struct virtio_gpu_cmd_submit submit;
		struct virtio_gpu_resource_create_blob create_blob;
		struct virtio_gpu_resource_map_blob map_blob;
		struct virtio_gpu_resource_unmap_blob unmap_blob;
	} *cmd;
};

/* The queue_serve_fn of both queues; their opaque is the struct gpu. */
void gpu_serve(struct queue *queue, const struct virtqueue_chain *chain);

/*
 * For handlers: fill the response in. gpu_respond() has nothing but a header,
 * gpu_respond_with() has req->response, filled in up to size. gpu_refuse() logs why.
 */
enum gpu_outcome gpu_respond(struct gpu_request *req, uint32_t type);
enum gpu_outcome gpu_respond_with(struct gpu_request *req, uint32_t type, uint32_t size);
enum gpu_outcome gpu_refuse(struct gpu_request *req, uint32_t type, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * For requests that were GPU_PENDING: served now, with what gpu_respond…() set, or with
 * nothing but a header. The answer goes out when their fence signals, if they have one.
 */
void gpu_request_done(struct gpu_request *req);
void gpu_request_complete(struct gpu_request *req, uint32_t type);

/* The end of its life: */
void gpu_request_finish(struct gpu_request *req);			/* answer it now */
void gpu_request_forget(struct gpu_request *req);			/* no answer: the ring is gone */

#endif /* GPU_PROC_GPU_COMMAND_H */
