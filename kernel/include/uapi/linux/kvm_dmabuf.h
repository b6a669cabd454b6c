/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * KVM and DMA-bufs: bind ranges of guest memory to the buffer behind them, and
 * ask which memory type a guest page has. All ioctls are issued on the VM fd,
 * by the process that created the VM (others get EIO, as for every KVM VM
 * ioctl). docs/uapi.md lists every errno.
 */
#ifndef _UAPI_LINUX_KVM_DMABUF_H
#define _UAPI_LINUX_KVM_DMABUF_H

#include <linux/ioctl.h>
#include <linux/kvm.h>
#include <linux/types.h>

/* KVM_CHECK_EXTENSION: mask of KVM_DMA_BUF_HAS_*, 0 on a stock KVM */
#define KVM_CAP_DMA_BUF			0x44504154

#define KVM_DMA_BUF_HAS_BIND		(1 << 0)	/* KVM_SET_DMA_BUF; needs EPT or NPT */
#define KVM_DMA_BUF_HAS_MEMTYPE		(1 << 1)	/* KVM_GET_MEMTYPE */
#define KVM_DMA_BUF_HAS_REGION_LIST	(1 << 2)	/* KVM_SET_USER_MEMORY_REGION_LIST */
#define KVM_DMA_BUF_HAS_WRITE_PROTECT_ALL (1 << 3)	/* KVM_WRITE_PROTECT_ALL_MEM */
#define KVM_DMA_BUF_HAS_MAPPED_LOG	(1 << 4)	/* KVM_GET_MAPPED_LOG */

/**
 * struct kvm_dma_buf - bind [guest_phys_addr, +size) of a memslot to a DMA-buf
 * @guest_phys_addr:	in: bytes, page aligned; in one memslot as a whole
 * @size:		in: bytes, page aligned, not 0
 * @dmabuf_offset:	in: bytes, page aligned: where in the buffer the range starts
 * @dmabuf_fd:		in: the buffer; -1 unbinds exactly the range given
 * @flags:		in: must be 0
 * @memtype:		out: host type now in force, DMABUF_MEMTYPE_* numbers
 * @reserved:		in: must be 0
 *
 * The caller maps the same buffer with the same type, shared, at the slot's
 * host address. A bind over a range whose binding went stale replaces it.
 */
struct kvm_dma_buf {
	__u64 guest_phys_addr;
	__u64 size;
	__u64 dmabuf_offset;
	__s32 dmabuf_fd;
	__u32 flags;
	__u32 memtype;
	__u32 reserved[7];
};

#define KVM_SET_DMA_BUF		_IOWR(0xDB, 0x00, struct kvm_dma_buf)

/*
 * BOUND: a binding covers the page. FROM_HOST: none does, and the leaf's type is
 * that of the host mapping. MAPPED: there is a leaf now, else @leaf_memtype is
 * that of the leaf to come. STALE: bound, but not valid any more, an access exits.
 */
#define KVM_MEMTYPE_BOUND		(1 << 0)
#define KVM_MEMTYPE_FROM_HOST		(1 << 1)
#define KVM_MEMTYPE_IGNORES_GUEST_PAT	(1 << 2)
#define KVM_MEMTYPE_MAPPED		(1 << 3)
#define KVM_MEMTYPE_STALE		(1 << 4)

/**
 * struct kvm_memtype - what KVM does for one guest page, and why
 * @guest_phys_addr:	in: bytes, any address in the page
 * @host_memtype:	out: type of the host's own mapping of the page
 * @leaf_memtype:	out: type in the EPT/NPT leaf
 * @flags:		out: KVM_MEMTYPE_*
 * @reserved:		in: must be 0
 */
struct kvm_memtype {
	__u64 guest_phys_addr;
	__u32 host_memtype;
	__u32 leaf_memtype;
	__u32 flags;
	__u32 reserved[9];
};

#define KVM_GET_MEMTYPE		_IOWR(0xDB, 0x01, struct kvm_memtype)

enum kvm_region_op {
	KVM_REGION_CREATE,	/* a slot that does not exist */
	KVM_REGION_DELETE,	/* slot and dirty_bitmap alone are looked at */
	KVM_REGION_MOVE,	/* guest_phys_addr changes, nothing else */
	KVM_REGION_FLAGS,	/* KVM_MEM_LOG_DIRTY_PAGES changes, nothing else */
};

/**
 * struct kvm_user_memory_region_op - one change of the memslots
 * @op:			in: enum kvm_region_op
 * @slot:		in: id; bits 31:16 are the address space, the same in all of a list
 * @flags:		in: KVM_MEM_*, as they shall be
 * @pad:		in: must be 0
 * @guest_phys_addr:	in: bytes, page aligned, as it shall be
 * @memory_size:	in: bytes, page aligned
 * @userspace_addr:	in: page aligned
 * @dirty_bitmap:	in: _DELETE of a slot with a dirty bitmap: address of a bitmap of
 *			the slot's pages (as of KVM_GET_DIRTY_LOG) for the dirty bits that no
 *			other slot takes over; 0: not wanted
 * @reserved:		in: must be 0
 */
struct kvm_user_memory_region_op {
	__u32 op;
	__u32 slot;
	__u32 flags;
	__u32 pad;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
	__u64 dirty_bitmap;
	__u64 reserved[2];
};

/**
 * struct kvm_user_memory_region_list - changes that become visible at once, or not
 * @nent:	in: number of entries
 * @flags:	in: must be 0
 * @entries:	in: address of struct kvm_user_memory_region_op [nent]; each slot once
 * @reserved:	in: must be 0. Out, on an error from an entry: reserved[0] is its index;
 *		nent where no entry is at fault
 *
 * A guest access to a page which is covered before and after never leaves for it. What
 * KVM itself does with guest memory in between (an instruction that it emulates, tables of
 * a nested guest) finds a page that goes and comes back missing: stop the vCPUs where
 * that can happen.
 * The dirty bits of a deleted slot go to the slots that cover the same guest pages
 * afterwards, the rest to @dirty_bitmap.
 */
struct kvm_user_memory_region_list {
	__u32 nent;
	__u32 flags;
	__u64 entries;
	__u64 reserved[2];
};

#define KVM_SET_USER_MEMORY_REGION_LIST	_IOW(0xDB, 0x02, struct kvm_user_memory_region_list)

/*
 * Write-protect all memory of the VM, in time that does not depend on its size, so
 * that the next write to each page of a logged slot is logged again.
 *
 * From the first call on, nothing else protects: KVM_GET_DIRTY_LOG,
 * KVM_CLEAR_DIRTY_LOG and KVM_RESET_DIRTY_RINGS hand out and clear what was logged
 * and leave the pages writable, and switching a slot's log on takes constant time.
 * So, in each round: take what was logged of all slots, call this, then read the
 * pages. A page written in between is in what was taken, or will be logged.
 */
#define KVM_WRITE_PROTECT_ALL_MEM	_IO(0xDB, 0x03)

/* One bit for each page of a slot: second-stage tables map it, at whatever size. */
#define KVM_GET_MAPPED_LOG		_IOW(0xDB, 0x04, struct kvm_dirty_log)

#endif /* _UAPI_LINUX_KVM_DMABUF_H */
