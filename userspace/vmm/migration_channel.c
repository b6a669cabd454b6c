// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets of a migration: connect, listen, and transfers with a deadline that an
 * eventfd can cancel. Called by migration_stream.c and migration.c.
 */
#include "vmm/migration_channel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/migration_clock.h"
#include "vmm/migration_rate.h"

/* The guest stands still until what is sent is acknowledged, which nothing tells of. */
#define FLUSH_TICK_NS	20000
#define FLUSH_MAX_TICK_NS	1000000
#define MAX_IOV		8
#define BACKLOG		16	/* connections of a migration come in quick succession */
#define SEND_BUFFER	(1 << 20)	/* some records, so that making them and sending overlap */

static int64_t now_ms(void)
{
	return migration_clock__ns() / 1000000;
}

static int64_t deadline_in(uint32_t timeout_ms)
{
	return timeout_ms ? now_ms() + timeout_ms : INT64_MAX;
}

/* Wait for @events on @fd. Returns what is ready; 0 for nothing, where it is not to @block. */
static int wait_fd(int fd, short events, int cancel_fd, int alarm_fd, int64_t deadline,
		   bool block)
{
	struct pollfd pfd[3] = {
		{ .fd = fd, .events = events },
		{ .fd = cancel_fd, .events = POLLIN },
		{ .fd = alarm_fd, .events = POLLIN },
	};
	int64_t left;
	int timeout, n;

	for (;;) {
		left = deadline - now_ms();
		if (left < 0)
			left = 0;
		timeout = deadline == INT64_MAX ? -1 : left > INT32_MAX ? INT32_MAX : (int)left;
		if (!block)
			timeout = 0;

		n = poll(pfd, 3, timeout);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && pfd[1].revents)
			return -ECANCELED;
		if (n > 0 && pfd[2].revents)
			return -ESHUTDOWN;
		if (n > 0 && pfd[0].revents)
			return pfd[0].revents;
		if (n == 0 && deadline != INT64_MAX && now_ms() >= deadline)
			return -ETIMEDOUT;
		if (n == 0 && !block)
			return 0;
	}
}

/*
 * The kernel's error for a connection. Only an end or a reset tells of the peer:
 * a time-out of TCP itself must not look like this side's own deadline.
 */
static int socket_error(int errnum)
{
	return errnum == ETIMEDOUT ? -EHOSTUNREACH : -errnum;
}

/* @what: what did not happen, for "… is silent: nothing came within 5000 ms". */
static int say(const struct migration_channel *ch, int ret, const char *what, struct error *err)
{
	switch (-ret) {
	case ECANCELED:
		return error__set(err, ECANCELED, "migration cancelled");
	case ETIMEDOUT:
		return error__set(err, ETIMEDOUT, "%s is silent: %s within %u ms", ch->peer, what,
				  ch->timeout_ms);
	case EPIPE:
	case ECONNRESET:
		return error__set(err, EPIPE, "%s closed the connection", ch->peer);
	case ESHUTDOWN:
		return error__set(err, ESHUTDOWN, "another channel failed");
	case EREMOTEIO:
		return error__set(err, EREMOTEIO, "%s interrupted", ch->peer);
	default:
		return error__set(err, -ret, "connection to %s: %s", ch->peer, strerror(-ret));
	}
}

static int alarm_of(const struct migration_channel *ch)
{
	return ch->alarm_fd ? *ch->alarm_fd : -1;
}

/* unix:PATH */
static int parse_unix(const char *uri, struct sockaddr_un *sun, struct error *err)
{
	const char *path = uri + strlen("unix:");

	memset(sun, 0, sizeof(*sun));
	if (!*path || strlen(path) >= sizeof(sun->sun_path))
		return error__set(err, EINVAL, "%s: path of 1 to %zu bytes expected", uri,
				  sizeof(sun->sun_path) - 1);
	sun->sun_family = AF_UNIX;
	strcpy(sun->sun_path, path);
	return 0;
}

