// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Source side of a migration, in its own thread. docs/migration.md has the state
 * machine and the argument why never both sides run; the code that it rests on is
 * hand_over() and await_outcome().
 */
#include "vmm/migration_send.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "vmm/migration_channel.h"
#include "vmm/migration_channels.h"
#include "vmm/migration_clock.h"
#include "vmm/migration_converge.h"
#include "vmm/migration_copy.h"
#include "vmm/migration_memory.h"
#include "vmm/migration_rate.h"
#include "vmm/migration_records.h"
#include "vmm/migration_stream.h"
#include "vmm/migration_workers.h"

/* So few dirty pages that another pass would not make fewer of them. */
#define FEW_PAGES	16u

/* A peer that does not take the reason in this time does without. */
#define ABORT_TIMEOUT_MS	500

struct migration_sender {
	struct migration_source *src;
	struct migration_stream stream;
	struct migration_machine machine;
	struct migration_memory memory;
	struct migration_channels channels;
	struct migration_workers workers;
	struct migration_rate rate;	/* while the channels point to it */
	struct migration_converge converge;
	uint32_t nr_states;
	uint64_t done_before;	/* pages looked at before this pass */
	bool described;
	bool logging;
	bool paused;		/* by this migration, and not given away */
	bool ran;		/* before that */
	uint64_t pause_ns;
};

static uint64_t sent_bytes(const struct migration_sender *s)
{
	struct migration_work sum;

	migration_workers__sum(&s->workers, &sum);
	return sum.tx_bytes;
}

static void progress(void *opaque)
{
	struct migration_sender *s = opaque;
	struct migration_stats *stats = &s->src->stats;
	struct migration_work sum;
	uint32_t i;

	migration_workers__sum(&s->workers, &sum);
	stats->pages_sent = sum.nr_filled;
	stats->zero_pages = sum.nr_zero;
	stats->bytes_sent = sum.tx_bytes;
	stats->round_done = sum.nr_done - s->done_before;
	for (i = 0; i < stats->nr_regions; i++)
		stats->regions[i].pages_sent = migration_workers__region_pages(&s->workers, i);
	s->src->ops->progress(s->src->opaque, stats);
}

static void limit_bandwidth(struct migration_sender *s, struct migration_rate *rate)
{
	unsigned int i;

	s->src->ch->rate = rate;
	for (i = 0; i < s->channels.nr; i++)
		s->channels.ch[i].rate = rate;
}

int migration_source__put_state(struct migration_source *src, uint32_t id, uint32_t instance,
				const void *data, size_t len, struct error *err)
{
	struct migration_state_record head = {
		.id = htole32(id),
		.instance = htole32(instance),
	};
	struct iovec iov[2] = { { &head, sizeof(head) }, { (void *)data, len } };

	src->sender->nr_states++;
	return migration_stream__send(&src->sender->stream, MIGRATION_REC_STATE, iov, 2, err);
}

static int handshake(struct migration_sender *s, struct error *err)
{
	const struct migration_params *p = &s->src->params;
	struct migration_terms terms = {
		.timeout_ms = p->timeout_ms,
		.channels = p->channels ? p->channels : 1,
	};
	struct migration_record rec;
	struct iovec iov;
	uint8_t *hello;
	uint32_t len;
	int ret;

	if (getrandom(&terms.hash_seed, sizeof(terms.hash_seed), 0) != sizeof(terms.hash_seed) ||
	    getrandom(&terms.join_id, sizeof(terms.join_id), 0) != sizeof(terms.join_id))
		return error__set(err, errno, "getrandom: %s", strerror(errno));
	ret = migration_stream__send_preamble(&s->stream, err);
	if (!ret)
		ret = migration_stream__recv_preamble(&s->stream, err);
	if (ret)
		return ret;

	hello = migration_machine__encode(&s->machine, &terms, &len);
	if (!hello)
		return error__set(err, ENOMEM, "no memory for the hello record");
	iov = (struct iovec) { hello, len };
	ret = migration_stream__send(&s->stream, MIGRATION_REC_HELLO, &iov, 1, err);
	free(hello);
	if (!ret)
		ret = migration_stream__expect(&s->stream, MIGRATION_REC_HELLO_OK, 0, &rec, err);
	if (!ret && migration_memory__init(&s->memory, &s->machine, terms.hash_seed))
		ret = error__set(err, ENOMEM, "no memory to track pages");
	if (!ret)
		ret = migration_channels__connect(&s->channels, terms.channels - 1, s->src->uri,
						  s->src->ch, terms.join_id, err);
	if (!ret)
		ret = migration_workers__start(&s->workers, &s->channels, &s->memory,
					       p->compression_level, err);
	if (!ret && p->bandwidth)
		limit_bandwidth(s, &s->rate);
	return ret;
}

