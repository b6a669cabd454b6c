/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vhost-user front-end and its guest, for targets that test a session of gpu-proc.
 * They share its thread: whenever the session is about to wait, the peer carries out
 * one more operation of the input, until there is something to wait for no longer.
 * Time is simulated: it passes when nobody has anything to do.
 */
#ifndef FUZZ_PEER_H
#define FUZZ_PEER_H

#include <stdbool.h>

#include "fuzz_input.h"

/* Guest memory; the front-end's address of it is PEER_USER further up. */
#define PEER_RAM		0x40000u
#define PEER_USER		0x7000000000ull
#define PEER_RING		0x2000u		/* of each queue: descriptors, available, used */
#define PEER_RING_AVAIL		0x800u
#define PEER_RING_USED		0x1000u
#define PEER_REQUESTS		0x4000u
#define PEER_RESPONSES		0x8000u
#define PEER_BACKING		0x20000u	/* up to PEER_RAM: for resources */

#define PEER_QUEUES		2
#define PEER_NUM		16u		/* descriptors of a ring; requests have two each */
#define PEER_REQUEST_SIZE	0x200u
#define PEER_RESPONSE_SIZE	0x800u

/* A byte, with its operands behind it. */
enum peer_operation {
	PEER_COMMAND,	/* u8 queue | 0x80: indirect, u8 index of peer_commands, u8 flags, u8 fence,
			 * u8 context, u8 ring, u16 room for the response, u8 length, bytes
			 */
	PEER_WRITE,	/* u16 address / 4, u8 length, bytes: into guest memory */
	PEER_KICK,	/* u8 queue */
	PEER_ANSWER,	/* u8 value: to the back-end's oldest request */
	PEER_MESSAGE,	/* u8 request, u8 flags, u8 number of fds, u8 kind of each, u16 length, bytes */
	PEER_TABLE,	/* u8 number of regions: a memory table as it should be */
	PEER_QUEUE,	/* u8 queue: set up, started */
	PEER_CHANNEL,	/* socket for the back-end's requests */
	PEER_REPLY,	/* u8 request, u8 flags, u64 value: unasked */
	PEER_BYTES,	/* u8 length, bytes: no message, maybe part of one */
	PEER_HANG_UP,	/* close the back-end's channel */
	PEER_OPERATIONS,
};

/* What an fd of a PEER_MESSAGE is. */
enum peer_fd {
	PEER_FD_RAM,
	PEER_FD_SMALL,		/* a memfd of one page */
	PEER_FD_EVENT,		/* an eventfd, readable */
	PEER_FD_SOCKET,		/* whose peer is closed */
	PEER_FD_NULL,		/* /dev/null */
	PEER_FD_PIPE,		/* its writing end */
	PEER_FD_SEALED,		/* a memfd that cannot be written to */
	PEER_FDS,
};

/* Of the command with an index, and how many there are. */
extern const uint32_t peer_commands[];
extern const unsigned int peer_nr_commands;

/* One session. @ready: with everything set up that a driver needs. */
void peer_run(const uint8_t *data, size_t size, bool ready);

#endif /* FUZZ_PEER_H */
