/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the front-end's requests do to the session. */
#ifndef GPU_PROC_SESSION_REQUEST_H
#define GPU_PROC_SESSION_REQUEST_H

#include "session.h"

/*
 * Serve one request and answer it. Takes the fds that it keeps out of msg.
 * Returns 0, or -1 after a log line: then the connection must be closed.
 */
int session_request(struct session *session, struct vhost_user_msg *msg);

#endif /* GPU_PROC_SESSION_REQUEST_H */
