// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/lib/fdmsg.c: messages with fds, and every way in which they are broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "capture.h"
#include "fdmsg.h"

#define LONG_MS		2000
#define SHORT_MS	20

struct pair {
	int ours, peer;		/* the code under test has ours */
	int fds_before;
};

static int setup(void **state)
{
	static struct pair pair;
	int sv[2];

	pair.fds_before = count_fds();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return -1;
	pair.ours = sv[0];
	pair.peer = sv[1];
	*state = &pair;
	return 0;
}

/* Whatever the test did: it may not have left an fd behind. */
static int teardown(void **state)
{
	struct pair *pair = *state;

	close(pair->ours);
	if (pair->peer >= 0)
		close(pair->peer);
	return count_fds() == pair->fds_before ? 0 : -1;
}

static void close_peer(struct pair *pair)
{
	close(pair->peer);
	pair->peer = -1;
}

/* Send bytes as they are, with count copies of standard input's descriptor. */
static void send_raw(int sock, const void *bytes, size_t len, unsigned int count)
{
	struct iovec iov = { .iov_base = (void *)bytes, .iov_len = len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	char control[CMSG_SPACE(64 * sizeof(int))] = { 0 };
	int fds[64] = { 0 };

	if (count) {
		struct cmsghdr *cmsg;

		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(count * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, count * sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &mh, MSG_NOSIGNAL), len);
}

static struct vhost_user_header header(uint32_t size)
{
	return (struct vhost_user_header){
		.request = VHOST_USER_SET_FEATURES,
		.flags = VHOST_USER_VERSION,
		.size = size,
	};
}

static void assert_recv(struct pair *pair, int timeout_ms, enum fdmsg_status want)
{
	struct vhost_user_msg msg;
	enum fdmsg_status status;
	unsigned int i;

	status = fdmsg_recv(pair->ours, &msg, timeout_ms);
	if (status != want)
		fail_msg("\"%s\" instead of \"%s\"", fdmsg_strstatus(status),
			 fdmsg_strstatus(want));
	if (status != FDMSG_OK) {
		assert_int_equal(msg.nfds, 0);
		for (i = 0; i < VHOST_USER_MAX_FDS; i++)
			assert_int_equal(msg.fds[i], -1);
	}
	fdmsg_close_fds(&msg);
}

static void test_round_trip(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_msg out = {
		.hdr = header(sizeof(out.payload.memory)),
		.fds = { 0, 0, 0, 0, 0, 0, 0, 0 },
		.nfds = VHOST_USER_MAX_FDS,
	}, in;
	unsigned int i;

	memset(&out.payload.memory, 0x5a, sizeof(out.payload.memory));
	assert_int_equal(fdmsg_send(pair->peer, &out, LONG_MS), FDMSG_OK);
	assert_int_equal(fdmsg_recv(pair->ours, &in, LONG_MS), FDMSG_OK);
	assert_memory_equal(&in.hdr, &out.hdr, sizeof(in.hdr));
	assert_memory_equal(&in.payload, &out.payload, sizeof(in.payload.memory));
	assert_int_equal(in.nfds, VHOST_USER_MAX_FDS);
	for (i = 0; i < in.nfds; i++)
		assert_int_equal(fcntl(in.fds[i], F_GETFD), FD_CLOEXEC);
	/* one that is taken stays open */
	i = in.fds[3];
	in.fds[3] = -1;
	fdmsg_close_fds(&in);
	assert_int_equal(fcntl(i, F_GETFD), FD_CLOEXEC);
	close(i);
}

static void test_largest_payload(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_msg out = { .hdr = header(sizeof(out.payload)) }, in;

	memset(&out.payload, 0xa5, sizeof(out.payload));
	assert_int_equal(fdmsg_send(pair->peer, &out, LONG_MS), FDMSG_OK);
	assert_int_equal(fdmsg_recv(pair->ours, &in, LONG_MS), FDMSG_OK);
	assert_memory_equal(&in.payload, &out.payload, sizeof(in.payload));
}

/* Bytes of the payload that did not come are 0. */
static void test_rest_is_zero(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(4);
	struct vhost_user_msg in;

	memset(&in, 0xff, sizeof(in));
	send_raw(pair->peer, &hdr, sizeof(hdr), 0);
	send_raw(pair->peer, "\1\2\3\4", 4, 0);
	assert_int_equal(fdmsg_recv(pair->ours, &in, LONG_MS), FDMSG_OK);
	assert_int_equal(in.payload.u64, 0x04030201);
}

/* A second message, and its fds, stay where they are. */
static void test_two_messages(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_msg out = { .hdr = header(8), .payload.u64 = 1 }, in;

	assert_int_equal(fdmsg_send(pair->peer, &out, LONG_MS), FDMSG_OK);
	out.payload.u64 = 2;
	out.nfds = 1;
	assert_int_equal(fdmsg_send(pair->peer, &out, LONG_MS), FDMSG_OK);

	assert_int_equal(fdmsg_recv(pair->ours, &in, LONG_MS), FDMSG_OK);
	assert_int_equal(in.payload.u64, 1);
	assert_int_equal(in.nfds, 0);
	assert_int_equal(fdmsg_recv(pair->ours, &in, LONG_MS), FDMSG_OK);
	assert_int_equal(in.payload.u64, 2);
	assert_int_equal(in.nfds, 1);
	fdmsg_close_fds(&in);
	assert_recv(pair, 0, FDMSG_TIMEOUT);
}

static void test_header_in_pieces(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(0);
	struct vhost_user_msg in;

	send_raw(pair->peer, &hdr, 1, 1);
	send_raw(pair->peer, (char *)&hdr + 1, sizeof(hdr) - 1, 1);
	assert_int_equal(fdmsg_recv(pair->ours, &in, LONG_MS), FDMSG_OK);
	assert_int_equal(in.nfds, 2);
	fdmsg_close_fds(&in);
}

static void test_closed(void **state)
{
	close_peer(*state);
	assert_recv(*state, LONG_MS, FDMSG_CLOSED);
}

/* Leave on the stack, where control data will be, what looks like an fd that came. */
static __attribute__((noinline)) void poison_stack(int fd)
{
	union {
		struct cmsghdr cmsg;
		unsigned char bytes[CMSG_SPACE(sizeof(int))];
	} fake = {
		.cmsg = {
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int)),
		},
	};
	volatile unsigned char stack[8192];
	size_t i;

	memcpy(CMSG_DATA(&fake.cmsg), &fd, sizeof(fd));
	for (i = 0; i < sizeof(stack); i++)
		stack[i] = fake.bytes[i % sizeof(fake.bytes)];
}

