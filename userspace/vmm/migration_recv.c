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
#include <linux/dmabuf_memtype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/migration_channel.h"
#include "vmm/migration_channels.h"
#include "vmm/migration_clock.h"
#include "vmm/migration_copy.h"
#include "vmm/migration_memory.h"
#include "vmm/migration_pages.h"
#include "vmm/migration_records.h"
#include "vmm/migration_stream.h"

/* How long a source that is told of a failure has to take notice. */
#define LINGER_MS	1000
#define ALIVE_PAGES	256u	/* look at the clock after so many */

/* Loads what comes on one channel. The control channel's is the migration's thread. */
struct migration_loader {
	struct migration_receiver *r;
	unsigned int channel;
	struct migration_stream *stream;
	struct migration_reader reader;
	pthread_t thread;
	bool started;
	uint64_t round_pages;
	uint64_t pages;		/* atomic: in all passes */
	uint64_t rounds;	/* under channels.lock: passes whose end has come */
};

struct migration_receiver {
	struct migration_destination *dst;
	struct migration_stream stream;
	struct migration_machine machine;	/* this side's */
	struct migration_memory memory;
	struct migration_channels channels;
	struct migration_loader loader[MIGRATION_MAX_CHANNELS];
	unsigned int nr_loaders;
	uint64_t rounds;	/* under channels.lock: passes whose end was answered */
	bool quit;		/* under channels.lock */
	uint32_t nr_states;
	uint64_t verified;
	uint64_t alive_ns;
	bool described;
};

static uint64_t pages_received(const struct migration_receiver *r)
{
	uint64_t pages = 0;
	unsigned int i;

	for (i = 0; i < r->nr_loaders; i++)
		pages += __atomic_load_n(&r->loader[i].pages, __ATOMIC_RELAXED);
	return pages;
}

static void progress(struct migration_receiver *r)
{
	unsigned int i;

	r->dst->stats.pages_received = pages_received(r);
	r->dst->stats.bytes_received = r->dst->ch->rx_bytes;
	for (i = 0; i < r->channels.nr; i++)
		r->dst->stats.bytes_received +=
			__atomic_load_n(&r->channels.ch[i].rx_bytes, __ATOMIC_RELAXED);
	r->dst->ops->progress(r->dst->opaque, &r->dst->stats);
}

/*
 * The hash of what is in memory now, not of what was received: a page that landed
 * in the wrong place, or not at all, is found at the end.
 */
static void note_loaded(struct migration_receiver *r, uint32_t region, uint32_t page)
{
	const struct migration_region *reg = &r->machine.regions[region];
	const uint8_t *memory = reg->hva + ((size_t)page << MIGRATION_PAGE_SHIFT);
	uint8_t copy[MIGRATION_PAGE_SIZE];

	/* Cached memory is hashed where it lies: nobody writes to it here. */
	if (reg->memtype != DMABUF_MEMTYPE_WB) {
		migration_copy__read_page(copy, memory, reg->memtype);
		memory = copy;
	}
	migration_memory__set_loaded(&r->memory, region, page,
				     migration_memory__hash(&r->memory, memory));
}

static void load_data(struct migration_loader *l, const struct migration_range *range,
		      const uint8_t **data)
{
	struct migration_receiver *r = l->r;
	const struct migration_region *region = &r->machine.regions[l->reader.region];
	uint32_t i, page;

	for (i = 0; i < range->count; i++) {
		page = range->page + i;
		migration_copy__write_page(region->hva + ((size_t)page << MIGRATION_PAGE_SHIFT),
					   *data);
		*data += MIGRATION_PAGE_SIZE;
		note_loaded(r, l->reader.region, page);
	}
}

static void load_zeroes(struct migration_loader *l, const struct migration_range *range)
{
	struct migration_receiver *r = l->r;
	const struct migration_region *region = &r->machine.regions[l->reader.region];
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
			migration_memory__set_loaded(&r->memory, l->reader.region, page,
						     r->memory.zero);
			continue;
		}
		migration_copy__zero_page(region->hva + ((size_t)page << MIGRATION_PAGE_SHIFT));
		note_loaded(r, l->reader.region, page);
	}
}

/* Whichever channel it comes on: the first to add a page is the one to load it. */
static int check_new(struct migration_loader *l, const struct migration_range *range,
		     struct error *err)
{
	uint32_t i;

	for (i = 0; i < range->count; i++)
		if (!migration_memory__add(&l->r->memory, l->reader.region, range->page + i))
			return error__set(err, EPROTO, "%s: page %u came twice in one pass",
					  l->r->machine.regions[l->reader.region].name,
					  range->page + i);
	return 0;
}

