// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A peer whose records are whole and in sequence, but which does not keep to the
 * protocol: the test plays it, record by record. What is wrong is said by the side
 * that finds it, the guest stays where it is, and the peer hears the same words.
 */
#include "unit/migration_harness.h"

#include <endian.h>

#include "vmm/migration_pages.h"
#include "vmm/migration_records.h"

static struct harness h;
static struct migration_channel ch;
static struct migration_stream s;
static const struct fault none = { .what = FAULT_NONE, .at = NOWHERE };
static const struct fault listening = { .what = FAULT_NONE, .at = NOWHERE, .channels = 3 };

/* The test is one side, @side the other, in its own process. */
static void begin(int side)
{
	struct error err = { "" };
	int fds[2];

	harness_init(&h);
	h.report->outcome = -1;
	h.report->runs = true;
	h.fault = side == DESTINATION ? &listening : &none;
	if (side == DESTINATION)
		harness_listen(&h);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	harness_fork(&h, side, fds[1], (int[3]) { fds[0], -1, -1 });
	close(fds[1]);
	if (side == DESTINATION) {
		close(h.destination_listener.fd);
		h.destination_listener.fd = -1;
		migration_listener__close(&h.relay_listener);
	}
	ch = (struct migration_channel) {
		.fd = fds[0], .cancel_fd = -1, .timeout_ms = CASE_DEADLINE_MS, .peer = "peer",
	};
	assert_int_equal(migration_stream__init(&s, &ch), 0);
	if (side == DESTINATION)
		assert_int_equal(migration_stream__send_preamble(&s, &err), 0);
	assert_int_equal(migration_stream__recv_preamble(&s, &err), 0);
	if (side == SOURCE)
		assert_int_equal(migration_stream__send_preamble(&s, &err), 0);
}

static void put_on(struct migration_stream *stream, enum migration_record_type type,
		   const void *data, size_t len)
{
	struct iovec iov = { (void *)data, len };
	struct error err = { "" };

	if (migration_stream__send(stream, type, &iov, 1, &err))
		fail_msg("%s: %s", migration_record__name(type), err.msg);
}

static void put(enum migration_record_type type, const void *data, size_t len)
{
	put_on(&s, type, data, len);
}

static void get(enum migration_record_type type)
{
	struct migration_record rec;
	struct error err = { "" };

	if (migration_stream__recv(&s, &rec, &err))
		fail_msg("%s: %s", migration_record__name(type), err.msg);
	assert_int_equal(rec.type, type);
}

/* The last word is an ABORT with @words in it; then the other side ends. */
static void over(int side, const char *words)
{
	struct migration_record rec;
	struct error err = { "" };
	const struct report *r = h.report;
	int ret;

	do {
		ret = migration_stream__recv(&s, &rec, &err);
	} while (!ret);
	assert_int_equal(ret, -ECONNABORTED);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" has no \"%s\"", err.msg, words);
	migration_channel__close(&ch);
	assert_int_equal(waitpid(h.pid[side], NULL, 0), h.pid[side]);
	h.pid[side] = 0;
	assert_false(r->started);
	if (side == SOURCE) {
		assert_int_equal(r->outcome, MIGRATION_STAYED);
		assert_true(r->runs);
		assert_non_null(strstr(r->source_err.msg, words));
	} else {
		assert_true(r->ret < 0);
		assert_non_null(strstr(r->destination_err.msg, words));
	}
	migration_stream__exit(&s);
	h.report->outcome = -1;
	close(h.pidfd[side]);
	h.pidfd[side] = 0;
	harness_exit(&h);
}

/* ---- a source that does not ---- */

static struct migration_channel further_ch[2];
static struct migration_stream further[2];

#define JOIN_ID		77

static void hello_with(uint32_t timeout_ms, uint32_t channels)
{
	struct migration_terms terms = {
		.timeout_ms = timeout_ms, .hash_seed = 9, .channels = channels, .join_id = JOIN_ID,
	};
	struct migration_machine m;
	uint8_t *payload;
	uint32_t len;

	harness_describe(&h.machine[SOURCE], &m);
	payload = migration_machine__encode(&m, &terms, &len);
	put(MIGRATION_REC_HELLO, payload, len);
	free(payload);
}

