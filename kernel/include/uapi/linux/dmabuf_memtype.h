/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Host memory type of a DMA-buf: what the CPU mapping of its exporter uses.
 * Served by dmabuf_memtype.ko on /dev/dmabuf-memtype.
 */
#ifndef _UAPI_LINUX_DMABUF_MEMTYPE_H
#define _UAPI_LINUX_DMABUF_MEMTYPE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * Memory types carry their architectural numbers: SDM vol. 3A, table "Memory
 * Types That Can Be Encoded With PAT". 2 and 3 are reserved there.
 */
#define DMABUF_MEMTYPE_UC		0
#define DMABUF_MEMTYPE_WC		1
#define DMABUF_MEMTYPE_WT		4
#define DMABUF_MEMTYPE_WP		5
#define DMABUF_MEMTYPE_WB		6
#define DMABUF_MEMTYPE_UC_MINUS		7

/* Where an answer comes from. */
#define DMABUF_MEMTYPE_SOURCE_EXPORTER	1	/* the exporter registered and was asked */
#define DMABUF_MEMTYPE_SOURCE_MAPPING	2	/* the page protection of the DMA-buf's own mmap */

/**
 * struct dmabuf_memtype_query - ask for the host memory type of a DMA-buf
 * @fd:		in: DMA-buf file descriptor
 * @memtype:	out: DMABUF_MEMTYPE_*; UC- is reported as UC, because on RAM,
 *		whose MTRR type is WB, it behaves so (SDM vol. 3A, table
 *		"Effective Page-Level Memory Types")
 * @source:	out: DMABUF_MEMTYPE_SOURCE_*
 * @reserved:	in: must be 0
 *
 * Errors: see docs/uapi.md.
 */
struct dmabuf_memtype_query {
	__s32 fd;
	__u32 memtype;
	__u32 source;
	__u32 reserved;
};

#define DMABUF_MEMTYPE_QUERY	_IOWR(0xDB, 0x40, struct dmabuf_memtype_query)

#endif /* _UAPI_LINUX_DMABUF_MEMTYPE_H */
