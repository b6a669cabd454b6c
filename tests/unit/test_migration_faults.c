// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whole migrations between two processes, with one fault at each place of the
 * stream: a side killed, the connection cut, a bit changed. After each of them
 * never both sides run, the source has all of the guest's memory, and the error
 * says what happened.
 */
#include "unit/migration_harness.h"

#define MAX_POINTS	2048

static const struct fault no_fault = { .what = FAULT_NONE, .at = NOWHERE };

/* The undisturbed streams, and where their records begin. */
static struct {
	struct stream_copy stream[NR_SIDES];
	uint64_t start[NR_SIDES][256];
	uint16_t type[NR_SIDES][256];
	unsigned int nr[NR_SIDES];
} reference;

static void index_records(int side)
{
	const struct stream_copy *s = &reference.stream[side];
	struct migration_record_header head;
	uint64_t at = sizeof(struct migration_preamble);
	unsigned int n = 0;

	while (at + sizeof(head) <= s->len) {
		assert_true(n < 256);
		memcpy(&head, s->bytes + at, sizeof(head));
		assert_int_equal(head.magic, MIGRATION_RECORD_MAGIC);
		assert_int_equal(head.seq, n);
		reference.start[side][n] = at;
		reference.type[side][n++] = head.type;
		at += sizeof(head) + head.length;
	}
	assert_int_equal(at, s->len);
	reference.nr[side] = n;
}

static int record_reference(void **state)
{
	struct harness h;
	int side;

	(void)state;
	harness_init(&h);
	for (side = 0; side < NR_SIDES; side++) {
		h.copy[side].bytes = malloc(MAX_STREAM);
		assert_non_null(h.copy[side].bytes);
	}
	harness_case(&h, &no_fault);
	harness_judge(&h);
	assert_int_equal(h.report->outcome, MIGRATION_MOVED);
	for (side = 0; side < NR_SIDES; side++) {
		reference.stream[side] = h.copy[side];
		h.copy[side].bytes = NULL;
		index_records(side);
	}
	harness_exit(&h);
	return 0;
}

static int free_reference(void **state)
{
	(void)state;
	free(reference.stream[SOURCE].bytes);
	free(reference.stream[DESTINATION].bytes);
	return 0;
}

/* Begin, inside and end of each header and each payload, and of the preamble. */
static unsigned int points_of(int side, uint64_t points[MAX_POINTS])
{
	uint64_t start, end, payload, len = reference.stream[side].len;
	unsigned int i, n = 0;

	points[n++] = 0;
	points[n++] = 7;
	points[n++] = 15;
	for (i = 0; i < reference.nr[side]; i++) {
		start = reference.start[side][i];
		end = i + 1 < reference.nr[side] ? reference.start[side][i + 1] : len;
		payload = end - start - sizeof(struct migration_record_header);
		points[n++] = start;
		points[n++] = start + 13;
		if (payload) {
			points[n++] = end - payload;
			points[n++] = end - payload / 2;
		}
		points[n++] = end - 1;
	}
	points[n++] = len;
	return n;
}

static void one(const struct fault *fault, void (*check)(const struct harness *h))
{
	struct harness h;

	harness_init(&h);
	harness_case(&h, fault);
	harness_judge(&h);
	check(&h);
	harness_exit(&h);
}

/*
 * ---- the destination is killed ----
 * The guest goes on at the source, unless RUNNING had left the destination.
 */
static void check_destination_killed(const struct harness *h)
{
	bool said_running = h->copy[DESTINATION].len == reference.stream[DESTINATION].len;

	assert_true(h->killed[DESTINATION]);
	assert_int_equal(h->report->outcome, said_running ? MIGRATION_MOVED : MIGRATION_STAYED);
	if (!said_running) {
		assert_true(h->report->runs);
		assert_non_null(strstr(h->report->source_err.msg, "destination closed"));
	}
}

static void test_destination_killed_receiving(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_KILL, .victim = DESTINATION };
	uint64_t points[MAX_POINTS];
	unsigned int i, n = points_of(SOURCE, points);

	(void)state;
	for (i = 0; i < n; i++) {
		f.at = points[i];
		one(&f, check_destination_killed);
	}
}

static void test_destination_killed_answering(void **state)
{
	struct fault f = { .from = DESTINATION, .what = FAULT_KILL, .victim = DESTINATION };
	uint64_t points[MAX_POINTS];
	unsigned int i, n = points_of(DESTINATION, points);

	(void)state;
	for (i = 0; i < n; i++) {
		f.at = points[i];
		one(&f, check_destination_killed);
	}
}

/*
 * ---- the source is killed ----
 * The destination runs only if it had GO, else it ends and says that the source
 * is gone.
 */
