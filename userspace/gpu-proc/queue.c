// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtqueue of the guest's virtio-gpu driver: a split ring without indirect
 * descriptors and without event index, for neither is offered. Every request
 * is answered with VIRTIO_GPU_RESP_ERR_UNSPEC, for nothing is rendered here
 * yet. Called by session.c. Everything in the rings is the guest's, and may
 * change while it is read.
 */
#include "queue.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>

struct rings {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

/* A request of the driver: the readable, then the writable bytes of one chain. */
struct chain {
	struct virtio_gpu_ctrl_hdr hdr;		/* what was read of it */
	size_t hdr_len;
	struct virtio_gpu_ctrl_hdr response;
	size_t written;
};

void queue_init(struct queue *queue, const char *name)
{
	*queue = (struct queue){ .name = name, .kick = -1, .call = -1, .err = -1 };
}

static void close_event(int *slot)
{
	if (*slot >= 0)
		close(*slot);
	*slot = -1;
}

void queue_reset(struct queue *queue)
{
	close_event(&queue->kick);
	close_event(&queue->call);
	close_event(&queue->err);
	queue_init(queue, queue->name);
}

int queue_set_num(struct queue *queue, uint32_t num)
{
	if (!num || num > QUEUE_SIZE_MAX || num & (num - 1)) {
		log_error("%s queue: %u descriptors, must be a power of two up to %d", queue->name,
			  num, QUEUE_SIZE_MAX);
		return -1;
	}
	queue->num = num;
	return 0;
}

int queue_set_addr(struct queue *queue, const struct vhost_vring_addr *addr)
{
	if (addr->flags & ~(1u << VHOST_VRING_F_LOG)) {
		log_error("%s queue: flags 0x%x, only 0x%x is known", queue->name, addr->flags,
			  1u << VHOST_VRING_F_LOG);
		return -1;
	}
	if (addr->flags && addr->log_guest_addr % VRING_USED_ALIGN_SIZE) {
		log_error("%s queue: used ring to be logged at guest 0x%llx, must be a multiple of %d",
			  queue->name, (unsigned long long)addr->log_guest_addr,
			  VRING_USED_ALIGN_SIZE);
		return -1;
	}
	if (addr->desc_user_addr % VRING_DESC_ALIGN_SIZE ||
	    addr->avail_user_addr % VRING_AVAIL_ALIGN_SIZE ||
	    addr->used_user_addr % VRING_USED_ALIGN_SIZE) {
		log_error("%s queue: descriptors at 0x%llx, available ring at 0x%llx, used ring at 0x%llx: must be multiples of %d, %d, %d",
			  queue->name, (unsigned long long)addr->desc_user_addr,
			  (unsigned long long)addr->avail_user_addr,
			  (unsigned long long)addr->used_user_addr, VRING_DESC_ALIGN_SIZE,
			  VRING_AVAIL_ALIGN_SIZE, VRING_USED_ALIGN_SIZE);
		return -1;
	}
	queue->addr = *addr;
	return 0;
}

int queue_set_base(struct queue *queue, uint32_t base)
{
	if (base > UINT16_MAX) {
		log_error("%s queue: index %u, must be below 65536", queue->name, base);
		return -1;
	}
	queue->next_avail = base;
	return 0;
}

int queue_set_event(struct queue *queue, int *slot, int fd)
{
	int flags;

	/* Its peer must not be able to hold up the main loop. */
	if (fd >= 0) {
		flags = fcntl(fd, F_GETFL);
		if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
			log_error("%s queue: cannot make an event fd non-blocking: %m",
				  queue->name);
			return -1;
		}
	}
	close_event(slot);
	*slot = fd;
	return 0;
}

uint16_t queue_stop(struct queue *queue)
{
	queue->started = false;
	close_event(&queue->kick);
	close_event(&queue->call);
	return queue->next_avail;
}

static void signal_event(int fd)
{
	uint64_t one = 1;
	ssize_t ret;

	if (fd < 0)
		return;
	/* Full is as good as written: it is readable. */
	ret = write(fd, &one, sizeof(one));
	(void)ret;
}

