// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests of the guest's virtio-gpu driver: one table of them. Each is copied out of
 * the guest's memory once, whole, before anything in it is looked at. Called by queue.c
 * for each chain, and by whoever completes a request later.
 */
#include "gpu_command.h"
#include "gpu_2d.h"
#include "gpu_cursor.h"
#include "gpu_resource.h"
#include "gpu_scanout.h"
#include "gpu_transfer.h"
#include "log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command_rule {
	uint32_t type;
	unsigned int queue;	/* QUEUE_*: where it belongs */
	const char *name;
	size_t size;		/* of its struct; more may follow */
	enum gpu_outcome (*serve)(struct gpu_request *req);
};

#define CONTROL(type, size, serve) \
	{ VIRTIO_GPU_CMD_##type, QUEUE_CONTROL, #type, sizeof(struct virtio_gpu_##size), serve }

#define CURSOR(type, serve) \
	{ VIRTIO_GPU_CMD_##type, QUEUE_CURSOR, #type, sizeof(struct virtio_gpu_update_cursor), serve }

static const struct command_rule rules[] = {
	CONTROL(GET_DISPLAY_INFO, ctrl_hdr, gpu_scanout_get_display_info),
	CONTROL(GET_EDID, cmd_get_edid, gpu_scanout_get_edid),
	CONTROL(RESOURCE_CREATE_2D, resource_create_2d, gpu_2d_create),
	CONTROL(RESOURCE_UNREF, resource_unref, gpu_resource_unref),
	CONTROL(RESOURCE_ATTACH_BACKING, resource_attach_backing, gpu_resource_attach_backing),
	CONTROL(RESOURCE_DETACH_BACKING, resource_detach_backing, gpu_resource_detach_backing),
	CONTROL(TRANSFER_TO_HOST_2D, transfer_to_host_2d, gpu_2d_transfer),
	CONTROL(SET_SCANOUT, set_scanout, gpu_scanout_set),
	CONTROL(SET_SCANOUT_BLOB, set_scanout_blob, gpu_scanout_set_blob),
	CONTROL(RESOURCE_FLUSH, resource_flush, gpu_scanout_flush),
	CONTROL(GET_CAPSET_INFO, get_capset_info, gpu_context_get_capset_info),
	CONTROL(GET_CAPSET, get_capset, gpu_context_get_capset),
	CONTROL(RESOURCE_CREATE_BLOB, resource_create_blob, gpu_blob_create),
	CONTROL(CTX_CREATE, ctx_create, gpu_context_create),
	CONTROL(CTX_DESTROY, ctx_destroy, gpu_context_destroy),
	CONTROL(CTX_ATTACH_RESOURCE, ctx_resource, gpu_context_attach_resource),
	CONTROL(CTX_DETACH_RESOURCE, ctx_resource, gpu_context_detach_resource),
	CONTROL(TRANSFER_TO_HOST_3D, transfer_host_3d, gpu_transfer_to_host),
	CONTROL(TRANSFER_FROM_HOST_3D, transfer_host_3d, gpu_transfer_from_host),
	CONTROL(SUBMIT_3D, cmd_submit, gpu_context_submit),
	CONTROL(RESOURCE_MAP_BLOB, resource_map_blob, gpu_blob_map),
	CONTROL(RESOURCE_UNMAP_BLOB, resource_unmap_blob, gpu_blob_unmap),
	CURSOR(UPDATE_CURSOR, gpu_cursor_update),
	CURSOR(MOVE_CURSOR, gpu_cursor_move),
};

static const struct command_rule *find_rule(uint32_t type)
{
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (rules[i].type == type)
			return &rules[i];
	return NULL;
}

enum gpu_outcome gpu_respond_with(struct gpu_request *req, uint32_t type, uint32_t size)
{
	const struct virtio_gpu_ctrl_hdr *hdr = &req->cmd->hdr;
	struct virtio_gpu_ctrl_hdr *answer = &req->response.hdr;

	req->response_size = size;
	*answer = (struct virtio_gpu_ctrl_hdr){ .type = type };
	/* A fenced request wants its fence back, also with an error. */
	if (req->size >= sizeof(*hdr) && hdr->flags & VIRTIO_GPU_FLAG_FENCE) {
		answer->flags = hdr->flags & (VIRTIO_GPU_FLAG_FENCE |
					      VIRTIO_GPU_FLAG_INFO_RING_IDX);
		answer->fence_id = hdr->fence_id;
		answer->ctx_id = hdr->ctx_id;
		if (hdr->flags & VIRTIO_GPU_FLAG_INFO_RING_IDX)
			answer->ring_idx = hdr->ring_idx;
	}
	return GPU_DONE;
}

enum gpu_outcome gpu_respond(struct gpu_request *req, uint32_t type)
{
	return gpu_respond_with(req, type, sizeof(req->response.hdr));
}

enum gpu_outcome gpu_refuse(struct gpu_request *req, uint32_t type, const char *fmt, ...)
{
	const struct command_rule *rule = NULL;
	char text[192];
	va_list ap;

	if (req->size >= sizeof(req->cmd->hdr))
		rule = find_rule(req->cmd->hdr.type);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	gpu_complain(req->gpu, "%s%s: %s", rule ? rule->name : req->queue->name,
		     rule ? "" : " queue", text);
	return gpu_respond(req, type);
}

/* What it takes until it is answered. */
static uint64_t request_bytes(const struct gpu_request *req)
{
	return sizeof(*req) + req->size + req->nr_in * sizeof(*req->in);
}

static void unlink_request(struct gpu_request *req)
{
	req->gpu->pending_bytes -= request_bytes(req);
	if (req->next)
		req->next->prev = req->prev;
	if (req->prev)
		req->prev->next = req->next;
	else
		req->gpu->pending = req->next;
}

static void link_request(struct gpu_request *req)
{
	req->gpu->pending_bytes += request_bytes(req);
	req->next = req->gpu->pending;
	if (req->next)
		req->next->prev = req;
	req->gpu->pending = req;
}

void gpu_request_forget(struct gpu_request *req)
{
	unlink_request(req);
	if (req->held_by)
		*req->held_by = NULL;
	free(req->cmd);
	free(req->in);
	free(req);
}

void gpu_request_finish(struct gpu_request *req)
{
	/* Cursor commands have no room, and want none. */
	if (req->response_size > req->in_len) {
		if (req->in_len)
			gpu_complain(req->gpu, "%s queue: room for %u bytes, the response 0x%x has %u",
				     req->queue->name, req->in_len, req->response.hdr.type,
				     req->response_size);
		req->response_size = 0;
	}
	queue_answer(req->queue, req->head, req->in, req->nr_in, &req->response,
		     req->response_size);
	gpu_request_forget(req);
}

void gpu_request_done(struct gpu_request *req)
{
	if (!gpu_fence_add(req))
		gpu_request_finish(req);
}

void gpu_request_complete(struct gpu_request *req, uint32_t type)
{
	gpu_respond(req, type);
	gpu_request_done(req);
}

static enum gpu_outcome serve(struct gpu_request *req)
{
	const struct command_rule *rule;

	if (req->size < sizeof(req->cmd->hdr))
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC,
				  "a request of %u bytes has no header", req->size);
	rule = find_rule(req->cmd->hdr.type);
	if (!rule)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC, "command 0x%x is unknown",
				  req->cmd->hdr.type);
	if (req->queue != &req->gpu->queues[rule->queue])
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC, "came on the %s queue",
				  req->queue->name);
	if (req->size < rule->size)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "%u bytes, must be %zu", req->size, rule->size);
	return rule->serve(req);
}