static int load_pages(struct migration_loader *l, const struct migration_record *rec,
		      struct error *err)
{
	struct migration_reader *reader = &l->reader;
	const struct migration_region *region;
	const uint8_t *data;
	uint32_t i;
	int ret;

	ret = migration_reader__parse(reader, &l->r->machine, rec->payload, rec->length, err);
	for (i = 0; !ret && i < reader->nr_ranges; i++)
		ret = check_new(l, &reader->ranges[i], err);
	if (ret)
		return ret;
	region = &l->r->machine.regions[reader->region];
	ret = migration_copy__begin(region, true, l->r->dst->ch->timeout_ms / 2, err);
	if (ret)
		return ret;
	data = reader->data;
	for (i = 0; i < reader->nr_ranges; i++) {
		if (data)
			load_data(l, &reader->ranges[i], &data);
		else
			load_zeroes(l, &reader->ranges[i]);
	}
	l->round_pages += reader->nr_pages;
	__atomic_fetch_add(&l->pages, reader->nr_pages, __ATOMIC_RELAXED);
	return migration_copy__end(region, true, err);
}

/* A ROUND must count what came on its own channel. */
static int check_round(struct migration_loader *l, const struct migration_record *rec,
		       uint64_t rounds, struct error *err)
{
	struct migration_round_record round;

	if (rec->length != sizeof(round))
		return error__set(err, EPROTO, "round record of %u bytes, %zu expected",
				  rec->length, sizeof(round));
	memcpy(&round, rec->payload, sizeof(round));
	if (le64toh(round.round) != rounds || le64toh(round.pages) != l->round_pages)
		return error__set(err, EPROTO,
				  "end of pass %" PRIu64 " with %" PRIu64 " pages, received pass %"
				  PRIu64 " with %" PRIu64, le64toh(round.round), le64toh(round.pages),
				  rounds, l->round_pages);
	l->round_pages = 0;
	return 0;
}

/* ---- further channels ---- */

/* The pass is over on this channel; no page of the next is taken before all are. */
static int end_round_here(struct migration_loader *l, const struct migration_record *rec,
			  struct error *err)
{
	struct migration_receiver *r = l->r;
	struct migration_channels *c = &r->channels;
	int ret;

