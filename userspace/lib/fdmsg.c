// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moves one vhost-user message, with its fds, over a stream socket. Called by
 * both programs for the main socket and for the back-end's request socket.
 * Checks what belongs to framing; what a request means is the caller's.
 */
#include "fdmsg.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * The kernel passes at most 253 fds at once (SCM_MAX_FD). With room for all of
 * them a message with too many can be told from one whose fds did not fit into
 * this process' descriptor table: only the latter sets MSG_CTRUNC.
 */
#define FDMSG_SCM_MAX_FD	253

union fdmsg_control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(FDMSG_SCM_MAX_FD * sizeof(int))];
};

struct fdmsg_deadline {
	bool forever;
	int64_t end_ms;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct fdmsg_deadline deadline_in(int timeout_ms)
{
	return (struct fdmsg_deadline){
		.forever = timeout_ms < 0,
		.end_ms = timeout_ms < 0 ? 0 : now_ms() + timeout_ms,
	};
}

/* Wait until the socket is ready, or has something to tell by failing. */
static enum fdmsg_status wait_ready(int sock, short events, const struct fdmsg_deadline *deadline)
{
	struct pollfd pfd = { .fd = sock, .events = events };
	int64_t left;
	int ret;

	do {
		left = -1;
		if (!deadline->forever) {
			left = deadline->end_ms - now_ms();
			if (left < 0)
				left = 0;
		}
		ret = poll(&pfd, 1, left);
	} while (ret < 0 && errno == EINTR);

	if (ret < 0)
		return FDMSG_IO;
	return ret ? FDMSG_OK : FDMSG_TIMEOUT;
}

/* Take the fds out of the control data; those beyond the limit are closed. */
static enum fdmsg_status take_fds(struct msghdr *mh, struct vhost_user_msg *msg)
{
	enum fdmsg_status status = FDMSG_OK;
	struct cmsghdr *cmsg;
	size_t count, i;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(mh); cmsg; cmsg = CMSG_NXTHDR(mh, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(fd));
			if (msg->nfds == VHOST_USER_MAX_FDS) {
				close(fd);
				status = FDMSG_TOO_MANY_FDS;
			} else {
				msg->fds[msg->nfds++] = fd;
			}
		}
	}
	if (mh->msg_flags & MSG_CTRUNC)
		status = FDMSG_FDS_TRUNCATED;
	return status;
}

static enum fdmsg_status recv_header(int sock, struct vhost_user_msg *msg,
				     const struct fdmsg_deadline *deadline)
{
	union fdmsg_control control;
	enum fdmsg_status status;
	size_t done = 0;
	ssize_t ret;

	while (done < sizeof(msg->hdr)) {
		struct iovec iov = {
			.iov_base = (char *)&msg->hdr + done,
			.iov_len = sizeof(msg->hdr) - done,
		};
		struct msghdr mh = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};

		status = wait_ready(sock, POLLIN, deadline);
		if (status != FDMSG_OK)
			return status;
		ret = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (ret < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		/* Closed with something unread; there is nothing in control then. */
		if (ret < 0 && errno == ECONNRESET)
			return done ? FDMSG_SHORT_HEADER : FDMSG_CLOSED;
		if (ret < 0)
			return FDMSG_IO;
		status = take_fds(&mh, msg);
		if (status != FDMSG_OK)
			return status;
		if (!ret)
			return done ? FDMSG_SHORT_HEADER : FDMSG_CLOSED;
		done += ret;
	}
	return FDMSG_OK;
}

