// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the front-end's requests do to the session, one function each. Called
 * by session.c.
 *
 * A request that cannot be served is answered with an error if the front-end
 * asked for an answer, and life goes on; if not, the connection ends,
 * because the front-end would go on in a wrong belief.
 */
#include "session_request.h"
#include "fdmsg.h"
#include "log.h"
#include "request.h"

#include <string.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#define SEND_TIMEOUT_MS	5000	/* a front-end that does not read */

#define FEATURES	((1ull << VIRTIO_F_VERSION_1) | (1ull << VHOST_F_LOG_ALL) | \
			 (1ull << VIRTIO_RING_F_INDIRECT_DESC) | \
			 (1ull << VIRTIO_RING_F_EVENT_IDX) | \
			 (1ull << VHOST_USER_F_PROTOCOL_FEATURES))

#define PROTOCOL_FEATURES ((1ull << VHOST_USER_PROTOCOL_F_MQ) | \
			   (1ull << VHOST_USER_PROTOCOL_F_LOG_SHMFD) | \
			   (1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK) | \
			   (1ull << VHOST_USER_PROTOCOL_F_BACKEND_REQ) | \
			   (1ull << VHOST_USER_PROTOCOL_F_CONFIG) | \
			   (1ull << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) | \
			   (1ull << VHOST_USER_PROTOCOL_F_RESET_DEVICE) | \
			   (1ull << VHOST_USER_PROTOCOL_F_STATUS) | \
			   (1ull << VHOST_USER_PROTOCOL_F_SHMEM))

/* How a handler ended. */
enum outcome {
	DONE,		/* no reply of its own */
	REPLY,		/* the reply's payload and size are in msg */
	FAILED,		/* logged */
};

static bool has_protocol_feature(const struct session *session,
				 enum vhost_user_protocol_feature bit)
{
	return session->protocol_features & (1ull << bit);
}

static enum outcome reply_u64(struct vhost_user_msg *msg, uint64_t value)
{
	msg->payload.u64 = value;
	msg->hdr.size = sizeof(msg->payload.u64);
	return REPLY;
}

/* The session has the first fd now. */
static void take_fd(struct vhost_user_msg *msg)
{
	msg->fds[0] = -1;
}

static struct queue *find_queue(struct session *session, const struct vhost_user_msg *msg,
				uint32_t index)
{
	if (index < QUEUE_COUNT)
		return &session->queues[index];
	log_error("%s: queue %u, but there are only %d", request_name(msg->hdr.request), index,
		  QUEUE_COUNT);
	return NULL;
}

static uint64_t offered_features(const struct session *session)
{
	return FEATURES | gpu_features(session->gpu);
}

static enum outcome set_features(struct session *session, const struct vhost_user_msg *msg)
{
	uint64_t offered = offered_features(session);
	unsigned int i;

	if (msg->payload.u64 & ~offered) {
		log_error("SET_FEATURES: 0x%llx, offered were 0x%llx",
			  (unsigned long long)msg->payload.u64, (unsigned long long)offered);
		return FAILED;
	}
	session->features = msg->payload.u64;
	for (i = 0; i < QUEUE_COUNT; i++)
		queue_set_features(&session->queues[i], session->features);
	session->memory.log.on = session->features & (1ull << VHOST_F_LOG_ALL);
	return DONE;
}

static enum outcome set_protocol_features(struct session *session,
					  const struct vhost_user_msg *msg)
{
	if (msg->payload.u64 & ~PROTOCOL_FEATURES) {
		log_error("SET_PROTOCOL_FEATURES: 0x%llx, offered were 0x%llx",
			  (unsigned long long)msg->payload.u64, PROTOCOL_FEATURES);
		return FAILED;
	}
	if (session->shmem.sock >= 0 && msg->payload.u64 != session->protocol_features) {
		log_error("SET_PROTOCOL_FEATURES: 0x%llx after 0x%llx, while the back-end socket is in use",
			  (unsigned long long)msg->payload.u64,
			  (unsigned long long)session->protocol_features);
		return FAILED;
	}
	session->protocol_features = msg->payload.u64;
	return DONE;
}

static enum outcome set_mem_table(struct session *session, const struct vhost_user_msg *msg)
{
	if (guest_memory_set(&session->memory, &msg->payload.memory, msg->fds) < 0)
		return FAILED;
	return DONE;
}

