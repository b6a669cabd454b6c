/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Commands of dmapat_mock.ko on /dev/dmapat-mock: a DMA-buf exporter and
 * importer that do what a test tells them, and a witness of page tables that
 * shares no code with what is tested. For test programs; never installed.
 *
 * Memory types are DMABUF_MEMTYPE_* (architectural numbers). Every ioctl fails
 * with EINVAL on unknown flags or types, EBADF or EBADFD on an fd that is not
 * open or no DMA-buf, and ENXIO where a buffer of the mock is wanted and the
 * DMA-buf is another exporter's.
 */
#ifndef DMAPAT_MOCK_H
#define DMAPAT_MOCK_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* How a buffer is made */
#define DMAPAT_MOCK_REGISTERED	(1 << 0)	/* dmabuf_memtype.ko can ask the exporter */
#define DMAPAT_MOCK_DYNAMIC	(1 << 1)	/* has pin and unpin: may move */
#define DMAPAT_MOCK_TAILS	(1 << 2)	/* 64 KiB chunks, refcount on first pages only */
#define DMAPAT_MOCK_HUGE	(1 << 3)	/* 2 MiB chunks, mapped by 2 MiB entries */
#define DMAPAT_MOCK_LAZY	(1 << 4)	/* VMA states WB; only the entry has the type */
#define DMAPAT_MOCK_NODE	(1 << 5)	/* a device offset in vm_pgoff, as TTM's */

/**
 * struct dmapat_mock_types - the three places that can state a buffer's type
 * @page:	kernel mapping of the pages: UC, WC or WB
 * @mmap:	user mappings: any type; with DMAPAT_MOCK_HUGE that of @page
 * @says:	what the exporter answers: a type, any other number, or -errno.
 *		Asked only with DMAPAT_MOCK_REGISTERED.
 */
struct dmapat_mock_types {
	__u32 page;
	__u32 mmap;
	__s32 says;
};

/**
 * struct dmapat_mock_create - make a buffer
 * @size:	in: bytes; not 0, multiple of the page or chunk size
 * @types:	in
 * @flags:	in: DMAPAT_MOCK_*
 * @fd:		out: O_RDWR | O_CLOEXEC
 * @reserved:	in: must be 0
 */
struct dmapat_mock_create {
	__u64 size;
	struct dmapat_mock_types types;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
};

/* What a change of a buffer does beside the types; a proper move does all three. */
#define DMAPAT_MOCK_ZAP		(1 << 0)	/* user mappings go, to be faulted in again */
#define DMAPAT_MOCK_NOTIFY	(1 << 1)	/* importers are told (move_notify) */
#define DMAPAT_MOCK_NEW_PAGES	(1 << 2)	/* other pages, same contents; needs _ZAP */

/**
 * struct dmapat_mock_change - move a buffer and/or change its types, at once
 * under its reservation lock
 * @fd:		in: a buffer of the mock
 * @flags:	in: 0 changes the types without telling anybody
 * @types:	in
 * @reserved:	in: must be 0
 *
 * EBUSY: pages that are pinned or mapped into the kernel do not change.
 */
struct dmapat_mock_change {
	__s32 fd;
	__u32 flags;
	struct dmapat_mock_types types;
	__u32 reserved;
};

/* Operations that can be told to fail; a vmap that fails makes the core WARN. */
enum dmapat_mock_op {
	DMAPAT_MOCK_OP_ATTACH,
	DMAPAT_MOCK_OP_PIN,
	DMAPAT_MOCK_OP_MAP_DMA,
	DMAPAT_MOCK_OP_MMAP,
	DMAPAT_MOCK_OP_FAULT,		/* ENOMEM, EAGAIN (inserts nothing), else SIGBUS */
	DMAPAT_MOCK_OP_MEMTYPE,
	DMAPAT_MOCK_OP_COUNT,
};

/**
 * struct dmapat_mock_fail - make future operations on a buffer fail
 * @fd:		in: a buffer of the mock
 * @op:		in: enum dmapat_mock_op
 * @after:	in: operations that still succeed before
 * @error:	in: positive errno; 0 withdraws the command
 * @times:	in: how many fail; 0 means 1
 * @reserved:	in: must be 0
 */
struct dmapat_mock_fail {
	__s32 fd;
	__u32 op;
	__u32 after;
	__u32 error;
	__u32 times;
	__u32 reserved;
};

/**
 * struct dmapat_mock_access - read or write any DMA-buf by its kernel mapping
 * @fd:		in: DMA-buf of any exporter (dma_buf_vmap)
 * @write:	in: 0 reads, 1 writes
 * @offset:	in: bytes
 * @len:	in: bytes, [offset, offset + len) within the buffer, else ERANGE
 * @data:	in: address of the caller's bytes
 */
struct dmapat_mock_access {
	__s32 fd;
	__u32 write;
	__u64 offset;
	__u64 len;
	__u64 data;
};

/**
 * struct dmapat_mock_import - attach any DMA-buf and map it for a device
 * @fd:		in: DMA-buf of any exporter
 * @dynamic:	in: 1 attaches with move_notify, 0 without
 * @dir:	in: enum dma_data_direction, 0 to 2
 * @id:		out: names the import until DMAPAT_MOCK_UNIMPORT or close
 * @dma_bytes:	out: sum over the mapped segments
 * @segments:	out
 * @reserved:	in: must be 0
 */
