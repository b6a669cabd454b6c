// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The host-visible region: asks the front-end to map buffers and blobs there and
 * to unmap them, and keeps count of the answers. Called by session.c and gpu_blob.c.
 *
 * Requests are sent without waiting for the answer to the one before: a
 * front-end may be waiting for this process on the main socket just then. No more
 * are under way than fit into the socket, or both sides could wait for each
 * other to read.
 */
#include "shmem.h"
#include "fdmsg.h"
#include "log.h"

#include <poll.h>
#include <search.h>
#include <stdlib.h>
#include <unistd.h>

#define SEND_TIMEOUT_MS		5000	/* a front-end that does not read */
#define REPLY_TIMEOUT_MS	5000	/* one that stops within a message */
#define REFUSALS_LOGGED		100u	/* of blobs: a guest can cause many */

static const char *backend_request_name(enum vhost_user_backend_request request)
{
	return request == VHOST_USER_BACKEND_SHMEM_MAP ? "SHMEM_MAP" : "SHMEM_UNMAP";
}

/* Ranges that overlap are equal: a tree of ranges that do not is in order. */
static int compare_ranges(const void *a, const void *b)
{
	const struct shmem_mapping *left = a, *right = b;

	if (left->offset + left->size <= right->offset)
		return -1;
	return left->offset >= right->offset + right->size;
}

void shmem_init(struct shmem *shmem, struct buffer *buffers, unsigned int nbuffers,
		uint64_t size)
{
	*shmem = (struct shmem){
		.size = size,
		.buffers = buffers,
		.nbuffers = nbuffers,
		.sock = -1,
		.end = &shmem->first,
	};
}

void shmem_get_config(const struct shmem *shmem, struct vhost_user_shmem_config *config)
{
	*config = (struct vhost_user_shmem_config){
		.nregions = 1,
		.sizes[SHMEM_HOST_VISIBLE] = shmem->size,
	};
}

int shmem_set_socket(struct shmem *shmem, int sock, uint64_t protocol_features)
{
	if (shmem->npending) {
		log_error("the front-end replaces the back-end socket while %u requests on it are unanswered",
			  shmem->npending);
		return -1;
	}
	shmem_close_socket(shmem);
	shmem->sock = sock;
	shmem->reply_ack = protocol_features & (1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK);
	shmem->send_fd = protocol_features & (1ull << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD);
	return 0;
}

/* A mapping has come to its end. */
static void end_mapping(struct shmem *shmem, struct shmem_mapping *mapping, enum shmem_event event)
{
	if (mapping->state != SHMEM_UNMAPPING)
		tdelete(mapping, &shmem->ranges, compare_ranges);
	if (mapping->event)
		mapping->event(mapping, event);
	free(mapping);
}

static struct shmem_request *take_first(struct shmem *shmem)
{
	struct shmem_request *request = shmem->first;

	shmem->first = request->next;
	if (!shmem->first)
		shmem->end = &shmem->first;
	if (request == shmem->unsent)
		shmem->unsent = request->next;
	else
		shmem->nsent--;
	shmem->npending--;
	return request;
}

void shmem_close_socket(struct shmem *shmem)
{
	struct shmem_request *request;
	struct shmem_mapping *mapping;

	if (shmem->sock >= 0)
		close(shmem->sock);
	shmem->sock = -1;
	/* Nobody answers these any more. Where an UNMAP follows a MAP, it is the end. */
	while (shmem->npending) {
		request = take_first(shmem);
		mapping = request->mapping;
		if (request == &mapping->unmap || mapping->state == SHMEM_MAPPING)
			end_mapping(shmem, mapping, SHMEM_EVENT_GONE);
	}
}

void shmem_destroy(struct shmem *shmem)
{
	struct shmem_mapping *mapping;

	while (shmem->npending) {
		mapping = shmem->first->mapping;
		mapping->event = NULL;
		if (take_first(shmem) == &mapping->unmap)
			free(mapping);
	}
	tdestroy(shmem->ranges, free);
	shmem->ranges = NULL;
	shmem_close_socket(shmem);
}

static int send_request(struct shmem *shmem, const struct shmem_request *request)
{
	const struct shmem_mapping *mapping = request->mapping;
	bool map = request == &mapping->map;
	struct vhost_user_msg msg = {
		.hdr = {
			.request = request->request,
			.flags = VHOST_USER_VERSION |
				 (shmem->reply_ack ? VHOST_USER_FLAG_NEED_REPLY : 0),
			.size = sizeof(msg.payload.mmap),
		},
		.payload.mmap = {
			.shmid = SHMEM_HOST_VISIBLE,
			.shm_offset = mapping->offset,
			.len = mapping->size,
			.flags = map ? VHOST_USER_MMAP_RW : 0,
		},
		.fds = { mapping->fd },
		.nfds = map ? 1 : 0,
	};
	enum fdmsg_status status;

	status = fdmsg_send(shmem->sock, &msg, SEND_TIMEOUT_MS);
	if (status != FDMSG_OK) {
		log_error("%s: cannot send %s: %s", mapping->label ?: "an abandoned blob",
			  backend_request_name(request->request), fdmsg_strstatus(status));
		shmem->failed = true;
		return -1;
	}
	return 0;
}

