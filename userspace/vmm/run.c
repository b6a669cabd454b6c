// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `dmapat-vmm run`: puts the parts together, waits for the gpu-procs one after the
 * other, starts the guest or the incoming migration, and turns the event loop until
 * somebody calls vm__exit().
 */
#include "vmm/run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "log.h"
#include "vmm/boot.h"
#include "vmm/console.h"
#include "vmm/control.h"
#include "vmm/exit_status.h"
#include "vmm/frontend.h"
#include "vmm/gpu_proc.h"
#include "vmm/loop.h"
#include "vmm/migration.h"
#include "vmm/options.h"
#include "vmm/util.h"
#include "vmm/vm.h"

struct run {
	struct options options;
	struct vm vm;
	struct loop *loop;
	struct console console;
	struct loop_handler signals;
	struct frontend_client gpu_client;
};

static struct run *run__of(struct vm *vm)
{
	return container_of(vm, struct run, vm);
}

/* Every buffer is in its place: now the guest may come. */
static int run__launch(struct run *run, struct error *err)
{
	struct vm *vm = &run->vm;
	int r;

	r = vm__start_vcpus(vm, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&vm->run_lock);
	vm->launched = true;
	pthread_mutex_unlock(&vm->run_lock);
	if (run->options.incoming)
		return migration__incoming(vm, run->options.incoming, err);
	r = boot__prepare(vm, err);
	if (r < 0)
		return r;
	if (run->options.paused)
		return 0;
	return vm__resume(vm, err);
}

static void run__give_up(struct run *run, const struct error *err)
{
	log_error("%s", err->msg);
	vm__exit(&run->vm, EXIT_SETUP);
}

static void run__next_gpu(struct run *run);

static void run__gpu_started(struct frontend *fe, int result, const struct error *err)
{
	struct run *run = run__of(fe->vm);

	if (result < 0)
		run__give_up(run, err);
	else
		run__next_gpu(run);
}

/* Start the first gpu-proc that is not there, or, when all are, the guest. */
static void run__next_gpu(struct run *run)
{
	struct vm *vm = &run->vm;
	struct error err = { 0 };
	unsigned int i;

	for (i = 0; i < vm->nr_gpus; i++) {
		if (vm->gpus[i] && vm->gpus[i]->state == FRONTEND_IDLE) {
			frontend__start(vm->gpus[i]);
			return;
		}
	}
	if (run__launch(run, &err) < 0)
		run__give_up(run, &err);
}

static int run__create_gpus(struct run *run, struct error *err)
{
	const struct options *opts = &run->options;
	struct vm *vm = &run->vm;
	unsigned int i;
	int r;

	gpu_proc__client(&run->gpu_client, run__gpu_started);
	vm->gpus = calloc(opts->nr_gpus + 1, sizeof(struct frontend *));
	if (!vm->gpus)
		return error__set(err, ENOMEM, "out of memory");
	for (i = 0; i < opts->nr_gpus; i++) {
		r = frontend__create(&vm->gpus[i], vm, run->loop, &run->gpu_client,
				     opts->gpus[i].socket, opts->gpus[i].offset, NULL);
		if (r < 0)
			return error__set(err, -r, "out of memory");
		vm->gpus[i]->index = i;
		vm->nr_gpus++;
	}
	return 0;
}

static void run__on_signal(struct loop_handler *h, uint32_t events)
{
	struct run *run = container_of(h, struct run, signals);
	struct signalfd_siginfo info;

	(void)events;
	if (read(h->fd, &info, sizeof(info)) != sizeof(info))
		return;
	log_info("%s: the VM ends", strsignal(info.ssi_signo));
	vm__exit(&run->vm, EXIT_SIGNAL + info.ssi_signo);
}

static int run__signals(struct run *run, struct error *err)
{
	sigset_t set;
	int r;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	run->signals.ready = run__on_signal;
	run->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run->signals.fd < 0)
		return error__set(err, errno, "signalfd: %s", strerror(errno));
	r = loop__add(run->loop, &run->signals, EPOLLIN);
	return r < 0 ? error__set(err, -r, "signals: %s", strerror(-r)) : 0;
}

static int run__sooner(int a, int b)
{
	return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int run__loop(struct run *run, struct error *err)
{
	struct vm *vm = &run->vm;
	int timeout, r;
	bool exiting;

	for (;;) {
		pthread_mutex_lock(&vm->run_lock);
		exiting = vm->exiting;
		pthread_mutex_unlock(&vm->run_lock);
		if (exiting)
			return 0;

		timeout = console__timeout_ms(&run->console);
		timeout = run__sooner(timeout, frontends__timeout_ms(vm));
		r = loop__run_once(run->loop, timeout);
		if (r < 0)
			return error__set(err, -r, "event loop: %s", strerror(-r));
		console__tick(&run->console);
		frontends__tick(vm);
	}
}

/* Threads first: they use everything else. */
static void run__destroy(struct run *run)
{
	struct vm *vm = &run->vm;
	unsigned int i;

	/* Nobody waits for the loop any more. */
	vm__exit(vm, vm->exit_status);
	migration__exit(vm);
	vm__stop_vcpus(vm);
	control__destroy(vm->control);
	vm->control = NULL;
	for (i = 0; i < vm->nr_gpus; i++)
		frontend__destroy(vm->gpus[i]);
	free(vm->gpus);
	vm->gpus = NULL;
	vm->nr_gpus = 0;
	console__destroy(&run->console);
	vm__destroy(vm);
}

static int run__with_vm(struct run *run, struct error *err)
{
	const struct options *opts = &run->options;
	struct vm *vm = &run->vm;
	int r;

	r = vm__create(vm, opts, run->loop, err);
	if (r < 0)
		return EXIT_SETUP;
	r = console__create(&run->console, run->loop, &vm->serial, opts->console, err);
	if (!r && opts->control)
		r = control__create(&vm->control, run->loop, vm, opts->control, err);
	if (!r)
		r = run__create_gpus(run, err);
	if (!r) {
		run__next_gpu(run);
		r = run__loop(run, err);
	}
	run__destroy(run);
	return r < 0 ? EXIT_SETUP : vm->exit_status;
}

/* Each buffer in the window has an fd. What the system allows is enough, or SHMEM_MAP says so. */
static void run__allow_fds(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int run__main(int argc, char **argv)
{
	struct error err = { 0 };
	struct run run = { .signals.fd = -1, .console = { .out_fd = -1, .input.fd = -1 } };
	int status = EXIT_SETUP;

	switch (options__parse(&run.options, argc, argv, &err)) {
	case OPTIONS_OK:
		break;
	case OPTIONS_HELP:
		fputs(options__usage, stdout);
		return EXIT_GUEST_OK;
	case OPTIONS_BAD:
		log_error("%s", err.msg);
		fputs(options__usage, stderr);
		return EXIT_USAGE;
	}

	run__allow_fds();
	if (loop__create(&run.loop) < 0)
		error__set(&err, ENOMEM, "event loop: %s", strerror(errno));
	else if (run__signals(&run, &err) == 0)
		status = run__with_vm(&run, &err);
	if (err.msg[0])
		log_error("%s", err.msg);
	if (run.signals.fd >= 0)
		close(run.signals.fd);
	loop__destroy(run.loop);
	options__free(&run.options);
	return status;
}