/* tcp:HOST:PORT, where an IPv6 address stands in brackets; an empty HOST is any. */
static int parse_tcp(const char *uri, char *host, size_t host_len, const char **port,
		     struct error *err)
{
	const char *start = uri + strlen("tcp:");
	const char *colon = strrchr(start, ':');
	size_t len;

	*host = '\0';
	*port = NULL;
	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return error__set(err, EINVAL, "%s: tcp:HOST:PORT with a port number expected",
				  uri);
	len = colon - start;
	if (len >= 2 && start[0] == '[' && start[len - 1] == ']') {
		start++;
		len -= 2;
	}
	if (len >= host_len)
		return error__set(err, EINVAL, "%s: host of at most %zu bytes expected", uri,
				  host_len - 1);
	memcpy(host, start, len);
	host[len] = '\0';
	*port = colon + 1;
	return 0;
}

static bool is_unix(const char *uri)
{
	return !strncmp(uri, "unix:", 5);
}

int migration_channel__check_uri(const char *uri, struct error *err)
{
	struct sockaddr_un sun;
	const char *port;
	char host[256];

	if (is_unix(uri))
		return parse_unix(uri, &sun, err);
	if (!strncmp(uri, "tcp:", 4))
		return parse_tcp(uri, host, sizeof(host), &port, err);
	return error__set(err, EINVAL, "%s: unix:PATH or tcp:HOST:PORT expected", uri);
}

static int resolve(const char *uri, int flags, struct addrinfo **res, struct error *err)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV,
	};
	const char *port;
	char host[256];
	int ret;

	ret = parse_tcp(uri, host, sizeof(host), &port, err);
	if (ret)
		return ret;
	ret = getaddrinfo(*host ? host : NULL, port, &hints, res);
	if (ret)
		return error__set(err, EADDRNOTAVAIL, "%s: %s", uri, gai_strerror(ret));
	return 0;
}

static void tune(int fd)
{
	int one = 1, size = SEND_BUFFER, domain;
	socklen_t len = sizeof(domain);

	/* TCP sizes its buffer itself, as long as nobody else does. */
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) || domain != AF_UNIX)
		/* Answers are small and waited for. */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	else if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int connect_to(struct migration_channel *ch, const struct sockaddr *sa, socklen_t len)
{
	socklen_t optlen = sizeof(int);
	int soerr = 0;
	int fd, ret;

	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	ret = connect(fd, sa, len) ? -errno : 0;
	if (ret == -EINPROGRESS) {
		ret = wait_fd(fd, POLLOUT, ch->cancel_fd, alarm_of(ch),
			      deadline_in(ch->timeout_ms), true);
		if (ret > 0) {
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &soerr, &optlen);
			ret = -soerr;
		}
	}
	if (ret) {
		close(fd);
		return ret;
	}
	tune(fd);
	ch->fd = fd;
	return 0;
}

int migration_channel__connect(struct migration_channel *ch, const char *uri, struct error *err)
{
	struct addrinfo *res = NULL, *ai;
	struct sockaddr_un sun;
	int ret;

	if (is_unix(uri)) {
		ret = parse_unix(uri, &sun, err);
		if (ret)
			return ret;
		ret = connect_to(ch, (struct sockaddr *)&sun, sizeof(sun));
	} else {
		ret = resolve(uri, 0, &res, err);
		if (ret)
			return ret;
		ret = -EADDRNOTAVAIL;
		for (ai = res; ai && ret && ret != -ECANCELED; ai = ai->ai_next)
			ret = connect_to(ch, ai->ai_addr, ai->ai_addrlen);
		freeaddrinfo(res);
	}
	if (ret == -ECANCELED)
		return say(ch, ret, "", err);
	if (ret)
		return error__set(err, -ret, "%s: cannot connect to the %s: %s", uri, ch->peer,
				  strerror(-ret));
	return 0;
}

