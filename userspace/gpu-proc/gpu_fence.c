// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fences. A request with a fence on a ring of a context is answered when the context's
 * renderer has done what was submitted to the ring before; all others are done when they
 * have been served. The guest's fence ids go back to the guest and mean nothing here:
 * fences have numbers of their own, which only grow. Called by gpu_command.c for each
 * request, by the context types, and by the main loop.
 *
 * Renderers signal from threads of theirs, into a list; the main loop empties it.
 */
#include "gpu_fence.h"
#include "gpu.h"
#include "gpu_command.h"
#include "gpu_context.h"
#include "log.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;	/* of: */
static struct gpu_fence_signal *signals;
static int signal_event = -1;

int gpu_fence_open(struct gpu *gpu)
{
	if (gpu->fences.event >= 0)
		return 0;
	gpu->fences.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (gpu->fences.event < 0) {
		log_error("cannot make an event fd for fences: %m");
		return -1;
	}
	signal_event = gpu->fences.event;
	return 0;
}

static struct gpu_fence_signal *take_signals(void)
{
	struct gpu_fence_signal *all;

	pthread_mutex_lock(&lock);
	all = signals;
	signals = NULL;
	pthread_mutex_unlock(&lock);
	return all;
}

void gpu_fence_close(struct gpu *gpu)
{
	struct gpu_fence_signal *all = take_signals(), *next;

	for (; all; all = next) {
		next = all->next;
		free(all);
	}
	if (gpu->fences.event >= 0)
		close(gpu->fences.event);
	gpu->fences.event = -1;
	signal_event = -1;
}

/* Answer what waits for a context, on one ring up to a fence, or (ring < 0) all. Oldest first. */
static void complete(struct gpu *gpu, uint32_t ctx_id, int ring, uint64_t fence)
{
	struct gpu_request *req = gpu->pending, *prev;

	/* New ones come to the front. */
	while (req && req->next)
		req = req->next;
	for (; req; req = prev) {
		prev = req->prev;
		if (req->fence && req->fence <= fence && req->cmd->hdr.ctx_id == ctx_id &&
		    (ring < 0 || req->cmd->hdr.ring_idx == ring))
			gpu_request_finish(req);
	}
}

bool gpu_fence_add(struct gpu_request *req)
{
	const struct virtio_gpu_ctrl_hdr *hdr = &req->cmd->hdr;
	uint32_t flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX;
	struct gpu *gpu = req->gpu;
	struct gpu_context *ctx;
	uint64_t fence;

	if (req->size < sizeof(*hdr) || (hdr->flags & flags) != flags)
		return false;
	ctx = gpu_context_find(gpu, hdr->ctx_id);
	if (!ctx || !ctx->type->fence)
		return false;
	/* Also with an error: answered at once it would tell of all fences before it. */
	if (hdr->ring_idx >= GPU_CONTEXT_RINGS) {
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
			   "context %u: ring %u, must be below %u", ctx->id, hdr->ring_idx,
			   GPU_CONTEXT_RINGS);
		return false;
	}
	fence = ++gpu->fences.last;
	if (ctx->type->fence(ctx, hdr->ring_idx, fence) == 0) {
		/* A signal that is there already is looked at by the main loop, after this. */
		req->fence = fence;
		return true;
	}
	gpu_refuse(req, VIRTIO_GPU_RESP_ERR_UNSPEC, "context %u: no fence on ring %u", ctx->id,
		   hdr->ring_idx);
	return false;
}

void gpu_fence_signal(uint32_t ctx_id, uint32_t ring, uint64_t fence)
{
	struct gpu_fence_signal *new = malloc(sizeof(*new));
	uint64_t one = 1;
	ssize_t ret;

	/* A fence that is never answered stops the guest: without memory there is no way on. */
	if (!new)
		abort();
	*new = (struct gpu_fence_signal){ .ctx_id = ctx_id, .ring = ring, .fence = fence };
	pthread_mutex_lock(&lock);
	new->next = signals;
	signals = new;
	pthread_mutex_unlock(&lock);
	/* Full is as good as written: it is readable. */
	ret = write(signal_event, &one, sizeof(one));
	(void)ret;
}

void gpu_fence_ready(struct gpu *gpu)
{
	struct gpu_fence_signal *all, *next, *oldest = NULL;
	uint64_t count;
	ssize_t ret;

	/* First: a signal that comes between makes it readable again. */
	ret = read(gpu->fences.event, &count, sizeof(count));
	(void)ret;
	for (all = take_signals(); all; all = next) {
		next = all->next;
		all->next = oldest;
		oldest = all;
	}
	for (; oldest; oldest = next) {
		next = oldest->next;
		complete(gpu, oldest->ctx_id, oldest->ring, oldest->fence);
		free(oldest);
	}
}

void gpu_fence_abandon(struct gpu *gpu, const struct gpu_context *ctx)
{
	complete(gpu, ctx->id, -1, UINT64_MAX);
}
