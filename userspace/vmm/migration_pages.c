// SPDX-License-Identifier: GPL-2.0-or-later
/* PAGES records, both directions; see migration_pages.h. */
#include "vmm/migration_pages.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "vmm/migration_stream.h"

#define BATCH_BYTES	(MIGRATION_BATCH_PAGES * MIGRATION_PAGE_SIZE)

_Static_assert(sizeof(struct migration_pages_header) + BATCH_BYTES +
	       MIGRATION_BATCH_RANGES * sizeof(struct migration_range) <= MIGRATION_MAX_PAYLOAD,
	       "a full batch fits a record");

int migration_writer__init(struct migration_writer *w, struct migration_stream *stream,
			   unsigned int level)
{
	memset(w, 0, sizeof(*w));
	w->stream = stream;
	w->data = malloc(BATCH_BYTES);
	if (w->data && !level)
		return 0;
	w->packed = malloc(BATCH_BYTES);
	w->zstd = ZSTD_createCCtx();
	if (w->data && w->packed && w->zstd &&
	    !ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, level)))
		return 0;
	migration_writer__exit(w);
	return -ENOMEM;
}

void migration_writer__exit(struct migration_writer *w)
{
	ZSTD_freeCCtx(w->zstd);
	free(w->packed);
	free(w->data);
	memset(w, 0, sizeof(*w));
}

static int send_batch(struct migration_writer *w, struct migration_batch *b,
		      enum migration_encoding encoding, const void *data, size_t len,
		      struct error *err)
{
	struct migration_pages_header h = {
		.region = htole32(b->region),
		.encoding = htole16(encoding),
		.nr_ranges = htole16(b->nr_ranges),
	};
	struct migration_range ranges[MIGRATION_BATCH_RANGES];
	struct iovec iov[3];
	uint32_t i;

	for (i = 0; i < b->nr_ranges; i++) {
		ranges[i].page = htole32(b->ranges[i].page);
		ranges[i].count = htole32(b->ranges[i].count);
	}
	iov[0] = (struct iovec) { &h, sizeof(h) };
	iov[1] = (struct iovec) { ranges, b->nr_ranges * sizeof(*ranges) };
	iov[2] = (struct iovec) { (void *)data, len };
	b->nr_ranges = 0;
	b->nr_pages = 0;
	return migration_stream__send(w->stream, MIGRATION_REC_PAGES, iov, data ? 3 : 2, err);
}

static int flush_filled(struct migration_writer *w, struct error *err)
{
	size_t len = (size_t)w->filled.nr_pages * MIGRATION_PAGE_SIZE;
	size_t packed;

	if (!len)
		return 0;
	w->nr_filled += w->filled.nr_pages;
	/* No room for it to grow: what does not shrink goes as it is. */
	packed = w->zstd ? ZSTD_compress2(w->zstd, w->packed, len - 1, w->data, len) : 0;
	if (!packed || ZSTD_isError(packed))
		return send_batch(w, &w->filled, MIGRATION_ENC_RAW, w->data, len, err);
	return send_batch(w, &w->filled, MIGRATION_ENC_ZSTD, w->packed, packed, err);
}

static int flush_zero(struct migration_writer *w, struct error *err)
{
	if (!w->zero.nr_ranges)
		return 0;
	w->nr_zero += w->zero.nr_pages;
	return send_batch(w, &w->zero, MIGRATION_ENC_ZERO, NULL, 0, err);
}

void *migration_writer__page(struct migration_writer *w)
{
	return w->data + (size_t)w->filled.nr_pages * MIGRATION_PAGE_SIZE;
}

static void add_page(struct migration_batch *b, uint32_t region, uint32_t page)
{
	struct migration_range *last = b->nr_ranges ? &b->ranges[b->nr_ranges - 1] : NULL;

	b->region = region;
	b->nr_pages++;
	if (last && last->page + last->count == page)
		last->count++;
	else
		b->ranges[b->nr_ranges++] = (struct migration_range) { page, 1 };
}

int migration_writer__add(struct migration_writer *w, uint32_t region, uint32_t page, bool zero,
			  struct error *err)
{
	if (zero) {
		add_page(&w->zero, region, page);
		return w->zero.nr_ranges == MIGRATION_BATCH_RANGES ? flush_zero(w, err) : 0;
	}
	add_page(&w->filled, region, page);
	return w->filled.nr_pages == MIGRATION_BATCH_PAGES ? flush_filled(w, err) : 0;
}

int migration_writer__flush(struct migration_writer *w, struct error *err)
{
	int ret;

	ret = flush_filled(w, err);
	return ret ? ret : flush_zero(w, err);
}

