// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Silence and cancellation at each state of a migration, and what is left to do
 * when the outcome is unknown. Silence is bounded by a short timeout, so that each
 * case ends by itself.
 */
#include "unit/migration_harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#define SILENCE_MS	60

static void one(const struct fault *fault, void (*check)(const struct harness *h))
{
	struct harness h;

	harness_init(&h);
	harness_case(&h, fault);
	harness_judge(&h);
	check(&h);
	harness_exit(&h);
}

/* Lengths of the two streams and where the last records begin, undisturbed. */
static uint64_t length[NR_SIDES];
#define LAST_RECORD	sizeof(struct migration_record_header)	/* GO, RUNNING: no payload */

static int measure(void **state)
{
	const struct fault none = { .what = FAULT_NONE, .at = NOWHERE };
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_case(&h, &none);
	harness_judge(&h);
	assert_int_equal(h.report->outcome, MIGRATION_MOVED);
	length[SOURCE] = h.passed[SOURCE][0];
	length[DESTINATION] = h.passed[DESTINATION][0];
	harness_exit(&h);
	return 0;
}

static void check_silence(const struct harness *h)
{
	const struct report *r = h->report;

	assert_int_equal(r->outcome, MIGRATION_STAYED);
	assert_true(r->runs);
	assert_false(r->started);
	assert_non_null(strstr(r->source_err.msg, "silent"));
	assert_true(r->ret < 0);
}

/* Nothing passes any more, in any state before GO: both time out, the source goes on. */
static void test_silence_before_go(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_STALL, .timeout_ms = SILENCE_MS };
	uint64_t end = length[SOURCE] - LAST_RECORD, step = end / 8;

	(void)state;
	for (f.at = 0; f.at < end; f.at += step)
		one(&f, check_silence);
}

/* The same from the destination's answers on: hello-ok, round-ok, ready. */
static void test_silence_of_answers(void **state)
{
	struct fault f = { .from = DESTINATION, .what = FAULT_STALL, .timeout_ms = SILENCE_MS };
	uint64_t end = length[DESTINATION] - LAST_RECORD;

	(void)state;
	for (f.at = 0; f.at + LAST_RECORD <= end; f.at += LAST_RECORD)
		one(&f, check_silence);
}

static void check_unknown(const struct harness *h)
{
	const struct report *r = h->report;

	assert_int_equal(r->outcome, -1);
	assert_true(r->unknown);
	assert_false(r->runs);
	assert_non_null(strstr(r->source_err.msg, "outcome unknown"));
	assert_non_null(strstr(r->source_err.msg, "silent"));
}

static void check_unknown_go_lost(const struct harness *h)
{
	check_unknown(h);
	assert_false(h->report->started);
}

/* GO does not arrive: the source must not run, although the destination never will. */
static void test_silence_at_go(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_STALL, .timeout_ms = SILENCE_MS };

	(void)state;
	for (f.at = length[SOURCE] - LAST_RECORD; f.at < length[SOURCE]; f.at += 31)
		one(&f, check_unknown_go_lost);
}

static void check_unknown_running_lost(const struct harness *h)
{
	check_unknown(h);
	assert_true(h->report->started);
}

/* RUNNING does not arrive: the destination runs. */
static void test_silence_at_running(void **state)
{
	struct fault f = { .from = DESTINATION, .what = FAULT_STALL, .timeout_ms = SILENCE_MS };

	(void)state;
	f.at = length[DESTINATION] - LAST_RECORD;
	one(&f, check_unknown_running_lost);
}

static void check_moved(const struct harness *h)
{
	assert_true(h->report->unknown);
	assert_int_equal(h->report->outcome, MIGRATION_MOVED);
	assert_true(h->report->started);
}

/* It arrives late: then it is known after all. */
static void test_running_comes_late(void **state)
{
	struct fault f = {
		.from = DESTINATION, .what = FAULT_STALL, .timeout_ms = SILENCE_MS,
		.resume_stall = true,
	};

	(void)state;
	f.at = length[DESTINATION] - LAST_RECORD;
	one(&f, check_moved);
}

static void check_late_end(const struct harness *h)
{
	assert_true(h->report->unknown);
	assert_int_equal(h->report->outcome, MIGRATION_STAYED);
	assert_true(h->report->runs);
	assert_false(h->report->started);
}

/* GO comes too late for the destination, whose end shows that it never started. */
static void test_end_comes_late(void **state)
{
	struct fault f = {
		.from = SOURCE, .what = FAULT_STALL, .timeout_ms = SILENCE_MS,
		.resume_stall = true, .resume_at_end = true,
	};

	(void)state;
	f.at = length[SOURCE] - LAST_RECORD;
	one(&f, check_late_end);
}

