/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For unit tests of gpu-proc: a scripted front-end. The session runs in a
 * thread of its own; the test speaks for the front-end over a socket pair.
 * Buffers are memfds, from an allocator like any other.
 */
#ifndef UNIT_FRONT_END_H
#define UNIT_FRONT_END_H

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "capture.h"
#include "fdmsg.h"
#include "gpu-proc/session.h"

#define FE_TIMEOUT_MS	3000
#define FE_BUFFERS	3
#define FE_BUFFER_SIZE	8192u
#define FE_SHMEM_SIZE	(1ull << 20)

#define BIT(n)		(1ull << (n))
#define FE_ALL_FEATURES	(BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | \
			 BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD) | \
			 BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | \
			 BIT(VHOST_USER_PROTOCOL_F_CONFIG) | \
			 BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) | \
			 BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) | \
			 BIT(VHOST_USER_PROTOCOL_F_STATUS) | BIT(VHOST_USER_PROTOCOL_F_SHMEM))

static int memfd_cpu_open;	/* windows of CPU access that are open */
static int memfd_cpu_windows;	/* all that there were */

static inline int memfd_alloc(const char *node, uint64_t size)
{
	int fd = memfd_create(node, MFD_CLOEXEC);

	if (fd >= 0 && ftruncate(fd, size) < 0)
		abort();
	return fd;
}

static inline int memfd_cpu_access(int fd, bool start)
{
	(void)fd;
	memfd_cpu_open += start ? 1 : -1;
	memfd_cpu_windows += start;
	return 0;
}

static const struct allocator memfd_allocator = {
	.kind = "memfd",
	.node_help = "any name",
	.alloc = memfd_alloc,
	.cpu_access = memfd_cpu_access,
};

static const struct gpu_options fe_gpu_options = { .width = 640, .height = 480 };

struct front_end {
	int sock, backend;	/* the front-end's ends; -1: closed */
	int signals;		/* write a signalfd_siginfo here */
	int signal_fd;
	int fds_before;
	pthread_t thread;
	struct session session;
	struct gpu gpu;
	struct buffer_spec specs[FE_BUFFERS];
	struct buffer buffers[FE_BUFFERS];
	enum session_end end;
	bool joined;
};

static inline void *fe_thread(void *arg)
{
	struct front_end *fe = arg;

	fe->end = session_run(&fe->session);
	session_close(&fe->session);
	return NULL;
}

