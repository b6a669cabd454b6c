// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Destination side of a migration, in its own thread. Trusts nothing that it
 * receives: each record is checked against what the HELLO said and against the
 * order of the protocol before it changes anything.
 */
#include "vmm/migration_recv.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/migration_channel.h"
#include "vmm/migration_clock.h"
#include "vmm/migration_copy.h"
#include "vmm/migration_memory.h"
#include "vmm/migration_pages.h"
#include "vmm/migration_records.h"
#include "vmm/migration_stream.h"

/* How long a source that is told of a failure has to take notice. */
#define LINGER_MS	1000
#define ALIVE_PAGES	256u	/* look at the clock after so many */

struct migration_receiver {
	struct migration_destination *dst;
	struct migration_stream stream;
	struct migration_machine machine;	/* this side's */
	struct migration_memory memory;
	struct migration_reader reader;
	uint64_t round_pages;
	uint32_t nr_states;
	uint64_t verified;
	uint64_t alive_ns;
	bool described;
};

static void progress(struct migration_receiver *r)
{
	r->dst->stats.bytes_received = r->dst->ch->rx_bytes;
	r->dst->ops->progress(r->dst->opaque, &r->dst->stats);
}

static int handshake(struct migration_receiver *r, struct error *err)
{
	struct migration_machine *source;
	struct migration_terms terms;
	struct migration_record rec;
	int ret;

	ret = migration_stream__recv_preamble(&r->stream, err);
	/* Even a source that speaks otherwise may want to know what is spoken here. */
	if (!ret)
		ret = migration_stream__send_preamble(&r->stream, err);
	else if (ret == -EPROTO || ret == -EPROTONOSUPPORT)
		migration_stream__send_preamble(&r->stream, NULL);
	if (ret)
		return ret;
	ret = migration_stream__recv(&r->stream, &rec, err);
	if (ret)
		return ret;
	if (rec.type != MIGRATION_REC_HELLO)
		return error__set(err, EPROTO, "source sent %s where hello belongs",
				  migration_record__name(rec.type));
	source = malloc(sizeof(*source));
	if (!source)
		return error__set(err, ENOMEM, "no memory for the source's description");
	ret = migration_machine__decode(source, &terms, rec.payload, rec.length, err);
	if (ret)
		goto out;
	r->dst->ch->timeout_ms = terms.timeout_ms;
	ret = r->dst->ops->describe(r->dst->opaque, &r->machine, err);
	if (ret)
		goto out;
	r->described = true;
	ret = migration_machine__compare(source, &r->machine, err);
	if (ret)
		goto out;
	if (migration_memory__init(&r->memory, &r->machine, terms.hash_seed)) {
		ret = error__set(err, ENOMEM, "no memory to track pages");
		goto out;
	}
	ret = migration_stream__send(&r->stream, MIGRATION_REC_HELLO_OK, NULL, 0, err);
out:
	free(source);
	return ret;
}

/*
 * The hash of what is in memory now, not of what was received: a page that landed
 * in the wrong place, or not at all, is found at the end.
 */
static void note_loaded(struct migration_receiver *r, uint32_t region, uint32_t page)
{
	const struct migration_region *reg = &r->machine.regions[region];
	uint8_t copy[MIGRATION_PAGE_SIZE];

	migration_copy__read_page(copy, reg->hva + ((size_t)page << MIGRATION_PAGE_SHIFT),
				  reg->memtype);
	migration_memory__set_loaded(&r->memory, region, page,
				     migration_memory__hash(&r->memory, copy));
}

static void load_data(struct migration_receiver *r, const struct migration_range *range,
		      const uint8_t **data)
{
	const struct migration_region *region = &r->machine.regions[r->reader.region];
	uint32_t i, page;

	for (i = 0; i < range->count; i++) {
		page = range->page + i;
		migration_copy__write_page(region->hva + ((size_t)page << MIGRATION_PAGE_SHIFT),
					   *data);
		*data += MIGRATION_PAGE_SIZE;
		note_loaded(r, r->reader.region, page);
	}
}