static void hello(void)
{
	hello_with(CASE_DEADLINE_MS, 1);
}

static void greeted(void)
{
	begin(DESTINATION);
	hello();
	get(MIGRATION_REC_HELLO_OK);
}

static void pages_on(struct migration_stream *stream, uint32_t region, uint32_t page,
		     uint32_t count)
{
	struct {
		struct migration_pages_header head;
		struct migration_range range;
	} rec = {
		{ htole32(region), htole16(MIGRATION_ENC_ZERO), htole16(1) },
		{ htole32(page), htole32(count) },
	};

	put_on(stream, MIGRATION_REC_PAGES, &rec, sizeof(rec));
}

static void pages(uint32_t region, uint32_t page, uint32_t count)
{
	pages_on(&s, region, page, count);
}

static void round_end_on(struct migration_stream *stream, uint64_t round, uint64_t nr)
{
	struct migration_round_record rec = { htole64(round), htole64(nr) };

	put_on(stream, MIGRATION_REC_ROUND, &rec, sizeof(rec));
}

static void round_end(uint64_t round, uint64_t nr)
{
	round_end_on(&s, round, nr);
}

static void state(uint32_t id)
{
	struct {
		struct migration_state_record head;
		uint8_t data[300];
	} rec = { .head = { htole32(id), 0 } };

	memset(rec.data, 0x40 + id, sizeof(rec.data));
	put(MIGRATION_REC_STATE, &rec, sizeof(rec.head) + 100 * (id + 1));
}

static struct {
	struct migration_end_record head;
	struct migration_hash digests[NR_REGIONS + 1];
} end;

/* What END must say after @records records with @nr pages and 3 states. */
static void end_for(uint64_t records, uint64_t nr)
{
	struct migration_machine m;
	struct migration_memory mem;
	uint32_t i;

	memset(&end, 0, sizeof(end));
	end.head = (struct migration_end_record) {
		.records = htole64(records), .pages = htole64(nr), .states = htole32(3),
		.runs = htole32(1), .nr_regions = htole32(NR_REGIONS),
	};
	/* All pages zero, as they were sent. */
	harness_describe(&h.machine[SOURCE], &m);
	assert_int_equal(migration_memory__init(&mem, &m, 9), 0);
	for (i = 0; i < NR_REGIONS; i++)
		end.digests[i] = migration_memory__digest(&mem, i);
	migration_memory__exit(&mem);
}

#define END_SIZE	(sizeof(end.head) + NR_REGIONS * sizeof(end.digests[0]))

/* Everything up to END, as it should be: 32 zero pages in the buffers, three states. */
static void all_but_end(void)
{
	greeted();
	pages(1, 0, region_pages[1]);
	pages(2, 0, region_pages[2]);
	state(0);
	state(1);
	state(2);
	end_for(6, 32);
}

static void test_pages_before_hello(void **unused)
{
	(void)unused;
	begin(DESTINATION);
	pages(0, 0, 1);
	over(DESTINATION, "source sent pages where hello belongs");
}

static void test_hello_twice(void **unused)
{
	(void)unused;
	greeted();
	hello();
	over(DESTINATION, "source sent hello after 0 state records");
}

static void test_hello_of_another_machine(void **unused)
{
	struct migration_terms terms = { .timeout_ms = 1000, .channels = 1 };
	struct migration_machine m;
	uint8_t *payload;
	uint32_t len;

	(void)unused;
	begin(DESTINATION);
	harness_describe(&h.machine[SOURCE], &m);
	m.regions[2].memtype = DMABUF_MEMTYPE_WB;
	payload = migration_machine__encode(&m, &terms, &len);
	put(MIGRATION_REC_HELLO, payload, len);
	free(payload);
	over(DESTINATION, "buffer 1 (uc): source WB, destination UC");
}

static void test_hello_of_nonsense(void **unused)
{
	(void)unused;
	begin(DESTINATION);
	put(MIGRATION_REC_HELLO, "hello", 5);
	over(DESTINATION, "hello of 5 bytes");
}

static void test_page_twice_in_a_pass(void **unused)
{
	(void)unused;
	greeted();
	pages(1, 3, 2);
	round_end(0, 2);
	get(MIGRATION_REC_ROUND_OK);
	/* In the next pass it may come again, once. */
	pages(1, 4, 1);
	pages(1, 4, 1);
	over(DESTINATION, "wc: page 4 came twice in one pass");
}