/* A socket file that nobody listens on is left over from a killed process. */
static int bind_unix(int fd, const struct sockaddr_un *sun)
{
	const struct sockaddr *sa = (const struct sockaddr *)sun;
	struct stat st;
	int probe, stale;

	/* The file gets the mode of the socket's inode. */
	if (fchmod(fd, 0600))
		return -errno;
	if (!bind(fd, sa, sizeof(*sun)))
		return 0;
	if (errno != EADDRINUSE || lstat(sun->sun_path, &st))
		return -errno;
	/* A file of another kind refuses connections too, and is somebody's. */
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return -errno;
	stale = connect(probe, sa, sizeof(*sun)) && errno == ECONNREFUSED;
	close(probe);
	if (!stale)
		return -EADDRINUSE;
	if (unlink(sun->sun_path) || bind(fd, sa, sizeof(*sun)))
		return -errno;
	return 0;
}

static int listen_on(struct migration_listener *l, const struct sockaddr *sa, socklen_t len)
{
	const struct sockaddr_un *sun = (const struct sockaddr_un *)sa;
	int one = 1;
	int fd, ret;

	fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (sa->sa_family == AF_UNIX) {
		ret = bind_unix(fd, sun);
		if (!ret)
			strcpy(l->path, sun->sun_path);
	} else {
		ret = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		      bind(fd, sa, len) ? -errno : 0;
	}
	if (!ret && listen(fd, BACKLOG))
		ret = -errno;
	l->fd = fd;
	if (ret)
		migration_listener__close(l);
	return ret;
}

int migration_listener__open(struct migration_listener *l, const char *uri, struct error *err)
{
	struct addrinfo *res = NULL;
	struct sockaddr_un sun;
	int ret;

	l->fd = -1;
	l->path[0] = '\0';
	ret = migration_channel__check_uri(uri, err);
	if (ret)
		return ret;
	if (is_unix(uri)) {
		ret = parse_unix(uri, &sun, err);
		if (ret)
			return ret;
		ret = listen_on(l, (struct sockaddr *)&sun, sizeof(sun));
	} else {
		ret = resolve(uri, AI_PASSIVE, &res, err);
		if (ret)
			return ret;
		ret = listen_on(l, res->ai_addr, res->ai_addrlen);
		freeaddrinfo(res);
	}
	if (ret)
		return error__set(err, -ret, "%s: cannot listen: %s", uri, strerror(-ret));
	return 0;
}

int migration_listener__accept(struct migration_listener *l, struct migration_channel *ch,
			       struct error *err)
{
	int ret;

	for (;;) {
		ret = wait_fd(l->fd, POLLIN, ch->cancel_fd, alarm_of(ch), INT64_MAX, true);
		if (ret < 0)
			return say(ch, ret, "", err);
		ch->fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (ch->fd >= 0)
			break;
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			return error__set(err, errno, "accept: %s", strerror(errno));
	}
	tune(ch->fd);
	return 0;
}

void migration_listener__close(struct migration_listener *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	if (l->path[0])
		unlink(l->path);
	l->path[0] = '\0';
}

/* Until the bandwidth allows for @bytes: as interruptible as the write that follows. */
static int hold_back(struct migration_channel *ch, size_t bytes, bool heed_input,
		     struct error *err)
{
	uint64_t wait = migration_rate__take(ch->rate, bytes, migration_clock__ns());
	int64_t until = now_ms() + (wait + 999999) / 1000000;
	int ret;

	if (!wait)
		return 0;
	ret = wait_fd(ch->fd, heed_input ? POLLIN : 0, ch->cancel_fd, alarm_of(ch), until, true);
	if (ret == -ETIMEDOUT)
		return 0;
	if (ret < 0)
		return say(ch, ret, "", err);
	return say(ch, heed_input && (ret & POLLIN) ? -EREMOTEIO : -EPIPE, "", err);
}

