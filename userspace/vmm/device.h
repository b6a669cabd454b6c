/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `--device NAME[,KEY=VALUE…]`: what it says, and the devices that come of it.
 * Parsed by options.c, created and destroyed by vm.c.
 */
#ifndef VMM_DEVICE_H
#define VMM_DEVICE_H

#include <stdbool.h>

#include "vmm/error.h"

struct virtio_device;
struct virtio_pci;
struct vm;

#define DEVICE_MAX		16
#define DEVICE_MAX_KEYS		8

struct device_option {
	char *text;			/* cut into pieces; what follows points into it */
	const char *name;
	unsigned int nr_keys;
	const char *keys[DEVICE_MAX_KEYS];
	const char *values[DEVICE_MAX_KEYS];
};

/* -EINVAL unknown device or key, a key twice or missing, no value. */
int device_option__parse(struct device_option *opt, const char *arg, struct error *err);
void device_option__free(struct device_option *opt);
/* The value of @key, or NULL. */
const char *device_option__get(const struct device_option *opt, const char *key);
/* on or off; *@value stays as it is without the key. */
int device_option__bool(const struct device_option *opt, const char *key, bool *value,
			struct error *err);

struct device {
	struct virtio_device *virtio;
	struct virtio_pci *pci;
};

int device__create(struct device *dev, struct vm *vm, const struct device_option *opt,
		   struct error *err);
void device__destroy(struct device *dev);

#endif /* VMM_DEVICE_H */
