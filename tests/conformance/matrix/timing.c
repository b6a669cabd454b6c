// SPDX-License-Identifier: GPL-2.0-or-later
/* Timed accesses of this process and of a guest; see timing.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/buffer.h"
#include "../lib/ktap.h"
#include "../lib/timed.h"
#include "timing.h"

#define PAGE	4096UL

static void add(struct timing_series *series, uint64_t ticks, unsigned int accesses)
{
	series->ticks[series->n++] = (double)ticks / accesses;
}

static void *map_and_close(int fd)
{
	void *page = buffer_map(fd, PAGE, 0);

	close(fd);
	return page;
}

static int can_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

int timing_references(struct timing_refs *refs)
{
	static const char *const nodes[] = {
		"/dev/dma_heap/system-uc", "/dev/dma_heap/system-wc", "/dev/udmabuf"
	};
	struct timing_samples *type[] = { &refs->uc, &refs->wc, &refs->wb };
	void *page[3];

	memset(refs, 0, sizeof(*refs));
	for (unsigned int i = 0; i < 3; i++) {
		int r = can_open(nodes[i]);

		if (r) {
			test_note("timing: no references: %s: %s", nodes[i], strerror(r));
			return r;
		}
	}
	page[0] = map_and_close(buffer_heap("system-uc", PAGE));
	page[1] = map_and_close(buffer_heap("system-wc", PAGE));
	page[2] = map_and_close(buffer_udmabuf(PAGE));
	/* In turn, so that a change of clock or load meets all three. */
	for (unsigned int n = 0; n < TIMING_SAMPLES; n++)
		for (unsigned int i = 0; i < 3; i++) {
			add(&type[i]->loads, timed_loads(page[i]), TIMED_LOADS);
			add(&type[i]->stores, timed_stores(page[i]), TIMED_STORES);
		}
	for (unsigned int i = 0; i < 3; i++)
		munmap(page[i], PAGE);
	return 0;
}

int timing_measure(struct test_vm *vm, uint64_t gva, struct timing_samples *samples)
{
	memset(samples, 0, sizeof(*samples));
	for (unsigned int n = 0; n < TIMING_SAMPLES; n++) {
		uint64_t ticks;
		int r = vm_time_loads(vm, gva, &ticks);

		if (r)
			return r;
		add(&samples->loads, ticks, TIMED_LOADS);
		r = vm_time_stores(vm, gva, &ticks);
		if (r)
			return r;
		add(&samples->stores, ticks, TIMED_STORES);
	}
	return 0;
}
