/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source's senders of pages, one for each channel: they share the pages of a region
 * among them and read, hash, compress and send at the same time. The migration's
 * thread is the one of the control channel; the others have threads of their own, which
 * sleep between regions. Called by migration_send.c.
 */
#ifndef VMM_MIGRATION_WORKERS_H
#define VMM_MIGRATION_WORKERS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/migration_channels.h"
#include "vmm/migration_machine.h"
#include "vmm/migration_pages.h"

struct migration_memory;
struct migration_stream;
struct migration_workers;

struct migration_worker {
	struct migration_workers *all;
	unsigned int channel;	/* 0: the control channel */
	struct migration_stream *stream;
	struct migration_writer writer;
	pthread_t thread;
	bool started;
	unsigned int seen;	/* its last job */
	uint64_t in_round;	/* pages before this pass */
	/* What others may read at any time: */
	uint64_t nr_filled;	/* pages sent with contents */
	uint64_t nr_zero;	/* and without */
	uint64_t nr_done;	/* pages looked at */
	uint64_t tx_bytes;
	uint64_t region_pages[MIGRATION_MAX_REGIONS];
};

struct migration_workers {
	struct migration_memory *memory;
	struct migration_channels *channels;	/* their lock guards what follows, and job */
	unsigned int nr;			/* with the control channel's */
	struct migration_worker worker[MIGRATION_MAX_CHANNELS];
	unsigned int job;	/* counts */
	unsigned int busy;
	bool quit;
	/* The job: a region, whose parts are taken one after the other. */
	uint32_t region;
	bool always;
	uint64_t next_page;
	/* Called in the migration's thread, with @opaque, when something has been sent. */
	void (*progress)(void *opaque);
	void *opaque;
};

/* What all of them have sent and seen, at any time. */
struct migration_work {
	uint64_t nr_filled, nr_zero, nr_done, tx_bytes;
};

/*
 * @control is the control channel's stream. More channels come with _start(). -errno
 * without memory.
 */
int migration_workers__init(struct migration_workers *w, struct migration_stream *control,
			    unsigned int level);
/* When @channels are connected and @memory exists: a thread for each further one. */
int migration_workers__start(struct migration_workers *w, struct migration_channels *channels,
			     struct migration_memory *memory, unsigned int level,
			     struct error *err);
/* The threads end, whatever they do. Before the channels are closed. */
void migration_workers__stop(struct migration_workers *w);
void migration_workers__exit(struct migration_workers *w);

/*
 * Send the region's pages that are to be sent, @always even those that the destination
 * has as far as their hashes tell. -ESHUTDOWN: see migration_channels__explain().
 */
int migration_workers__send(struct migration_workers *w, uint32_t region, bool always,
			    struct error *err);

/* All pages of pass @round are sent: say so on each further channel. */
int migration_workers__end_round(struct migration_workers *w, uint64_t round,
				 struct error *err);
/* Pages of this pass on the control channel, which the caller tells. */
uint64_t migration_workers__control_pages(struct migration_workers *w);

void migration_workers__sum(const struct migration_workers *w, struct migration_work *sum);
uint64_t migration_workers__region_pages(const struct migration_workers *w, uint32_t region);
/* Records sent so far. While nobody sends. */
uint64_t migration_workers__records(const struct migration_workers *w);

#endif /* VMM_MIGRATION_WORKERS_H */
