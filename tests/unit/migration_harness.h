/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Source and destination of a migration as two processes, and a relay between them
 * that can cut, change or stop the stream, or kill a side, at any byte. Records who
 * runs. Included by the migration tests that are about who runs after what.
 *
 * The relay behaves like one socket: what a side wrote before it ended arrives
 * before the end does.
 */
#ifndef UNIT_MIGRATION_HARNESS_H
#define UNIT_MIGRATION_HARNESS_H

#include "unit/migration_sides.h"

/*
 * First thing in main(): what malloc keeps for the next call, and what is kept for the
 * next thread, would count as not freed, so start again with a libc that keeps nothing
 * and counts all threads' together.
 */
static inline void harness_exact_malloc(char **argv)
{
	if (getenv("GLIBC_TUNABLES"))
		return;
	setenv("GLIBC_TUNABLES",
	       "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1:glibc.pthread.stack_cache_size=0",
	       1);
	execv("/proc/self/exe", argv);
	abort();
}

static inline void close_sock(struct harness *h, int side, int ch)
{
	if (h->sock[side][ch] >= 0)
		close(h->sock[side][ch]);
	h->sock[side][ch] = -1;
}

static inline void harness_no_socks(struct harness *h)
{
	int ch;

	for (ch = 0; ch < MAX_CHANNELS; ch++)
		h->sock[SOURCE][ch] = h->sock[DESTINATION][ch] = -1;
	h->relay_listener.fd = h->destination_listener.fd = -1;
}

static inline void harness_init(struct harness *h)
{
	memset(h, 0, sizeof(*h));
	h->report = mmap(NULL, sizeof(*h->report), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	h->shadow = mmap(NULL, MACHINE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			 -1, 0);
	assert_true(h->report != MAP_FAILED && h->shadow != MAP_FAILED);
	harness_machine_init(&h->machine[SOURCE]);
	harness_machine_init(&h->machine[DESTINATION]);
	harness_no_socks(h);
	h->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	h->force_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	harness_populate(h);
}

/* A destination as fresh as the first one, for a second attempt. */
static inline void harness_renew(struct harness *h)
{
	eventfd_t ignored;

	harness_machine_exit(&h->machine[DESTINATION]);
	harness_machine_init(&h->machine[DESTINATION]);
	eventfd_read(h->news_fd, &ignored);
	eventfd_read(h->cancel_fd, &ignored);
	eventfd_read(h->force_fd, &ignored);
}

static inline void harness_kill(struct harness *h, int side)
{
	if (!h->pid[side])
		return;
	kill(h->pid[side], SIGKILL);
	waitpid(h->pid[side], NULL, 0);
	h->pid[side] = 0;
	h->killed[side] = true;
	/* A killed destination's guest is gone; so is a killed source's. */
	if (side == DESTINATION)
		h->report->started = false;
	else
		h->report->runs = false;
}

static inline void harness_exit(struct harness *h)
{
	int side, ch;

	for (side = 0; side < NR_SIDES; side++) {
		harness_kill(h, side);
		if (h->pidfd[side] > 0)
			close(h->pidfd[side]);
		for (ch = 0; ch < MAX_CHANNELS; ch++)
			close_sock(h, side, ch);
		free(h->copy[side].bytes);
		harness_machine_exit(&h->machine[side]);
	}
	close(h->news_fd);
	close(h->cancel_fd);
	close(h->force_fd);
	munmap(h->shadow, MACHINE_BYTES);
	munmap(h->report, sizeof(*h->report));
}

static inline void harness_fork(struct harness *h, int side, int own, int others[3])
{
	pid_t pid = fork();
	int i;

	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (i = 0; i < 3; i++)
			close(others[i]);
		if (side == SOURCE)
			harness_run_source(h, own);
		else
			harness_run_destination(h, own);
		_exit(0);
	}
	h->pid[side] = pid;
	h->pidfd[side] = syscall(SYS_pidfd_open, pid, 0);
	assert_true(h->pidfd[side] >= 0);
}

static inline void write_all(int fd, const uint8_t *buf, size_t len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	while (len && fd >= 0) {
		n = send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return;		/* the reader is gone */
		if (n < 0)
			n = 0;
		buf += n;
		len -= n;
		if (len)
			poll(&pfd, 1, CASE_DEADLINE_MS);
	}
}