static void load_zeroes(struct migration_receiver *r, const struct migration_range *range)
{
	const struct migration_region *region = &r->machine.regions[r->reader.region];
	off_t offset = (off_t)range->page << MIGRATION_PAGE_SHIFT;
	uint32_t i, page;
	bool hole;

	/* A hole is zero, takes no memory, and must not be read to see that. */
	hole = region->kind == MIGRATION_RAM && region->fd >= 0 &&
	       !fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
			  (off_t)range->count << MIGRATION_PAGE_SHIFT);
	for (i = 0; i < range->count; i++) {
		page = range->page + i;
		if (hole) {
			migration_memory__set_loaded(&r->memory, r->reader.region, page,
						     r->memory.zero);
			continue;
		}
		migration_copy__zero_page(region->hva + ((size_t)page << MIGRATION_PAGE_SHIFT));
		note_loaded(r, r->reader.region, page);
	}
}

static int check_new(struct migration_receiver *r, const struct migration_range *range,
		     struct error *err)
{
	uint32_t i;

	for (i = 0; i < range->count; i++)
		if (!migration_memory__add(&r->memory, r->reader.region, range->page + i))
			return error__set(err, EPROTO, "%s: page %u came twice in one pass",
					  r->machine.regions[r->reader.region].name,
					  range->page + i);
	return 0;
}

static int load_pages(struct migration_receiver *r, const struct migration_record *rec,
		      struct error *err)
{
	struct migration_reader *reader = &r->reader;
	const struct migration_region *region;
	const uint8_t *data;
	uint32_t i;
	int ret;

	ret = migration_reader__parse(reader, &r->machine, rec->payload, rec->length, err);
	for (i = 0; !ret && i < reader->nr_ranges; i++)
		ret = check_new(r, &reader->ranges[i], err);
	if (ret)
		return ret;
	region = &r->machine.regions[reader->region];
	ret = migration_copy__begin(region, true, r->dst->ch->timeout_ms / 2, err);
	if (ret)
		return ret;
	data = reader->data;
	for (i = 0; i < reader->nr_ranges; i++) {
		if (data)
			load_data(r, &reader->ranges[i], &data);
		else
			load_zeroes(r, &reader->ranges[i]);
	}
	r->round_pages += reader->nr_pages;
	r->dst->stats.pages_received += reader->nr_pages;
	return migration_copy__end(region, true, err);
}

static int end_round(struct migration_receiver *r, const struct migration_record *rec,
		     struct error *err)
{
	struct migration_round_record round;

	if (rec->length != sizeof(round))
		return error__set(err, EPROTO, "round record of %u bytes, %zu expected",
				  rec->length, sizeof(round));
	memcpy(&round, rec->payload, sizeof(round));
	if (le64toh(round.round) != r->dst->stats.rounds ||
	    le64toh(round.pages) != r->round_pages)
		return error__set(err, EPROTO,
				  "end of pass %" PRIu64 " with %" PRIu64 " pages, received pass %"
				  PRIu64 " with %" PRIu64, le64toh(round.round), le64toh(round.pages),
				  r->dst->stats.rounds, r->round_pages);
	r->dst->stats.rounds++;
	r->round_pages = 0;
	migration_memory__clear(&r->memory);
	return migration_stream__send(&r->stream, MIGRATION_REC_ROUND_OK, NULL, 0, err);
}

static int load_state(struct migration_receiver *r, const struct migration_record *rec,
		      struct error *err)
{
	struct migration_state_record head;

	if (rec->length < sizeof(head))
		return error__set(err, EPROTO, "state record of %u bytes, at least %zu expected",
				  rec->length, sizeof(head));
	memcpy(&head, rec->payload, sizeof(head));
	r->nr_states++;
	return r->dst->ops->load(r->dst->opaque, le32toh(head.id), le32toh(head.instance),
				 rec->payload + sizeof(head), rec->length - sizeof(head), err);
}

