// SPDX-License-Identifier: GPL-2.0-or-later
/* Trackers of writers; see track.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ktap.h"
#include "track.h"

int track_ioctl(struct dmabuf_memtype_track *arg)
{
	static int node = -1;

	if (node < 0)
		node = open("/dev/dmabuf-memtype", O_RDWR | O_CLOEXEC);
	test_assert(node >= 0);
	return ioctl(node, DMABUF_MEMTYPE_TRACK, arg) ? errno : 0;
}

int track_get_written(int tracker, struct dmabuf_memtype_written *arg)
{
	return ioctl(tracker, DMABUF_MEMTYPE_GET_WRITTEN, arg) ? errno : 0;
}

int track_start(int fd, struct track *t)
{
	struct dmabuf_memtype_track arg = { .fd = fd };
	int error = track_ioctl(&arg);

	if (error)
		return error;
	test_assert(arg.nr_pages <= TRACK_MAX_PAGES);
	*t = (struct track) {
		.fd = arg.tracker,
		.precision = arg.precision,
		.nr = arg.nr_pages,
	};
	return 0;
}

void track_stop(struct track *t)
{
	test_assert(!close(t->fd));
	t->fd = -1;
}

int track_take_range(struct track *t, uint64_t first, uint64_t nr)
{
	struct dmabuf_memtype_written arg = {
		.first_page = first,
		.nr_pages = nr,
		.bitmap = (uint64_t)t->bits,
	};
	int error;

	/* It must be overwritten as a whole. */
	memset(t->bits, 0xff, sizeof(t->bits));
	error = track_get_written(t->fd, &arg);
	t->writers = arg.writers;
	t->written = arg.nr_written;
	return error;
}

int track_take(struct track *t)
{
	return track_take_range(t, 0, t->nr);
}

bool track_has(const struct track *t, uint64_t page)
{
	return t->bits[page / 64] >> page % 64 & 1;
}
