// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Framing of the migration stream. Everything that can happen to bytes on the
 * way (cut, changed, repeated, left out, exchanged) is found here and named;
 * what a record says is judged by those who receive it.
 */
#include "vmm/migration_stream.h"

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* The same functions, by the CPU's widest vectors. */
#include <xxh_x86dispatch.h>

#include "vmm/migration_channel.h"

#define MAX_IOV		4
#define MAX_REASON	400	/* bytes of an ABORT's text */

_Static_assert(sizeof(struct migration_preamble) == 16, "preamble is 16 bytes");
_Static_assert(sizeof(struct migration_record_header) == 32, "record header is 32 bytes");

const char *migration_record__name(enum migration_record_type type)
{
	switch (type) {
	case MIGRATION_REC_HELLO:
		return "hello";
	case MIGRATION_REC_HELLO_OK:
		return "hello-ok";
	case MIGRATION_REC_PAGES:
		return "pages";
	case MIGRATION_REC_ROUND:
		return "round";
	case MIGRATION_REC_ROUND_OK:
		return "round-ok";
	case MIGRATION_REC_STATE:
		return "state";
	case MIGRATION_REC_END:
		return "end";
	case MIGRATION_REC_ALIVE:
		return "alive";
	case MIGRATION_REC_READY:
		return "ready";
	case MIGRATION_REC_GO:
		return "go";
	case MIGRATION_REC_RUNNING:
		return "running";
	case MIGRATION_REC_ABORT:
		return "abort";
	case MIGRATION_REC_JOIN:
		return "join";
	case MIGRATION_REC_JOIN_OK:
		return "join-ok";
	}
	return "unknown";
}

int migration_stream__init(struct migration_stream *s, struct migration_channel *ch)
{
	*s = (struct migration_stream) { .ch = ch };
	s->buf = malloc(MIGRATION_MAX_PAYLOAD);
	s->hash = XXH3_createState();
	if (s->buf && s->hash)
		return 0;
	migration_stream__exit(s);
	return -ENOMEM;
}

void migration_stream__exit(struct migration_stream *s)
{
	XXH3_freeState(s->hash);
	free(s->buf);
	s->hash = NULL;
	s->buf = NULL;
}

int migration_stream__send_preamble(struct migration_stream *s, struct error *err)
{
	struct migration_preamble p = {
		.magic = MIGRATION_MAGIC,
		.version = htole32(MIGRATION_VERSION),
		.byte_order = htole32(MIGRATION_BYTE_ORDER),
	};
	struct iovec iov = { &p, sizeof(p) };
	int ret;

	ret = migration_channel__write(s->ch, &iov, 1, false, err);
	s->open = !ret;
	return ret;
}

int migration_stream__recv_preamble(struct migration_stream *s, struct error *err)
{
	struct migration_preamble p;
	uint64_t begin;
	int ret;

	ret = migration_channel__read(s->ch, &p, sizeof(p), err);
	if (ret)
		return ret;
	if (memcmp(p.magic, MIGRATION_MAGIC, sizeof(p.magic))) {
		memcpy(&begin, p.magic, sizeof(begin));
		return error__set(err, EPROTO,
				  "%s does not speak dmapat's migration stream: it begins with 0x%016" PRIx64
				  ", not \"" MIGRATION_MAGIC "\"", s->ch->peer, be64toh(begin));
	}
	if (le32toh(p.byte_order) == __builtin_bswap32(MIGRATION_BYTE_ORDER))
		return error__set(err, EPROTONOSUPPORT,
				  "%s sends a big-endian stream, this side reads little-endian",
				  s->ch->peer);
	if (le32toh(p.byte_order) != MIGRATION_BYTE_ORDER)
		return error__set(err, EPROTO, "%s sends byte order mark 0x%08x, not 0x%08x",
				  s->ch->peer, le32toh(p.byte_order), MIGRATION_BYTE_ORDER);
	if (le32toh(p.version) != MIGRATION_VERSION)
		return error__set(err, EPROTONOSUPPORT,
				  "%s speaks version %u of the migration stream, this side version %u",
				  s->ch->peer, le32toh(p.version), MIGRATION_VERSION);
	return 0;
}

