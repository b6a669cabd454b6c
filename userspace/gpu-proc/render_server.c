// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starts virglrenderer's render server. Called by context_virgl.c, before the sandbox:
 * after it nothing can be started. The server loads the host's Vulkan drivers, so it
 * keeps the file system, for reading, and the rights of --user to GPU nodes.
 */
#include "render_server.h"
#include "log.h"
#include "sandbox.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHILD_SOCK	3	/* where it finds its socket */

/* In the child: nothing but the socket and 0 to 2, no state of this process. */
static void __attribute__((noreturn)) become_server(const char *path, int sock,
						    const struct sandbox_options *sandbox)
{
	char arg[32];
	char *argv[] = { (char *)path, arg, NULL };
	/* Drivers would keep compiled shaders on disk, and there is no home for them. */
	char no_cache[] = "MESA_SHADER_CACHE_DISABLE=true";
	char *envp[] = { no_cache, NULL };
	sigset_t none;

	snprintf(arg, sizeof(arg), "--socket-fd=%d", CHILD_SOCK);
	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(sock, CHILD_SOCK) < 0 || close_range(CHILD_SOCK + 1, UINT_MAX, 0) < 0 ||
	    sigprocmask(SIG_SETMASK, &none, NULL) < 0) {
		log_error("%s: cannot prepare to start it: %m", path);
		_exit(EXIT_FAILURE);
	}
	if (sandbox_confine(sandbox) < 0)
		_exit(EXIT_FAILURE);
	execve(path, argv, envp);
	log_error("%s: cannot start it: %m", path);
	_exit(EXIT_FAILURE);
}

int render_server_start(struct render_server *server, const char *path,
			const struct sandbox_options *sandbox)
{
	int sv[2];
	pid_t pid;

	if (access(path, X_OK) < 0) {
		log_error("--context=venus: render server %s: %m (server=PATH names another one)",
			  path);
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0) {
		log_error("%s: cannot make a socket for it: %m", path);
		return -1;
	}
	pid = fork();
	if (pid == 0)
		become_server(path, sv[1], sandbox);
	close(sv[1]);
	server->sock = sv[0];
	server->pidfd = pid < 0 ? -1 : pidfd_open(pid, 0);
	if (server->pidfd >= 0)
		return 0;
	log_error("%s: cannot start or watch it: %m", path);
	close(sv[0]);
	return -1;
}

void render_server_close(struct render_server *server)
{
	if (server->sock >= 0)
		close(server->sock);
	if (server->pidfd >= 0)
		close(server->pidfd);
	*server = (struct render_server){ .sock = -1, .pidfd = -1 };
}
