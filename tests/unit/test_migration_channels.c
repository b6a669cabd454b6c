// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migrations over several connections: what happens on the further ones never decides
 * who runs, whatever it is and whenever it comes. How pages are shared among the channels
 * is left to chance, so places in their streams are taken from what each must carry.
 */
#include "unit/migration_harness.h"

#include <endian.h>
#include <inttypes.h>
#include <sched.h>

#include "vmm/migration_records.h"

#define CHANNELS	3
#define SILENCE_MS	80

#define ROUND_SIZE	(sizeof(struct migration_record_header) + \
			 sizeof(struct migration_round_record))
#define INTRODUCTION	(sizeof(struct migration_preamble) + \
			 sizeof(struct migration_record_header) + \
			 sizeof(struct migration_join_record))
/* The introduction, the ends of three passes and of the last one. */
#define LEAST		(INTRODUCTION + 4 * ROUND_SIZE)

static const struct fault no_fault = {
	.what = FAULT_NONE, .at = NOWHERE, .channels = CHANNELS,
};

static void one(const struct fault *fault, void (*check)(const struct harness *h))
{
	struct harness h;

	harness_init(&h);
	harness_case(&h, fault);
	harness_judge(&h);
	check(&h);
	harness_exit(&h);
}

static void check_moved(const struct harness *h)
{
	if (h->report->outcome != MIGRATION_MOVED)
		fail_msg("%s", h->report->source_err.msg);
	assert_true(h->report->started && h->report->started_running);
}

static void test_undisturbed(void **state)
{
	const struct migration_stats *stats;
	uint64_t wire = 0;
	struct harness h;
	int ch;

	(void)state;
	harness_init(&h);
	harness_case(&h, &no_fault);
	harness_judge(&h);
	check_moved(&h);
	assert_int_equal(h.nr_channels, CHANNELS);
	for (ch = 0; ch < CHANNELS; ch++) {
		assert_true(h.passed[SOURCE][ch] >= LEAST);
		wire += h.passed[SOURCE][ch];
	}
	stats = &h.report->stats;
	assert_int_equal(stats->bytes_sent, wire);
	assert_int_equal(stats->rounds, 3);
	assert_int_equal(stats->round_pages[0], 90 + 20 + 24 + 8 + 13);
	assert_int_equal(stats->bytes_verified, MACHINE_BYTES);
	/* Every page is somebody's: nobody's were lost between the shares. */
	assert_true(stats->pages_sent + stats->zero_pages >= 155);
	assert_int_equal(stats->regions[0].pages_sent + stats->regions[1].pages_sent +
			 stats->regions[2].pages_sent, stats->pages_sent + stats->zero_pages);
	harness_exit(&h);
}

static void test_each_number_of_channels(void **state)
{
	struct fault f = no_fault;

	(void)state;
	for (f.channels = 1; f.channels <= MAX_CHANNELS; f.channels++)
		one(&f, check_moved);
}

/* The next attempt starts from nothing. */
static void test_fail_then_succeed(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_CUT, .channel = 2, .channels = CHANNELS,
			   .at = INTRODUCTION };
	int fds = count_fds();
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_case(&h, &f);
	harness_judge(&h);
	assert_int_equal(h.report->outcome, MIGRATION_STAYED);
	harness_renew(&h);
	harness_case(&h, &no_fault);
	harness_judge(&h);
	check_moved(&h);
	harness_exit(&h);
	assert_int_equal(count_fds(), fds);
}

static void check_stayed(const struct harness *h)
{
	const struct report *r = h->report;

	assert_int_equal(r->outcome, MIGRATION_STAYED);
	assert_true(r->runs);
	assert_false(r->started);
	assert_true(r->ret < 0);
}

/* Both name the channel, but for a stray's end, which is no matter of the migration. */
static void check_cut(const struct harness *h)
{
	char name[16];

	check_stayed(h);
	snprintf(name, sizeof(name), "channel %d", h->fault->channel);
	if (!strstr(h->report->source_err.msg, name))
		fail_msg("cut at %" PRIu64 ": %s", h->fault->at, h->report->source_err.msg);
	if (h->fault->at >= INTRODUCTION && !strstr(h->report->destination_err.msg, name))
		fail_msg("cut at %" PRIu64 ": %s", h->fault->at, h->report->destination_err.msg);
}

