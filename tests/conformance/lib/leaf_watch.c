// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM's tracepoints: switched on and off, each event read once; see leaf.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktap.h"
#include "leaf.h"
#include "leaf_state.h"

#define INSTANCE	"/sys/kernel/tracing/instances/dmapat"
#define MAX_FILTER	4096

/* TDP MMU (default), and the shadow MMU; the second one also tells TDP faults. */
static const char *const events[] = { "kvm_tdp_mmu_spte_changed", "kvm_mmu_set_spte" };

#define N_EVENTS	(sizeof(events) / sizeof(events[0]))

static uint64_t cleared_at;
static int pipe_fd = -1;
static char pending[16384];
static size_t n_pending;

static void tracing_write(const char *file, const char *text)
{
	char path[256];
	ssize_t written;
	int fd;

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		test_note("%s: %s: is kvm loaded?", path, strerror(errno));
	test_assert(fd >= 0);
	written = write(fd, text, strlen(text));
	if (written != (ssize_t)strlen(text))
		test_note("%s: \"%s\" is refused: %s", path, text, strerror(errno));
	test_assert(written == (ssize_t)strlen(text));
	close(fd);
}

static void events_write(const char *file, const char *text)
{
	char path[128];

	for (size_t i = 0; i < N_EVENTS; i++) {
		snprintf(path, sizeof(path), "events/kvmmmu/%s/%s", events[i], file);
		tracing_write(path, text);
	}
}

static void event_line(const char *line)
{
	int r = leaf_state_line(line);

	/* Then what is known is not what is. */
	if (r == -EOVERFLOW)
		test_note("events were overwritten before they were read: %s", line);
	else if (r)
		test_note("%s: %s", strerror(-r), line);
	test_assert(!r);
}

/* Reads what has come since the last time. */
static void events_read(void)
{
	ssize_t n;

	test_assert(pipe_fd >= 0);
	while ((n = read(pipe_fd, pending + n_pending, sizeof(pending) - 1 - n_pending)) > 0) {
		char *line = pending, *end;

		n_pending += (size_t)n;
		pending[n_pending] = '\0';
		while ((end = strchr(line, '\n'))) {
			*end = '\0';
			event_line(line);
			line = end + 1;
		}
		n_pending -= (size_t)(line - pending);
		memmove(pending, line, n_pending);
		test_assert(n_pending < sizeof(pending) - 1);
	}
	test_assert(n == 0 || errno == EAGAIN || errno == EINTR);
}

void leaf_watch_start(void)
{
	static bool registered;
	int r;

	/* One that a killed run has left; busy if that still runs. */
	r = rmdir(INSTANCE);
	if (r && errno != ENOENT)
		test_note("%s: %s: does another run watch?", INSTANCE, strerror(errno));
	test_assert(!r || errno == ENOENT);
	r = mkdir(INSTANCE, 0700);
	if (r)
		test_note("%s: %s: is tracefs mounted, and this the root user?", INSTANCE,
			  strerror(errno));
	test_assert(!r);
	pipe_fd = open(INSTANCE "/trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	test_assert(pipe_fd >= 0);
	if (!registered)
		test_assert(!atexit(leaf_watch_stop));
	registered = true;

	n_pending = 0;
	leaf_state_reset();
	cleared_at = 0;
	events_write("enable", "1");
}

void leaf_watch_stop(void)
{
	if (pipe_fd < 0)
		return;
	/* First, or a failing step below would come back here by exit(). */
	close(pipe_fd);
	pipe_fd = -1;
	events_write("enable", "0");
	test_assert(!rmdir(INSTANCE));
}

void leaf_watch_only(const uint64_t *gfns, size_t n)
{
	char text[MAX_FILTER];
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%sgfn == 0x%llx",
					 i ? " || " : "", (unsigned long long)gfns[i]);
		test_assert(used < sizeof(text));
	}
	events_write("filter", text);
	snprintf(text, sizeof(text), "%d", getpid());
	tracing_write("set_event_pid", text);
}

void leaf_watch_from(uint64_t gfn)
{
	char text[64];

	snprintf(text, sizeof(text), "gfn >= 0x%llx", (unsigned long long)gfn);
	events_write("filter", text);
}

void leaf_watch_clear(void)
{
	events_read();
	cleared_at = leaf_state_order();
}

unsigned int leaf_last_spte(uint64_t gfn, uint64_t *spte)
{
	events_read();
	return leaf_state_last(gfn, cleared_at, spte);
}

unsigned int leaf_now(uint64_t gfn, uint64_t *spte)
{
	events_read();
	return leaf_state_now(gfn, spte);
}
