// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio-console, one port (VIRTIO 1.2, 5.3), on a Unix socket with one client at a
 * time. Without a client what the guest writes is dropped; a client that does not
 * read holds up this device alone.
 */
#include "vmm/virtio_devices.h"

#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/unix_listen.h"
#include "vmm/util.h"

#define CLASS_COMMUNICATION	0x078000
#define QUEUE_SIZE		64
#define QUEUE_RX		0	/* to the guest */
#define QUEUE_TX		1

struct virtio_console {
	struct virtio_device dev;
	char *path;
	int listener;
	int client;		/* -1: nobody */
	bool no_room;		/* input waits until the driver offers a buffer */
};

static struct virtio_console *console_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_console, dev);
}

/* What to watch: the listener without a client, else the client while there is room. */
static void watch(struct virtio_console *con)
{
	con->dev.input_fd = con->client < 0 ? con->listener : con->no_room ? -1 : con->client;
}

static void drop_client(struct virtio_console *con)
{
	close(con->client);
	con->client = -1;
	watch(con);
}

/* False: the client is gone, or the device is told to stop. */
static bool wait_writable(struct virtio_console *con)
{
	struct pollfd fds[] = {
		{ .fd = con->client, .events = POLLOUT },
		{ .fd = con->dev.stop_fd, .events = POLLIN },
	};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return !fds[1].revents;
}

static void send_all(struct virtio_console *con, const uint8_t *data, size_t len)
{
	ssize_t n;

	while (len && con->client >= 0) {
		n = send(con->client, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			data += n;
			len -= n;
		} else if (n < 0 && errno == EAGAIN) {
			if (!wait_writable(con))
				return;
		} else if (n == 0 || errno != EINTR) {
			drop_client(con);
		}
	}
}

static void transmit(struct virtio_console *con)
{
	const struct virtqueue_chain *c = &con->dev.chain;
	bool answered = false;
	unsigned int i;

	while (virtio__pop(&con->dev, QUEUE_TX)) {
		for (i = 0; i < c->nr_out; i++)
			send_all(con, c->iov[i].iov_base, c->iov[i].iov_len);
		virtio__push(&con->dev, QUEUE_TX, 0);
		answered = true;
	}
	if (answered)
		virtio__signal(&con->dev, QUEUE_TX);
}

static void process(struct virtio_device *dev, unsigned int q)
{
	struct virtio_console *con = console_of(dev);

	if (q == QUEUE_TX)
		transmit(con);
	else
		con->no_room = false;
	watch(con);
}

static void receive(struct virtio_console *con)
{
	struct virtqueue_chain *c = &con->dev.chain;
	ssize_t n;
	char probe;

	n = recv(con->client, &probe, sizeof(probe), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop_client(con);
		return;
	}
	if (!virtio__pop(&con->dev, QUEUE_RX)) {
		con->no_room = true;
		return;
	}
	n = c->nr_in ? readv(con->client, c->iov + c->nr_out, c->nr_in) : 0;
	virtio__push(&con->dev, QUEUE_RX, n < 0 ? 0 : n);
	virtio__signal(&con->dev, QUEUE_RX);
}

static void input(struct virtio_device *dev)
{
	struct virtio_console *con = console_of(dev);

	if (con->client < 0)
		con->client = accept4(con->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	else
		receive(con);
	watch(con);
}

static void destroy(struct virtio_device *dev)
{
	struct virtio_console *con = console_of(dev);

	if (con->client >= 0)
		close(con->client);
	if (con->listener >= 0)
		close(con->listener);
	if (con->listener >= 0 && con->path)
		unlink(con->path);
	virtio__exit(dev);
	free(con->path);
	free(con);
}

static const struct virtio_device_ops ops = {
	.name = "virtio-console", .id = VIRTIO_ID_CONSOLE, .class_code = CLASS_COMMUNICATION,
	.start = virtio_worker__start, .stop = virtio_worker__stop,
	.process = process, .input = input, .destroy = destroy,
};

int virtio_console__create(struct virtio_device **out, struct vm *vm,
			   const struct device_option *opt, struct error *err)
{
	const char *path = device_option__get(opt, "socket");
	struct virtio_console *con;
	int r;

	if (!path)
		return error__set(err, EINVAL, "--device virtio-console: socket=PATH is needed");
	con = calloc(1, sizeof(*con));
	if (!con)
		return error__set(err, ENOMEM, "out of memory");
	con->listener = -1;
	con->client = -1;
	r = virtio__init(&con->dev, &ops, vm, 2, QUEUE_SIZE, err);
	if (r < 0) {
		free(con);
		return r;
	}
	con->path = strdup(path);
	r = con->path ? unix_listen("virtio-console", path, 1, err) :
			error__set(err, ENOMEM, "out of memory");
	if (r < 0) {
		destroy(&con->dev);
		return r;
	}
	con->listener = r;
	watch(con);
	*out = &con->dev;
	return 0;
}
