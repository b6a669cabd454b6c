// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The migration's thread asks a back-end to log what it writes; the event loop's, whose
 * the connection is, does it. The loop always comes to an end with it: with the answer,
 * with the deadline that every request has, or because the connection ends. Only a VM
 * that ends has a loop that does not turn any more. When a migration is over the loop may
 * wait for its thread (cont with force): nothing is waited for then.
 */
#include "vmm/frontend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/vm.h"

void frontend__close_log(struct frontend *fe)
{
	if (fe->log_fd >= 0)
		close(fe->log_fd);
	fe->log_fd = -1;
}

static bool frontend__can_log(const struct frontend *fe)
{
	return fe->protocol_features & 1ULL << VHOST_USER_PROTOCOL_F_LOG_SHMFD &&
	       fe->features & 1ULL << VHOST_F_LOG_ALL;
}

/* In the loop's thread, as what follows. */
static void frontend__log_answered(struct frontend *fe, struct frontend_job *job, int result,
				   const struct error *err)
{
	(void)job;
	frontend__close_log(fe);
	pthread_mutex_lock(&fe->vm->run_lock);
	fe->answered = true;
	fe->result = result;
	if (err)
		fe->why = *err;
	pthread_cond_broadcast(&fe->vm->run_cond);
	pthread_mutex_unlock(&fe->vm->run_lock);
}

static void frontend__begin_log(void *arg)
{
	struct frontend *fe = arg;
	struct error err = { "" };

	if (fe->state == FRONTEND_READY && !frontend__can_log(fe)) {
		error__set(&err, EOPNOTSUPP,
			   "the back-end cannot log what it writes to guest memory (LOG_SHMFD, F_LOG_ALL)");
		frontend__log_answered(fe, &fe->log_job, -EOPNOTSUPP, &err);
	} else if (!fe->log_job.queued) {
		frontend__run(fe, &fe->log_job);
	}
}

static void frontend__log_is_off(struct frontend *fe, struct frontend_job *job, int result,
				 const struct error *err)
{
	(void)fe;
	(void)job;
	(void)result;
	(void)err;
}

static void frontend__begin_log_off(void *arg)
{
	struct frontend *fe = arg;

	if (!fe->log_off_job.queued)
		frontend__run(fe, &fe->log_off_job);
}

void frontend__init_log(struct frontend *fe)
{
	fe->log_job.done = frontend__log_answered;
	fe->log_off_job = (struct frontend_job) {
		.script = FRONTEND_SCRIPT_LOG_OFF, .done = frontend__log_is_off,
	};
}

void frontend__log_off(struct frontend *fe)
{
	/* Without memory for that it logs on, into memory that nobody reads. */
	loop__post(fe->loop, frontend__begin_log_off, fe);
}

int frontend__log(struct frontend *fe, enum frontend_script script, int log_fd,
		  uint64_t log_size, struct error *err)
{
	struct vm *vm = fe->vm;
	bool exiting;
	int r;

	/* After a call that was cancelled the loop may yet come to what was asked then. */
	pthread_mutex_lock(&vm->run_lock);
	exiting = vm->exiting;
	fe->answered = false;
	fe->why.msg[0] = '\0';
	pthread_mutex_unlock(&vm->run_lock);
	if (exiting)
		return error__set(err, ECANCELED, "the VM ends");
	fe->log_job.script = script;
	fe->log_size = log_size;
	/* The loop's own: nobody knows when it is done with it if the VM ends. */
	if (log_fd >= 0) {
		fe->log_fd = fcntl(log_fd, F_DUPFD_CLOEXEC, 0);
		if (fe->log_fd < 0)
			return error__set(err, errno, "fd of the log: %s", strerror(errno));
	}
	r = loop__post(fe->loop, frontend__begin_log, fe);
	if (r < 0) {
		frontend__close_log(fe);
		return error__set(err, -r, "event loop: out of memory");
	}

	pthread_mutex_lock(&vm->run_lock);
	while (!fe->answered && !vm->exiting)
		pthread_cond_wait(&vm->run_cond, &vm->run_lock);
	r = fe->answered ? fe->result : -ECANCELED;
	if (r)
		error__set(err, -r, "%s", r == -ECANCELED ? "the VM ends" : fe->why.msg);
	pthread_mutex_unlock(&vm->run_lock);
	return r;
}