/* Copy it all: from here on the guest cannot change it. */
static struct gpu_request *read_request(struct queue *queue, const struct virtqueue_chain *chain)
{
	struct gpu_request *req = calloc(1, sizeof(*req));
	unsigned int i;

	if (!req)
		return NULL;
	req->gpu = queue->opaque;
	req->queue = queue;
	req->head = chain->head;
	req->size = chain->out_len;
	req->cmd = calloc(1, req->size > sizeof(*req->cmd) ? req->size : sizeof(*req->cmd));
	req->in = calloc(chain->nr_in + 1, sizeof(*req->in));
	if (!req->cmd || !req->in) {
		free(req->cmd);
		free(req->in);
		free(req);
		return NULL;
	}
	virtqueue_read(chain, 0, req->cmd, req->size);
	for (i = 0; i < chain->nr_in; i++)
		req->in[i] = (struct queue_segment){
			.gpa = chain->gpa[chain->nr_out + i],
			.len = chain->iov[chain->nr_out + i].iov_len,
		};
	req->nr_in = chain->nr_in;
	req->in_len = chain->in_len < UINT32_MAX ? chain->in_len : UINT32_MAX;
	return req;
}

void gpu_serve(struct queue *queue, const struct virtqueue_chain *chain)
{
	struct gpu *gpu = queue->opaque;
	struct gpu_request *req = NULL;

	if (chain->out_len <= GPU_REQUEST_MAX)
		req = read_request(queue, chain);
	if (!req) {
		gpu_complain(gpu, "%s queue: a request of %zu bytes is too long, its end is 0x%x",
			     queue->name, chain->out_len, GPU_REQUEST_MAX);
		queue_answer(queue, chain->head, NULL, 0, NULL, 0);
		return;
	}
	link_request(req);
	/* A driver that offers its descriptors again before they are answered has no end of them. */
	if (gpu->pending_bytes > gpu->limits.pending_bytes) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
			   "%llu bytes of requests are not answered yet",
			   (unsigned long long)gpu->pending_bytes);
		gpu_request_finish(req);
		return;
	}
	if (serve(req) == GPU_DONE)
		gpu_request_done(req);
}
