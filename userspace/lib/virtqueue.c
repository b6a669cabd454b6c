// SPDX-License-Identifier: GPL-2.0-or-later
/* The device's side of a split virtqueue; see virtqueue.h. */
#include "virtqueue.h"

#include <string.h>

#include <linux/virtio_ring.h>

static int fail(struct virtqueue *vq, const char *why)
{
	vq->broken = why;
	return -1;
}

static uint16_t load16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void *translate(const struct virtqueue *vq, uint64_t gpa, uint64_t len)
{
	return vq->memory.translate(vq->memory.opaque, gpa, len);
}

size_t virtqueue_desc_size(uint32_t num)
{
	return sizeof(struct vring_desc) * num;
}

size_t virtqueue_avail_size(uint32_t num)
{
	/* With used_event behind the ring. */
	return sizeof(struct vring_avail) + sizeof(uint16_t) * ((size_t)num + 1);
}

size_t virtqueue_used_size(uint32_t num)
{
	/* With avail_event behind the ring. */
	return sizeof(struct vring_used) + sizeof(struct vring_used_elem) * num + sizeof(uint16_t);
}

void virtqueue_init_rings(struct virtqueue *vq, const struct virtqueue_memory *memory,
			  uint32_t num, const struct virtqueue_rings *rings)
{
	*vq = (struct virtqueue) { .memory = *memory, .num = num, .rings = *rings };
	vq->next_used = load16(&rings->used->idx);
}

int virtqueue_init(struct virtqueue *vq, const struct virtqueue_memory *memory, uint32_t num,
		   uint64_t desc, uint64_t avail, uint64_t used)
{
	struct virtqueue_rings rings = { .used_gpa = used };

	*vq = (struct virtqueue) { .memory = *memory };
	if (!num || num > VIRTQUEUE_SIZE_MAX || num & (num - 1))
		return fail(vq, "its size is not a power of two up to 1024");
	if (desc % VRING_DESC_ALIGN_SIZE || avail % VRING_AVAIL_ALIGN_SIZE ||
	    used % VRING_USED_ALIGN_SIZE)
		return fail(vq, "a ring is not aligned");
	rings.desc = translate(vq, desc, virtqueue_desc_size(num));
	rings.avail = translate(vq, avail, virtqueue_avail_size(num));
	rings.used = translate(vq, used, virtqueue_used_size(num));
	if (!rings.desc || !rings.avail || !rings.used)
		return fail(vq, "a ring is not in the guest's memory");
	virtqueue_init_rings(vq, memory, num, &rings);
	return 0;
}

/* An indirect table may stand at any address. */
static struct vring_desc read_desc(const void *table, uint32_t i)
{
	struct vring_desc d;

	memcpy(&d, (const char *)table + i * sizeof(d), sizeof(d));
	/* Not read from there again, whatever the compiler knows about memcpy(). */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return d;
}

static int add_segment(struct virtqueue *vq, struct virtqueue_chain *chain,
		       const struct vring_desc *d)
{
	unsigned int n = chain->nr_out + chain->nr_in;
	bool in = d->flags & VRING_DESC_F_WRITE;
	void *hva;

	if (!in && chain->nr_in)
		return fail(vq, "a descriptor to be read stands behind one to be written");
	if (n == VIRTQUEUE_IOV_MAX)
		return fail(vq, "a chain has more descriptors than the queue");
	hva = translate(vq, d->addr, d->len);
	if (!hva)
		return fail(vq, "a descriptor is not in the guest's memory");
	chain->iov[n] = (struct iovec) { .iov_base = hva, .iov_len = d->len };
	chain->gpa[n] = d->addr;
	*(in ? &chain->nr_in : &chain->nr_out) += 1;
	*(in ? &chain->in_len : &chain->out_len) += d->len;
	return 0;
}

/* A table of descriptors, from @i on. An indirect one leads to a table of its own, once. */
static int read_chain(struct virtqueue *vq, struct virtqueue_chain *chain,
		      const void *table, uint32_t num, uint32_t i, bool nested)
{
	const void *inner;
	struct vring_desc d;
	uint32_t count;

	for (count = 0; count < num; count++) {
		if (i >= num)
			return fail(vq, "a descriptor's number is beyond its table");
		d = read_desc(table, i);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!vq->indirect || nested)
				return fail(vq, "an indirect descriptor where none may be");
			if (d.flags & VRING_DESC_F_NEXT || d.len % sizeof(d) || !d.len ||
			    d.len / sizeof(d) > vq->num)
				return fail(vq, "an indirect descriptor's table is malformed");
			inner = translate(vq, d.addr, d.len);
			if (!inner)
				return fail(vq, "an indirect table is not in the guest's memory");
			return read_chain(vq, chain, inner, d.len / sizeof(d), 0, true);
		}
		if (add_segment(vq, chain, &d) < 0)
			return -1;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return 0;
		i = d.next;
	}
	return fail(vq, "a chain is longer than its table: a loop");
}

