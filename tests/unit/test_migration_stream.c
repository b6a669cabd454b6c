// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The migration stream's framing: what can happen to a record on the way, and the
 * words for it. Both ends in one process: a record is small against a socket's
 * buffer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>

#include "vmm/migration_channel.h"
#include "vmm/migration_stream.h"

struct pair {
	struct migration_channel ch[2];
	struct migration_stream s[2];
	int cancel_fd;
};

static int setup(void **state)
{
	static struct pair pair;
	int fds[2], i;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	pair.cancel_fd = eventfd(0, 0);
	for (i = 0; i < 2; i++) {
		pair.ch[i] = (struct migration_channel) {
			.fd = fds[i],
			.cancel_fd = pair.cancel_fd,
			.timeout_ms = 100,
			.peer = i ? "source" : "destination",
		};
		assert_int_equal(migration_stream__init(&pair.s[i], &pair.ch[i]), 0);
	}
	*state = &pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *p = *state;
	int i;

	for (i = 0; i < 2; i++) {
		migration_stream__exit(&p->s[i]);
		migration_channel__close(&p->ch[i]);
	}
	close(p->cancel_fd);
	return 0;
}

#define assert_says(err, text) do {							\
	if (!strstr((err)->msg, text))							\
		fail_msg("\"%s\" has no \"%s\"", (err)->msg, text);			\
} while (0)

/* A record as bytes, with valid checksums, whatever its fields say. */
static size_t make_record(uint8_t *out, struct migration_record_header h, const void *payload,
			  size_t len, uint64_t seed)
{
	h.magic = htole32(MIGRATION_RECORD_MAGIC);
	h.payload_sum = htole64(XXH3_64bits_withSeed(payload, len, seed));
	h.header_sum = 0;
	h.header_sum = htole32((uint32_t)XXH3_64bits(&h, sizeof(h)));
	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), payload, len);
	return sizeof(h) + len;
}

static void raw(struct pair *p, const void *bytes, size_t len)
{
	assert_int_equal(send(p->ch[0].fd, bytes, len, 0), len);
}

static void send_text(struct migration_stream *s, enum migration_record_type type,
		      const char *text)
{
	struct iovec iov = { (void *)text, strlen(text) };
	struct error err = { "" };

	assert_int_equal(migration_stream__send(s, type, &iov, 1, &err), 0);
}

static void expect_recv(struct pair *p, int want, const char *words)
{
	struct migration_record rec;
	struct error err = { "" };

	assert_int_equal(migration_stream__recv(&p->s[1], &rec, &err), want);
	if (want)
		assert_says(&err, words);
}

static void test_round_trip(void **state)
{
	struct pair *p = *state;
	struct migration_record rec;
	char data[] = "abcde";
	struct iovec iov[3] = { { data, 2 }, { data, 0 }, { data + 2, 3 } };
	struct error err = { "" };

	assert_int_equal(migration_stream__send_preamble(&p->s[0], &err), 0);
	assert_int_equal(migration_stream__recv_preamble(&p->s[1], &err), 0);
	assert_int_equal(migration_stream__send(&p->s[0], MIGRATION_REC_PAGES, iov, 3, &err), 0);
	assert_int_equal(migration_stream__send(&p->s[0], MIGRATION_REC_GO, NULL, 0, &err), 0);
	assert_int_equal(migration_stream__recv(&p->s[1], &rec, &err), 0);
	assert_int_equal(rec.type, MIGRATION_REC_PAGES);
	assert_int_equal(rec.length, 5);
	assert_memory_equal(rec.payload, "abcde", 5);
	assert_int_equal(migration_stream__expect(&p->s[1], MIGRATION_REC_GO, 0, &rec, &err), 0);
	/* The other direction counts and sums for itself. */
	send_text(&p->s[1], MIGRATION_REC_READY, "12345678");
	assert_int_equal(migration_stream__expect(&p->s[0], MIGRATION_REC_READY, 8, &rec, &err), 0);
}

