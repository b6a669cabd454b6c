// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests of a back-end: buffers come into the window and go, its configuration changes.
 * Each is answered by 0 or an errno, and one that is refused before the back-end is ready
 * ends the start.
 */
#include "vmm/frontend.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fdmsg.h"
#include "log.h"
#include "vmm/control.h"
#include "vmm/options.h"
#include "vmm/util.h"
#include "vmm/vm.h"

#define FRONTEND_SEND_MS	1000
#define FRONTEND_LOGGED_REFUSALS 64

static int frontend__check_mmap(const struct frontend *fe, const struct vhost_user_msg *msg,
				unsigned int nfds, struct error *err)
{
	const struct vhost_user_mmap *m = &msg->payload.mmap;

	if (msg->hdr.size != sizeof(*m))
		return error__set(err, EPROTO, "%" PRIu32 " bytes of payload, %zu wanted",
				  msg->hdr.size, sizeof(*m));
	if (msg->nfds != nfds)
		return error__set(err, EPROTO, "%u file descriptors, %u wanted", msg->nfds, nfds);
	if (m->shmid != FRONTEND_SHMID_HOST_VISIBLE)
		return error__set(err, EINVAL, "shmid %u, only %d exists", m->shmid,
				  FRONTEND_SHMID_HOST_VISIBLE);
	if (m->shm_offset > fe->region_size || m->len > fe->region_size - m->shm_offset)
		return error__set(err, ERANGE,
				  RANGE_FMT " is beyond its shared memory region of 0x%" PRIx64 " bytes",
				  m->shm_offset, m->len, fe->region_size);
	return 0;
}

static int frontend__map(struct frontend *fe, struct vhost_user_msg *msg, struct error *err)
{
	const struct vhost_user_mmap *m = &msg->payload.mmap;
	struct buffer *buf;
	int fd, r;

	r = frontend__check_mmap(fe, msg, 1, err);
	if (r < 0)
		return r;
	if (m->flags != VHOST_USER_MMAP_RW)
		return error__set(err, EOPNOTSUPP,
				  "flags 0x%" PRIx64 ": buffers are mapped for reading and writing (0x%llx)",
				  m->flags, VHOST_USER_MMAP_RW);
	fd = msg->fds[0];
	msg->fds[0] = -1;
	r = window__map(fe->vm, fe, fd, m->fd_offset, fe->region_offset + m->shm_offset,
			m->len, &buf, err);
	if (r < 0)
		return r;
	fe->nr_buffers++;
	/* Later they come and go as the guest's programs like; `query-memtype` has them. */
	if (fe->state == FRONTEND_READY)
		return 0;
	log_info("buffer %s (%s): window 0x%" PRIx64 ", 0x%" PRIx64 " bytes, %s, map_info %s%s",
		 buf->name, buf->exporter, buf->offset, buf->size, memtype__name(buf->memtype),
		 memtype__map_info_name(buf->map_info), buf->bound ? ", bound" : "");
	return 0;
}

static int frontend__unmap(struct frontend *fe, struct vhost_user_msg *msg, struct error *err)
{
	const struct vhost_user_mmap *m = &msg->payload.mmap;
	int r;

	r = frontend__check_mmap(fe, msg, 0, err);
	if (r < 0)
		return r;
	r = window__unmap(fe->vm, fe, fe->region_offset + m->shm_offset, m->len, err);
	if (r == 0)
		fe->nr_buffers--;
	return r;
}

static int frontend__config_change(struct frontend *fe, const struct vhost_user_msg *msg,
				   struct error *err)
{
	if (!fe->client->config_changed || !frontend__has(fe, VHOST_USER_PROTOCOL_F_CONFIG))
		return error__set(err, EOPNOTSUPP, "its configuration was not asked for");
	if (msg->hdr.size || msg->nfds)
		return error__set(err, EPROTO, "%" PRIu32 " bytes of payload and %u fds, 0 wanted",
				  msg->hdr.size, msg->nfds);
	if (fe->state == FRONTEND_READY)
		fe->client->config_changed(fe);
	else
		fe->config_changed = true;
	return 0;
}

/* False when it cannot be sent: the connection has failed. */
static bool frontend__answer(struct frontend *fe, const struct vhost_user_msg *request, int result)
{
	struct vhost_user_msg msg = {
		.hdr = {
			.request = request->hdr.request,
			.flags = VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY,
			.size = sizeof(msg.payload.u64),
		},
		.payload.u64 = result < 0 ? -result : 0,
	};
	enum fdmsg_status status;

	if (!(request->hdr.flags & VHOST_USER_FLAG_NEED_REPLY))
		return true;
	status = fdmsg_send(fe->backend.fd, &msg, FRONTEND_SEND_MS);
	if (status == FDMSG_OK)
		return true;
	frontend__fail(fe, EPROTO, "answer on its request channel: %s", fdmsg_strstatus(status));
	return false;
}

/* All of the first, then ever fewer: whoever floods the back-end floods no log. */
static bool frontend__logs_refusal(struct frontend *fe)
{
	uint64_t n = ++fe->nr_refused;

	return n <= FRONTEND_LOGGED_REFUSALS || !(n & (n - 1));
}

void frontend__shmem_request(struct frontend *fe, struct vhost_user_msg *msg)
{
	struct error err = { 0 };
	const char *what;
	cJSON *data;
	int r;

	if (msg->hdr.flags & VHOST_USER_FLAG_REPLY) {
		frontend__fail(fe, EPROTO, "a reply (request %" PRIu32 ") on its request channel",
			       msg->hdr.request);
		return;
	}
	switch (msg->hdr.request) {
	case VHOST_USER_BACKEND_SHMEM_MAP:
		what = "SHMEM_MAP";
		r = frontend__map(fe, msg, &err);
		break;
	case VHOST_USER_BACKEND_SHMEM_UNMAP:
		what = "SHMEM_UNMAP";
		r = frontend__unmap(fe, msg, &err);
		break;
	case VHOST_USER_BACKEND_CONFIG_CHANGE_MSG:
		what = "CONFIG_CHANGE_MSG";
		r = frontend__config_change(fe, msg, &err);
		break;
	default:
		what = "request";
		r = error__set(&err, EOPNOTSUPP, "%" PRIu32 " is not supported", msg->hdr.request);
		break;
	}
	if (!frontend__answer(fe, msg, r) || r == 0)
		return;

	if (fe->state != FRONTEND_READY) {
		frontend__fail(fe, -r, "%s refused: %s", what, err.msg);
		return;
	}
	if (frontend__logs_refusal(fe))
		log_error("%s %s: %s refused: %s", fe->client->name, fe->socket, what, err.msg);
	data = cJSON_CreateObject();
	cJSON_AddStringToObject(data, "socket", fe->socket);
	cJSON_AddStringToObject(data, "reason", err.msg);
	control__event(fe->vm->control, fe->client->refused_event, data);
}
