/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The migration stream's framing: a preamble in each direction, then records
 * with type, length, sequence number and checksums. All numbers little-endian.
 * docs/migration.md has the format. Called by migration_send.c and
 * migration_recv.c; knows the records' envelope, not their contents.
 */
#ifndef VMM_MIGRATION_STREAM_H
#define VMM_MIGRATION_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/error.h"

struct XXH3_state_s;
struct migration_channel;

#define MIGRATION_MAGIC		"DMAPATMG"
#define MIGRATION_VERSION	2
#define MIGRATION_BYTE_ORDER	0x01020304	/* a big-endian writer's reads 0x04030201 */

struct migration_preamble {
	uint8_t magic[8];
	uint32_t version;
	uint32_t byte_order;
};

#define MIGRATION_RECORD_MAGIC	0x524d5044	/* "DPMR" */
#define MIGRATION_MAX_PAYLOAD	(272 << 10)	/* 64 raw pages and their ranges, with room */

struct migration_record_header {
	uint32_t magic;
	uint16_t type;		/* enum migration_record_type */
	uint16_t reserved;	/* 0 */
	uint32_t length;	/* of the payload, bytes */
	uint32_t header_sum;	/* low half of XXH3-64 over the header with this field 0 */
	uint64_t seq;		/* counts each direction's records from 0 */
	uint64_t payload_sum;	/* XXH3-64 of the payload, seeded with the previous record's */
};

/* S: sent by the source, D: by the destination. */
enum migration_record_type {
	MIGRATION_REC_HELLO = 1,	/* S: the machine; migration_machine.h */
	MIGRATION_REC_HELLO_OK,		/* D: the machines agree */
	MIGRATION_REC_PAGES,		/* S: page contents; migration_pages.h */
	MIGRATION_REC_ROUND,		/* S: end of a pass */
	MIGRATION_REC_ROUND_OK,		/* D: all of it is loaded */
	MIGRATION_REC_STATE,		/* S: one piece of vCPU or device state */
	MIGRATION_REC_END,		/* S: counts and digests: nothing more comes */
	MIGRATION_REC_ALIVE,		/* D: still verifying */
	MIGRATION_REC_READY,		/* D: everything is loaded and agrees */
	MIGRATION_REC_GO,		/* S: the guest is yours */
	MIGRATION_REC_RUNNING,		/* D: it starts now */
	MIGRATION_REC_ABORT,		/* either: the reason in words; nothing follows */
	MIGRATION_REC_JOIN,		/* S: first on each further channel: whose it is */
	MIGRATION_REC_JOIN_OK,		/* D: and it may send pages */
	MIGRATION_REC_LAST = MIGRATION_REC_JOIN_OK,
};

struct migration_record {
	enum migration_record_type type;
	uint32_t length;
	const uint8_t *payload;		/* valid until the next receive */
};

struct migration_stream {
	struct migration_channel *ch;
	uint64_t tx_seq;
	uint64_t rx_seq;
	uint64_t tx_sum;		/* payload_sum of the last record sent */
	uint64_t rx_sum;
	bool open;			/* the preamble is sent, and every record whole */
	uint8_t *buf;
	struct XXH3_state_s *hash;
};

/* @ch stays the caller's. */
int migration_stream__init(struct migration_stream *s, struct migration_channel *ch);
void migration_stream__exit(struct migration_stream *s);

int migration_stream__send_preamble(struct migration_stream *s, struct error *err);
/*
 * -EPROTO not this format, -EPROTONOSUPPORT another version or byte order, and
 * what migration_channel__read() returns.
 */
int migration_stream__recv_preamble(struct migration_stream *s, struct error *err);

/*
 * Send one record. If the peer has sent an ABORT meanwhile, @err has its reason
 * and the return value is -ECONNABORTED. On any error the peer has not received
 * the record as a whole.
 */
int migration_stream__send(struct migration_stream *s, enum migration_record_type type,
			   const struct iovec *iov, int n, struct error *err);

/*
 * Receive one record:
 *   -EPIPE         the peer closed the connection, inside a record or between two
 *   -EBADMSG       damaged: magic, checksum
 *   -EPROTO        whole, but out of sequence, of unknown type, or too long
 *   -ECONNABORTED  it is an ABORT: @err has the peer's words
 *   -ETIMEDOUT, -ECANCELED and other errors of the channel
 */
int migration_stream__recv(struct migration_stream *s, struct migration_record *rec,
			   struct error *err);

/* Receive a record of @type with exactly @length bytes of payload; -EPROTO else. */
int migration_stream__expect(struct migration_stream *s, enum migration_record_type type,
			     uint32_t length, struct migration_record *rec, struct error *err);

/* Tell the peer why this side gives up. As far as it goes: the peer may be gone. */
void migration_stream__send_abort(struct migration_stream *s, const char *reason);

const char *migration_record__name(enum migration_record_type type);

#endif /* VMM_MIGRATION_STREAM_H */