static void check_source_killed(const struct harness *h)
{
	bool said_go = h->copy[SOURCE].len == reference.stream[SOURCE].len;
	const struct report *r = h->report;

	assert_true(h->killed[SOURCE]);
	if (!said_go)
		assert_false(r->started);
	if (!r->started) {
		assert_true(r->ret < 0);
		assert_non_null(strstr(r->destination_err.msg, "source closed the connection"));
	}
}

static void test_source_killed_sending(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_KILL, .victim = SOURCE };
	uint64_t points[MAX_POINTS];
	unsigned int i, n = points_of(SOURCE, points);

	(void)state;
	for (i = 0; i < n; i++) {
		f.at = points[i];
		one(&f, check_source_killed);
	}
}

static void test_source_killed_listening(void **state)
{
	struct fault f = { .from = DESTINATION, .what = FAULT_KILL, .victim = SOURCE };
	uint64_t points[MAX_POINTS];
	unsigned int i, n = points_of(DESTINATION, points);

	(void)state;
	/* Once RUNNING has passed the source may be gone before it is killed. */
	for (i = 0; i < n && points[i] < reference.stream[DESTINATION].len; i++) {
		f.at = points[i];
		one(&f, check_source_killed);
	}
}

/*
 * ---- the stream ends ----
 * Cut in the source's direction: GO never arrives as a whole.
 */
static void check_cut(const struct harness *h)
{
	const struct report *r = h->report;

	assert_false(r->started);
	assert_int_equal(r->outcome, MIGRATION_STAYED);
	assert_true(r->runs);
	assert_non_null(strstr(r->source_err.msg, "destination closed the connection"));
	assert_non_null(strstr(r->destination_err.msg, "source closed the connection"));
}

static void test_connection_cut(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_CUT };
	uint64_t points[MAX_POINTS];
	unsigned int i, n = points_of(SOURCE, points);

	(void)state;
	for (i = 0; i < n && points[i] < reference.stream[SOURCE].len; i++) {
		f.at = points[i];
		one(&f, check_cut);
	}
}

/*
 * ---- a bit changes ----
 * In the source's direction the destination finds it and says so; the source
 * hears it and the guest goes on there.
 */
static void check_flip_source(const struct harness *h)
{
	const struct report *r = h->report;

	assert_false(r->started);
	assert_int_equal(r->outcome, MIGRATION_STAYED);
	assert_true(r->runs);
	/* Preamble: "source sends …"; records: "stream damaged: …". */
	assert_true(strstr(r->destination_err.msg, "stream damaged") ||
		    (h->fault->at < sizeof(struct migration_preamble) &&
		     strstr(r->destination_err.msg, "source ")));
	assert_true(strstr(r->source_err.msg, "destination: stream damaged") ||
		    (h->fault->at < sizeof(struct migration_preamble) &&
		     strstr(r->source_err.msg, "destination: source ")));
}

static void test_flip_towards_destination(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_FLIP };
	uint64_t points[MAX_POINTS];
	unsigned int i, n = points_of(SOURCE, points);

	(void)state;
	for (i = 0; i < n && points[i] < reference.stream[SOURCE].len; i++) {
		f.at = points[i];
		f.bit = i % 8;
		one(&f, check_flip_source);
	}
}

/* Each byte of a header and of the preamble has a job, so each is tried. */
static void test_flip_every_header_byte(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_FLIP };
	uint64_t record = reference.start[SOURCE][2];

	(void)state;
	for (f.at = 0; f.at < sizeof(struct migration_preamble); f.at++) {
		f.bit = f.at % 8;
		one(&f, check_flip_source);
	}
	for (f.at = record; f.at < record + sizeof(struct migration_record_header); f.at++) {
		f.bit = f.at % 8;
		one(&f, check_flip_source);
	}
}

/*
 * In the destination's direction the source finds it. Until RUNNING the guest goes
 * on at the source; a damaged RUNNING leaves it stopped, because the destination
 * does run.
 */
static void check_flip_destination(const struct harness *h)
{
	uint64_t running = reference.start[DESTINATION][reference.nr[DESTINATION] - 1];
	const struct report *r = h->report;

	if (h->fault->at >= running) {
		assert_true(r->unknown);
		assert_false(r->runs);
		assert_true(r->started);
		assert_non_null(strstr(r->source_err.msg, "outcome unknown"));
		assert_non_null(strstr(r->source_err.msg, "stream damaged"));
		return;
	}
	assert_int_equal(r->outcome, MIGRATION_STAYED);
	assert_true(r->runs);
	assert_false(r->started);
	assert_true(strstr(r->source_err.msg, "stream damaged") ||
		    h->fault->at < sizeof(struct migration_preamble));
}

static void test_flip_towards_source(void **state)
{
	struct fault f = { .from = DESTINATION, .what = FAULT_FLIP };
	uint64_t points[MAX_POINTS];
	unsigned int i, n = points_of(DESTINATION, points);

	(void)state;
	for (i = 0; i < n && points[i] < reference.stream[DESTINATION].len; i++) {
		f.at = points[i];
		f.bit = i % 8;
		one(&f, check_flip_destination);
	}
}

