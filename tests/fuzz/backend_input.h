/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an input of fuzz_frontend is: operations of one byte each, with their operands. */
#ifndef FUZZ_BACKEND_INPUT_H
#define FUZZ_BACKEND_INPUT_H

#define BACKEND_REGION	(4ull << 20)	/* bytes of the shared memory region that it says it has */

enum backend_operation {
	BACKEND_ANSWER,	/* u8 how often: as a good back-end does */
	BACKEND_REPLY,	/* u8 flags, u16 size, bytes: to the oldest request */
	BACKEND_MAP,	/* u8 kind of fd, u8 page in it, u8 page in the region, u8 pages, u8 flags */
	BACKEND_UNMAP,	/* u8 page in the region, u8 pages */
	BACKEND_REQUEST, /* u8 request, u8 flags, u8 number of fds, u8 kind of each, u16 size, bytes */
	BACKEND_BYTES,	/* u8 0: as a reply, 1: as a request; u8 length, bytes */
	BACKEND_RUN,	/* u8 enum frontend_script: the front-end wants that */
	BACKEND_CLOSE,	/* u8 0: the main socket, 1: that of the requests, 2: come again */
	BACKEND_WAIT,	/* nobody does anything, for as long as the front-end waits */
	BACKEND_OPERATIONS,
};

enum backend_fd {
	BACKEND_FD_BUFFER,	/* stands for a DMA-buf: 16 pages */
	BACKEND_FD_SMALL,	/* one, of one page */
	BACKEND_FD_EMPTY,	/* one of no bytes */
	BACKEND_FD_EVENT,
	BACKEND_FD_NULL,
	BACKEND_FD_SOCKET,
	BACKEND_FDS,
};

#endif /* FUZZ_BACKEND_INPUT_H */