static void check_forced(const struct harness *h)
{
	assert_true(h->report->unknown);
	assert_int_equal(h->report->outcome, MIGRATION_STAYED);
	assert_true(h->report->runs);
	assert_non_null(strstr(h->report->source_err.msg, "because it was ordered to"));
}

static void test_forced_to_run_here(void **state)
{
	struct fault f = {
		.from = SOURCE, .what = FAULT_STALL, .timeout_ms = SILENCE_MS, .force = true,
	};

	(void)state;
	f.at = length[SOURCE] - LAST_RECORD;
	one(&f, check_forced);
}

static void check_cancelled(const struct harness *h)
{
	const struct report *r = h->report;

	assert_int_equal(r->outcome, MIGRATION_STAYED);
	assert_true(r->runs);
	assert_false(r->started);
	assert_string_equal(r->source_err.msg, "migration cancelled");
	/* In the middle of a record there is no place for the reason. */
	assert_true(strstr(r->destination_err.msg, "source: migration cancelled") ||
		    strstr(r->destination_err.msg, "source closed the connection"));
	assert_int_equal(r->was_paused, h->fault->cancel > CANCEL_ROUND);
}

static void test_cancel_in_each_state(void **state)
{
	struct fault f = { .what = FAULT_NONE, .at = NOWHERE };

	(void)state;
	for (f.cancel = CANCEL_DESCRIBE; f.cancel <= CANCEL_SAVE; f.cancel++)
		if (f.cancel != CANCEL_THROTTLE)
			one(&f, check_cancelled);
	f.auto_converge = true;
	f.max_rounds = 12;
	f.bandwidth = 10000000;
	for (f.channels = 1; f.channels <= 3; f.channels += 2)
		for (f.cancel = CANCEL_DESCRIBE; f.cancel <= CANCEL_SAVE; f.cancel++)
			one(&f, check_cancelled);
}

static void check_cancelled_not_silent(const struct harness *h)
{
	assert_int_equal(h->report->outcome, MIGRATION_STAYED);
	assert_true(h->report->runs);
	assert_false(h->report->started);
	assert_string_equal(h->report->source_err.msg, "migration cancelled");
}

/* A cancel does not wait for a silent peer: it comes before the timeout does. */
static void test_cancel_while_silent(void **state)
{
	struct fault f = {
		.from = SOURCE, .what = FAULT_STALL, .cancel = CANCEL_STALLED, .timeout_ms = 300,
	};

	(void)state;
	for (f.at = 0; f.at < length[SOURCE] - LAST_RECORD; f.at += length[SOURCE] / 2 - LAST_RECORD)
		one(&f, check_cancelled_not_silent);
}

static void tcp_pair(int s[2])
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	assert_int_equal(bind(l, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(listen(l, 1), 0);
	s[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(s[0], (struct sockaddr *)&addr, sizeof(addr)), 0);
	s[1] = accept(l, NULL, NULL);
	assert_true(s[1] >= 0);
	/* As migration_channel.c sets it: answers are small and waited for. */
	assert_int_equal(setsockopt(s[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(s[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	close(l);
}

/*
 * A source that has RUNNING closes at once. Over TCP its end can overtake the
 * destination's look at what is acknowledged, which must not keep it from starting.
 */
static void test_tcp_moves_every_time(void **state)
{
	const struct fault none = { .what = FAULT_NONE, .at = NOWHERE };
	struct harness h;
	int s[2], i;

	(void)state;
	for (i = 0; i < 25; i++) {
		harness_init(&h);
		tcp_pair(s);
		harness_direct(&h, &none, s);
		harness_judge(&h);
		assert_int_equal(h.report->outcome, MIGRATION_MOVED);
		assert_true(h.report->started);
		harness_exit(&h);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence_before_go),
		cmocka_unit_test(test_silence_of_answers),
		cmocka_unit_test(test_silence_at_go),
		cmocka_unit_test(test_silence_at_running),
		cmocka_unit_test(test_running_comes_late),
		cmocka_unit_test(test_end_comes_late),
		cmocka_unit_test(test_forced_to_run_here),
		cmocka_unit_test(test_cancel_in_each_state),
		cmocka_unit_test(test_cancel_while_silent),
		cmocka_unit_test(test_tcp_moves_every_time),
	};

	(void)argc;
	harness_exact_malloc(argv);
	return cmocka_run_group_tests(tests, measure, NULL);
}