/* Begin, middle and end of what each further channel carries. */
static const uint64_t places[] = {
	0, 15, 16, 40, 48, INTRODUCTION - 1, INTRODUCTION, INTRODUCTION + 1, INTRODUCTION + 31,
	INTRODUCTION + 32, INTRODUCTION + ROUND_SIZE, LEAST - ROUND_SIZE, LEAST - 1,
};

static void test_channel_cut(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_CUT, .channels = CHANNELS };
	unsigned int i;

	(void)state;
	for (f.channel = 1; f.channel < CHANNELS; f.channel++) {
		for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			f.at = places[i];
			one(&f, check_cut);
		}
	}
}

static void check_damaged(const struct harness *h)
{
	char name[32];

	check_stayed(h);
	snprintf(name, sizeof(name), "channel %d: stream damaged", h->fault->channel);
	/* Before it has introduced itself it has no name. */
	if (h->fault->at < INTRODUCTION)
		return;
	if (!strstr(h->report->source_err.msg, name) ||
	    !strstr(h->report->destination_err.msg, name))
		fail_msg("changed at %" PRIu64 ": %s; %s", h->fault->at,
			 h->report->source_err.msg, h->report->destination_err.msg);
}

static void test_channel_damaged(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_FLIP, .channels = CHANNELS,
			   .timeout_ms = 1000 };
	unsigned int i;

	(void)state;
	for (f.channel = 1; f.channel < CHANNELS; f.channel++) {
		for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			f.at = places[i];
			f.bit = i % 8;
			one(&f, check_damaged);
		}
	}
}

static void check_silent(const struct harness *h)
{
	check_stayed(h);
	assert_non_null(strstr(h->report->source_err.msg, "silent"));
}

static void test_channel_stalled(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_STALL, .channels = CHANNELS,
			   .timeout_ms = SILENCE_MS };
	unsigned int i;

	(void)state;
	for (f.channel = 1; f.channel < CHANNELS; f.channel++) {
		for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			f.at = places[i];
			one(&f, check_silent);
		}
	}
}

/* Everywhere in any of the streams, which a case may be through with: judged alone. */
static void check_judged(const struct harness *h)
{
	if (h->report->outcome == MIGRATION_MOVED)
		assert_true(h->report->started || h->killed[DESTINATION]);
}

static void anywhere(struct fault f)
{
	static const uint64_t far[] = {
		3, 100, 700, 1200, 2000, 5000, 9000, 15000, 30000, 60000, 100000,
	};
	unsigned int i;

	f.channels = CHANNELS;
	for (f.channel = 0; f.channel < CHANNELS; f.channel++) {
		for (i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
			f.at = far[i];
			one(&f, check_judged);
		}
	}
}

static void test_killed_anywhere(void **state)
{
	(void)state;
	anywhere((struct fault) { .from = SOURCE, .what = FAULT_KILL, .victim = SOURCE });
	anywhere((struct fault) { .from = SOURCE, .what = FAULT_KILL, .victim = DESTINATION });
}

static void test_damaged_anywhere(void **state)
{
	(void)state;
	anywhere((struct fault) { .from = SOURCE, .what = FAULT_FLIP, .bit = 4 });
	anywhere((struct fault) { .from = SOURCE, .what = FAULT_CUT });
}

/* ---- strays: connections that are none of this migration's ---- */

static int strays[4];

static void stray(const struct harness *h, unsigned int i, const void *data, size_t len)
{
	struct migration_channel ch = { .fd = -1, .cancel_fd = -1, .timeout_ms = 1000, .peer = "d" };
	struct error err = { "" };

	assert_int_equal(migration_channel__connect(&ch, h->destination_uri, &err), 0);
	assert_int_equal(send(ch.fd, data, len, MSG_NOSIGNAL), len);
	strays[i] = ch.fd;
}

