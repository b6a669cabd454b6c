/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A write fence on a DMA-buf of any exporter, as a GPU's work has one: while it has
 * not signalled, the buffer is being written. The fence is vgem's, which signals by
 * itself after 10 s.
 */
#ifndef TESTS_CONFORMANCE_FENCE_H
#define TESTS_CONFORMANCE_FENCE_H

#include <stddef.h>
#include <stdint.h>

struct fence_source {
	int card;
	uint32_t handle;	/* the buffer of vgem that its fences are made on */
	int dmabuf;
};

void fence_open(struct fence_source *s);
void fence_close(struct fence_source *s);

/* One fence for all of @bufs; returns its name. The one before has to have signalled. */
uint32_t fence_attach(struct fence_source *s, const int *bufs, size_t nr);
void fence_signal(struct fence_source *s, uint32_t fence);

#endif /* TESTS_CONFORMANCE_FENCE_H */
