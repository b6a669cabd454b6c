// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The picture that the guest's display shows, in memory that viewers may map. Called by
 * gpu.c, before the sandbox, then by gpu_scanout.c and screenshot.c.
 */
#include "frame.h"
#include "log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FRAME_BYTES	(SCANOUT_SHM_PIXELS + FRAME_PIXELS_MAX * sizeof(uint32_t))

static int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		log_error("--scanout-shm=%s: cannot open it: %m", path);
		return -1;
	}
	/* Nothing of an earlier run. */
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, FRAME_BYTES) < 0) {
		log_error("--scanout-shm=%s: cannot make it %zu bytes: %m", path, FRAME_BYTES);
		close(fd);
		return -1;
	}
	return fd;
}

int frame_open(struct frame *frame, const char *path)
{
	int flags = path ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	int fd = -1;
	void *map;

	if (path) {
		fd = open_file(path);
		if (fd < 0)
			return -1;
	}
	map = mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (fd >= 0)
		close(fd);
	if (map == MAP_FAILED) {
		log_error("display: cannot map %zu bytes: %m", FRAME_BYTES);
		return -1;
	}
	frame->shm = map;
	frame->pixels = (void *)((char *)map + SCANOUT_SHM_PIXELS);
	frame->shm->magic = SCANOUT_SHM_MAGIC;
	frame->shm->version = SCANOUT_SHM_VERSION;
	return 0;
}

void frame_close(struct frame *frame)
{
	if (frame->shm)
		munmap(frame->shm, FRAME_BYTES);
	*frame = (struct frame){ .shm = NULL };
}

bool frame_size_is_possible(uint32_t width, uint32_t height)
{
	return width && height && width <= FRAME_SIDE_MAX && height <= FRAME_SIDE_MAX &&
	       width * height <= FRAME_PIXELS_MAX;
}

void frame_begin(struct frame *frame)
{
	__atomic_store_n(&frame->shm->sequence, ++frame->sequence, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void frame_end(struct frame *frame)
{
	__atomic_store_n(&frame->shm->sequence, ++frame->sequence, __ATOMIC_RELEASE);
}

void frame_set_size(struct frame *frame, uint32_t width, uint32_t height)
{
	struct scanout_shm *shm = frame->shm;

	if (!shm)
		return;
	frame_begin(frame);
	if (frame->width != width || frame->height != height) {
		frame->width = width;
		frame->height = height;
		shm->width = width;
		shm->height = height;
		shm->stride = width * sizeof(*frame->pixels);
		memset(frame->pixels, 0, (size_t)width * height * sizeof(*frame->pixels));
	}
	shm->on = 1;
	frame_end(frame);
}

void frame_set_off(struct frame *frame)
{
	if (!frame->shm)
		return;
	frame_begin(frame);
	frame->shm->on = 0;
	frame_end(frame);
}
