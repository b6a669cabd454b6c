// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host-visible region: asks the front-end to map the buffers there and to
 * unmap them, and keeps count of the answers. Called by session.c.
 *
 * Requests are sent without waiting for the answer to the one before: a
 * front-end may be waiting for this process on the main socket just then.
 */
#include "shmem.h"
#include "fdmsg.h"
#include "log.h"

#include <poll.h>
#include <unistd.h>

#define SEND_TIMEOUT_MS		5000	/* a front-end that does not read */
#define REPLY_TIMEOUT_MS	5000	/* one that stops within a message */

static const char *backend_request_name(enum vhost_user_backend_request request)
{
	return request == VHOST_USER_BACKEND_SHMEM_MAP ? "SHMEM_MAP" : "SHMEM_UNMAP";
}

void shmem_init(struct shmem *shmem, struct buffer *buffers, unsigned int nbuffers,
		uint64_t size)
{
	*shmem = (struct shmem){
		.size = size,
		.buffers = buffers,
		.nbuffers = nbuffers,
		.sock = -1,
	};
}

void shmem_get_config(const struct shmem *shmem, struct vhost_user_shmem_config *config)
{
	*config = (struct vhost_user_shmem_config){
		.nregions = 1,
		.sizes[SHMEM_HOST_VISIBLE] = shmem->size,
	};
}

int shmem_set_socket(struct shmem *shmem, int sock, bool reply_ack)
{
	if (shmem->npending) {
		log_error("the front-end replaces the back-end socket while %u requests on it are unanswered",
			  shmem->npending);
		return -1;
	}
	shmem_close_socket(shmem);
	shmem->sock = sock;
	shmem->reply_ack = reply_ack;
	return 0;
}

void shmem_close_socket(struct shmem *shmem)
{
	if (shmem->sock >= 0)
		close(shmem->sock);
	shmem->sock = -1;
	/* Nobody answers these any more. */
	while (shmem->npending) {
		shmem->state[shmem->pending[shmem->first].buffer] = SHMEM_UNMAPPED;
		shmem->first = (shmem->first + 1) % (2 * BUFFER_MAX);
		shmem->npending--;
	}
}

static int send_request(struct shmem *shmem, enum vhost_user_backend_request request,
			unsigned int i)
{
	const struct buffer *buffer = &shmem->buffers[i];
	bool map = request == VHOST_USER_BACKEND_SHMEM_MAP;
	struct vhost_user_msg msg = {
		.hdr = {
			.request = request,
			.flags = VHOST_USER_VERSION |
				 (shmem->reply_ack ? VHOST_USER_FLAG_NEED_REPLY : 0),
			.size = sizeof(msg.payload.mmap),
		},
		.payload.mmap = {
			.shmid = SHMEM_HOST_VISIBLE,
			.shm_offset = buffer->spec->offset,
			.len = buffer->spec->size,
			.flags = map ? VHOST_USER_MMAP_RW : 0,
		},
		.fds = { buffer->fd },
		.nfds = map ? 1 : 0,
	};
	enum fdmsg_status status;

	status = fdmsg_send(shmem->sock, &msg, SEND_TIMEOUT_MS);
	if (status != FDMSG_OK) {
		log_error("%s: cannot send %s: %s", buffer->label, backend_request_name(request),
			  fdmsg_strstatus(status));
		return -1;
	}
	if (!shmem->reply_ack) {
		shmem->state[i] = map ? SHMEM_MAPPED : SHMEM_UNMAPPED;
		return 0;
	}
	shmem->pending[(shmem->first + shmem->npending++) % (2 * BUFFER_MAX)] =
		(struct shmem_request){ .request = request, .buffer = i };
	shmem->state[i] = map ? SHMEM_MAPPING : SHMEM_UNMAPPING;
	return 0;
}

int shmem_map_all(struct shmem *shmem)
{
	unsigned int i;

	for (i = 0; i < shmem->nbuffers; i++)
		if (shmem->state[i] == SHMEM_UNMAPPED &&
		    send_request(shmem, VHOST_USER_BACKEND_SHMEM_MAP, i) < 0)
			return -1;
	return 0;
}

