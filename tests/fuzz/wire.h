/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For the other side of a program under test: vhost-user messages, good or bad, and a
 * clock that stands still until somebody waits (FUZZ_WRAP in fuzz.mk has the program's
 * calls end here).
 */
#ifndef FUZZ_WIRE_H
#define FUZZ_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "fuzz_input.h"
#include "vhost_user.h"

#define WIRE_MAX_FDS	16	/* more than a message may have */

/* What does not fit into the socket is lost: a peer may stop in a message. */
void wire_send(int sock, const struct vhost_user_header *hdr, const void *payload, size_t size,
	       const int *fds, unsigned int nfds);

/*
 * A message of which @in says everything, with fds of @nr_kinds kinds that @make_fd makes.
 * Without a socket (-1) it is read and made all the same.
 */
void wire_send_any(int sock, struct fuzz_input *in, int (*make_fd)(unsigned int kind),
		   unsigned int nr_kinds);

/*
 * A message that is there; its fds are closed, but for the first where @fd is not NULL.
 * Returns 1, 0: there is none, -1: it is none.
 */
int wire_receive(int sock, struct vhost_user_msg *msg, int *fd);

/*
 * How many fds are open. There may be few, so that they are soon counted, and that
 * sometimes there are not enough.
 */
unsigned int wire_open_fds(void);

void wire_clock_reset(void);
void wire_clock_pass(int ms);

#endif /* FUZZ_WIRE_H */