/* Answered with and without REPLY_ACK, so that the front-end knows when it is used. */
static enum outcome set_log_base(struct session *session, struct vhost_user_msg *msg)
{
	if (guest_memory_set_log(&session->memory, &msg->payload.log, msg->fds[0]) < 0)
		return FAILED;
	return reply_u64(msg, 0);
}

static enum outcome set_log_fd(struct session *session, struct vhost_user_msg *msg)
{
	guest_memory_set_log_event(&session->memory, msg->fds[0]);
	take_fd(msg);
	return DONE;
}

static enum outcome set_vring_num(struct session *session, const struct vhost_user_msg *msg)
{
	struct queue *queue = find_queue(session, msg, msg->payload.vring_state.index);

	if (!queue || queue_set_num(queue, msg->payload.vring_state.num) < 0)
		return FAILED;
	return DONE;
}

static enum outcome set_vring_addr(struct session *session, const struct vhost_user_msg *msg)
{
	struct queue *queue = find_queue(session, msg, msg->payload.vring_addr.index);

	if (!queue || queue_set_addr(queue, &msg->payload.vring_addr) < 0)
		return FAILED;
	return DONE;
}

static enum outcome set_vring_base(struct session *session, const struct vhost_user_msg *msg)
{
	struct queue *queue = find_queue(session, msg, msg->payload.vring_state.index);

	if (!queue || queue_set_base(queue, msg->payload.vring_state.num) < 0)
		return FAILED;
	return DONE;
}

static enum outcome get_vring_base(struct session *session, struct vhost_user_msg *msg)
{
	struct queue *queue = find_queue(session, msg, msg->payload.vring_state.index);

	if (!queue)
		return FAILED;
	gpu_abort(session->gpu, queue);
	msg->payload.vring_state.num = queue_stop(queue);
	return REPLY;
}

static enum outcome set_vring_enable(struct session *session, const struct vhost_user_msg *msg)
{
	struct queue *queue = find_queue(session, msg, msg->payload.vring_state.index);

	if (!queue)
		return FAILED;
	if (msg->payload.vring_state.num > 1) {
		log_error("SET_VRING_ENABLE: %u, must be 0 or 1", msg->payload.vring_state.num);
		return FAILED;
	}
	queue->enabled = msg->payload.vring_state.num;
	queue_process(queue);
	return DONE;
}

/* SET_VRING_KICK, _CALL, _ERR. */
static enum outcome set_vring_event(struct session *session, struct vhost_user_msg *msg)
{
	bool kick = msg->hdr.request == VHOST_USER_SET_VRING_KICK;
	struct queue *queue;
	int *slot;

	queue = find_queue(session, msg, msg->payload.u64 & VHOST_USER_VRING_INDEX_MASK);
	if (!queue)
		return FAILED;
	if (kick && !msg->nfds) {
		log_error("SET_VRING_KICK: no event fd for the %s queue: rings are not polled",
			  queue->name);
		return FAILED;
	}
	if (kick) {
		slot = &queue->kick;
		/* Without the feature there is no SET_VRING_ENABLE. */
		if (!(session->features & (1ull << VHOST_USER_F_PROTOCOL_FEATURES)))
			queue->enabled = true;
	} else {
		slot = msg->hdr.request == VHOST_USER_SET_VRING_CALL ? &queue->call : &queue->err;
	}
	if (queue_set_event(queue, slot, msg->nfds ? msg->fds[0] : -1) < 0)
		return FAILED;
	take_fd(msg);
	return DONE;
}

static enum outcome set_backend_req_fd(struct session *session, struct vhost_user_msg *msg)
{
	if (shmem_set_socket(&session->shmem, msg->fds[0], session->protocol_features) < 0)
		return FAILED;
	take_fd(msg);
	session->export_due = true;
	return DONE;
}

/* An error is told by a reply without payload. */
static enum outcome get_config(struct session *session, struct vhost_user_msg *msg)
{
	struct vhost_user_config *config = &msg->payload.config;
	const struct virtio_gpu_config *own = &session->gpu->config;

