/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two sides of a migration for migration_harness.h: machines made of memfds, a
 * guest and a GPU that write to them, and the operations of both sides, which
 * report to memory that all processes share.
 */
#ifndef UNIT_MIGRATION_SIDES_H
#define UNIT_MIGRATION_SIDES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dmabuf_memtype.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit/capture.h"
#include "vmm/migration_channel.h"
#include "vmm/migration_memory.h"
#include "vmm/migration_recv.h"
#include "vmm/migration_send.h"
#include "vmm/migration_stream.h"

#define RAM_PAGES	300u
#define NR_REGIONS	3u
#define MAX_STREAM	(8 << 20)
#define CASE_DEADLINE_MS	20000
#define NOWHERE		UINT64_MAX
#define MAX_CHANNELS	4

static const uint32_t region_pages[NR_REGIONS] = { RAM_PAGES, 24, 8 };
#define MACHINE_PAGES	(RAM_PAGES + 24u + 8u)
#define MACHINE_BYTES	((size_t)MACHINE_PAGES * MIGRATION_PAGE_SIZE)

enum { SOURCE, DESTINATION, NR_SIDES };

/* When a cancel is ordered at the source. */
enum cancel_at {
	CANCEL_NEVER,
	CANCEL_DESCRIBE,
	CANCEL_LOG,
	CANCEL_THROTTLE,	/* never comes unless the case has auto_converge */
	CANCEL_ROUND,
	CANCEL_PAUSE,
	CANCEL_SAVE,
	CANCEL_STALLED,		/* when FAULT_STALL strikes: the source waits for its peer */
};

struct fault {
	int from;		/* whose stream @at counts … */
	int channel;		/* … and of which channel */
	unsigned int channels;	/* 0: 1 */
	uint64_t at;		/* bytes passed on; NOWHERE: none */
	enum { FAULT_NONE, FAULT_FLIP, FAULT_CUT, FAULT_STALL, FAULT_KILL } what;
	unsigned int bit;	/* FLIP: of the byte at @at */
	int victim;		/* KILL */
	bool force;		/* order the guest to run at the source if the outcome is unknown */
	bool resume_stall;	/* let the stream flow again if the outcome is unknown … */
	bool resume_at_end;	/* … and the destination has ended */
	enum cancel_at cancel;
	uint32_t timeout_ms;	/* 0: 5000 */
	bool stopped;		/* the guest is stopped when it is migrated */
	uint32_t max_rounds;	/* 0: 3 */
	bool auto_converge;
	uint64_t bandwidth;
};

/* What the children tell, in memory shared with the parent. */
struct report {
	bool runs;			/* source: the guest runs here */
	bool was_paused;
	bool unknown;
	int outcome;			/* enum migration_outcome, -1 before the end */
	bool log_on;
	unsigned int syncs;
	unsigned int throttle;		/* of the guest, now … */
	unsigned int max_throttle;	/* … and at most */
	struct error source_err;
	struct migration_stats stats;

	long leaked_bytes[2];		/* by side: what its end of the migration left allocated */
	int leaked_fds[2];

	bool started;			/* destination: ops->start() was called */
	bool started_running;
	int ret;
	unsigned int states;
	struct error destination_err;
	bool settled;			/* its end of the migration is over, and counted */
};

struct stream_copy {
	uint8_t *bytes;
	uint64_t len;
};

struct machine {
	int memfd;
	uint8_t *hva;
};

struct harness {
	struct report *report;
	uint8_t *shadow;		/* what the guest knows that it wrote */
	struct machine machine[NR_SIDES];
	pid_t pid[NR_SIDES];		/* 0: not there (any more) */
	int pidfd[NR_SIDES];
	int sock[NR_SIDES][MAX_CHANNELS];	/* the relay's ends; -1: closed */
	uint64_t passed[NR_SIDES][MAX_CHANNELS];	/* bytes of each stream passed on */
	struct stream_copy copy[NR_SIDES];	/* of the control channel */
	int nr_channels;			/* that have come */
	char relay_uri[64], destination_uri[64];	/* for further channels */
	struct migration_listener relay_listener, destination_listener;
	void (*before_channel)(struct harness *h);	/* once, before the first further one */
	bool killed[NR_SIDES];
	int news_fd;			/* eventfd: look at the report */
	int cancel_fd;
	int force_fd;
	const struct fault *fault;
	bool stalled;
	uint8_t held[65536];		/* came before the stall was noticed */
	size_t held_len;
};

