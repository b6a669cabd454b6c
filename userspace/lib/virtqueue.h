/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of a split virtqueue (VIRTIO 1.2, 2.7), with indirect descriptors
 * and event index where they are negotiated. Everything in the rings is the driver's
 * and may change at any time: each field is read once, and checked after that.
 * One thread at a time uses a queue.
 */
#ifndef VIRTQUEUE_H
#define VIRTQUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define VIRTQUEUE_SIZE_MAX	1024u
#define VIRTQUEUE_IOV_MAX	(VIRTQUEUE_SIZE_MAX + 2)

struct virtqueue_memory {
	/* [gpa, gpa+len) in this process; NULL where it is not memory of one piece. */
	void *(*translate)(void *opaque, uint64_t gpa, uint64_t len);
	/* The device wrote there. */
	void (*written)(void *opaque, uint64_t gpa, uint64_t len);
	void *opaque;
};

/* The three parts of a queue, in this process. */
struct virtqueue_rings {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint64_t used_gpa;		/* where writes to the used ring are told to be */
	bool used_silent;		/* they are not told at all */
};

struct virtqueue {
	struct virtqueue_memory memory;
	uint32_t num;
	struct virtqueue_rings rings;
	bool event_idx;			/* VIRTIO_F_EVENT_IDX */
	bool indirect;			/* VIRTIO_F_INDIRECT_DESC */
	uint16_t next_avail;
	uint16_t next_used;
	uint16_t signalled_used;	/* index at which the driver was last told */
	bool signalled_valid;
	const char *broken;		/* why the queue cannot go on; NULL: it can */
};

/* A request: what the driver wrote for the device, then room for the answer. */
struct virtqueue_chain {
	uint16_t head;
	unsigned int nr_out, nr_in;	/* iov[0, nr_out), iov[nr_out, nr_out+nr_in) */
	size_t out_len, in_len;		/* their bytes */
	struct iovec iov[VIRTQUEUE_IOV_MAX];
	uint64_t gpa[VIRTQUEUE_IOV_MAX];
};

/*
 * @num descriptors, a power of two up to VIRTQUEUE_SIZE_MAX; addresses of the guest.
 * 0, or -1 with vq->broken.
 */
int virtqueue_init(struct virtqueue *vq, const struct virtqueue_memory *memory, uint32_t num,
		   uint64_t desc, uint64_t avail, uint64_t used);

/* The same, of parts that the caller has found and checked, as a vhost-user back-end does. */
void virtqueue_init_rings(struct virtqueue *vq, const struct virtqueue_memory *memory,
			  uint32_t num, const struct virtqueue_rings *rings);

/* Bytes that the parts of a queue with @num descriptors have. */
size_t virtqueue_desc_size(uint32_t num);
size_t virtqueue_avail_size(uint32_t num);
size_t virtqueue_used_size(uint32_t num);

/*
 * The next request: 1; 0 there is none, and the driver will kick for the next; -1 the
 * driver broke the rules: vq->broken says how, and nothing more comes.
 */
int virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *chain);

/* The request popped last was not looked at: it comes again. */
void virtqueue_unpop(struct virtqueue *vq);

/* Give it back with @len bytes written to its iovecs from nr_out on. */
void virtqueue_push(struct virtqueue *vq, const struct virtqueue_chain *chain, uint32_t len);

/* The same for a request whose answer was written, and told to be, by other means. */
void virtqueue_push_head(struct virtqueue *vq, uint16_t head, uint32_t len);

/* After a push: does the driver want to be interrupted? Ask once per batch. */
bool virtqueue_wants_signal(struct virtqueue *vq);

/* Copy to and from a chain; return how many bytes there were. */
size_t virtqueue_read(const struct virtqueue_chain *chain, size_t offset, void *data, size_t len);
size_t virtqueue_write(const struct virtqueue_chain *chain, size_t offset, const void *data,
		       size_t len);

#endif /* VIRTQUEUE_H */
