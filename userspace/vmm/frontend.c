// SPDX-License-Identifier: GPL-2.0-or-later
/* vhost-user front-end: connection, sockets, deadlines, jobs; see frontend.h. */
#include "vmm/frontend.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fdmsg.h"
#include "log.h"
#include "vmm/control.h"
#include "vmm/options.h"
#include "vmm/util.h"
#include "vmm/vm.h"

#define FRONTEND_RETRY_MS	50	/* between attempts to connect */
#define FRONTEND_MESSAGE_MS	1000	/* for a message that has begun */

static int64_t frontend__now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void frontend__set_deadline(struct frontend *fe)
{
	fe->deadline_ms = frontend__now_ms() + fe->vm->options->gpu_timeout_ms;
}

bool frontend__has(const struct frontend *fe, unsigned int protocol_feature)
{
	return fe->protocol_features >> protocol_feature & 1;
}

static void frontend__close(struct frontend *fe, struct loop_handler *h)
{
	if (h->fd < 0)
		return;
	loop__del(fe->loop, h);
	close(h->fd);
	h->fd = -1;
}

static void frontend__disconnect(struct frontend *fe)
{
	frontend__close(fe, &fe->main);
	frontend__close(fe, &fe->backend);
	if (fe->backend_peer >= 0)
		close(fe->backend_peer);
	fe->backend_peer = -1;
}

/* Take the first job off and tell its owner, who may run it again at once. */
static void frontend__finish_job(struct frontend *fe, int result, const struct error *err)
{
	struct frontend_job *job = fe->jobs;

	fe->jobs = job->next;
	job->queued = false;
	job->done(fe, job, result, err);
}

void frontend__job_done(struct frontend *fe)
{
	fe->finishing = true;
	frontend__finish_job(fe, 0, NULL);
	fe->finishing = false;
	if (fe->jobs)
		frontend__script_begin(fe, fe->jobs->script);
}

void frontend__run(struct frontend *fe, struct frontend_job *job)
{
	struct frontend_job **last = &fe->jobs;
	struct error err = { "" };

	if (fe->state != FRONTEND_READY) {
		error__set(&err, ENOTCONN, "the back-end has gone");
		job->done(fe, job, -ENOTCONN, &err);
		return;
	}
	while (*last)
		last = &(*last)->next;
	*last = job;
	job->next = NULL;
	job->queued = true;
	if (fe->jobs == job && !fe->finishing)
		frontend__script_begin(fe, job->script);
}

/* The first ended over it; those behind it have not begun, and what comes of them does not. */
static void frontend__drop_jobs(struct frontend *fe, int errnum, const struct error *err)
{
	for (; fe->jobs; errnum = ENOTCONN)
		frontend__finish_job(fe, -errnum, err);
}

void frontend__fail(struct frontend *fe, int errnum, const char *fmt, ...)
{
	enum frontend_state state = fe->state;
	struct error err = { 0 };
	cJSON *data;
	va_list ap;
	int n;

	if (state == FRONTEND_DEAD)
		return;
	n = snprintf(err.msg, sizeof(err.msg), "%s %s: ", fe->client->name, fe->socket);
	if (n >= 0 && (size_t)n < sizeof(err.msg)) {
		va_start(ap, fmt);
		vsnprintf(err.msg + n, sizeof(err.msg) - n, fmt, ap);
		va_end(ap);
	}
	fe->state = FRONTEND_DEAD;
	frontend__disconnect(fe);
	frontend__drop_jobs(fe, errnum, &err);

	if (state != FRONTEND_READY) {
		fe->client->started(fe, -errnum, &err);
		return;
	}
	/*
	 * The buffers stay: this process holds their fds and mappings, and the guest
	 * goes on with them. Nobody renders any more, which control clients learn.
	 */
	log_error("%s; its buffers stay mapped", err.msg);
	data = cJSON_CreateObject();
	cJSON_AddStringToObject(data, "socket", fe->socket);
	cJSON_AddStringToObject(data, "reason", err.msg);
	control__event(fe->vm->control, fe->client->gone_event, data);
	if (fe->client->gone)
		fe->client->gone(fe, &err);
}

/* One message of the back-end's requests. False when the connection is over. */
static bool frontend__read_backend(struct frontend *fe)
{
	struct vhost_user_msg msg;
	enum fdmsg_status status;

	status = fdmsg_recv(fe->backend.fd, &msg, FRONTEND_MESSAGE_MS);
	if (status != FDMSG_OK) {
		frontend__fail(fe, EPROTO, "its request channel: %s", fdmsg_strstatus(status));
		return false;
	}
	/* Or a back-end that never stops asking would keep the guest from starting. */
	if (fe->state != FRONTEND_READY && ++fe->nr_requests > FRONTEND_START_REQUESTS)
		frontend__fail(fe, EPROTO, "more than %d requests at start",
			       FRONTEND_START_REQUESTS);
	else
		frontend__shmem_request(fe, &msg);
	fdmsg_close_fds(&msg);
	return fe->state != FRONTEND_DEAD;
}