static enum fdmsg_status recv_payload(int sock, struct vhost_user_msg *msg,
				      const struct fdmsg_deadline *deadline)
{
	enum fdmsg_status status;
	size_t done = 0;
	ssize_t ret;

	while (done < msg->hdr.size) {
		struct iovec iov = {
			.iov_base = (char *)&msg->payload + done,
			.iov_len = msg->hdr.size - done,
		};
		/* No control buffer: the kernel drops what fds there are and says MSG_CTRUNC. */
		struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

		status = wait_ready(sock, POLLIN, deadline);
		if (status != FDMSG_OK)
			return status;
		ret = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (ret < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (ret < 0 && errno == ECONNRESET)
			return FDMSG_SHORT_PAYLOAD;
		if (ret < 0)
			return FDMSG_IO;
		if (mh.msg_flags & MSG_CTRUNC)
			return FDMSG_STRAY_FDS;
		if (!ret)
			return FDMSG_SHORT_PAYLOAD;
		done += ret;
	}
	return FDMSG_OK;
}

enum fdmsg_status fdmsg_recv(int sock, struct vhost_user_msg *msg, int timeout_ms)
{
	struct fdmsg_deadline deadline = deadline_in(timeout_ms);
	enum fdmsg_status status;
	unsigned int i;

	memset(msg, 0, sizeof(*msg));
	for (i = 0; i < VHOST_USER_MAX_FDS; i++)
		msg->fds[i] = -1;

	status = recv_header(sock, msg, &deadline);
	if (status != FDMSG_OK)
		goto out_close;

	if ((msg->hdr.flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION) {
		status = FDMSG_BAD_VERSION;
		goto out_close;
	}
	if (msg->hdr.size > sizeof(msg->payload)) {
		status = FDMSG_OVERSIZE;
		goto out_close;
	}

	status = recv_payload(sock, msg, &deadline);
	if (status != FDMSG_OK)
		goto out_close;
	return FDMSG_OK;

out_close:
	fdmsg_close_fds(msg);
	return status;
}

enum fdmsg_status fdmsg_send(int sock, const struct vhost_user_msg *msg, int timeout_ms)
{
	struct fdmsg_deadline deadline = deadline_in(timeout_ms);
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(VHOST_USER_MAX_FDS * sizeof(int))];
	} control = { 0 };
	size_t done = 0, total = sizeof(msg->hdr) + msg->hdr.size;
	enum fdmsg_status status;
	ssize_t ret;

	if (msg->hdr.size > sizeof(msg->payload))
		return FDMSG_OVERSIZE;
	if (msg->nfds > VHOST_USER_MAX_FDS)
		return FDMSG_TOO_MANY_FDS;

	while (done < total) {
		struct iovec iov[2];
		struct msghdr mh = { .msg_iov = iov };

		if (done < sizeof(msg->hdr))
			iov[mh.msg_iovlen++] = (struct iovec){
				.iov_base = (char *)&msg->hdr + done,
				.iov_len = sizeof(msg->hdr) - done,
			};
		if (msg->hdr.size) {
			size_t skip = done > sizeof(msg->hdr) ? done - sizeof(msg->hdr) : 0;

			iov[mh.msg_iovlen++] = (struct iovec){
				.iov_base = (char *)&msg->payload + skip,
				.iov_len = msg->hdr.size - skip,
			};
		}
		if (!done && msg->nfds) {
			struct cmsghdr *cmsg;

			mh.msg_control = &control;
			mh.msg_controllen = CMSG_SPACE(msg->nfds * sizeof(int));
			cmsg = CMSG_FIRSTHDR(&mh);
			cmsg->cmsg_level = SOL_SOCKET;
			cmsg->cmsg_type = SCM_RIGHTS;
			cmsg->cmsg_len = CMSG_LEN(msg->nfds * sizeof(int));
			memcpy(CMSG_DATA(cmsg), msg->fds, msg->nfds * sizeof(int));
		}

		status = wait_ready(sock, POLLOUT, &deadline);
		if (status != FDMSG_OK)
			return status;
		ret = sendmsg(sock, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (ret < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (ret < 0 && (errno == EPIPE || errno == ECONNRESET))
			return FDMSG_CLOSED;
		if (ret < 0)
			return FDMSG_IO;
		done += ret;
	}
	return FDMSG_OK;
}

void fdmsg_close_fds(struct vhost_user_msg *msg)
{
	int saved = errno;
	unsigned int i;

	for (i = 0; i < msg->nfds; i++) {
		if (msg->fds[i] >= 0)
			close(msg->fds[i]);
		msg->fds[i] = -1;
	}
	msg->nfds = 0;
	errno = saved;
}

const char *fdmsg_strstatus(enum fdmsg_status status)
{
	switch (status) {
	case FDMSG_OK:
		return "success";
	case FDMSG_CLOSED:
		return "the peer closed the connection";
	case FDMSG_SHORT_HEADER:
		return "the peer closed the connection inside a header";
	case FDMSG_SHORT_PAYLOAD:
		return "the peer closed the connection inside a payload";
	case FDMSG_OVERSIZE:
		return "the payload is larger than any in the protocol";
	case FDMSG_BAD_VERSION:
		return "the header's version is not 1";
	case FDMSG_TOO_MANY_FDS:
		return "more than 8 file descriptors in one message";
	case FDMSG_FDS_TRUNCATED:
		return "file descriptors were lost: is RLIMIT_NOFILE too low?";
	case FDMSG_STRAY_FDS:
		return "file descriptors came with the payload, not the header";
	case FDMSG_TIMEOUT:
		return "timeout";
	case FDMSG_IO:
		return strerror(errno);
	}
	return "unknown status";
}