static inline void pass_on(struct harness *h, int from, int ch, const uint8_t *buf, size_t len)
{
	struct stream_copy *copy = &h->copy[from];

	if (!ch && copy->bytes && copy->len + len <= MAX_STREAM)
		memcpy(copy->bytes + copy->len, buf, len);
	if (!ch)
		copy->len += len;
	write_all(h->sock[!from][ch], buf, len);
	h->passed[from][ch] += len;
}

/* All that a side wrote, up to its end. */
static inline void drain(struct harness *h, int side)
{
	uint8_t buf[65536];
	ssize_t n;
	int ch;

	for (ch = 0; ch < MAX_CHANNELS; ch++) {
		while (h->sock[side][ch] >= 0) {
			n = recv(h->sock[side][ch], buf, sizeof(buf), 0);
			if (n <= 0)
				break;
			pass_on(h, side, ch, buf, n);
		}
	}
}

static inline void cut(struct harness *h, int ch)
{
	close_sock(h, SOURCE, ch);
	close_sock(h, DESTINATION, ch);
}

static inline void strike(struct harness *h, const struct fault *f)
{
	int ch;

	switch (f->what) {
	case FAULT_KILL:
		harness_kill(h, f->victim);
		/* Its stream ends at the byte, or where it had come to. */
		if (f->victim != f->from)
			drain(h, f->victim);
		for (ch = 0; ch < MAX_CHANNELS; ch++)
			cut(h, ch);
		break;
	case FAULT_CUT:
		cut(h, f->channel);
		break;
	case FAULT_STALL:
		h->stalled = true;
		if (f->cancel == CANCEL_STALLED)
			eventfd_write(h->cancel_fd, 1);
		break;
	case FAULT_NONE:
	case FAULT_FLIP:
		break;
	}
}

/* Something from @side: pass it on, with the fault when its byte is reached. */
static inline void relay(struct harness *h, int side, int ch)
{
	const struct fault *f = h->fault;
	uint8_t buf[65536];
	uint64_t until = NOWHERE;
	ssize_t n;

	if (f->what != FAULT_NONE && f->from == side && f->channel == ch &&
	    f->at >= h->passed[side][ch])
		until = f->at - h->passed[side][ch];
	n = recv(h->sock[side][ch], buf, sizeof(buf), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		/* A source that closes is gone; a destination may still listen. */
		if (side == SOURCE) {
			cut(h, ch);
		} else {
			if (h->sock[SOURCE][ch] >= 0)
				shutdown(h->sock[SOURCE][ch], SHUT_WR);
			close_sock(h, DESTINATION, ch);
		}
		return;
	}
	/* A byte is changed or held back when it comes; a stall begins once. */
	if (until == NOWHERE || until > (uint64_t)n ||
	    (until == (uint64_t)n && (f->what == FAULT_FLIP || f->what == FAULT_STALL)) ||
	    (f->what == FAULT_STALL && h->held_len)) {
		pass_on(h, side, ch, buf, n);
		return;
	}
	if (f->what == FAULT_FLIP) {
		buf[until] ^= 1u << f->bit;
		pass_on(h, side, ch, buf, n);
		return;
	}
	pass_on(h, side, ch, buf, until);
	strike(h, f);
	if (f->what == FAULT_STALL) {
		h->held_len = n - until;
		memcpy(h->held, buf + until, h->held_len);
	}
}

/* The network works again. */
static inline void harness_flow(struct harness *h)
{
	h->stalled = false;
	pass_on(h, h->fault->from, h->fault->channel, h->held, h->held_len);
}

static inline bool side_done(const struct harness *h, int side)
{
	if (!h->pid[side])
		return true;
	return side == SOURCE ? h->report->unknown && !h->fault->force && !h->fault->resume_stall :
	       h->report->started && h->report->settled;
}

static inline void reap(struct harness *h, int side)
{
	siginfo_t info = { .si_pid = 0 };

	if (h->pid[side] && !waitid(P_PID, h->pid[side], &info, WEXITED | WNOHANG) && info.si_pid) {
		/* A side must end by itself or by the fault, never by a crash. */
		assert_int_equal(info.si_code, CLD_EXITED);
		h->pid[side] = 0;
	}
}

