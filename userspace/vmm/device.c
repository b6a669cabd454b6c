// SPDX-License-Identifier: GPL-2.0-or-later
/* --device: its text, and which file makes the device; see device.h. */
#include "vmm/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/util.h"
#include "vmm/virtio_devices.h"
#include "vmm/virtio_pci.h"

struct device_type {
	const char *name;
	int (*create)(struct virtio_device **out, struct vm *vm, const struct device_option *opt,
		      struct error *err);
	const char *keys[4];
	unsigned int nr_needed;		/* the first so many of them */
};

static const struct device_type types[] = {
	{ "virtio-blk", virtio_blk__create, { "file", "readonly" }, 0 },
	{ "virtio-rng", virtio_rng__create, { NULL }, 0 },
	{ "virtio-console", virtio_console__create, { "socket" }, 0 },
	{ "virtio-net", virtio_net__create, { "tap", "fd", "mac" }, 0 },
	{ "vhost-user-fs", virtio_vhost_fs__create, { "socket", "tag" }, 2 },
	{ "vhost-user-gpu", virtio_vhost_gpu__create, { "socket" }, 1 },
};

static const struct device_type *find_type(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (!strcmp(types[i].name, name))
			return &types[i];
	}
	return NULL;
}

static bool has_key(const struct device_type *type, const char *key)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(type->keys) && type->keys[i]; i++) {
		if (!strcmp(type->keys[i], key))
			return true;
	}
	return false;
}

static int add_key(struct device_option *opt, const struct device_type *type, char *text,
		   struct error *err)
{
	char *value = strchr(text, '=');

	if (!value || !value[1])
		return error__set(err, EINVAL, "--device %s: %s: KEY=VALUE is wanted", opt->name,
				  text);
	*value++ = '\0';
	if (!has_key(type, text))
		return error__set(err, EINVAL, "--device %s: it has no option %s", opt->name, text);
	if (device_option__get(opt, text))
		return error__set(err, EINVAL, "--device %s: %s twice", opt->name, text);
	opt->keys[opt->nr_keys] = text;
	opt->values[opt->nr_keys++] = value;
	return 0;
}

int device_option__parse(struct device_option *opt, const char *arg, struct error *err)
{
	const struct device_type *type;
	char *next, *text;
	unsigned int i;
	int r = 0;

	*opt = (struct device_option) { .text = strdup(arg) };
	if (!opt->text)
		return error__set(err, ENOMEM, "out of memory");
	next = opt->text;
	opt->name = strsep(&next, ",");
	type = find_type(opt->name);
	if (!type) {
		r = error__set(err, EINVAL,
			       "--device %s: not one of virtio-blk, virtio-rng, virtio-console, virtio-net, vhost-user-fs, vhost-user-gpu",
			       opt->name);
		device_option__free(opt);
		return r;
	}
	while (!r && next) {
		text = strsep(&next, ",");
		r = add_key(opt, type, text, err);
	}
	for (i = 0; !r && i < type->nr_needed; i++) {
		if (!device_option__get(opt, type->keys[i]))
			r = error__set(err, EINVAL, "--device %s: %s=VALUE is needed", opt->name,
				       type->keys[i]);
	}
	if (r < 0)
		device_option__free(opt);
	return r;
}

void device_option__free(struct device_option *opt)
{
	free(opt->text);
	*opt = (struct device_option) { .text = NULL };
}

const char *device_option__get(const struct device_option *opt, const char *key)
{
	unsigned int i;

	for (i = 0; i < opt->nr_keys; i++) {
		if (!strcmp(opt->keys[i], key))
			return opt->values[i];
	}
	return NULL;
}

int device_option__bool(const struct device_option *opt, const char *key, bool *value,
			struct error *err)
{
	const char *text = device_option__get(opt, key);

	if (!text)
		return 0;
	if (strcmp(text, "on") && strcmp(text, "off"))
		return error__set(err, EINVAL, "--device %s: %s=%s: neither on nor off", opt->name,
				  key, text);
	*value = !strcmp(text, "on");
	return 0;
}

int device__create(struct device *dev, struct vm *vm, const struct device_option *opt,
		   struct error *err)
{
	int r;

	r = find_type(opt->name)->create(&dev->virtio, vm, opt, err);
	if (!r)
		r = virtio_pci__create(&dev->pci, vm, dev->virtio, err);
	if (r < 0)
		device__destroy(dev);
	return r;
}

void device__destroy(struct device *dev)
{
	virtio_pci__destroy(dev->pci);
	if (dev->virtio)
		dev->virtio->ops->destroy(dev->virtio);
	*dev = (struct device) { .pci = NULL };
}