/* The peer closes with something unread: a reset, in which no control data comes. */
static void test_reset(void **state)
{
	struct pair *pair = *state;
	int bystander = open("/dev/null", O_RDONLY);
	struct vhost_user_msg out = { .hdr = header(0) };

	assert_int_equal(fdmsg_send(pair->ours, &out, LONG_MS), FDMSG_OK);
	close_peer(pair);
	poison_stack(bystander);
	assert_recv(pair, LONG_MS, FDMSG_CLOSED);
	assert_int_equal(close(bystander), 0);
}

/* Every length that a header can be cut at. */
static void test_short_header(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(0);
	size_t len;

	for (len = 1; len < sizeof(hdr); len++) {
		int sv[2];
		struct pair cut;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
		cut = (struct pair){ .ours = sv[0] };
		send_raw(sv[1], &hdr, len, 2);
		close(sv[1]);
		assert_recv(&cut, LONG_MS, FDMSG_SHORT_HEADER);
		close(sv[0]);
	}
	(void)pair;
}

static void test_short_payload(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(8);

	send_raw(pair->peer, &hdr, sizeof(hdr), 3);
	send_raw(pair->peer, "1234567", 7, 0);
	close_peer(pair);
	assert_recv(pair, LONG_MS, FDMSG_SHORT_PAYLOAD);
}

static void test_oversize(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(sizeof(union vhost_user_payload) + 1);

	send_raw(pair->peer, &hdr, sizeof(hdr), 1);
	assert_recv(pair, LONG_MS, FDMSG_OVERSIZE);
	hdr.size = UINT32_MAX;
	send_raw(pair->peer, &hdr, sizeof(hdr), 1);
	assert_recv(pair, LONG_MS, FDMSG_OVERSIZE);
}

static void test_bad_version(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(0);
	uint32_t version;

	for (version = 0; version < 4; version++) {
		hdr.flags = version | VHOST_USER_FLAG_NEED_REPLY;
		send_raw(pair->peer, &hdr, sizeof(hdr), 1);
		assert_recv(pair, LONG_MS, version == 1 ? FDMSG_OK : FDMSG_BAD_VERSION);
	}
}

static void test_too_many_fds(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(0);

	send_raw(pair->peer, &hdr, sizeof(hdr), VHOST_USER_MAX_FDS + 1);
	assert_recv(pair, LONG_MS, FDMSG_TOO_MANY_FDS);
	send_raw(pair->peer, &hdr, sizeof(hdr), 64);
	assert_recv(pair, LONG_MS, FDMSG_TOO_MANY_FDS);
}

/* No room in the descriptor table: not the peer's fault, and told apart. */
static void test_fds_truncated(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(0);
	struct rlimit old, low;
	struct vhost_user_msg in;
	enum fdmsg_status status;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = pair->peer + 3;
	send_raw(pair->peer, &hdr, sizeof(hdr), 5);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	status = fdmsg_recv(pair->ours, &in, LONG_MS);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(status, FDMSG_FDS_TRUNCATED);
	assert_int_equal(in.nfds, 0);
}

