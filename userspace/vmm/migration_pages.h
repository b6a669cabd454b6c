/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PAGES record: which pages of one region, and what is in them. The writer
 * collects pages and sends a record when it is full; the reader checks every
 * number before a byte is used. Used by migration_send.c and migration_recv.c.
 */
#ifndef VMM_MIGRATION_PAGES_H
#define VMM_MIGRATION_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/migration_machine.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;
struct migration_stream;

#define MIGRATION_BATCH_PAGES	64u	/* with contents, in one record */
#define MIGRATION_BATCH_RANGES	64u

enum migration_encoding {
	MIGRATION_ENC_RAW,	/* the pages one after the other */
	MIGRATION_ENC_ZSTD,	/* one zstd frame of them */
	MIGRATION_ENC_ZERO,	/* pages of zeroes: no data */
};

struct migration_pages_header {
	uint32_t region;	/* index in the HELLO */
	uint16_t encoding;	/* enum migration_encoding */
	uint16_t nr_ranges;	/* 1 … MIGRATION_BATCH_RANGES */
};				/* then the ranges, then the data */

struct migration_range {
	uint32_t page;		/* in the region */
	uint32_t count;		/* not 0; ranges ascend and do not overlap */
};

/* One record in the making. */
struct migration_batch {
	uint32_t region;
	uint32_t nr_ranges;
	uint32_t nr_pages;
	struct migration_range ranges[MIGRATION_BATCH_RANGES];
};

struct migration_writer {
	struct migration_stream *stream;
	struct migration_batch filled;
	struct migration_batch zero;
	uint8_t *data;		/* of the filled batch's pages */
	uint8_t *packed;
	struct ZSTD_CCtx_s *zstd;	/* NULL: nothing is compressed */
	uint64_t nr_filled;	/* pages sent so far, with contents */
	uint64_t nr_zero;
};

#define MIGRATION_LEVEL_MAX	19u	/* above it zstd wants a window of its own */

/* @level: zstd's, 1 … MIGRATION_LEVEL_MAX; 0: do not compress. */
int migration_writer__init(struct migration_writer *w, struct migration_stream *stream,
			   unsigned int level);
void migration_writer__exit(struct migration_writer *w);

/* Where the next page's contents go before migration_writer__add(). */
void *migration_writer__page(struct migration_writer *w);
/* Pages of a region come in ascending order; flush between regions. */
int migration_writer__add(struct migration_writer *w, uint32_t region, uint32_t page, bool zero,
			  struct error *err);
int migration_writer__flush(struct migration_writer *w, struct error *err);

struct migration_reader {
	struct ZSTD_DCtx_s *zstd;
	uint8_t *unpacked;
	/* The record read last: */
	uint32_t region;
	uint32_t nr_ranges;
	uint64_t nr_pages;
	struct migration_range ranges[MIGRATION_BATCH_RANGES];
	const uint8_t *data;	/* nr_pages pages; NULL: all zero */
};

int migration_reader__init(struct migration_reader *r);
void migration_reader__exit(struct migration_reader *r);
/* -EPROTO or -EBADMSG with the number that is wrong and its limit. */
int migration_reader__parse(struct migration_reader *r, const struct migration_machine *m,
			    const uint8_t *payload, uint32_t len, struct error *err);

#endif /* VMM_MIGRATION_PAGES_H */