static int say_alive(struct migration_receiver *r, struct error *err)
{
	struct migration_alive_record alive = { .pages = htole64(r->verified) };
	struct iovec iov = { &alive, sizeof(alive) };
	uint64_t now = migration_clock__ns();

	if (now - r->alive_ns < r->dst->ch->timeout_ms * 1000000ULL / 4)
		return 0;
	r->alive_ns = now;
	return migration_stream__send(&r->stream, MIGRATION_REC_ALIVE, &iov, 1, err);
}

/*
 * What did not come must be zero, as it is at the source. RAM's holes are; pages that
 * have memory all the same, and parts of buffers, are looked at.
 */
static int hash_others(struct migration_receiver *r, uint32_t index, struct error *err)
{
	const struct migration_region *region = &r->machine.regions[index];
	uint64_t page = 0, count;
	int ret, end;

	ret = migration_copy__begin(region, false, r->dst->ch->timeout_ms / 2, err);
	if (ret)
		return ret;
	while (!ret && migration_region__next_data(region, &page, &count)) {
		for (; count && !ret; page++, count--) {
			if (!migration_memory__is_loaded(&r->memory, index, page))
				note_loaded(r, index, page);
			if (++r->verified % ALIVE_PAGES == 0)
				ret = say_alive(r, err);
		}
	}
	end = migration_copy__end(region, false, err);
	return ret ? ret : end;
}

static int verify_memory(struct migration_receiver *r, const uint8_t *digests, struct error *err)
{
	struct migration_hash want, have;
	uint32_t i;
	int ret;

	r->alive_ns = migration_clock__ns();
	for (i = 0; i < r->machine.nr_regions; i++) {
		ret = hash_others(r, i, err);
		if (ret)
			return ret;
		memcpy(&want, digests + i * sizeof(want), sizeof(want));
		want.low = le64toh(want.low);
		want.high = le64toh(want.high);
		have = migration_memory__digest(&r->memory, i);
		if (!migration_hash__equal(want, have))
			return error__set(err, EBADMSG,
					  "%s differs after loading: digest 0x%016" PRIx64 "%016" PRIx64
					  " at the source, 0x%016" PRIx64 "%016" PRIx64
					  " at the destination", r->machine.regions[i].name, want.high,
					  want.low, have.high, have.low);
		r->dst->stats.bytes_verified += r->machine.regions[i].size;
	}
	return 0;
}

static int take_end(struct migration_receiver *r, const struct migration_record *rec, bool *runs,
		    struct error *err)
{
	struct migration_end_record end;
	size_t want = sizeof(end) + r->machine.nr_regions * sizeof(struct migration_hash);
	uint64_t records = r->stream.rx_seq - 1;
	uint8_t digests[MIGRATION_MAX_REGIONS * sizeof(struct migration_hash)];

	if (rec->length != want)
		return error__set(err, EPROTO, "end record of %u bytes, %zu expected", rec->length,
				  want);
	memcpy(&end, rec->payload, sizeof(end));
	if (le32toh(end.nr_regions) != r->machine.nr_regions || le32toh(end.runs) > 1 ||
	    end.reserved)
		return error__set(err, EPROTO,
				  "end record for %u regions with runs %u and reserved bits 0x%x",
				  le32toh(end.nr_regions), le32toh(end.runs), le32toh(end.reserved));
	if (le64toh(end.records) != records ||
	    le64toh(end.pages) != r->dst->stats.pages_received ||
	    le32toh(end.states) != r->nr_states)
		return error__set(err, EPROTO,
				  "source sent %" PRIu64 " records, %" PRIu64 " pages, %u states; %"
				  PRIu64 ", %" PRIu64 ", %u arrived", le64toh(end.records),
				  le64toh(end.pages), le32toh(end.states), records,
				  r->dst->stats.pages_received, r->nr_states);
	*runs = le32toh(end.runs);
	memcpy(digests, rec->payload + sizeof(end), want - sizeof(end));
	return verify_memory(r, digests, err);
}

/* Memory first, then state. */
static int load(struct migration_receiver *r, const struct migration_record *rec,
		struct error *err)
{
	if (rec->type == MIGRATION_REC_STATE)
		return load_state(r, rec, err);
	if (rec->type == MIGRATION_REC_PAGES && !r->nr_states)
		return load_pages(r, rec, err);
	if (rec->type == MIGRATION_REC_ROUND && !r->nr_states)
		return end_round(r, rec, err);
	return error__set(err, EPROTO, "source sent %s after %u state records",
			  migration_record__name(rec->type), r->nr_states);
}

