// SPDX-License-Identifier: GPL-2.0-or-later
/* The vhost-user front-end's handshake against back-ends good, bad, silent and dead. */
#include "unit/vmm_backend.h"

#include <sys/un.h>

static void test_good(void **state)
{
	struct backend *b = *state;

	handshake(b, HANDSHAKE_STEPS);
	assert_started();
	assert_int_equal(b->fe->state, FRONTEND_READY);
	assert_true(b->fe->region_size == REGION);
	assert_true(b->fe->region_offset == 0);
	assert_int_equal(b->fake.vm.window.nr_buffers, 0);
	assert_int_equal(frontend__timeout_ms(b->fe), -1);
}

/* A back-end without MQ is not asked for its queues. */
static void test_without_mq(void **state)
{
	struct backend *b = *state;

	handshake(b, 1);
	take(b, VHOST_USER_GET_PROTOCOL_FEATURES);
	reply_u64(b, GOOD_PROTOCOL & ~(1ULL << VHOST_USER_PROTOCOL_F_MQ));
	take(b, VHOST_USER_SET_PROTOCOL_FEATURES);
	assert_true(b->last.payload.u64 == (GOOD_PROTOCOL & ~(1ULL << VHOST_USER_PROTOCOL_F_MQ)));
	answer(b, VHOST_USER_SET_OWNER);
	assert_int_equal(started_calls, 0);
}

/* What the front-end sends: only what it understands is negotiated, RAM is described. */
static void test_requests(void **state)
{
	struct backend *b = *state;
	struct vhost_user_region *region;
	struct stat st;

	take(b, VHOST_USER_GET_FEATURES);
	assert_int_equal(b->last.hdr.size, 0);
	reply_u64(b, UINT64_MAX);
	take(b, VHOST_USER_GET_PROTOCOL_FEATURES);
	reply_u64(b, UINT64_MAX);
	take(b, VHOST_USER_SET_PROTOCOL_FEATURES);
	assert_true(b->last.payload.u64 == GOOD_PROTOCOL);
	answer(b, VHOST_USER_GET_QUEUE_NUM);
	answer(b, VHOST_USER_SET_OWNER);
	answer(b, VHOST_USER_GET_SHMEM_CONFIG);
	take(b, VHOST_USER_SET_FEATURES);
	/* No log is wanted yet. */
	assert_true(b->last.payload.u64 == (GOOD_FEATURES & ~(1ULL << VHOST_F_LOG_ALL)));
	reply_u64(b, 0);
	take(b, VHOST_USER_SET_MEM_TABLE);
	assert_int_equal(b->last.payload.memory.nregions, 1);
	assert_int_equal(b->last.nfds, 1);
	region = &b->last.payload.memory.regions[0];
	assert_int_equal(region->guest_phys_addr, 0);
	assert_int_equal(region->size, FAKE_RAM);
	assert_int_equal(region->mmap_offset, 0);
	assert_int_equal(fstat(b->last.fds[0], &st), 0);
	assert_int_equal(st.st_size, FAKE_RAM);
	reply_u64(b, 0);
	answer(b, VHOST_USER_SET_BACKEND_REQ_FD);
	answer(b, VHOST_USER_GET_FEATURES);
	assert_started();
}

static void test_features_missing(void **state)
{
	struct backend *b = *state;

	take(b, VHOST_USER_GET_FEATURES);
	reply_u64(b, 1ULL << VHOST_USER_F_PROTOCOL_FEATURES);
	assert_failed(EPROTO, "0x40000000, 0x140000000 are needed");
}

static void test_protocol_missing(void **state)
{
	static const unsigned int bits[] = {
		VHOST_USER_PROTOCOL_F_SHMEM, VHOST_USER_PROTOCOL_F_BACKEND_REQ,
		VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD, VHOST_USER_PROTOCOL_F_REPLY_ACK,
	};
	struct backend *b = *state;
	unsigned int i;

	for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (i)
			b = backend_restart(state);
		handshake(b, 1);
		take(b, VHOST_USER_GET_PROTOCOL_FEATURES);
		reply_u64(b, GOOD_PROTOCOL & ~(1ULL << bits[i]));
		assert_failed(EPROTO, "protocol features");
	}
}

static void test_queues_missing(void **state)
{
	struct backend *b = *state;

	handshake(b, 3);
	take(b, VHOST_USER_GET_QUEUE_NUM);
	reply_u64(b, 1);
	assert_failed(EPROTO, "has 1 queues");
}

static void test_refused(void **state)
{
	struct backend *b = *state;

	handshake(b, 7);
	take(b, VHOST_USER_SET_MEM_TABLE);
	reply_u64(b, 5);
	assert_failed(EPROTO, "SET_MEM_TABLE: refused with 5");
}