/* A further channel comes from the source: on to the destination with it. */
static inline void relay_channel(struct harness *h)
{
	struct migration_channel ends[NR_SIDES] = {
		{ .fd = -1, .cancel_fd = -1, .peer = "source" },
		{ .fd = -1, .cancel_fd = -1, .peer = "destination" },
	};
	struct error err = { "" };
	int ch = h->nr_channels++;

	if (ch == 1 && h->before_channel)
		h->before_channel(h);
	assert_true(ch < MAX_CHANNELS);
	assert_int_equal(migration_listener__accept(&h->relay_listener, &ends[SOURCE], &err), 0);
	h->sock[SOURCE][ch] = ends[SOURCE].fd;
	/* A destination that has given up is a connection that ends at once. */
	if (migration_channel__connect(&ends[DESTINATION], h->destination_uri, &err))
		cut(h, ch);
	else
		h->sock[DESTINATION][ch] = ends[DESTINATION].fd;
	fcntl(h->sock[SOURCE][ch], F_SETFL, 0);
	fcntl(h->sock[DESTINATION][ch], F_SETFL, 0);
}

static inline void harness_listen(struct harness *h)
{
	static unsigned int count;
	struct error err = { "" };

	count++;
	snprintf(h->relay_uri, sizeof(h->relay_uri), "unix:/tmp/migration-relay.%d.%u", getpid(),
		 count);
	snprintf(h->destination_uri, sizeof(h->destination_uri),
		 "unix:/tmp/migration-destination.%d.%u", getpid(), count);
	assert_int_equal(migration_listener__open(&h->relay_listener, h->relay_uri, &err), 0);
	assert_int_equal(migration_listener__open(&h->destination_listener, h->destination_uri,
						  &err), 0);
}

static inline bool is_stalled(const struct harness *h, int ch)
{
	return h->stalled && h->fault->channel == ch;
}

/* One migration with one fault. Afterwards the report says who runs. */
static inline void harness_case(struct harness *h, const struct fault *fault)
{
	enum { SOURCE_ENDS = 2 * MAX_CHANNELS, DESTINATION_ENDS, NEWS, CHANNEL, NR };
	int64_t deadline = harness_ms() + CASE_DEADLINE_MS;
	int s[2], d[2], side, ch;
	struct pollfd pfd[NR];
	eventfd_t ignored;

	memset(h->report, 0, sizeof(*h->report));
	h->report->outcome = -1;
	h->report->runs = !fault->stopped;
	h->fault = fault;
	h->stalled = false;
	h->held_len = 0;
	memset(h->passed, 0, sizeof(h->passed));
	h->copy[SOURCE].len = h->copy[DESTINATION].len = 0;
	h->killed[SOURCE] = h->killed[DESTINATION] = false;
	if (fault->channels > 1)
		harness_listen(h);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, d), 0);
	h->sock[SOURCE][0] = s[0];
	h->sock[DESTINATION][0] = d[0];
	h->nr_channels = 1;
	harness_fork(h, DESTINATION, d[1], (int[3]) { d[0], s[0], s[1] });
	harness_fork(h, SOURCE, s[1], (int[3]) { s[0], d[0], d[1] });
	close(s[1]);
	close(d[1]);
	/* It is the destination's now, and so is the file. */
	if (h->destination_listener.fd >= 0)
		close(h->destination_listener.fd);

	while (!side_done(h, SOURCE) || !side_done(h, DESTINATION)) {
		for (ch = 0; ch < MAX_CHANNELS; ch++)
			for (side = 0; side < NR_SIDES; side++)
				pfd[2 * ch + side] = (struct pollfd) {
					.fd = is_stalled(h, ch) ? -1 : h->sock[side][ch],
					.events = POLLIN,
				};
		for (side = 0; side < NR_SIDES; side++)
			pfd[SOURCE_ENDS + side] = (struct pollfd) {
				.fd = h->pid[side] ? h->pidfd[side] : -1, .events = POLLIN,
			};
		pfd[NEWS] = (struct pollfd) { .fd = h->news_fd, .events = POLLIN };
		pfd[CHANNEL] = (struct pollfd) { .fd = h->relay_listener.fd, .events = POLLIN };

		assert_true(harness_ms() < deadline);
		poll(pfd, NR, 1000);
		for (ch = 0; ch < MAX_CHANNELS; ch++)
			for (side = 0; side < NR_SIDES; side++)
				if (pfd[2 * ch + side].revents && h->sock[side][ch] >= 0 &&
				    !is_stalled(h, ch))
					relay(h, side, ch);
		if (pfd[SOURCE_ENDS].revents)
			reap(h, SOURCE);
		if (pfd[DESTINATION_ENDS].revents)
			reap(h, DESTINATION);
		if (pfd[CHANNEL].revents)
			relay_channel(h);
		eventfd_read(h->news_fd, &ignored);
		if (h->report->unknown && fault->force)
			eventfd_write(h->force_fd, 1);
		if (h->report->unknown && fault->resume_stall && h->stalled &&
		    !(fault->resume_at_end && h->pid[DESTINATION]))
			harness_flow(h);
	}
	/* A source that does not know would take what follows for news. */
	if (h->report->unknown && h->pid[SOURCE]) {
		kill(h->pid[SOURCE], SIGKILL);
		waitpid(h->pid[SOURCE], NULL, 0);
		h->pid[SOURCE] = 0;
	}
	for (side = 0; side < NR_SIDES; side++) {
		close(h->pidfd[side]);
		h->pidfd[side] = 0;
		for (ch = 0; ch < MAX_CHANNELS; ch++)
			close_sock(h, side, ch);
	}
	migration_listener__close(&h->relay_listener);
	/* A destination that was killed has left it. */
	h->destination_listener.fd = -1;
	migration_listener__close(&h->destination_listener);
}