static void test_page_out_of_range(void **unused)
{
	(void)unused;
	greeted();
	pages(1, 23, 2);
	over(DESTINATION, "wc: range 0 ends at page 25, the region has 24");
}

static void test_region_out_of_range(void **unused)
{
	(void)unused;
	greeted();
	pages(NR_REGIONS, 0, 1);
	over(DESTINATION, "pages of region 3, there are 3");
}

static void test_round_miscounted(void **unused)
{
	(void)unused;
	greeted();
	pages(1, 3, 2);
	round_end(0, 3);
	over(DESTINATION, "end of pass 0 with 3 pages, received pass 0 with 2");
}

static void test_round_misnumbered(void **unused)
{
	(void)unused;
	greeted();
	round_end(1, 0);
	over(DESTINATION, "end of pass 1 with 0 pages, received pass 0 with 0");
}

static void test_round_of_wrong_size(void **unused)
{
	(void)unused;
	greeted();
	put(MIGRATION_REC_ROUND, "short", 5);
	over(DESTINATION, "round record of 5 bytes, 16 expected");
}

static void test_pages_after_state(void **unused)
{
	(void)unused;
	greeted();
	state(0);
	pages(1, 0, 1);
	over(DESTINATION, "source sent pages after 1 state records");
}

static void test_round_after_state(void **unused)
{
	(void)unused;
	greeted();
	state(0);
	round_end(0, 0);
	over(DESTINATION, "source sent round after 1 state records");
}

static void test_state_refused(void **unused)
{
	(void)unused;
	greeted();
	state(1);
	over(DESTINATION, "state 1.0 of 200 bytes");
}

static void test_state_of_wrong_size(void **unused)
{
	(void)unused;
	greeted();
	put(MIGRATION_REC_STATE, "short", 5);
	over(DESTINATION, "state record of 5 bytes, at least 8 expected");
}

static void test_go_too_early(void **unused)
{
	(void)unused;
	greeted();
	put(MIGRATION_REC_GO, "", 0);
	over(DESTINATION, "source sent go after 0 state records");
}

static void test_running_from_the_source(void **unused)
{
	(void)unused;
	greeted();
	put(MIGRATION_REC_RUNNING, "", 0);
	over(DESTINATION, "source sent running");
}

static void test_end_without_states(void **unused)
{
	(void)unused;
	greeted();
	pages(1, 0, region_pages[1]);
	pages(2, 0, region_pages[2]);
	end_for(3, 32);
	end.head.states = 0;
	put(MIGRATION_REC_END, &end, END_SIZE);
	over(DESTINATION, "0 states, 3 expected");
}

static void bad_end(size_t size, const char *words)
{
	put(MIGRATION_REC_END, &end, size);
	over(DESTINATION, words);
}

static void test_end_with_other_counts(void **unused)
{
	(void)unused;
	all_but_end();
	end.head.records = htole64(7);
	bad_end(END_SIZE, "source sent 7 records, 32 pages, 3 states; 6, 32, 3 arrived");
	all_but_end();
	end.head.pages = htole64(31);
	bad_end(END_SIZE, "source sent 6 records, 31 pages, 3 states; 6, 32, 3 arrived");
	all_but_end();
	end.head.states = htole32(4);
	bad_end(END_SIZE, "source sent 6 records, 32 pages, 4 states; 6, 32, 3 arrived");
}

static void test_end_with_other_fields(void **unused)
{
	(void)unused;
	all_but_end();
	bad_end(END_SIZE - 1, "end record of");
	all_but_end();
	bad_end(END_SIZE + 16, "end record of");
	all_but_end();
	end.head.nr_regions = htole32(2);
	bad_end(END_SIZE, "end record for 2 regions");
	all_but_end();
	end.head.runs = htole32(2);
	bad_end(END_SIZE, "with runs 2");
	all_but_end();
	end.head.reserved = htole32(1);
	bad_end(END_SIZE, "reserved bits 0x1");
}

static void test_end_with_another_digest(void **unused)
{
	(void)unused;
	all_but_end();
	end.digests[1].high ^= htole64(1);
	bad_end(END_SIZE, "wc differs after loading");
}