static inline int64_t harness_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static inline void harness_machine_init(struct machine *m)
{
	m->memfd = memfd_create("machine", MFD_CLOEXEC);
	assert_true(m->memfd >= 0);
	assert_int_equal(ftruncate(m->memfd, MACHINE_BYTES), 0);
	m->hva = mmap(NULL, MACHINE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, m->memfd, 0);
	assert_true(m->hva != MAP_FAILED);
}

static inline void harness_machine_exit(struct machine *m)
{
	munmap(m->hva, MACHINE_BYTES);
	close(m->memfd);
}

/* RAM first, then the two buffers, in one memfd: only RAM may have holes. */
static inline void harness_describe(const struct machine *m, struct migration_machine *out)
{
	static const char * const names[NR_REGIONS] = { "RAM", "wc", "uc" };
	static const uint32_t types[NR_REGIONS] = {
		DMABUF_MEMTYPE_WB, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_UC,
	};
	uint32_t i, page = 0;

	memset(out, 0, sizeof(*out));
	out->nr_vcpus = 1;
	out->bind = true;
	out->window_gpa = 0x40000000;
	out->window_size = 0x10000000;
	strcpy(out->cpu_vendor, "HarnessCPU");
	out->nr_cpu_words = 1;
	out->cpu_words[0] = (struct migration_cpu_word) { 7, 0, MIGRATION_EBX, 0x29 };
	out->nr_regions = NR_REGIONS;
	for (i = 0; i < NR_REGIONS; i++) {
		out->regions[i] = (struct migration_region) {
			.kind = i ? MIGRATION_BUFFER : MIGRATION_RAM,
			.memtype = types[i],
			.gpa = i ? out->window_gpa + i * 0x100000 : 0,
			.size = (uint64_t)region_pages[i] * MIGRATION_PAGE_SIZE,
			.hva = m->hva + (size_t)page * MIGRATION_PAGE_SIZE,
			.fd = i ? -1 : m->memfd,
			.slot = !!i,
			.slot_page = i * 0x100,
		};
		strcpy(out->regions[i].name, names[i]);
		page += region_pages[i];
	}
}

/* The guest, or a GPU, writes a page; the log hears of it if @mem is given. */
static inline void harness_write(struct harness *h, struct migration_memory *mem, uint32_t region,
				 uint32_t page, uint64_t value)
{
	size_t i, offset = page;
	uint64_t *words;

	for (i = 0; i < region; i++)
		offset += region_pages[i];
	offset *= MIGRATION_PAGE_SIZE;
	words = (uint64_t *)(h->machine[SOURCE].hva + offset);
	/* Not all alike, so that some pages do not compress. */
	for (i = 0; i < MIGRATION_PAGE_SIZE / sizeof(*words); i++)
		words[i] = value ? value * (page % 3 ? 1 : 0x9e3779b97f4a7c15ULL * (i + 1)) : 0;
	memcpy(h->shadow + offset, words, MIGRATION_PAGE_SIZE);
	if (mem)
		migration_memory__mark(mem, !!region, page + (region ? region * 0x100 : 0));
}

static inline void harness_populate(struct harness *h)
{
	uint32_t i;

	for (i = 0; i < 90; i++)
		harness_write(h, NULL, 0, i, 1 + i);
	for (i = 200; i < 220; i++)
		harness_write(h, NULL, 0, i, 1 + i);
	harness_write(h, NULL, 0, 219, 0);
	for (i = 0; i < region_pages[1]; i++)
		harness_write(h, NULL, 1, i, i % 5 ? 7 * i : 0);
	for (i = 0; i < region_pages[2]; i++)
		harness_write(h, NULL, 2, i, 11 * i);
	/* The destination's buffers are fresh, which does not mean zero. */
	memset(h->machine[DESTINATION].hva + RAM_PAGES * MIGRATION_PAGE_SIZE, 0xaa,
	       MACHINE_BYTES - RAM_PAGES * MIGRATION_PAGE_SIZE);
}

/* ---- the source's side ---- */

struct fake_source {
	struct harness *h;
	struct migration_memory *memory;
};

static inline void harness_news(struct harness *h)
{
	eventfd_write(h->news_fd, 1);
}

static inline void cancel_if(struct harness *h, enum cancel_at where)
{
	if (h->fault->cancel == where)
		eventfd_write(h->cancel_fd, 1);
}

