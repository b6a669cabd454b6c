/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop of the main thread: epoll over descriptors with a handler each,
 * and a way for other threads to have work done in it.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdint.h>

struct loop;

struct loop_handler {
	void (*ready)(struct loop_handler *h, uint32_t events);	/* EPOLL* */
	int fd;
};

int loop__create(struct loop **out);
void loop__destroy(struct loop *loop);

/* @h stays the caller's and must live until loop__del(). */
int loop__add(struct loop *loop, struct loop_handler *h, uint32_t events);
int loop__mod(struct loop *loop, struct loop_handler *h, uint32_t events);
void loop__del(struct loop *loop, struct loop_handler *h);

/* Run @fn(@arg) in the loop's thread, in the order of the calls. Any thread. */
int loop__post(struct loop *loop, void (*fn)(void *arg), void *arg);

/* Do now what was posted. In the loop's thread. */
void loop__flush(struct loop *loop);

/*
 * One round: wait up to @timeout_ms (-1: for ever) and call what is ready.
 * Returns -errno or 0.
 */
int loop__run_once(struct loop *loop, int timeout_ms);

#endif /* VMM_LOOP_H */