	ret = check_round(l, rec, l->rounds, err);
	if (ret)
		return ret;
	pthread_mutex_lock(&c->lock);
	l->rounds++;
	pthread_cond_broadcast(&c->cond);
	while (r->rounds < l->rounds && !r->quit && !c->failed)
		pthread_cond_wait(&c->cond, &c->lock);
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static int load_further(struct migration_loader *l, struct error *err)
{
	struct migration_channel *ch = l->stream->ch;
	uint32_t timeout_ms = ch->timeout_ms;
	struct migration_record rec;
	int ret;

	/* A channel may have nothing to carry; the control channel's thread judges silence. */
	ch->timeout_ms = 0;
	ret = migration_channel__wait_input(ch, err);
	ch->timeout_ms = timeout_ms;
	if (!ret)
		ret = migration_stream__recv(l->stream, &rec, err);
	if (ret)
		return ret;
	if (rec.type == MIGRATION_REC_PAGES)
		return load_pages(l, &rec, err);
	if (rec.type == MIGRATION_REC_ROUND)
		return end_round_here(l, &rec, err);
	return error__set(err, EPROTO, "source sent %s where pages belong",
			  migration_record__name(rec.type));
}

static void *loader_thread(void *arg)
{
	struct migration_loader *l = arg;
	struct error err = { "" };
	int ret;

	do {
		ret = load_further(l, &err);
	} while (!ret);
	migration_channels__fail(&l->r->channels, l->channel - 1, ret, &err);
	return NULL;
}

static int start_loaders(struct migration_receiver *r, struct error *err)
{
	struct migration_loader *l;
	unsigned int i;
	int ret;

	for (i = 0; i < r->channels.nr; i++) {
		l = &r->loader[r->nr_loaders];
		*l = (struct migration_loader) {
			.r = r, .channel = i + 1, .stream = &r->channels.stream[i],
		};
		if (migration_reader__init(&l->reader))
			return error__set(err, ENOMEM, "no memory for channel %u", i + 1);
		r->nr_loaders++;
		ret = pthread_create(&l->thread, NULL, loader_thread, l);
		if (ret)
			return error__set(err, ret, "thread of channel %u: %s", i + 1,
					  strerror(ret));
		l->started = true;
	}
	return 0;
}

static void stop_loaders(struct migration_receiver *r)
{
	unsigned int i;

	pthread_mutex_lock(&r->channels.lock);
	r->quit = true;
	pthread_mutex_unlock(&r->channels.lock);
	migration_channels__alarm(&r->channels);
	for (i = 1; i < r->nr_loaders; i++) {
		if (r->loader[i].started)
			pthread_join(r->loader[i].thread, NULL);
		r->loader[i].started = false;
	}
}

/* Further channels on which the end of @rounds passes has not come. With the lock. */
static unsigned int behind(const struct migration_receiver *r, uint64_t rounds)
{
	unsigned int i;

	for (i = 1; i < r->nr_loaders; i++)
		if (r->loader[i].rounds < rounds)
			return i;
	return 0;
}

/*
 * Until @rounds passes are over on all channels. As long as pages come on any of them the
 * source is not silent; it is told in time, while it still listens for the answer.
 */
static int await_loaders(struct migration_receiver *r, uint64_t rounds, struct error *err)
{
	uint64_t limit = r->dst->ch->timeout_ms * 1000000ULL * 3 / 4, until = 0, pages = 0;
	struct migration_channels *c = &r->channels;
	unsigned int late;
	struct timespec ts;
	int ret = 0;

	pthread_mutex_lock(&c->lock);
	while (!ret && (late = behind(r, rounds))) {
		if (!until || pages_received(r) != pages) {
			pages = pages_received(r);
			until = migration_clock__ns() + limit;
		}
		ts.tv_sec = until / 1000000000;
		ts.tv_nsec = until % 1000000000;
		if (c->failed)
			ret = error__set(err, ESHUTDOWN, "another channel failed");
		else if (pthread_cond_clockwait(&c->cond, &c->lock, CLOCK_MONOTONIC, &ts) &&
			 pages_received(r) == pages)
			ret = error__set(err, ETIMEDOUT,
					 "channel %u: source is silent: the end of the pass did not come within %u ms",
					 late, r->dst->ch->timeout_ms * 3 / 4);
	}
	pthread_mutex_unlock(&c->lock);
	return ret;
}

/* ---- the control channel ---- */

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
	if (!ret && terms.channels > 1)
		ret = migration_channels__accept(&r->channels, terms.channels - 1,
						 r->dst->listener, &r->stream, terms.join_id, err);
	migration_listener__close(r->dst->listener);
	if (!ret)
		ret = start_loaders(r, err);
out:
	free(source);
	return ret;
}

static int end_round(struct migration_receiver *r, const struct migration_record *rec,
		     struct error *err)
{
	int ret;

