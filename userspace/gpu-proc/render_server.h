/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program in which virglrenderer renders: a process of its own, and one for each context. */
#ifndef GPU_PROC_RENDER_SERVER_H
#define GPU_PROC_RENDER_SERVER_H

struct sandbox_options;

#define RENDER_SERVER_PATH	"/usr/libexec/virgl_render_server"

struct render_server {
	int sock;	/* connected to it, SOCK_SEQPACKET; -1: given away */
	int pidfd;	/* readable when it has ended */
};

/*
 * Start it, with its own sandbox. 0, or -1 after a log line. It ends when its socket is
 * closed.
 */
int render_server_start(struct render_server *server, const char *path,
			const struct sandbox_options *sandbox);
void render_server_close(struct render_server *server);

#endif /* GPU_PROC_RENDER_SERVER_H */
