/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host-visible region: what the front-end has mapped in it. */
#ifndef GPU_PROC_SHMEM_H
#define GPU_PROC_SHMEM_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "vhost_user.h"

#define SHMEM_HOST_VISIBLE	1	/* VIRTIO_GPU_SHM_ID_HOST_VISIBLE */
#define SHMEM_SENT_MAX		BUFFER_MAX	/* unanswered at a time; a socket takes some 70 */

enum shmem_state {
	SHMEM_MAPPING,		/* MAP not answered */
	SHMEM_MAPPED,
	SHMEM_UNMAPPING,	/* UNMAP not answered */
};

/* What became of a mapping. After all but the first it does not exist any more. */
enum shmem_event {
	SHMEM_EVENT_MAPPED,
	SHMEM_EVENT_MAP_REFUSED,
	SHMEM_EVENT_UNMAPPED,
	SHMEM_EVENT_UNMAP_REFUSED,	/* what the front-end has there is not known */
	SHMEM_EVENT_GONE,		/* with the front-end's socket, or its reset */
};

struct shmem_mapping;

struct shmem_request {
	struct shmem_request *next;
	struct shmem_mapping *mapping;
	enum vhost_user_backend_request request;
};

/* One range of the region. Made by shmem_map(); shmem.c frees it. */
struct shmem_mapping {
	uint64_t offset, size;		/* bytes */
	int fd;				/* the owner's, open until MAP is answered or given up */
	enum shmem_state state;
	struct shmem_request map, unmap;
	const char *label;		/* for log lines; the owner's, or NULL */
	/* May be called within the function that sends. NULL: abandoned. */
	void (*event)(struct shmem_mapping *mapping, enum shmem_event event);
	void *owner;
	struct shmem_mapping *next_gone;	/* shmem_reset()'s list */
};

struct shmem {
	uint64_t size;			/* bytes of the region */
	struct buffer *buffers;
	unsigned int nbuffers;
	struct shmem_mapping *exports[BUFFER_MAX];	/* of the buffers; NULL: not mapped */
	void *ranges;			/* tree of all that is mapped, or will be when answered */

	int sock;			/* requests to the front-end; -1: none */
	bool reply_ack;			/* it was negotiated: every request is answered */
	bool send_fd;			/* it was negotiated: MAP can be sent at all */
	struct shmem_request *first, **end;	/* unanswered, in order; sent ones come first */
	struct shmem_request *unsent;	/* the first of those that wait to be sent, or NULL */
	unsigned int nsent, npending;	/* sent and unanswered; unanswered */
	unsigned int refused;		/* exports that the front-end answered with an error */
	unsigned int blobs_refused;	/* the same of others */
	bool failed;			/* what the front-end has mapped is not known any more */
};

/*
 * Functions that return an int: 0, or -1 after a log line; then failed is set,
 * too, and the session must end.
 */

void shmem_init(struct shmem *shmem, struct buffer *buffers, unsigned int nbuffers,
		uint64_t size);
/* Without a word to the front-end, or to owners. */
void shmem_destroy(struct shmem *shmem);
void shmem_get_config(const struct shmem *shmem, struct vhost_user_shmem_config *config);

/* Take over the socket for requests. Refused (-1) while requests are under way on another. */
int shmem_set_socket(struct shmem *shmem, int sock, uint64_t protocol_features);
void shmem_close_socket(struct shmem *shmem);

/*
 * Ask the front-end to map the buffers that are not mapped; to unmap those that are.
 * Does not wait for answers.
 */
int shmem_map_all(struct shmem *shmem);
int shmem_unmap_all(struct shmem *shmem);

/* Can the front-end be asked, and will it answer? */
bool shmem_can_send(const struct shmem *shmem);

/* Is this a range of the region in which nothing is or will be mapped, and no buffer is to be? */
bool shmem_is_free(const struct shmem *shmem, uint64_t offset, uint64_t size);

/*
 * Ask the front-end to map the first size bytes of fd. The range must be free and the
 * socket there. NULL: out of memory, or failed is set.
 */
struct shmem_mapping *shmem_map(struct shmem *shmem, const struct shmem_mapping *what);
/* Ask it to unmap a range that it has been asked to map. */
int shmem_unmap(struct shmem *shmem, struct shmem_mapping *mapping);
/* Have it unmapped, whatever its state; the owner is not told. */
void shmem_abandon(struct shmem *shmem, struct shmem_mapping *mapping);

/* Read the answers that are there. If the front-end closed the socket, it is closed here, too. */
int shmem_read_replies(struct shmem *shmem);

/* The front-end has reset the device, and with it removed the mappings. */
int shmem_reset(struct shmem *shmem);

#endif /* GPU_PROC_SHMEM_H */
