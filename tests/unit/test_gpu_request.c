// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/request.c and session_request.c: every request, and what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/eventfd.h>

#include "front_end.h"

static struct front_end fe;

/* One that must be refused, however it is sent. */
struct bad_request {
	uint32_t request;
	uint64_t payload[5];	/* the first bytes */
	uint32_t size;
	unsigned int nfds;
	const char *text;
};

#define STATE(index, num)	((uint64_t)(num) << 32 | (index))

static const struct bad_request bad_requests[] = {
	/* unknown, or of features that are not offered */
	{ 0, { 0 }, 0, 0, "request 0 is unknown" },
	{ 45, { 0 }, 0, 0, "request 45 is unknown" },
	{ UINT32_MAX, { 0 }, 0, 0, "request 4294967295 is unknown" },
	{ VHOST_USER_ADD_MEM_REG, { 0 }, 40, 1, "ADD_MEM_REG (37) is not supported" },
	{ VHOST_USER_CHECK_DEVICE_STATE, { 0 }, 0, 0, "CHECK_DEVICE_STATE (43) is not supported" },
	/* payloads of another size */
	{ VHOST_USER_SET_FEATURES, { 0 }, 0, 0, "the payload has 0 bytes, must have 8" },
	{ VHOST_USER_SET_FEATURES, { 0 }, 4, 0, "the payload has 4 bytes, must have 8" },
	{ VHOST_USER_SET_FEATURES, { 0 }, 16, 0, "the payload has 16 bytes, must have 8" },
	{ VHOST_USER_SET_PROTOCOL_FEATURES, { 0 }, 7, 0, "the payload has 7 bytes, must have 8" },
	{ VHOST_USER_SET_OWNER, { 0 }, 8, 0, "SET_OWNER: the payload has 8 bytes, must have 0" },
	{ VHOST_USER_RESET_OWNER, { 0 }, 1, 0, "the payload has 1 bytes, must have 0" },
	{ VHOST_USER_RESET_DEVICE, { 0 }, 8, 0, "the payload has 8 bytes, must have 0" },
	{ VHOST_USER_SET_STATUS, { 0 }, 4, 0, "the payload has 4 bytes, must have 8" },
	{ VHOST_USER_SET_VRING_NUM, { 0 }, 4, 0, "the payload has 4 bytes, must have 8" },
	{ VHOST_USER_SET_VRING_ADDR, { 0 }, 39, 0, "the payload has 39 bytes, must have 40" },
	{ VHOST_USER_SET_VRING_BASE, { 0 }, 12, 0, "the payload has 12 bytes, must have 8" },
	{ VHOST_USER_SET_VRING_ENABLE, { 0 }, 0, 0, "the payload has 0 bytes, must have 8" },
	{ VHOST_USER_SET_VRING_KICK, { 0 }, 4, 1, "the payload has 4 bytes, must have 8" },
	{ VHOST_USER_SET_BACKEND_REQ_FD, { 0 }, 8, 1, "the payload has 8 bytes, must have 0" },
	{ VHOST_USER_SET_CONFIG, { 0, 0 }, 11, 0, "the payload has 11 bytes, must have 12" },
	{ VHOST_USER_SET_CONFIG, { 4ull << 32, 0 }, 12, 0,
	  "the payload has 12 bytes, must have 16" },
	{ VHOST_USER_SET_CONFIG, { 257ull << 32, 0 }, 40, 0,
	  "the payload has 40 bytes, must have 0" },
	/* dirty logs; an fd without bytes comes with them */
	{ VHOST_USER_SET_LOG_BASE, { 4096 }, 8, 1, "the payload has 8 bytes, must have 16" },
	{ VHOST_USER_SET_LOG_BASE, { 4096, 0, 0 }, 24, 1, "the payload has 24 bytes, must have 16" },
	{ VHOST_USER_SET_LOG_BASE, { 4096 }, 16, 0, "came with 0 file descriptors, must have 1" },
	{ VHOST_USER_SET_LOG_BASE, { 4096 }, 16, 2, "came with 2 file descriptors, must have 1" },
	{ VHOST_USER_SET_LOG_BASE, { 0 }, 16, 1, "dirty log: 0x0 bytes at file offset 0x0: empty" },
	{ VHOST_USER_SET_LOG_BASE, { UINT64_MAX, 4096 }, 16, 1,
	  "dirty log: 0xffffffffffffffff bytes at file offset 0x1000: empty, or wraps" },
	{ VHOST_USER_SET_LOG_BASE, { 4096, INT64_MAX }, 16, 1, "empty, or wraps around" },
	{ VHOST_USER_SET_LOG_BASE, { 4096, 8192 }, 16, 1,
	  "dirty log: ends at byte 0x3000 of its file, which has 0x0" },
	{ VHOST_USER_SET_LOG_FD, { 0 }, 0, 0, "came with 0 file descriptors, must have 1" },
	{ VHOST_USER_SET_LOG_FD, { 0 }, 8, 1, "the payload has 8 bytes, must have 0" },
	/* memory tables that contradict themselves */
	{ VHOST_USER_SET_MEM_TABLE, { 0 }, 0, 0, "the payload has 0 bytes, must have 8" },
	{ VHOST_USER_SET_MEM_TABLE, { 1 }, 8, 1, "the payload has 8 bytes, must have 40" },
	{ VHOST_USER_SET_MEM_TABLE, { 9 }, 40, 1, "the payload has 40 bytes, must have 0" },
	{ VHOST_USER_SET_MEM_TABLE, { UINT32_MAX }, 40, 1,
	  "the payload has 40 bytes, must have 0" },
	{ VHOST_USER_SET_MEM_TABLE, { 1, 0, 4096 }, 40, 0, "0 file descriptors, must have 1" },
	{ VHOST_USER_SET_MEM_TABLE, { 1, 0, 4096 }, 40, 2, "2 file descriptors, must have 1" },
	{ VHOST_USER_SET_MEM_TABLE, { 1, 0, 0 }, 40, 1, "memory region 0: size 0x0" },
	/* fds: missing, or too many */
	{ VHOST_USER_SET_FEATURES, { 0 }, 8, 1, "came with 1 file descriptors, must have 0" },
	{ VHOST_USER_SET_OWNER, { 0 }, 0, 8, "came with 8 file descriptors, must have 0" },
	{ VHOST_USER_SET_VRING_KICK, { 0 }, 8, 0, "came with 0 file descriptors, must have 1" },
	{ VHOST_USER_SET_VRING_CALL, { 0 }, 8, 2, "came with 2 file descriptors, must have 1" },
	{ VHOST_USER_SET_VRING_ERR, { VHOST_USER_VRING_NOFD }, 8, 1,
	  "came with 1 file descriptors, must have 0" },
	{ VHOST_USER_SET_BACKEND_REQ_FD, { 0 }, 0, 0, "came with 0 file descriptors, must have 1" },
	{ VHOST_USER_SET_BACKEND_REQ_FD, { 0 }, 0, 2, "came with 2 file descriptors, must have 1" },
	/* values */
	{ VHOST_USER_SET_FEATURES, { BIT(0) }, 8, 0,
	  "SET_FEATURES: 0x1, offered were 0x17400000a" },
	{ VHOST_USER_SET_FEATURES, { BIT(27) }, 8, 0, "SET_FEATURES: 0x8000000" },
	{ VHOST_USER_SET_PROTOCOL_FEATURES, { BIT(2) }, 8, 0,
	  "SET_PROTOCOL_FEATURES: 0x4, offered" },
	{ VHOST_USER_SET_PROTOCOL_FEATURES, { BIT(21) }, 8, 0, "SET_PROTOCOL_FEATURES: 0x200000" },
	{ VHOST_USER_SET_VRING_NUM, { STATE(2, 64) }, 8, 0,
	  "SET_VRING_NUM: queue 2, but there are only 2" },
	{ VHOST_USER_SET_VRING_NUM, { STATE(0, 0) }, 8, 0, "control queue: 0 descriptors" },
	{ VHOST_USER_SET_VRING_NUM, { STATE(1, 3) }, 8, 0, "cursor queue: 3 descriptors" },
	{ VHOST_USER_SET_VRING_NUM, { STATE(0, 2048) }, 8, 0, "control queue: 2048 descriptors" },
	{ VHOST_USER_SET_VRING_ADDR, { 2 }, 40, 0, "SET_VRING_ADDR: queue 2" },
	{ VHOST_USER_SET_VRING_ADDR, { 2ull << 32 }, 40, 0, "control queue: flags 0x2" },
	{ VHOST_USER_SET_VRING_ADDR, { 1ull << 32, 0, 0, 0, 2 }, 40, 0,
	  "control queue: used ring to be logged at guest 0x2" },
	{ VHOST_USER_SET_VRING_ADDR, { 0, 8 }, 40, 0, "descriptors at 0x8" },
	{ VHOST_USER_SET_VRING_ADDR, { 0, 0, 2 }, 40, 0, "used ring at 0x2" },
	{ VHOST_USER_SET_VRING_ADDR, { 0, 0, 0, 1 }, 40, 0, "available ring at 0x1" },
	{ VHOST_USER_SET_VRING_BASE, { STATE(7, 0) }, 8, 0, "SET_VRING_BASE: queue 7" },
	{ VHOST_USER_SET_VRING_BASE, { STATE(0, 65536) }, 8, 0,
	  "index 65536, must be below 65536" },
	{ VHOST_USER_SET_VRING_ENABLE, { STATE(2, 1) }, 8, 0, "SET_VRING_ENABLE: queue 2" },
	{ VHOST_USER_SET_VRING_ENABLE, { STATE(0, 2) }, 8, 0,
	  "SET_VRING_ENABLE: 2, must be 0 or 1" },
	{ VHOST_USER_SET_VRING_KICK, { 2 }, 8, 1, "SET_VRING_KICK: queue 2" },
	{ VHOST_USER_SET_VRING_KICK, { VHOST_USER_VRING_NOFD }, 8, 0, "rings are not polled" },
	{ VHOST_USER_SET_CONFIG, { 4ull << 32 | 0, 0 }, 16, 0, "4 bytes at 0 with flags 0x0" },
	{ VHOST_USER_SET_CONFIG, { 4ull << 32 | 8, 0 }, 16, 0, "4 bytes at 8 with flags 0x0" },
	{ VHOST_USER_SET_CONFIG, { 5ull << 32 | 4, 0 }, 17, 0, "5 bytes at 4 with flags 0x0" },
	{ VHOST_USER_SET_CONFIG, { 4ull << 32 | 16, 1 }, 16, 0, "4 bytes at 16 with flags 0x1" },
};

