/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Unix socket of --socket-path, or of --fd. */
#ifndef GPU_PROC_LISTENER_H
#define GPU_PROC_LISTENER_H

#include "buffer.h"
#include "gpu.h"

/*
 * Listen on path. A socket file on which nobody listens any more is replaced,
 * nothing else is. Returns the socket, or -1 after a log line.
 */
int listener_open(const char *path);

/* Is fd a connected stream socket? 0, or -1 after a log line. */
int listener_check_connected(int fd);

/*
 * Log that all is ready, and wait for the one front-end; meanwhile SIGUSR1 fills
 * the buffers again, and SIGUSR2 writes a screenshot.
 * Returns 1 and its socket in *sock, 0 if a signal said stop, -1 after a log line.
 */
int listener_accept(int listener, int signal_fd, struct buffer *buffers, unsigned int nbuffers,
		    struct gpu *gpu, int *sock);

#endif /* GPU_PROC_LISTENER_H */
