// SPDX-License-Identifier: GPL-2.0-or-later
/* A virtio device of a vhost-user back-end; see virtio_vhost.h. */
#include "vmm/virtio_vhost.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "log.h"
#include "vmm/control.h"
#include "vmm/util.h"
#include "vmm/virtio_pci.h"
#include "vmm/vm.h"

_Static_assert(VIRTIO_MAX_QUEUES == FRONTEND_MAX_QUEUES, "all queues of a device");

static struct virtio_vhost *of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_vhost, dev);
}

/* ---- the loop's thread ---- */

static void take_config(struct virtio_vhost *vv)
{
	pthread_mutex_lock(&vv->lock);
	memcpy(vv->config, vv->fe->config, sizeof(vv->config));
	pthread_mutex_unlock(&vv->lock);
}

/* A back-end that came back must be able to do what the guest was told. */
static int check_again(struct virtio_vhost *vv, struct error *err)
{
	uint64_t missing = vv->dev.offered & ~vv->fe->features;

	if (missing)
		return error__set(err, EPROTO,
				  "%s %s: it came back without features 0x%" PRIx64 " that the guest was offered",
				  vv->type->ops.name, vv->socket, missing);
	return 0;
}

static void drop_buffers(struct virtio_vhost *vv)
{
	struct error err = { "" };

	if (window__unmap_all(vv->dev.vm, vv->fe, &err) < 0)
		log_error("%s: %s", vv->type->ops.name, err.msg);
	vv->fe->nr_buffers = 0;
}

static void start_queues(struct virtio_vhost *vv)
{
	struct frontend *fe = vv->fe;

	fe->driver_features = vv->dev.features | FRONTEND_FEATURES_NEEDED;
	memcpy(fe->queues, vv->queues, sizeof(fe->queues));
	frontend__run(fe, &vv->start);
}

static void connected_again(struct virtio_vhost *vv)
{
	struct error err = { "" };
	cJSON *data;

	if (check_again(vv, &err) < 0) {
		vv->dev.broken(&vv->dev, err.msg);
		return;
	}
	log_info("%s %s: connected again", vv->type->ops.name, vv->socket);
	data = cJSON_CreateObject();
	cJSON_AddStringToObject(data, "socket", vv->socket);
	control__event(vv->dev.vm->control, "DEVICE_CONNECTED", data);
	take_config(vv);
	virtio_pci__config_changed(&vv->dev);
	if (vv->wanted)
		start_queues(vv);
}

void virtio_vhost__started(struct frontend *fe, int result, const struct error *err)
{
	struct virtio_vhost *vv = fe->opaque;

	if (!vv->created) {
		vv->start_over = true;
		vv->start_result = result;
		if (err)
			vv->start_error = *err;
	} else if (!result) {
		connected_again(vv);
	} else if (vv->wanted) {
		vv->dev.broken(&vv->dev, err->msg);
	} else {
		log_warn("%s", err->msg);
	}
}

/* frontend.c has logged why. */
void virtio_vhost__gone(struct frontend *fe, const struct error *err)
{
	struct virtio_vhost *vv = fe->opaque;

	if (vv->wanted)
		vv->dev.broken(&vv->dev, err->msg);
}

/* When the connection ends over it, virtio_vhost__gone() is called, too. */
static void queues_started(struct frontend *fe, struct frontend_job *job, int result,
			   const struct error *err)
{
	(void)fe;
	(void)job;
	(void)result;
	(void)err;
}

static void begin_start(void *arg)
{
	struct virtio_vhost *vv = arg;

	vv->wanted = true;
	if (vv->fe->state == FRONTEND_READY) {
		start_queues(vv);
	} else if (vv->fe->state == FRONTEND_DEAD) {
		/* What one left that has gone between a reset and here. */
		drop_buffers(vv);
		frontend__start(vv->fe);
	}
	/* Else it is connecting since the last time, and virtio_vhost__started() goes on. */
}

static void is_reset(struct frontend *fe, struct frontend_job *job, int result,
		     const struct error *err)
{
	struct virtio_vhost *vv = fe->opaque;

	(void)job;
	(void)result;
	(void)err;
	memset(fe->queues, 0, sizeof(fe->queues));
	fe->driver_features = FRONTEND_FEATURES_NEEDED;
	virtio_pci__stopped(&vv->dev);
}

/*
 * vhost-user: the front-end itself removes all mappings at a reset. Before it asks for
 * that: what the back-end maps then belongs to the time after it.
 */