static void send_bad(const struct bad_request *bad, uint32_t flags)
{
	struct vhost_user_msg msg = {
		.hdr = {
			.request = bad->request,
			.flags = VHOST_USER_VERSION | flags,
			.size = bad->size,
		},
		.nfds = bad->nfds,
	};
	unsigned int i;
	int sv[2];

	memcpy(&msg.payload, bad->payload, sizeof(bad->payload));
	/* real ones, to see whether they are closed */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	for (i = 0; i < bad->nfds; i++)
		msg.fds[i] = sv[1];
	assert_int_equal(fdmsg_send(fe.sock, &msg, FE_TIMEOUT_MS), FDMSG_OK);
	close(sv[0]);
	close(sv[1]);
}

/* Where the front-end wants to be told, it is told, and the session goes on. */
static void test_bad_acknowledged(void **state)
{
	const char *log;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad_requests) / sizeof(*bad_requests); i++) {
		const struct bad_request *bad = &bad_requests[i];

		fe_start(&fe);
		fe_negotiate(&fe, FE_ALL_FEATURES);
		send_bad(bad, VHOST_USER_FLAG_NEED_REPLY);
		assert_int_equal(fe_reply_u64(&fe, bad->request), 1);
		assert_int_equal(fe_get(&fe, VHOST_USER_GET_QUEUE_NUM), 2);
		log = fe_hang_up(&fe, SESSION_CLOSED);
		assert_logged(log, bad->text);
	}
}