static uint32_t header_sum(const struct migration_record_header *h)
{
	struct migration_record_header copy = *h;

	copy.header_sum = 0;
	return (uint32_t)XXH3_64bits(&copy, sizeof(copy));
}

static uint64_t payload_sum(struct migration_stream *s, uint64_t seed, const struct iovec *iov,
			    int n)
{
	int i;

	XXH3_64bits_reset_withSeed(s->hash, seed);
	for (i = 0; i < n; i++)
		XXH3_64bits_update(s->hash, iov[i].iov_base, iov[i].iov_len);
	return XXH3_64bits_digest(s->hash);
}

static int send_record(struct migration_stream *s, enum migration_record_type type,
		       const struct iovec *iov, int n, bool heed_input, struct error *err)
{
	struct migration_record_header h;
	uint64_t before = s->ch->tx_bytes, sum;
	struct iovec v[1 + MAX_IOV];
	size_t length = 0;
	int i, ret;

	for (i = 0; i < n; i++) {
		v[1 + i] = iov[i];
		length += iov[i].iov_len;
	}
	if (n > MAX_IOV || length > MIGRATION_MAX_PAYLOAD)
		return error__set(err, E2BIG, "%s record of %zu bytes, the limit is %u",
				  migration_record__name(type), length, MIGRATION_MAX_PAYLOAD);
	sum = payload_sum(s, s->tx_sum, iov, n);
	memset(&h, 0, sizeof(h));
	h.magic = htole32(MIGRATION_RECORD_MAGIC);
	h.type = htole16(type);
	h.length = htole32(length);
	h.seq = htole64(s->tx_seq);
	h.payload_sum = htole64(sum);
	h.header_sum = htole32(header_sum(&h));
	v[0] = (struct iovec) { &h, sizeof(h) };
	ret = migration_channel__write(s->ch, v, 1 + n, heed_input, err);
	if (ret) {
		/* After a part of a record nothing can be understood. */
		if (s->ch->tx_bytes != before)
			s->open = false;
		return ret;
	}
	s->tx_seq++;
	s->tx_sum = sum;
	return 0;
}

int migration_stream__send(struct migration_stream *s, enum migration_record_type type,
			   const struct iovec *iov, int n, struct error *err)
{
	struct error own = { "" }, theirs = { "" };
	struct migration_record rec;
	int ret, said;

	ret = send_record(s, type, iov, n, true, &own);
	if (ret != -EREMOTEIO && ret != -EPIPE) {
		if (ret)
			error__set(err, -ret, "%s", own.msg);
		return ret;
	}

	/* Only a peer that gives up speaks out of turn, and it says why first. */
	said = migration_stream__recv(s, &rec, &theirs);
	if (!said)
		return error__set(err, EPROTO, "%s sent %s while this side was to speak",
				  s->ch->peer, migration_record__name(rec.type));
	return error__set(err, -said, "%s", theirs.msg);
}

static int recv_bytes(struct migration_stream *s, void *buf, size_t len, bool at_start,
		      const char *part, struct error *err)
{
	uint64_t before = s->ch->rx_bytes;
	struct error why = { "" };
	size_t got;
	int ret;

	ret = migration_channel__read(s->ch, buf, len, &why);
	got = s->ch->rx_bytes - before;
	if (ret == -EPIPE && !(at_start && !got))
		return error__set(err, EPIPE,
				  "stream cut short: %s closed the connection in record %" PRIu64
				  ", %zu of %zu bytes into its %s", s->ch->peer, s->rx_seq, got, len,
				  part);
	if (ret)
		error__set(err, -ret, "%s", why.msg);
	return ret;
}

static int check_header(struct migration_stream *s, const struct migration_record_header *h,
			struct error *err)
{
	uint32_t sum = header_sum(h);

