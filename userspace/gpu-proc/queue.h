/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtqueue of the guest's virtio-gpu driver. */
#ifndef GPU_PROC_QUEUE_H
#define GPU_PROC_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "guest_memory.h"
#include "virtqueue.h"

#define QUEUE_CONTROL	0
#define QUEUE_CURSOR	1
#define QUEUE_COUNT	2
#define QUEUE_SIZE_MAX	1024	/* descriptors */

struct queue;

/* Take one request; its answer comes by queue_answer(), now or later. */
typedef void queue_serve_fn(struct queue *queue, const struct virtqueue_chain *chain);

struct queue {
	const char *name;
	const struct guest_memory *memory;
	queue_serve_fn *serve;
	void *opaque;			/* serve()'s */
	uint32_t num;			/* descriptors; a power of two, or 0: not set */
	struct vhost_vring_addr addr;	/* the front-end's addresses of the three parts */
	struct virtqueue vq;
	int kick, call, err;		/* event fds, or -1 */
	bool started;			/* by a kick; stopped by queue_stop() */
	bool found;			/* the rings were read since it was started */
	bool enabled;
	bool held;			/* by queue_hold() */
	bool serving;			/* within queue_process() */
	bool pushed;			/* answers that the driver was not told of */
};

/* Room for an answer, in the guest's memory. */
struct queue_segment {
	uint64_t gpa;
	uint32_t len;
};

void queue_init(struct queue *queue, const char *name, const struct guest_memory *memory,
		queue_serve_fn *serve, void *opaque);

/* Close the event fds and forget what the front-end said. */
void queue_reset(struct queue *queue);

/* Each takes a value of the front-end: 0, or -1 after a log line if it is not possible. */
int queue_set_num(struct queue *queue, uint32_t num);
int queue_set_addr(struct queue *queue, const struct vhost_vring_addr *addr);
int queue_set_base(struct queue *queue, uint32_t base);

/* What the driver chose. */
void queue_set_features(struct queue *queue, uint64_t features);

/* Take over an event fd (or -1: none) in place of the one in *slot. */
int queue_set_event(struct queue *queue, int *slot, int fd);

/* Stop; returns the index at which the next start goes on. */
uint16_t queue_stop(struct queue *queue);

/* The kick fd is readable: start, and serve what there is. */
void queue_kicked(struct queue *queue);

/* Serve the requests in a ring that is started, enabled and not held. */
void queue_process(struct queue *queue);

/* Take no more requests until queue_release(), which goes on with those that wait. */
void queue_hold(struct queue *queue);
void queue_release(struct queue *queue);

/*
 * Give a request back, with len bytes of data written to its room, which must have them.
 * Nothing happens on a queue that was stopped since.
 */
void queue_answer(struct queue *queue, uint16_t head, const struct queue_segment *in,
		  unsigned int nr, const void *data, uint32_t len);

#endif /* GPU_PROC_QUEUE_H */