/* Where not, the connection ends, and all that came with the request is closed. */
static void test_bad_unacknowledged(void **state)
{
	const char *log;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad_requests) / sizeof(*bad_requests); i++) {
		const struct bad_request *bad = &bad_requests[i];

		fe_start(&fe);
		fe_negotiate(&fe, FE_ALL_FEATURES);
		send_bad(bad, 0);
		log = fe_finish(&fe, SESSION_FAILED);
		assert_logged(log, bad->text);
	}
}

/* The flag means nothing before REPLY_ACK is negotiated. */
static void test_ack_not_negotiated(void **state)
{
	struct vhost_user_msg msg;

	(void)state;
	fe_start(&fe);
	fe_send(fe.sock, VHOST_USER_SET_OWNER, VHOST_USER_FLAG_NEED_REPLY, NULL, 0, -1);
	fe_send(fe.sock, VHOST_USER_GET_FEATURES, VHOST_USER_FLAG_NEED_REPLY, NULL, 0, -1);
	fe_reply_u64(&fe, VHOST_USER_GET_FEATURES);
	fe_send(fe.sock, 99, VHOST_USER_FLAG_NEED_REPLY, NULL, 0, -1);
	assert_int_equal(fdmsg_recv(fe.sock, &msg, FE_TIMEOUT_MS), FDMSG_CLOSED);
	fe_finish(&fe, SESSION_FAILED);
}