/* Not what was sent, but what is in memory counts: here somebody wrote to it. */
static void test_memory_written_meanwhile(void **unused)
{
	(void)unused;
	all_but_end();
	h.machine[DESTINATION].hva[100 * MIGRATION_PAGE_SIZE] = 1;
	bad_end(END_SIZE, "RAM differs after loading");
}

static void test_no_go(void **unused)
{
	(void)unused;
	all_but_end();
	put(MIGRATION_REC_END, &end, END_SIZE);
	get(MIGRATION_REC_READY);
	put(MIGRATION_REC_ROUND, "", 0);
	over(DESTINATION, "source sent round of 0 bytes where go of 0 bytes belongs");
}

/* ---- further channels ---- */

/* The destination waits for two further channels. */
static void greeted_for_channels(uint32_t timeout_ms)
{
	begin(DESTINATION);
	hello_with(timeout_ms, 3);
	get(MIGRATION_REC_HELLO_OK);
}

static void join(unsigned int i, uint32_t channel, uint32_t reserved, const char *refusal)
{
	struct migration_join_record rec = {
		htole64(JOIN_ID), htole32(channel), htole32(reserved),
	};
	struct error err = { "" };
	struct migration_record answer;

	further_ch[i] = (struct migration_channel) {
		.fd = -1, .cancel_fd = -1, .timeout_ms = CASE_DEADLINE_MS, .peer = "peer",
	};
	assert_int_equal(migration_channel__connect(&further_ch[i], h.destination_uri, &err), 0);
	assert_int_equal(migration_stream__init(&further[i], &further_ch[i]), 0);
	assert_int_equal(migration_stream__send_preamble(&further[i], &err), 0);
	put_on(&further[i], MIGRATION_REC_JOIN, &rec, sizeof(rec));
	assert_int_equal(migration_stream__recv_preamble(&further[i], &err), 0);
	if (!refusal) {
		assert_int_equal(migration_stream__expect(&further[i], MIGRATION_REC_JOIN_OK, 0,
							  &answer, &err), 0);
		return;
	}
	assert_int_equal(migration_stream__recv(&further[i], &answer, &err), -ECONNABORTED);
	if (!strstr(err.msg, refusal))
		fail_msg("\"%s\" has no \"%s\"", err.msg, refusal);
	migration_channel__close(&further_ch[i]);
	migration_stream__exit(&further[i]);
}

static void joined(void)
{
	greeted_for_channels(CASE_DEADLINE_MS);
	join(0, 1, 0, NULL);
	join(1, 2, 0, NULL);
}

/* As over(), with the further channels open up to the end. */
static void over_with_channels(const char *words)
{
	unsigned int i;

	over(DESTINATION, words);
	for (i = 0; i < 2; i++) {
		migration_channel__close(&further_ch[i]);
		migration_stream__exit(&further[i]);
	}
}

/* Refused without harm: those that are right come later. */
static void test_wrong_channels(void **unused)
{
	(void)unused;
	greeted_for_channels(CASE_DEADLINE_MS);
	join(0, 0, 0, "channel 0: there is no such channel");
	join(0, 3, 0, "channel 3: there is no such channel");
	join(0, 1, 1, "not the one under way");
	join(0, 2, 0, NULL);
	join(1, 2, 0, "channel 2: it is there already");
	join(1, 1, 0, NULL);
	put(MIGRATION_REC_GO, "", 0);
	over_with_channels("source sent go after 0 state records");
}

static void test_too_few_channels(void **unused)
{
	(void)unused;
	greeted_for_channels(100);
	join(0, 2, 0, NULL);
	over(DESTINATION, "source is silent: 1 of 2 further channels came within 100 ms");
	migration_channel__close(&further_ch[0]);
	migration_stream__exit(&further[0]);
}

static void test_pages_before_channels(void **unused)
{
	(void)unused;
	greeted_for_channels(CASE_DEADLINE_MS);
	pages(1, 0, 1);
	over(DESTINATION, "source sent pages before its 2 further channels were there");
}

static void test_too_many_channels(void **unused)
{
	(void)unused;
	begin(DESTINATION);
	hello_with(CASE_DEADLINE_MS, 9);
	over(DESTINATION, "hello: 9 channels and reserved bits 0x0, 1 to 8 channels expected");
	begin(DESTINATION);
	hello_with(CASE_DEADLINE_MS, 0);
	over(DESTINATION, "hello: 0 channels");
}

