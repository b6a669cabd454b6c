// SPDX-License-Identifier: GPL-2.0-or-later
/* vhost-user messages; see message.h. */
#include "lib/message.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/ktap.h"

#define HEADER_BYTES	12
#define MAX_FDS		8

void message_send(int sock, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		  int fd)
{
	uint32_t bytes[3 + 2 * 258] = { request, 1 | flags, size };
	struct iovec iov = { .iov_base = bytes, .iov_len = HEADER_BYTES + size };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (size)
		memcpy(bytes + 3, payload, size);
	if (fd >= 0) {
		struct cmsghdr *cmsg;

		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	test_assert(sendmsg(sock, &mh, MSG_NOSIGNAL) == (ssize_t)iov.iov_len);
}

bool message_receive(int sock, struct message *msg, int timeout_ms)
{
	struct pollfd pfd = { .fd = sock, .events = POLLIN };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = msg, .iov_len = HEADER_BYTES };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			     .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;

	memset(msg, 0, sizeof(*msg));
	msg->fd = -1;
	if (poll(&pfd, 1, timeout_ms) <= 0 ||
	    recvmsg(sock, &mh, MSG_WAITALL | MSG_CMSG_CLOEXEC) != HEADER_BYTES)
		return false;
	cmsg = CMSG_FIRSTHDR(&mh);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&msg->fd, CMSG_DATA(cmsg), sizeof(int));
	test_assert(msg->size <= sizeof(msg->payload));
	return !msg->size || recv(sock, msg->payload, msg->size, MSG_WAITALL) == msg->size;
}