/* The ring cannot be used any more, until it is set up again. */
static void queue_break(struct queue *queue)
{
	queue->started = false;
	close_event(&queue->kick);
	signal_event(queue->err);
}

static uint64_t used_len(const struct queue *queue)
{
	const struct vring_used *used = NULL;

	return sizeof(*used) + sizeof(used->ring[0]) * queue->num;
}

static int find_rings(const struct queue *queue, const struct guest_memory *memory,
		      struct rings *rings)
{
	const struct vhost_vring_addr *addr = &queue->addr;

	rings->desc = guest_memory_from_user(memory, addr->desc_user_addr,
					     sizeof(*rings->desc) * queue->num);
	rings->avail = guest_memory_from_user(memory, addr->avail_user_addr,
					      sizeof(*rings->avail) +
					      sizeof(rings->avail->ring[0]) * queue->num);
	rings->used = guest_memory_from_user(memory, addr->used_user_addr, used_len(queue));
	if (queue->num && rings->desc && rings->avail && rings->used)
		return 0;
	log_error("%s queue: kicked, but its %u descriptors at 0x%llx, available ring at 0x%llx, used ring at 0x%llx are not in the guest's memory",
		  queue->name, queue->num, (unsigned long long)addr->desc_user_addr,
		  (unsigned long long)addr->avail_user_addr,
		  (unsigned long long)addr->used_user_addr);
	return -1;
}

/*
 * The used ring's own writes are logged by an address of their own, which need not be
 * that of the ring.
 */
static int check_log(const struct queue *queue, const struct guest_memory *memory)
{
	const struct vhost_vring_addr *addr = &queue->addr;

	if (!addr->flags || !memory->log.map ||
	    guest_memory_logs(memory, addr->log_guest_addr, used_len(queue)))
		return 0;
	log_error("%s queue: its used ring, 0x%llx bytes to be logged at guest 0x%llx, is beyond the dirty log",
		  queue->name, (unsigned long long)used_len(queue),
		  (unsigned long long)addr->log_guest_addr);
	return -1;
}

static void mark_used(const struct queue *queue, const struct guest_memory *memory,
		      uint64_t offset, uint64_t len)
{
	if (queue->addr.flags)
		guest_memory_mark(memory, queue->addr.log_guest_addr + offset, len);
}

/* Read from, or write to, the bytes that one descriptor stands for. */
static int move_bytes(struct queue *queue, const struct guest_memory *memory,
		      const struct vring_desc *desc, struct chain *chain)
{
	size_t *done = desc->flags & VRING_DESC_F_WRITE ? &chain->written : &chain->hdr_len;
	size_t len = sizeof(chain->hdr) - *done;
	void *guest;

	guest = guest_memory_from_guest(memory, desc->addr, desc->len);
	if (!guest) {
		log_error("%s queue: a descriptor of 0x%x bytes at 0x%llx is not in the guest's memory",
			  queue->name, desc->len, (unsigned long long)desc->addr);
		return -1;
	}
	if (len > desc->len)
		len = desc->len;
	if (desc->flags & VRING_DESC_F_WRITE) {
		memcpy(guest, (char *)&chain->response + *done, len);
		guest_memory_mark(memory, desc->addr, len);
	} else {
		memcpy((char *)&chain->hdr + *done, guest, len);
	}
	*done += len;
	return 0;
}

/* A fenced request wants its fence back, also with an error. */
static void make_response(struct chain *chain)
{
	const struct virtio_gpu_ctrl_hdr *hdr = &chain->hdr;

	chain->response = (struct virtio_gpu_ctrl_hdr){ .type = VIRTIO_GPU_RESP_ERR_UNSPEC };
	if (chain->hdr_len == sizeof(*hdr) && hdr->flags & VIRTIO_GPU_FLAG_FENCE) {
		chain->response.flags = VIRTIO_GPU_FLAG_FENCE;
		chain->response.fence_id = hdr->fence_id;
		chain->response.ctx_id = hdr->ctx_id;
	}
}

