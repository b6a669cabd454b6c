/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtqueue of the guest's virtio-gpu driver. */
#ifndef GPU_PROC_QUEUE_H
#define GPU_PROC_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "guest_memory.h"

#define QUEUE_COUNT	2	/* control and cursor */
#define QUEUE_SIZE_MAX	1024	/* descriptors */

struct queue {
	const char *name;
	uint32_t num;			/* descriptors; a power of two, or 0: not set */
	struct vhost_vring_addr addr;	/* the front-end's addresses of the three parts */
	uint16_t next_avail;
	int kick, call, err;		/* event fds, or -1 */
	bool started;			/* by a kick; stopped by queue_stop() */
	bool enabled;
};

void queue_init(struct queue *queue, const char *name);

/* Close the event fds and forget the rest. */
void queue_reset(struct queue *queue);

/* Each takes a value of the front-end: 0, or -1 after a log line if it is not possible. */
int queue_set_num(struct queue *queue, uint32_t num);
int queue_set_addr(struct queue *queue, const struct vhost_vring_addr *addr);
int queue_set_base(struct queue *queue, uint32_t base);

/* Take over an event fd (or -1: none) in place of the one in *slot. */
int queue_set_event(struct queue *queue, int *slot, int fd);

/* Stop; returns the index at which the next start goes on. */
uint16_t queue_stop(struct queue *queue);

/* The kick fd is readable: start, and answer what there is. */
void queue_kicked(struct queue *queue, const struct guest_memory *memory);

/* Answer every request in a ring that is started and enabled. */
void queue_process(struct queue *queue, const struct guest_memory *memory);

#endif /* GPU_PROC_QUEUE_H */