/* The pages of the region that are to be sent. */
static int send_region(struct migration_sender *s, uint32_t region, bool always,
		       struct error *err)
{
	const struct migration_region *r = &s->machine.regions[region];
	int ret, end;

	if (!s->memory.tracks[region].nr_todo)
		return 0;
	/* The destination waits for us meanwhile, with the same timeout. */
	ret = migration_copy__begin(r, false, s->src->params.timeout_ms / 2, err);
	if (ret)
		return ret;
	ret = migration_workers__send(&s->workers, region, always, err);
	end = migration_copy__end(r, false, err);
	return ret ? ret : end;
}

static int send_round(struct migration_sender *s, uint64_t round, struct error *err)
{
	struct migration_round_record rec = { .round = htole64(round) };
	struct iovec iov = { &rec, sizeof(rec) };
	struct migration_record answer;
	uint32_t i;
	int ret;

	for (i = 0; i < s->machine.nr_regions; i++) {
		/* What a fresh buffer holds at the destination is not known. */
		ret = send_region(s, i, !round &&
				  s->machine.regions[i].kind == MIGRATION_BUFFER, err);
		if (ret)
			return ret;
	}
	ret = migration_workers__end_round(&s->workers, round, err);
	if (ret)
		return ret;
	rec.pages = htole64(migration_workers__control_pages(&s->workers));
	ret = migration_stream__send(&s->stream, MIGRATION_REC_ROUND, &iov, 1, err);
	if (ret)
		return ret;
	return migration_stream__expect(&s->stream, MIGRATION_REC_ROUND_OK, 0, &answer, err);
}

/*
 * Is it time to stop the guest? What is left then is what is dirty, and what has to
 * be looked at because its writes are not known. The limit is no aim: as long as a
 * pass leaves less than half of what it began with, another one makes the guest's
 * stop shorter.
 */
static bool converged(const struct migration_sender *s, const struct migration_dirty *dirty)
{
	const struct migration_stats *stats = &s->src->stats;
	uint64_t floor = dirty->floor * MIGRATION_PAGE_SIZE, allowed;
	uint64_t left = dirty->pages * MIGRATION_PAGE_SIZE;

	/* Where that takes longest, fewer dirty pages would not help. */
	if (dirty->pages <= FEW_PAGES || left <= floor / 8)
		return true;
	if (dirty->pages < stats->round_pages[stats->rounds - 1] / 2)
		return false;
	allowed = stats->bytes_per_second / 1000 * s->src->params.downtime_limit_ms;
	return floor + left <= allowed;
}

/* The pass is over: the destination has answered. */
static void note_round(struct migration_sender *s, uint32_t round, uint64_t bytes_before,
		       uint64_t ns)
{
	struct migration_stats *stats = &s->src->stats;
	uint64_t sent = stats->round_pages[round];

	stats->round_bytes[round] = sent_bytes(s) - bytes_before;
	stats->round_ms[round] = ns / 1000000;
	/* A pass of few pages is mostly the wait for its answer. */
	if (sent > FEW_PAGES || !stats->bytes_per_second)
		stats->bytes_per_second = (double)sent * MIGRATION_PAGE_SIZE * 1e9 / (ns ? ns : 1);
}

static void note_dirty(struct migration_sender *s, const struct migration_dirty *dirty,
		       uint64_t ns)
{
	struct migration_stats *stats = &s->src->stats;
	uint64_t left = (dirty->pages + dirty->floor) * MIGRATION_PAGE_SIZE;
	uint64_t rate = stats->bytes_per_second;

	stats->remaining_pages = dirty->pages;
	stats->dirty_pages_per_second = (double)dirty->pages * 1e9 / (ns ? ns : 1);
	stats->expected_downtime_ms = (double)left * 1e3 / (rate ? rate : 1);
}