/* Of a buffer's mapping: its owner is its place in shmem.exports. */
static void export_event(struct shmem_mapping *mapping, enum shmem_event event)
{
	struct shmem_mapping **export = mapping->owner;

	if (event != SHMEM_EVENT_MAPPED)
		*export = NULL;
}

/* The answer to the oldest request. */
static void complete(struct shmem *shmem, uint64_t value)
{
	struct shmem_request *request = take_first(shmem);
	struct shmem_mapping *mapping = request->mapping;
	const char *label = mapping->label ?: "an abandoned blob";
	bool map = request == &mapping->map, export = mapping->event == export_event;

	if (value && (export || ++shmem->blobs_refused <= REFUSALS_LOGGED))
		log_error("%s: the front-end refused %s of 0x%llx bytes at 0x%llx: it answered %llu",
			  label, backend_request_name(request->request),
			  (unsigned long long)mapping->size, (unsigned long long)mapping->offset,
			  (unsigned long long)value);
	if (!value && export)
		log_info("%s: %s by the front-end", label, map ? "mapped" : "unmapped");
	if (value && export)
		shmem->refused++;

	if (!map) {
		end_mapping(shmem, mapping,
			    value ? SHMEM_EVENT_UNMAP_REFUSED : SHMEM_EVENT_UNMAPPED);
	} else if (mapping->state == SHMEM_MAPPING) {
		/* An UNMAP that was sent behind this MAP would have the last word. */
		if (value) {
			end_mapping(shmem, mapping, SHMEM_EVENT_MAP_REFUSED);
		} else {
			mapping->state = SHMEM_MAPPED;
			mapping->event(mapping, SHMEM_EVENT_MAPPED);
		}
	}
}

/* Send what may be sent. Without REPLY_ACK each request is its own answer. */
static int send_pending(struct shmem *shmem)
{
	struct shmem_request *request;

	while (shmem->unsent && shmem->nsent < SHMEM_SENT_MAX) {
		request = shmem->unsent;
		if (shmem->failed || send_request(shmem, request) < 0)
			return -1;
		shmem->unsent = request->next;
		shmem->nsent++;
		if (!shmem->reply_ack)
			complete(shmem, 0);
	}
	return 0;
}

static int add_request(struct shmem *shmem, struct shmem_request *request,
		       struct shmem_mapping *mapping, enum vhost_user_backend_request type)
{
	*request = (struct shmem_request){ .mapping = mapping, .request = type };
	*shmem->end = request;
	shmem->end = &request->next;
	if (!shmem->unsent)
		shmem->unsent = request;
	shmem->npending++;
	return send_pending(shmem);
}

