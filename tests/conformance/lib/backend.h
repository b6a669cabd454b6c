/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost-user GPU back-end that is the test itself: it has the shared memory region
 * and the buffers that the test says, and no device behind it.
 */
#ifndef TESTS_CONFORMANCE_BACKEND_H
#define TESTS_CONFORMANCE_BACKEND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct backend {
	const char *path;
	int listener;
	int front_end;		/* -1: none connected yet */
	int requests;		/* the back-end's own requests; -1: not there yet */
	pthread_t server;
	bool serves;
};

/* A buffer in the region; bytes */
struct backend_map {
	int fd;
	uint64_t offset;
	uint64_t size;
};

void backend_listen(struct backend *backend, const char *path);

/*
 * Take the front-end that connects through the handshake up to SET_BACKEND_REQ_FD,
 * then send SHMEM_MAP for each of @nr maps. The front-end has one question left.
 */
void backend_handshake(struct backend *backend, uint64_t region_size,
		       const struct backend_map *maps, unsigned int nr);

/* The answer to the next SHMEM_MAP: 0 or errno */
int backend_map_result(struct backend *backend);

/* Answer the question; the front-end starts when it has read what was sent before. */
void backend_finish(struct backend *backend);

/*
 * From now on answer what the front-end asks, in a thread of its own: a migration has it
 * log what it writes to guest memory, which is nothing, and stop its queues, which are none.
 */
void backend_serve(struct backend *backend);

/* Thread, sockets and the socket's file */
void backend_close(struct backend *backend);

#endif /* TESTS_CONFORMANCE_BACKEND_H */