static int throttle(struct migration_sender *s, unsigned int percent, struct error *err)
{
	int ret;

	if (percent == s->src->stats.throttle_percent)
		return 0;
	ret = s->src->ops->throttle(s->src->opaque, percent, err);
	if (!ret)
		s->src->stats.throttle_percent = percent;
	return ret;
}

static int precopy(struct migration_sender *s, struct error *err)
{
	struct migration_stats *stats = &s->src->stats;
	struct migration_dirty dirty;
	uint64_t begin, bytes, synced;
	uint32_t i, round;
	int ret;

	ret = s->src->ops->log_start(s->src->opaque, &s->memory, err);
	if (ret)
		return ret;
	s->logging = true;
	for (i = 0; i < s->machine.nr_regions; i++)
		migration_memory__add_populated(&s->memory, i);
	ret = s->src->ops->log_sync(s->src->opaque, false, &dirty, err);
	if (ret)
		return ret;
	synced = migration_clock__ns();

	for (round = 0;; round++) {
		stats->round_pages[round] = dirty.pages;
		stats->rounds = round + 1;
		s->done_before += stats->round_done;
		stats->remaining_pages = dirty.pages;
		progress(s);

		bytes = sent_bytes(s);
		begin = migration_clock__ns();
		ret = send_round(s, round, err);
		if (ret)
			return ret;
		note_round(s, round, bytes, migration_clock__ns() - begin);

		ret = s->src->ops->log_sync(s->src->opaque, false, &dirty, err);
		if (ret)
			return ret;
		begin = synced;
		synced = migration_clock__ns();
		note_dirty(s, &dirty, synced - begin);
		progress(s);
		if (round + 1 >= s->src->params.max_rounds || converged(s, &dirty))
			return 0;
		if (!s->src->params.auto_converge)
			continue;
		ret = throttle(s, migration_converge__pass(&s->converge, stats->round_pages[round],
							   dirty.pages), err);
		if (ret)
			return ret;
	}
}

static int send_end(struct migration_sender *s, struct error *err)
{
	struct migration_hash digests[MIGRATION_MAX_REGIONS], h;
	struct migration_end_record end = {
		.records = htole64(migration_workers__records(&s->workers)),
		.states = htole32(s->nr_states),
		.runs = htole32(s->ran),
		.nr_regions = htole32(s->machine.nr_regions),
	};
	struct iovec iov[2] = {
		{ &end, sizeof(end) },
		{ digests, s->machine.nr_regions * sizeof(*digests) },
	};
	struct migration_work sum;
	uint32_t i;

	migration_workers__sum(&s->workers, &sum);
	end.pages = htole64(sum.nr_filled + sum.nr_zero);
	for (i = 0; i < s->machine.nr_regions; i++) {
		h = migration_memory__digest(&s->memory, i);
		digests[i].low = htole64(h.low);
		digests[i].high = htole64(h.high);
	}
	return migration_stream__send(&s->stream, MIGRATION_REC_END, iov, 2, err);
}

static int await_ready(struct migration_sender *s, struct error *err)
{
	struct migration_alive_record alive;
	struct migration_ready_record ready;
	struct migration_record rec;
	uint64_t verified = 0, all = 0;
	uint32_t i;
	int ret;

	for (i = 0; i < s->machine.nr_regions; i++)
		all += migration_region__pages(&s->machine.regions[i]);
	for (;;) {
		ret = migration_stream__recv(&s->stream, &rec, err);
		if (ret)
			return ret;
		if (rec.type == MIGRATION_REC_ALIVE && rec.length == sizeof(alive)) {
			memcpy(&alive, rec.payload, sizeof(alive));
			/* A destination that gets nowhere is not alive: the guest waits. */
			if (le64toh(alive.pages) <= verified || le64toh(alive.pages) > all)
				return error__set(err, EPROTO,
						  "destination verified %" PRIu64 " pages, then %" PRIu64
						  " of %" PRIu64, verified, le64toh(alive.pages), all);
			verified = le64toh(alive.pages);
			continue;
		}
		if (rec.type != MIGRATION_REC_READY || rec.length != sizeof(ready))
			return error__set(err, EPROTO,
					  "destination sent %s of %u bytes where ready belongs",
					  migration_record__name(rec.type), rec.length);
		memcpy(&ready, rec.payload, sizeof(ready));
		s->src->stats.bytes_verified = le64toh(ready.bytes);
		return 0;
	}
}

