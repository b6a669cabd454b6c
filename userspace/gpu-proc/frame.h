/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The picture that the guest's display shows. */
#ifndef GPU_PROC_FRAME_H
#define GPU_PROC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scanout_shm.h"

#define FRAME_SIDE_MAX		8192u
#define FRAME_PIXELS_MAX	(7680u * 4320u)

struct frame {
	struct scanout_shm *shm;	/* only written to; NULL: nobody looks, none is kept */
	uint32_t *pixels;		/* 0x00RRGGBB, rows without gaps */
	uint32_t width, height;
	uint64_t sequence;
};

/*
 * Memory for the largest picture that there may be, all of it untouched: the file of
 * --scanout-shm, or of this process alone if path is NULL. 0, or -1 after a log line.
 */
int frame_open(struct frame *frame, const char *path);
void frame_close(struct frame *frame);

bool frame_size_is_possible(uint32_t width, uint32_t height);

/* The display shows pictures of that size: black. One of the same size stays as it is. */
void frame_set_size(struct frame *frame, uint32_t width, uint32_t height);

/* It is off; the picture stays. */
void frame_set_off(struct frame *frame);

/* Around writes to the pixels. */
void frame_begin(struct frame *frame);
void frame_end(struct frame *frame);

#endif /* GPU_PROC_FRAME_H */