/* From HELLO_OK to the END record, which leaves everything loaded and verified. */
static int receive(struct migration_receiver *r, bool *runs, struct error *err)
{
	struct migration_record rec;
	int ret;

	for (;;) {
		ret = migration_stream__recv(&r->stream, &rec, err);
		if (ret)
			return ret;
		if (rec.type == MIGRATION_REC_END)
			return take_end(r, &rec, runs, err);
		ret = load(r, &rec, err);
		if (ret)
			return ret;
		progress(r);
	}
}

/*
 * The guest becomes this side's when the source has RUNNING, or is sure to get
 * it: it is on its way to a source that is there, and a reset cannot overtake it.
 */
static int take_over(struct migration_receiver *r, struct error *err)
{
	struct migration_ready_record ready = {
		.bytes = htole64(r->dst->stats.bytes_verified),
	};
	struct iovec iov = { &ready, sizeof(ready) };
	struct migration_record rec;
	int ret;

	ret = migration_stream__send(&r->stream, MIGRATION_REC_READY, &iov, 1, err);
	if (!ret)
		ret = migration_stream__expect(&r->stream, MIGRATION_REC_GO, 0, &rec, err);
	if (ret)
		return ret;
	r->dst->ch->cancel_fd = -1;
	ret = migration_stream__send(&r->stream, MIGRATION_REC_RUNNING, NULL, 0, err);
	if (!ret)
		ret = migration_channel__flush(r->dst->ch, err);
	return ret;
}

/* Give the source a chance to read the reason before a reset may take it away. */
static void give_up(struct migration_receiver *r, int ret, const struct error *err)
{
	struct migration_channel *ch = r->dst->ch;
	char reason[sizeof(err->msg) + 16];
	struct error ignored = { "" };
	uint64_t until;

	/* The source is gone, or said itself that it gives up. */
	if (ret == -EPIPE || ret == -ECONNABORTED || !r->stream.buf)
		return;
	/* A refusal names both sides in its own words. */
	snprintf(reason, sizeof(reason), "%s%s", ret == -EXDEV ? "" : "destination: ", err->msg);
	ch->cancel_fd = -1;
	if (ch->timeout_ms > LINGER_MS)
		ch->timeout_ms = LINGER_MS;
	migration_stream__send_abort(&r->stream, reason);
	migration_channel__shutdown(ch);
	until = migration_clock__ns() + ch->timeout_ms * 1000000ULL;
	while (!migration_channel__read(ch, r->stream.buf, MIGRATION_MAX_PAYLOAD, &ignored) &&
	       migration_clock__ns() < until)
		;
}

int migration_destination__run(struct migration_destination *dst, struct error *err)
{
	struct migration_receiver *r;
	bool runs = false;
	int ret;

	r = calloc(1, sizeof(*r));
	if (!r)
		return error__set(err, ENOMEM, "no memory for a migration");
	r->dst = dst;
	memset(&dst->stats, 0, sizeof(dst->stats));
	if (migration_stream__init(&r->stream, dst->ch) || migration_reader__init(&r->reader)) {
		ret = error__set(err, ENOMEM, "no memory for the migration's buffers");
		goto out;
	}
	ret = handshake(r, err);
	if (!ret)
		ret = receive(r, &runs, err);
	if (!ret)
		ret = dst->ops->loaded(dst->opaque, err);
	progress(r);
	if (!ret)
		ret = take_over(r, err);
	if (!ret)
		dst->ops->start(dst->opaque, runs);
	else
		give_up(r, ret, err);
out:
	migration_channel__close(dst->ch);
	migration_memory__exit(&r->memory);
	migration_reader__exit(&r->reader);
	migration_stream__exit(&r->stream);
	if (r->described)
		dst->ops->release(dst->opaque);
	free(r);
	return ret;
}
