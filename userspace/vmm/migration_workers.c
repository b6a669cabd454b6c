// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages on all channels at the same time; see migration_workers.h. */
#include "vmm/migration_workers.h"

#include <endian.h>
#include <errno.h>
#include <linux/dmabuf_memtype.h>
#include <string.h>
#include <time.h>

#include "vmm/migration_clock.h"
#include "vmm/migration_copy.h"
#include "vmm/migration_memory.h"
#include "vmm/migration_records.h"
#include "vmm/migration_stream.h"

#define PROGRESS_NS	200000000ULL	/* while the control channel's share is done */

/* A counter that this thread alone writes. */
static void publish(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

static uint64_t look(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void publish_all(struct migration_worker *w)
{
	publish(&w->nr_filled, w->writer.nr_filled);
	publish(&w->nr_zero, w->writer.nr_zero);
	publish(&w->tx_bytes, w->stream->ch->tx_bytes);
	if (!w->channel && w->all->progress)
		w->all->progress(w->all->opaque);
}

static int send_page(struct migration_worker *w, uint32_t region, uint64_t page, bool always,
		     struct error *err)
{
	struct migration_memory *mem = w->all->memory;
	const struct migration_region *r = &mem->machine->regions[region];
	const uint8_t *memory = r->hva + (page << MIGRATION_PAGE_SHIFT);
	void *copy = migration_writer__page(&w->writer);
	uint64_t before = w->stream->ch->tx_bytes;
	struct migration_hash hash;
	bool zero;
	int ret;

	publish(&w->nr_done, w->nr_done + 1);
	/* What is zero need not be copied to see it, where a look is cheap. */
	zero = r->memtype == DMABUF_MEMTYPE_WB && migration_copy__is_zero(memory);
	if (!zero) {
		/* The guest may write on: hash and send one copy, never the page itself. */
		migration_copy__read_page(copy, memory, r->memtype);
		zero = migration_copy__is_zero(copy);
	}
	hash = zero ? mem->zero : migration_memory__hash(mem, copy);
	if (!always && migration_hash__equal(hash, mem->tracks[region].hashes[page]))
		return 0;
	migration_memory__set_hash(mem, region, page, hash);
	publish(&w->region_pages[region], w->region_pages[region] + 1);
	ret = migration_writer__add(&w->writer, region, page, zero, err);
	if (!ret && w->stream->ch->tx_bytes != before)
		publish_all(w);
	return ret;
}

/* This worker's share of the job: one part after the other, as long as there are any. */
static int do_share(struct migration_worker *w, struct error *err)
{
	struct migration_workers *all = w->all;
	uint64_t nr_pages = all->memory->tracks[all->region].nr_pages;
	uint64_t page, end;
	int ret = 0;

	for (;;) {
		page = __atomic_fetch_add(&all->next_page, MIGRATION_SHARE_PAGES,
					  __ATOMIC_RELAXED);
		if (page >= nr_pages)
			break;
		end = page + MIGRATION_SHARE_PAGES;
		for (; !ret && migration_memory__take(all->memory, all->region, &page, end); page++)
			ret = send_page(w, all->region, page, all->always, err);
		if (ret)
			return ret;
	}
	ret = migration_writer__flush(&w->writer, err);
	publish_all(w);
	return ret;
}

static void *worker_thread(void *arg)
{
	struct migration_worker *w = arg;
	struct migration_workers *all = w->all;
	struct migration_channels *c = all->channels;
	struct error err;
	int ret;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (w->seen == all->job && !all->quit)
			pthread_cond_wait(&c->cond, &c->lock);
		if (all->quit)
			break;
		w->seen = all->job;
		pthread_mutex_unlock(&c->lock);
		err.msg[0] = '\0';
		ret = do_share(w, &err);
		if (ret)
			migration_channels__fail(c, w->channel - 1, ret, &err);
		pthread_mutex_lock(&c->lock);
		all->busy--;
		pthread_cond_broadcast(&c->cond);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

int migration_workers__init(struct migration_workers *w, struct migration_stream *control,
			    unsigned int level)
{
	memset(w, 0, sizeof(*w));
	w->nr = 1;
	w->worker[0] = (struct migration_worker) { .all = w, .stream = control };
	return migration_writer__init(&w->worker[0].writer, control, level);
}

int migration_workers__start(struct migration_workers *w, struct migration_channels *channels,
			     struct migration_memory *memory, unsigned int level,
			     struct error *err)
{
	struct migration_worker *one;
	unsigned int i;
	int ret;

	w->channels = channels;
	w->memory = memory;
	for (i = 0; i < channels->nr; i++) {
		one = &w->worker[w->nr];
		*one = (struct migration_worker) {
			.all = w, .channel = w->nr, .stream = &channels->stream[i],
		};
		if (migration_writer__init(&one->writer, one->stream, level))
			return error__set(err, ENOMEM, "no memory for channel %u", w->nr);
		w->nr++;
		ret = pthread_create(&one->thread, NULL, worker_thread, one);
		if (ret)
			return error__set(err, ret, "thread of channel %u: %s", one->channel,
					  strerror(ret));
		one->started = true;
	}
	return 0;
}

void migration_workers__stop(struct migration_workers *w)
{
	unsigned int i;

	if (!w->channels)
		return;
	pthread_mutex_lock(&w->channels->lock);
	w->quit = true;
	pthread_mutex_unlock(&w->channels->lock);
	migration_channels__alarm(w->channels);
	for (i = 1; i < w->nr; i++) {
		if (w->worker[i].started)
			pthread_join(w->worker[i].thread, NULL);
		w->worker[i].started = false;
	}
}

void migration_workers__exit(struct migration_workers *w)
{
	unsigned int i;

	migration_workers__stop(w);
	for (i = 0; i < w->nr; i++)
		migration_writer__exit(&w->worker[i].writer);
}

static void post_job(struct migration_workers *w, uint32_t region, bool always)
{
	pthread_mutex_lock(&w->channels->lock);
	w->region = region;
	w->always = always;
	w->next_page = 0;
	/* What fits one record is not worth the waking. */
	if (w->nr > 1 && w->memory->tracks[region].nr_todo > MIGRATION_BATCH_PAGES) {
		w->busy = w->nr - 1;
		w->job++;
		pthread_cond_broadcast(&w->channels->cond);
	}
	pthread_mutex_unlock(&w->channels->lock);
}

/* Until the others are done, which each of them is in the end: none waits without limit. */
static bool others_failed(struct migration_workers *w)
{
	struct migration_channels *c = w->channels;
	struct timespec ts;
	uint64_t until;
	bool failed;

	pthread_mutex_lock(&c->lock);
	while (w->busy) {
		until = migration_clock__ns() + PROGRESS_NS;
		ts.tv_sec = until / 1000000000;
		ts.tv_nsec = until % 1000000000;
		if (pthread_cond_clockwait(&c->cond, &c->lock, CLOCK_MONOTONIC, &ts)) {
			pthread_mutex_unlock(&c->lock);
			if (w->progress)
				w->progress(w->opaque);
			pthread_mutex_lock(&c->lock);
		}
	}
	failed = c->failed;
	pthread_mutex_unlock(&c->lock);
	return failed;
}

int migration_workers__send(struct migration_workers *w, uint32_t region, bool always,
			    struct error *err)
{
	bool failed;
	int ret;

	post_job(w, region, always);
	ret = do_share(&w->worker[0], err);
	/* Nobody is to be left behind in memory that the caller may give up. */
	if (ret)
		migration_channels__alarm(w->channels);
	failed = others_failed(w);
	if (!ret && failed)
		ret = error__set(err, ESHUTDOWN, "another channel failed");
	return ret;
}

static uint64_t take_round_pages(struct migration_worker *w)
{
	uint64_t all = w->writer.nr_filled + w->writer.nr_zero, pages = all - w->in_round;

	w->in_round = all;
	return pages;
}

int migration_workers__end_round(struct migration_workers *w, uint64_t round, struct error *err)
{
	struct migration_round_record rec = { .round = htole64(round) };
	struct iovec iov = { &rec, sizeof(rec) };
	struct error why = { "" };
	unsigned int i;
	int ret;

	for (i = 1; i < w->nr; i++) {
		rec.pages = htole64(take_round_pages(&w->worker[i]));
		ret = migration_stream__send(w->worker[i].stream, MIGRATION_REC_ROUND, &iov, 1,
					     &why);
		publish_all(&w->worker[i]);
		if (ret) {
			migration_channels__fail(w->channels, i - 1, ret, &why);
			return error__set(err, ESHUTDOWN, "another channel failed");
		}
	}
	return 0;
}

uint64_t migration_workers__control_pages(struct migration_workers *w)
{
	return take_round_pages(&w->worker[0]);
}

void migration_workers__sum(const struct migration_workers *w, struct migration_work *sum)
{
	const struct migration_worker *one;
	unsigned int i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < w->nr; i++) {
		one = &w->worker[i];
		sum->nr_filled += look(&one->nr_filled);
		sum->nr_zero += look(&one->nr_zero);
		sum->nr_done += look(&one->nr_done);
		/* The control channel carries more than pages, and is this thread's. */
		sum->tx_bytes += i ? look(&one->tx_bytes) : one->stream->ch->tx_bytes;
	}
}

uint64_t migration_workers__region_pages(const struct migration_workers *w, uint32_t region)
{
	uint64_t pages = 0;
	unsigned int i;

	for (i = 0; i < w->nr; i++)
		pages += look(&w->worker[i].region_pages[region]);
	return pages;
}

uint64_t migration_workers__records(const struct migration_workers *w)
{
	uint64_t records = 0;
	unsigned int i;

	for (i = 0; i < w->nr; i++)
		records += w->worker[i].stream->tx_seq;
	return records;
}
