/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's memory type of a DMA-buf, as dmabuf_memtype.ko answers. */
#ifndef GPU_PROC_MEMTYPE_H
#define GPU_PROC_MEMTYPE_H

#include <stddef.h>

/*
 * Ask for the type of a DMA-buf and put it into words: "WC (exporter)", or
 * "unknown (why)". Never fails: the answer is for the log only.
 */
void memtype_describe(int dmabuf, char *buf, size_t len);

#endif /* GPU_PROC_MEMTYPE_H */
