// SPDX-License-Identifier: GPL-2.0-or-later
/* The socket of --socket-path or --fd, until the front-end is there. Called by main.c. */
#include "listener.h"
#include "log.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Left behind by an earlier run? Only a refused connection proves it. A datagram
 * socket asks: if somebody listens, it gets EPROTOTYPE and nobody is disturbed.
 */
static bool is_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	int saved = errno, sock;
	bool stale = false;

	if (lstat(addr->sun_path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (sock >= 0) {
			stale = connect(sock, (const struct sockaddr *)addr, sizeof(*addr)) < 0 &&
				errno == ECONNREFUSED;
			close(sock);
		}
	}
	errno = saved;
	return stale;
}

int listener_open(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock, ret;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0) {
		log_error("%s: cannot create a socket: %m", path);
		return -1;
	}
	ret = bind(sock, (struct sockaddr *)&addr, sizeof(addr));
	if (ret < 0 && errno == EADDRINUSE && is_stale(&addr)) {
		unlink(path);
		ret = bind(sock, (struct sockaddr *)&addr, sizeof(addr));
	}
	if (ret < 0) {
		log_error("%s: cannot bind a socket: %m", path);
		goto out_close;
	}
	if (listen(sock, 1) < 0) {
		log_error("%s: cannot listen: %m", path);
		goto out_unlink;
	}
	return sock;

out_unlink:
	unlink(path);
out_close:
	close(sock);
	return -1;
}

int listener_check_connected(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer), type_len = sizeof(int);
	int type;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) < 0 ||
	    getpeername(fd, (struct sockaddr *)&peer, &len) < 0) {
		log_error("--fd=%d: is not a connected socket: %m", fd);
		return -1;
	}
	if (type != SOCK_STREAM) {
		log_error("--fd=%d: is a socket of type %d, must be a stream socket (%d)", fd,
			  type, SOCK_STREAM);
		return -1;
	}
	return 0;
}

int listener_accept(int listener, int signal_fd, struct buffer *buffers, unsigned int nbuffers,
		    struct gpu *gpu, int *sock)
{
	struct pollfd pfds[] = {
		{ .fd = signal_fd, .events = POLLIN },
		{ .fd = listener, .events = POLLIN },
	};

	log_info("ready: waiting for the front-end");
	for (;;) {
		if (poll(pfds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			log_error("cannot wait for the front-end: %m");
			return -1;
		}
		if (pfds[0].revents) {
			switch (signals_read(signal_fd)) {
			case SIGNAL_STOP:
				return 0;
			case SIGNAL_FILL:
				buffer_fill_all(buffers, nbuffers);
				break;
			case SIGNAL_SHOW:
				gpu_screenshot(gpu);
				break;
			case SIGNAL_NONE:
				break;
			}
		}
		if (pfds[1].revents) {
			*sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
			if (*sock >= 0)
				return 1;
			if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
				log_error("cannot accept the front-end: %m");
				return -1;
			}
		}
	}
}
