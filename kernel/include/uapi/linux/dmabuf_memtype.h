/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Host memory type of a DMA-buf: what the CPU mapping of its exporter uses; and
 * who writes a DMA-buf. Served by dmabuf_memtype.ko on /dev/dmabuf-memtype.
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

/* How well the writers of a buffer are known. */
#define DMABUF_TRACK_CONSERVATIVE	0	/* every page is reported by every call */
#define DMABUF_TRACK_EXACT		1	/* CPUs by the page, devices by direction */

/**
 * struct dmabuf_memtype_track - learn which pages of a DMA-buf are written
 * @fd:		in: DMA-buf file descriptor
 * @flags:	in: must be 0
 * @tracker:	out: file descriptor (O_CLOEXEC) that takes
 *		DMABUF_MEMTYPE_GET_WRITTEN; closing it ends the tracking. It holds
 *		the buffer.
 * @precision:	out: DMABUF_TRACK_*
 * @nr_pages:	out: size of the buffer in pages of 4 KiB
 * @reserved:	in: must be 0
 *
 * Every write after the return is reported. A buffer has at most one tracker.
 * Errors: see docs/uapi.md.
 */
struct dmabuf_memtype_track {
	__s32 fd;
	__u32 flags;
	__s32 tracker;
	__u32 precision;
	__u64 nr_pages;
	__u64 reserved[2];
};

#define DMABUF_MEMTYPE_TRACK	_IOWR(0xDB, 0x41, struct dmabuf_memtype_track)

/* Who can write the buffer. */
#define DMABUF_WRITER_CPU_MAPPING	(1 << 0)	/* a shared writable mapping */
#define DMABUF_WRITER_DEVICE		(1 << 1)	/* mapped for a device that may write */
#define DMABUF_WRITER_FENCE		(1 << 2)	/* a write fence has not signalled */
#define DMABUF_WRITER_CPU_ACCESS	(1 << 3)	/* begin_cpu_access to write */
#define DMABUF_WRITER_KERNEL		(1 << 4)	/* mapped into the kernel (vmap) */

/**
 * struct dmabuf_memtype_written - which pages were written, and track them anew
 * @first_page:	in: first page of the range asked about
 * @nr_pages:	in: number of its pages; not 0
 * @bitmap:	in: user address of (nr_pages + 63) / 64 __u64, which are overwritten:
 *		bit 0 of the first is @first_page; bits from @nr_pages on are 0
 * @flags:	in: must be 0
 * @writers:	out: DMABUF_WRITER_* of now
 * @nr_written:	out: bits that are set
 * @reserved:	in: must be 0
 *
 * A page's bit is set if it was written since DMABUF_MEMTYPE_TRACK or since it was
 * reported last. A page that is read after the call is read with all writes that
 * the call reported; a later write is reported by a later call. On an error no
 * page is forgotten. All pages stay written while DMABUF_WRITER_DEVICE, _FENCE
 * or _KERNEL is set, and are reported once more after that. Errors: see docs/uapi.md.
 */
struct dmabuf_memtype_written {
	__u64 first_page;
	__u64 nr_pages;
	__u64 bitmap;
	__u32 flags;
	__u32 writers;
	__u64 nr_written;
	__u64 reserved;
};

#define DMABUF_MEMTYPE_GET_WRITTEN	_IOWR(0xDB, 0x42, struct dmabuf_memtype_written)

#endif /* _UAPI_LINUX_DMABUF_MEMTYPE_H */