struct dmapat_mock_import {
	__s32 fd;
	__u32 dynamic;
	__u32 dir;
	__u32 id;
	__u64 dma_bytes;
	__u32 segments;
	__u32 reserved;
};

/**
 * struct dmapat_mock_device_access - the device reads or writes by DMA address
 * @id:		in: import, else ENOENT; ESTALE after a move
 * @write:	in: 0 reads, 1 writes
 * @offset:	in: bytes
 * @len:	in: bytes, within the mapping, else ERANGE
 * @data:	in: address of the caller's bytes
 */
struct dmapat_mock_device_access {
	__u32 id;
	__u32 write;
	__u64 offset;
	__u64 len;
	__u64 data;
};

/* What a driver can keep on a buffer. */
#define DMAPAT_MOCK_HOLD_READ_FENCE	0	/* unsignalled, in the reservation object */
#define DMAPAT_MOCK_HOLD_WRITE_FENCE	1
#define DMAPAT_MOCK_HOLD_VMAP		2	/* a kernel mapping */

/**
 * struct dmapat_mock_hold - keep a fence or a kernel mapping on any DMA-buf
 * @fd:		in: DMA-buf of any exporter
 * @what:	in: DMAPAT_MOCK_HOLD_*
 * @id:		out: names it until DMAPAT_MOCK_LET_GO or close, which signal the fence
 *		or end the mapping; ENOENT for another id
 * @reserved:	in: must be 0
 */
struct dmapat_mock_hold {
	__s32 fd;
	__u32 what;
	__u32 id;
	__u32 reserved;
};

/**
 * struct dmapat_mock_entry - page table entries as the CPU sees them
 * @addr:	in: address in the process; EFAULT where nothing is mapped
 * @user:	out: entry that maps @addr, as it stands in memory
 * @kernel:	out: entry of the kernel's mapping of the same page, 0 if it has none
 * @pfn:	out
 * @pat:	out: IA32_PAT
 * @user_shift:	out: 12, 21 or 30: size of what @user maps
 * @kernel_shift: out: the same for @kernel
 * @refcount:	out: of the page; 0 also where there is no struct page
 * @pid:	in: the process, 0 for the caller; EINVAL below 0, ESRCH where there is
 *		none or it has no memory (a kernel thread, a zombie)
 */
struct dmapat_mock_entry {
	__u64 addr;
	__u64 user;
	__u64 kernel;
	__u64 pfn;
	__u64 pat;
	__u32 user_shift;
	__u32 kernel_shift;
	__s32 refcount;
	__s32 pid;
};

/**
 * struct dmapat_mock_mapping - what dmabuf_memtype_of_mapping() says
 * @addr:	in: address in the caller; EFAULT where nothing is mapped
 * @fault:	in: 1 faults the page in, 0 does not
 * @memtype:	out; its errors are the ioctl's
 */
struct dmapat_mock_mapping {
	__u64 addr;
	__u32 fault;
	__u32 memtype;
};

/**
 * struct dmapat_mock_stats - what is alive, over the whole module
 * @buffers:	out: mock buffers
 * @pages:	out: 4 KiB pages of mock buffers
 * @attachments: out: attachments to mock buffers, by anybody
 * @dma_maps:	out: DMA mappings of mock buffers, by anybody
 * @pins:	out: pins of mock buffers
 * @imports:	out: DMAPAT_MOCK_IMPORTs, of any exporter's buffers
 * @move_notifies: out: calls to the mock as an importer, ever
 * @uncached_pages: out: kernel mappings of RAM that are not WB, anybody's
 */
struct dmapat_mock_stats {
	__u64 buffers;
	__u64 pages;
	__u64 attachments;
	__u64 dma_maps;
	__u64 pins;
	__u64 imports;
	__u64 move_notifies;
	__u64 uncached_pages;
};

#define DMAPAT_MOCK_CREATE	_IOWR(0xDC, 0x00, struct dmapat_mock_create)
#define DMAPAT_MOCK_CHANGE	_IOW(0xDC, 0x01, struct dmapat_mock_change)
#define DMAPAT_MOCK_FAIL	_IOW(0xDC, 0x02, struct dmapat_mock_fail)
#define DMAPAT_MOCK_ACCESS	_IOW(0xDC, 0x03, struct dmapat_mock_access)
#define DMAPAT_MOCK_IMPORT	_IOWR(0xDC, 0x04, struct dmapat_mock_import)
#define DMAPAT_MOCK_UNIMPORT	_IO(0xDC, 0x05)		/* argument: id */
#define DMAPAT_MOCK_DEVICE_ACCESS _IOW(0xDC, 0x06, struct dmapat_mock_device_access)
#define DMAPAT_MOCK_ENTRY	_IOWR(0xDC, 0x07, struct dmapat_mock_entry)
#define DMAPAT_MOCK_STATS	_IOR(0xDC, 0x08, struct dmapat_mock_stats)
#define DMAPAT_MOCK_MAPPING	_IOWR(0xDC, 0x09, struct dmapat_mock_mapping)
#define DMAPAT_MOCK_HOLD	_IOWR(0xDC, 0x0a, struct dmapat_mock_hold)
#define DMAPAT_MOCK_LET_GO	_IO(0xDC, 0x0b)		/* argument: id */

#endif /* DMAPAT_MOCK_H */