/* Start a session with FE_BUFFERS buffers and capture what it logs. */
static inline void fe_start(struct front_end *fe)
{
	int sv[2], pipefd[2];
	unsigned int i;

	memset(fe, 0, sizeof(*fe));
	fe->fds_before = count_fds();
	capture_begin();
	memfd_cpu_windows = 0;
	for (i = 0; i < FE_BUFFERS; i++) {
		fe->specs[i] = (struct buffer_spec){
			.allocator = &memfd_allocator,
			.node = "node",
			.size = FE_BUFFER_SIZE,
			.offset = 2 * i * FE_BUFFER_SIZE,
			.fill = 0x10 + i,
		};
	}
	assert_int_equal(buffer_create_all(fe->buffers, fe->specs, FE_BUFFERS), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(pipe(pipefd), 0);
	fe->sock = sv[0];
	fe->backend = -1;
	fe->signals = pipefd[1];
	fe->signal_fd = pipefd[0];
	assert_int_equal(gpu_init(&fe->gpu, &fe_gpu_options), 0);
	session_init(&fe->session, sv[1], fe->signal_fd, fe->buffers, FE_BUFFERS, FE_SHMEM_SIZE,
		     &fe->gpu);
	assert_int_equal(pthread_create(&fe->thread, NULL, fe_thread, fe), 0);
}

static inline void fe_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Wait for the session to end. */
static inline void fe_join(struct front_end *fe)
{
	struct timespec deadline;

	if (fe->joined)
		return;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += FE_TIMEOUT_MS / 1000;
	if (pthread_timedjoin_np(fe->thread, NULL, &deadline))
		fail_msg("the session does not end; its log: %s", capture_end());
	fe->joined = true;
}

/*
 * Wait for the session to end as it should, and return its log. A session that
 * goes on is a failure, and so is one that leaves an fd open.
 */
static inline const char *fe_finish(struct front_end *fe, enum session_end want)
{
	const char *log;

	fe_join(fe);
	fe_close(&fe->sock);
	fe_close(&fe->backend);
	fe_close(&fe->signals);
	fe_close(&fe->signal_fd);
	gpu_fini(&fe->gpu);
	buffer_destroy_all(fe->buffers, FE_BUFFERS);
	log = capture_end();
	if (fe->end != want)
		fail_msg("the session ended with %d, must be %d; its log: %s", fe->end, want, log);
	assert_int_equal(count_fds(), fe->fds_before);
	assert_int_equal(memfd_cpu_open, 0);
	return log;
}

/* The front-end goes. */
static inline const char *fe_hang_up(struct front_end *fe, enum session_end want)
{
	fe_close(&fe->sock);
	return fe_finish(fe, want);
}

static inline void fe_signal(struct front_end *fe, int signo)
{
	struct signalfd_siginfo info = { .ssi_signo = signo };

	assert_int_equal(write(fe->signals, &info, sizeof(info)), sizeof(info));
}

static inline void fe_send(int sock, uint32_t request, uint32_t flags, const void *payload,
			   uint32_t size, int fd)
{
	struct vhost_user_msg msg = {
		.hdr = {
			.request = request,
			.flags = VHOST_USER_VERSION | flags,
			.size = size,
		},
		.fds = { fd },
		.nfds = fd >= 0,
	};

	if (size)
		memcpy(&msg.payload, payload, size);
	assert_int_equal(fdmsg_send(sock, &msg, FE_TIMEOUT_MS), FDMSG_OK);
}

static inline void fe_send_u64(struct front_end *fe, uint32_t request, uint32_t flags, uint64_t val)
{
	fe_send(fe->sock, request, flags, &val, sizeof(val), -1);
}

static inline void fe_recv(int sock, struct vhost_user_msg *msg)
{
	enum fdmsg_status status = fdmsg_recv(sock, msg, FE_TIMEOUT_MS);

	if (status != FDMSG_OK)
		fail_msg("no message: %s", fdmsg_strstatus(status));
}

/* The reply to a request: its header must be right. */
static inline void fe_reply(struct front_end *fe, uint32_t request, struct vhost_user_msg *msg)
{
	fe_recv(fe->sock, msg);
	assert_int_equal(msg->hdr.request, request);
	assert_int_equal(msg->hdr.flags, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY);
	assert_int_equal(msg->nfds, 0);
}

static inline uint64_t fe_reply_u64(struct front_end *fe, uint32_t request)
{
	struct vhost_user_msg msg;

	fe_reply(fe, request, &msg);
	assert_int_equal(msg.hdr.size, sizeof(msg.payload.u64));
	return msg.payload.u64;
}

/* Ask for a number. */
static inline uint64_t fe_get(struct front_end *fe, uint32_t request)
{
	fe_send(fe->sock, request, 0, NULL, 0, -1);
	return fe_reply_u64(fe, request);
}

/* Send and have it acknowledged: 0, or what the back-end has against it. */
static inline uint64_t fe_ack(struct front_end *fe, uint32_t request, const void *payload,
			      uint32_t size, int fd)
{
	fe_send(fe->sock, request, VHOST_USER_FLAG_NEED_REPLY, payload, size, fd);
	return fe_reply_u64(fe, request);
}

static inline void fe_negotiate(struct front_end *fe, uint64_t protocol_features)
{
	fe_get(fe, VHOST_USER_GET_FEATURES);
	fe_get(fe, VHOST_USER_GET_PROTOCOL_FEATURES);
	fe_send_u64(fe, VHOST_USER_SET_PROTOCOL_FEATURES, 0, protocol_features);
	fe_send(fe->sock, VHOST_USER_SET_OWNER, 0, NULL, 0, -1);
	fe_send_u64(fe, VHOST_USER_SET_FEATURES, 0, BIT(32) | BIT(VHOST_USER_F_PROTOCOL_FEATURES));
}

static inline void fe_give_backend_socket(struct front_end *fe)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	fe->backend = sv[0];
	fe_send(fe->sock, VHOST_USER_SET_BACKEND_REQ_FD, 0, NULL, 0, sv[1]);
	close(sv[1]);
}