	if (le32toh(h->magic) != MIGRATION_RECORD_MAGIC)
		return error__set(err, EBADMSG,
				  "stream damaged: record %" PRIu64 " begins with 0x%08x, not 0x%08x",
				  s->rx_seq, le32toh(h->magic), MIGRATION_RECORD_MAGIC);
	if (le32toh(h->header_sum) != sum)
		return error__set(err, EBADMSG,
				  "stream damaged: header of record %" PRIu64
				  " has checksum 0x%08x, its bytes give 0x%08x", s->rx_seq,
				  le32toh(h->header_sum), sum);
	if (le64toh(h->seq) != s->rx_seq)
		return error__set(err, EPROTO,
				  "stream out of order: record %" PRIu64 " came in place of record %"
				  PRIu64, le64toh(h->seq), s->rx_seq);
	if (!le16toh(h->type) || le16toh(h->type) > MIGRATION_REC_LAST || h->reserved)
		return error__set(err, EPROTO,
				  "record %" PRIu64 " has type %u and reserved bits 0x%x: unknown",
				  s->rx_seq, le16toh(h->type), le16toh(h->reserved));
	if (le32toh(h->length) > MIGRATION_MAX_PAYLOAD)
		return error__set(err, EPROTO,
				  "record %" PRIu64 " (%s) is %u bytes long, the limit is %u", s->rx_seq,
				  migration_record__name(le16toh(h->type)), le32toh(h->length),
				  MIGRATION_MAX_PAYLOAD);
	return 0;
}

/* The peer's last words. They go to logs and to JSON, so only text passes. */
static int take_abort(struct migration_stream *s, const struct migration_record *rec,
		      struct error *err)
{
	char text[MAX_REASON + 1];
	uint32_t i, len;

	len = rec->length < MAX_REASON ? rec->length : MAX_REASON;
	for (i = 0; i < len; i++)
		text[i] = isascii(rec->payload[i]) && isprint(rec->payload[i]) ?
			  rec->payload[i] : '?';
	text[len] = '\0';
	if (!len)
		return error__set(err, ECONNABORTED, "%s gave up without a reason", s->ch->peer);
	return error__set(err, ECONNABORTED, "%s", text);
}

int migration_stream__recv(struct migration_stream *s, struct migration_record *rec,
			   struct error *err)
{
	struct migration_record_header h;
	struct iovec iov;
	uint64_t sum;
	int ret;

	ret = recv_bytes(s, &h, sizeof(h), true, "header", err);
	if (ret)
		return ret;
	ret = check_header(s, &h, err);
	if (ret)
		return ret;
	rec->type = le16toh(h.type);
	rec->length = le32toh(h.length);
	rec->payload = s->buf;
	ret = recv_bytes(s, s->buf, rec->length, false, "payload", err);
	if (ret)
		return ret;
	iov = (struct iovec) { s->buf, rec->length };
	sum = payload_sum(s, s->rx_sum, &iov, 1);
	if (sum != le64toh(h.payload_sum))
		return error__set(err, EBADMSG,
				  "stream damaged: record %" PRIu64 " (%s) has checksum 0x%016" PRIx64
				  ", its bytes give 0x%016" PRIx64, s->rx_seq,
				  migration_record__name(rec->type), le64toh(h.payload_sum), sum);
	s->rx_sum = sum;
	s->rx_seq++;
	if (rec->type == MIGRATION_REC_ABORT)
		return take_abort(s, rec, err);
	return 0;
}

int migration_stream__expect(struct migration_stream *s, enum migration_record_type type,
			     uint32_t length, struct migration_record *rec, struct error *err)
{
	int ret;

	ret = migration_stream__recv(s, rec, err);
	if (ret)
		return ret;
	if (rec->type != type || rec->length != length)
		return error__set(err, EPROTO,
				  "%s sent %s of %u bytes where %s of %u bytes belongs",
				  s->ch->peer, migration_record__name(rec->type), rec->length,
				  migration_record__name(type), length);
	return 0;
}

void migration_stream__send_abort(struct migration_stream *s, const char *reason)
{
	struct iovec iov = { (void *)reason, strnlen(reason, MAX_REASON) };
	struct error ignored;

	if (s->open && s->ch->fd >= 0)
		send_record(s, MIGRATION_REC_ABORT, &iov, 1, false, &ignored);
}