static void is_stopped(struct frontend *fe, struct frontend_job *job, int result,
		       const struct error *err)
{
	struct virtio_vhost *vv = fe->opaque;

	(void)job;
	(void)result;
	(void)err;
	drop_buffers(vv);
	frontend__run(fe, &vv->reset);
}

static void begin_reset(void *arg)
{
	struct virtio_vhost *vv = arg;

	vv->wanted = false;
	frontend__run(vv->fe, &vv->stop);
}

static void begin_config(void *arg)
{
	struct virtio_vhost *vv = arg;
	struct frontend_config_write *w = &vv->fe->config_write;

	if (vv->config_job.queued)
		return;		/* config_done() looks again */
	pthread_mutex_lock(&vv->lock);
	vv->posted = false;
	vv->config_job.script = vv->written_to ? FRONTEND_SCRIPT_WRITE_CONFIG :
						 FRONTEND_SCRIPT_READ_CONFIG;
	vv->notify = vv->changed;
	vv->changed = false;
	w->offset = vv->written_from;
	w->size = vv->written_to - vv->written_from;
	memcpy(w->bytes, vv->written + w->offset, w->size);
	vv->written_from = 0;
	vv->written_to = 0;
	pthread_mutex_unlock(&vv->lock);
	frontend__run(vv->fe, &vv->config_job);
}

static void config_done(struct frontend *fe, struct frontend_job *job, int result,
			const struct error *err)
{
	struct virtio_vhost *vv = fe->opaque;
	bool again;

	(void)job;
	(void)err;
	pthread_mutex_lock(&vv->lock);
	if (!result)
		memcpy(vv->config, fe->config, sizeof(vv->config));
	again = !result && (vv->posted || vv->changed);
	/* Without a connection nothing is waited for; the next write begins anew. */
	vv->posted = false;
	pthread_mutex_unlock(&vv->lock);
	if (!result && vv->notify)
		virtio_pci__config_changed(&vv->dev);
	if (again)
		begin_config(vv);
}

void virtio_vhost__config_changed(struct frontend *fe)
{
	struct virtio_vhost *vv = fe->opaque;

	vv->changed = true;
	begin_config(vv);
}

/* ---- vCPU threads ---- */

static int translate(struct virtio_vhost *vv, uint64_t gpa, uint64_t len, uint64_t *hva,
		     struct error *err)
{
	void *p = memory__hva(&vv->dev.vm->ram, gpa, len);

	if (!p)
		return error__set(err, EFAULT, "a part of a queue, " RANGE_FMT ", is not in RAM",
				  gpa, len);
	*hva = (uintptr_t)p;
	return 0;
}

/* Sizes: VIRTIO 1.2, 2.7; with the event indices. */
static int set_queue(struct virtio_vhost *vv, unsigned int i, struct error *err)
{
	const struct virtio_queue *q = &vv->dev.queues[i];
	struct frontend_queue *out = &vv->queues[i];
	int r;

	*out = (struct frontend_queue) {
		.used = q->enabled, .size = q->size, .used_gpa = q->used, .kick_fd = q->kick_fd,
		.call_fd = virtio_pci__vector_fd(&vv->dev, q->vector),
	};
	if (!q->enabled)
		return 0;
	r = translate(vv, q->desc, 16ULL * q->size, &out->desc, err);
	if (!r)
		r = translate(vv, q->avail, 6 + 2ULL * q->size, &out->avail, err);
	if (!r)
		r = translate(vv, q->used, 6 + 8ULL * q->size, &out->used_ring, err);
	return r;
}

int virtio_vhost__start(struct virtio_device *dev, struct error *err)
{
	struct virtio_vhost *vv = of(dev);
	unsigned int i;
	int r = 0;

	for (i = 0; !r && i < dev->nr_queues; i++)
		r = set_queue(vv, i, err);
	if (!r)
		r = loop__post(vv->fe->loop, begin_start, vv);
	return r == -ENOMEM ? error__set(err, ENOMEM, "out of memory") : r;
}

void virtio_vhost__begin_stop(struct virtio_device *dev)
{
	struct virtio_vhost *vv = of(dev);

	/* The driver waits for ever then; nothing else is wrong. */
	if (loop__post(vv->fe->loop, begin_reset, vv) < 0)
		log_error("%s: reset: out of memory", dev->ops->name);
}

void virtio_vhost__read_config(struct virtio_device *dev, uint32_t offset, void *data,
			       uint32_t len)
{
	struct virtio_vhost *vv = of(dev);

	pthread_mutex_lock(&vv->lock);
	memcpy(data, vv->config + offset, len);
	pthread_mutex_unlock(&vv->lock);
}