int migration_reader__init(struct migration_reader *r)
{
	memset(r, 0, sizeof(*r));
	r->zstd = ZSTD_createDCtx();
	r->unpacked = malloc(BATCH_BYTES);
	if (r->zstd && r->unpacked)
		return 0;
	migration_reader__exit(r);
	return -ENOMEM;
}

void migration_reader__exit(struct migration_reader *r)
{
	ZSTD_freeDCtx(r->zstd);
	free(r->unpacked);
	memset(r, 0, sizeof(*r));
}

static int parse_ranges(struct migration_reader *r, const struct migration_region *region,
			const struct migration_range *ranges, struct error *err)
{
	uint64_t limit = migration_region__pages(region), after = 0;
	uint32_t i, page, count;

	r->nr_pages = 0;
	for (i = 0; i < r->nr_ranges; i++) {
		page = le32toh(ranges[i].page);
		count = le32toh(ranges[i].count);
		if (!count)
			return error__set(err, EPROTO, "%s: range %u at page %u is empty",
					  region->name, i, page);
		if (page < after)
			return error__set(err, EPROTO,
					  "%s: range %u begins at page %u, the one before ends at page %llu",
					  region->name, i, page, (unsigned long long)after);
		after = (uint64_t)page + count;
		if (after > limit)
			return error__set(err, EPROTO,
					  "%s: range %u ends at page %llu, the region has %llu",
					  region->name, i, (unsigned long long)after,
					  (unsigned long long)limit);
		r->ranges[i] = (struct migration_range) { page, count };
		r->nr_pages += count;
	}
	return 0;
}

static int parse_data(struct migration_reader *r, enum migration_encoding encoding,
		      const uint8_t *data, size_t len, struct error *err)
{
	size_t want = r->nr_pages * MIGRATION_PAGE_SIZE, got;

	r->data = NULL;
	if (encoding == MIGRATION_ENC_ZERO) {
		if (len)
			return error__set(err, EPROTO, "zero pages with %zu bytes of data", len);
		return 0;
	}
	if (r->nr_pages > MIGRATION_BATCH_PAGES)
		return error__set(err, EPROTO, "%llu pages in one record, the limit is %u",
				  (unsigned long long)r->nr_pages, MIGRATION_BATCH_PAGES);
	if (encoding == MIGRATION_ENC_RAW) {
		if (len != want)
			return error__set(err, EPROTO, "%zu bytes of data for %zu bytes of pages",
					  len, want);
		r->data = data;
		return 0;
	}
	got = ZSTD_decompressDCtx(r->zstd, r->unpacked, want, data, len);
	if (ZSTD_isError(got))
		return error__set(err, EBADMSG, "pages do not decompress: %s",
				  ZSTD_getErrorName(got));
	if (got != want)
		return error__set(err, EBADMSG, "%zu bytes after decompression for %zu bytes of pages",
				  got, want);
	r->data = r->unpacked;
	return 0;
}

int migration_reader__parse(struct migration_reader *r, const struct migration_machine *m,
			    const uint8_t *payload, uint32_t len, struct error *err)
{
	struct migration_range ranges[MIGRATION_BATCH_RANGES];
	struct migration_pages_header h;
	uint32_t encoding, head;
	int ret;

	if (len < sizeof(h))
		return error__set(err, EPROTO, "pages record of %u bytes, at least %zu expected",
				  len, sizeof(h));
	memcpy(&h, payload, sizeof(h));
	r->region = le32toh(h.region);
	r->nr_ranges = le16toh(h.nr_ranges);
	encoding = le16toh(h.encoding);
	if (r->region >= m->nr_regions)
		return error__set(err, EPROTO, "pages of region %u, there are %u", r->region,
				  m->nr_regions);
	if (encoding > MIGRATION_ENC_ZERO)
		return error__set(err, EPROTO, "%s: encoding %u of pages is unknown",
				  m->regions[r->region].name, encoding);
	if (!r->nr_ranges || r->nr_ranges > MIGRATION_BATCH_RANGES)
		return error__set(err, EPROTO, "%s: %u ranges in one record, 1 to %u expected",
				  m->regions[r->region].name, r->nr_ranges, MIGRATION_BATCH_RANGES);
	head = sizeof(h) + r->nr_ranges * sizeof(*ranges);
	if (len < head)
		return error__set(err, EPROTO, "%s: %u ranges in a pages record of %u bytes",
				  m->regions[r->region].name, r->nr_ranges, len);
	memcpy(ranges, payload + sizeof(h), r->nr_ranges * sizeof(*ranges));
	ret = parse_ranges(r, &m->regions[r->region], ranges, err);
	if (ret)
		return ret;
	return parse_data(r, encoding, payload + head, len - head, err);
}
