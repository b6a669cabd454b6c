// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PAGES records: what the writer makes the reader must give back, and whatever
 * else is in such a record must be refused with the number that is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zstd.h>

#include "vmm/migration_channel.h"
#include "vmm/migration_pages.h"
#include "vmm/migration_stream.h"

#define REGION_PAGES	1000u

static struct migration_machine machine;
static struct migration_reader reader;

static int setup(void **state)
{
	(void)state;
	memset(&machine, 0, sizeof(machine));
	machine.nr_regions = 2;
	strcpy(machine.regions[0].name, "RAM");
	machine.regions[0].size = REGION_PAGES * MIGRATION_PAGE_SIZE;
	strcpy(machine.regions[1].name, "vgem");
	machine.regions[1].size = 8 * MIGRATION_PAGE_SIZE;
	return migration_reader__init(&reader);
}

static int teardown(void **state)
{
	(void)state;
	migration_reader__exit(&reader);
	return 0;
}

/* A record by hand. */
static uint8_t record[MIGRATION_MAX_PAYLOAD];

static uint32_t make(uint32_t region, uint16_t encoding, uint16_t nr, const uint32_t (*ranges)[2],
		     const void *data, size_t len)
{
	struct migration_pages_header h = {
		.region = htole32(region), .encoding = htole16(encoding), .nr_ranges = htole16(nr),
	};
	struct migration_range r;
	uint32_t at = sizeof(h), i;

	memcpy(record, &h, sizeof(h));
	for (i = 0; i < nr; i++, at += sizeof(r)) {
		r.page = htole32(ranges[i][0]);
		r.count = htole32(ranges[i][1]);
		memcpy(record + at, &r, sizeof(r));
	}
	memcpy(record + at, data, len);
	return at + len;
}

static void refuse(uint32_t len, int want, const char *words)
{
	struct error err = { "" };

	assert_int_equal(migration_reader__parse(&reader, &machine, record, len, &err), want);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" has no \"%s\"", err.msg, words);
}

static uint8_t data[65 * MIGRATION_PAGE_SIZE];
#define RANGES(...)	((const uint32_t [][2]) { __VA_ARGS__ })

static void test_ranges(void **state)
{
	(void)state;
	refuse(make(0, 0, 1, RANGES({ 5, 0 }), data, 0), -EPROTO, "range 0 at page 5 is empty");
	refuse(make(0, 0, 2, RANGES({ 5, 2 }, { 6, 1 }), data, 3 * 4096), -EPROTO,
	       "range 1 begins at page 6, the one before ends at page 7");
	refuse(make(0, 0, 2, RANGES({ 5, 1 }, { 5, 1 }), data, 2 * 4096), -EPROTO,
	       "range 1 begins at page 5");
	refuse(make(0, 0, 2, RANGES({ 9, 1 }, { 5, 1 }), data, 2 * 4096), -EPROTO,
	       "range 1 begins at page 5");
	refuse(make(0, 0, 1, RANGES({ 1000, 1 }), data, 4096), -EPROTO,
	       "range 0 ends at page 1001, the region has 1000");
	refuse(make(0, 2, 1, RANGES({ 999, 2 }), data, 0), -EPROTO, "ends at page 1001");
	/* The sum must not wrap. */
	refuse(make(0, 2, 1, RANGES({ UINT32_MAX, UINT32_MAX }), data, 0), -EPROTO,
	       "ends at page 8589934590");
	refuse(make(1, 0, 1, RANGES({ 8, 1 }), data, 4096), -EPROTO, "vgem: range 0 ends at page 9");
}

