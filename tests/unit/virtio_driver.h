/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For unit tests: the driver's side of a split virtqueue in a piece of memory that
 * stands for the guest's. It breaks the rules when a test tells it to.
 */
#ifndef UNIT_VIRTIO_DRIVER_H
#define UNIT_VIRTIO_DRIVER_H

#include <stdint.h>
#include <string.h>

#include <linux/virtio_ring.h>

#define DRIVER_NUM	8u
#define DRIVER_DESC	0x1000u
#define DRIVER_AVAIL	0x2000u
#define DRIVER_USED	0x3000u
#define DRIVER_TABLE	0x4000u		/* of an indirect descriptor */
#define DRIVER_DATA	0x8000u

struct driver {
	uint8_t *ram;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t next_desc;
};

static inline void driver_init(struct driver *d, void *ram)
{
	*d = (struct driver) { .ram = ram };
	d->desc = (void *)(d->ram + DRIVER_DESC);
	d->avail = (void *)(d->ram + DRIVER_AVAIL);
	d->used = (void *)(d->ram + DRIVER_USED);
	memset(d->ram + DRIVER_DESC, 0, DRIVER_DATA - DRIVER_DESC);
}

/* Fill descriptor @i; a @next of 0 or more makes the chain go on there. */
static inline void driver_desc(struct vring_desc *table, uint16_t i, uint64_t gpa, uint32_t len,
			       uint16_t flags, int next)
{
	table[i] = (struct vring_desc) {
		.addr = gpa, .len = len, .next = next < 0 ? 0 : next,
		.flags = flags | (next < 0 ? 0 : VRING_DESC_F_NEXT),
	};
}

static inline void driver_offer(struct driver *d, uint16_t head)
{
	d->avail->ring[d->avail->idx % DRIVER_NUM] = head;
	__atomic_store_n(&d->avail->idx, d->avail->idx + 1, __ATOMIC_RELEASE);
}

#endif /* UNIT_VIRTIO_DRIVER_H */
