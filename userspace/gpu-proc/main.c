// SPDX-License-Identifier: GPL-2.0-or-later
#include "buffer.h"
#include "gpu.h"
#include "listener.h"
#include "log.h"
#include "memtype.h"
#include "options.h"
#include "sandbox.h"
#include "session.h"
#include "signals.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define EXIT_USAGE	2

/* Serve the one front-end. Returns the exit status. */
static int serve(const struct options *opts, struct buffer *buffers, struct gpu *gpu,
		 int signal_fd, int listener)
{
	struct session session;
	enum session_end end;
	int sock = opts->fd, ret;

	if (listener >= 0) {
		ret = listener_accept(listener, signal_fd, buffers, opts->nbuffers, gpu,
				      &sock);
		close(listener);
		if (ret <= 0)
			return ret ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	session_init(&session, sock, signal_fd, buffers, opts->nbuffers, opts->shmem_size,
		     gpu);
	end = session_run(&session);
	session_close(&session);
	return end == SESSION_FAILED ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * The process model: one process, one thread, one front-end, no state on disk
 * but the pictures that it was asked for. With --context=venus there are a render
 * server, whose processes hold what is the GPU's, and a thread of virglrenderer's for
 * each context, which waits for fences and touches nothing but gpu_fence.c's list.
 *
 * What needs rights comes first and depends on the command line alone: nodes and
 * files are opened, buffers allocated, mapped and filled, the socket bound. Then all
 * rights are given up for good: the process stands in an empty root directory,
 * in namespaces of its own, as an ordinary user without capabilities, holding
 * the buffers and the socket. Only then does it read what a front-end sends.
 * It ends when the front-end goes or a signal comes; what starts it, starts it
 * again.
 */
int main(int argc, char **argv)
{
	static struct buffer buffers[BUFFER_MAX];
	static struct options opts;
	static struct gpu gpu;
	int signal_fd, listener = -1, ret = EXIT_FAILURE;
	unsigned int i;

	log_set_program("dmapat-gpu-proc");
	if (options_parse(&opts, argc, argv) < 0)
		return EXIT_USAGE;
	switch (opts.action) {
	case OPTIONS_HELP:
		options_print_help(stdout);
		return EXIT_SUCCESS;
	case OPTIONS_VERSION:
		puts("dmapat-gpu-proc " DMAPAT_VERSION);
		return EXIT_SUCCESS;
	case OPTIONS_PRINT_CAPABILITIES:
		options_print_capabilities(stdout);
		return EXIT_SUCCESS;
	case OPTIONS_SERVE:
		break;
	}

	if (sandbox_close_inherited(opts.fd) < 0) {
		log_error("cannot close inherited file descriptors: %m");
		return EXIT_FAILURE;
	}
	if (opts.fd >= 0 && listener_check_connected(opts.fd) < 0)
		return EXIT_FAILURE;
	signal_fd = signals_open();
	if (signal_fd < 0) {
		log_error("cannot receive signals: %m");
		return EXIT_FAILURE;
	}
	memtype_open();
	if (buffer_create_all(buffers, opts.buffers, opts.nbuffers) < 0)
		return EXIT_FAILURE;
	if (gpu_init(&gpu, &opts.gpu) < 0)
		goto out_buffers;
	for (i = 0; i < opts.ncontexts; i++)
		if (gpu_context_enable(&gpu, &opts.contexts[i], &opts.sandbox) < 0)
			goto out_gpu;
	if (opts.socket_path) {
		listener = listener_open(opts.socket_path);
		if (listener < 0)
			goto out_gpu;
	}
	if (sandbox_isolate(&opts.sandbox) < 0 || sandbox_filter(&opts.sandbox) < 0)
		goto out_gpu;

	ret = serve(&opts, buffers, &gpu, signal_fd, listener);
	if (opts.gpu.screenshot)
		gpu_screenshot(&gpu);
out_gpu:
	gpu_fini(&gpu);
out_buffers:
	buffer_destroy_all(buffers, opts.nbuffers);
	memtype_close();
	return ret;
}
