/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device as its transport (virtio_pci.c) and its own file see it. The
 * transport calls start and stop from vCPU threads, one at a time; between the two
 * the queues are set up and do not change. Devices inside of the VMM do their work
 * in a thread that virtio_worker.c runs for them; those of virtio_vhost.c have it done by
 * another process.
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtqueue.h"
#include "vmm/error.h"

struct virtio_device;
struct virtio_pci;
struct vm;

#define VIRTIO_MAX_QUEUES	8u
#define VIRTIO_NO_VECTOR	0xffffu
#define VIRTIO_TRANSPORT_FEATURES (1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX | \
				 1ULL << VIRTIO_RING_F_INDIRECT_DESC)

struct virtio_queue {
	uint16_t size_max;	/* offered */
	uint16_t size;		/* what the driver chose */
	bool enabled;
	uint64_t desc, avail, used;	/* guest-physical */
	uint16_t vector;	/* MSI-X, or VIRTIO_NO_VECTOR */
	int kick_fd;		/* eventfd: the driver kicked; KVM writes it */
	struct virtqueue vq;	/* while started, if enabled; the worker's */
};

struct virtio_device_ops {
	const char *name;	/* as in --device */
	uint16_t id;		/* VIRTIO_ID_* */
	uint32_t class_code;	/* PCI's, 24 bits */
	uint64_t features;	/* besides those of the transport and the rings, see offered */

	/* Device configuration, offset and len within config_size. */
	uint32_t config_size;
	void (*config_read)(struct virtio_device *dev, uint32_t offset, void *data, uint32_t len);
	void (*config_write)(struct virtio_device *dev, uint32_t offset, const void *data,
			     uint32_t len);

	/* The driver is ready; -errno makes the device say that it needs a reset. */
	int (*start)(struct virtio_device *dev, struct error *err);
	/* Nothing touches the guest's memory any more when it returns. */
	void (*stop)(struct virtio_device *dev);
	/*
	 * Instead of stop at a reset, where that takes another process: begins it.
	 * virtio_pci__stopped() says, from another thread, that it is over. May be NULL.
	 */
	void (*begin_stop)(struct virtio_device *dev);

	/* For the worker: queue @q was kicked, or has been set up just now. */
	void (*process)(struct virtio_device *dev, unsigned int q);
	/* For the worker: dev->input_fd is readable. May be NULL. */
	void (*input)(struct virtio_device *dev);

	void (*destroy)(struct virtio_device *dev);
};

struct virtio_device {
	const struct virtio_device_ops *ops;
	struct vm *vm;
	unsigned int nr_queues;
	struct virtio_queue queues[VIRTIO_MAX_QUEUES];
	uint64_t offered;		/* features, all of them */
	uint64_t features;		/* negotiated */
	uint8_t shm_id;			/* of the shared memory region, which is the window */
	uint64_t shm_size;		/* bytes; 0: none */

	/* The transport's: itself; interrupt of a vector; broken until a reset. */
	struct virtio_pci *transport;
	void (*send)(struct virtio_device *dev, uint16_t vector);
	void (*broken)(struct virtio_device *dev, const char *why);

	/* The worker's */
	pthread_t thread;
	bool running;
	int stop_fd;
	int input_fd;			/* watched while running; -1: none */
	struct virtqueue_chain chain;	/* the request under way */
};

/* Fill in what is the same for all. */
int virtio__init(struct virtio_device *dev, const struct virtio_device_ops *ops, struct vm *vm,
		 unsigned int nr_queues, uint16_t queue_size, struct error *err);
void virtio__exit(struct virtio_device *dev);

/* ops->start and ops->stop of devices inside of the VMM: a thread of their own. */
int virtio_worker__start(struct virtio_device *dev, struct error *err);
void virtio_worker__stop(struct virtio_device *dev);

/* For ops->process: the next request in dev->chain; false when there is none. */
bool virtio__pop(struct virtio_device *dev, unsigned int q);
/* Answer it with @len bytes written. */
void virtio__push(struct virtio_device *dev, unsigned int q, uint32_t len);
/* After a batch of answers. */
void virtio__signal(struct virtio_device *dev, unsigned int q);

#endif /* VMM_VIRTIO_H */
