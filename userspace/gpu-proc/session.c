// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One front-end: the loop that waits for its requests, its answers, kicks of
 * the rings, and signals. Called by main.c, inside the sandbox.
 */
#include "session.h"
#include "fdmsg.h"
#include "gpu_command.h"
#include "log.h"
#include "session_request.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_TIMEOUT_MS	5000	/* for the rest of a message that has begun */
#define STOP_TIMEOUT_MS		500	/* for the answers to the last UNMAPs */

enum {
	POLL_SIGNAL,
	POLL_BACKEND,
	POLL_MAIN,
	POLL_FENCE,
	POLL_CONTEXT,
	POLL_QUEUE = POLL_CONTEXT + GPU_CONTEXT_TYPES_MAX,
	POLL_COUNT = POLL_QUEUE + QUEUE_COUNT,
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void session_init(struct session *session, int sock, int signal_fd, struct buffer *buffers,
		  unsigned int nbuffers, uint64_t shmem_size, struct gpu *gpu)
{
	*session = (struct session){
		.sock = sock,
		.signal_fd = signal_fd,
		.gpu = gpu,
	};
	guest_memory_init(&session->memory);
	queue_init(&session->queues[QUEUE_CONTROL], "control", &session->memory, gpu_serve, gpu);
	queue_init(&session->queues[QUEUE_CURSOR], "cursor", &session->memory, gpu_serve, gpu);
	shmem_init(&session->shmem, buffers, nbuffers, shmem_size);
	gpu_connect(gpu, &session->memory, session->queues, &session->shmem);
}

void session_close(struct session *session)
{
	unsigned int i;

	/* There is nobody to unmap what goes with the guest. */
	session->shmem.failed = true;
	gpu_disconnect(session->gpu);
	for (i = 0; i < QUEUE_COUNT; i++)
		queue_reset(&session->queues[i]);
	guest_memory_clear(&session->memory);
	shmem_destroy(&session->shmem);
	close(session->sock);
}

/* Export the buffers if it is time, and all that it needs is negotiated. */
static int export_buffers(struct session *session)
{
	if (!session->export_due || !session->shmem_asked || session->shmem.sock < 0 ||
	    session->stopping ||
	    !(session->protocol_features & (1ull << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD)))
		return 0;
	session->export_due = false;
	return shmem_map_all(&session->shmem);
}

/* 1: go on; 0: the front-end closed; -1: failed. */
static int serve_request(struct session *session)
{
	struct vhost_user_msg msg;
	enum fdmsg_status status;

	status = fdmsg_recv(session->sock, &msg, REQUEST_TIMEOUT_MS);
	if (status == FDMSG_CLOSED)
		return 0;
	if (status != FDMSG_OK) {
		log_error("front-end socket: %s", fdmsg_strstatus(status));
		return -1;
	}
	if (session_request(session, &msg) < 0 || export_buffers(session) < 0)
		return -1;
	return 1;
}

static int serve_signal(struct session *session)
{
	switch (signals_read(session->signal_fd)) {
	case SIGNAL_STOP:
		session->stopping = true;
		return session->shmem.sock < 0 ? 0 : shmem_unmap_all(&session->shmem);
	case SIGNAL_FILL:
		buffer_fill_all(session->shmem.buffers, session->shmem.nbuffers);
		break;
	case SIGNAL_SHOW:
		gpu_screenshot(session->gpu);
		break;
	case SIGNAL_NONE:
		break;
	}
	return 0;
}

static void prepare_poll(const struct session *session, struct pollfd *pfds)
{
	unsigned int i;

	pfds[POLL_SIGNAL] = (struct pollfd){ .fd = session->signal_fd, .events = POLLIN };
	pfds[POLL_BACKEND] = (struct pollfd){ .fd = session->shmem.sock, .events = POLLIN };
	pfds[POLL_MAIN] = (struct pollfd){ .fd = session->sock, .events = POLLIN };
	pfds[POLL_FENCE] = (struct pollfd){ .fd = session->gpu->fences.event, .events = POLLIN };
	for (i = 0; i < GPU_CONTEXT_TYPES_MAX; i++)
		pfds[POLL_CONTEXT + i] = (struct pollfd){
			.fd = gpu_context_poll_fd(session->gpu, i),
			.events = POLLIN,
		};
	for (i = 0; i < QUEUE_COUNT; i++)
		pfds[POLL_QUEUE + i] = (struct pollfd){
			.fd = session->queues[i].kick,
			.events = POLLIN,
		};
}

/* One round. Returns true when the session is over, and how in *end. */
static bool serve(struct session *session, struct pollfd *pfds, enum session_end *end)
{
	unsigned int i;
	int ret;

	*end = SESSION_FAILED;
	if (pfds[POLL_SIGNAL].revents && serve_signal(session) < 0)
		return true;

	/* Before the main socket: an answer counts before the request behind it. */
	if (pfds[POLL_BACKEND].revents && shmem_read_replies(&session->shmem) < 0)
		return true;

	if (pfds[POLL_FENCE].revents)
		gpu_fence_ready(session->gpu);
	for (i = 0; i < GPU_CONTEXT_TYPES_MAX; i++)
		if (pfds[POLL_CONTEXT + i].revents)
			session->gpu->contexts.types[i]->poll_ready(session->gpu);

	/* Before the main socket, too: a request may close or replace the fd. */
	for (i = 0; i < QUEUE_COUNT; i++)
		if (pfds[POLL_QUEUE + i].revents)
			queue_kicked(&session->queues[i]);

	if (pfds[POLL_MAIN].revents) {
		ret = serve_request(session);
		if (ret < 0)
			return true;
		if (!ret) {
			log_info("the front-end closed the connection");
			*end = SESSION_CLOSED;
			return true;
		}
	}
	/* Something that the guest wanted could not be told to the front-end. */
	return session->shmem.failed;
}

enum session_end session_run(struct session *session)
{
	struct pollfd pfds[POLL_COUNT];
	int64_t deadline = INT64_MAX;
	enum session_end end;
	int timeout, ret;

	for (;;) {
		timeout = -1;
		if (session->stopping) {
			if (deadline == INT64_MAX)
				deadline = now_ms() + STOP_TIMEOUT_MS;
			timeout = deadline > now_ms() ? deadline - now_ms() : 0;
			if (!session->shmem.npending) {
				end = SESSION_STOPPED;
				break;
			}
		}

		prepare_poll(session, pfds);
		ret = poll(pfds, POLL_COUNT, timeout);
		if (ret < 0 && errno != EINTR) {
			log_error("cannot wait for the front-end: %m");
			end = SESSION_FAILED;
			break;
		}
		if (ret == 0) {
			log_warn("the front-end left %u requests unanswered for %d ms; not waiting any longer",
				 session->shmem.npending, STOP_TIMEOUT_MS);
			end = SESSION_STOPPED;
			break;
		}
		if (ret > 0 && serve(session, pfds, &end))
			break;
	}

	if (session->shmem.refused)
		end = SESSION_FAILED;
	return end;
}