/* A reply of its own is the only one, with or without the flag. */
static void test_ack_and_reply(void **state)
{
	static const uint32_t requests[] = {
		VHOST_USER_GET_FEATURES, VHOST_USER_GET_PROTOCOL_FEATURES,
		VHOST_USER_GET_QUEUE_NUM, VHOST_USER_GET_STATUS,
	};
	struct vhost_user_msg msg;
	size_t i;

	(void)state;
	fe_start(&fe);
	fe_negotiate(&fe, FE_ALL_FEATURES);
	for (i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		fe_send(fe.sock, requests[i], VHOST_USER_FLAG_NEED_REPLY, NULL, 0, -1);
		fe_reply_u64(&fe, requests[i]);
	}
	fe_send(fe.sock, VHOST_USER_GET_SHMEM_CONFIG, VHOST_USER_FLAG_NEED_REPLY, NULL, 0, -1);
	fe_reply(&fe, VHOST_USER_GET_SHMEM_CONFIG, &msg);
	/* the next thing in the socket is the next reply */
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_OWNER, NULL, 0, -1), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_RESET_OWNER, NULL, 0, -1), 0);
	fe_hang_up(&fe, SESSION_CLOSED);
}

/* A request with a reply of its own, malformed: no reply would be understood. */
static void test_bad_with_reply(void **state)
{
	uint64_t junk = STATE(5, 0);

	(void)state;
	fe_start(&fe);
	fe_negotiate(&fe, FE_ALL_FEATURES);
	fe_send(fe.sock, VHOST_USER_GET_FEATURES, VHOST_USER_FLAG_NEED_REPLY, &junk, 8, -1);
	assert_logged(fe_finish(&fe, SESSION_FAILED), "GET_FEATURES: the payload has 8 bytes");

	fe_start(&fe);
	fe_negotiate(&fe, FE_ALL_FEATURES);
	fe_send(fe.sock, VHOST_USER_GET_VRING_BASE, VHOST_USER_FLAG_NEED_REPLY, &junk, 8, -1);
	assert_logged(fe_finish(&fe, SESSION_FAILED), "GET_VRING_BASE: queue 5");
}

/* A reply, where nothing was asked. */
static void test_reply_to_nothing(void **state)
{
	(void)state;
	fe_start(&fe);
	fe_send_u64(&fe, VHOST_USER_SET_FEATURES, VHOST_USER_FLAG_REPLY, 0);
	assert_logged(fe_finish(&fe, SESSION_FAILED),
		      "SET_FEATURES: flags 0x5: a reply, but nothing was asked on this socket");
}

