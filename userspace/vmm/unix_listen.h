/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unix sockets that the VMM creates: for the control socket and virtio consoles. */
#ifndef VMM_UNIX_LISTEN_H
#define VMM_UNIX_LISTEN_H

#include "vmm/error.h"

/*
 * A non-blocking stream socket that listens at @path, for the VMM's user alone. A
 * file on which nobody listens any more is replaced. @what begins each message.
 * Returns the socket, or -errno: -ENAMETOOLONG, -EADDRINUSE, …
 */
int unix_listen(const char *what, const char *path, int backlog, struct error *err);

#endif /* VMM_UNIX_LISTEN_H */