/* Each field once: the guest may change it between check and use. */
static struct vring_desc read_desc(const struct vring_desc *desc)
{
	return (struct vring_desc){
		.addr = __atomic_load_n(&desc->addr, __ATOMIC_RELAXED),
		.len = __atomic_load_n(&desc->len, __ATOMIC_RELAXED),
		.flags = __atomic_load_n(&desc->flags, __ATOMIC_RELAXED),
		.next = __atomic_load_n(&desc->next, __ATOMIC_RELAXED),
	};
}

static int answer_chain(struct queue *queue, const struct guest_memory *memory,
			const struct rings *rings, uint16_t head, struct chain *chain)
{
	bool writable = false;
	struct vring_desc desc;
	uint32_t count, i = head;

	for (count = 0; count < queue->num; count++) {
		if (i >= queue->num) {
			log_error("%s queue: descriptor %u, but there are only %u", queue->name, i,
				  queue->num);
			return -1;
		}
		desc = read_desc(&rings->desc[i]);
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			log_error("%s queue: descriptor %u is indirect: not negotiated",
				  queue->name, i);
			return -1;
		}
		if (desc.flags & VRING_DESC_F_WRITE && !writable) {
			writable = true;
			make_response(chain);
		} else if (!(desc.flags & VRING_DESC_F_WRITE) && writable) {
			log_error("%s queue: descriptor %u is readable behind a writable one",
				  queue->name, i);
			return -1;
		}
		if (move_bytes(queue, memory, &desc, chain) < 0)
			return -1;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return 0;
		i = desc.next;
	}
	log_error("%s queue: the chain of descriptor %u has more than %u: a loop", queue->name,
		  head, queue->num);
	return -1;
}

void queue_process(struct queue *queue, const struct guest_memory *memory)
{
	bool answered = false;
	struct rings rings;
	uint16_t avail, used;

	if (!queue->started || !queue->enabled)
		return;
	if (find_rings(queue, memory, &rings) < 0 || check_log(queue, memory) < 0)
		goto out_break;

	used = __atomic_load_n(&rings.used->idx, __ATOMIC_RELAXED);
	avail = __atomic_load_n(&rings.avail->idx, __ATOMIC_ACQUIRE);
	if ((uint16_t)(avail - queue->next_avail) > queue->num) {
		log_error("%s queue: available index %u, next to be read %u: more than %u apart",
			  queue->name, avail, queue->next_avail, queue->num);
		goto out_break;
	}
	for (; queue->next_avail != avail; queue->next_avail++) {
		uint16_t *slot = &rings.avail->ring[queue->next_avail & (queue->num - 1)];
		uint16_t head = __atomic_load_n(slot, __ATOMIC_RELAXED);
		struct chain chain = { .hdr_len = 0 };

		if (answer_chain(queue, memory, &rings, head, &chain) < 0)
			goto out_break;
		rings.used->ring[used & (queue->num - 1)] =
			(struct vring_used_elem){ .id = head, .len = chain.written };
		mark_used(queue, memory,
			  offsetof(struct vring_used, ring[used & (queue->num - 1)]),
			  sizeof(rings.used->ring[0]));
		__atomic_store_n(&rings.used->idx, ++used, __ATOMIC_RELEASE);
		mark_used(queue, memory, offsetof(struct vring_used, idx), sizeof(used));
		answered = true;
	}
	if (answered)
		guest_memory_announce(memory);
	/* The driver sees the answers before it is asked whether it wants to be told. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (answered && !(__atomic_load_n(&rings.avail->flags, __ATOMIC_RELAXED) &
			  VRING_AVAIL_F_NO_INTERRUPT))
		signal_event(queue->call);
	return;

out_break:
	queue_break(queue);
}

void queue_kicked(struct queue *queue, const struct guest_memory *memory)
{
	uint64_t count;
	ssize_t ret;

	ret = read(queue->kick, &count, sizeof(count));
	if (ret < 0 && errno == EAGAIN)
		return;
	if (ret != sizeof(count)) {
		log_error("%s queue: its kick fd is not an event fd", queue->name);
		queue_break(queue);
		return;
	}
	queue->started = true;
	queue_process(queue, memory);
}
