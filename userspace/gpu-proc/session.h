/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One front-end, from its first message to its last. */
#ifndef GPU_PROC_SESSION_H
#define GPU_PROC_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "gpu.h"
#include "guest_memory.h"
#include "queue.h"
#include "shmem.h"

enum session_end {
	SESSION_CLOSED,		/* the front-end closed the connection */
	SESSION_STOPPED,	/* a signal said so; the buffers are unmapped */
	SESSION_FAILED,		/* it broke the protocol, or refused a buffer */
};

struct session {
	int sock;
	int signal_fd;
	uint64_t features;		/* as the front-end chose */
	uint64_t protocol_features;
	uint64_t status;		/* VIRTIO device status, stored only */
	struct gpu *gpu;
	struct guest_memory memory;
	struct queue queues[QUEUE_COUNT];
	struct shmem shmem;
	bool shmem_asked;		/* the front-end knows the size of the region */
	bool export_due;		/* buffers are to be mapped when it can be done */
	bool stopping;
};

/*
 * Take over sock; the other arguments stay the caller's and must outlive the
 * session. session_run() serves until the end, session_close() releases.
 */
void session_init(struct session *session, int sock, int signal_fd, struct buffer *buffers,
		  unsigned int nbuffers, uint64_t shmem_size, struct gpu *gpu);
enum session_end session_run(struct session *session);
void session_close(struct session *session);

#endif /* GPU_PROC_SESSION_H */