/* What belongs to a protocol feature is served with it only. */
static void test_needs_feature(void **state)
{
	static const struct {
		uint32_t request;
		uint32_t size;
		unsigned int feature;
	} cases[] = {
		{ VHOST_USER_GET_QUEUE_NUM, 0, VHOST_USER_PROTOCOL_F_MQ },
		{ VHOST_USER_SET_BACKEND_REQ_FD, 0, VHOST_USER_PROTOCOL_F_BACKEND_REQ },
		{ VHOST_USER_GET_CONFIG, 12, VHOST_USER_PROTOCOL_F_CONFIG },
		{ VHOST_USER_SET_CONFIG, 12, VHOST_USER_PROTOCOL_F_CONFIG },
		{ VHOST_USER_RESET_DEVICE, 0, VHOST_USER_PROTOCOL_F_RESET_DEVICE },
		{ VHOST_USER_SET_STATUS, 8, VHOST_USER_PROTOCOL_F_STATUS },
		{ VHOST_USER_GET_STATUS, 0, VHOST_USER_PROTOCOL_F_STATUS },
		{ VHOST_USER_GET_SHMEM_CONFIG, 0, VHOST_USER_PROTOCOL_F_SHMEM },
	};
	static const uint64_t zeros[2];
	char text[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t request = cases[i].request;
		int fd = -1;

		if (request == VHOST_USER_SET_BACKEND_REQ_FD)
			fd = STDIN_FILENO;
		fe_start(&fe);
		fe_negotiate(&fe, FE_ALL_FEATURES & ~BIT(cases[i].feature));
		fe_send(fe.sock, request, 0, zeros, cases[i].size, fd);
		snprintf(text, sizeof(text), "needs protocol feature %u", cases[i].feature);
		assert_logged(fe_finish(&fe, SESSION_FAILED), text);
	}
}

/* Features cannot change under the feet of requests that are on their way. */
static void test_features_change(void **state)
{
	uint64_t same = FE_ALL_FEATURES, other = FE_ALL_FEATURES & ~BIT(3);

	(void)state;
	fe_start(&fe);
	fe_export(&fe);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_PROTOCOL_FEATURES, &same, 8, -1), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_PROTOCOL_FEATURES, &other, 8, -1), 1);
	assert_logged(fe_hang_up(&fe, SESSION_CLOSED), "while the back-end socket is in use");
}

static void get_config(uint32_t offset, uint32_t size, struct vhost_user_msg *reply)
{
	struct vhost_user_config config = { .offset = offset, .size = size };

	fe_send(fe.sock, VHOST_USER_GET_CONFIG, 0, &config, 12 + size, -1);
	fe_reply(&fe, VHOST_USER_GET_CONFIG, reply);
}

static void test_config(void **state)
{
	struct vhost_user_config config = { .offset = 4, .size = 4 };
	struct virtio_gpu_config gpu;
	struct vhost_user_msg msg;

	(void)state;
	fe_start(&fe);
	fe_negotiate(&fe, FE_ALL_FEATURES);

	get_config(0, sizeof(gpu), &msg);
	assert_int_equal(msg.hdr.size, 12 + sizeof(gpu));
	memcpy(&gpu, msg.payload.config.region, sizeof(gpu));
	assert_int_equal(gpu.events_read, 0);
	assert_int_equal(gpu.num_scanouts, 1);
	assert_int_equal(gpu.num_capsets, 0);

	get_config(8, 1, &msg);
	assert_int_equal(msg.hdr.size, 13);
	assert_int_equal(msg.payload.config.region[0], 1);
	get_config(16, 0, &msg);
	assert_int_equal(msg.hdr.size, 12);

	/* beyond it: an empty reply */
	get_config(0, 17, &msg);
	assert_int_equal(msg.hdr.size, 0);
	get_config(16, 1, &msg);
	assert_int_equal(msg.hdr.size, 0);
	get_config(UINT32_MAX, 4, &msg);
	assert_int_equal(msg.hdr.size, 0);
	get_config(0, 256, &msg);
	assert_int_equal(msg.hdr.size, 0);

	/* events_clear, and anything for a migration */
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_CONFIG, &config, 16, -1), 0);
	config = (struct vhost_user_config){ .size = 16, .flags = VHOST_USER_CONFIG_MIGRATION };
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_CONFIG, &config, 28, -1), 0);
	/* a flag that does not exist */
	config = (struct vhost_user_config){ .size = 16, .flags = 2 };
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_CONFIG, &config, 28, -1), 1);
	fe_hang_up(&fe, SESSION_CLOSED);
}

static void test_status(void **state)
{
	(void)state;
	fe_start(&fe);
	fe_negotiate(&fe, FE_ALL_FEATURES);
	assert_int_equal(fe_get(&fe, VHOST_USER_GET_STATUS), 0);
	fe_send_u64(&fe, VHOST_USER_SET_STATUS, 0, 11);
	assert_int_equal(fe_get(&fe, VHOST_USER_GET_STATUS), 11);
	assert_int_equal(fe_ack(&fe, VHOST_USER_RESET_DEVICE, NULL, 0, -1), 0);
	assert_int_equal(fe_get(&fe, VHOST_USER_GET_STATUS), 0);
	fe_hang_up(&fe, SESSION_CLOSED);
}

