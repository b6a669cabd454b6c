// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the front-end asks a back-end: the handshake, the driver's set-up and reset of the
 * device, its configuration, the dirty log of a migration. One request at a time, each
 * answered before the next where the back-end has REPLY_ACK, so that whatever it does not
 * do has a name.
 *
 * A gpu-proc at start has no driver that sets up queues: the handshake ends with the
 * memory table and the request channel, which is all that a shared memory region needs;
 * and no ring is to be logged (SET_VRING_ADDR), or started again after a migration that
 * failed. A virtio device goes on with START when its driver is ready.
 */
#include "vmm/frontend.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fdmsg.h"
#include "log.h"
#include "vmm/options.h"
#include "vmm/util.h"
#include "vmm/vm.h"

#define FRONTEND_SEND_MS	1000

#define BIT(n)			(1ULL << (n))
/* VIRTIO 1.2, 2.1: what a driver has set that is ready. */
#define STATUS_DRIVER_OK	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
				 VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)

static const char *const frontend__protocol_names[] = {
	[VHOST_USER_PROTOCOL_F_MQ] = "MQ",
	[VHOST_USER_PROTOCOL_F_REPLY_ACK] = "REPLY_ACK",
	[VHOST_USER_PROTOCOL_F_BACKEND_REQ] = "BACKEND_REQ",
	[VHOST_USER_PROTOCOL_F_CONFIG] = "CONFIG",
	[VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD] = "BACKEND_SEND_FD",
	[VHOST_USER_PROTOCOL_F_SHMEM] = "SHMEM",
};

struct frontend_step {
	enum vhost_user_request request;
	const char *name;
	uint32_t reply_size;	/* of an own reply; 0: answered by REPLY_ACK's u64, or not */
	bool or_empty;		/* or nothing at all in it */
	bool unanswered;	/* sent before REPLY_ACK is negotiated */
	bool config;		/* its reply has the configuration's size behind its head */
	bool queues;		/* for each queue that is used */
	void (*fill)(struct frontend *fe, struct vhost_user_msg *msg);
	int (*take)(struct frontend *fe, const struct vhost_user_msg *msg, struct error *err);
	bool (*wanted)(const struct frontend *fe);
};

static int frontend__take_features(struct frontend *fe, const struct vhost_user_msg *msg,
				   struct error *err)
{
	fe->features = msg->payload.u64;
	if (~fe->features & FRONTEND_FEATURES_NEEDED)
		return error__set(err, EPROTO,
				  "offers features 0x%" PRIx64 ", 0x%llx are needed (protocol features, VIRTIO 1)",
				  fe->features, FRONTEND_FEATURES_NEEDED);
	return 0;
}

static int frontend__take_protocol(struct frontend *fe, const struct vhost_user_msg *msg,
				   struct error *err)
{
	const struct frontend_client *client = fe->client;
	uint64_t offered = msg->payload.u64, missing = client->protocol_needed & ~offered;
	char names[96] = "";
	unsigned int i;

	fe->protocol_features = offered & (client->protocol_needed | client->protocol_wanted);
	if (!missing)
		return 0;
	for (i = 0; i < ARRAY_SIZE(frontend__protocol_names); i++) {
		if (missing & BIT(i) && frontend__protocol_names[i]) {
			strcat(names, " ");
			strcat(names, frontend__protocol_names[i]);
		}
	}
	return error__set(err, EPROTO,
			  "offers protocol features 0x%" PRIx64 ", 0x%" PRIx64 " are needed: it has no%s",
			  offered, client->protocol_needed, names);
}

static void frontend__fill_protocol(struct frontend *fe, struct vhost_user_msg *msg)
{
	msg->payload.u64 = fe->protocol_features;
	msg->hdr.size = sizeof(msg->payload.u64);
}

static bool frontend__has_mq(const struct frontend *fe)
{
	return frontend__has(fe, VHOST_USER_PROTOCOL_F_MQ);
}

