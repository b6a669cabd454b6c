// SPDX-License-Identifier: GPL-2.0-or-later
/* See wire.h. */
#include "wire.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS	64

static int64_t clock_ns;

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	if (clock != CLOCK_MONOTONIC)
		return __real_clock_gettime(clock, ts);
	ts->tv_sec = clock_ns / 1000000000;
	ts->tv_nsec = clock_ns % 1000000000;
	return 0;
}

unsigned int wire_open_fds(void)
{
	const struct rlimit limit = { .rlim_cur = MAX_FDS, .rlim_max = MAX_FDS };
	unsigned int n = 0;
	int fd;

	setrlimit(RLIMIT_NOFILE, &limit);
	for (fd = 0; fd < MAX_FDS; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

void wire_clock_reset(void)
{
	clock_ns = 0;
}

void wire_clock_pass(int ms)
{
	clock_ns += ms * 1000000ll;
}

void wire_send(int sock, const struct vhost_user_header *hdr, const void *payload, size_t size,
	       const int *fds, unsigned int nfds)
{
	char control[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)];
	struct iovec iov[] = {
		{ .iov_base = (void *)hdr, .iov_len = sizeof(*hdr) },
		{ .iov_base = (void *)payload, .iov_len = size },
	};
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 2 };
	struct cmsghdr *cmsg;

	if (nfds) {
		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * nfds);
	}
	sendmsg(sock, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void wire_send_any(int sock, struct fuzz_input *in, int (*make_fd)(unsigned int kind),
		   unsigned int nr_kinds)
{
	uint8_t payload[sizeof(union vhost_user_payload)];
	struct vhost_user_header hdr = { 0 };
	int fds[WIRE_MAX_FDS];
	unsigned int nfds, i;
	size_t size;

	hdr.request = fuzz_number(in, 1);
	hdr.flags = VHOST_USER_VERSION ^ fuzz_number(in, 1);
	nfds = fuzz_number(in, 1) % 11;
	for (i = 0; i < nfds; i++)
		fds[i] = make_fd(fuzz_number(in, 1) % nr_kinds);
	hdr.size = fuzz_number(in, 2);
	size = fuzz_bytes(in, payload, hdr.size < sizeof(payload) ? hdr.size : sizeof(payload));
	if (sock >= 0)
		wire_send(sock, &hdr, payload, size, fds, nfds);
	for (i = 0; i < nfds; i++)
		close(fds[i]);
}

static void take_fds(struct msghdr *mh, int *fd)
{
	struct cmsghdr *cmsg;
	size_t i;
	int got;

	if (fd)
		*fd = -1;
	for (cmsg = CMSG_FIRSTHDR(mh); cmsg; cmsg = CMSG_NXTHDR(mh, cmsg))
		for (i = 0; CMSG_LEN(sizeof(got) * (i + 1)) <= cmsg->cmsg_len; i++) {
			memcpy(&got, CMSG_DATA(cmsg) + i * sizeof(got), sizeof(got));
			if (fd && *fd < 0)
				*fd = got;
			else
				close(got);
		}
}

int wire_receive(int sock, struct vhost_user_msg *msg, int *fd)
{
	char control[CMSG_SPACE(sizeof(int) * WIRE_MAX_FDS)];
	struct iovec iov = { .iov_base = &msg->hdr, .iov_len = sizeof(msg->hdr) };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t n;

	memset(msg, 0, sizeof(*msg));
	n = recvmsg(sock, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return 0;
	take_fds(&mh, fd);
	if (n != sizeof(msg->hdr) || msg->hdr.size > sizeof(msg->payload))
		return -1;
	return recv(sock, &msg->payload, msg->hdr.size, MSG_DONTWAIT) == msg->hdr.size ||
	       !msg->hdr.size ? 1 : -1;
}
