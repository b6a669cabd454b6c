// SPDX-License-Identifier: GPL-2.0-or-later
/* Queues and thread of a virtio device inside of the VMM; see virtio.h. */
#include "vmm/virtio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "vmm/vm.h"

int virtio__init(struct virtio_device *dev, const struct virtio_device_ops *ops, struct vm *vm,
		 unsigned int nr_queues, uint16_t queue_size, struct error *err)
{
	struct virtio_queue *q;

	dev->ops = ops;
	dev->vm = vm;
	dev->input_fd = -1;
	dev->offered = VIRTIO_TRANSPORT_FEATURES | ops->features;
	dev->nr_queues = 0;
	dev->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dev->stop_fd < 0)
		return error__set(err, errno, "%s: eventfd: %s", ops->name, strerror(errno));
	for (; dev->nr_queues < nr_queues; dev->nr_queues++) {
		q = &dev->queues[dev->nr_queues];
		*q = (struct virtio_queue) { .size_max = queue_size, .size = queue_size };
		q->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (q->kick_fd < 0) {
			int r = error__set(err, errno, "%s: eventfd: %s", ops->name,
					   strerror(errno));

			virtio__exit(dev);
			return r;
		}
	}
	return 0;
}

void virtio__exit(struct virtio_device *dev)
{
	while (dev->nr_queues)
		close(dev->queues[--dev->nr_queues].kick_fd);
	if (dev->stop_fd >= 0)
		close(dev->stop_fd);
	dev->stop_fd = -1;
}

bool virtio__pop(struct virtio_device *dev, unsigned int q)
{
	struct virtqueue *vq = &dev->queues[q].vq;
	int r;

	if (!dev->queues[q].enabled || vq->broken)
		return false;
	r = virtqueue_pop(vq, &dev->chain);
	if (r < 0)
		dev->broken(dev, vq->broken);
	return r > 0;
}

void virtio__push(struct virtio_device *dev, unsigned int q, uint32_t len)
{
	virtqueue_push(&dev->queues[q].vq, &dev->chain, len);
}

void virtio__signal(struct virtio_device *dev, unsigned int q)
{
	if (virtqueue_wants_signal(&dev->queues[q].vq))
		dev->send(dev, dev->queues[q].vector);
}

static void *translate(void *opaque, uint64_t gpa, uint64_t len)
{
	struct vm *vm = opaque;

	return memory__hva(&vm->ram, gpa, len);
}

static void written(void *opaque, uint64_t gpa, uint64_t len)
{
	vm__mark_dirty(opaque, gpa, len);
}

static void *work(void *arg)
{
	struct virtio_device *dev = arg;
	struct pollfd fds[VIRTIO_MAX_QUEUES + 2];
	unsigned int i, n = dev->nr_queues;
	eventfd_t ignored;

	pthread_setname_np(pthread_self(), dev->ops->name);
	for (i = 0; i < n; i++)
		fds[i] = (struct pollfd) { .fd = dev->queues[i].kick_fd, .events = POLLIN };
	fds[n] = (struct pollfd) { .fd = dev->stop_fd, .events = POLLIN };

	/* The driver may have filled the rings before it said that it is ready. */
	for (i = 0; i < n; i++)
		dev->ops->process(dev, i);
	for (;;) {
		fds[n + 1] = (struct pollfd) { .fd = dev->input_fd, .events = POLLIN };
		if (poll(fds, n + 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			dev->broken(dev, strerror(errno));
			return NULL;
		}
		if (fds[n].revents)
			return NULL;
		for (i = 0; i < n; i++) {
			if (fds[i].revents && eventfd_read(fds[i].fd, &ignored) == 0)
				dev->ops->process(dev, i);
		}
		if (fds[n + 1].revents && dev->ops->input)
			dev->ops->input(dev);
	}
}

int virtio_worker__start(struct virtio_device *dev, struct error *err)
{
	const struct virtqueue_memory memory = {
		.translate = translate, .written = written, .opaque = dev->vm,
	};
	struct virtio_queue *q;
	eventfd_t ignored;
	int r;

	for (q = dev->queues; q < dev->queues + dev->nr_queues; q++) {
		if (!q->enabled)
			continue;
		if (virtqueue_init(&q->vq, &memory, q->size, q->desc, q->avail, q->used) < 0)
			return error__set(err, EINVAL, "queue %td: %s", q - dev->queues,
					  q->vq.broken);
		q->vq.event_idx = dev->features & 1ULL << VIRTIO_RING_F_EVENT_IDX;
		q->vq.indirect = dev->features & 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	}
	eventfd_read(dev->stop_fd, &ignored);
	r = pthread_create(&dev->thread, NULL, work, dev);
	if (r)
		return error__set(err, r, "thread: %s", strerror(r));
	dev->running = true;
	return 0;
}

void virtio_worker__stop(struct virtio_device *dev)
{
	if (!dev->running)
		return;
	eventfd_write(dev->stop_fd, 1);
	pthread_join(dev->thread, NULL);
	dev->running = false;
}