static bool frontend__has_shmem(const struct frontend *fe)
{
	return frontend__has(fe, VHOST_USER_PROTOCOL_F_SHMEM);
}

static bool frontend__has_channel(const struct frontend *fe)
{
	return frontend__has(fe, VHOST_USER_PROTOCOL_F_BACKEND_REQ);
}

static bool frontend__has_config(const struct frontend *fe)
{
	return frontend__has(fe, VHOST_USER_PROTOCOL_F_CONFIG) && fe->client->config_size;
}

static bool frontend__has_status(const struct frontend *fe)
{
	return frontend__has(fe, VHOST_USER_PROTOCOL_F_STATUS);
}

static bool frontend__has_reset(const struct frontend *fe)
{
	return frontend__has(fe, VHOST_USER_PROTOCOL_F_RESET_DEVICE);
}

/* Where there is no word for it, the status is one. */
static bool frontend__resets_by_status(const struct frontend *fe)
{
	return frontend__has_status(fe) && !frontend__has_reset(fe);
}

static int frontend__take_queue_num(struct frontend *fe, const struct vhost_user_msg *msg,
				    struct error *err)
{
	if (msg->payload.u64 < fe->client->nr_queues)
		return error__set(err, EPROTO, "has %" PRIu64 " queues, the device has %u",
				  msg->payload.u64, fe->client->nr_queues);
	return 0;
}

static const struct frontend *frontend__overlap(const struct frontend *fe, uint64_t offset,
						uint64_t size)
{
	const struct frontend *other;

	for (other = fe->vm->frontends; other; other = other->next) {
		if (other != fe && other->region_size && other->region_offset < offset + size &&
		    offset < other->region_offset + other->region_size)
			return other;
	}
	return NULL;
}

/* Where in the window the region goes: where the option says, else behind all others. */
static int frontend__place(struct frontend *fe, uint64_t size, struct error *err)
{
	const struct window *win = &fe->vm->window;
	const struct frontend *other;
	uint64_t offset = fe->offset;

	/* A back-end that came back: the guest has found the region where it is. */
	if (fe->region_size && fe->region_size != size)
		return error__set(err, EPROTO,
				  "its shared memory region has 0x%" PRIx64 " bytes, and had 0x%" PRIx64,
				  size, fe->region_size);
	if (fe->region_size)
		return 0;
	if (offset == FRONTEND_OFFSET_AUTO) {
		offset = 0;
		for (other = fe->vm->frontends; other; other = other->next) {
			if (other->region_offset + other->region_size > offset)
				offset = other->region_offset + other->region_size;
		}
	}
	if (offset > win->size || size > win->size - offset)
		return error__set(err, ERANGE,
				  "its shared memory region " RANGE_FMT
				  " is beyond the window of 0x%" PRIx64 " bytes",
				  offset, size, win->size);
	other = frontend__overlap(fe, offset, size);
	if (other)
		return error__set(err, EEXIST,
				  "its shared memory region " RANGE_FMT
				  " overlaps that of %s, " RANGE_FMT, offset, size, other->socket,
				  other->region_offset, other->region_size);
	fe->region_offset = offset;
	fe->region_size = size;
	return 0;
}

static int frontend__take_shmem(struct frontend *fe, const struct vhost_user_msg *msg,
				struct error *err)
{
	const struct vhost_user_shmem_config *config = &msg->payload.shmem_config;
	uint64_t size = config->sizes[FRONTEND_SHMID_HOST_VISIBLE];
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(config->sizes); i++)
		n += config->sizes[i] != 0;
	if (n != config->nregions)
		return error__set(err, EPROTO,
				  "says %" PRIu32 " shared memory regions, but gives the size of %u",
				  config->nregions, n);
	if (!size || size % VMM_PAGE_SIZE)
		return error__set(err, EPROTO,
				  "its shared memory region %d has 0x%" PRIx64 " bytes: none, or not whole pages",
				  FRONTEND_SHMID_HOST_VISIBLE, size);
	return frontend__place(fe, size, err);
}

