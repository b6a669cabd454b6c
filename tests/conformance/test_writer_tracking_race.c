// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A tracked buffer that is written all the time, by two vCPUs, a thread and another
 * process: no page is lost. A copy is kept up to date from the tracker's reports alone,
 * as a migration does it; whenever the writers are held, every page that is not reported
 * must be as in the copy.
 *
 *	test_writer_tracking_race ROUNDS
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/process.h"
#include "lib/track.h"
#include "lib/writers.h"

#define PAGES		512UL
#define SIZE		(PAGES * 4096)
#define SLOT		1
#define CPU_WRITERS	2			/* a thread and a process */
#define BYTES		(WRITERS_BYTES + 8 * CPU_WRITERS)	/* of a page that are written */

/* Shared with the process. */
static struct shared {
	atomic_bool hold, end;
	atomic_uint held;
	atomic_ulong stores[CPU_WRITERS];
} *shared;

static struct track t;
static uint8_t *memory, *copy;

/* In random order, as the vCPUs do it. */
static void write_for_ever(unsigned int i, uint8_t *map)
{
	uint32_t state = 0x1234567 * (i + 1);

	while (!atomic_load(&shared->end)) {
		if (atomic_load(&shared->hold)) {
			atomic_fetch_add(&shared->held, 1);
			while (atomic_load(&shared->hold))
				sched_yield();
			atomic_fetch_sub(&shared->held, 1);
		}
		state = state * 1664525 + 1013904223;
		*(volatile uint64_t *)(map + (state >> 20) % PAGES * 4096 + WRITERS_BYTES + 8 * i) =
			atomic_fetch_add(&shared->stores[i], 1);
	}
}

static void *write_in_thread(void *arg)
{
	(void)arg;
	write_for_ever(0, memory);
	return NULL;
}

static void wait_held(unsigned int n)
{
	const int64_t deadline = process_now_ms() + process_timeout_ms();

	while (atomic_load(&shared->held) != n) {
		test_assert(process_now_ms() < deadline);
		sched_yield();
	}
}

static void hold_all(void)
{
	atomic_store(&shared->hold, true);
	wait_held(CPU_WRITERS);
	writers_hold();
}

static void release_all(void)
{
	atomic_store(&shared->hold, false);
	wait_held(0);
	writers_release();
}

/* Each has stored @n times more. */
static void wait_stores(unsigned long n)
{
	const int64_t deadline = process_now_ms() + process_timeout_ms();

	for (unsigned int i = 0; i < CPU_WRITERS; i++) {
		const unsigned long before = atomic_load(&shared->stores[i]);

		while (atomic_load(&shared->stores[i]) - before < n) {
			test_assert(process_now_ms() < deadline);
			sched_yield();
		}
	}
	writers_wait(n);
}

static void take_and_copy(void)
{
	test_assert(!track_take(&t));
	for (unsigned int page = 0; page < PAGES; page++)
		if (track_has(&t, page))
			memcpy(copy + page * 4096, memory + page * 4096, BYTES);
}

/* With the writers held: pages that are not as in the copy, which has all reports. */
static unsigned int lost_pages(void)
{
	unsigned int lost = 0;

	for (unsigned int page = 0; page < PAGES; page++) {
		if (!memcmp(copy + page * 4096, memory + page * 4096, BYTES))
			continue;
		if (!lost++)
			for (unsigned int i = 0; i < BYTES / 8; i++)
				test_note("page %u, writer %u: holds %llu, its copy %llu", page, i,
					  ((unsigned long long *)(memory + page * 4096))[i],
					  ((unsigned long long *)(copy + page * 4096))[i]);
	}
	return lost;
}

int main(int argc, char **argv)
{
	const unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
	unsigned long lost = 0, reported = 0;
	pthread_t thread;
	pid_t pid;
	int fd;

	writers_create(0);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	copy = calloc(1, SIZE);
	fd = buffer_heap("system-wc", SIZE);
	memory = buffer_map(fd, SIZE, 0);
	test_assert(shared != MAP_FAILED && copy);
	test_assert(!writers_slot(SLOT, WRITERS_GPA, SIZE, memory, 0));
	pid = fork();
	test_assert(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		write_for_ever(1, buffer_map(fd, SIZE, 0));
		_exit(0);
	}
	test_assert(!pthread_create(&thread, NULL, write_in_thread, NULL));
	writers_start(PAGES - 1);
	wait_stores(PAGES);

	test_assert(!track_start(fd, &t));
	memcpy(copy, memory, SIZE);
	for (unsigned long round = 0; round < rounds && !lost; round++) {
		/* Written while it is taken and copied; … */
		for (unsigned int n = round % 4; n; n--) {
			take_and_copy();
			reported += t.written;
			wait_stores(10);
		}
		/* … and then looked at. */
		hold_all();
		take_and_copy();
		reported += t.written;
		lost += lost_pages();
		release_all();
		wait_stores(20);
	}
	writers_end();
	atomic_store(&shared->end, true);
	pthread_join(thread, NULL);
	test_assert(waitpid(pid, NULL, 0) == pid);

	test_eq((long long)writers_exits(), 0, "vCPUs left for signals alone");
	test_note("%lu pages reported", reported);
	test_ok(reported > rounds, "pages were reported");
	test_eq((long long)lost, 0, "no page is lost in %lu rounds", rounds);
	return test_end();
}
