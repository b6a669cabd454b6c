// SPDX-License-Identifier: GPL-2.0-or-later
/* A vhost-user back-end for tests; see backend.h. */
#include "lib/backend.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "lib/message.h"
#include "lib/process.h"

/* Requests of the front-end, and the one of the back-end */
#define GET_FEATURES		1
#define SET_LOG_BASE		6
#define GET_VRING_BASE		11
#define GET_PROTOCOL_FEATURES	15
#define GET_QUEUE_NUM		17
#define SET_BACKEND_REQ_FD	21
#define GET_SHMEM_CONFIG	44
#define BACKEND_SHMEM_MAP	9

/* log, protocol features, VIRTIO 1 */
#define FEATURES		(1ull << 26 | 1ull << 30 | 1ull << 32)
/* MQ LOG_SHMFD REPLY_ACK BACKEND_REQ SEND_FD SHMEM */
#define PROTOCOL_FEATURES	(1ull << 0 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 10 | 1 << 20)
#define SHMID			1
#define MAP_RW			1

void backend_listen(struct backend *backend, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	*backend = (struct backend) { .path = path, .front_end = -1, .requests = -1 };
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	backend->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	test_assert(bind(backend->listener, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	test_assert(listen(backend->listener, 1) == 0);
}

static void answer(struct backend *backend, const struct message *msg, const void *payload,
		   uint32_t size)
{
	message_send(backend->front_end, msg->request, MESSAGE_REPLY, payload, size, -1);
}

static void answer_u64(struct backend *backend, const struct message *msg, uint64_t value)
{
	answer(backend, msg, &value, sizeof(value));
}

static void reply(struct backend *backend, uint64_t region_size, struct message *msg)
{
	const uint64_t config[257] = { 1, 0, region_size };

	switch (msg->request) {
	case GET_FEATURES:
		answer_u64(backend, msg, FEATURES);
		break;
	case GET_PROTOCOL_FEATURES:
		answer_u64(backend, msg, PROTOCOL_FEATURES);
		break;
	case GET_QUEUE_NUM:
		answer_u64(backend, msg, 2);
		break;
	case GET_SHMEM_CONFIG:
		answer(backend, msg, config, sizeof(config));
		break;
	case SET_LOG_BASE:
		close(msg->fd);
		answer_u64(backend, msg, 0);
		break;
	case GET_VRING_BASE:
		answer_u64(backend, msg, msg->payload[0]);
		break;
	case SET_BACKEND_REQ_FD:
		backend->requests = msg->fd;
		answer_u64(backend, msg, 0);
		break;
	default:
		if (msg->fd >= 0)
			close(msg->fd);
		if (msg->flags & MESSAGE_NEED_REPLY)
			answer_u64(backend, msg, 0);
		break;
	}
}

static void take(struct backend *backend, uint64_t region_size, struct message *msg)
{
	test_assert(message_receive(backend->front_end, msg, process_timeout_ms()));
	reply(backend, region_size, msg);
}

void backend_handshake(struct backend *backend, uint64_t region_size,
		       const struct backend_map *maps, unsigned int nr)
{
	struct message msg;
	unsigned int i;

	backend->front_end = accept4(backend->listener, NULL, NULL, SOCK_CLOEXEC);
	test_assert(backend->front_end >= 0);
	do {
		take(backend, region_size, &msg);
	} while (msg.request != SET_BACKEND_REQ_FD);

	for (i = 0; i < nr; i++) {
		const uint64_t map[5] = { SHMID, 0, maps[i].offset, maps[i].size, MAP_RW };

		message_send(backend->requests, BACKEND_SHMEM_MAP, MESSAGE_NEED_REPLY, map,
			     sizeof(map), maps[i].fd);
	}
}

int backend_map_result(struct backend *backend)
{
	struct message msg;

	test_assert(message_receive(backend->requests, &msg, process_timeout_ms()));
	test_assert(msg.request == BACKEND_SHMEM_MAP && msg.flags == (1 | MESSAGE_REPLY) &&
		    msg.size == sizeof(uint64_t));
	return (int)msg.payload[0];
}

void backend_finish(struct backend *backend)
{
	struct message msg;

	test_assert(message_receive(backend->front_end, &msg, process_timeout_ms()));
	test_assert(msg.request == GET_FEATURES);
	answer_u64(backend, &msg, FEATURES);
}

static void *serve(void *arg)
{
	struct backend *backend = arg;
	struct message msg;

	while (message_receive(backend->front_end, &msg, -1))
		reply(backend, 0, &msg);
	return NULL;
}

void backend_serve(struct backend *backend)
{
	backend->serves = true;
	test_assert(pthread_create(&backend->server, NULL, serve, backend) == 0);
}

void backend_close(struct backend *backend)
{
	if (backend->serves) {
		shutdown(backend->front_end, SHUT_RDWR);
		pthread_join(backend->server, NULL);
	}
	if (backend->front_end >= 0)
		close(backend->front_end);
	if (backend->requests >= 0)
		close(backend->requests);
	close(backend->listener);
	unlink(backend->path);
}
