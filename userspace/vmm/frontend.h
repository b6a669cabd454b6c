/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-user front-end: the connection to one back-end and what is asked of it. Connects,
 * shakes hands, runs scripts of requests, serves the back-end's own requests. Lives in
 * the event loop and never waits for the peer but to finish a message that it has begun.
 *
 * Two clients: gpu_proc.c (buffers that are there when the guest starts, no driver) and
 * virtio_vhost.c (a virtio device whose queues are in the back-end). Both say by struct
 * frontend_client what their back-end must be able to do.
 */
#ifndef VMM_FRONTEND_H
#define VMM_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "vhost_user.h"
#include "vmm/error.h"
#include "vmm/loop.h"

struct vm;

#define FRONTEND_SHMID_HOST_VISIBLE	1	/* VIRTIO_GPU_SHM_ID_HOST_VISIBLE */
#define FRONTEND_MAX_QUEUES		8u
#define FRONTEND_OFFSET_AUTO		UINT64_MAX
#define FRONTEND_START_REQUESTS		256	/* of the back-end, that a start may take */

/* Features that every back-end must offer: protocol features, VIRTIO 1. */
#define FRONTEND_FEATURES_NEEDED	(1ULL << VHOST_USER_F_PROTOCOL_FEATURES | 1ULL << 32)

enum frontend_state {
	FRONTEND_IDLE,
	FRONTEND_CONNECTING,
	FRONTEND_HANDSHAKE,
	FRONTEND_READY,		/* all buffers that the back-end had at start are in the window */
	FRONTEND_DEAD,		/* frontend__start() tries again */
};

/* What is asked of the back-end: lists of requests in frontend_script.c. */
enum frontend_script {
	FRONTEND_SCRIPT_HANDSHAKE,
	FRONTEND_SCRIPT_LOG_ON,		/* log_fd, log_size: note what is written, there */
	FRONTEND_SCRIPT_STOP_QUEUES,
	FRONTEND_SCRIPT_LOG_OFF,
	FRONTEND_SCRIPT_START,		/* driver_features and queues: the driver is ready */
	FRONTEND_SCRIPT_RESET,		/* the driver resets the device; behind STOP_QUEUES */
	FRONTEND_SCRIPT_READ_CONFIG,	/* to config */
	FRONTEND_SCRIPT_WRITE_CONFIG,	/* config_write; then as READ_CONFIG */
};

struct frontend;

/* Whose back-end it is. The functions are called in the loop's thread. */
struct frontend_client {
	const char *name;		/* in messages */
	unsigned int nr_queues;		/* that the device has */
	bool no_driver;			/* sets them up; they are stopped all the same */
	uint64_t protocol_needed;	/* mask of VHOST_USER_PROTOCOL_F_* */
	uint64_t protocol_wanted;	/* used where they are offered */
	uint32_t config_size;		/* of the configuration to be fetched (F_CONFIG); 0: none */
	const char *gone_event;		/* of the control socket */
	const char *refused_event;

	/* A start is over: 0, or -errno with the reason. */
	void (*started)(struct frontend *fe, int result, const struct error *err);
	/* A connection that had started is over. May be NULL. */
	void (*gone)(struct frontend *fe, const struct error *err);
	/* The back-end says that its configuration is another. May be NULL. */
	void (*config_changed)(struct frontend *fe);
};

/* A script to be run; its memory is the caller's, and must stay until done() is called. */
struct frontend_job {
	enum frontend_script script;
	/* 0, or -errno: the connection ended over it, or there is none (ENOTCONN). */
	void (*done)(struct frontend *fe, struct frontend_job *job, int result,
		     const struct error *err);
	struct frontend_job *next;
	bool queued;		/* until just before done() */
};

struct frontend_queue {
	bool used;
	uint16_t size;
	uint64_t desc, avail, used_ring;	/* addresses in this process */
	uint64_t used_gpa;
	int kick_fd;
	int call_fd;		/* -1: no interrupt is wanted */
};

struct frontend_config_write {
	uint32_t offset;
	uint32_t size;
	uint8_t bytes[VHOST_USER_MAX_CONFIG];
};

struct frontend {
	struct vm *vm;
	struct loop *loop;
	struct frontend *next;		/* in vm->frontends */
	const struct frontend_client *client;
	unsigned int index;		/* of a gpu-proc: in vm->gpus */
	void *opaque;			/* the client's */
	const char *socket;
	uint64_t offset;		/* where its region shall be, or FRONTEND_OFFSET_AUTO */

	enum frontend_state state;
	enum frontend_script script;	/* under way in HANDSHAKE, or while there is a job */
	unsigned int step;		/* of it */
	unsigned int queue;		/* that the step is about */
	struct frontend_job *jobs;	/* the first is under way */
	bool finishing;			/* its owner is being told: what it runs waits */
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
	bool config_changed;		/* before it was */
	uint64_t nr_refused;		/* requests of the back-end, since it was */

	/* For the scripts; the client sets what they send. */
	uint64_t driver_features;
	struct frontend_queue queues[FRONTEND_MAX_QUEUES];
	struct frontend_config_write config_write;
	uint8_t config[VHOST_USER_MAX_CONFIG];

	/* frontend_log.c's: scripts for another thread. */
	struct frontend_job log_job;
	struct frontend_job log_off_job;
	int log_fd;			/* to be sent, or -1 */
	uint64_t log_size;
	bool answered;			/* under vm->run_lock, as what follows */
	int result;
	struct error why;
};

/* @client and @socket stay the caller's. */
int frontend__create(struct frontend **out, struct vm *vm, struct loop *loop,
		     const struct frontend_client *client, const char *socket, uint64_t offset,
		     void *opaque);
/* Jobs that are not done are done with ECANCELED. */
void frontend__destroy(struct frontend *fe);

/* Connect to the socket, for the first time or again. */
void frontend__start(struct frontend *fe);
/* Begin with a connected socket, which is taken over. */
void frontend__attach(struct frontend *fe, int sock);

/* Run the job behind those that there are. It must not be queued. */
void frontend__run(struct frontend *fe, struct frontend_job *job);

/* Of all in vm->frontends: milliseconds until frontends__tick() has something to do; -1: never. */
int frontends__timeout_ms(const struct vm *vm);
void frontends__tick(struct vm *vm);

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

/* For frontend_script.c, frontend_shmem.c and frontend_log.c. */

/* The connection is over: say why, clean up, tell the client and the jobs. */
void frontend__fail(struct frontend *fe, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* frontend_script.c: send the request of the current step, or take its reply. */
void frontend__script_begin(struct frontend *fe, enum frontend_script script);
void frontend__script_reply(struct frontend *fe, const struct vhost_user_msg *msg);
const char *frontend__step_name(const struct frontend *fe);
/* frontend.c: the script of the first job is over. */
void frontend__job_done(struct frontend *fe);
/* frontend_log.c */
void frontend__init_log(struct frontend *fe);
void frontend__close_log(struct frontend *fe);
/* frontend_shmem.c: one request of the back-end. Takes the message's fds. */
void frontend__shmem_request(struct frontend *fe, struct vhost_user_msg *msg);
/* frontend.c: everything the back-end sent before its last reply is handled first. */
bool frontend__drain_backend(struct frontend *fe);
void frontend__set_deadline(struct frontend *fe);
bool frontend__has(const struct frontend *fe, unsigned int protocol_feature);

#endif /* VMM_FRONTEND_H */