/* The same without a relay, over a socket of the machine's own: @s, both ends. */
static inline void harness_direct(struct harness *h, const struct fault *fault, const int s[2])
{
	int64_t deadline = harness_ms() + CASE_DEADLINE_MS;
	eventfd_t ignored;
	int side;

	memset(h->report, 0, sizeof(*h->report));
	h->report->outcome = -1;
	h->report->runs = true;
	h->fault = fault;
	harness_fork(h, DESTINATION, s[1], (int[3]) { s[0], -1, -1 });
	harness_fork(h, SOURCE, s[0], (int[3]) { s[1], -1, -1 });
	close(s[0]);
	close(s[1]);
	while (!side_done(h, SOURCE) || !side_done(h, DESTINATION)) {
		struct pollfd pfd[] = {
			{ .fd = h->pid[SOURCE] ? h->pidfd[SOURCE] : -1, .events = POLLIN },
			{ .fd = h->pid[DESTINATION] ? h->pidfd[DESTINATION] : -1, .events = POLLIN },
			{ .fd = h->news_fd, .events = POLLIN },
		};

		assert_true(harness_ms() < deadline);
		poll(pfd, 3, 1000);
		eventfd_read(h->news_fd, &ignored);
		reap(h, SOURCE);
		reap(h, DESTINATION);
	}
	for (side = 0; side < NR_SIDES; side++) {
		close(h->pidfd[side]);
		h->pidfd[side] = 0;
	}
}

/* What must hold after every case. */
static inline void harness_judge(const struct harness *h)
{
	const struct report *r = h->report;
	bool here = r->runs, there = r->started && r->started_running;

	assert_false(here && there);
	if (r->started)
		assert_memory_equal(h->machine[DESTINATION].hva, h->shadow, MACHINE_BYTES);
	if (h->killed[SOURCE])
		return;
	/* Each end closes its socket and its listener, nothing else, and frees everything. */
	if (r->outcome >= 0) {
		assert_int_equal(r->leaked_bytes[SOURCE], 0);
		assert_int_equal(r->leaked_fds[SOURCE], -1);
	}
	if (!h->killed[DESTINATION]) {
		assert_int_equal(r->leaked_bytes[DESTINATION], 0);
		assert_int_equal(r->leaked_fds[DESTINATION], h->fault->channels > 1 ? -2 : -1);
	}
	/* However it ends, the guest is not slowed down any more. */
	assert_int_equal(r->throttle, 0);
	/* The source's memory is the guest's, whatever happened. */
	assert_memory_equal(h->machine[SOURCE].hva, h->shadow, MACHINE_BYTES);
	if (r->outcome == MIGRATION_STAYED) {
		assert_int_equal(r->runs, !h->fault->stopped);
		assert_true(r->source_err.msg[0]);
		assert_false(r->log_on);
	} else if (r->outcome == MIGRATION_MOVED) {
		assert_false(r->runs);
		assert_false(r->log_on);
	} else {
		assert_true(r->unknown);
		assert_false(r->runs);
	}
}

#endif /* UNIT_MIGRATION_HARNESS_H */
