// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtio-gpu device from power-on to reset. Called by main.c, session.c and
 * session_request.c; what its driver asks for is in gpu_command.c.
 */
#include "gpu.h"
#include "gpu_command.h"
#include "log.h"
#include "screenshot.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define RESOURCES_MAX		16384u
#define CONTEXTS_MAX		128u
#define HOST_BYTES_MAX		(512ull << 20)
#define PENDING_BYTES_MAX	(64ull << 20)
#define COMPLAINTS_MAX		100u

int gpu_init(struct gpu *gpu, const struct gpu_options *options)
{
	*gpu = (struct gpu){
		.limits = {
			.resources = RESOURCES_MAX,
			.contexts = CONTEXTS_MAX,
			.host_bytes = HOST_BYTES_MAX,
			.pending_bytes = PENDING_BYTES_MAX,
		},
		.fences = { .event = -1 },
		.config = { .num_scanouts = 1 },
		.width = options->width,
		.height = options->height,
		.screenshot = -1,
	};
	if ((options->scanout_shm || options->screenshot) &&
	    frame_open(&gpu->frame, options->scanout_shm) < 0)
		return -1;
	if (!options->screenshot)
		return 0;
	gpu->screenshot = screenshot_open(options->screenshot);
	if (gpu->screenshot < 0) {
		frame_close(&gpu->frame);
		return -1;
	}
	return 0;
}

void gpu_fini(struct gpu *gpu)
{
	gpu_reset(gpu);
	gpu_context_disable_all(gpu);
	frame_close(&gpu->frame);
	if (gpu->screenshot >= 0)
		close(gpu->screenshot);
	gpu->screenshot = -1;
}

void gpu_screenshot(struct gpu *gpu)
{
	if (gpu->screenshot < 0)
		log_warn("no screenshot: --screenshot=FILE was not given");
	else
		screenshot_write(gpu->screenshot, &gpu->frame, &gpu->cursor, gpu->width,
				 gpu->height);
}

void gpu_connect(struct gpu *gpu, const struct guest_memory *memory, struct queue *queues,
		 struct shmem *shmem)
{
	gpu->memory = memory;
	gpu->queues = queues;
	gpu->shmem = shmem;
}

void gpu_disconnect(struct gpu *gpu)
{
	gpu_reset(gpu);
	gpu_connect(gpu, NULL, NULL, NULL);
}

uint64_t gpu_features(const struct gpu *gpu)
{
	uint64_t features = 1ull << VIRTIO_GPU_F_EDID | 1ull << VIRTIO_GPU_F_RESOURCE_BLOB;

	/* Linux asks for capsets, and makes contexts, with the first of these alone. */
	if (gpu->contexts.ntypes)
		features |= 1ull << VIRTIO_GPU_F_VIRGL | 1ull << VIRTIO_GPU_F_CONTEXT_INIT;
	return features;
}

void gpu_reset(struct gpu *gpu)
{
	while (gpu->pending)
		gpu_request_forget(gpu->pending);
	gpu_context_destroy_all(gpu);
	gpu_resource_destroy_all(gpu);
	gpu->cursor.visible = false;
}

void gpu_abort(struct gpu *gpu, const struct queue *queue)
{
	struct gpu_request *req, *next;

	for (req = gpu->pending; req; req = next) {
		next = req->next;
		if (req->queue != queue)
			continue;
		gpu_respond(req, VIRTIO_GPU_RESP_ERR_UNSPEC);
		gpu_request_finish(req);
	}
}

void gpu_complain(struct gpu *gpu, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (gpu->complaints == COMPLAINTS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warn("guest: %s", text);
	if (++gpu->complaints == COMPLAINTS_MAX)
		log_warn("guest: more of its errors are not logged");
}