static inline void fe_ask_shmem(struct front_end *fe)
{
	struct vhost_user_msg msg;

	fe_send(fe->sock, VHOST_USER_GET_SHMEM_CONFIG, 0, NULL, 0, -1);
	fe_reply(fe, VHOST_USER_GET_SHMEM_CONFIG, &msg);
	assert_int_equal(msg.hdr.size, 8 + 256 * 8);
	assert_int_equal(msg.payload.shmem_config.nregions, 1);
	assert_int_equal(msg.payload.shmem_config.sizes[0], 0);
	assert_int_equal(msg.payload.shmem_config.sizes[1], FE_SHMEM_SIZE);
	assert_int_equal(msg.payload.shmem_config.sizes[2], 0);
}

/* All that is needed for the export; needs STATUS, whose reply is the barrier. */
static inline void fe_handshake(struct front_end *fe, uint64_t protocol_features)
{
	fe_negotiate(fe, protocol_features);
	fe_give_backend_socket(fe);
	fe_ask_shmem(fe);
	fe_get(fe, VHOST_USER_GET_STATUS);
}

/* The next message in the back-end socket must be there already, and be this one. */
static inline int fe_expect(struct front_end *fe, uint32_t request, unsigned int buffer, bool ack)
{
	bool map = request == VHOST_USER_BACKEND_SHMEM_MAP;
	const struct vhost_user_mmap *mmap;
	struct stat ours, theirs;
	struct vhost_user_msg msg;

	assert_int_equal(fdmsg_recv(fe->backend, &msg, 0), FDMSG_OK);
	mmap = &msg.payload.mmap;
	assert_int_equal(msg.hdr.request, request);
	assert_int_equal(msg.hdr.flags,
			 VHOST_USER_VERSION | (ack ? VHOST_USER_FLAG_NEED_REPLY : 0));
	assert_int_equal(msg.hdr.size, sizeof(*mmap));
	assert_int_equal(mmap->shmid, 1);
	assert_int_equal(mmap->fd_offset, 0);
	assert_int_equal(mmap->shm_offset, fe->specs[buffer].offset);
	assert_int_equal(mmap->len, fe->specs[buffer].size);
	assert_int_equal(mmap->flags, map ? VHOST_USER_MMAP_RW : 0);
	assert_int_equal(msg.nfds, map);
	if (!map)
		return -1;
	assert_int_equal(fstat(msg.fds[0], &theirs), 0);
	assert_int_equal(fstat(fe->buffers[buffer].fd, &ours), 0);
	assert_int_equal(theirs.st_ino, ours.st_ino);
	return msg.fds[0];
}

static inline void fe_expect_map(struct front_end *fe, unsigned int buffer)
{
	close(fe_expect(fe, VHOST_USER_BACKEND_SHMEM_MAP, buffer, true));
}

static inline void fe_expect_nothing(struct front_end *fe)
{
	struct vhost_user_msg msg;

	assert_int_equal(fdmsg_recv(fe->backend, &msg, 0), FDMSG_TIMEOUT);
}

static inline void fe_answer(struct front_end *fe, uint32_t request, uint64_t value)
{
	fe_send(fe->backend, request, VHOST_USER_FLAG_REPLY, &value, sizeof(value), -1);
}

/* Handshake, all buffers mapped and acknowledged. */
static inline void fe_export(struct front_end *fe)
{
	unsigned int i;

	fe_handshake(fe, FE_ALL_FEATURES);
	for (i = 0; i < FE_BUFFERS; i++)
		fe_expect_map(fe, i);
	for (i = 0; i < FE_BUFFERS; i++)
		fe_answer(fe, VHOST_USER_BACKEND_SHMEM_MAP, 0);
	fe_expect_nothing(fe);
}

#endif /* UNIT_FRONT_END_H */
