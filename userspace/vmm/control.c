// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Control socket: clients, lines in, lines out; what the commands do is
 * control_command.c's. See control.h.
 */
#include "vmm/control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "vmm/control_command.h"
#include "vmm/loop.h"
#include "vmm/unix_listen.h"
#include "vmm/util.h"

/* A client that does not read is dropped when this much waits for it. */
#define CONTROL_MAX_OUTPUT	(1 << 20)

struct client {
	struct loop_handler handler;
	struct control *control;
	char *in;		/* CONTROL_MAX_LINE + 1 */
	size_t in_len;
	char *out;
	size_t out_len;
};

struct control {
	struct loop_handler listener;
	struct loop *loop;
	struct vm *vm;
	char *path;
	struct client *clients[CONTROL_MAX_CLIENTS];
};

/* An event on its way from any thread to the event loop. */
struct control_event {
	struct control *control;
	cJSON *json;
};

static void client__close(struct client *client)
{
	struct control *control = client->control;
	unsigned int i;

	for (i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		if (control->clients[i] == client)
			control->clients[i] = NULL;
	}
	loop__del(control->loop, &client->handler);
	close(client->handler.fd);
	free(client->in);
	free(client->out);
	free(client);
}

/* Write what there is; what the socket does not take waits for EPOLLOUT. */
static int client__flush(struct client *client)
{
	ssize_t n;

	while (client->out_len) {
		n = send(client->handler.fd, client->out, client->out_len,
			 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return -errno;
		client->out_len -= n;
		memmove(client->out, client->out + n, client->out_len);
	}
	return loop__mod(client->control->loop, &client->handler,
			 EPOLLIN | (client->out_len ? EPOLLOUT : 0));
}

/* @json stays the caller's. */
static int client__send(struct client *client, const cJSON *json)
{
	char *line = cJSON_PrintUnformatted(json);
	size_t len;
	char *out;
	int r = 0;

	if (!line)
		return -ENOMEM;
	len = strlen(line);
	if (client->out_len + len + 1 > CONTROL_MAX_OUTPUT) {
		log_warn("control: a client does not read: %zu bytes wait for it; dropped",
			 client->out_len);
		r = -ENOBUFS;
		goto out;
	}
	out = realloc(client->out, client->out_len + len + 1);
	if (!out) {
		r = -ENOMEM;
		goto out;
	}
	client->out = out;
	memcpy(out + client->out_len, line, len);
	out[client->out_len + len] = '\n';
	client->out_len += len + 1;
	r = client__flush(client);
out:
	cJSON_free(line);
	return r;
}

static int client__line(struct client *client, const char *line, size_t len)
{
	cJSON *answer;
	int r;

	answer = control_command__line(client->control->vm, line, len);
	if (!answer)
		return -ENOMEM;
	r = client__send(client, answer);
	cJSON_Delete(answer);
	return r;
}

/* All whole lines that are there. */
static int client__lines(struct client *client)
{
	char *start = client->in, *end;
	size_t left = client->in_len;
	int r = 0;

	while (!r && (end = memchr(start, '\n', left))) {
		r = client__line(client, start, end - start);
		left -= end + 1 - start;
		start = end + 1;
	}
	memmove(client->in, start, left);
	client->in_len = left;
	return r;
}

static int client__read(struct client *client)
{
	cJSON *answer;
	ssize_t n;
	int r;

	n = recv(client->handler.fd, client->in + client->in_len,
		 CONTROL_MAX_LINE - client->in_len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	client->in_len += n;
	r = client__lines(client);
	if (r < 0)
		return r;
	if (client->in_len == CONTROL_MAX_LINE) {
		answer = control_command__error("LineTooLong",
						"a line has more than 65536 bytes: the connection is closed");
		client__send(client, answer);
		cJSON_Delete(answer);
		return -EMSGSIZE;
	}
	return 0;
}

static void client__ready(struct loop_handler *h, uint32_t events)
{
	struct client *client = container_of(h, struct client, handler);
	int r = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		r = client__read(client);
	if (!r && events & EPOLLOUT)
		r = client__flush(client);
	if (r < 0)
		client__close(client);
}

static void control__accept(struct loop_handler *h, uint32_t events)
{
	struct control *control = container_of(h, struct control, listener);
	struct client *client = NULL;
	unsigned int i;
	int fd;

	(void)events;
	fd = accept4(h->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	for (i = 0; i < CONTROL_MAX_CLIENTS && control->clients[i]; i++)
		;
	if (i < CONTROL_MAX_CLIENTS)
		client = calloc(1, sizeof(*client));
	if (!client)
		goto refuse;
	*client = (struct client) {
		.handler = { .ready = client__ready, .fd = fd },
		.control = control,
		.in = malloc(CONTROL_MAX_LINE),
	};
	if (!client->in || loop__add(control->loop, &client->handler, EPOLLIN) < 0)
		goto refuse;
	control->clients[i] = client;
	return;
refuse:
	log_warn("control: more than %d clients, or no memory for another", CONTROL_MAX_CLIENTS);
	if (client)
		free(client->in);
	free(client);
	close(fd);
}

int control__create(struct control **out, struct loop *loop, struct vm *vm, const char *path,
		    struct error *err)
{
	struct control *control;
	int r;

	control = calloc(1, sizeof(*control));
	if (!control)
		return error__set(err, ENOMEM, "out of memory");
	*control = (struct control) {
		.loop = loop, .vm = vm, .listener.ready = control__accept, .path = strdup(path),
	};
	r = control->path ? unix_listen("control socket", path, CONTROL_MAX_CLIENTS, err) : -ENOMEM;
	if (r < 0) {
		free(control->path);
		free(control);
		return r;
	}
	control->listener.fd = r;
	r = loop__add(loop, &control->listener, EPOLLIN);
	if (r < 0) {
		control__destroy(control);
		return error__set(err, -r, "control socket: %s", strerror(-r));
	}
	*out = control;
	return 0;
}

void control__destroy(struct control *control)
{
	unsigned int i;

	if (!control)
		return;
	/* Events that threads left behind still reach the clients. */
	loop__flush(control->loop);
	for (i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		if (control->clients[i])
			client__close(control->clients[i]);
	}
	loop__del(control->loop, &control->listener);
	close(control->listener.fd);
	unlink(control->path);
	free(control->path);
	free(control);
}

static void control__deliver(void *arg)
{
	struct control_event *event = arg;
	struct control *control = event->control;
	struct client *client;
	unsigned int i;

	for (i = 0; i < CONTROL_MAX_CLIENTS; i++) {
		client = control->clients[i];
		if (client && client__send(client, event->json) < 0)
			client__close(client);
	}
	cJSON_Delete(event->json);
	free(event);
}

void control__event(struct control *control, const char *name, cJSON *data)
{
	struct control_event *event;
	struct timespec now;
	long microseconds;
	cJSON *time;

	if (!control) {
		cJSON_Delete(data);
		return;
	}
	event = calloc(1, sizeof(*event));
	if (!event) {
		cJSON_Delete(data);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	event->control = control;
	event->json = cJSON_CreateObject();
	cJSON_AddStringToObject(event->json, "event", name);
	cJSON_AddItemToObject(event->json, "data", data ? data : cJSON_CreateObject());
	time = cJSON_AddObjectToObject(event->json, "timestamp");
	cJSON_AddNumberToObject(time, "seconds", now.tv_sec);
	microseconds = now.tv_nsec / 1000;
	cJSON_AddNumberToObject(time, "microseconds", microseconds);
	if (loop__post(control->loop, control__deliver, event) < 0) {
		cJSON_Delete(event->json);
		free(event);
	}
}
