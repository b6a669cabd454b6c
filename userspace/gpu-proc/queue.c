// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtqueue of the guest's virtio-gpu driver, as the front-end sets it up: event
 * fds, start and stop, log. The rings themselves are lib/virtqueue.c's. Called by
 * session.c, session_request.c and gpu_command.c. Everything in the rings is the
 * guest's, and may change while it is read.
 */
#include "queue.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <linux/virtio_ring.h>

void queue_init(struct queue *queue, const char *name, const struct guest_memory *memory,
		queue_serve_fn *serve, void *opaque)
{
	*queue = (struct queue){
		.name = name,
		.memory = memory,
		.serve = serve,
		.opaque = opaque,
		.kick = -1,
		.call = -1,
		.err = -1,
	};
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
	queue_init(queue, queue->name, queue->memory, queue->serve, queue->opaque);
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
	queue->vq.next_avail = base;
	return 0;
}

void queue_set_features(struct queue *queue, uint64_t features)
{
	queue->vq.indirect = features & (1ull << VIRTIO_RING_F_INDIRECT_DESC);
	queue->vq.event_idx = features & (1ull << VIRTIO_RING_F_EVENT_IDX);
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
	queue->held = false;
	close_event(&queue->kick);
	close_event(&queue->call);
	return queue->vq.next_avail;
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
	queue->held = false;
	close_event(&queue->kick);
	signal_event(queue->err);
}

static void *translate(void *opaque, uint64_t gpa, uint64_t len)
{
	const struct queue *queue = opaque;

	return guest_memory_from_guest(queue->memory, gpa, len);
}

static void written(void *opaque, uint64_t gpa, uint64_t len)
{
	const struct queue *queue = opaque;

	guest_memory_mark(queue->memory, gpa, len);
}

/*
 * Memory map, addresses and the wish for a log may change while the ring runs: they are
 * looked at each time.
 */
static int find_rings(struct queue *queue)
{
	const struct vhost_vring_addr *addr = &queue->addr;
	const struct guest_memory *memory = queue->memory;
	struct virtqueue_rings rings = {
		.desc = guest_memory_from_user(memory, addr->desc_user_addr,
					       virtqueue_desc_size(queue->num)),
		.avail = guest_memory_from_user(memory, addr->avail_user_addr,
						virtqueue_avail_size(queue->num)),
		.used = guest_memory_from_user(memory, addr->used_user_addr,
					       virtqueue_used_size(queue->num)),
		/* An address of its own, which need not be that of the ring. */
		.used_gpa = addr->log_guest_addr,
		.used_silent = !addr->flags,
	};

	if (!queue->num || !rings.desc || !rings.avail || !rings.used) {
		log_error("%s queue: kicked, but its %u descriptors at 0x%llx, available ring at 0x%llx, used ring at 0x%llx are not in the guest's memory",
			  queue->name, queue->num, (unsigned long long)addr->desc_user_addr,
			  (unsigned long long)addr->avail_user_addr,
			  (unsigned long long)addr->used_user_addr);
		return -1;
	}
	if (addr->flags && memory->log.map &&
	    !guest_memory_logs(memory, addr->log_guest_addr, virtqueue_used_size(queue->num))) {
		log_error("%s queue: its used ring, 0x%llx bytes to be logged at guest 0x%llx, is beyond the dirty log",
			  queue->name, (unsigned long long)virtqueue_used_size(queue->num),
			  (unsigned long long)addr->log_guest_addr);
		return -1;
	}
	queue->vq.num = queue->num;
	queue->vq.rings = rings;
	return 0;
}

/* The rings are the driver's from the first kick on. */
static void start(struct queue *queue)
{
	const struct virtqueue_memory memory = {
		.translate = translate, .written = written, .opaque = queue,
	};
	struct virtqueue old = queue->vq;

	virtqueue_init_rings(&queue->vq, &memory, queue->num, &old.rings);
	queue->vq.next_avail = old.next_avail;
	queue->vq.indirect = old.indirect;
	queue->vq.event_idx = old.event_idx;
}

/* Tell the driver, and whoever reads the log, of what was pushed. */
static void notify(struct queue *queue)
{
	if (!queue->pushed)
		return;
	queue->pushed = false;
	guest_memory_announce(queue->memory);
	if (virtqueue_wants_signal(&queue->vq))
		signal_event(queue->call);
}

static int find_and_start(struct queue *queue)
{
	if (find_rings(queue) < 0)
		return -1;
	if (!queue->found)
		start(queue);
	queue->found = true;
	return 0;
}

void queue_process(struct queue *queue)
{
	struct virtqueue_chain chain;
	uint32_t left = queue->num;
	int ret = 1;

	if (!queue->started || !queue->enabled || queue->serving)
		return;
	if (find_and_start(queue) < 0) {
		queue_break(queue);
		return;
	}
	queue->serving = true;
	for (; left && !queue->held; left--) {
		ret = virtqueue_pop(&queue->vq, &chain);
		if (ret <= 0)
			break;
		queue->serve(queue, &chain);
	}
	queue->serving = false;
	notify(queue);
	if (ret < 0) {
		log_error("%s queue: %s", queue->name, queue->vq.broken);
		queue_break(queue);
	} else if (!left) {
		/* A driver may fill it for ever: the others' turn, then go on. */
		signal_event(queue->kick);
	}
}

void queue_hold(struct queue *queue)
{
	queue->held = true;
}

void queue_release(struct queue *queue)
{
	queue->held = false;
	queue_process(queue);
}

/* The bytes of an answer, as far as there is room. -1: the room is gone. */
static int write_segments(struct queue *queue, const struct queue_segment *in, unsigned int nr,
			  const char *data, uint32_t len)
{
	unsigned int i;
	void *guest;

	for (i = 0; i < nr && len; i++) {
		uint32_t n = in[i].len < len ? in[i].len : len;

		guest = guest_memory_from_guest(queue->memory, in[i].gpa, n);
		if (!guest)
			return -1;
		memcpy(guest, data, n);
		guest_memory_mark(queue->memory, in[i].gpa, n);
		data += n;
		len -= n;
	}
	return 0;
}

void queue_answer(struct queue *queue, uint16_t head, const struct queue_segment *in,
		  unsigned int nr, const void *data, uint32_t len)
{
	if (!queue->started)
		return;
	if (!queue->serving && find_and_start(queue) < 0) {
		queue_break(queue);
		return;
	}
	if (write_segments(queue, in, nr, data, len) < 0) {
		log_error("%s queue: the memory map has no room for the answer any more",
			  queue->name);
		len = 0;
	}
	virtqueue_push_head(&queue->vq, head, len);
	queue->pushed = true;
	if (!queue->serving)
		notify(queue);
}

void queue_kicked(struct queue *queue)
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
	if (!queue->started)
		queue->found = false;
	queue->started = true;
	queue_process(queue);
}