bool shmem_can_send(const struct shmem *shmem)
{
	return shmem->sock >= 0 && shmem->send_fd && shmem->reply_ack && !shmem->failed;
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

bool shmem_is_free(const struct shmem *shmem, uint64_t offset, uint64_t size)
{
	struct shmem_mapping range = { .offset = offset, .size = size };
	unsigned int i;

	if (!size || size > shmem->size || offset > shmem->size - size)
		return false;
	for (i = 0; i < shmem->nbuffers; i++)
		if (overlaps(offset, size, shmem->buffers[i].spec->offset,
			     shmem->buffers[i].spec->size))
			return false;
	return !tfind(&range, &shmem->ranges, compare_ranges);
}

struct shmem_mapping *shmem_map(struct shmem *shmem, const struct shmem_mapping *what)
{
	struct shmem_mapping *mapping = malloc(sizeof(*mapping));

	if (!mapping)
		return NULL;
	*mapping = *what;
	mapping->state = SHMEM_MAPPING;
	if (!tsearch(mapping, &shmem->ranges, compare_ranges)) {
		free(mapping);
		return NULL;
	}
	/* Where the sending failed, the mapping stays in the list that shmem_destroy() frees. */
	if (add_request(shmem, &mapping->map, mapping, VHOST_USER_BACKEND_SHMEM_MAP) < 0)
		return NULL;
	return mapping;
}

int shmem_unmap(struct shmem *shmem, struct shmem_mapping *mapping)
{
	/* From here on the range is free: a MAP there comes behind this UNMAP. */
	tdelete(mapping, &shmem->ranges, compare_ranges);
	mapping->state = SHMEM_UNMAPPING;
	return add_request(shmem, &mapping->unmap, mapping, VHOST_USER_BACKEND_SHMEM_UNMAP);
}

/* Take a MAP that has not been sent yet out of the list. False: it has been sent. */
static bool withdraw(struct shmem *shmem, struct shmem_request *request)
{
	struct shmem_request **at = &shmem->first;
	bool sent = true;

	for (; *at != request; at = &(*at)->next)
		sent = sent && *at != shmem->unsent;
	if (sent && request != shmem->unsent)
		return false;
	*at = request->next;
	if (!*at)
		shmem->end = at;
	if (request == shmem->unsent)
		shmem->unsent = request->next;
	shmem->npending--;
	return true;
}

void shmem_abandon(struct shmem *shmem, struct shmem_mapping *mapping)
{
	mapping->event = NULL;
	mapping->label = NULL;
	if (mapping->state == SHMEM_UNMAPPING)
		return;
	/* With the socket went the way to say anything. */
	if ((mapping->state == SHMEM_MAPPING && withdraw(shmem, &mapping->map)) ||
	    shmem->sock < 0)
		end_mapping(shmem, mapping, SHMEM_EVENT_GONE);
	else
		shmem_unmap(shmem, mapping);
}

int shmem_map_all(struct shmem *shmem)
{
	unsigned int i;

	for (i = 0; i < shmem->nbuffers; i++) {
		const struct buffer *buffer = &shmem->buffers[i];
		struct shmem_mapping what = {
			.offset = buffer->spec->offset,
			.size = buffer->spec->size,
			.fd = buffer->fd,
			.label = buffer->label,
			.event = export_event,
			.owner = &shmem->exports[i],
		};

		if (shmem->exports[i])
			continue;
		shmem->exports[i] = shmem_map(shmem, &what);
		if (!shmem->exports[i]) {
			shmem->failed = true;
			return -1;
		}
	}
	return 0;
}

int shmem_unmap_all(struct shmem *shmem)
{
	unsigned int i;

	for (i = 0; i < shmem->nbuffers; i++)
		if (shmem->exports[i] && shmem->exports[i]->state != SHMEM_UNMAPPING &&
		    shmem_unmap(shmem, shmem->exports[i]) < 0)
			return -1;
	return 0;
}

/* Is this the reply that must come next? */
static int check_reply(const struct shmem *shmem, const struct vhost_user_msg *msg)
{
	if (msg->nfds) {
		log_error("back-end socket: a reply with %u file descriptors, must have none",
			  msg->nfds);
		return -1;
	}
	if (!(msg->hdr.flags & VHOST_USER_FLAG_REPLY)) {
		log_error("back-end socket: message %u is not a reply (flags 0x%x)",
			  msg->hdr.request, msg->hdr.flags);
		return -1;
	}
	if (!shmem->nsent) {
		log_error("back-end socket: a reply to request %u, but no request is unanswered",
			  msg->hdr.request);
		return -1;
	}
	if (msg->hdr.request != shmem->first->request) {
		log_error("back-end socket: a reply to request %u, but the oldest unanswered one is %u",
			  msg->hdr.request, shmem->first->request);
		return -1;
	}
	if (msg->hdr.size != sizeof(msg->payload.u64)) {
		log_error("back-end socket: a reply of %u bytes, must be %zu", msg->hdr.size,
			  sizeof(msg->payload.u64));
		return -1;
	}
	return 0;
}

/* Read one answer. 1: done; 0: the front-end closed the socket. */
static int read_reply(struct shmem *shmem)
{
	struct vhost_user_msg msg;
	enum fdmsg_status status;

	status = fdmsg_recv(shmem->sock, &msg, REPLY_TIMEOUT_MS);
	if (status == FDMSG_CLOSED)
		return 0;
	if (status != FDMSG_OK) {
		log_error("back-end socket: %s", fdmsg_strstatus(status));
		return -1;
	}
	if (check_reply(shmem, &msg) < 0) {
		fdmsg_close_fds(&msg);
		return -1;
	}
	complete(shmem, msg.payload.u64);
	return send_pending(shmem) < 0 ? -1 : 1;
}

int shmem_read_replies(struct shmem *shmem)
{
	struct pollfd pfd = { .fd = shmem->sock, .events = POLLIN };
	int ret;

	while (shmem->sock >= 0 && poll(&pfd, 1, 0) > 0) {
		ret = read_reply(shmem);
		if (ret < 0) {
			shmem->failed = true;
			return -1;
		}
		if (!ret) {
			log_warn("the front-end closed the back-end socket");
			shmem_close_socket(shmem);
		}
	}
	return 0;
}

static void collect_mapped(const void *node, VISIT visit, void *list)
{
	struct shmem_mapping *mapping = *(struct shmem_mapping *const *)node, **gone = list;

	if ((visit == postorder || visit == leaf) && mapping->state == SHMEM_MAPPED) {
		mapping->next_gone = *gone;
		*gone = mapping;
	}
}

int shmem_reset(struct shmem *shmem)
{
	struct shmem_mapping *gone = NULL, *mapping;

	/*
	 * What the front-end mapped before the reset, it has answered before:
	 * those answers are here already. What is unanswered then, it will map
	 * after the reset.
	 */
	if (shmem_read_replies(shmem) < 0)
		return -1;
	twalk_r(shmem->ranges, collect_mapped, &gone);
	while (gone) {
		mapping = gone;
		gone = mapping->next_gone;
		end_mapping(shmem, mapping, SHMEM_EVENT_GONE);
	}
	return 0;
}
