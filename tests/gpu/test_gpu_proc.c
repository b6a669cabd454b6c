// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmapat-gpu-proc alone in a Debian 13 host, in its whole sandbox: memory of lavapipe's as a
 * buffer, and the render server, which starts and ends with it.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "lib/process.h"

#define GPU_PROC	"/bin/chroot", "/host", "/t/dmapat-gpu-proc", "--socket-path=/run/gpu.sock"
#define SERVER		"virgl_render_server"

/* Whether a process of this name (15 characters of it) runs. */
static bool runs(const char *name)
{
	struct dirent *entry;
	char path[300], comm[32];
	bool found = false;
	DIR *dir = opendir("/proc");
	FILE *f;

	test_assert(dir);
	while (!found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		found = fgets(comm, sizeof(comm), f) && !strncmp(comm, name, 15);
		fclose(f);
	}
	closedir(dir);
	return found;
}

static void test_buffer(void)
{
	static struct process gpu;

	process_run(&gpu, GPU_PROC, "--buffer=vulkan=llvmpipe,size=64K,offset=0,fill=0x5a");
	test_ok(process_says(&gpu, "ready: waiting"), "a buffer from lavapipe");
	test_ok(strstr(gpu.text, "buffer 0 (vulkan llvmpipe): 64 KiB at 0x0, host type WB"),
		"its memory type is what the kernel says");
	process_show(&gpu);
	kill(gpu.pid, SIGTERM);
	test_eq(process_end(&gpu), 0, "exit status");

	process_run(&gpu, GPU_PROC, "--buffer=vulkan=llvmpipe:9,size=64K,offset=0");
	test_eq(process_end(&gpu), 1, "a memory type that there is not: exit status");
	test_ok(strstr(gpu.text, "memory types, of which mask 0x"), "it says so");
}

static void test_server(void)
{
	static struct process gpu;
	unsigned int i;

	process_run(&gpu, GPU_PROC, "--context=venus", "--context=heap");
	test_ok(process_says(&gpu, "ready: waiting"), "a render server");
	process_show(&gpu);
	test_ok(runs(SERVER), "it runs");
	kill(gpu.pid, SIGTERM);
	test_eq(process_end(&gpu), 0, "exit status");
	for (i = 0; i < 100 && runs(SERVER); i++)
		usleep(100000);
	test_ok(!runs(SERVER), "it ends with gpu-proc");
}

int main(void)
{
	test_buffer();
	test_server();
	return test_end();
}
