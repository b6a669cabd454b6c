// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vhost-user-fs (VIRTIO 1.2, 5.11): a folder of the host, served by a back-end such as
 * virtiofsd, which knows nothing of the device's configuration: the tag is the option's.
 */
#include "vmm/virtio_devices.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/virtio_vhost.h"

#define CLASS_STORAGE_OTHER	0x018000
#define NR_QUEUES		2	/* high priority, requests */
#define BIT(n)			(1ULL << (n))

static const struct virtio_vhost_type type = {
	.ops = {
		.name = "vhost-user-fs", .id = VIRTIO_ID_FS, .class_code = CLASS_STORAGE_OTHER,
		.config_size = sizeof(struct virtio_fs_config),
		.config_read = virtio_vhost__read_config,
		.start = virtio_vhost__start, .stop = virtio_vhost__end,
		.begin_stop = virtio_vhost__begin_stop, .destroy = virtio_vhost__destroy,
	},
	.client = {
		.name = "vhost-user-fs",
		.nr_queues = NR_QUEUES,
		.protocol_wanted = BIT(VHOST_USER_PROTOCOL_F_MQ) |
				   BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |
				   BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |
				   BIT(VHOST_USER_PROTOCOL_F_STATUS),
		.gone_event = "DEVICE_DISCONNECTED",
		.refused_event = "DEVICE_REQUEST_REFUSED",
		.started = virtio_vhost__started,
		.gone = virtio_vhost__gone,
	},
	.queue_size = 256,
};

int virtio_vhost_fs__create(struct virtio_device **out, struct vm *vm,
			    const struct device_option *opt, struct error *err)
{
	struct virtio_fs_config config = { .num_request_queues = htole32(NR_QUEUES - 1) };
	const char *tag = device_option__get(opt, "tag");
	struct virtio_vhost *vv;
	int r;

	if (strlen(tag) > sizeof(config.tag))
		return error__set(err, EINVAL,
				  "--device vhost-user-fs: tag=%s: %zu bytes, at most %zu fit", tag,
				  strlen(tag), sizeof(config.tag));
	memcpy(config.tag, tag, strlen(tag));
	vv = calloc(1, sizeof(*vv));
	if (!vv)
		return error__set(err, ENOMEM, "out of memory");
	r = virtio_vhost__init(vv, &type, vm, opt, err);
	if (r < 0) {
		free(vv);
		return r;
	}
	/* Where frontend.c would put that of a back-end that has one. */
	memcpy(vv->fe->config, &config, sizeof(config));
	memcpy(vv->config, &config, sizeof(config));
	*out = &vv->dev;
	return 0;
}
