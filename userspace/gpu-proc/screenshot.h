/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest's display shows, as a PNG file. */
#ifndef GPU_PROC_SCREENSHOT_H
#define GPU_PROC_SCREENSHOT_H

#include "frame.h"
#include "gpu_cursor.h"

/* The file, empty: an fd, or -1 after a log line. */
int screenshot_open(const char *path);

/*
 * Replace what is in the file by the frame, with the cursor on it; one that has shown
 * nothing yet is black, width × height. Logs what it did; 0, or -1 after a log line.
 */
int screenshot_write(int fd, const struct frame *frame, const struct gpu_cursor *cursor,
		     uint32_t width, uint32_t height);

#endif /* GPU_PROC_SCREENSHOT_H */
