/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A buffer that is exported to the guest, and this process' own mapping of it. */
#ifndef GPU_PROC_BUFFER_H
#define GPU_PROC_BUFFER_H

#include <stdint.h>

#include "alloc.h"

#define BUFFER_MAX		64
#define BUFFER_NODE_MAX		108	/* bytes of a node's name, with the NUL */
#define BUFFER_NAME_MAX		32	/* bytes of a buffer's name, with the NUL */
#define BUFFER_NO_FILL		(-1)

/* What --buffer asks for. */
struct buffer_spec {
	const struct allocator *allocator;
	char node[BUFFER_NODE_MAX];
	char name[BUFFER_NAME_MAX];	/* empty: none given */
	uint64_t size;			/* bytes */
	uint64_t offset;		/* bytes into the shared memory region */
	int fill;			/* 0..255, or BUFFER_NO_FILL */
};

struct buffer {
	const struct buffer_spec *spec;
	char label[40 + BUFFER_NODE_MAX + BUFFER_NAME_MAX];	/* for log lines */
	int fd;
	void *map;
};

/*
 * Allocate, map and fill the buffers, and log a line for each. All or none:
 * returns 0, or -1 after it has logged which one failed and why.
 */
int buffer_create_all(struct buffer *buffers, const struct buffer_spec *specs, unsigned int count);

void buffer_destroy_all(struct buffer *buffers, unsigned int count);

/* Write the fill patterns through this process' own mappings. 0 or -1. */
int buffer_fill_all(struct buffer *buffers, unsigned int count);

#endif /* GPU_PROC_BUFFER_H */