	if (config->offset > sizeof(*own) || config->size > sizeof(*own) - config->offset) {
		log_error("GET_CONFIG: %u bytes at %u, but there are only %zu", config->size,
			  config->offset, sizeof(*own));
		msg->hdr.size = 0;
		return REPLY;
	}
	memcpy(config->region, (const char *)own + config->offset, config->size);
	return REPLY;
}

/*
 * The only field that can be written is events_clear, and no event is ever
 * pending: a write has no effect. A migrated device has no state here either.
 */
static enum outcome set_config(struct session *session, const struct vhost_user_msg *msg)
{
	const struct vhost_user_config *config = &msg->payload.config;
	uint32_t first = offsetof(struct virtio_gpu_config, events_clear);
	uint32_t last = sizeof(session->gpu->config.events_clear);

	if (config->flags == VHOST_USER_CONFIG_MIGRATION) {
		first = 0;
		last = sizeof(session->gpu->config);
	} else {
		last += first;
	}
	if (config->offset < first || config->offset > last ||
	    config->size > last - config->offset) {
		log_error("SET_CONFIG: %u bytes at %u with flags 0x%x: only bytes %u to %u can be written so",
			  config->size, config->offset, config->flags, first, last - 1);
		return FAILED;
	}
	return DONE;
}

static void disable_rings(struct session *session)
{
	unsigned int i;

	for (i = 0; i < QUEUE_COUNT; i++)
		session->queues[i].enabled = false;
}

static enum outcome reset_device(struct session *session)
{
	unsigned int i;

	/* First: what the front-end has removed is not to be unmapped. */
	if (shmem_reset(&session->shmem) < 0)
		return FAILED;
	gpu_reset(session->gpu);
	for (i = 0; i < QUEUE_COUNT; i++) {
		queue_reset(&session->queues[i]);
		queue_set_features(&session->queues[i], session->features);
	}
	guest_memory_clear_log(&session->memory);
	session->status = 0;
	session->export_due = true;
	return DONE;
}

/*
 * The status is kept for GET_STATUS. Status 0 stops the rings and touches neither
 * mappings nor what the guest made: front-ends write it whenever they stop the device,
 * also in the guest's midst, and have RESET_DEVICE for a reset. One that did not
 * negotiate that has no other word for it than this.
 */
static enum outcome set_status(struct session *session, const struct vhost_user_msg *msg)
{
	unsigned int i;

	session->status = msg->payload.u64;
	if (session->status)
		return DONE;
	if (!has_protocol_feature(session, VHOST_USER_PROTOCOL_F_RESET_DEVICE))
		gpu_reset(session->gpu);
	for (i = 0; i < QUEUE_COUNT; i++) {
		gpu_abort(session->gpu, &session->queues[i]);
		queue_stop(&session->queues[i]);
	}
	return DONE;
}

static enum outcome get_shmem_config(struct session *session, struct vhost_user_msg *msg)
{
	shmem_get_config(&session->shmem, &msg->payload.shmem_config);
	msg->hdr.size = sizeof(msg->payload.shmem_config);
	if (!has_protocol_feature(session, VHOST_USER_PROTOCOL_F_BACKEND_REQ) ||
	    !has_protocol_feature(session, VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD))
		log_warn("protocol features 0x%llx are without BACKEND_REQ and BACKEND_SEND_FD: no buffer can be exported",
			 (unsigned long long)session->protocol_features);
	session->shmem_asked = true;
	session->export_due = true;
	return REPLY;
}

