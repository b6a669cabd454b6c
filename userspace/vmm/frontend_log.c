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

static void frontend__ask(struct frontend *fe, enum frontend_script script)
{
	fe->script = script;
	fe->step = 0;
	frontend__script_send(fe);
}

/* In the loop's thread. */
static void frontend__begin_log(void *arg)
{
	struct frontend *fe = arg;
	struct error err = { "" };

	/* The log of the last migration is being switched off: after that. */
	fe->queued = fe->asking;
	if (fe->queued)
		return;
	fe->asking = true;
	fe->awaited = true;
	if (fe->state != FRONTEND_READY) {
		error__set(&err, ENOTCONN, "the back-end has gone");
		frontend__log_answered(fe, -ENOTCONN, &err);
	} else if (!frontend__can_log(fe)) {
		error__set(&err, EOPNOTSUPP,
			   "the back-end cannot log what it writes to guest memory (LOG_SHMFD, F_LOG_ALL)");
		frontend__log_answered(fe, -EOPNOTSUPP, &err);
	} else {
		frontend__ask(fe, fe->wanted);
	}
}

/* In the loop's thread. */
static void frontend__begin_log_off(void *arg)
{
	struct frontend *fe = arg;

	if (fe->state != FRONTEND_READY || fe->asking)
		return;
	fe->asking = true;
	fe->awaited = false;
	frontend__ask(fe, FRONTEND_SCRIPT_LOG_OFF);
}

/* In the loop's thread. */
void frontend__log_answered(struct frontend *fe, int result, const struct error *err)
{
	if (!fe->asking)
		return;
	fe->asking = false;
	if (fe->awaited) {
		frontend__close_log(fe);
		pthread_mutex_lock(&fe->vm->run_lock);
		fe->answered = true;
		fe->result = result;
		if (err)
			fe->why = *err;
		pthread_cond_broadcast(&fe->vm->run_cond);
		pthread_mutex_unlock(&fe->vm->run_lock);
	}
	if (fe->queued)
		frontend__begin_log(fe);
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
	fe->wanted = script;
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
