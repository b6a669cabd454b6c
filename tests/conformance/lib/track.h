/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trackers of the writers of a DMA-buf (DMABUF_MEMTYPE_TRACK). */
#ifndef TESTS_CONFORMANCE_TRACK_H
#define TESTS_CONFORMANCE_TRACK_H

#include <linux/dmabuf_memtype.h>
#include <stdbool.h>
#include <stdint.h>

#define TRACK_MAX_PAGES		2048

struct track {
	int fd;					/* the tracker */
	uint32_t precision;
	uint64_t nr;
	uint32_t writers;			/* of the last track_take() */
	uint64_t written;			/* pages, of the last track_take() */
	uint64_t bits[TRACK_MAX_PAGES / 64];	/* bit 0 is its first page */
};

/* Raw ioctls: 0 or errno */
int track_ioctl(struct dmabuf_memtype_track *arg);
int track_get_written(int tracker, struct dmabuf_memtype_written *arg);

/* Tracks the buffer @fd; 0 or errno. track_stop() closes the tracker. */
int track_start(int fd, struct track *t);
void track_stop(struct track *t);

/* Takes a range, or all pages; 0 or errno. */
int track_take_range(struct track *t, uint64_t first, uint64_t nr);
int track_take(struct track *t);

/* Was page @first + @page of the last range reported? */
bool track_has(const struct track *t, uint64_t page);

#endif /* TESTS_CONFORMANCE_TRACK_H */
