// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/shmem.c: ranges of the region, and requests in order, withdrawn, too many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "capture.h"
#include "fdmsg.h"
#include "gpu-proc/shmem.h"

#define MAP		VHOST_USER_BACKEND_SHMEM_MAP
#define UNMAP		VHOST_USER_BACKEND_SHMEM_UNMAP
#define REGION		(1ull << 30)
#define PAGE		4096ull
#define BUFFER_AT	(16 * PAGE)

static struct shmem shmem;
static struct buffer_spec spec = { .size = 2 * PAGE, .offset = BUFFER_AT };
static struct buffer buffer = { .spec = &spec, .label = "buffer 0" };
static int front_end;
static int events[SHMEM_EVENT_GONE + 1];

static int start(void **state)
{
	int sv[2];

	(void)state;
	memset(events, 0, sizeof(events));
	shmem_init(&shmem, &buffer, 1, REGION);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -1;
	front_end = sv[0];
	capture_begin();
	return shmem_set_socket(&shmem, sv[1], ~0ull);
}

static int stop(void **state)
{
	(void)state;
	shmem_destroy(&shmem);
	close(front_end);
	capture_end();
	return 0;
}

static void on_event(struct shmem_mapping *mapping, enum shmem_event event)
{
	assert_ptr_equal(mapping->owner, events);
	events[event]++;
}

static struct shmem_mapping *map(uint64_t offset, uint64_t size)
{
	struct shmem_mapping what = {
		.offset = offset, .size = size, .fd = STDIN_FILENO, .label = "blob",
		.event = on_event, .owner = events,
	};

	assert_true(shmem_is_free(&shmem, offset, size));
	return shmem_map(&shmem, &what);
}

/* The next message that was sent. */
static void expect(uint32_t request, uint64_t offset)
{
	struct vhost_user_msg msg;

	assert_int_equal(fdmsg_recv(front_end, &msg, 0), FDMSG_OK);
	assert_int_equal(msg.hdr.request, request);
	assert_int_equal(msg.payload.mmap.shm_offset, offset);
	fdmsg_close_fds(&msg);
}

static void expect_nothing(void)
{
	struct vhost_user_msg msg;

	assert_int_equal(fdmsg_recv(front_end, &msg, 0), FDMSG_TIMEOUT);
}

static void answer(uint32_t request, uint64_t value)
{
	struct vhost_user_msg msg = {
		.hdr = { request, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, sizeof(value) },
		.payload.u64 = value,
	};

	assert_int_equal(fdmsg_send(front_end, &msg, 1000), FDMSG_OK);
	assert_int_equal(shmem_read_replies(&shmem), 0);
}

static void test_ranges(void **state)
{
	struct shmem_mapping *mapping;

	(void)state;
	assert_true(shmem_is_free(&shmem, 0, PAGE));
	assert_true(shmem_is_free(&shmem, REGION - PAGE, PAGE));
	assert_false(shmem_is_free(&shmem, 0, 0));
	assert_false(shmem_is_free(&shmem, REGION, PAGE));
	assert_false(shmem_is_free(&shmem, REGION - PAGE, 2 * PAGE));
	assert_false(shmem_is_free(&shmem, 0, REGION + PAGE));
	assert_false(shmem_is_free(&shmem, -PAGE, PAGE));
	assert_false(shmem_is_free(&shmem, -PAGE, 2 * PAGE));
	/* the buffer's place is its own, mapped or not */
	assert_false(shmem_is_free(&shmem, BUFFER_AT, PAGE));
	assert_false(shmem_is_free(&shmem, BUFFER_AT + PAGE, PAGE));
	assert_false(shmem_is_free(&shmem, 0, BUFFER_AT + 1));
	assert_true(shmem_is_free(&shmem, 0, BUFFER_AT));
	assert_true(shmem_is_free(&shmem, BUFFER_AT + 2 * PAGE, PAGE));

	mapping = map(4 * PAGE, 4 * PAGE);
	assert_false(shmem_is_free(&shmem, 7 * PAGE, PAGE));
	assert_false(shmem_is_free(&shmem, 0, 5 * PAGE));
	assert_false(shmem_is_free(&shmem, 0, 16 * PAGE));
	assert_true(shmem_is_free(&shmem, 0, 4 * PAGE));
	assert_true(shmem_is_free(&shmem, 8 * PAGE, 8 * PAGE));
	answer(MAP, 0);
	assert_false(shmem_is_free(&shmem, 7 * PAGE, PAGE));
	/* what is mapped there now comes behind the UNMAP */
	assert_int_equal(shmem_unmap(&shmem, mapping), 0);
	assert_non_null(map(7 * PAGE, PAGE));
	expect(MAP, 4 * PAGE);
	expect(UNMAP, 4 * PAGE);
	expect(MAP, 7 * PAGE);
}