static void frontend__fill_features(struct frontend *fe, struct vhost_user_msg *msg)
{
	msg->payload.u64 = fe->driver_features;
	msg->hdr.size = sizeof(msg->payload.u64);
}

static void frontend__fill_backend_fd(struct frontend *fe, struct vhost_user_msg *msg)
{
	msg->fds[0] = fe->backend_peer;
	msg->nfds = 1;
}

static void frontend__fill_memory(struct frontend *fe, struct vhost_user_msg *msg)
{
	const struct memory *ram = &fe->vm->ram;

	msg->payload.memory.nregions = 1;
	msg->payload.memory.regions[0] = (struct vhost_user_region) {
		.guest_phys_addr = ram->gpa,
		.size = ram->size,
		.user_addr = (uintptr_t)ram->hva,
	};
	msg->hdr.size = offsetof(struct vhost_user_memory, regions[1]);
	msg->fds[0] = ram->fd;
	msg->nfds = 1;
}

static void frontend__fill_log_base(struct frontend *fe, struct vhost_user_msg *msg)
{
	msg->payload.log.mmap_size = fe->log_size;
	msg->hdr.size = sizeof(msg->payload.log);
	msg->fds[0] = fe->log_fd;
	msg->nfds = 1;
}

/* What is asked for has a reply of its own, but not all agree on what is in it. */
static int frontend__take_log_base(struct frontend *fe, const struct vhost_user_msg *msg,
				   struct error *err)
{
	if (msg->hdr.size && msg->payload.u64 && msg->payload.u64 != fe->log_size)
		return error__set(err, EPROTO, "SET_LOG_BASE: refused with %" PRIu64,
				  msg->payload.u64);
	return 0;
}

static void frontend__fill_features_log(struct frontend *fe, struct vhost_user_msg *msg)
{
	frontend__fill_features(fe, msg);
	msg->payload.u64 |= BIT(VHOST_F_LOG_ALL);
}

static void frontend__fill_state(const struct frontend *fe, struct vhost_user_msg *msg,
				 uint32_t num)
{
	msg->payload.vring_state.index = fe->queue;
	msg->payload.vring_state.num = num;
	msg->hdr.size = sizeof(msg->payload.vring_state);
}

static void frontend__fill_num(struct frontend *fe, struct vhost_user_msg *msg)
{
	frontend__fill_state(fe, msg, fe->queues[fe->queue].size);
}

/* After a reset the rings begin at 0; and with GET_VRING_BASE the number is not looked at. */
static void frontend__fill_base(struct frontend *fe, struct vhost_user_msg *msg)
{
	frontend__fill_state(fe, msg, 0);
}

static void frontend__fill_enable(struct frontend *fe, struct vhost_user_msg *msg)
{
	frontend__fill_state(fe, msg, 1);
}

static void frontend__fill_addr(struct frontend *fe, struct vhost_user_msg *msg)
{
	const struct frontend_queue *q = &fe->queues[fe->queue];

	msg->payload.vring_addr = (struct vhost_vring_addr) {
		.index = fe->queue,
		.desc_user_addr = q->desc,
		.used_user_addr = q->used_ring,
		.avail_user_addr = q->avail,
		.log_guest_addr = q->used_gpa,
	};
	msg->hdr.size = sizeof(msg->payload.vring_addr);
}

static void frontend__fill_eventfd(const struct frontend *fe, struct vhost_user_msg *msg, int fd)
{
	msg->payload.u64 = fe->queue | (fd < 0 ? VHOST_USER_VRING_NOFD : 0);
	msg->hdr.size = sizeof(msg->payload.u64);
	msg->fds[0] = fd;
	msg->nfds = fd >= 0;
}

