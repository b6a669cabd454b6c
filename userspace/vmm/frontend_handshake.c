// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the front-end asks a back-end: the handshake, and the dirty log of a migration.
 * One request at a time, each answered before the next, so that whatever the back-end
 * does not do has a name.
 *
 * No driver in the guest has set up the device's queues yet, so there are no ring
 * addresses to pass on: the handshake ends with the memory table and the request
 * channel, which is all that a shared memory region needs; and no ring is to be logged
 * (SET_VRING_ADDR), or started again after a migration that failed.
 */
#include "vmm/frontend.h"

#include <errno.h>
#include <inttypes.h>
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
#define VIRTIO_F_VERSION_1	32

/* Without these there is no buffer, no way to refuse one, and no error to see. */
#define FRONTEND_PROTOCOL_NEEDED \
	(BIT(VHOST_USER_PROTOCOL_F_SHMEM) | BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | \
	 BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK))
#define FRONTEND_PROTOCOL_WANTED \
	(FRONTEND_PROTOCOL_NEEDED | BIT(VHOST_USER_PROTOCOL_F_MQ) | \
	 BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD))
#define FRONTEND_FEATURES_NEEDED \
	(BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VIRTIO_F_VERSION_1))

struct frontend_step {
	enum vhost_user_request request;
	const char *name;
	uint32_t reply_size;	/* of an own reply; 0: answered by REPLY_ACK's u64, or not */
	bool or_empty;		/* or nothing at all in it */
	bool unanswered;	/* sent before REPLY_ACK is negotiated */
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
	uint64_t offered = msg->payload.u64;

	if (~offered & FRONTEND_PROTOCOL_NEEDED)
		return error__set(err, EPROTO,
				  "offers protocol features 0x%" PRIx64 ", 0x%llx are needed (SHMEM, BACKEND_REQ, BACKEND_SEND_FD, REPLY_ACK)",
				  offered, FRONTEND_PROTOCOL_NEEDED);
	fe->protocol_features = offered & FRONTEND_PROTOCOL_WANTED;
	return 0;
}

static void frontend__fill_protocol(struct frontend *fe, struct vhost_user_msg *msg)
{
	msg->payload.u64 = fe->protocol_features;
	msg->hdr.size = sizeof(msg->payload.u64);
}

static bool frontend__has_mq(const struct frontend *fe)
{
	return fe->protocol_features & BIT(VHOST_USER_PROTOCOL_F_MQ);
}

static int frontend__take_queue_num(struct frontend *fe, const struct vhost_user_msg *msg,
				    struct error *err)
{
	(void)fe;
	if (msg->payload.u64 < FRONTEND_NR_QUEUES)
		return error__set(err, EPROTO, "has %" PRIu64 " queues, a virtio GPU has %d",
				  msg->payload.u64, FRONTEND_NR_QUEUES);
	return 0;
}