/*
 * Refuse what is still to come, then look at what has come: RUNNING wins. A
 * destination that tries to send it from now on fails, and does not start.
 */
static enum migration_outcome run_here_by_order(struct migration_sender *s, struct error *err)
{
	struct migration_channel *ch = s->src->ch;
	struct error ignored = { "" };
	struct migration_record rec;

	ch->cancel_fd = -1;
	if (ch->fd >= 0) {
		shutdown(ch->fd, SHUT_RDWR);
		if (!migration_stream__expect(&s->stream, MIGRATION_REC_RUNNING, 0, &rec, &ignored))
			return MIGRATION_MOVED;
	}
	error__set(err, ECANCELED,
		   "outcome unknown; the guest runs here because it was ordered to");
	return MIGRATION_STAYED;
}

/*
 * GO has been sent, and the destination may run the guest or never will. What it
 * sent comes in order, RUNNING goes out before its vCPUs start, and before the
 * connection can end:
 *   RUNNING               it runs
 *   ABORT, end, reset     it never started
 *   anything else         unknown, and nothing but an order makes the guest run here
 */
static enum migration_outcome await_outcome(struct migration_sender *s, struct error *err)
{
	struct migration_channel *ch = s->src->ch;
	char reason[sizeof(err->msg)];
	struct migration_record rec;
	struct error why;
	bool unknown = false;
	int ret;

	for (;;) {
		why.msg[0] = '\0';
		ret = migration_channel__wait_input(ch, &why);
		if (ret == -ECANCELED)
			return run_here_by_order(s, err);
		if (ret != -ETIMEDOUT) {
			ret = migration_stream__expect(&s->stream, MIGRATION_REC_RUNNING, 0, &rec,
						       &why);
			if (!ret)
				return MIGRATION_MOVED;
			if (ret == -EPIPE || ret == -ECONNABORTED) {
				error__set(err, -ret, "%s; the guest had not started there",
					   why.msg);
				return MIGRATION_STAYED;
			}
			/*
			 * Out of step, or the connection is lost: nothing that could
			 * come would tell anything. Without the connection a destination
			 * that has not started will not.
			 */
			migration_channel__close(ch);
		}
		if (!unknown) {
			snprintf(reason, sizeof(reason),
				 "outcome unknown after the hand-over (%.300s): the guest may run at the destination",
				 why.msg);
			ch->cancel_fd = s->src->ops->unknown(s->src->opaque, reason);
			ch->timeout_ms = 0;
			unknown = true;
		}
	}
}

/* Stop the guest and send the rest. After an error nothing has been given away. */
static int stop_and_copy(struct migration_sender *s, struct error *err)
{
	struct migration_dirty dirty;
	uint32_t i;
	int ret;

	s->pause_ns = migration_clock__ns();
	ret = s->src->ops->pause(s->src->opaque, &s->ran, err);
	if (ret)
		return ret;
	s->paused = true;
	/* The limits are for a guest that runs; this one waits. */
	limit_bandwidth(s, NULL);
	ret = throttle(s, 0, err);
	if (ret)
		return ret;
	ret = s->src->ops->log_sync(s->src->opaque, true, &dirty, err);
	if (ret)
		return ret;
	s->src->stats.remaining_pages = dirty.pages;
	progress(s);
	for (i = 0; i < s->machine.nr_regions; i++) {
		ret = send_region(s, i, false, err);
		if (ret)
			return ret;
	}
	s->src->stats.remaining_pages = 0;
	/* END takes the place of the control channel's own. */
	ret = migration_workers__end_round(&s->workers, s->src->stats.rounds, err);
	if (!ret)
		ret = s->src->ops->save(s->src->opaque, s->src, err);
	if (!ret)
		ret = send_end(s, err);
	if (!ret)
		ret = await_ready(s, err);
	return ret;
}

