/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's memory type of a DMA-buf, as dmabuf_memtype.ko answers. */
#ifndef GPU_PROC_MEMTYPE_H
#define GPU_PROC_MEMTYPE_H

#include <stddef.h>
#include <stdint.h>

/* Once, before the sandbox. Without the module nothing below knows an answer. */
void memtype_open(void);
void memtype_close(void);

/* The kernel's answer, DMABUF_MEMTYPE_*: 0, or -1 with errno. Works inside the sandbox. */
int memtype_ask(int dmabuf, uint32_t *memtype);

/*
 * Put the answer into words: "WC (exporter)", or "unknown (why)". Never fails: it is for
 * the log only.
 */
void memtype_describe(int dmabuf, char *buf, size_t len);

#endif /* GPU_PROC_MEMTYPE_H */
