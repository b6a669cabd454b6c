/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device whose queues are in another process, a vhost-user back-end: what such
 * devices have in common. virtio_vhost_fs.c and virtio_vhost_gpu.c say what theirs are.
 *
 * Created before the guest: connects, shakes hands, and takes features, configuration and
 * the size of the shared memory region from the back-end; the event loop turns meanwhile.
 * Later the transport calls from vCPU threads, and none of them waits: the event loop's
 * thread has the back-end start and reset, and the driver finds out by the device's
 * status (virtio_pci.h).
 *
 * A back-end that dies, is silent or breaks the protocol leaves a device that says
 * DEVICE_NEEDS_RESET and buffers that stay mapped. The driver's reset removes them; when
 * it sets the device up again, the back-end's socket is connected to anew.
 */
#ifndef VMM_VIRTIO_VHOST_H
#define VMM_VIRTIO_VHOST_H

#include <pthread.h>

#include "vmm/device.h"
#include "vmm/frontend.h"
#include "vmm/virtio.h"

struct virtio_vhost_type {
	struct virtio_device_ops ops;	/* functions: virtio_vhost__*(), but for destroy */
	struct frontend_client client;
	uint16_t queue_size;
	uint64_t features;		/* of the device that are known, offered if it has them */
	bool shared_memory;		/* region FRONTEND_SHMID_HOST_VISIBLE is needed */
};

struct virtio_vhost {
	struct virtio_device dev;
	const struct virtio_vhost_type *type;
	struct frontend *fe;
	char *socket;

	/* The loop's thread's. */
	bool wanted;			/* the driver is ready, and has not reset */
	bool created;			/* the guest has seen features and configuration */
	bool start_over;		/* while it is created */
	int start_result;
	struct error start_error;
	struct frontend_job start, stop, reset, config_job;
	bool changed;			/* the back-end says so of its configuration */
	bool notify;			/* the driver, when config_job is done */

	struct frontend_queue queues[VIRTIO_MAX_QUEUES];	/* from start to its end */

	pthread_mutex_t lock;		/* guards the configuration */
	uint8_t config[VHOST_USER_MAX_CONFIG];
	uint8_t written[VHOST_USER_MAX_CONFIG];	/* by the driver … */
	uint32_t written_from, written_to;	/* … here, and not sent yet */
	bool posted;				/* the loop's thread knows */
};

/* With what @opt says; connects. The type's ops and @vv->dev are as virtio_pci.c wants them. */
int virtio_vhost__init(struct virtio_vhost *vv, const struct virtio_vhost_type *type,
		       struct vm *vm, const struct device_option *opt, struct error *err);
void virtio_vhost__exit(struct virtio_vhost *vv);

/* For virtio_vhost_type. */
int virtio_vhost__start(struct virtio_device *dev, struct error *err);
void virtio_vhost__begin_stop(struct virtio_device *dev);
void virtio_vhost__end(struct virtio_device *dev);	/* ops.stop */
void virtio_vhost__read_config(struct virtio_device *dev, uint32_t offset, void *data,
			       uint32_t len);
void virtio_vhost__write_config(struct virtio_device *dev, uint32_t offset, const void *data,
				uint32_t len);
void virtio_vhost__destroy(struct virtio_device *dev);
void virtio_vhost__started(struct frontend *fe, int result, const struct error *err);
void virtio_vhost__gone(struct frontend *fe, const struct error *err);
void virtio_vhost__config_changed(struct frontend *fe);

#endif /* VMM_VIRTIO_VHOST_H */
