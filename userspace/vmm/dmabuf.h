/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel says about a DMA-buf's file descriptor. Called by window.c. */
#ifndef VMM_DMABUF_H
#define VMM_DMABUF_H

#include <stdint.h>

#include "vmm/error.h"

struct dmabuf_info {
	uint64_t size;		/* bytes */
	char exporter[32];
	char name[32];		/* "" where nobody named it */
};

/* -EBADFD where @fd is no DMA-buf, with what it is in @err. */
int dmabuf__inspect(int fd, struct dmabuf_info *info, struct error *err);

/* The same from the text of /proc/self/fdinfo/N; apart for the tests. */
int dmabuf__parse_fdinfo(char *text, struct dmabuf_info *info);

#endif /* VMM_DMABUF_H */