static void frontend__fill_kick(struct frontend *fe, struct vhost_user_msg *msg)
{
	frontend__fill_eventfd(fe, msg, fe->queues[fe->queue].kick_fd);
}

static void frontend__fill_call(struct frontend *fe, struct vhost_user_msg *msg)
{
	frontend__fill_eventfd(fe, msg, fe->queues[fe->queue].call_fd);
}

static void frontend__fill_status(struct frontend *fe, struct vhost_user_msg *msg)
{
	msg->payload.u64 = fe->script == FRONTEND_SCRIPT_START ? STATUS_DRIVER_OK : 0;
	msg->hdr.size = sizeof(msg->payload.u64);
}

static void frontend__fill_read_config(struct frontend *fe, struct vhost_user_msg *msg)
{
	msg->payload.config.size = fe->client->config_size;
	msg->hdr.size = VHOST_USER_CONFIG_HEADER + fe->client->config_size;
}

static int frontend__take_config(struct frontend *fe, const struct vhost_user_msg *msg,
				 struct error *err)
{
	const struct vhost_user_config *config = &msg->payload.config;

	if (config->offset || config->size != fe->client->config_size)
		return error__set(err, EPROTO,
				  "GET_CONFIG: answered with " RANGE_FMT " of the configuration, wanted are %u bytes from 0",
				  (uint64_t)config->offset, (uint64_t)config->size,
				  fe->client->config_size);
	memcpy(fe->config, config->region, config->size);
	return 0;
}

static void frontend__fill_write_config(struct frontend *fe, struct vhost_user_msg *msg)
{
	const struct frontend_config_write *w = &fe->config_write;

	msg->payload.config.offset = w->offset;
	msg->payload.config.size = w->size;
	msg->payload.config.flags = VHOST_USER_CONFIG_WRITABLE;
	memcpy(msg->payload.config.region, w->bytes, w->size);
	msg->hdr.size = VHOST_USER_CONFIG_HEADER + w->size;
}

/*
 * The last step asks something that needs no answer: a back-end that takes its
 * requests in their order has sent its SHMEM_MAPs before this reply.
 */
#define STEP(req, ...) { .request = VHOST_USER_##req, .name = #req, __VA_ARGS__ }
#define STEP_READ_CONFIG \
	STEP(GET_CONFIG, .config = true, .reply_size = VHOST_USER_CONFIG_HEADER, \
	     .fill = frontend__fill_read_config, .take = frontend__take_config, \
	     .wanted = frontend__has_config)

static const struct frontend_step frontend__steps[] = {
	STEP(GET_FEATURES, .reply_size = 8, .take = frontend__take_features),
	STEP(GET_PROTOCOL_FEATURES, .reply_size = 8, .take = frontend__take_protocol),
	STEP(SET_PROTOCOL_FEATURES, .unanswered = true, .fill = frontend__fill_protocol),
	STEP(GET_QUEUE_NUM, .reply_size = 8, .take = frontend__take_queue_num,
	     .wanted = frontend__has_mq),
	STEP(SET_OWNER, .fill = NULL),
	STEP(GET_SHMEM_CONFIG, .reply_size = sizeof(struct vhost_user_shmem_config),
	     .take = frontend__take_shmem, .wanted = frontend__has_shmem),
	STEP(SET_FEATURES, .fill = frontend__fill_features),
	STEP(SET_MEM_TABLE, .fill = frontend__fill_memory),
	STEP(SET_BACKEND_REQ_FD, .fill = frontend__fill_backend_fd,
	     .wanted = frontend__has_channel),
	STEP_READ_CONFIG,
	STEP(GET_FEATURES, .reply_size = 8, .take = frontend__take_features),
};

static const struct frontend_step frontend__log_on_steps[] = {
	STEP(SET_LOG_BASE, .reply_size = 8, .or_empty = true, .fill = frontend__fill_log_base,
	     .take = frontend__take_log_base),
	STEP(SET_FEATURES, .fill = frontend__fill_features_log),
};

