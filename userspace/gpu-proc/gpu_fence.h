/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fences: requests that are answered when what they submitted is done. */
#ifndef GPU_PROC_GPU_FENCE_H
#define GPU_PROC_GPU_FENCE_H

#include <stdbool.h>
#include <stdint.h>

struct gpu;
struct gpu_context;
struct gpu_request;

/* A timeline has come to this fence, says another thread. */
struct gpu_fence_signal {
	struct gpu_fence_signal *next;
	uint32_t ctx_id, ring;
	uint64_t fence;
};

struct gpu_fences {
	uint64_t last;		/* fence that was given out last; 0: none */
	int event;		/* event fd: signals are there; -1: no type has fences */
};

/* Once for each context type, before the sandbox: 0, or -1 after a log line. */
int gpu_fence_open(struct gpu *gpu);
void gpu_fence_close(struct gpu *gpu);

/*
 * The request is served and its response filled in. Does it wait for a fence? Then it
 * will be answered when that signals, and is not the caller's any more.
 */
bool gpu_fence_add(struct gpu_request *req);

/*
 * From any thread: all that was submitted to this ring of a context up to this fence is
 * done. Takes effect in the main loop.
 */
void gpu_fence_signal(uint32_t ctx_id, uint32_t ring, uint64_t fence);
/* The event fd is readable. */
void gpu_fence_ready(struct gpu *gpu);

/* Answer all that waits for a context, in order: what it waits for will not come. */
void gpu_fence_abandon(struct gpu *gpu, const struct gpu_context *ctx);

#endif /* GPU_PROC_GPU_FENCE_H */
