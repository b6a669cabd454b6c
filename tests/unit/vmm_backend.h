/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost-user back-end that does what a test says, at the other end of the
 * front-end's socket. Test and front-end share a thread: the test takes a request,
 * answers it, and turns the event loop.
 */
#ifndef UNIT_VMM_BACKEND_H
#define UNIT_VMM_BACKEND_H

#include "unit/vmm_fake_kernel.h"

#include <poll.h>
#include <sys/socket.h>

#include "fdmsg.h"
#include "unit/capture.h"
#include "vmm/frontend.h"
#include "vmm/gpu_proc.h"

#define REGION		(8ULL << 20)
#define WAIT_MS		5000

/* What a gpu-proc offers. */
#define GOOD_FEATURES	(1ULL << 32 | 1ULL << VHOST_USER_F_PROTOCOL_FEATURES | \
			 1ULL << VHOST_F_LOG_ALL)
#define GOOD_PROTOCOL	(1ULL << VHOST_USER_PROTOCOL_F_MQ | \
			 1ULL << VHOST_USER_PROTOCOL_F_LOG_SHMFD | \
			 1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK | \
			 1ULL << VHOST_USER_PROTOCOL_F_BACKEND_REQ | \
			 1ULL << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD | \
			 1ULL << VHOST_USER_PROTOCOL_F_SHMEM)

/* What answer() says that it has. */
static uint64_t offered_features = GOOD_FEATURES, offered_protocol = GOOD_PROTOCOL;

struct backend {
	struct fake fake;
	struct frontend *fe;
	struct frontend *gpus[4];
	struct frontend_client client;
	int main;		/* our ends */
	int requests;		/* -1 until SET_BACKEND_REQ_FD */
	struct vhost_user_msg last;	/* the request taken last */
	int fds_before;
};

/* How the start ended. */
static int started_result;
static unsigned int started_calls;
static char started_error[512];

static inline void on_started(struct frontend *fe, int result, const struct error *err)
{
	(void)fe;
	started_calls++;
	started_result = result;
	snprintf(started_error, sizeof(started_error), "%s", err ? err->msg : "");
}

static inline int backend_setup(void **state)
{
	struct backend *b = calloc(1, sizeof(*b));
	int sv[2];

	if (!b)
		return -1;
	b->fds_before = count_fds();
	started_result = 1;
	started_calls = 0;
	started_error[0] = '\0';
	fake_create(&b->fake);
	gpu_proc__client(&b->client, on_started);
	b->requests = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -1;
	b->main = sv[1];
	if (frontend__create(&b->fe, &b->fake.vm, b->fake.loop, &b->client, "test",
			     FRONTEND_OFFSET_AUTO, NULL) < 0)
		return -1;
	b->gpus[0] = b->fe;
	b->fake.vm.gpus = b->gpus;
	b->fake.vm.nr_gpus = 1;
	frontend__attach(b->fe, sv[0]);
	*state = b;
	return 0;
}

/* Whatever happened: no descriptor is left. */
static inline int backend_teardown(void **state)
{
	struct backend *b = *state;
	int before = b->fds_before;

	frontend__destroy(b->fe);
	if (b->main >= 0)
		close(b->main);
	if (b->requests >= 0)
		close(b->requests);
	fdmsg_close_fds(&b->last);
	fake_destroy(&b->fake);
	free(b);
	return count_fds() == before ? 0 : -1;
}

/* For the next case of one test. */
static inline struct backend *backend_restart(void **state)
{
	if (backend_teardown(state) < 0 || backend_setup(state) < 0)
		abort();
	return *state;
}

static inline void pump(struct backend *b)
{
	assert_int_equal(loop__run_once(b->fake.loop, 0), 0);
}

/* Turn the loop until nothing is ready. */
static inline void pump_all(struct backend *b)
{
	int i;

	for (i = 0; i < 16; i++)
		pump(b);
}

/* Take the front-end's request, which must be there. */
static inline void take(struct backend *b, uint32_t request)
{
	fdmsg_close_fds(&b->last);
	assert_int_equal(fdmsg_recv(b->main, &b->last, WAIT_MS), FDMSG_OK);
	assert_int_equal(b->last.hdr.request, request);
}

static inline void reply(struct backend *b, const void *payload, uint32_t size)
{
	struct vhost_user_msg msg = {
		.hdr = {
			.request = b->last.hdr.request,
			.flags = VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY,
			.size = size,
		},
	};

	memcpy(&msg.payload, payload, size);
	assert_int_equal(fdmsg_send(b->main, &msg, WAIT_MS), FDMSG_OK);
	pump_all(b);
}

static inline void reply_u64(struct backend *b, uint64_t value)
{
	reply(b, &value, sizeof(value));
}

static inline void reply_config(struct backend *b, uint32_t nregions, unsigned int shmid,
				uint64_t size)
{
	struct vhost_user_shmem_config config = { .nregions = nregions };

	config.sizes[shmid] = size;
	reply(b, &config, sizeof(config));
}

/* Answer one request as a gpu-proc does. */
static inline void answer(struct backend *b, uint32_t request)
{
	take(b, request);
	switch (request) {
	case VHOST_USER_GET_FEATURES:
		reply_u64(b, offered_features);
		break;
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		reply_u64(b, offered_protocol);
		break;
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		break;
	case VHOST_USER_GET_QUEUE_NUM:
		reply_u64(b, 2);
		break;
	case VHOST_USER_GET_SHMEM_CONFIG:
		reply_config(b, 1, FRONTEND_SHMID_HOST_VISIBLE, REGION);
		break;
	case VHOST_USER_SET_BACKEND_REQ_FD:
		assert_int_equal(b->last.nfds, 1);
		b->requests = b->last.fds[0];
		b->last.fds[0] = -1;
		reply_u64(b, 0);
		break;
	default:
		assert_int_equal(b->last.hdr.flags & VHOST_USER_FLAG_NEED_REPLY,
				 VHOST_USER_FLAG_NEED_REPLY);
		reply_u64(b, 0);
		break;
	}
}

static const uint32_t handshake_requests[] = {
	VHOST_USER_GET_FEATURES, VHOST_USER_GET_PROTOCOL_FEATURES, VHOST_USER_SET_PROTOCOL_FEATURES,
	VHOST_USER_GET_QUEUE_NUM, VHOST_USER_SET_OWNER, VHOST_USER_GET_SHMEM_CONFIG,
	VHOST_USER_SET_FEATURES, VHOST_USER_SET_MEM_TABLE, VHOST_USER_SET_BACKEND_REQ_FD,
	VHOST_USER_GET_FEATURES,
};

#define HANDSHAKE_STEPS	(sizeof(handshake_requests) / sizeof(handshake_requests[0]))
/* Up to and with SET_BACKEND_REQ_FD: the back-end may send its buffers. */
#define HANDSHAKE_BUFFERS (HANDSHAKE_STEPS - 1)

/* Answer the first @n requests. */
static inline void handshake(struct backend *b, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		answer(b, handshake_requests[i]);
}

static inline void assert_started(void)
{
	assert_string_equal(started_error, "");
	assert_int_equal(started_calls, 1);
	assert_int_equal(started_result, 0);
}

static inline void assert_failed(int errnum, const char *text)
{
	assert_int_equal(started_calls, 1);
	assert_int_equal(started_result, -errnum);
	if (!strstr(started_error, text))
		fail_msg("the error says '%s', not '%s'", started_error, text);
}

#endif /* UNIT_VMM_BACKEND_H */