static void test_counts(void **state)
{
	uint32_t ranges[65][2], i;

	(void)state;
	for (i = 0; i < 65; i++) {
		ranges[i][0] = 2 * i;
		ranges[i][1] = 1;
	}
	refuse(make(0, 0, 0, ranges, data, 0), -EPROTO, "0 ranges in one record");
	refuse(make(0, 2, 65, ranges, data, 0), -EPROTO, "65 ranges in one record, 1 to 64");
	refuse(make(0, 0, 1, RANGES({ 0, 65 }), data, 65 * 4096), -EPROTO,
	       "65 pages in one record, the limit is 64");
	refuse(make(2, 0, 1, ranges, data, 4096), -EPROTO, "region 2, there are 2");
	refuse(make(UINT32_MAX, 0, 1, ranges, data, 4096), -EPROTO, "region 4294967295");
	refuse(make(0, 3, 1, ranges, data, 4096), -EPROTO, "encoding 3");
	refuse(7, -EPROTO, "7 bytes, at least 8");
	make(0, 0, 2, ranges, data, 0);
	refuse(8 + 15, -EPROTO, "2 ranges in a pages record of 23 bytes");
}

static void test_data(void **state)
{
	uint8_t frame[2 * 4096], two[2 * 4096];
	size_t len, wide;

	(void)state;
	memset(two, 0x5a, sizeof(two));
	refuse(make(0, 0, 1, RANGES({ 0, 1 }), data, 4095), -EPROTO, "4095 bytes of data for 4096");
	refuse(make(0, 0, 1, RANGES({ 0, 1 }), data, 4097), -EPROTO, "4097 bytes of data for 4096");
	refuse(make(0, 2, 1, RANGES({ 0, 1 }), data, 1), -EPROTO, "zero pages with 1 bytes of data");
	refuse(make(0, 1, 1, RANGES({ 0, 1 }), "no zstd", 7), -EBADMSG, "do not decompress");
	refuse(make(0, 1, 1, RANGES({ 0, 1 }), data, 0), -EBADMSG, "decompress");
	len = ZSTD_compress(frame, sizeof(frame), two, 4095, 1);
	refuse(make(0, 1, 1, RANGES({ 0, 1 }), frame, len), -EBADMSG,
	       "4095 bytes after decompression for 4096");
	/* More than the pages must not be written anywhere. */
	wide = ZSTD_compress(frame, sizeof(frame), two, 2 * 4096, 1);
	refuse(make(0, 1, 1, RANGES({ 0, 1 }), frame, wide), -EBADMSG, "do not decompress");
	len = ZSTD_compress(frame, sizeof(frame), two, 4096, 1);
	refuse(make(0, 1, 1, RANGES({ 0, 1 }), frame, len - 1), -EBADMSG, "do not decompress");
	refuse(make(0, 1, 1, RANGES({ 0, 1 }), frame, len + 1), -EBADMSG, "do not decompress");
}

/* What a page holds: some compress, some do not, some are zero. */
static void fill(uint8_t *page, uint32_t n)
{
	uint64_t x = n * 0x9e3779b97f4a7c15ULL + 1, *words = (uint64_t *)page;
	unsigned int i;

	for (i = 0; i < MIGRATION_PAGE_SIZE / sizeof(x); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = n % 7 == 0 ? 0 : n % 3 ? n : x;
	}
}