static bool frontend__backend_readable(const struct frontend *fe)
{
	struct pollfd pfd = { .fd = fe->backend.fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

bool frontend__drain_backend(struct frontend *fe)
{
	while (frontend__backend_readable(fe)) {
		if (!frontend__read_backend(fe))
			return false;
	}
	return true;
}

/* One message a round, so that no back-end keeps the loop to itself. */
static void frontend__on_backend(struct loop_handler *h, uint32_t events)
{
	struct frontend *fe = container_of(h, struct frontend, backend);

	(void)events;
	/* The handshake's last step may have taken what woke us. */
	if (frontend__backend_readable(fe))
		frontend__read_backend(fe);
}

static void frontend__on_main(struct loop_handler *h, uint32_t events)
{
	struct frontend *fe = container_of(h, struct frontend, main);
	struct vhost_user_msg msg;
	enum fdmsg_status status;

	(void)events;
	status = fdmsg_recv(fe->main.fd, &msg, FRONTEND_MESSAGE_MS);
	if (status == FDMSG_CLOSED) {
		frontend__fail(fe, ECONNRESET, "it closed the connection");
		return;
	}
	if (status != FDMSG_OK) {
		frontend__fail(fe, EPROTO, "%s", fdmsg_strstatus(status));
		return;
	}
	frontend__script_reply(fe, &msg);
	fdmsg_close_fds(&msg);
}

int frontend__create(struct frontend **out, struct vm *vm, struct loop *loop,
		     const struct frontend_client *client, const char *socket, uint64_t offset,
		     void *opaque)
{
	struct frontend *fe;

	fe = calloc(1, sizeof(*fe));
	if (!fe)
		return -ENOMEM;
	*fe = (struct frontend) {
		.vm = vm, .loop = loop, .client = client, .socket = socket, .offset = offset,
		.opaque = opaque, .next = vm->frontends,
		.main = { .fd = -1, .ready = frontend__on_main },
		.backend = { .fd = -1, .ready = frontend__on_backend },
		.backend_peer = -1, .log_fd = -1,
		.driver_features = FRONTEND_FEATURES_NEEDED,
	};
	frontend__init_log(fe);
	vm->frontends = fe;
	*out = fe;
	return 0;
}

void frontend__destroy(struct frontend *fe)
{
	struct frontend **at;
	struct error err = { "" };

	if (!fe)
		return;
	/* What was posted for it is done while it is there. */
	loop__flush(fe->loop);
	fe->state = FRONTEND_DEAD;
	frontend__disconnect(fe);
	error__set(&err, ECANCELED, "the VM ends");
	frontend__drop_jobs(fe, ECANCELED, &err);
	frontend__close_log(fe);
	for (at = &fe->vm->frontends; *at != fe; at = &(*at)->next)
		;
	*at = fe->next;
	free(fe);
}

void frontend__attach(struct frontend *fe, int sock)
{
	int pair[2];

	fe->state = FRONTEND_HANDSHAKE;
	fe->nr_requests = 0;
	fe->config_changed = false;
	fe->main.fd = sock;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		frontend__fail(fe, errno, "socketpair: %s", strerror(errno));
		return;
	}
	fe->backend.fd = pair[0];
	fe->backend_peer = pair[1];
	if (loop__add(fe->loop, &fe->main, EPOLLIN) < 0 ||
	    loop__add(fe->loop, &fe->backend, EPOLLIN) < 0) {
		frontend__fail(fe, EIO, "epoll refuses its socket");
		return;
	}
	frontend__script_begin(fe, FRONTEND_SCRIPT_HANDSHAKE);
}

/* Also while the back-end is still starting: its socket may come later. */
static void frontend__connect(struct frontend *fe)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const char *path = fe->socket;
	int sock, errnum;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		frontend__fail(fe, ENAMETOOLONG, "the path has %zu bytes, a socket's may have %zu",
			       strlen(path), sizeof(addr.sun_path) - 1);
		return;
	}
	strcpy(addr.sun_path, path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0) {
		frontend__fail(fe, errno, "socket: %s", strerror(errno));
		return;
	}
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
		frontend__attach(fe, sock);
		return;
	}
	errnum = errno;
	close(sock);
	if ((errnum != ENOENT && errnum != ECONNREFUSED && errnum != EAGAIN) ||
	    frontend__now_ms() >= fe->deadline_ms)
		frontend__fail(fe, errnum, "connect: %s", strerror(errnum));
}

void frontend__start(struct frontend *fe)
{
	fe->state = FRONTEND_CONNECTING;
	frontend__set_deadline(fe);
	frontend__connect(fe);
}

int frontend__timeout_ms(const struct frontend *fe)
{
	int64_t left;

	if (fe->state != FRONTEND_CONNECTING && fe->state != FRONTEND_HANDSHAKE && !fe->jobs)
		return -1;
	left = fe->deadline_ms - frontend__now_ms();
	if (left < 0)
		left = 0;
	if (fe->state == FRONTEND_CONNECTING && left > FRONTEND_RETRY_MS)
		left = FRONTEND_RETRY_MS;
	return left;
}

void frontend__tick(struct frontend *fe)
{
	if (fe->state == FRONTEND_CONNECTING)
		frontend__connect(fe);
	else if ((fe->state == FRONTEND_HANDSHAKE || fe->jobs) &&
		 frontend__now_ms() >= fe->deadline_ms)
		frontend__fail(fe, ETIMEDOUT, "no answer to %s for %u ms",
			       frontend__step_name(fe), fe->vm->options->gpu_timeout_ms);
}

int frontends__timeout_ms(const struct vm *vm)
{
	const struct frontend *fe;
	int timeout = -1, t;

	for (fe = vm->frontends; fe; fe = fe->next) {
		t = frontend__timeout_ms(fe);
		if (t >= 0 && (timeout < 0 || t < timeout))
			timeout = t;
	}
	return timeout;
}

void frontends__tick(struct vm *vm)
{
	struct frontend *fe;

	for (fe = vm->frontends; fe; fe = fe->next)
		frontend__tick(fe);
}
