// SPDX-License-Identifier: GPL-2.0-or-later
/* dmapat-gpu-proc beside a Debian guest; see guest_gpu.h. */
#include "guest_gpu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "lib/scanout_shm.h"

/* Seen so from inside and from outside of the tree */
#define SCANOUT		"/tmp/scanout"
#define SCREENSHOT	"/tmp/screenshot.png"

void guest_gpu_start(struct process *gpu, const char *context)
{
	char option[64];

	snprintf(option, sizeof(option), "--context=%s", context);
	unlink(GUEST_GPU_SOCKET);
	process_run(gpu, "/bin/chroot", "/host", "/t/dmapat-gpu-proc",
		    "--socket-path=" GUEST_GPU_SOCKET, option, "--display=800x600",
		    "--scanout-shm=" SCANOUT, "--screenshot=" SCREENSHOT);
	if (!process_says(gpu, "ready: waiting")) {
		process_show(gpu);
		test_assert(!"gpu-proc is ready");
	}
}

unsigned int guest_gpu_percent(uint32_t rgb)
{
	const struct scanout_shm *shm;
	const uint32_t *row;
	struct stat st;
	unsigned int x, y, n = 0, all;
	void *map;
	int fd;

	fd = open(SCANOUT, O_RDONLY | O_CLOEXEC);
	test_assert(fd >= 0 && fstat(fd, &st) == 0);
	map = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	test_assert(map != MAP_FAILED);
	close(fd);
	shm = map;
	for (y = 0; y < shm->height; y++) {
		row = (const uint32_t *)((const char *)map + SCANOUT_SHM_PIXELS +
					 (size_t)y * shm->stride);
		for (x = 0; x < shm->width; x++)
			n += row[x] == rgb;
	}
	all = shm->width * shm->height;
	munmap(map, st.st_size);
	return all ? n * 100 / all : 0;
}

bool guest_gpu_shows(uint32_t rgb, unsigned int percent)
{
	const int64_t deadline = process_now_ms() + process_timeout_ms();
	const struct timespec step = { .tv_nsec = 20000000 };

	while (guest_gpu_percent(rgb) < percent) {
		if (process_now_ms() >= deadline)
			return false;
		nanosleep(&step, NULL);
	}
	return true;
}

bool guest_gpu_screenshot(struct process *gpu, const char *name)
{
	char command[128], line[128];
	FILE *f;

	kill(gpu->pid, SIGUSR2);
	if (!process_says(gpu, "screenshot: "))
		return false;
	snprintf(command, sizeof(command), "base64 -w 76 " SCREENSHOT);
	f = popen(command, "r");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f))
		printf("# png %s %s", name, line);
	return pclose(f) == 0;
}