static void test_events(void **state)
{
	struct shmem_mapping *mapping;

	(void)state;
	map(0, PAGE);
	answer(MAP, 5);
	assert_int_equal(events[SHMEM_EVENT_MAP_REFUSED], 1);
	assert_true(shmem_is_free(&shmem, 0, PAGE));

	mapping = map(0, PAGE);
	answer(MAP, 0);
	assert_int_equal(events[SHMEM_EVENT_MAPPED], 1);
	shmem_unmap(&shmem, mapping);
	answer(UNMAP, 0);
	assert_int_equal(events[SHMEM_EVENT_UNMAPPED], 1);

	mapping = map(0, PAGE);
	answer(MAP, 0);
	shmem_unmap(&shmem, mapping);
	answer(UNMAP, 9);
	assert_int_equal(events[SHMEM_EVENT_UNMAP_REFUSED], 1);
	/* the front-end's refusal of a blob is the guest's matter */
	assert_int_equal(shmem.refused, 0);
	assert_int_equal(shmem.blobs_refused, 2);
}

/* A guest that has things refused for ever does not fill the log. */
static void test_refusals_logged(void **state)
{
	unsigned int i, lines = 0;
	const char *log;

	(void)state;
	for (i = 0; i < 150; i++) {
		map(0, PAGE);
		expect(MAP, 0);
		answer(MAP, 1);
	}
	log = capture_end();
	while ((log = strstr(log, "refused SHMEM_MAP"))) {
		lines++;
		log++;
	}
	assert_int_equal(lines, 100);
	capture_begin();
}

/* What is mapped stays, what is under way is gone. */
static void test_socket_closed(void **state)
{
	struct shmem_mapping *mapped, *unmapping;

	(void)state;
	mapped = map(0, PAGE);
	unmapping = map(PAGE, PAGE);
	answer(MAP, 0);
	answer(MAP, 0);
	shmem_unmap(&shmem, unmapping);
	map(2 * PAGE, PAGE);
	close(front_end);
	assert_int_equal(shmem_read_replies(&shmem), 0);
	assert_int_equal(events[SHMEM_EVENT_GONE], 2);
	assert_int_equal(shmem.npending, 0);
	assert_int_equal(shmem.sock, -1);
	assert_false(shmem_is_free(&shmem, 0, PAGE));
	assert_true(shmem_is_free(&shmem, PAGE, 3 * PAGE));
	shmem_abandon(&shmem, mapped);
	assert_true(shmem_is_free(&shmem, 0, PAGE));
	assert_int_equal(events[SHMEM_EVENT_GONE], 2);
}

static void test_reset(void **state)
{
	(void)state;
	map(0, PAGE);
	map(PAGE, PAGE);
	map(2 * PAGE, PAGE);
	answer(MAP, 0);
	answer(MAP, 0);
	assert_int_equal(shmem_reset(&shmem), 0);
	assert_int_equal(events[SHMEM_EVENT_GONE], 2);
	assert_true(shmem_is_free(&shmem, 0, 2 * PAGE));
	assert_false(shmem_is_free(&shmem, 2 * PAGE, PAGE));
}

