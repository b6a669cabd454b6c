// SPDX-License-Identifier: GPL-2.0-or-later
/* virtio-rng (VIRTIO 1.2, 5.4): entropy of the host's kernel. */
#include "vmm/virtio_devices.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <sys/random.h>

#define CLASS_OTHER	0xff0000
#define QUEUE_SIZE	64
#define REQUEST_MAX	4096u	/* bytes; a driver that wants more asks again */

static void process(struct virtio_device *dev, unsigned int q)
{
	uint8_t bytes[REQUEST_MAX];
	bool answered = false;
	ssize_t n;

	while (virtio__pop(dev, q)) {
		n = dev->chain.in_len < sizeof(bytes) ? dev->chain.in_len : sizeof(bytes);
		n = getrandom(bytes, n, 0);
		virtio__push(dev, q, n < 0 ? 0 : virtqueue_write(&dev->chain, 0, bytes, n));
		answered = true;
	}
	if (answered)
		virtio__signal(dev, q);
}

static void destroy(struct virtio_device *dev)
{
	virtio__exit(dev);
	free(dev);
}

static const struct virtio_device_ops ops = {
	.name = "virtio-rng", .id = VIRTIO_ID_RNG, .class_code = CLASS_OTHER,
	.start = virtio_worker__start, .stop = virtio_worker__stop,
	.process = process, .destroy = destroy,
};

int virtio_rng__create(struct virtio_device **out, struct vm *vm, const struct device_option *opt,
		       struct error *err)
{
	struct virtio_device *dev = calloc(1, sizeof(*dev));
	int r;

	(void)opt;
	if (!dev)
		return error__set(err, ENOMEM, "out of memory");
	r = virtio__init(dev, &ops, vm, 1, QUEUE_SIZE, err);
	if (r < 0)
		free(dev);
	else
		*out = dev;
	return r;
}
