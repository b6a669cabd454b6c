// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writers of a buffer; see dirty_buffer.h.
 *
 * Exact where the module tracks the buffer exactly: the last pass looks at the pages
 * that it reports and at no other. Everywhere else (another exporter, a module without
 * tracking, none at all, a buffer that is not bound) nobody knows, and the last sync()
 * hands over every page. So it does while a device or a driver can write all of the buffer.
 *
 * Whether a device still works when the last pass begins is not decided here: whoever
 * reads the pages waits for the buffer's fences first (migration_copy.c). Who could
 * write all the same, without a fence, is kept in source.writers, and reported: a
 * warning, no failure, because drivers keep buffers mapped that they do not use.
 */
#include "vmm/dirty_buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dmabuf_memtype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "vmm/dirty_source.h"
#include "vmm/memtype.h"
#include "vmm/util.h"
#include "vmm/vm.h"

#define BITS	64u

/* Who writes where no one page can be named, so that all stay written. */
#define WRITERS_OF_ALL	(DMABUF_WRITER_DEVICE | DMABUF_WRITER_FENCE | DMABUF_WRITER_KERNEL)
/* Who is not known to have finished when the fences have been waited for. */
#define WRITERS_AT_LARGE (DMABUF_WRITER_DEVICE | DMABUF_WRITER_KERNEL)

struct dirty_buffer {
	struct dirty_source source;
	const struct buffer *buf;
	uint32_t slot;
	const struct dirty_sink *sink;
	int tracker;			/* -1: nobody knows who writes */
	uint64_t nr_pages;
	uint64_t *words;
};

/* A kernel without tracking is no error: there is no tracker then. */
static int dirty_buffer__track(struct dirty_buffer *b, struct error *err)
{
	struct dmabuf_memtype_track track = { .fd = b->buf->fd };
	int dev, r = 0;

	/*
	 * Tracking protects pages, and a KVM without our hook has a guest's store to such
	 * a page done by its emulator, which does not know all instructions.
	 */
	if (!b->buf->bound)
		return 0;
	dev = open(MEMTYPE_DEVICE, O_RDWR | O_CLOEXEC);
	if (dev < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return 0;
	if (dev < 0)
		return error__set(err, errno, MEMTYPE_DEVICE ": %s", strerror(errno));
	if (ioctl(dev, DMABUF_MEMTYPE_TRACK, &track) == 0) {
		b->tracker = track.tracker;
		b->source.exact = track.precision == DMABUF_TRACK_EXACT;
	} else if (errno == EBUSY) {
		log_warn("%s: tracked by somebody else: all of its pages are looked at",
			 b->source.name);
	} else if (errno != ENOTTY) {
		r = error__set(err, errno, "DMABUF_MEMTYPE_TRACK: %s", strerror(errno));
	}
	close(dev);
	return r;
}

static int dirty_buffer__start(struct dirty_source *s, const struct dirty_sink *sink,
			       struct error *err)
{
	struct dirty_buffer *b = container_of(s, struct dirty_buffer, source);
	int r;

	b->sink = sink;
	b->words = calloc((b->nr_pages + BITS - 1) / BITS, sizeof(*b->words));
	if (!b->words)
		return error__set(err, ENOMEM, "no memory for its pages");
	r = dirty_buffer__track(b, err);
	if (r) {
		free(b->words);
		return r;
	}
	s->floor = s->exact ? 0 : b->nr_pages;
	return 0;
}

static void dirty_buffer__hand_over(struct dirty_buffer *b)
{
	dirty_sink__words(b->sink, b->slot, b->buf->offset / VMM_PAGE_SIZE, b->words, b->nr_pages);
}

static int dirty_buffer__ask(struct dirty_buffer *b, struct error *err)
{
	struct dmabuf_memtype_written written = {
		.first_page = b->buf->fd_offset / VMM_PAGE_SIZE,
		.nr_pages = b->nr_pages,
		.bitmap = (uintptr_t)b->words,
	};

	if (ioctl(b->tracker, DMABUF_MEMTYPE_GET_WRITTEN, &written) < 0)
		return error__set(err, errno, "DMABUF_MEMTYPE_GET_WRITTEN: %s", strerror(errno));
	b->source.writers = written.writers;
	return 0;
}

static int dirty_buffer__sync(struct dirty_source *s, bool last, struct error *err)
{
	struct dirty_buffer *b = container_of(s, struct dirty_buffer, source);
	bool all;
	int r;

	/* Before the last pass it is not worth the reading: see dirty_source.h. */
	if (!s->exact && !last)
		return 0;
	if (b->tracker >= 0) {
		r = dirty_buffer__ask(b, err);
		if (r)
			return r;
	}
	/* The kernel reports all of them, and once more when the writer has gone. */
	all = !s->exact || s->writers & WRITERS_OF_ALL;
	s->floor = all ? b->nr_pages : 0;
	if (all && !last)
		return 0;
	if (all)
		memset(b->words, 0xff, (b->nr_pages + BITS - 1) / BITS * sizeof(*b->words));
	dirty_buffer__hand_over(b);
	if (last && s->writers & WRITERS_AT_LARGE)
		log_warn("%s: %s can still write it: what is written from now on stays behind",
			 s->name, s->writers & DMABUF_WRITER_DEVICE ? "a device" : "a driver");
	return 0;
}

static void dirty_buffer__stop(struct dirty_source *s)
{
	struct dirty_buffer *b = container_of(s, struct dirty_buffer, source);

	if (b->tracker >= 0)
		close(b->tracker);
	b->tracker = -1;
	free(b->words);
	b->words = NULL;
}

static void dirty_buffer__free(struct dirty_source *s)
{
	free(container_of(s, struct dirty_buffer, source));
}

static const struct dirty_source_ops dirty_buffer__ops = {
	.start = dirty_buffer__start,
	.sync = dirty_buffer__sync,
	.stop = dirty_buffer__stop,
	.free = dirty_buffer__free,
};

struct dirty_source *dirty_buffer__create(const struct window *win, const struct buffer *buf)
{
	struct dirty_buffer *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	*b = (struct dirty_buffer) {
		.source = { .ops = &dirty_buffer__ops },
		.buf = buf,
		.slot = win->slot,
		.nr_pages = buf->size / VMM_PAGE_SIZE,
		.tracker = -1,
	};
	snprintf(b->source.name, sizeof(b->source.name), "buffer %s: writers", buf->name);
	return &b->source;
}