/* However fast the driver writes, one piece of work is with the loop's thread. */
void virtio_vhost__write_config(struct virtio_device *dev, uint32_t offset, const void *data,
				uint32_t len)
{
	struct virtio_vhost *vv = of(dev);
	bool post;

	pthread_mutex_lock(&vv->lock);
	memcpy(vv->written + offset, data, len);
	if (!vv->written_to || offset < vv->written_from)
		vv->written_from = offset;
	if (offset + len > vv->written_to)
		vv->written_to = offset + len;
	post = !vv->posted;
	vv->posted = true;
	pthread_mutex_unlock(&vv->lock);
	if (post && loop__post(vv->fe->loop, begin_config, vv) < 0)
		log_error("%s: configuration: out of memory", dev->ops->name);
}

/* ---- creation and end ---- */

/* No guest yet, and nobody else in the loop but signals. */
static int wait_for_start(struct virtio_vhost *vv, struct error *err)
{
	struct vm *vm = vv->dev.vm;
	bool exiting;
	int r;

	frontend__start(vv->fe);
	while (!vv->start_over) {
		r = loop__run_once(vm->loop, frontends__timeout_ms(vm));
		if (r < 0)
			return error__set(err, -r, "event loop: %s", strerror(-r));
		frontends__tick(vm);
		pthread_mutex_lock(&vm->run_lock);
		exiting = vm->exiting;
		pthread_mutex_unlock(&vm->run_lock);
		if (exiting)
			return error__set(err, ECANCELED, "%s %s: the VM ends", vv->type->ops.name,
					  vv->socket);
	}
	if (vv->start_result < 0)
		*err = vv->start_error;
	return vv->start_result;
}

/* The window becomes the BAR: the next power of two. */
static int take_region(struct virtio_vhost *vv, struct error *err)
{
	uint64_t size = VMM_PAGE_SIZE;

	while (size < vv->fe->region_size)
		size *= 2;
	vv->dev.shm_id = FRONTEND_SHMID_HOST_VISIBLE;
	vv->dev.shm_size = vv->fe->region_size;
	return window__become_bar(vv->dev.vm, size, err);
}

static int create(struct virtio_vhost *vv, const struct device_option *opt, struct error *err)
{
	const struct virtio_vhost_type *type = vv->type;
	int r;

	vv->socket = strdup(device_option__get(opt, "socket"));
	if (!vv->socket)
		return error__set(err, ENOMEM, "out of memory");
	r = frontend__create(&vv->fe, vv->dev.vm, vv->dev.vm->loop, &type->client, vv->socket,
			     FRONTEND_OFFSET_AUTO, vv);
	if (r < 0)
		return error__set(err, -r, "out of memory");
	r = wait_for_start(vv, err);
	if (!r && type->shared_memory)
		r = take_region(vv, err);
	if (r < 0)
		return r;
	vv->dev.offered = vv->fe->features & (VIRTIO_TRANSPORT_FEATURES | type->features);
	take_config(vv);
	vv->created = true;
	return 0;
}

int virtio_vhost__init(struct virtio_vhost *vv, const struct virtio_vhost_type *type,
		       struct vm *vm, const struct device_option *opt, struct error *err)
{
	int r;

	vv->type = type;
	pthread_mutex_init(&vv->lock, NULL);
	vv->start = (struct frontend_job) {
		.script = FRONTEND_SCRIPT_START, .done = queues_started,
	};
	vv->stop = (struct frontend_job) {
		.script = FRONTEND_SCRIPT_STOP_QUEUES, .done = is_stopped,
	};
	vv->reset = (struct frontend_job) { .script = FRONTEND_SCRIPT_RESET, .done = is_reset };
	vv->config_job = (struct frontend_job) { .done = config_done };
	r = virtio__init(&vv->dev, &type->ops, vm, type->client.nr_queues, type->queue_size, err);
	if (!r)
		r = create(vv, opt, err);
	if (r < 0)
		virtio_vhost__exit(vv);
	return r;
}

/* The VM ends: nobody waits for the back-end any more. */
void virtio_vhost__end(struct virtio_device *dev)
{
	struct virtio_vhost *vv = of(dev);

	if (!vv->fe)
		return;
	drop_buffers(vv);
	frontend__destroy(vv->fe);
	vv->fe = NULL;
}

void virtio_vhost__exit(struct virtio_vhost *vv)
{
	virtio_vhost__end(&vv->dev);
	virtio__exit(&vv->dev);
	free(vv->socket);
	pthread_mutex_destroy(&vv->lock);
}

void virtio_vhost__destroy(struct virtio_device *dev)
{
	struct virtio_vhost *vv = of(dev);

	virtio_vhost__exit(vv);
	free(vv);
}