static enum migration_outcome hand_over(struct migration_sender *s, struct error *err)
{
	enum migration_outcome outcome;

	if (s->src->ops->commit(s->src->opaque, err))
		return MIGRATION_STAYED;
	s->src->ch->cancel_fd = -1;
	/* A GO that could not be sent whole cannot be obeyed. */
	if (migration_stream__send(&s->stream, MIGRATION_REC_GO, NULL, 0, err))
		return MIGRATION_STAYED;
	outcome = await_outcome(s, err);
	if (outcome == MIGRATION_MOVED)
		s->src->stats.downtime_ms = (migration_clock__ns() - s->pause_ns) / 1000000;
	return outcome;
}

static int run_until_ready(struct migration_sender *s, struct error *err)
{
	struct migration_source *src = s->src;
	uint32_t i;
	int ret;

	ret = migration_channels__init(&s->channels);
	if (ret)
		return error__set(err, -ret, "eventfd: %s", strerror(-ret));
	if (migration_stream__init(&s->stream, src->ch) ||
	    migration_workers__init(&s->workers, &s->stream, src->params.compression_level))
		return error__set(err, ENOMEM, "no memory for the migration's buffers");
	s->workers.progress = progress;
	s->workers.opaque = s;
	src->ch->alarm_fd = &s->channels.alarm_fd;
	src->ch->control = true;
	ret = src->ops->describe(src->opaque, &s->machine, err);
	if (ret)
		return ret;
	s->described = true;
	src->stats.nr_regions = s->machine.nr_regions;
	for (i = 0; i < s->machine.nr_regions; i++) {
		src->stats.regions[i].kind = s->machine.regions[i].kind;
		src->stats.regions[i].size = s->machine.regions[i].size;
		memcpy(src->stats.regions[i].name, s->machine.regions[i].name,
		       sizeof(src->stats.regions[i].name));
	}
	ret = handshake(s, err);
	if (!ret)
		ret = precopy(s, err);
	if (!ret)
		ret = stop_and_copy(s, err);
	return ret;
}

enum migration_outcome migration_source__run(struct migration_source *src, struct error *err)
{
	enum migration_outcome outcome = MIGRATION_STAYED;
	struct migration_sender *s;
	char reason[sizeof(err->msg) + 16];
	struct error why = { "" };
	int ret;

	s = calloc(1, sizeof(*s));
	if (!s) {
		error__set(err, ENOMEM, "no memory for a migration");
		return MIGRATION_STAYED;
	}
	s->src = src;
	src->sender = s;
	memset(&src->stats, 0, sizeof(src->stats));
	migration_rate__init(&s->rate, src->params.bandwidth, migration_clock__ns());

	ret = run_until_ready(s, &why);
	/* What follows is between this channel and the destination alone. */
	src->ch->alarm_fd = NULL;
	src->ch->rate = NULL;
	migration_workers__stop(&s->workers);
	if (!ret)
		outcome = hand_over(s, &why);

	throttle(s, 0, NULL);
	/* The guest first: the peer may be slow to hear why. */
	if (outcome == MIGRATION_STAYED && s->paused)
		src->ops->resume(src->opaque);
	if (ret == -ESHUTDOWN)
		migration_channels__explain(&s->channels, &s->stream, err);
	else if (outcome == MIGRATION_STAYED)
		error__set(err, 0, "%s", why.msg);
	if (outcome == MIGRATION_STAYED && s->stream.buf) {
		snprintf(reason, sizeof(reason), "source: %s", err->msg);
		src->ch->cancel_fd = -1;
		src->ch->timeout_ms = src->params.timeout_ms < ABORT_TIMEOUT_MS ?
				      src->params.timeout_ms : ABORT_TIMEOUT_MS;
		migration_stream__send_abort(&s->stream, reason);
	}
	progress(s);
	if (s->logging)
		src->ops->log_stop(src->opaque);
	migration_channel__close(src->ch);
	migration_workers__exit(&s->workers);
	migration_channels__exit(&s->channels);
	migration_memory__exit(&s->memory);
	migration_stream__exit(&s->stream);
	migration_rate__exit(&s->rate);
	if (s->described)
		src->ops->release(src->opaque);
	src->sender = NULL;
	free(s);
	return outcome;
}
