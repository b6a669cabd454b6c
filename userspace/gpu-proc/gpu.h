/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One virtio-gpu device: what the guest's driver made of it. Numbers of the guest are
 * little-endian, as is every machine that this runs on.
 */
#ifndef GPU_PROC_GPU_H
#define GPU_PROC_GPU_H

#include <stdint.h>

#include <linux/virtio_gpu.h>

#include "frame.h"
#include "gpu_context.h"
#include "gpu_cursor.h"
#include "gpu_fence.h"
#include "gpu_resource.h"
#include "gpu_scanout.h"
#include "guest_memory.h"
#include "queue.h"
#include "shmem.h"

struct gpu_request;

struct gpu_options {
	uint32_t width, height;		/* of the display's best mode */
	const char *scanout_shm;	/* files, or NULL */
	const char *screenshot;
};

/* How much of this process a guest may use. */
struct gpu_limits {
	unsigned int resources, contexts;
	uint64_t host_bytes;	/* pictures and lists of guest pages, of all resources */
	uint64_t pending_bytes;	/* requests that are not answered yet */
};

struct gpu {
	struct gpu_limits limits;
	struct virtio_gpu_config config;
	struct gpu_resource_table resources;
	struct gpu_context_table contexts;
	struct gpu_fences fences;
	uint32_t width, height;			/* of the display's best mode */
	struct gpu_scanout scanout;
	struct gpu_cursor cursor;
	struct frame frame;
	int screenshot;				/* fd, or -1 */
	struct gpu_request *pending;		/* taken from a queue, not answered yet */
	uint64_t pending_bytes;			/* that those take */
	unsigned int complaints;		/* log lines that the guest has caused */

	/* The front-end's, while there is one: */
	const struct guest_memory *memory;
	struct queue *queues;			/* QUEUE_COUNT of them */
	struct shmem *shmem;
};

/*
 * Before there is a front-end, and before the sandbox; gpu_fini() undoes it. 0, or -1
 * after a log line.
 */
int gpu_init(struct gpu *gpu, const struct gpu_options *options);
void gpu_fini(struct gpu *gpu);

/* A front-end has come: the arguments are its session's and outlive the connection. */
void gpu_connect(struct gpu *gpu, const struct guest_memory *memory, struct queue *queues,
		 struct shmem *shmem);
/* It goes, and everything that its guest made. */
void gpu_disconnect(struct gpu *gpu);

/* Write what the display shows, or has shown last, to the file that was asked for. */
void gpu_screenshot(struct gpu *gpu);

/* VIRTIO feature bits of the device's own that it offers. */
uint64_t gpu_features(const struct gpu *gpu);

/* As after power-on: nothing of the guest is left, and requests under way are forgotten. */
void gpu_reset(struct gpu *gpu);

/* The queue stops: answer what is under way on it with an error. */
void gpu_abort(struct gpu *gpu, const struct queue *queue);

/* A log line about what the guest did: there is an end to them, for a guest can do much. */
void gpu_complain(struct gpu *gpu, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* GPU_PROC_GPU_H */