static void test_page_twice_on_two_channels(void **unused)
{
	(void)unused;
	joined();
	pages_on(&further[1], 1, 4, 1);
	pages_on(&further[0], 1, 4, 1);
	over_with_channels("wc: page 4 came twice in one pass");
	joined();
	pages(2, 4, 2);
	pages_on(&further[0], 2, 5, 1);
	over_with_channels("uc: page 5 came twice in one pass");
}

/* A pass is over when it is on all channels; then the same pages may come anywhere. */
static void test_passes_over_channels(void **unused)
{
	unsigned int round;

	(void)unused;
	joined();
	for (round = 0; round < 3; round++) {
		pages_on(&further[round % 2], 1, 3, 2);
		pages(1, 5 + round, 1);
		round_end_on(&further[0], round, round % 2 ? 0 : 2);
		round_end(round, 1);
		round_end_on(&further[1], round, round % 2 ? 2 : 0);
		get(MIGRATION_REC_ROUND_OK);
	}
	put(MIGRATION_REC_GO, "", 0);
	over_with_channels("source sent go after 0 state records");
}

/* Pages of the next pass, on a channel that is through with this one: they wait. */
static void test_channel_ahead(void **unused)
{
	(void)unused;
	joined();
	pages_on(&further[0], 1, 3, 1);
	round_end_on(&further[0], 0, 1);
	pages_on(&further[0], 1, 3, 1);
	round_end_on(&further[0], 1, 1);
	round_end_on(&further[1], 0, 0);
	round_end(0, 0);
	get(MIGRATION_REC_ROUND_OK);
	round_end_on(&further[1], 1, 0);
	round_end(1, 0);
	get(MIGRATION_REC_ROUND_OK);
	put(MIGRATION_REC_GO, "", 0);
	over_with_channels("source sent go after 0 state records");
}

static void test_channel_miscounts(void **unused)
{
	(void)unused;
	joined();
	pages_on(&further[1], 1, 3, 2);
	round_end_on(&further[1], 0, 1);
	over_with_channels("channel 2: end of pass 0 with 1 pages, received pass 0 with 2");
	joined();
	round_end_on(&further[0], 1, 0);
	over_with_channels("channel 1: end of pass 1 with 0 pages, received pass 0 with 0");
}

static void test_other_records_on_a_channel(void **unused)
{
	static const enum migration_record_type types[] = {
		MIGRATION_REC_STATE, MIGRATION_REC_END, MIGRATION_REC_GO, MIGRATION_REC_JOIN,
	};
	char words[64];
	unsigned int i;

	(void)unused;
	for (i = 0; i < 4; i++) {
		joined();
		put_on(&further[0], types[i], "", 0);
		snprintf(words, sizeof(words), "channel 1: source sent %s where pages belong",
			 migration_record__name(types[i]));
		over_with_channels(words);
	}
}

static void test_abort_on_a_channel(void **unused)
{
	(void)unused;
	joined();
	migration_stream__send_abort(&further[1], "no more");
	over_with_channels("channel 2: no more");
}

static void test_end_before_the_channels(void **unused)
{
	(void)unused;
	greeted_for_channels(200);
	join(0, 1, 0, NULL);
	join(1, 2, 0, NULL);
	pages(1, 0, region_pages[1]);
	pages(2, 0, region_pages[2]);
	state(0);
	state(1);
	state(2);
	round_end_on(&further[0], 0, 0);
	/* Ours, two JOINs and one ROUND. */
	end_for(6 + 2 + 1, 32);
	put(MIGRATION_REC_END, &end, END_SIZE);
	over_with_channels("channel 2: source is silent: the end of the pass did not come within 150 ms");
}

/* ---- a destination that does not ---- */

static void test_answer_of_another_kind(void **unused)
{
	(void)unused;
	begin(SOURCE);
	get(MIGRATION_REC_HELLO);
	put(MIGRATION_REC_READY, "12345678", 8);
	over(SOURCE, "destination sent ready of 8 bytes where hello-ok of 0 bytes belongs");
}