/* ---- nothing happens ---- */

static void test_undisturbed(void **state)
{
	struct harness h;
	const struct migration_stats *stats;

	(void)state;
	harness_init(&h);
	harness_case(&h, &no_fault);
	harness_judge(&h);
	assert_int_equal(h.report->outcome, MIGRATION_MOVED);
	assert_true(h.report->started && h.report->started_running);
	stats = &h.report->stats;
	assert_int_equal(stats->rounds, 3);
	/* Populated RAM, both buffers, and 13 holes that the guest filled meanwhile. */
	assert_int_equal(stats->round_pages[0], 90 + 20 + 24 + 8 + 13);
	assert_int_equal(stats->bytes_verified, MACHINE_BYTES);
	assert_true(stats->bytes_sent < MACHINE_BYTES);
	assert_int_equal(stats->remaining_pages, 0);
	/*
	 * The log never named a page of the third region but in the first pass, and
	 * a page of it was changed before each pass.
	 */
	assert_true(stats->regions[2].pages_sent > 8);
	harness_exit(&h);
}

/* A guest that writes as much in each pass: only when it is slowed down does it end. */
static void test_auto_converge(void **state)
{
	struct fault f = no_fault;
	struct harness h;

	(void)state;
	f.max_rounds = 12;
	harness_init(&h);
	harness_case(&h, &f);
	harness_judge(&h);
	assert_int_equal(h.report->stats.rounds, 12);
	assert_int_equal(h.report->max_throttle, 0);
	harness_exit(&h);

	f.auto_converge = true;
	harness_init(&h);
	harness_case(&h, &f);
	harness_judge(&h);
	assert_int_equal(h.report->outcome, MIGRATION_MOVED);
	assert_int_equal(h.report->max_throttle, 40);
	assert_int_equal(h.report->stats.rounds, 8);
	assert_int_equal(h.report->stats.throttle_percent, 0);
	harness_exit(&h);
}

static void test_stopped_guest_stays_stopped(void **state)
{
	struct fault f = no_fault;
	struct harness h;

	(void)state;
	f.stopped = true;
	harness_init(&h);
	harness_case(&h, &f);
	harness_judge(&h);
	assert_int_equal(h.report->outcome, MIGRATION_MOVED);
	assert_true(h.report->started);
	assert_false(h.report->started_running);
	harness_exit(&h);
}

/* A page that the guest has not touched takes no memory at the destination. */
static void test_holes_stay_holes(void **state)
{
	struct migration_machine m;
	uint64_t page = 0, count, populated = 0;
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_case(&h, &no_fault);
	/* Before anybody looks at the pages, which fills the holes. */
	harness_describe(&h.machine[DESTINATION], &m);
	while (migration_region__next_data(&m.regions[0], &page, migration_region__pages(&m.regions[0]),
					   &count)) {
		populated += count;
		page += count;
	}
	assert_true(populated > 100 && populated < 200);
	harness_judge(&h);
	harness_exit(&h);
}

/* After a failure at any stage the next attempt works, with nothing left over. */
static void test_fail_then_succeed(void **state)
{
	struct fault f = { .from = SOURCE, .what = FAULT_KILL, .victim = DESTINATION };
	uint64_t points[MAX_POINTS];
	unsigned int i, n = points_of(SOURCE, points);
	struct harness h;
	int fds = count_fds();

	(void)state;
	/* At the last point GO is out, and the guest may be gone. */
	for (i = 3; i < n - 1; i += n / 12) {
		harness_init(&h);
		f.at = points[i];
		harness_case(&h, &f);
		harness_judge(&h);
		assert_int_equal(h.report->outcome, MIGRATION_STAYED);
		harness_renew(&h);
		harness_case(&h, &no_fault);
		harness_judge(&h);
		assert_int_equal(h.report->outcome, MIGRATION_MOVED);
		assert_true(h.report->started);
		harness_exit(&h);
	}
	assert_int_equal(count_fds(), fds);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_undisturbed),
		cmocka_unit_test(test_auto_converge),
		cmocka_unit_test(test_stopped_guest_stays_stopped),
		cmocka_unit_test(test_holes_stay_holes),
		cmocka_unit_test(test_fail_then_succeed),
		cmocka_unit_test(test_destination_killed_receiving),
		cmocka_unit_test(test_destination_killed_answering),
		cmocka_unit_test(test_source_killed_sending),
		cmocka_unit_test(test_source_killed_listening),
		cmocka_unit_test(test_connection_cut),
		cmocka_unit_test(test_flip_towards_destination),
		cmocka_unit_test(test_flip_every_header_byte),
		cmocka_unit_test(test_flip_towards_source),
	};

	(void)argc;
	harness_exact_malloc(argv);
	return cmocka_run_group_tests(tests, record_reference, free_reference);
}