int shmem_unmap_all(struct shmem *shmem)
{
	unsigned int i;

	for (i = 0; i < shmem->nbuffers; i++)
		if ((shmem->state[i] == SHMEM_MAPPED || shmem->state[i] == SHMEM_MAPPING) &&
		    send_request(shmem, VHOST_USER_BACKEND_SHMEM_UNMAP, i) < 0)
			return -1;
	return 0;
}

/* The answer to the oldest request. */
static void complete(struct shmem *shmem, uint64_t value)
{
	struct shmem_request done = shmem->pending[shmem->first];
	const struct buffer *buffer = &shmem->buffers[done.buffer];
	bool map = done.request == VHOST_USER_BACKEND_SHMEM_MAP;

	shmem->first = (shmem->first + 1) % (2 * BUFFER_MAX);
	shmem->npending--;

	/* An UNMAP that was sent behind this MAP has the last word. */
	if (map && shmem->state[done.buffer] == SHMEM_MAPPING)
		shmem->state[done.buffer] = value ? SHMEM_UNMAPPED : SHMEM_MAPPED;
	else if (!map)
		shmem->state[done.buffer] = SHMEM_UNMAPPED;

	if (value) {
		shmem->refused++;
		log_error("%s: the front-end refused %s of 0x%llx bytes at 0x%llx: it answered %llu",
			  buffer->label, backend_request_name(done.request),
			  (unsigned long long)buffer->spec->size,
			  (unsigned long long)buffer->spec->offset, (unsigned long long)value);
	} else {
		log_info("%s: %s by the front-end", buffer->label, map ? "mapped" : "unmapped");
	}
}

/* Read one answer. 1: done; 0: the front-end closed the socket. */
static int read_reply(struct shmem *shmem)
{
	const struct shmem_request *oldest = &shmem->pending[shmem->first];
	struct vhost_user_msg msg;
	enum fdmsg_status status;

	status = fdmsg_recv(shmem->sock, &msg, REPLY_TIMEOUT_MS);
	if (status == FDMSG_CLOSED)
		return 0;
	if (status != FDMSG_OK) {
		log_error("back-end socket: %s", fdmsg_strstatus(status));
		return -1;
	}
	if (msg.nfds) {
		log_error("back-end socket: a reply with %u file descriptors, must have none",
			  msg.nfds);
		fdmsg_close_fds(&msg);
		return -1;
	}
	if (!(msg.hdr.flags & VHOST_USER_FLAG_REPLY)) {
		log_error("back-end socket: message %u is not a reply (flags 0x%x)",
			  msg.hdr.request, msg.hdr.flags);
		return -1;
	}
	if (!shmem->npending) {
		log_error("back-end socket: a reply to request %u, but no request is unanswered",
			  msg.hdr.request);
		return -1;
	}
	if (msg.hdr.request != oldest->request) {
		log_error("back-end socket: a reply to request %u, but the oldest unanswered one is %u",
			  msg.hdr.request, oldest->request);
		return -1;
	}
	if (msg.hdr.size != sizeof(msg.payload.u64)) {
		log_error("back-end socket: a reply of %u bytes, must be %zu", msg.hdr.size,
			  sizeof(msg.payload.u64));
		return -1;
	}
	complete(shmem, msg.payload.u64);
	return 1;
}

int shmem_read_replies(struct shmem *shmem)
{
	struct pollfd pfd = { .fd = shmem->sock, .events = POLLIN };
	int ret;

	while (shmem->sock >= 0 && poll(&pfd, 1, 0) > 0) {
		ret = read_reply(shmem);
		if (ret < 0)
			return -1;
		if (!ret) {
			log_warn("the front-end closed the back-end socket");
			shmem_close_socket(shmem);
		}
	}
	return 0;
}

int shmem_reset(struct shmem *shmem)
{
	unsigned int i;

	/*
	 * What the front-end mapped before the reset, it has answered before:
	 * those answers are here already. What is unanswered then, it will map
	 * after the reset.
	 */
	if (shmem_read_replies(shmem) < 0)
		return -1;
	for (i = 0; i < shmem->nbuffers; i++)
		if (shmem->state[i] == SHMEM_MAPPED)
			shmem->state[i] = SHMEM_UNMAPPED;
	return 0;
}
