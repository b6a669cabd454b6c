/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host-visible window: one memslot over a PROT_NONE reservation, into which
 * the buffers that vhost-user back-ends hand over are mapped. A guest access to a part
 * without a buffer ends in KVM_EXIT_MEMORY_FAULT or EFAULT, never in memory. Buffers
 * come and go without a change of memslots.
 *
 * Behind the BAR of a device the slot is where the guest has the BAR, if anywhere
 * (window__place(), from vCPU threads); else it stays at --window-base.
 *
 * Filled by the vhost-user front-end (event loop); read by the control socket
 * and by the migration thread, which freezes it first.
 */
#ifndef VMM_WINDOW_H
#define VMM_WINDOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/error.h"
#include "vmm/memtype.h"

struct frontend;
struct vm;

#define WINDOW_MAX_BUFFERS	16384u	/* each has an fd and a mapping of the process */
#define BUFFER_NAME_MAX		32	/* with the NUL, as in the kernel's DMA_BUF_SET_NAME */

struct buffer {
	char name[BUFFER_NAME_MAX];	/* the DMA-buf's own name, else bufferN; unique */
	char exporter[BUFFER_NAME_MAX];	/* exp_name of the DMA-buf */
	int fd;				/* the DMA-buf */
	uint64_t offset;		/* in the window; page aligned; the buffer's identity */
	uint64_t fd_offset;		/* in the DMA-buf */
	uint64_t size;			/* bytes mapped; page aligned */
	void *hva;			/* the VMM's mapping, shared, read-write */
	bool bound;			/* KVM_SET_DMA_BUF holds */
	struct memtype_answers types;	/* what kernel, mapping and exporter say */
	uint32_t memtype;		/* the one type they agree on: DMABUF_MEMTYPE_* */
	uint32_t map_info;		/* VIRTIO_GPU_MAP_CACHE_*, as told to the guest */
	const struct frontend *owner;	/* whose back-end it came from */
};

struct window {
	uint64_t size;
	uint64_t reserved;		/* bytes at hva */
	uint8_t *hva;			/* the reservation */
	uint32_t slot;			/* VM_SLOT_WINDOW */

	pthread_mutex_t lock;		/* guards what follows */
	uint64_t gpa;
	bool placed;			/* the guest has the memslot */
	struct buffer **buffers;	/* by offset, ascending */
	unsigned int nr_buffers;
	unsigned int room;		/* for that many pointers */
	void *names;			/* the same buffers, tsearch(3) by name */
	unsigned int frozen;		/* > 0: no buffer comes or goes */
};

int window__init(struct window *win, uint64_t gpa, uint64_t size, struct error *err);
void window__exit(struct window *win);

/*
 * From now on it is @size bytes, a power of two, behind a BAR that decodes nothing yet.
 * While the machine is built. -ERANGE: --window-size is less, or --window-base not aligned.
 */
int window__become_bar(struct vm *vm, uint64_t size, struct error *err);
/* The guest has the BAR at @gpa now, or (not @decoded) nowhere. */
int window__place(struct vm *vm, bool decoded, uint64_t gpa, struct error *err);

/*
 * While frozen, the set of buffers, their mappings and bindings stay as they
 * are: SHMEM_MAP and _UNMAP are answered with an error. Nests. Between freeze
 * and thaw buffers[] may be read without the lock.
 */
void window__freeze(struct window *win);
void window__thaw(struct window *win);

/* The buffer that covers @offset, or NULL. The caller holds the lock or froze. */
struct buffer *window__lookup(struct window *win, uint64_t offset);
struct buffer *window__find(struct window *win, const char *name);

/*
 * Map, bind and compare a DMA-buf. Takes @fd over in every case. On success
 * *@out is the new buffer; on failure nothing is left of it and @err names the
 * values that disagree.
 *   -EINVAL alignment, size 0       -ERANGE beyond the window or the buffer
 *   -EEXIST overlaps a buffer, or another has its name
 *   -EBUSY frozen                   -ENXIO the guest has switched the BAR off
 *   -EBADFD not a DMA-buf           -ENOSPC more than WINDOW_MAX_BUFFERS
 *   -EMEDIUMTYPE the answers about the type disagree
 *   and what mmap and KVM_SET_DMA_BUF return
 */
int window__map(struct vm *vm, const struct frontend *owner, int fd, uint64_t fd_offset,
		uint64_t offset, uint64_t size, struct buffer **out, struct error *err);

/* Exactly a buffer that was mapped, by the owner that mapped it. -ENOENT, -EBUSY */
int window__unmap(struct vm *vm, const struct frontend *owner, uint64_t offset, uint64_t size,
		  struct error *err);
/* All of that owner's. -EBUSY, or the first failure; the rest goes all the same. */
int window__unmap_all(struct vm *vm, const struct frontend *owner, struct error *err);

/*
 * Before the guest runs on after a pause: bind again what went stale, and check that
 * every buffer still has the type that the guest was told. -EMEDIUMTYPE where one has
 * not, and what KVM_SET_DMA_BUF returns.
 */
int window__refresh(struct vm *vm, struct error *err);

#endif /* VMM_WINDOW_H */
