// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A Linux guest's own virtio_gpu driver with dmapat-gpu-proc behind dmapat-vmm: what the
 * driver finds, the console that it shows, the interrupt of a changed configuration; and
 * a gpu-proc that is killed and comes back.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "lib/process.h"
#include "linux_vm.h"
#include "scanout_shm.h"

#define GPU_PROC	"/t/dmapat-gpu-proc"
#define SOCKET		"/tmp/gpu.sock"
#define GPU_DEVICE	"vhost-user-gpu,socket=/tmp/gpu.sock"
#define FRAME		"/tmp/frame"
#define CONTROL		"/tmp/control"
#define WIDTH		800u
#define HEIGHT		600u
#define STEP_MS		50

static void start_gpu_proc(struct process *gpu)
{
	process_run(gpu, GPU_PROC, "--socket-path=" SOCKET, "--shmem-size=192M",
		    "--display=800x600", "--scanout-shm=" FRAME);
	test_assert(process_says(gpu, "ready"));
}

/* How many of the display's pixels are not black. */
static unsigned int lit_pixels(const struct scanout_shm *shm)
{
	const uint32_t *pixels = (const void *)((const char *)shm + SCANOUT_SHM_PIXELS);
	unsigned int i, n = 0;

	for (i = 0; i < WIDTH * HEIGHT; i++)
		n += (pixels[i] & 0xffffff) != 0;
	return n;
}

/* The guest fills its console with text: a good part of the picture. */
static void test_picture(const char *when)
{
	size_t size = SCANOUT_SHM_PIXELS + 4ul * WIDTH * HEIGHT;
	int64_t deadline = process_now_ms() + process_timeout_ms();
	const struct scanout_shm *shm;
	unsigned int lit;
	int fd;

	fd = open(FRAME, O_RDONLY | O_CLOEXEC);
	test_assert(fd >= 0);
	shm = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	test_assert(shm != MAP_FAILED);
	close(fd);
	do {
		lit = shm->width == WIDTH ? lit_pixels(shm) : 0;
	} while (lit < WIDTH * HEIGHT / 20 && process_now_ms() < deadline &&
		 !poll(NULL, 0, STEP_MS));
	test_eq(shm->width, WIDTH, "%s: width", when);
	test_eq(shm->height, HEIGHT, "%s: height", when);
	test_ok(lit >= WIDTH * HEIGHT / 20, "%s: %u of %u pixels are lit", when, lit,
		WIDTH * HEIGHT);
	munmap((void *)shm, size);
}

int main(void)
{
	struct process vmm, gpu;
	struct control control;

	signal(SIGPIPE, SIG_IGN);
	start_gpu_proc(&gpu);
	process_run(&vmm, LINUX_VMM, "run", "--memory", "192M", "--kernel", LINUX_KERNEL,
		    "--initrd", LINUX_INITRD, "--cmdline",
		    "console=ttyS0 quiet panic=-1 use-gpu", "--console", "-",
		    "--control", CONTROL, "--device", GPU_DEVICE);
	control_connect(&control, CONTROL);
	linux_vm__says(&vmm, "guest: class 0x038000", "PCI");
	/* 192M in a BAR of 256M. */
	linux_vm__says(&vmm, "guest: BAR of 268435456 bytes", "PCI");
	linux_vm__says(&vmm, "+edid", "driver");
	linux_vm__says(&vmm, "+host_visible", "driver");
	linux_vm__says(&vmm, "guest: Host memory window: 0x100000000 +0xc000000", "driver");
	linux_vm__says(&vmm, "guest: card0 mode 800x600", "driver");
	linux_vm__says(&vmm, "guest: filled", "driver");
	test_picture("console");

	kill(gpu.pid, SIGKILL);
	test_eq(process_end(&gpu), 128 + SIGKILL, "gpu-proc killed");
	test_ok(control_wait(&control, "DEVICE_DISCONNECTED"), "event: %s", control.line);
	linux_vm__says(&vmm, "guest: needs a reset", "gpu-proc killed");
	unlink(FRAME);
	start_gpu_proc(&gpu);
	linux_vm__says(&vmm, "guest: again card0 mode 800x600",
		       "a new gpu-proc, after the reset");
	linux_vm__says(&vmm, "guest: filled again", "a new gpu-proc, after the reset");
	test_picture("console again");
	test_assert(write(vmm.in, "off\n", 4) == 4);
	test_eq(process_end(&vmm), 0, "switched off by the guest: exit status");
	control_close(&control);
	kill(gpu.pid, SIGTERM);
	test_eq(process_end(&gpu), 0, "gpu-proc ended");
	return test_end();
}