static inline bool cancelled(const struct harness *h)
{
	struct pollfd pfd = { .fd = h->cancel_fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

static inline int fake_source_describe(void *opaque, struct migration_machine *m,
				       struct error *err)
{
	struct fake_source *f = opaque;

	(void)err;
	harness_describe(&f->h->machine[SOURCE], m);
	cancel_if(f->h, CANCEL_DESCRIBE);
	return 0;
}

static inline void fake_source_release(void *opaque)
{
	(void)opaque;
}

static inline int fake_log_start(void *opaque, struct migration_memory *mem, struct error *err)
{
	struct fake_source *f = opaque;

	(void)err;
	f->memory = mem;
	f->h->report->log_on = true;
	cancel_if(f->h, CANCEL_LOG);
	return 0;
}

/* What the guest and a GPU did since the last call. */
static inline int fake_log_sync(void *opaque, bool last, struct migration_dirty *dirty,
				struct error *err)
{
	struct fake_source *f = opaque;
	struct report *r = f->h->report;
	uint32_t i;

	(void)err;
	r->syncs++;
	if (r->runs) {
		for (i = 0; i < 24 * (100 - r->throttle) / 100; i++)
			harness_write(f->h, f->memory, 0, 10 + 9 * i % 270,
				      i % 4 ? r->syncs * 1000 + i : 0);
		harness_write(f->h, f->memory, 1, r->syncs % 24, r->syncs * 77);
	}
	/* No log knows of this one. */
	harness_write(f->h, NULL, 2, r->syncs % 8, r->syncs * 99);
	if (r->syncs == 2)
		cancel_if(f->h, CANCEL_ROUND);
	dirty->floor = region_pages[1] + region_pages[2];
	for (i = 1; last && i < NR_REGIONS; i++)
		migration_memory__add_all(f->memory, i);
	dirty->pages = migration_memory__collect(f->memory);
	return 0;
}

static inline void fake_log_stop(void *opaque)
{
	struct fake_source *f = opaque;

	f->memory = NULL;
	f->h->report->log_on = false;
}

static inline int fake_throttle(void *opaque, unsigned int percent, struct error *err)
{
	struct fake_source *f = opaque;
	struct report *r = f->h->report;

	(void)err;
	r->throttle = percent;
	if (percent > r->max_throttle)
		r->max_throttle = percent;
	if (percent)
		cancel_if(f->h, CANCEL_THROTTLE);
	return 0;
}

static inline int fake_pause(void *opaque, bool *ran, struct error *err)
{
	struct fake_source *f = opaque;

	if (cancelled(f->h))
		return error__set(err, ECANCELED, "migration cancelled");
	*ran = !f->h->fault->stopped;
	f->h->report->runs = false;
	f->h->report->was_paused = true;
	cancel_if(f->h, CANCEL_PAUSE);
	return 0;
}

static inline int fake_save(void *opaque, struct migration_source *src, struct error *err)
{
	struct fake_source *f = opaque;
	uint8_t state[3][300];
	uint32_t i;
	int ret = 0;

	for (i = 0; i < 3 && !ret; i++) {
		memset(state[i], 0x40 + i, sizeof(state[i]));
		ret = migration_source__put_state(src, i, 0, state[i], 100 * (i + 1), err);
	}
	cancel_if(f->h, CANCEL_SAVE);
	return ret;
}

static inline int fake_commit(void *opaque, struct error *err)
{
	struct fake_source *f = opaque;

	return cancelled(f->h) ? error__set(err, ECANCELED, "migration cancelled") : 0;
}

static inline void fake_resume(void *opaque)
{
	struct fake_source *f = opaque;

	f->h->report->runs = !f->h->fault->stopped;
}

static inline int fake_unknown(void *opaque, const char *reason)
{
	struct fake_source *f = opaque;

	snprintf(f->h->report->source_err.msg, sizeof(f->h->report->source_err.msg), "%s", reason);
	f->h->report->unknown = true;
	harness_news(f->h);
	return f->h->force_fd;
}

static inline void fake_source_progress(void *opaque, const struct migration_stats *stats)
{
	struct fake_source *f = opaque;

	f->h->report->stats = *stats;
}

static const struct migration_source_ops fake_source_ops = {
	.describe = fake_source_describe,
	.release = fake_source_release,
	.log_start = fake_log_start,
	.log_sync = fake_log_sync,
	.log_stop = fake_log_stop,
	.throttle = fake_throttle,
	.pause = fake_pause,
	.save = fake_save,
	.commit = fake_commit,
	.resume = fake_resume,
	.unknown = fake_unknown,
	.progress = fake_source_progress,
};

/* Memory and descriptors in use; the difference of two calls is a leak. */
static inline void take_stock(struct report *r, int side, int sign)
{
	r->leaked_bytes[side] += sign * (long)(mallinfo2().uordblks + mallinfo2().hblkhd);
	r->leaked_fds[side] += sign * count_fds();
}

static inline void harness_run_source(struct harness *h, int sock)
{
	struct migration_channel ch = {
		.fd = sock,
		.cancel_fd = h->cancel_fd,
		.timeout_ms = h->fault->timeout_ms ? h->fault->timeout_ms : 5000,
		.peer = "destination",
	};
	struct fake_source fake = { .h = h };
	struct migration_source src = {
		.ops = &fake_source_ops,
		.opaque = &fake,
		.ch = &ch,
		.uri = h->relay_uri,
		.params = {
			.timeout_ms = ch.timeout_ms,
			.max_rounds = h->fault->max_rounds ? h->fault->max_rounds : 3,
			.compression_level = MIGRATION_COMPRESSION_LEVEL,
			.auto_converge = h->fault->auto_converge,
			.bandwidth = h->fault->bandwidth,
			.channels = h->fault->channels,
		},
	};
	struct error err = { "" };
	enum migration_outcome outcome;

	fcntl(sock, F_SETFL, O_NONBLOCK);
	take_stock(h->report, SOURCE, -1);
	outcome = migration_source__run(&src, &err);
	take_stock(h->report, SOURCE, 1);
	h->report->source_err = err;
	h->report->outcome = outcome;
}

/* ---- the destination's side ---- */

static inline int fake_destination_describe(void *opaque, struct migration_machine *m,
					    struct error *err)
{
	struct harness *h = opaque;

	(void)err;
	harness_describe(&h->machine[DESTINATION], m);
	return 0;
}

static inline void fake_destination_release(void *opaque)
{
	(void)opaque;
}

static inline int fake_load(void *opaque, uint32_t id, uint32_t instance, const uint8_t *data,
			    size_t len, struct error *err)
{
	struct harness *h = opaque;
	size_t i;

	if (id != h->report->states || instance || len != 100 * (id + 1))
		return error__set(err, EPROTO, "state %u.%u of %zu bytes", id, instance, len);
	for (i = 0; i < len; i++)
		if (data[i] != 0x40 + id)
			return error__set(err, EPROTO, "state %u has byte 0x%x", id, data[i]);
	h->report->states++;
	return 0;
}

static inline int fake_loaded(void *opaque, struct error *err)
{
	struct harness *h = opaque;

	return h->report->states == 3 ? 0 :
	       error__set(err, EPROTO, "%u states, 3 expected", h->report->states);
}

static inline void fake_start(void *opaque, bool runs)
{
	struct harness *h = opaque;

	h->report->started = true;
	h->report->started_running = runs;
}

static inline void fake_destination_progress(void *opaque, const struct migration_arrival *stats)
{
	(void)opaque;
	(void)stats;
}

static const struct migration_destination_ops fake_destination_ops = {
	.describe = fake_destination_describe,
	.release = fake_destination_release,
	.load = fake_load,
	.loaded = fake_loaded,
	.start = fake_start,
	.progress = fake_destination_progress,
};

static inline void harness_run_destination(struct harness *h, int sock)
{
	struct migration_channel ch = {
		.fd = sock,
		.cancel_fd = -1,
		.timeout_ms = h->fault->timeout_ms ? h->fault->timeout_ms : 5000,
		.peer = "source",
	};
	struct migration_destination dst = {
		.ops = &fake_destination_ops,
		.opaque = h,
		.ch = &ch,
		.listener = &h->destination_listener,
	};
	struct error err = { "" };

	fcntl(sock, F_SETFL, O_NONBLOCK);
	take_stock(h->report, DESTINATION, -1);
	h->report->ret = migration_destination__run(&dst, &err);
	migration_listener__close(&h->destination_listener);
	take_stock(h->report, DESTINATION, 1);
	h->report->destination_err = err;
	h->report->settled = true;
	harness_news(h);
	/* A started guest goes on until somebody ends it. */
	while (h->report->started)
		pause();
}

#endif /* UNIT_MIGRATION_SIDES_H */