/* Any set of pages comes back as it was sent, each page once. */
static void round_trip(unsigned int level)
{
	static uint8_t memory[REGION_PAGES][MIGRATION_PAGE_SIZE];
	struct migration_channel ch[2];
	struct migration_stream s[2];
	struct migration_writer w;
	struct migration_record rec;
	struct error err = { "" };
	uint8_t expect[MIGRATION_PAGE_SIZE];
	bool seen[REGION_PAGES] = { false };
	uint32_t page, sent = 0, zero = 0, i, p;
	const uint8_t *from;
	int fds[2], size = 16 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	for (i = 0; i < 2; i++) {
		ch[i] = (struct migration_channel) {
			.fd = fds[i], .cancel_fd = -1, .timeout_ms = 1000, .peer = "peer",
		};
		assert_int_equal(migration_stream__init(&s[i], &ch[i]), 0);
	}
	assert_int_equal(migration_writer__init(&w, &s[0], level), 0);
	memset(memory, 0xff, sizeof(memory));

	/* Few at a time, because a socket's buffer is small without privileges. */
	for (page = 0; page < REGION_PAGES;) {
		for (i = 0; i < 12 && page < REGION_PAGES; i++, page += 1 + (page % 11 == 0)) {
			fill(migration_writer__page(&w), page);
			assert_int_equal(migration_writer__add(&w, 0, page, page % 7 == 0, &err), 0);
			sent++;
			zero += page % 7 == 0;
		}
		assert_int_equal(migration_writer__flush(&w, &err), 0);
		while (recv(fds[1], expect, 1, MSG_PEEK | MSG_DONTWAIT) == 1) {
			assert_int_equal(migration_stream__recv(&s[1], &rec, &err), 0);
			assert_int_equal(rec.type, MIGRATION_REC_PAGES);
			assert_int_equal(migration_reader__parse(&reader, &machine, rec.payload,
								 rec.length, &err), 0);
			from = reader.data;
			for (i = 0; i < reader.nr_ranges; i++) {
				for (p = reader.ranges[i].page;
				     p < reader.ranges[i].page + reader.ranges[i].count; p++) {
					assert_false(seen[p]);
					seen[p] = true;
					if (from)
						memcpy(memory[p], from, MIGRATION_PAGE_SIZE);
					else
						memset(memory[p], 0, MIGRATION_PAGE_SIZE);
					from += from ? MIGRATION_PAGE_SIZE : 0;
				}
			}
		}
	}
	assert_int_equal(w.nr_filled, sent - zero);
	assert_int_equal(w.nr_zero, zero);
	for (page = 0, i = 0; page < REGION_PAGES; page++) {
		if (!seen[page])
			continue;
		i++;
		fill(expect, page);
		assert_memory_equal(memory[page], expect, sizeof(expect));
	}
	assert_int_equal(i, sent);
	migration_writer__exit(&w);
	for (i = 0; i < 2; i++) {
		migration_stream__exit(&s[i]);
		migration_channel__close(&ch[i]);
	}
}

static void test_round_trip(void **state)
{
	(void)state;
	round_trip(0);
	round_trip(1);
	round_trip(MIGRATION_LEVEL_MAX);
}

/* One page at @level, as it is encoded on the wire. */
static enum migration_encoding encoding_of(unsigned int level, uint32_t n)
{
	struct migration_channel ch = { .cancel_fd = -1, .timeout_ms = 1000, .peer = "peer" };
	struct migration_pages_header h;
	struct migration_stream s;
	struct migration_writer w;
	struct error err = { "" };
	uint8_t bytes[8192];
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	ch.fd = fds[0];
	assert_int_equal(migration_stream__init(&s, &ch), 0);
	assert_int_equal(migration_writer__init(&w, &s, level), 0);
	fill(migration_writer__page(&w), n);
	assert_int_equal(migration_writer__add(&w, 0, 5, false, &err), 0);
	assert_int_equal(migration_writer__flush(&w, &err), 0);
	assert_true(recv(fds[1], bytes, sizeof(bytes), 0) > 0);
	memcpy(&h, bytes + sizeof(struct migration_record_header), sizeof(h));
	migration_writer__exit(&w);
	migration_stream__exit(&s);
	migration_channel__close(&ch);
	close(fds[1]);
	return le16toh(h.encoding);
}

/* Level 0 never compresses; the others do where it helps. */
static void test_levels(void **state)
{
	(void)state;
	assert_int_equal(encoding_of(0, 1), MIGRATION_ENC_RAW);
	assert_int_equal(encoding_of(1, 1), MIGRATION_ENC_ZSTD);
	assert_int_equal(encoding_of(19, 1), MIGRATION_ENC_ZSTD);
	assert_int_equal(encoding_of(1, 3), MIGRATION_ENC_RAW);
	assert_int_equal(encoding_of(19, 3), MIGRATION_ENC_RAW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_levels),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
