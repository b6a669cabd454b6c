// SPDX-License-Identifier: GPL-2.0-or-later
/* The form of the front-end's requests: one table. Called by session.c. */
#include "request.h"
#include "log.h"

#include <stdbool.h>
#include <stddef.h>

#define NO_FEATURE	(-1)
#define ANY_SIZE	UINT32_MAX	/* depends on the payload: see exact_size() */
#define ANY_FDS		UINT32_MAX	/* depends on the payload: see exact_fds() */

struct request_rule {
	const char *name;
	bool served;
	int feature;		/* VHOST_USER_PROTOCOL_F_*, or NO_FEATURE */
	uint32_t size;		/* of the payload */
	uint32_t nfds;
};

#define SERVED(request, feature, size, nfds) \
	[VHOST_USER_##request] = { #request, true, feature, size, nfds }
#define REFUSED(request) \
	[VHOST_USER_##request] = { #request, false, NO_FEATURE, 0, 0 }

#define U64	sizeof(uint64_t)
#define STATE	sizeof(struct vhost_vring_state)
#define ADDR	sizeof(struct vhost_vring_addr)
#define LOG	sizeof(struct vhost_user_log)

static const struct request_rule rules[] = {
	SERVED(GET_FEATURES, NO_FEATURE, 0, 0),
	SERVED(SET_FEATURES, NO_FEATURE, U64, 0),
	SERVED(SET_OWNER, NO_FEATURE, 0, 0),
	SERVED(RESET_OWNER, NO_FEATURE, 0, 0),
	SERVED(SET_MEM_TABLE, NO_FEATURE, ANY_SIZE, ANY_FDS),
	SERVED(SET_LOG_BASE, VHOST_USER_PROTOCOL_F_LOG_SHMFD, LOG, 1),
	SERVED(SET_LOG_FD, NO_FEATURE, 0, 1),
	SERVED(SET_VRING_NUM, NO_FEATURE, STATE, 0),
	SERVED(SET_VRING_ADDR, NO_FEATURE, ADDR, 0),
	SERVED(SET_VRING_BASE, NO_FEATURE, STATE, 0),
	SERVED(GET_VRING_BASE, NO_FEATURE, STATE, 0),
	SERVED(SET_VRING_KICK, NO_FEATURE, U64, ANY_FDS),
	SERVED(SET_VRING_CALL, NO_FEATURE, U64, ANY_FDS),
	SERVED(SET_VRING_ERR, NO_FEATURE, U64, ANY_FDS),
	SERVED(GET_PROTOCOL_FEATURES, NO_FEATURE, 0, 0),
	SERVED(SET_PROTOCOL_FEATURES, NO_FEATURE, U64, 0),
	SERVED(GET_QUEUE_NUM, VHOST_USER_PROTOCOL_F_MQ, 0, 0),
	SERVED(SET_VRING_ENABLE, NO_FEATURE, STATE, 0),
	REFUSED(SEND_RARP),
	REFUSED(NET_SET_MTU),
	SERVED(SET_BACKEND_REQ_FD, VHOST_USER_PROTOCOL_F_BACKEND_REQ, 0, 1),
	REFUSED(IOTLB_MSG),
	REFUSED(SET_VRING_ENDIAN),
	SERVED(GET_CONFIG, VHOST_USER_PROTOCOL_F_CONFIG, ANY_SIZE, 0),
	SERVED(SET_CONFIG, VHOST_USER_PROTOCOL_F_CONFIG, ANY_SIZE, 0),
	REFUSED(CREATE_CRYPTO_SESSION),
	REFUSED(CLOSE_CRYPTO_SESSION),
	REFUSED(POSTCOPY_ADVISE),
	REFUSED(POSTCOPY_LISTEN),
	REFUSED(POSTCOPY_END),
	REFUSED(GET_INFLIGHT_FD),
	REFUSED(SET_INFLIGHT_FD),
	REFUSED(GPU_SET_SOCKET),
	SERVED(RESET_DEVICE, VHOST_USER_PROTOCOL_F_RESET_DEVICE, 0, 0),
	REFUSED(VRING_KICK),
	REFUSED(GET_MAX_MEM_SLOTS),
	REFUSED(ADD_MEM_REG),
	REFUSED(REM_MEM_REG),
	SERVED(SET_STATUS, VHOST_USER_PROTOCOL_F_STATUS, U64, 0),
	SERVED(GET_STATUS, VHOST_USER_PROTOCOL_F_STATUS, 0, 0),
	REFUSED(GET_SHARED_OBJECT),
	REFUSED(SET_DEVICE_STATE_FD),
	REFUSED(CHECK_DEVICE_STATE),
	SERVED(GET_SHMEM_CONFIG, VHOST_USER_PROTOCOL_F_SHMEM, 0, 0),
};

static const struct request_rule *find_rule(uint32_t request)
{
	if (request < sizeof(rules) / sizeof(*rules) && rules[request].name)
		return &rules[request];
	return NULL;
}

const char *request_name(uint32_t request)
{
	const struct request_rule *rule = find_rule(request);

	return rule ? rule->name : "unknown";
}

/* The size that a payload of variable size says of itself; 0: none that is possible. */
static uint32_t exact_size(const struct vhost_user_msg *msg)
{
	const union vhost_user_payload *payload = &msg->payload;

	if (msg->hdr.request == VHOST_USER_SET_MEM_TABLE) {
		if (payload->memory.nregions > VHOST_USER_MAX_REGIONS)
			return 0;
		return offsetof(struct vhost_user_memory, regions[0]) +
		       payload->memory.nregions * sizeof(struct vhost_user_region);
	}
	if (payload->config.size > VHOST_USER_MAX_CONFIG)
		return 0;
	return VHOST_USER_CONFIG_HEADER + payload->config.size;
}

static uint32_t exact_fds(const struct vhost_user_msg *msg)
{
	if (msg->hdr.request == VHOST_USER_SET_MEM_TABLE)
		return msg->payload.memory.nregions;
	return msg->payload.u64 & VHOST_USER_VRING_NOFD ? 0 : 1;
}

int request_check(const struct vhost_user_msg *msg, uint64_t protocol_features)
{
	const struct request_rule *rule = find_rule(msg->hdr.request);
	uint32_t size, nfds;

	if (!rule) {
		log_error("request %u is unknown", msg->hdr.request);
		return -1;
	}
	if (!rule->served) {
		log_error("request %s (%u) is not supported", rule->name, msg->hdr.request);
		return -1;
	}
	if (msg->hdr.flags & VHOST_USER_FLAG_REPLY) {
		log_error("%s: flags 0x%x: a reply, but nothing was asked on this socket",
			  rule->name, msg->hdr.flags);
		return -1;
	}
	if (rule->feature != NO_FEATURE && !(protocol_features & (1ull << rule->feature))) {
		log_error("%s: needs protocol feature %d, negotiated are 0x%llx", rule->name,
			  rule->feature, (unsigned long long)protocol_features);
		return -1;
	}

	/* Unset payload bytes are 0, so that a size can be looked for in a short one. */
	size = rule->size == ANY_SIZE ? exact_size(msg) : rule->size;
	if (msg->hdr.size != size) {
		log_error("%s: the payload has %u bytes, must have %u", rule->name,
			  msg->hdr.size, size);
		return -1;
	}
	nfds = rule->nfds == ANY_FDS ? exact_fds(msg) : rule->nfds;
	if (msg->nfds != nfds) {
		log_error("%s: came with %u file descriptors, must have %u", rule->name,
			  msg->nfds, nfds);
		return -1;
	}
	return 0;
}