static void test_stray_fds(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(8);

	send_raw(pair->peer, &hdr, sizeof(hdr), 1);
	send_raw(pair->peer, "12345678", 8, 1);
	assert_recv(pair, LONG_MS, FDMSG_STRAY_FDS);
}

static void test_timeout(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(8);

	assert_recv(pair, 0, FDMSG_TIMEOUT);
	assert_recv(pair, SHORT_MS, FDMSG_TIMEOUT);
	send_raw(pair->peer, &hdr, 5, 1);
	assert_recv(pair, SHORT_MS, FDMSG_TIMEOUT);
}

static void test_timeout_payload(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_header hdr = header(8);

	send_raw(pair->peer, &hdr, sizeof(hdr), 1);
	send_raw(pair->peer, "1234", 4, 0);
	assert_recv(pair, SHORT_MS, FDMSG_TIMEOUT);
}

static void test_recv_no_socket(void **state)
{
	struct vhost_user_msg in;
	int fd = open("/dev/zero", O_RDONLY);

	(void)state;
	assert_int_equal(fdmsg_recv(fd, &in, LONG_MS), FDMSG_IO);
	assert_int_equal(errno, ENOTSOCK);
	close(fd);
}

/* The peer is gone: no SIGPIPE, which is not ignored here. */
static void test_send_closed(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_msg out = { .hdr = header(8) };

	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
	close_peer(pair);
	assert_int_equal(fdmsg_send(pair->ours, &out, LONG_MS), FDMSG_CLOSED);
}

/* A peer that never reads. What was sent until then is whole messages. */
static void test_send_full(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_msg out = { .hdr = header(sizeof(out.payload)) };
	enum fdmsg_status status;
	int sent = 0;

	do {
		status = fdmsg_send(pair->ours, &out, SHORT_MS);
	} while (status == FDMSG_OK && ++sent < 10000);
	assert_int_equal(status, FDMSG_TIMEOUT);
	assert_true(sent > 0);
}

static void test_send_too_much(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_msg out = { .hdr = header(sizeof(out.payload) + 1) };

	assert_int_equal(fdmsg_send(pair->ours, &out, LONG_MS), FDMSG_OVERSIZE);
	out.hdr.size = 0;
	out.nfds = VHOST_USER_MAX_FDS + 1;
	assert_int_equal(fdmsg_send(pair->ours, &out, LONG_MS), FDMSG_TOO_MANY_FDS);
}

static void test_send_bad_fd(void **state)
{
	struct pair *pair = *state;
	struct vhost_user_msg out = { .hdr = header(0), .fds = { -1 }, .nfds = 1 };

	assert_int_equal(fdmsg_send(pair->ours, &out, LONG_MS), FDMSG_IO);
	assert_int_equal(errno, EBADF);
}

/* Log lines name the cause: no two causes may read alike. */
static void test_status_words(void **state)
{
	enum fdmsg_status a, b;

	(void)state;
	errno = ENOTSOCK;
	for (a = FDMSG_OK; a <= FDMSG_IO; a++)
		for (b = FDMSG_OK; b < a; b++)
			assert_string_not_equal(fdmsg_strstatus(a), fdmsg_strstatus(b));
}

/* Numbers that the specification fixes. */
static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(VHOST_USER_PROTOCOL_F_SHMEM, 20);
	assert_int_equal(VHOST_USER_GET_SHMEM_CONFIG, 44);
	assert_int_equal(VHOST_USER_BACKEND_SHMEM_MAP, 9);
	assert_int_equal(VHOST_USER_BACKEND_SHMEM_UNMAP, 10);
	assert_int_equal(VHOST_USER_SET_BACKEND_REQ_FD, 21);
	assert_int_equal(offsetof(struct vhost_user_mmap, fd_offset), 8);
	assert_int_equal(offsetof(struct vhost_user_mmap, shm_offset), 16);
	assert_int_equal(offsetof(struct vhost_user_mmap, len), 24);
	assert_int_equal(offsetof(struct vhost_user_mmap, flags), 32);
	assert_int_equal(offsetof(struct vhost_user_config, region), VHOST_USER_CONFIG_HEADER);
	assert_int_equal(offsetof(struct vhost_user_shmem_config, sizes), 8);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_largest_payload),
		TEST(test_rest_is_zero),
		TEST(test_two_messages),
		TEST(test_header_in_pieces),
		TEST(test_closed),
		TEST(test_reset),
		TEST(test_short_header),
		TEST(test_short_payload),
		TEST(test_oversize),
		TEST(test_bad_version),
		TEST(test_too_many_fds),
		TEST(test_fds_truncated),
		TEST(test_stray_fds),
		TEST(test_timeout),
		TEST(test_timeout_payload),
		TEST(test_recv_no_socket),
		TEST(test_send_closed),
		TEST(test_send_full),
		TEST(test_send_too_much),
		TEST(test_send_bad_fd),
		cmocka_unit_test(test_status_words),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests_name("fdmsg", tests, NULL, NULL);
}