/* Silent, half an introduction, another protocol, and gone at once. */
static void rude_strays(struct harness *h)
{
	char nonsense[INTRODUCTION];

	memset(nonsense, 'x', sizeof(nonsense));
	stray(h, 0, "", 0);
	stray(h, 1, nonsense, sizeof(nonsense) - 1);
	stray(h, 2, nonsense, sizeof(nonsense));
	stray(h, 3, "", 0);
	close(strays[3]);
	strays[3] = -1;
}

static void close_strays(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(strays) / sizeof(strays[0]); i++)
		if (strays[i] >= 0)
			close(strays[i]);
}

static void test_strays(void **state)
{
	struct harness h;
	char byte;

	(void)state;
	harness_init(&h);
	h.before_channel = rude_strays;
	harness_case(&h, &no_fault);
	harness_judge(&h);
	check_moved(&h);
	/* The one that spoke was sent away, with what it said unread, and so was the silent one. */
	assert_true(recv(strays[2], &byte, 1, 0) <= 0);
	assert_int_equal(recv(strays[0], &byte, 1, 0), 0);
	close_strays();
	harness_exit(&h);
}

/* It speaks well, but of another migration. */
static void polite_stray(struct harness *h)
{
	struct migration_join_record join = { .join_id = htole64(12345), .channel = htole32(1) };
	struct migration_channel ch = {
		.fd = -1, .cancel_fd = -1, .timeout_ms = 5000, .peer = "destination",
	};
	struct iovec iov = { &join, sizeof(join) };
	struct migration_record rec;
	struct migration_stream s;
	struct error err = { "" };

	assert_int_equal(migration_channel__connect(&ch, h->destination_uri, &err), 0);
	assert_int_equal(migration_stream__init(&s, &ch), 0);
	assert_int_equal(migration_stream__send_preamble(&s, &err), 0);
	assert_int_equal(migration_stream__send(&s, MIGRATION_REC_JOIN, &iov, 1, &err), 0);
	assert_int_equal(migration_stream__recv_preamble(&s, &err), 0);
	assert_int_equal(migration_stream__recv(&s, &rec, &err), -ECONNABORTED);
	assert_non_null(strstr(err.msg, "0x0000000000003039 is not the one under way"));
	migration_channel__close(&ch);
	migration_stream__exit(&s);
}

static void test_stray_of_another_migration(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	h.before_channel = polite_stray;
	harness_case(&h, &no_fault);
	harness_judge(&h);
	check_moved(&h);
	harness_exit(&h);
}

/* More of them than there is room for: ours come through all the same. */
static void many_strays(struct harness *h)
{
	struct migration_channel ch;
	struct error err = { "" };
	int i;

	for (i = 0; i < 40; i++) {
		ch = (struct migration_channel) {
			.fd = -1, .cancel_fd = -1, .timeout_ms = 5000, .peer = "destination",
		};
		/* A full backlog is no answer: try again. */
		while (migration_channel__connect(&ch, h->destination_uri, &err))
			sched_yield();
	}
}

static void test_many_strays(void **state)
{
	struct harness h;
	int fds = count_fds(), fd;

	(void)state;
	harness_init(&h);
	h.before_channel = many_strays;
	harness_case(&h, &no_fault);
	harness_judge(&h);
	check_moved(&h);
	harness_exit(&h);
	/* Those of the strays that many_strays() left. */
	for (fd = 3; count_fds() > fds; fd++)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_undisturbed),
		cmocka_unit_test(test_each_number_of_channels),
		cmocka_unit_test(test_fail_then_succeed),
		cmocka_unit_test(test_channel_cut),
		cmocka_unit_test(test_channel_damaged),
		cmocka_unit_test(test_channel_stalled),
		cmocka_unit_test(test_killed_anywhere),
		cmocka_unit_test(test_damaged_anywhere),
		cmocka_unit_test(test_strays),
		cmocka_unit_test(test_stray_of_another_migration),
		cmocka_unit_test(test_many_strays),
	};

	(void)argc;
	harness_exact_malloc(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