	ret = check_round(&r->loader[0], rec, r->rounds, err);
	if (!ret)
		ret = await_loaders(r, r->rounds + 1, err);
	if (ret)
		return ret;
	migration_memory__clear(&r->memory);
	pthread_mutex_lock(&r->channels.lock);
	r->dst->stats.rounds = ++r->rounds;
	pthread_cond_broadcast(&r->channels.cond);
	pthread_mutex_unlock(&r->channels.lock);
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
 * have memory all the same, and parts of buffers, are looked at. The guest waits: what
 * came is not gone through again, nor are its places in RAM's file.
 */
static int hash_others(struct migration_receiver *r, uint32_t index, struct error *err)
{
	const struct migration_region *region = &r->machine.regions[index];
	uint64_t page = 0, missing, count;
	int ret, end;

	ret = migration_copy__begin(region, false, r->dst->ch->timeout_ms / 2, err);
	if (ret)
		return ret;
	while (!ret && migration_memory__next_missing(&r->memory, index, &page, &missing)) {
		missing += page;
		if (!migration_region__next_data(region, &page, missing, &count)) {
			page = missing;
			continue;
		}
		for (; count && !ret; page++, count--) {
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
	uint8_t digests[MIGRATION_MAX_REGIONS * sizeof(struct migration_hash)];
	uint64_t records, pages;
	unsigned int i;
	int ret;

	if (rec->length != want)
		return error__set(err, EPROTO, "end record of %u bytes, %zu expected", rec->length,
				  want);
	memcpy(&end, rec->payload, sizeof(end));
	memcpy(digests, rec->payload + sizeof(end), want - sizeof(end));
	ret = await_loaders(r, r->rounds + 1, err);
	if (ret)
		return ret;
	records = r->stream.rx_seq - 1;
	for (i = 0; i < r->channels.nr; i++)
		records += r->channels.stream[i].rx_seq;
	pages = pages_received(r);
	if (le32toh(end.nr_regions) != r->machine.nr_regions || le32toh(end.runs) > 1 ||
	    end.reserved)
		return error__set(err, EPROTO,
				  "end record for %u regions with runs %u and reserved bits 0x%x",
				  le32toh(end.nr_regions), le32toh(end.runs), le32toh(end.reserved));
	if (le64toh(end.records) != records ||
	    le64toh(end.pages) != pages ||
	    le32toh(end.states) != r->nr_states)
		return error__set(err, EPROTO,
				  "source sent %" PRIu64 " records, %" PRIu64 " pages, %u states; %"
				  PRIu64 ", %" PRIu64 ", %u arrived", le64toh(end.records),
				  le64toh(end.pages), le32toh(end.states), records, pages,
				  r->nr_states);
	*runs = le32toh(end.runs);
	return verify_memory(r, digests, err);
}

/* Memory first, then state. */
static int load(struct migration_receiver *r, const struct migration_record *rec,
		struct error *err)
{
	if (rec->type == MIGRATION_REC_STATE)
		return load_state(r, rec, err);
	if (rec->type == MIGRATION_REC_PAGES && !r->nr_states)
		return load_pages(&r->loader[0], rec, err);
	if (rec->type == MIGRATION_REC_ROUND && !r->nr_states)
		return end_round(r, rec, err);
	return error__set(err, EPROTO, "source sent %s after %u state records",
			  migration_record__name(rec->type), r->nr_states);
}

/* While pages come on other channels, nothing need come on this one. */
static int await_record(struct migration_receiver *r, struct error *err)
{
	struct error silent;
	uint64_t pages;
	int ret;

	do {
		pages = pages_received(r);
		silent.msg[0] = '\0';
		ret = migration_channel__wait_input(r->dst->ch, &silent);
		progress(r);
	} while (ret == -ETIMEDOUT && pages_received(r) != pages);
	return ret ? error__set(err, -ret, "%s", silent.msg) : 0;
}

/* From HELLO_OK to the END record, which leaves everything loaded and verified. */
static int receive(struct migration_receiver *r, bool *runs, struct error *err)
{
	struct migration_record rec;
	int ret;

	for (;;) {
		ret = await_record(r, err);
		if (!ret)
			ret = migration_stream__recv(&r->stream, &rec, err);
		if (ret)
			return ret;
		if (rec.type == MIGRATION_REC_END)
			return take_end(r, &rec, runs, err);
		ret = load(r, &rec, err);
		if (ret)
			return ret;
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

static int load_all(struct migration_receiver *r, bool *runs, struct error *err)
{
	struct migration_destination *dst = r->dst;
	int ret;

	ret = migration_channels__init(&r->channels);
	if (ret)
		return error__set(err, -ret, "eventfd: %s", strerror(-ret));
	r->loader[0] = (struct migration_loader) { .r = r, .stream = &r->stream };
	r->nr_loaders = 1;
	if (migration_stream__init(&r->stream, dst->ch) ||
	    migration_reader__init(&r->loader[0].reader))
		return error__set(err, ENOMEM, "no memory for the migration's buffers");
	dst->ch->alarm_fd = &r->channels.alarm_fd;
	dst->ch->control = true;
	ret = handshake(r, err);
	if (!ret)
		ret = receive(r, runs, err);
	if (!ret)
		ret = dst->ops->loaded(dst->opaque, err);
	return ret;
}

int migration_destination__run(struct migration_destination *dst, struct error *err)
{
	struct migration_receiver *r;
	struct error why = { "" };
	bool runs = false;
	unsigned int i;
	int ret;

	r = calloc(1, sizeof(*r));
	if (!r)
		return error__set(err, ENOMEM, "no memory for a migration");
	r->dst = dst;
	memset(&dst->stats, 0, sizeof(dst->stats));
	ret = load_all(r, &runs, &why);
	/* What follows is between this channel and the source alone. */
	dst->ch->alarm_fd = NULL;
	stop_loaders(r);
	progress(r);
	if (ret == -ESHUTDOWN)
		ret = migration_channels__explain(&r->channels, &r->stream, err);
	else if (!ret)
		ret = take_over(r, &why);
	error__set(err, 0, "%s", why.msg);
	if (!ret)
		dst->ops->start(dst->opaque, runs);
	else
		give_up(r, ret, err);

	migration_channel__close(dst->ch);
	migration_channels__exit(&r->channels);
	migration_memory__exit(&r->memory);
	for (i = 0; i < r->nr_loaders; i++)
		migration_reader__exit(&r->loader[i].reader);
	migration_stream__exit(&r->stream);
	if (r->described)
		dst->ops->release(dst->opaque);
	free(r);
	return ret;
}