static enum outcome handle(struct session *session, struct vhost_user_msg *msg)
{
	switch ((enum vhost_user_request)msg->hdr.request) {
	case VHOST_USER_GET_FEATURES:
		return reply_u64(msg, offered_features(session));
	case VHOST_USER_SET_FEATURES:
		return set_features(session, msg);
	case VHOST_USER_SET_OWNER:
		return DONE;
	case VHOST_USER_RESET_OWNER:
		disable_rings(session);
		return DONE;
	case VHOST_USER_SET_MEM_TABLE:
		return set_mem_table(session, msg);
	case VHOST_USER_SET_LOG_BASE:
		return set_log_base(session, msg);
	case VHOST_USER_SET_LOG_FD:
		return set_log_fd(session, msg);
	case VHOST_USER_SET_VRING_NUM:
		return set_vring_num(session, msg);
	case VHOST_USER_SET_VRING_ADDR:
		return set_vring_addr(session, msg);
	case VHOST_USER_SET_VRING_BASE:
		return set_vring_base(session, msg);
	case VHOST_USER_GET_VRING_BASE:
		return get_vring_base(session, msg);
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
	case VHOST_USER_SET_VRING_ERR:
		return set_vring_event(session, msg);
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		return reply_u64(msg, PROTOCOL_FEATURES);
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		return set_protocol_features(session, msg);
	case VHOST_USER_GET_QUEUE_NUM:
		return reply_u64(msg, QUEUE_COUNT);
	case VHOST_USER_SET_VRING_ENABLE:
		return set_vring_enable(session, msg);
	case VHOST_USER_SET_BACKEND_REQ_FD:
		return set_backend_req_fd(session, msg);
	case VHOST_USER_GET_CONFIG:
		return get_config(session, msg);
	case VHOST_USER_SET_CONFIG:
		return set_config(session, msg);
	case VHOST_USER_RESET_DEVICE:
		return reset_device(session);
	case VHOST_USER_SET_STATUS:
		return set_status(session, msg);
	case VHOST_USER_GET_STATUS:
		return reply_u64(msg, session->status);
	case VHOST_USER_GET_SHMEM_CONFIG:
		return get_shmem_config(session, msg);
	/* request_check() has turned these away. */
	case VHOST_USER_SEND_RARP:
	case VHOST_USER_NET_SET_MTU:
	case VHOST_USER_IOTLB_MSG:
	case VHOST_USER_SET_VRING_ENDIAN:
	case VHOST_USER_CREATE_CRYPTO_SESSION:
	case VHOST_USER_CLOSE_CRYPTO_SESSION:
	case VHOST_USER_POSTCOPY_ADVISE:
	case VHOST_USER_POSTCOPY_LISTEN:
	case VHOST_USER_POSTCOPY_END:
	case VHOST_USER_GET_INFLIGHT_FD:
	case VHOST_USER_SET_INFLIGHT_FD:
	case VHOST_USER_GPU_SET_SOCKET:
	case VHOST_USER_VRING_KICK:
	case VHOST_USER_GET_MAX_MEM_SLOTS:
	case VHOST_USER_ADD_MEM_REG:
	case VHOST_USER_REM_MEM_REG:
	case VHOST_USER_GET_SHARED_OBJECT:
	case VHOST_USER_SET_DEVICE_STATE_FD:
	case VHOST_USER_CHECK_DEVICE_STATE:
		break;
	}
	return FAILED;
}

/* Does the request have a reply of its own, so that REPLY_ACK sends none? */
static bool has_own_reply(uint32_t request)
{
	return request == VHOST_USER_GET_FEATURES || request == VHOST_USER_GET_PROTOCOL_FEATURES ||
	       request == VHOST_USER_GET_QUEUE_NUM || request == VHOST_USER_GET_VRING_BASE ||
	       request == VHOST_USER_GET_CONFIG || request == VHOST_USER_GET_STATUS ||
	       request == VHOST_USER_GET_SHMEM_CONFIG;
}

int session_request(struct session *session, struct vhost_user_msg *msg)
{
	enum outcome outcome = FAILED;
	enum fdmsg_status status;
	bool ack;

	/* SET_PROTOCOL_FEATURES itself is acknowledged if it brings the feature. */
	if (request_check(msg, session->protocol_features) == 0)
		outcome = handle(session, msg);
	ack = has_protocol_feature(session, VHOST_USER_PROTOCOL_F_REPLY_ACK) &&
	      msg->hdr.flags & VHOST_USER_FLAG_NEED_REPLY && !has_own_reply(msg->hdr.request);
	fdmsg_close_fds(msg);

	if (outcome != REPLY) {
		if (!ack)
			return outcome == DONE ? 0 : -1;
		reply_u64(msg, outcome == DONE ? 0 : 1);
	}
	msg->hdr.flags = VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY;
	status = fdmsg_send(session->sock, msg, SEND_TIMEOUT_MS);
	if (status != FDMSG_OK) {
		log_error("%s: cannot send the reply: %s", request_name(msg->hdr.request),
			  fdmsg_strstatus(status));
		return -1;
	}
	return 0;
}