/* A queue that is stopped writes nothing any more when the reply is there. */
static const struct frontend_step frontend__stop_queues_steps[] = {
	STEP(GET_VRING_BASE, .queues = true, .reply_size = 8, .fill = frontend__fill_base),
};

static const struct frontend_step frontend__log_off_steps[] = {
	STEP(SET_FEATURES, .fill = frontend__fill_features),
};

/* The interrupt before the kick: with that a ring is started. */
static const struct frontend_step frontend__start_steps[] = {
	STEP(SET_FEATURES, .fill = frontend__fill_features),
	STEP(SET_VRING_NUM, .queues = true, .fill = frontend__fill_num),
	STEP(SET_VRING_BASE, .queues = true, .fill = frontend__fill_base),
	STEP(SET_VRING_ADDR, .queues = true, .fill = frontend__fill_addr),
	STEP(SET_VRING_CALL, .queues = true, .fill = frontend__fill_call),
	STEP(SET_VRING_KICK, .queues = true, .fill = frontend__fill_kick),
	STEP(SET_VRING_ENABLE, .queues = true, .fill = frontend__fill_enable),
	STEP(SET_STATUS, .fill = frontend__fill_status, .wanted = frontend__has_status),
};

static const struct frontend_step frontend__reset_steps[] = {
	STEP(SET_STATUS, .fill = frontend__fill_status, .wanted = frontend__resets_by_status),
	STEP(RESET_DEVICE, .fill = NULL, .wanted = frontend__has_reset),
};

static const struct frontend_step frontend__read_config_steps[] = {
	STEP_READ_CONFIG,
};

static const struct frontend_step frontend__write_config_steps[] = {
	STEP(SET_CONFIG, .fill = frontend__fill_write_config),
	STEP_READ_CONFIG,
};

#define SCRIPT(list) { list, ARRAY_SIZE(list) }

static const struct {
	const struct frontend_step *steps;
	unsigned int nr;
} frontend__scripts[] = {
	[FRONTEND_SCRIPT_HANDSHAKE] = SCRIPT(frontend__steps),
	[FRONTEND_SCRIPT_LOG_ON] = SCRIPT(frontend__log_on_steps),
	[FRONTEND_SCRIPT_STOP_QUEUES] = SCRIPT(frontend__stop_queues_steps),
	[FRONTEND_SCRIPT_LOG_OFF] = SCRIPT(frontend__log_off_steps),
	[FRONTEND_SCRIPT_START] = SCRIPT(frontend__start_steps),
	[FRONTEND_SCRIPT_RESET] = SCRIPT(frontend__reset_steps),
	[FRONTEND_SCRIPT_READ_CONFIG] = SCRIPT(frontend__read_config_steps),
	[FRONTEND_SCRIPT_WRITE_CONFIG] = SCRIPT(frontend__write_config_steps),
};

static const struct frontend_step *frontend__step(const struct frontend *fe)
{
	return &frontend__scripts[fe->script].steps[fe->step];
}

const char *frontend__step_name(const struct frontend *fe)
{
	return frontend__step(fe)->name;
}

static void frontend__handshake_done(struct frontend *fe)
{
	if (!frontend__drain_backend(fe))
		return;
	fe->state = FRONTEND_READY;
	if (fe->region_size)
		log_info("%s %s: %u buffers, region " RANGE_FMT " of the window", fe->client->name,
			 fe->socket, fe->nr_buffers, fe->region_offset, fe->region_size);
	fe->client->started(fe, 0, NULL);
	if (fe->config_changed && fe->state == FRONTEND_READY)
		fe->client->config_changed(fe);
}

/* The back-end has its end now: keeping it open would hide that it closes. */
static void frontend__handed_over(struct frontend *fe)
{
	close(fe->backend_peer);
	fe->backend_peer = -1;
}