int migration_channel__write(struct migration_channel *ch, const struct iovec *iov, int n,
			     bool heed_input, struct error *err)
{
	short events = POLLOUT | (heed_input ? POLLIN : 0);
	struct iovec v[MAX_IOV];
	struct msghdr msg = { .msg_iov = v, .msg_iovlen = n };
	int alarm_fd = alarm_of(ch);
	size_t bytes = 0;
	int64_t deadline;
	ssize_t sent;
	int i, ret;

	memcpy(v, iov, n * sizeof(*v));
	for (i = 0; ch->rate && i < n; i++)
		bytes += iov[i].iov_len;
	ret = bytes ? hold_back(ch, bytes, heed_input, err) : 0;
	if (ret)
		return ret;
	deadline = deadline_in(ch->timeout_ms);
	while (msg.msg_iovlen) {
		ret = wait_fd(ch->fd, events, ch->cancel_fd, alarm_fd, deadline, true);
		if (ret < 0)
			return say(ch, ret, "does not take what is sent", err);
		if (heed_input && (ret & POLLIN))
			return say(ch, -EREMOTEIO, "", err);
		sent = sendmsg(ch->fd, &msg, MSG_NOSIGNAL);
		if (sent < 0) {
			if (errno == EAGAIN || errno == EINTR)
				continue;
			return say(ch, socket_error(errno), "", err);
		}
		ch->tx_bytes += sent;
		if (ch->control)
			alarm_fd = -1;
		while (msg.msg_iovlen && (size_t)sent >= msg.msg_iov->iov_len) {
			sent -= msg.msg_iov->iov_len;
			msg.msg_iov++;
			msg.msg_iovlen--;
		}
		if (msg.msg_iovlen) {
			msg.msg_iov->iov_base = (char *)msg.msg_iov->iov_base + sent;
			msg.msg_iov->iov_len -= sent;
		}
	}
	return 0;
}

int migration_channel__read(struct migration_channel *ch, void *buf, size_t len,
			    struct error *err)
{
	int64_t deadline = deadline_in(ch->timeout_ms);
	ssize_t got;
	int ret;

	while (len) {
		got = recv(ch->fd, buf, len, 0);
		if (got < 0 && errno == EAGAIN) {
			ret = wait_fd(ch->fd, POLLIN, ch->cancel_fd, alarm_of(ch), deadline, true);
			if (ret < 0)
				return say(ch, ret, "nothing came", err);
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return say(ch, got ? socket_error(errno) : -EPIPE, "", err);
		/* Another thread may look at it for the report. */
		__atomic_store_n(&ch->rx_bytes, ch->rx_bytes + got, __ATOMIC_RELAXED);
		buf = (char *)buf + got;
		len -= got;
	}
	return 0;
}

int migration_channel__wait_input(struct migration_channel *ch, struct error *err)
{
	int ret;

	ret = wait_fd(ch->fd, POLLIN, ch->cancel_fd, alarm_of(ch), deadline_in(ch->timeout_ms),
		      true);
	return ret < 0 ? say(ch, ret, "nothing came", err) : 0;
}

int migration_channel__flush(struct migration_channel *ch, struct error *err)
{
	struct timespec tick = { .tv_nsec = FLUSH_TICK_NS };
	int64_t deadline = deadline_in(ch->timeout_ms);
	socklen_t len = sizeof(int);
	int domain, queued, ret;

	/* A local socket's bytes are in the peer's queue when send() returns. */
	if (getsockopt(ch->fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) || domain == AF_UNIX)
		return 0;
	for (;;) {
		/*
		 * Errors first, the queue second: what is acknowledged stays so after a
		 * reset, and an orderly end of the other direction is no error.
		 */
		ret = wait_fd(ch->fd, 0, ch->cancel_fd, alarm_of(ch), deadline, false);
		if (ioctl(ch->fd, SIOCOUTQ, &queued))
			return say(ch, -errno, "", err);
		if (!queued)
			return 0;
		if (ret < 0)
			return say(ch, ret, "does not acknowledge what is sent", err);
		if (ret)
			return say(ch, -EPIPE, "", err);
		nanosleep(&tick, NULL);
		if (tick.tv_nsec < FLUSH_MAX_TICK_NS)
			tick.tv_nsec *= 2;
	}
}

void migration_channel__shutdown(struct migration_channel *ch)
{
	if (ch->fd >= 0)
		shutdown(ch->fd, SHUT_WR);
}

void migration_channel__close(struct migration_channel *ch)
{
	if (ch->fd >= 0)
		close(ch->fd);
	ch->fd = -1;
}