static uint16_t *avail_event(const struct virtqueue *vq)
{
	return (uint16_t *)&vq->rings.used->ring[vq->num];
}

/* The device wrote to the used ring, there. */
static void used_written(const struct virtqueue *vq, const void *p, uint64_t len)
{
	const struct virtqueue_rings *r = &vq->rings;

	if (!r->used_silent)
		vq->memory.written(vq->memory.opaque,
				   r->used_gpa + ((const char *)p - (const char *)r->used), len);
}

int virtqueue_pop(struct virtqueue *vq, struct virtqueue_chain *chain)
{
	uint16_t avail;

	if (vq->broken)
		return -1;
	avail = __atomic_load_n(&vq->rings.avail->idx, __ATOMIC_ACQUIRE);
	if (avail == vq->next_avail && vq->event_idx) {
		/* Say from where on to kick, then look again: it may have come meanwhile. */
		__atomic_store_n(avail_event(vq), avail, __ATOMIC_RELAXED);
		used_written(vq, avail_event(vq), sizeof(uint16_t));
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		avail = __atomic_load_n(&vq->rings.avail->idx, __ATOMIC_ACQUIRE);
	}
	if (avail == vq->next_avail)
		return 0;
	if ((uint16_t)(avail - vq->next_avail) > vq->num)
		return fail(vq, "more requests are available than the queue holds");

	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;
	chain->head = load16(&vq->rings.avail->ring[vq->next_avail & (vq->num - 1)]);
	if (read_chain(vq, chain, vq->rings.desc, vq->num, chain->head, false) < 0)
		return -1;
	vq->next_avail++;
	return 1;
}

void virtqueue_unpop(struct virtqueue *vq)
{
	vq->next_avail--;
}

void virtqueue_push_head(struct virtqueue *vq, uint16_t head, uint32_t len)
{
	struct vring_used *used = vq->rings.used;
	struct vring_used_elem *elem = &used->ring[vq->next_used & (vq->num - 1)];

	*elem = (struct vring_used_elem) { .id = head, .len = len };
	used_written(vq, elem, sizeof(*elem));
	__atomic_store_n(&used->idx, ++vq->next_used, __ATOMIC_RELEASE);
	used_written(vq, &used->idx, sizeof(used->idx));
}

void virtqueue_push(struct virtqueue *vq, const struct virtqueue_chain *chain, uint32_t len)
{
	uint32_t left = len;
	unsigned int i;

	for (i = chain->nr_out; i < chain->nr_out + chain->nr_in && left; i++) {
		uint32_t n = chain->iov[i].iov_len < left ? chain->iov[i].iov_len : left;

		vq->memory.written(vq->memory.opaque, chain->gpa[i], n);
		left -= n;
	}
	virtqueue_push_head(vq, chain->head, len);
}

bool virtqueue_wants_signal(struct virtqueue *vq)
{
	uint16_t old = vq->signalled_used, event;
	bool valid = vq->signalled_valid;

	/* The driver sees what was pushed before it is asked. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->event_idx)
		return !(load16(&vq->rings.avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	vq->signalled_used = vq->next_used;
	vq->signalled_valid = true;
	event = load16(&vq->rings.avail->ring[vq->num]);
	return !valid || vring_need_event(event, vq->next_used, old);
}

static size_t copy(const struct iovec *iov, unsigned int n, size_t offset, uint8_t *to,
		   const uint8_t *from, size_t len)
{
	size_t done = 0, part;
	unsigned int i;

	for (i = 0; i < n && done < len; i++) {
		if (offset >= iov[i].iov_len) {
			offset -= iov[i].iov_len;
			continue;
		}
		part = iov[i].iov_len - offset;
		if (part > len - done)
			part = len - done;
		if (to)
			memcpy(to + done, (uint8_t *)iov[i].iov_base + offset, part);
		else
			memcpy((uint8_t *)iov[i].iov_base + offset, from + done, part);
		done += part;
		offset = 0;
	}
	return done;
}

size_t virtqueue_read(const struct virtqueue_chain *chain, size_t offset, void *data, size_t len)
{
	return copy(chain->iov, chain->nr_out, offset, data, NULL, len);
}

size_t virtqueue_write(const struct virtqueue_chain *chain, size_t offset, const void *data,
		       size_t len)
{
	return copy(chain->iov + chain->nr_out, chain->nr_in, offset, NULL, data, len);
}
