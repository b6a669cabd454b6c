/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user front-end for one gpu-proc (virtio device 16): connects, shakes
 * hands, then serves its SHMEM_MAP and SHMEM_UNMAP. Lives in the event loop and
 * never waits for the peer but to finish a message that it has begun. Created by
 * run.c, one after the other, because each takes the place in the window behind
 * those before it.
 */
#ifndef VMM_FRONTEND_H
#define VMM_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost_user.h"
#include "vmm/error.h"
#include "vmm/loop.h"

struct gpu_option;
struct vm;

#define FRONTEND_SHMID_HOST_VISIBLE	1	/* VIRTIO_GPU_SHM_ID_HOST_VISIBLE */
#define FRONTEND_NR_QUEUES		2	/* control and cursor */

enum frontend_state {
	FRONTEND_IDLE,
	FRONTEND_CONNECTING,
	FRONTEND_HANDSHAKE,
	FRONTEND_READY,		/* all buffers that the back-end had at start are in the window */
	FRONTEND_DEAD,
};

/* What is asked of the back-end: lists of requests in frontend_handshake.c. */
enum frontend_script {
	FRONTEND_SCRIPT_HANDSHAKE,
	FRONTEND_SCRIPT_LOG_ON,		/* log_fd, log_size: note what is written, there */
	FRONTEND_SCRIPT_STOP_QUEUES,
	FRONTEND_SCRIPT_LOG_OFF,
};

struct frontend {
	struct vm *vm;
	struct loop *loop;
	unsigned int index;
	const struct gpu_option *option;

	enum frontend_state state;
	enum frontend_script script;	/* under way in HANDSHAKE, or while asking */
	unsigned int step;		/* of it */
	int64_t deadline_ms;		/* for the state or step under way; CLOCK_MONOTONIC */
	struct loop_handler main;	/* our requests, its replies */
	struct loop_handler backend;	/* its requests, our replies */
	int backend_peer;		/* its end, until handed over */

	uint64_t features;		/* offered */
	uint64_t protocol_features;	/* negotiated */
	uint64_t region_offset;		/* of its shared memory region in the window */
	uint64_t region_size;		/* 0 until known */
	unsigned int nr_buffers;
	unsigned int nr_requests;	/* of the back-end, until it is ready */

	/* frontend_log.c's: scripts for another thread. */
	bool asking;			/* in the loop's thread: a script is under way … */
	bool awaited;			/* … for which a thread waits */
	bool queued;			/* behind it: wanted */
	enum frontend_script wanted;
	int log_fd;			/* to be sent, or -1 */
	uint64_t log_size;
	bool answered;			/* under vm->run_lock, as what follows */
	int result;
	struct error why;

	/* The start is over: 0, or -errno with the reason. Called once. */
	void (*started)(struct frontend *fe, int result, const struct error *err);
};

int frontend__create(struct frontend **out, struct vm *vm, struct loop *loop, unsigned int index,
		     const struct gpu_option *option,
		     void (*started)(struct frontend *, int, const struct error *));
void frontend__destroy(struct frontend *fe);

/* Connect to the socket of the option. */
void frontend__start(struct frontend *fe);
/* Begin with a connected socket, which is taken over. */
void frontend__attach(struct frontend *fe, int sock);

/* Milliseconds until frontend__tick() has something to do; -1: it has not. */
int frontend__timeout_ms(const struct frontend *fe);
/* Try to connect again, or give up a silent peer. */
void frontend__tick(struct frontend *fe);

/*
 * For dirty_vhost.c, in the migration's thread, one call at a time: have the back-end
 * log into the memory of @log_fd (_LOG_ON alone; stays the caller's), or stop its queues.
 * Waits for its answer as long as any request may take.
 * -EOPNOTSUPP: it cannot log. -ENOTCONN: it had gone before. -ECANCELED: the VM ends.
 * Another error: the connection ended over it.
 */
int frontend__log(struct frontend *fe, enum frontend_script script, int log_fd,
		  uint64_t log_size, struct error *err);
/* Have it log no more; does not wait. */
void frontend__log_off(struct frontend *fe);

/* For frontend_handshake.c, frontend_shmem.c and frontend_log.c. */

/* The connection is over: say why, clean up, tell whoever waits for the start. */
void frontend__fail(struct frontend *fe, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* frontend_handshake.c: send the request of the current step, or take its reply. */
void frontend__script_send(struct frontend *fe);
void frontend__script_reply(struct frontend *fe, const struct vhost_user_msg *msg);
/* frontend_log.c: the script is over, or the connection is. */
void frontend__log_answered(struct frontend *fe, int result, const struct error *err);
void frontend__close_log(struct frontend *fe);
const char *frontend__step_name(const struct frontend *fe);
/* frontend_shmem.c: one request of the back-end. Takes the message's fds. */
void frontend__shmem_request(struct frontend *fe, struct vhost_user_msg *msg);
/* frontend.c: everything the back-end sent before its last reply is handled first. */
bool frontend__drain_backend(struct frontend *fe);
void frontend__set_deadline(struct frontend *fe);

#endif /* VMM_FRONTEND_H */