/* To the next queue of a step that is for each, or to the next step. */
static void frontend__advance(struct frontend *fe)
{
	if (frontend__step(fe)->queues && ++fe->queue < fe->client->nr_queues)
		return;
	fe->queue = 0;
	fe->step++;
}

static bool frontend__step_wanted(const struct frontend *fe, const struct frontend_step *step)
{
	if (step->queues && !fe->queues[fe->queue].used && !fe->client->no_driver)
		return false;
	return !step->wanted || step->wanted(fe);
}

static bool frontend__step_answered(const struct frontend *fe, const struct frontend_step *step)
{
	return step->reply_size ||
	       (!step->unanswered && frontend__has(fe, VHOST_USER_PROTOCOL_F_REPLY_ACK));
}

/* Send what comes next; with the last step done the script is over. */
static void frontend__script_send(struct frontend *fe)
{
	const struct frontend_step *step;
	struct vhost_user_msg msg;
	enum fdmsg_status status;

	for (; fe->step < frontend__scripts[fe->script].nr; frontend__advance(fe)) {
		step = frontend__step(fe);
		if (!frontend__step_wanted(fe, step))
			continue;

		memset(&msg, 0, sizeof(msg));
		msg.hdr.request = step->request;
		msg.hdr.flags = VHOST_USER_VERSION;
		if (!step->reply_size && frontend__step_answered(fe, step))
			msg.hdr.flags |= VHOST_USER_FLAG_NEED_REPLY;
		if (step->fill)
			step->fill(fe, &msg);
		status = fdmsg_send(fe->main.fd, &msg, FRONTEND_SEND_MS);
		if (status != FDMSG_OK) {
			frontend__fail(fe, EPROTO, "%s: %s", step->name, fdmsg_strstatus(status));
			return;
		}
		if (step->request == VHOST_USER_SET_BACKEND_REQ_FD)
			frontend__handed_over(fe);
		if (frontend__step_answered(fe, step)) {
			frontend__set_deadline(fe);
			return;
		}
	}
	if (fe->script == FRONTEND_SCRIPT_HANDSHAKE)
		frontend__handshake_done(fe);
	else
		frontend__job_done(fe);
}

void frontend__script_begin(struct frontend *fe, enum frontend_script script)
{
	fe->script = script;
	fe->step = 0;
	fe->queue = 0;
	frontend__script_send(fe);
}

void frontend__script_reply(struct frontend *fe, const struct vhost_user_msg *msg)
{
	const struct frontend_step *step;
	struct error err = { 0 };
	uint32_t size;
	int r;

	if (fe->state != FRONTEND_HANDSHAKE && !fe->jobs) {
		frontend__fail(fe, EPROTO, "message %" PRIu32 " though nothing was asked",
			       msg->hdr.request);
		return;
	}
	step = frontend__step(fe);
	size = step->reply_size ? step->reply_size : sizeof(msg->payload.u64);
	if (step->config)
		size += fe->client->config_size;
	if (step->or_empty && !msg->hdr.size)
		size = 0;
	if (msg->hdr.request != step->request || !(msg->hdr.flags & VHOST_USER_FLAG_REPLY) ||
	    msg->hdr.size != size || msg->nfds) {
		frontend__fail(fe, EPROTO,
			       "%s: answered by request %u, flags 0x%x, %u bytes, %u fds; wanted are request %d, a reply, %u bytes, no fd",
			       step->name, msg->hdr.request, msg->hdr.flags, msg->hdr.size,
			       msg->nfds, step->request, size);
		return;
	}
	if (!step->reply_size && msg->payload.u64) {
		frontend__fail(fe, EPROTO, "%s: refused with %" PRIu64, step->name,
			       msg->payload.u64);
		return;
	}
	if (step->take) {
		r = step->take(fe, msg, &err);
		if (r < 0) {
			frontend__fail(fe, -r, "%s", err.msg);
			return;
		}
	}
	frontend__advance(fe);
	frontend__script_send(fe);
}