/* Abandoned in each state: an UNMAP follows what was sent, and nobody is told. */
static void test_abandon(void **state)
{
	struct shmem_mapping *mapping;
	unsigned int i;

	(void)state;
	mapping = map(0, PAGE);
	shmem_abandon(&shmem, mapping);
	expect(MAP, 0);
	expect(UNMAP, 0);
	answer(MAP, 3);
	answer(UNMAP, 3);

	mapping = map(0, PAGE);
	answer(MAP, 0);
	shmem_abandon(&shmem, mapping);
	expect(MAP, 0);
	expect(UNMAP, 0);
	answer(UNMAP, 0);

	mapping = map(0, PAGE);
	answer(MAP, 0);
	shmem_unmap(&shmem, mapping);
	shmem_abandon(&shmem, mapping);
	expect(MAP, 0);
	expect(UNMAP, 0);
	expect_nothing();
	answer(UNMAP, 0);
	assert_int_equal(shmem.npending, 0);
	assert_int_equal(events[SHMEM_EVENT_MAPPED], 2);
	for (i = SHMEM_EVENT_MAP_REFUSED; i <= SHMEM_EVENT_GONE; i++)
		assert_int_equal(events[i], 0);
}

/* No more than SHMEM_SENT_MAX are under way; a MAP that waits can be withdrawn. */
static void test_too_many(void **state)
{
	struct shmem_mapping *last = NULL, *before;
	unsigned int i, n = SHMEM_SENT_MAX + 3;

	(void)state;
	for (i = 0; i < n; i++) {
		before = last;
		last = map((32 + i) * PAGE, PAGE);
	}
	for (i = 0; i < SHMEM_SENT_MAX; i++)
		expect(MAP, (32 + i) * PAGE);
	expect_nothing();
	assert_int_equal(shmem.npending, n);
	shmem_abandon(&shmem, last);
	shmem_abandon(&shmem, before);
	assert_int_equal(shmem.npending, n - 2);
	answer(MAP, 0);
	expect(MAP, (32 + SHMEM_SENT_MAX) * PAGE);
	map(0, PAGE);
	expect_nothing();
	answer(MAP, 0);
	expect(MAP, 0);
	for (i = 0; i < SHMEM_SENT_MAX; i++)
		answer(MAP, 0);
	expect_nothing();
	assert_int_equal(events[SHMEM_EVENT_MAPPED], SHMEM_SENT_MAX + 2);
	assert_int_equal(shmem.npending, 0);
}

/* The first of those that wait is withdrawn; the socket goes with others that wait. */
static void test_too_many_and_gone(void **state)
{
	struct shmem_mapping *waiting = NULL;
	unsigned int i;
	int sv[2];

	(void)state;
	for (i = 0; i < SHMEM_SENT_MAX + 3; i++) {
		struct shmem_mapping *mapping = map((32 + i) * PAGE, PAGE);

		if (i == SHMEM_SENT_MAX)
			waiting = mapping;
	}
	shmem_abandon(&shmem, waiting);
	for (i = 0; i < SHMEM_SENT_MAX; i++)
		expect(MAP, (32 + i) * PAGE);
	answer(MAP, 0);
	expect(MAP, (32 + SHMEM_SENT_MAX + 1) * PAGE);
	shmem_close_socket(&shmem);
	assert_int_equal(events[SHMEM_EVENT_GONE], SHMEM_SENT_MAX + 1);
	close(front_end);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	front_end = sv[0];
	assert_int_equal(shmem_set_socket(&shmem, sv[1], ~0ull), 0);
	map(0, PAGE);
	expect(MAP, 0);
	answer(MAP, 0);
	assert_int_equal(events[SHMEM_EVENT_MAPPED], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ranges, start, stop),
		cmocka_unit_test_setup_teardown(test_events, start, stop),
		cmocka_unit_test_setup_teardown(test_refusals_logged, start, stop),
		cmocka_unit_test_setup_teardown(test_socket_closed, start, stop),
		cmocka_unit_test_setup_teardown(test_reset, start, stop),
		cmocka_unit_test_setup_teardown(test_abandon, start, stop),
		cmocka_unit_test_setup_teardown(test_too_many, start, stop),
		cmocka_unit_test_setup_teardown(test_too_many_and_gone, start, stop),
	};

	return cmocka_run_group_tests_name("gpu-proc shared memory", tests, NULL, NULL);
}
