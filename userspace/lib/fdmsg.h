/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves one vhost-user message, with its fds, over a stream socket. */
#ifndef DMAPAT_FDMSG_H
#define DMAPAT_FDMSG_H

#include "vhost_user.h"

/*
 * How a transfer ended. After anything but FDMSG_OK, FDMSG_CLOSED and a
 * FDMSG_TIMEOUT with nothing received the stream has lost its framing: close it.
 */
enum fdmsg_status {
	FDMSG_OK,
	FDMSG_CLOSED,		/* the peer closed between two messages (or before all was sent) */
	FDMSG_SHORT_HEADER,	/* the peer closed inside a header */
	FDMSG_SHORT_PAYLOAD,	/* the peer closed inside a payload */
	FDMSG_OVERSIZE,		/* hdr.size is above the largest payload */
	FDMSG_BAD_VERSION,	/* hdr.flags has another version */
	FDMSG_TOO_MANY_FDS,	/* more than VHOST_USER_MAX_FDS */
	FDMSG_FDS_TRUNCATED,	/* the kernel dropped fds: this process has no room for them */
	FDMSG_STRAY_FDS,	/* fds came with the payload instead of the header */
	FDMSG_TIMEOUT,		/* nothing, or not all, within the time given */
	FDMSG_IO,		/* the system call failed: see errno */
};

/*
 * Receive one message. Waits up to timeout_ms in all (-1: for ever). The fds
 * are close-on-exec and belong to the caller if, and only if, FDMSG_OK is
 * returned; then msg->nfds of them are valid and the rest are -1. Payload
 * bytes above hdr.size are zero.
 */
enum fdmsg_status fdmsg_recv(int sock, struct vhost_user_msg *msg, int timeout_ms);

/* Send one message; the caller keeps its fds. Never raises SIGPIPE. */
enum fdmsg_status fdmsg_send(int sock, const struct vhost_user_msg *msg, int timeout_ms);

/* Close the fds that are still in the message. errno is kept. */
void fdmsg_close_fds(struct vhost_user_msg *msg);

/* The status as words for a log line; adds the meaning of errno for FDMSG_IO. */
const char *fdmsg_strstatus(enum fdmsg_status status);

#endif /* DMAPAT_FDMSG_H */