static void test_shmem_config(void **state)
{
	static const struct {
		uint32_t nregions;
		unsigned int shmid;
		uint64_t size;
		int errnum;
		const char *says;
	} cases[] = {
		{ 0, 1, 0, EPROTO, "none" },
		{ 1, 2, REGION, EPROTO, "none" },
		{ 2, 1, REGION, EPROTO, "says 2 shared memory regions, but gives the size of 1" },
		{ 1, 1, 5000, EPROTO, "not whole pages" },
		{ 1, 1, FAKE_WINDOW + 4096, ERANGE, "beyond the window" },
		{ 1, 1, UINT64_MAX - 4095, ERANGE, "beyond the window" },
	};
	struct backend *b = *state;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i)
			b = backend_restart(state);
		handshake(b, 5);
		take(b, VHOST_USER_GET_SHMEM_CONFIG);
		reply_config(b, cases[i].nregions, cases[i].shmid, cases[i].size);
		assert_failed(cases[i].errnum, cases[i].says);
	}
}

static void test_bad_replies(void **state)
{
	static const struct {
		uint32_t request, flags, size;
		const char *says;
	} cases[] = {
		{ VHOST_USER_SET_OWNER, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, 8,
		  "request 3" },
		{ VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 8, "flags 0x1" },
		{ VHOST_USER_GET_FEATURES, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, 4,
		  "4 bytes" },
		{ VHOST_USER_GET_FEATURES, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, 0,
		  "0 bytes" },
		{ VHOST_USER_GET_FEATURES, 2 | VHOST_USER_FLAG_REPLY, 8, "version" },
		{ VHOST_USER_GET_FEATURES, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, 1 << 20,
		  "gpu-proc test: " },
	};
	struct vhost_user_header hdr;
	struct backend *b = *state;
	char bytes[64] = { 0 };
	unsigned int i;
	size_t size;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i)
			b = backend_restart(state);
		take(b, VHOST_USER_GET_FEATURES);
		hdr.request = cases[i].request;
		hdr.flags = cases[i].flags;
		hdr.size = cases[i].size;
		memcpy(bytes, &hdr, sizeof(hdr));
		size = sizeof(hdr) + (hdr.size < 16 ? hdr.size : 16);
		assert_int_equal(send(b->main, bytes, size, 0), size);
		pump_all(b);
		assert_failed(EPROTO, cases[i].says);
	}
}

static void test_reply_with_fd(void **state)
{
	struct backend *b = *state;
	struct vhost_user_msg msg = {
		.hdr = { VHOST_USER_GET_FEATURES, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, 8 },
		.payload = { .u64 = GOOD_FEATURES },
		.nfds = 1,
	};

	take(b, VHOST_USER_GET_FEATURES);
	msg.fds[0] = fake_dmabuf(4096);
	assert_int_equal(fdmsg_send(b->main, &msg, WAIT_MS), FDMSG_OK);
	close(msg.fds[0]);
	pump_all(b);
	assert_failed(EPROTO, "1 fds");
}

static void test_unasked_message(void **state)
{
	struct backend *b = *state;

	handshake(b, HANDSHAKE_STEPS);
	assert_started();
	reply_u64(b, GOOD_FEATURES);
	assert_int_equal(b->fe->state, FRONTEND_DEAD);
	assert_int_equal(started_calls, 1);
}

/* The peer goes away instead of answering step n, for every n. */
static void test_closed_at_each_step(void **state)
{
	struct backend *b;
	unsigned int step;

	for (step = 0; step < HANDSHAKE_STEPS; step++) {
		if (handshake_requests[step] == VHOST_USER_SET_PROTOCOL_FEATURES)
			continue;	/* has no answer */
		b = backend_restart(state);
		handshake(b, step);
		take(b, handshake_requests[step]);
		close(b->main);
		b->main = -1;
		pump_all(b);
		assert_int_equal(started_calls, 1);
		assert_true(started_result < 0);
		assert_non_null(strstr(started_error, "gpu-proc test: "));
		assert_int_equal(b->fe->state, FRONTEND_DEAD);
	}
}

/* The peer stops inside a message. */
static void test_short_message(void **state)
{
	struct vhost_user_header hdr = {
		VHOST_USER_GET_FEATURES, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, 8,
	};
	struct backend *b = *state;

	take(b, VHOST_USER_GET_FEATURES);
	assert_int_equal(send(b->main, &hdr, sizeof(hdr), 0), sizeof(hdr));
	assert_int_equal(shutdown(b->main, SHUT_WR), 0);
	pump_all(b);
	assert_int_equal(started_calls, 1);
	assert_int_equal(started_result, -EPROTO);
}

