/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio devices that `--device` can name, one file each, and the options that
 * they take. Called by device.c.
 */
#ifndef VMM_VIRTIO_DEVICES_H
#define VMM_VIRTIO_DEVICES_H

#include "vmm/device.h"
#include "vmm/virtio.h"

/* file=PATH[,readonly=on] */
int virtio_blk__create(struct virtio_device **out, struct vm *vm, const struct device_option *opt,
		       struct error *err);
/* No options: entropy from getrandom(). */
int virtio_rng__create(struct virtio_device **out, struct vm *vm, const struct device_option *opt,
		       struct error *err);
/* socket=PATH: a Unix socket that it creates, one client at a time */
int virtio_console__create(struct virtio_device **out, struct vm *vm,
			   const struct device_option *opt, struct error *err);
/* tap=NAME or fd=N (a datagram or packet socket), mac=XX:XX:XX:XX:XX:XX */
int virtio_net__create(struct virtio_device **out, struct vm *vm, const struct device_option *opt,
		       struct error *err);

/* socket=PATH,tag=TAG: a back-end that serves a folder */
int virtio_vhost_fs__create(struct virtio_device **out, struct vm *vm,
			    const struct device_option *opt, struct error *err);
/* socket=PATH: dmapat-gpu-proc, or another back-end with shared memory */
int virtio_vhost_gpu__create(struct virtio_device **out, struct vm *vm,
			     const struct device_option *opt, struct error *err);

#endif /* VMM_VIRTIO_DEVICES_H */
