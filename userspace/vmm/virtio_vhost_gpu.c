// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vhost-user-gpu (VIRTIO 1.2, 5.7): a GPU with host-visible memory, of dmapat-gpu-proc or
 * another back-end with VHOST_USER_PROTOCOL_F_SHMEM. Blobs that the back-end maps come
 * into the window, which is behind a BAR of the device.
 */
#include "vmm/virtio_devices.h"

#include <errno.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>

#include "vmm/virtio_vhost.h"

#define CLASS_DISPLAY_OTHER	0x038000
#define BIT(n)			(1ULL << (n))

static const struct virtio_vhost_type type = {
	.ops = {
		.name = "vhost-user-gpu", .id = VIRTIO_ID_GPU, .class_code = CLASS_DISPLAY_OTHER,
		.config_size = sizeof(struct virtio_gpu_config),
		.config_read = virtio_vhost__read_config,
		.config_write = virtio_vhost__write_config,
		.start = virtio_vhost__start, .stop = virtio_vhost__end,
		.begin_stop = virtio_vhost__begin_stop, .destroy = virtio_vhost__destroy,
	},
	.client = {
		.name = "vhost-user-gpu",
		.nr_queues = 2,		/* control and cursor */
		.protocol_needed = BIT(VHOST_USER_PROTOCOL_F_CONFIG) |
				   BIT(VHOST_USER_PROTOCOL_F_SHMEM) |
				   BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) |
				   BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) |
				   BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK),
		.protocol_wanted = BIT(VHOST_USER_PROTOCOL_F_MQ) |
				   BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |
				   BIT(VHOST_USER_PROTOCOL_F_STATUS),
		.config_size = sizeof(struct virtio_gpu_config),
		.gone_event = "DEVICE_DISCONNECTED",
		.refused_event = "DEVICE_REQUEST_REFUSED",
		.started = virtio_vhost__started,
		.gone = virtio_vhost__gone,
		.config_changed = virtio_vhost__config_changed,
	},
	.queue_size = 256,
	.features = BIT(VIRTIO_GPU_F_VIRGL) | BIT(VIRTIO_GPU_F_EDID) |
		    BIT(VIRTIO_GPU_F_RESOURCE_UUID) | BIT(VIRTIO_GPU_F_RESOURCE_BLOB) |
		    BIT(VIRTIO_GPU_F_CONTEXT_INIT),
	.shared_memory = true,
};

int virtio_vhost_gpu__create(struct virtio_device **out, struct vm *vm,
			     const struct device_option *opt, struct error *err)
{
	struct virtio_vhost *vv = calloc(1, sizeof(*vv));
	int r;

	if (!vv)
		return error__set(err, ENOMEM, "out of memory");
	r = virtio_vhost__init(vv, &type, vm, opt, err);
	if (r < 0)
		free(vv);
	else
		*out = &vv->dev;
	return r;
}
