// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dirty source of a vhost-user back-end: the log in shared memory, its requests, and a
 * back-end that refuses, breaks the protocol, or dies while it logs. A thread of its own
 * is the migration's; the test is the event loop and the back-end.
 */
#include "unit/vmm_backend.h"

#include "vmm/dirty_source.h"
#include "vmm/dirty_vhost.h"

#define PAGES	(FAKE_RAM / 4096)

static bool reported[PAGES];
static unsigned int nr_reported;

static void take_page(const struct dirty_sink *sink, uint32_t slot, uint64_t page)
{
	(void)sink;
	assert_int_equal(slot, VM_SLOT_RAM);
	assert_true(page < PAGES);
	reported[page] = true;
	nr_reported++;
}

static const struct dirty_sink sink = { .page = take_page };

/* One call of the source in the migration's thread. */
enum what { START, SYNC, LAST_SYNC };

struct call {
	struct dirty_source *s;
	enum what what;
	pthread_t thread;
	int ret;
	struct error err;
	bool done;
};

static void *call_thread(void *arg)
{
	struct call *c = arg;

	switch (c->what) {
	case START:
		c->ret = c->s->ops->start(c->s, &sink, &c->err);
		break;
	case SYNC:
	case LAST_SYNC:
		c->ret = c->s->ops->sync(c->s, c->what == LAST_SYNC, &c->err);
		break;
	}
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void begin(struct call *c, struct dirty_source *s, enum what what)
{
	*c = (struct call) { .s = s, .what = what };
	nr_reported = 0;
	memset(reported, 0, sizeof(reported));
	assert_int_equal(pthread_create(&c->thread, NULL, call_thread, c), 0);
}

/* Turn the loop until the back-end is asked for something. */
static void expect(struct backend *b, uint32_t request)
{
	struct pollfd pfd = { .fd = b->main, .events = POLLIN };
	int i;

	for (i = 0; i < WAIT_MS && poll(&pfd, 1, 0) == 0; i++)
		assert_int_equal(loop__run_once(b->fake.loop, 1), 0);
	take(b, request);
}

static int end(struct backend *b, struct call *c)
{
	int i;

	for (i = 0; i < WAIT_MS && !__atomic_load_n(&c->done, __ATOMIC_ACQUIRE); i++)
		assert_int_equal(loop__run_once(b->fake.loop, 1), 0);
	pthread_join(c->thread, NULL);
	return c->ret;
}

/* The back-end's own mapping of the log. */
static uint8_t *map_log(struct backend *b)
{
	struct stat st;
	void *map;

	assert_int_equal(b->last.hdr.size, sizeof(struct vhost_user_log));
	assert_int_equal(b->last.nfds, 1);
	assert_int_equal(b->last.payload.log.mmap_offset, 0);
	assert_true(b->last.payload.log.mmap_size * 8 >= PAGES);
	assert_int_equal(fstat(b->last.fds[0], &st), 0);
	assert_true(st.st_size >= (off_t)b->last.payload.log.mmap_size);
	/* It cannot take the memory away from under the VMM. */
	assert_int_equal(ftruncate(b->last.fds[0], 0), -1);
	map = mmap(NULL, PAGES / 8, PROT_READ | PROT_WRITE, MAP_SHARED, b->last.fds[0], 0);
	assert_true(map != MAP_FAILED);
	return map;
}

static uint8_t *start(struct backend *b, struct dirty_source *s)
{
	struct call c;
	uint8_t *log;

	begin(&c, s, START);
	expect(b, VHOST_USER_SET_LOG_BASE);
	log = map_log(b);
	reply_u64(b, 0);
	expect(b, VHOST_USER_SET_FEATURES);
	assert_int_equal(b->last.payload.u64, GOOD_FEATURES);
	reply_u64(b, 0);
	if (end(b, &c))
		fail_msg("%s", c.err.msg);
	return log;
}

/* Nothing is waited for: the loop may wait for the migration's thread then. */
static void stop(struct backend *b, struct dirty_source *s, uint8_t *log)
{
	s->ops->stop(s);
	if (b->fe->state == FRONTEND_READY) {
		expect(b, VHOST_USER_SET_FEATURES);
		assert_int_equal(b->last.payload.u64, GOOD_FEATURES & ~(1ULL << VHOST_F_LOG_ALL));
		reply_u64(b, 0);
	}
	s->ops->free(s);
	if (log)
		munmap(log, PAGES / 8);
}

static struct dirty_source *ready(struct backend *b)
{
	struct dirty_source *s;

	handshake(b, HANDSHAKE_STEPS);
	assert_started();
	s = dirty_vhost__create(b->fe);
	assert_non_null(s);
	assert_string_equal(s->name, "gpu-proc 0: vhost-user log");
	assert_true(s->exact);
	return s;
}

static void set(uint8_t *log, unsigned int page)
{
	__atomic_fetch_or(&log[page / 8], 1u << page % 8, __ATOMIC_SEQ_CST);
}

static void stop_queue(struct backend *b, uint32_t index)
{
	struct vhost_vring_state state = { .index = index, .num = 7 };

	expect(b, VHOST_USER_GET_VRING_BASE);
	assert_int_equal(b->last.payload.vring_state.index, index);
	reply(b, &state, sizeof(state));
}

static void test_log(void **state)
{
	struct backend *b = *state;
	struct dirty_source *s = ready(b);
	uint8_t *log = start(b, s);
	struct call c;

	set(log, 0);
	set(log, 63);
	set(log, PAGES - 1);
	begin(&c, s, SYNC);
	assert_int_equal(end(b, &c), 0);
	assert_int_equal(nr_reported, 3);
	assert_true(reported[0] && reported[63] && reported[PAGES - 1]);
	assert_int_equal(log[0] | log[7] | log[PAGES / 8 - 1], 0);
	begin(&c, s, SYNC);
	assert_int_equal(end(b, &c), 0);
	assert_int_equal(nr_reported, 0);

	/* What a queue writes until it stops is in the last sync. */
	begin(&c, s, LAST_SYNC);
	stop_queue(b, 0);
	set(log, 5);
	stop_queue(b, 1);
	assert_int_equal(end(b, &c), 0);
	assert_int_equal(nr_reported, 1);
	assert_true(reported[5]);
	stop(b, s, log);
	assert_int_equal(b->fe->state, FRONTEND_READY);
}

/* SET_LOG_BASE is answered in three ways in the world. */
static void test_log_base_replies(void **state)
{
	struct backend *b = *state;
	struct dirty_source *s = ready(b);
	struct call c;
	int i;

	for (i = 0; i < 2; i++) {
		begin(&c, s, START);
		expect(b, VHOST_USER_SET_LOG_BASE);
		if (i)
			reply_u64(b, b->last.payload.log.mmap_size);
		else
			reply(b, "", 0);
		expect(b, VHOST_USER_SET_FEATURES);
		reply_u64(b, 0);
		assert_int_equal(end(b, &c), 0);
		s->ops->stop(s);
		expect(b, VHOST_USER_SET_FEATURES);
		reply_u64(b, 0);
	}
	s->ops->free(s);
}

/* The next migration begins before the last one's log is off, or fails over that. */
static void test_start_behind_stop(void **state)
{
	struct backend *b = *state;
	struct dirty_source *s = ready(b);
	struct call c;
	int i;

	for (i = 0; i < 2; i++) {
		munmap(start(b, s), PAGES / 8);
		s->ops->stop(s);
		expect(b, VHOST_USER_SET_FEATURES);
		begin(&c, s, START);
		/* It has been asked for, and has to wait. */
		while (!b->fe->log_job.queued)
			assert_int_equal(loop__run_once(b->fake.loop, 1), 0);
		reply_u64(b, i);
		if (i)
			break;
		expect(b, VHOST_USER_SET_LOG_BASE);
		reply_u64(b, 0);
		expect(b, VHOST_USER_SET_FEATURES);
		assert_int_equal(b->last.payload.u64, GOOD_FEATURES);
		reply_u64(b, 0);
		assert_int_equal(end(b, &c), 0);
		s->ops->stop(s);
		expect(b, VHOST_USER_SET_FEATURES);
		reply_u64(b, 0);
	}
	/* Refused: the connection is over, and there is nobody to log. */
	assert_int_equal(b->fe->state, FRONTEND_DEAD);
	assert_int_equal(end(b, &c), 0);
	stop(b, s, NULL);
}

static void test_cannot_log(void **state)
{
	struct backend *b = *state;
	struct dirty_source *s;
	struct call c;
	int i;

	for (i = 0; i < 2; i++) {
		if (i)
			offered_protocol &= ~(1ULL << VHOST_USER_PROTOCOL_F_LOG_SHMFD);
		else
			offered_features &= ~(1ULL << VHOST_F_LOG_ALL);
		s = ready(b);
		begin(&c, s, START);
		assert_int_equal(end(b, &c), -EOPNOTSUPP);
		assert_non_null(strstr(c.err.msg, "cannot log"));
		assert_int_equal(b->fe->state, FRONTEND_READY);
		s->ops->free(s);
		offered_features = GOOD_FEATURES;
		offered_protocol = GOOD_PROTOCOL;
		b = backend_restart(state);
	}
}

/* Refused, answered wrongly, or not at all: no log, no migration, and the reason. */
static void test_start_fails(void **state)
{
	struct vhost_vring_state wrong = { 0 };
	struct backend *b = *state;
	struct dirty_source *s;
	struct call c;
	int i;

	for (i = 0; i < 5; i++) {
		s = ready(b);
		if (i == 4)
			b->fake.options.gpu_timeout_ms = 10;
		begin(&c, s, START);
		expect(b, VHOST_USER_SET_LOG_BASE);
		if (i == 0)
			reply_u64(b, 1);
		if (i == 1)
			reply(b, &wrong, 4);
		if (i == 2 || i == 3)
			reply_u64(b, 0);
		if (i == 2) {
			expect(b, VHOST_USER_SET_FEATURES);
			reply_u64(b, 1);
		}
		if (i == 3) {
			expect(b, VHOST_USER_SET_FEATURES);
			close(b->main);
			b->main = -1;
		}
		while (i == 4 && b->fe->state != FRONTEND_DEAD) {
			assert_int_equal(loop__run_once(b->fake.loop,
							frontend__timeout_ms(b->fe)), 0);
			frontend__tick(b->fe);
		}
		assert_int_equal(end(b, &c), i == 3 ? -ECONNRESET : i == 4 ? -ETIMEDOUT : -EPROTO);
		if (!strstr(c.err.msg, i == 2 ? "SET_FEATURES: refused with 1" :
				       i == 3 ? "closed the connection" :
				       i == 4 ? "no answer to SET_LOG_BASE for 10 ms" :
				       "SET_LOG_BASE"))
			fail_msg("case %d says '%s'", i, c.err.msg);
		s->ops->free(s);
		b = backend_restart(state);
	}
}

/* It is killed while the log is mapped: what it noted counts, and migration goes on. */
static void test_killed_while_logging(void **state)
{
	struct backend *b = *state;
	struct dirty_source *s = ready(b);
	uint8_t *log = start(b, s);
	struct call c;

	set(log, 9);
	close(b->main);
	b->main = -1;
	pump_all(b);
	assert_int_equal(b->fe->state, FRONTEND_DEAD);
	begin(&c, s, LAST_SYNC);
	assert_int_equal(end(b, &c), 0);
	assert_int_equal(nr_reported, 1);
	assert_true(reported[9]);
	stop(b, s, log);
	/* And the next migration begins without it. */
	s = dirty_vhost__create(b->fe);
	begin(&c, s, START);
	assert_int_equal(end(b, &c), 0);
	stop(b, s, NULL);
}

/* It dies over the question whether it has written all: that is not known then. */
static void test_killed_when_asked(void **state)
{
	struct backend *b = *state;
	struct dirty_source *s = ready(b);
	uint8_t *log = start(b, s);
	struct call c;

	begin(&c, s, LAST_SYNC);
	stop_queue(b, 0);
	expect(b, VHOST_USER_GET_VRING_BASE);
	close(b->main);
	b->main = -1;
	assert_int_equal(end(b, &c), -ECONNRESET);
	assert_int_equal(nr_reported, 0);
	stop(b, s, log);
}

/* The loop does not turn any more when the VM ends: nobody may wait for it. */
static void test_vm_ends(void **state)
{
	struct backend *b = *state;
	struct dirty_source *s = ready(b);
	struct call c;

	begin(&c, s, START);
	vm__exit(&b->fake.vm, 0);
	pthread_join(c.thread, NULL);
	assert_int_equal(c.ret, -ECANCELED);
	assert_string_equal(c.err.msg, "the VM ends");
	s->ops->free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, backend_setup, backend_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_log),
		TEST(test_log_base_replies),
		TEST(test_start_behind_stop),
		TEST(test_cannot_log),
		TEST(test_start_fails),
		TEST(test_killed_while_logging),
		TEST(test_killed_when_asked),
		TEST(test_vm_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
