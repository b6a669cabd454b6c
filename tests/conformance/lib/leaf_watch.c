// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What KVM's tracepoints said of second-stage entries: reads each event once, keeps
 * per entry what it is now and the last leaf that it was. See leaf.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ktap.h"
#include "leaf.h"

#define INSTANCE	"/sys/kernel/tracing/instances/dmapat"
#define MAX_FILTER	4096

/* TDP MMU (default), and the shadow MMU; the second one also tells TDP faults. */
static const char *const events[] = { "kvm_tdp_mmu_spte_changed", "kvm_mmu_set_spte" };

#define N_EVENTS	(sizeof(events) / sizeof(events[0]))

/* Order of events: a leaf with a higher number came later. */
struct entry {
	uint64_t gfn;		/* the first that it maps */
	unsigned int level;	/* 0: the slot is free */
	uint64_t now;		/* 0: no leaf */
	uint64_t leaf;		/* the last one */
	uint64_t leaf_order;
};

/* Open addressing; never more than half full. */
static struct entry *entries;
static size_t n_slots, n_used;
static uint64_t order, cleared_at;

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

static struct entry *entry_slot(struct entry *table, size_t slots, uint64_t gfn,
				unsigned int level)
{
	size_t i = (size_t)((gfn * 4 + level) * 0x9e3779b97f4a7c15ULL >> 20) & (slots - 1);

	while (table[i].level && (table[i].gfn != gfn || table[i].level != level))
		i = (i + 1) & (slots - 1);
	return &table[i];
}

static void entries_grow(void)
{
	const size_t slots = n_slots ? 2 * n_slots : 1024;
	struct entry *table = calloc(slots, sizeof(*table));

	test_assert(table);
	for (size_t i = 0; i < n_slots; i++)
		if (entries[i].level)
			*entry_slot(table, slots, entries[i].gfn, entries[i].level) = entries[i];
	free(entries);
	entries = table;
	n_slots = slots;
}

/* The entry that maps @gfn at @level, or NULL if it was never told of. */
static struct entry *entry_find(uint64_t gfn, unsigned int level)
{
	struct entry *e;

	if (!n_slots)
		return NULL;
	e = entry_slot(entries, n_slots, gfn & ~((1ULL << (level - 1) * 9) - 1), level);
	return e->level ? e : NULL;
}

/* Bit 0: readable resp. present; bit 7: maps a page above the last level. */
static bool is_leaf(uint64_t spte, unsigned int level)
{
	return spte & 1 && (level == 1 || spte & 0x80);
}

static void entry_changed(uint64_t gfn, unsigned int level, uint64_t spte)
{
	struct entry *e;

	if (level < 1 || level > 3)
		return;
	if (2 * (n_used + 1) > n_slots)
		entries_grow();
	e = entry_slot(entries, n_slots, gfn, level);
	if (!e->level) {
		*e = (struct entry){ .gfn = gfn, .level = level };
		n_used++;
	}
	e->now = 0;
	if (is_leaf(spte, level)) {
		e->now = spte;
		e->leaf = spte;
		e->leaf_order = ++order;
	}
}

static void event_line(const char *line)
{
	unsigned long long gfn, spte;
	unsigned int space = 0, level;
	const char *p;
	int n;

	/* Overwritten before they were read: what is known is not what is. */
	test_assert(!strstr(line, "LOST"));
	p = strstr(line, "kvm_tdp_mmu_spte_changed: ");
	if (p) {
		n = sscanf(p, "kvm_tdp_mmu_spte_changed: as id %u gfn %llx level %u old_spte %*x new_spte %llx",
			   &space, &gfn, &level, &spte);
		if (n != 4)
			test_note("no event as this program knows it: %s", line);
		test_assert(n == 4);
	} else {
		p = strstr(line, "kvm_mmu_set_spte: ");
		if (!p)
			return;
		n = sscanf(p, "kvm_mmu_set_spte: gfn %llx spte %llx (%*[^)]) level %u", &gfn, &spte,
			   &level);
		if (n != 3)
			test_note("no event as this program knows it: %s", line);
		test_assert(n == 3);
	}
	/* System management mode has tables of its own. */
	if (!space)
		entry_changed(gfn, level, spte);
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
	n_used = 0;
	n_slots = 0;
	free(entries);
	entries = NULL;
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

void leaf_watch_clear(void)
{
	events_read();
	cleared_at = order;
}

unsigned int leaf_last_spte(uint64_t gfn, uint64_t *spte)
{
	uint64_t last = cleared_at;
	unsigned int found = 0;

	events_read();
	*spte = 0;
	for (unsigned int level = 1; level <= 3; level++) {
		const struct entry *e = entry_find(gfn, level);

		if (!e || e->leaf_order <= last)
			continue;
		last = e->leaf_order;
		*spte = e->leaf;
		found = level;
	}
	return found;
}

unsigned int leaf_now(uint64_t gfn, uint64_t *spte)
{
	uint64_t last = 0;
	unsigned int found = 0;

	events_read();
	*spte = 0;
	for (unsigned int level = 1; level <= 3; level++) {
		const struct entry *e = entry_find(gfn, level);

		if (!e || !e->now || e->leaf_order <= last)
			continue;
		last = e->leaf_order;
		*spte = e->now;
		found = level;
	}
	return found;
}