static void test_answer_with_payload(void **unused)
{
	(void)unused;
	begin(SOURCE);
	get(MIGRATION_REC_HELLO);
	put(MIGRATION_REC_HELLO_OK, "x", 1);
	over(SOURCE, "destination sent hello-ok of 1 bytes where hello-ok of 0 bytes belongs");
}

/* Up to the source's END. */
static void obey_to_end(void)
{
	struct migration_record rec;
	struct error err = { "" };

	begin(SOURCE);
	do {
		assert_int_equal(migration_stream__recv(&s, &rec, &err), 0);
		if (rec.type == MIGRATION_REC_HELLO)
			put(MIGRATION_REC_HELLO_OK, "", 0);
		if (rec.type == MIGRATION_REC_ROUND)
			put(MIGRATION_REC_ROUND_OK, "", 0);
	} while (rec.type != MIGRATION_REC_END);
}

static void test_running_without_go(void **unused)
{
	(void)unused;
	obey_to_end();
	put(MIGRATION_REC_RUNNING, "", 0);
	over(SOURCE, "destination sent running of 0 bytes where ready belongs");
}

static void test_alive_without_progress(void **unused)
{
	struct migration_alive_record alive = { htole64(256) };

	(void)unused;
	obey_to_end();
	put(MIGRATION_REC_ALIVE, &alive, sizeof(alive));
	put(MIGRATION_REC_ALIVE, &alive, sizeof(alive));
	over(SOURCE, "destination verified 256 pages, then 256 of 332");
}

static void test_alive_for_ever(void **unused)
{
	struct migration_alive_record alive = { htole64(MACHINE_PAGES + 1) };

	(void)unused;
	obey_to_end();
	put(MIGRATION_REC_ALIVE, &alive, sizeof(alive));
	over(SOURCE, "destination verified 0 pages, then 333 of 332");
}

static void test_ready_of_wrong_size(void **unused)
{
	(void)unused;
	obey_to_end();
	put(MIGRATION_REC_READY, "1234567", 7);
	over(SOURCE, "destination sent ready of 7 bytes where ready belongs");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_before_hello),
		cmocka_unit_test(test_hello_twice),
		cmocka_unit_test(test_hello_of_another_machine),
		cmocka_unit_test(test_hello_of_nonsense),
		cmocka_unit_test(test_page_twice_in_a_pass),
		cmocka_unit_test(test_page_out_of_range),
		cmocka_unit_test(test_region_out_of_range),
		cmocka_unit_test(test_round_miscounted),
		cmocka_unit_test(test_round_misnumbered),
		cmocka_unit_test(test_round_of_wrong_size),
		cmocka_unit_test(test_pages_after_state),
		cmocka_unit_test(test_round_after_state),
		cmocka_unit_test(test_state_refused),
		cmocka_unit_test(test_state_of_wrong_size),
		cmocka_unit_test(test_go_too_early),
		cmocka_unit_test(test_running_from_the_source),
		cmocka_unit_test(test_end_without_states),
		cmocka_unit_test(test_end_with_other_counts),
		cmocka_unit_test(test_end_with_other_fields),
		cmocka_unit_test(test_end_with_another_digest),
		cmocka_unit_test(test_memory_written_meanwhile),
		cmocka_unit_test(test_no_go),
		cmocka_unit_test(test_wrong_channels),
		cmocka_unit_test(test_too_few_channels),
		cmocka_unit_test(test_pages_before_channels),
		cmocka_unit_test(test_too_many_channels),
		cmocka_unit_test(test_page_twice_on_two_channels),
		cmocka_unit_test(test_passes_over_channels),
		cmocka_unit_test(test_channel_ahead),
		cmocka_unit_test(test_channel_miscounts),
		cmocka_unit_test(test_other_records_on_a_channel),
		cmocka_unit_test(test_abort_on_a_channel),
		cmocka_unit_test(test_end_before_the_channels),
		cmocka_unit_test(test_answer_of_another_kind),
		cmocka_unit_test(test_answer_with_payload),
		cmocka_unit_test(test_running_without_go),
		cmocka_unit_test(test_alive_without_progress),
		cmocka_unit_test(test_alive_for_ever),
		cmocka_unit_test(test_ready_of_wrong_size),
	};

	(void)argc;
	harness_exact_malloc(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