/* The index survives a stop; the fds do not. */
static void test_vring(void **state)
{
	struct vhost_vring_state vring = { .index = 1, .num = 77 };
	struct vhost_vring_state num = { .index = 1, .num = 1024 };
	struct vhost_vring_addr addr = { .index = 1, .desc_user_addr = 0x1000,
					 .avail_user_addr = 0x2000, .used_user_addr = 0x3000 };
	uint64_t index = 1, none = 1 | VHOST_USER_VRING_NOFD;
	struct vhost_user_msg msg;
	int event = eventfd(0, EFD_CLOEXEC);

	(void)state;
	fe_start(&fe);
	fe_negotiate(&fe, FE_ALL_FEATURES);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_VRING_NUM, &num, 8, -1), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_VRING_BASE, &vring, 8, -1), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_VRING_ADDR, &addr, 40, -1), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_VRING_KICK, &index, 8, event), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_VRING_CALL, &index, 8, event), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_VRING_ERR, &index, 8, event), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_VRING_CALL, &none, 8, -1), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_VRING_ERR, &none, 8, -1), 0);

	fe_send(fe.sock, VHOST_USER_GET_VRING_BASE, 0, &(struct vhost_vring_state){ .index = 1 },
		8, -1);
	fe_reply(&fe, VHOST_USER_GET_VRING_BASE, &msg);
	assert_int_equal(msg.hdr.size, 8);
	assert_int_equal(msg.payload.vring_state.index, 1);
	assert_int_equal(msg.payload.vring_state.num, 77);
	fe_hang_up(&fe, SESSION_CLOSED);
	close(event);
}

/* A memory table that is taken, replaced, emptied. */
static void test_mem_table(void **state)
{
	struct vhost_user_memory table = {
		.nregions = 1,
		.regions = { { .guest_phys_addr = 0x100000, .size = 8192, .user_addr = 0x7000 } },
	};
	int fd;

	(void)state;
	fd = memfd_alloc("guest", 8192);
	fe_start(&fe);
	fe_negotiate(&fe, FE_ALL_FEATURES);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_MEM_TABLE, &table, 40, fd), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_MEM_TABLE, &table, 40, fd), 0);
	table.regions[0].size = 12288;
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_MEM_TABLE, &table, 40, fd), 1);
	assert_int_equal(count_maps("memfd:guest"), 1);
	table.nregions = 0;
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_MEM_TABLE, &table, 8, -1), 0);
	assert_int_equal(count_maps("memfd:guest"), 0);
	table.nregions = 1;
	table.regions[0].size = 4096;
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_MEM_TABLE, &table, 40, fd), 0);
	assert_logged(fe_hang_up(&fe, SESSION_CLOSED),
		      "memory region 0: ends at byte 0x3000 of its file, which has 0x2000");
	assert_int_equal(count_maps("memfd:guest"), 0);
	close(fd);
}

/* A front-end that asks, and never reads, is left after a while; here it is gone at once. */
static void test_reply_to_closed(void **state)
{
	(void)state;
	fe_start(&fe);
	shutdown(fe.sock, SHUT_RD);
	fe_send(fe.sock, VHOST_USER_GET_FEATURES, 0, NULL, 0, -1);
	assert_logged(fe_finish(&fe, SESSION_FAILED),
		      "GET_FEATURES: cannot send the reply: the peer closed the connection");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_acknowledged),
		cmocka_unit_test(test_bad_unacknowledged),
		cmocka_unit_test(test_ack_not_negotiated),
		cmocka_unit_test(test_ack_and_reply),
		cmocka_unit_test(test_bad_with_reply),
		cmocka_unit_test(test_reply_to_nothing),
		cmocka_unit_test(test_needs_feature),
		cmocka_unit_test(test_features_change),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_vring),
		cmocka_unit_test(test_mem_table),
		cmocka_unit_test(test_reply_to_closed),
	};

	return cmocka_run_group_tests_name("gpu-proc requests", tests, NULL, NULL);
}
