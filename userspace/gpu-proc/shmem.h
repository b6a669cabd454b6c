/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host-visible region: which buffer the front-end has mapped in it. */
#ifndef GPU_PROC_SHMEM_H
#define GPU_PROC_SHMEM_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "vhost_user.h"

#define SHMEM_HOST_VISIBLE	1	/* VIRTIO_GPU_SHM_ID_HOST_VISIBLE */

enum shmem_state {
	SHMEM_UNMAPPED,
	SHMEM_MAPPING,		/* MAP sent, not answered */
	SHMEM_MAPPED,
	SHMEM_UNMAPPING,	/* UNMAP sent, not answered */
};

struct shmem_request {
	enum vhost_user_backend_request request;
	unsigned int buffer;
};

struct shmem {
	uint64_t size;			/* bytes of the region */
	struct buffer *buffers;
	unsigned int nbuffers;
	enum shmem_state state[BUFFER_MAX];

	int sock;			/* requests to the front-end; -1: none */
	bool reply_ack;			/* it was negotiated: every request is answered */
	struct shmem_request pending[2 * BUFFER_MAX];	/* in the order of sending */
	unsigned int first, npending;
	unsigned int refused;		/* requests that the front-end answered with an error */
};

/*
 * Functions that return an int: 0, or -1 after a log line; then what the
 * front-end has mapped is not known any more, and the session must end.
 */

void shmem_init(struct shmem *shmem, struct buffer *buffers, unsigned int nbuffers,
		uint64_t size);
void shmem_get_config(const struct shmem *shmem, struct vhost_user_shmem_config *config);

/* Take over the socket for requests. Refused (-1) while requests are under way on another. */
int shmem_set_socket(struct shmem *shmem, int sock, bool reply_ack);
void shmem_close_socket(struct shmem *shmem);

/* Ask the front-end to map what is not mapped; to unmap what is. Does not wait for answers. */
int shmem_map_all(struct shmem *shmem);
int shmem_unmap_all(struct shmem *shmem);

/* Read the answers that are there. If the front-end closed the socket, it is closed here, too. */
int shmem_read_replies(struct shmem *shmem);

/* The front-end has reset the device, and with it removed the mappings. */
int shmem_reset(struct shmem *shmem);

#endif /* GPU_PROC_SHMEM_H */