static void test_silent(void **state)
{
	struct backend *b = *state;

	b->fake.options.gpu_timeout_ms = 30;
	handshake(b, 4);
	take(b, VHOST_USER_SET_OWNER);
	while (!started_calls) {
		assert_true(frontend__timeout_ms(b->fe) >= 0);
		assert_true(frontend__timeout_ms(b->fe) <= 30);
		assert_int_equal(loop__run_once(b->fake.loop, frontend__timeout_ms(b->fe)), 0);
		frontend__tick(b->fe);
	}
	assert_failed(ETIMEDOUT, "no answer to SET_OWNER for 30 ms");
}

static void on_other_started(struct frontend *fe, int result, const struct error *err)
{
	(void)fe;
	(void)err;
	assert_int_equal(result, 0);
}

static void test_regions_are_packed(void **state)
{
	struct frontend_client client;
	struct backend *b = *state;
	struct frontend *other;

	gpu_proc__client(&client, on_other_started);
	assert_int_equal(frontend__create(&other, &b->fake.vm, b->fake.loop, &client, "other",
					  0x10000, NULL), 0);
	other->region_offset = 0x10000;
	other->region_size = 0x20000;
	handshake(b, 6);
	assert_true(b->fe->region_offset == 0x30000);
	frontend__destroy(other);
}

static void test_regions_overlap(void **state)
{
	struct frontend_client client;
	struct backend *b = *state;
	struct frontend *other;

	gpu_proc__client(&client, on_other_started);
	assert_int_equal(frontend__create(&other, &b->fake.vm, b->fake.loop, &client, "other",
					  0x10000, NULL), 0);
	other->region_offset = 0x10000;
	other->region_size = 0x20000;
	b->fe->offset = 0x2f000;
	handshake(b, 5);
	take(b, VHOST_USER_GET_SHMEM_CONFIG);
	reply_config(b, 1, FRONTEND_SHMID_HOST_VISIBLE, REGION);
	assert_failed(EEXIST, "overlaps that of other");
	frontend__destroy(other);
}

static void run_until_started(struct backend *b)
{
	while (!started_calls) {
		assert_int_equal(loop__run_once(b->fake.loop, frontend__timeout_ms(b->fe)), 0);
		frontend__tick(b->fe);
	}
}

static void test_connect_fails(void **state)
{
	char longpath[200];
	struct backend *b = *state;

	frontend__destroy(b->fe);
	assert_int_equal(frontend__create(&b->fe, &b->fake.vm, b->fake.loop, &b->client, "test",
					  FRONTEND_OFFSET_AUTO, NULL), 0);
	b->fe->socket = "/nonexistent/gpu.sock";
	b->fake.options.gpu_timeout_ms = 30;
	frontend__start(b->fe);
	run_until_started(b);
	assert_failed(ENOENT, "/nonexistent/gpu.sock: connect: No such file");

	memset(longpath, 'a', sizeof(longpath));
	longpath[sizeof(longpath) - 1] = '\0';
	b->fe->socket = longpath;
	b->fe->state = FRONTEND_IDLE;
	started_calls = 0;
	frontend__start(b->fe);
	assert_failed(ENAMETOOLONG, "199 bytes");
}

/* The socket is there only after the first attempt. */
static void test_connect_later(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/dmapat-test-XXXXXX";
	struct backend *b = *state;
	int listener;

	assert_non_null(mkdtemp(dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/gpu.sock", dir);
	frontend__destroy(b->fe);
	assert_int_equal(frontend__create(&b->fe, &b->fake.vm, b->fake.loop, &b->client, "test",
					  FRONTEND_OFFSET_AUTO, NULL), 0);
	b->gpus[0] = b->fe;
	b->fe->socket = addr.sun_path;
	frontend__start(b->fe);
	assert_int_equal(b->fe->state, FRONTEND_CONNECTING);

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 1), 0);
	while (b->fe->state == FRONTEND_CONNECTING) {
		assert_int_equal(loop__run_once(b->fake.loop, frontend__timeout_ms(b->fe)), 0);
		frontend__tick(b->fe);
	}
	close(b->main);
	b->main = accept(listener, NULL, NULL);
	assert_true(b->main >= 0);
	handshake(b, HANDSHAKE_STEPS);
	assert_started();
	close(listener);
	unlink(addr.sun_path);
	rmdir(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, backend_setup, backend_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),
		TEST(test_without_mq),
		TEST(test_requests),
		TEST(test_features_missing),
		TEST(test_protocol_missing),
		TEST(test_queues_missing),
		TEST(test_refused),
		TEST(test_shmem_config),
		TEST(test_bad_replies),
		TEST(test_reply_with_fd),
		TEST(test_unasked_message),
		TEST(test_closed_at_each_step),
		TEST(test_short_message),
		TEST(test_silent),
		TEST(test_regions_are_packed),
		TEST(test_regions_overlap),
		TEST(test_connect_fails),
		TEST(test_connect_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
