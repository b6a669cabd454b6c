// SPDX-License-Identifier: GPL-2.0-or-later
/* The main thread's event loop; see loop.h. */
#include "vmm/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/util.h"

#define LOOP_EVENTS	16

struct loop_work {
	struct loop_work *next;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	int epoll_fd;
	struct loop_handler wake;	/* eventfd: there is work */
	pthread_mutex_t lock;
	struct loop_work *head;
	struct loop_work **tail;

	/* The events of the round under way, so that loop__del() can void them. */
	struct epoll_event events[LOOP_EVENTS];
	int nr_events;
};

void loop__flush(struct loop *loop)
{
	struct loop_work *work, *next;

	pthread_mutex_lock(&loop->lock);
	work = loop->head;
	loop->head = NULL;
	loop->tail = &loop->head;
	pthread_mutex_unlock(&loop->lock);

	for (; work; work = next) {
		next = work->next;
		work->fn(work->arg);
		free(work);
	}
}

static void loop__on_wake(struct loop_handler *h, uint32_t events)
{
	uint64_t count;

	(void)events;
	if (read(h->fd, &count, sizeof(count)) == sizeof(count))
		loop__flush(container_of(h, struct loop, wake));
}

int loop__create(struct loop **out)
{
	struct loop *loop;
	int r;

	loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	loop->tail = &loop->head;
	loop->wake.ready = loop__on_wake;
	pthread_mutex_init(&loop->lock, NULL);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->epoll_fd < 0 || loop->wake.fd < 0) {
		r = -errno;
		goto out;
	}
	r = loop__add(loop, &loop->wake, EPOLLIN);
out:
	if (r < 0) {
		loop__destroy(loop);
		return r;
	}
	*out = loop;
	return 0;
}

void loop__destroy(struct loop *loop)
{
	if (!loop)
		return;
	/* Work owns memory: what was posted is done, though nothing waits for it. */
	loop__flush(loop);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	if (loop->wake.fd >= 0)
		close(loop->wake.fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

static int loop__ctl(struct loop *loop, int op, struct loop_handler *h, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = h };

	return epoll_ctl(loop->epoll_fd, op, h->fd, &ev) < 0 ? -errno : 0;
}

int loop__add(struct loop *loop, struct loop_handler *h, uint32_t events)
{
	return loop__ctl(loop, EPOLL_CTL_ADD, h, events);
}

int loop__mod(struct loop *loop, struct loop_handler *h, uint32_t events)
{
	return loop__ctl(loop, EPOLL_CTL_MOD, h, events);
}

void loop__del(struct loop *loop, struct loop_handler *h)
{
	int i;

	loop__ctl(loop, EPOLL_CTL_DEL, h, 0);
	for (i = 0; i < loop->nr_events; i++) {
		if (loop->events[i].data.ptr == h)
			loop->events[i].data.ptr = NULL;
	}
}

int loop__post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct loop_work *work;
	uint64_t one = 1;

	work = calloc(1, sizeof(*work));
	if (!work)
		return -ENOMEM;
	work->fn = fn;
	work->arg = arg;

	pthread_mutex_lock(&loop->lock);
	*loop->tail = work;
	loop->tail = &work->next;
	pthread_mutex_unlock(&loop->lock);

	/* Fails only when the counter is full, and then the loop wakes anyway. */
	if (write(loop->wake.fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

int loop__run_once(struct loop *loop, int timeout_ms)
{
	struct loop_handler *h;
	int i, n;

	n = epoll_wait(loop->epoll_fd, loop->events, LOOP_EVENTS, timeout_ms);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;

	loop->nr_events = n;
	for (i = 0; i < n; i++) {
		h = loop->events[i].data.ptr;
		if (h)
			h->ready(h, loop->events[i].events);
	}
	loop->nr_events = 0;
	return 0;
}