static void test_largest_record(void **state)
{
	static uint8_t big[MIGRATION_MAX_PAYLOAD + 1];
	struct pair *p = *state;
	struct iovec iov = { big, sizeof(big) };
	struct error err = { "" };
	int size = 1 << 20;

	setsockopt(p->ch[0].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	assert_int_equal(migration_stream__send(&p->s[0], MIGRATION_REC_STATE, &iov, 1, &err), -E2BIG);
	assert_says(&err, "278529");
	iov.iov_len = 100000;
	err.msg[0] = '\0';
	assert_int_equal(migration_stream__send(&p->s[0], MIGRATION_REC_STATE, &iov, 1, &err), 0);
	expect_recv(p, 0, NULL);
}

static void check_preamble(struct pair *p, struct migration_preamble pre, int want,
			   const char *words)
{
	struct error err = { "" };

	raw(p, &pre, sizeof(pre));
	assert_int_equal(migration_stream__recv_preamble(&p->s[1], &err), want);
	assert_says(&err, words);
}

static void test_preamble(void **state)
{
	struct migration_preamble good = {
		.magic = MIGRATION_MAGIC,
		.version = htole32(MIGRATION_VERSION),
		.byte_order = htole32(MIGRATION_BYTE_ORDER),
	};
	struct migration_preamble pre;
	struct pair *p = *state;

	pre = good;
	memcpy(pre.magic, "GET / HT", 8);
	check_preamble(p, pre, -EPROTO, "begins with 0x474554202f204854, not \"DMAPATMG\"");
	pre = good;
	pre.version = htole32(MIGRATION_VERSION + 1);
	check_preamble(p, pre, -EPROTONOSUPPORT, "version 3 of the migration stream, this side version 2");
	pre = good;
	pre.version = htobe32(MIGRATION_VERSION);
	pre.byte_order = htobe32(MIGRATION_BYTE_ORDER);
	check_preamble(p, pre, -EPROTONOSUPPORT, "big-endian");
	pre = good;
	pre.byte_order = htole32(0x12345678);
	check_preamble(p, pre, -EPROTO, "byte order mark 0x12345678");
}

static void test_order(void **state)
{
	struct migration_record_header h = { .type = htole16(MIGRATION_REC_ROUND) };
	struct pair *p = *state;
	uint8_t buf[64];
	size_t len;

	/* The second record first. */
	h.seq = htole64(1);
	len = make_record(buf, h, "", 0, 0);
	raw(p, buf, len);
	expect_recv(p, -EPROTO, "record 1 came in place of record 0");
}

static void test_duplicate(void **state)
{
	struct migration_record_header h = { .type = htole16(MIGRATION_REC_ROUND) };
	struct pair *p = *state;
	uint8_t buf[64];
	size_t len;

	len = make_record(buf, h, "", 0, 0);
	raw(p, buf, len);
	raw(p, buf, len);
	expect_recv(p, 0, NULL);
	expect_recv(p, -EPROTO, "record 0 came in place of record 1");
}

/* Numbered as it should be, but of another stream: the sums are chained. */
static void test_foreign_record(void **state)
{
	struct migration_record_header h = {
		.type = htole16(MIGRATION_REC_STATE), .length = htole32(3), .seq = htole64(1),
	};
	struct pair *p = *state;
	uint8_t buf[64];
	size_t len;

	send_text(&p->s[0], MIGRATION_REC_ROUND, "x");
	expect_recv(p, 0, NULL);
	len = make_record(buf, h, "abc", 3, 0);
	raw(p, buf, len);
	expect_recv(p, -EBADMSG, "stream damaged: record 1 (state)");
}

static void test_overlong(void **state)
{
	struct migration_record_header h = {
		.type = htole16(MIGRATION_REC_PAGES), .length = htole32(MIGRATION_MAX_PAYLOAD + 1),
	};
	struct pair *p = *state;
	uint8_t buf[64];

	raw(p, buf, make_record(buf, h, "", 0, 0));
	expect_recv(p, -EPROTO, "278529 bytes long, the limit is 278528");
}

static void test_unknown_type(void **state)
{
	struct pair *p = *state;
	struct migration_record_header h = { .type = htole16(MIGRATION_REC_LAST + 1) };
	uint8_t buf[64];

	raw(p, buf, make_record(buf, h, "", 0, 0));
	expect_recv(p, -EPROTO, "has type 15");
}

static void test_type_zero(void **state)
{
	struct pair *p = *state;
	struct migration_record_header h = { .type = 0 };
	uint8_t buf[64];

	raw(p, buf, make_record(buf, h, "", 0, 0));
	expect_recv(p, -EPROTO, "has type 0");
}

static void test_reserved_bits(void **state)
{
	struct pair *p = *state;
	struct migration_record_header h = {
		.type = htole16(MIGRATION_REC_ROUND), .reserved = htole16(0x10),
	};
	uint8_t buf[64];

	raw(p, buf, make_record(buf, h, "", 0, 0));
	expect_recv(p, -EPROTO, "reserved bits 0x10");
}

/* Each bit of a record, one at a time. */
static void test_every_bit(void **state)
{
	struct migration_record_header h = {
		.type = htole16(MIGRATION_REC_STATE), .length = htole32(9),
	};
	struct migration_record rec;
	uint8_t good[64], bad[64];
	struct pair *p = *state;
	struct error err;
	size_t len, bit;
	int ret;

	len = make_record(good, h, "some data", 9, 0);
	for (bit = 0; bit < len * 8; bit++) {
		memcpy(bad, good, len);
		bad[bit / 8] ^= 1 << bit % 8;
		raw(p, bad, len);
		err.msg[0] = '\0';
		ret = migration_stream__recv(&p->s[1], &rec, &err);
		if (ret != -EBADMSG)
			fail_msg("bit %zu: %d %s", bit, ret, err.msg);
		assert_says(&err, "stream damaged");
		/* What is left of the record. */
		recv(p->ch[1].fd, bad, sizeof(bad), MSG_DONTWAIT);
	}
}

static void test_every_truncation(void **state)
{
	struct migration_record_header h = {
		.type = htole16(MIGRATION_REC_STATE), .length = htole32(9),
	};
	struct pair *p = *state;
	uint8_t buf[64];
	size_t len, cut;

	len = make_record(buf, h, "some data", 9, 0);
	for (cut = 0; cut < len; cut++) {
		raw(p, buf, cut);
		shutdown(p->ch[0].fd, SHUT_WR);
		expect_recv(p, -EPIPE, cut ? "stream cut short" : "source closed the connection");
		teardown(state);
		setup(state);
	}
}

static void test_wrong_record(void **state)
{
	struct pair *p = *state;
	struct migration_record rec;
	struct error err = { "" };

	send_text(&p->s[0], MIGRATION_REC_GO, "x");
	assert_int_equal(migration_stream__expect(&p->s[1], MIGRATION_REC_GO, 0, &rec, &err), -EPROTO);
	assert_says(&err, "sent go of 1 bytes where go of 0 bytes belongs");
	err.msg[0] = '\0';
	send_text(&p->s[0], MIGRATION_REC_END, "");
	assert_int_equal(migration_stream__expect(&p->s[1], MIGRATION_REC_GO, 0, &rec, &err), -EPROTO);
	assert_says(&err, "sent end of 0 bytes");
}

static void test_abort_is_heard(void **state)
{
	struct pair *p = *state;
	struct error err = { "" };

	migration_stream__send_preamble(&p->s[1], &err);
	migration_stream__recv_preamble(&p->s[0], &err);
	migration_stream__send_abort(&p->s[1], "no room\x1b[2J here");
	/* The other side is sending, and learns the reason, as plain text. */
	assert_int_equal(migration_stream__send(&p->s[0], MIGRATION_REC_GO, NULL, 0, &err),
			 -ECONNABORTED);
	assert_string_equal(err.msg, "no room?[2J here");
}

/* The reason is there although the connection is gone. */
static void test_abort_then_close(void **state)
{
	struct pair *p = *state;
	struct error err = { "" };

	migration_stream__send_preamble(&p->s[1], &err);
	migration_stream__recv_preamble(&p->s[0], &err);
	migration_stream__send_abort(&p->s[1], "gone away");
	migration_channel__close(&p->ch[1]);
	assert_int_equal(migration_stream__send(&p->s[0], MIGRATION_REC_GO, NULL, 0, &err),
			 -ECONNABORTED);
	assert_string_equal(err.msg, "gone away");
}

static void test_abort_without_words(void **state)
{
	struct pair *p = *state;
	struct error err = { "" };

	migration_stream__send_preamble(&p->s[0], &err);
	migration_stream__recv_preamble(&p->s[1], &err);
	migration_stream__send_abort(&p->s[0], "");
	expect_recv(p, -ECONNABORTED, "source gave up without a reason");
}

static void test_abort_is_bounded(void **state)
{
	char words[2000];
	struct pair *p = *state;
	struct migration_record rec;
	struct error err = { "" };

	memset(words, 'w', sizeof(words) - 1);
	words[sizeof(words) - 1] = '\0';
	migration_stream__send_preamble(&p->s[0], &err);
	migration_stream__recv_preamble(&p->s[1], &err);
	migration_stream__send_abort(&p->s[0], words);
	assert_int_equal(migration_stream__recv(&p->s[1], &rec, &err), -ECONNABORTED);
	assert_int_equal(strlen(err.msg), 400);
}

static void test_no_abort_before_preamble(void **state)
{
	struct pair *p = *state;
	uint8_t byte;

	migration_stream__send_abort(&p->s[0], "too early");
	assert_int_equal(recv(p->ch[1].fd, &byte, 1, MSG_DONTWAIT), -1);
}

static void test_speaking_out_of_turn(void **state)
{
	struct pair *p = *state;
	struct error err = { "" };

	send_text(&p->s[1], MIGRATION_REC_ALIVE, "");
	assert_int_equal(migration_stream__send(&p->s[0], MIGRATION_REC_GO, NULL, 0, &err), -EPROTO);
	assert_says(&err, "destination sent alive while this side was to speak");
}

static void test_silence(void **state)
{
	struct pair *p = *state;

	expect_recv(p, -ETIMEDOUT, "source is silent: nothing came within 100 ms");
}

/* The peer does not read: a record of any size gets stuck. */
static void test_silence_to_sender(void **state)
{
	static uint8_t big[270000]; /* more than a socket holds */
	struct pair *p = *state;
	struct iovec iov = { big, sizeof(big) };
	struct error err = { "" };
	int i, ret = 0;

	migration_stream__send_preamble(&p->s[0], &err);
	for (i = 0; i < 100 && !ret; i++)
		ret = migration_stream__send(&p->s[0], MIGRATION_REC_STATE, &iov, 1, &err);
	assert_int_equal(ret, -ETIMEDOUT);
	assert_says(&err, "destination is silent: does not take what is sent within 100 ms");
	/* Part of a record is out: an abort would be taken for the rest of it. */
	assert_false(p->s[0].open);
}

static void test_cancel(void **state)
{
	struct pair *p = *state;

	eventfd_write(p->cancel_fd, 1);
	expect_recv(p, -ECANCELED, "migration cancelled");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_round_trip),
		T(test_largest_record),
		T(test_preamble),
		T(test_order),
		T(test_duplicate),
		T(test_foreign_record),
		T(test_overlong),
		T(test_unknown_type),
		T(test_type_zero),
		T(test_reserved_bits),
		T(test_every_bit),
		T(test_every_truncation),
		T(test_wrong_record),
		T(test_abort_is_heard),
		T(test_abort_then_close),
		T(test_abort_without_words),
		T(test_abort_is_bounded),
		T(test_no_abort_before_preamble),
		T(test_speaking_out_of_turn),
		T(test_silence),
		T(test_silence_to_sender),
		T(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