/* Where in the window the region goes: where the option says, else behind all others. */
static int frontend__place(struct frontend *fe, uint64_t size, struct error *err)
{
	const struct window *win = &fe->vm->window;
	uint64_t offset = fe->option->offset;
	const struct frontend *other;
	unsigned int i;

	if (offset == GPU_OFFSET_AUTO) {
		offset = 0;
		for (i = 0; i < fe->vm->nr_gpus; i++) {
			other = fe->vm->gpus[i];
			if (other && other->region_offset + other->region_size > offset)
				offset = other->region_offset + other->region_size;
		}
	}
	if (offset > win->size || size > win->size - offset)
		return error__set(err, ERANGE,
				  "its shared memory region " RANGE_FMT
				  " is beyond the window of 0x%" PRIx64 " bytes",
				  offset, size, win->size);
	for (i = 0; i < fe->vm->nr_gpus; i++) {
		other = fe->vm->gpus[i];
		if (other && other->region_size && other->region_offset < offset + size &&
		    offset < other->region_offset + other->region_size)
			return error__set(err, EEXIST,
					  "its shared memory region " RANGE_FMT
					  " overlaps that of %s, " RANGE_FMT, offset, size,
					  other->option->socket, other->region_offset,
					  other->region_size);
	}
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
	(void)fe;
	msg->payload.u64 = FRONTEND_FEATURES_NEEDED;
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

static void frontend__fill_queue(struct vhost_user_msg *msg, uint32_t index)
{
	msg->payload.vring_state.index = index;
	msg->hdr.size = sizeof(msg->payload.vring_state);
}

static void frontend__fill_control_queue(struct frontend *fe, struct vhost_user_msg *msg)
{
	(void)fe;
	frontend__fill_queue(msg, 0);
}

static void frontend__fill_cursor_queue(struct frontend *fe, struct vhost_user_msg *msg)
{
	(void)fe;
	frontend__fill_queue(msg, 1);
}

/*
 * The last step asks something that needs no answer: a back-end that takes its
 * requests in their order has sent its SHMEM_MAPs before this reply.
 */
#define STEP(req, ...) { .request = VHOST_USER_##req, .name = #req, __VA_ARGS__ }

static const struct frontend_step frontend__steps[] = {
	STEP(GET_FEATURES, .reply_size = 8, .take = frontend__take_features),
	STEP(GET_PROTOCOL_FEATURES, .reply_size = 8, .take = frontend__take_protocol),
	STEP(SET_PROTOCOL_FEATURES, .unanswered = true, .fill = frontend__fill_protocol),
	STEP(GET_QUEUE_NUM, .reply_size = 8, .take = frontend__take_queue_num,
	     .wanted = frontend__has_mq),
	STEP(SET_OWNER, .fill = NULL),
	STEP(GET_SHMEM_CONFIG, .reply_size = sizeof(struct vhost_user_shmem_config),
	     .take = frontend__take_shmem),
	STEP(SET_FEATURES, .fill = frontend__fill_features),
	STEP(SET_MEM_TABLE, .fill = frontend__fill_memory),
	STEP(SET_BACKEND_REQ_FD, .fill = frontend__fill_backend_fd),
	STEP(GET_FEATURES, .reply_size = 8, .take = frontend__take_features),
};

static const struct frontend_step frontend__log_on_steps[] = {
	STEP(SET_LOG_BASE, .reply_size = 8, .or_empty = true, .fill = frontend__fill_log_base,
	     .take = frontend__take_log_base),
	STEP(SET_FEATURES, .fill = frontend__fill_features_log),
};

/* A queue that is stopped writes nothing any more when the reply is there. */
static const struct frontend_step frontend__stop_queues_steps[] = {
	STEP(GET_VRING_BASE, .reply_size = 8, .fill = frontend__fill_control_queue),
	STEP(GET_VRING_BASE, .reply_size = 8, .fill = frontend__fill_cursor_queue),
};

static const struct frontend_step frontend__log_off_steps[] = {
	STEP(SET_FEATURES, .fill = frontend__fill_features),
};

static const struct {
	const struct frontend_step *steps;
	unsigned int nr;
} frontend__scripts[] = {
	[FRONTEND_SCRIPT_HANDSHAKE] = { frontend__steps, ARRAY_SIZE(frontend__steps) },
	[FRONTEND_SCRIPT_LOG_ON] = {
		frontend__log_on_steps, ARRAY_SIZE(frontend__log_on_steps),
	},
	[FRONTEND_SCRIPT_STOP_QUEUES] = {
		frontend__stop_queues_steps, ARRAY_SIZE(frontend__stop_queues_steps),
	},
	[FRONTEND_SCRIPT_LOG_OFF] = {
		frontend__log_off_steps, ARRAY_SIZE(frontend__log_off_steps),
	},
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
	log_info("gpu-proc %s: %u buffers, region " RANGE_FMT " of the window",
		 fe->option->socket, fe->nr_buffers, fe->region_offset, fe->region_size);
	fe->started(fe, 0, NULL);
}

/* The back-end has its end now: keeping it open would hide that it closes. */
static void frontend__handed_over(struct frontend *fe)
{
	close(fe->backend_peer);
	fe->backend_peer = -1;
}

void frontend__script_send(struct frontend *fe)
{
	const struct frontend_step *step;
	struct vhost_user_msg msg;
	enum fdmsg_status status;

	for (; fe->step < frontend__scripts[fe->script].nr; fe->step++) {
		step = frontend__step(fe);
		if (step->wanted && !step->wanted(fe))
			continue;

		memset(&msg, 0, sizeof(msg));
		msg.hdr.request = step->request;
		msg.hdr.flags = VHOST_USER_VERSION;
		if (!step->reply_size && !step->unanswered)
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
		if (!step->unanswered) {
			frontend__set_deadline(fe);
			return;
		}
	}
	if (fe->script == FRONTEND_SCRIPT_HANDSHAKE)
		frontend__handshake_done(fe);
	else
		frontend__log_answered(fe, 0, NULL);
}

void frontend__script_reply(struct frontend *fe, const struct vhost_user_msg *msg)
{
	const struct frontend_step *step;
	struct error err = { 0 };
	uint32_t size;
	int r;

	if (fe->state != FRONTEND_HANDSHAKE && !fe->asking) {
		frontend__fail(fe, EPROTO, "message %" PRIu32 " though nothing was asked",
			       msg->hdr.request);
		return;
	}
	step = frontend__step(fe);
	size = step->reply_size ? step->reply_size : sizeof(msg->payload.u64);
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
	fe->step++;
	frontend__script_send(fe);
}
