// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The display of a Linux guest, end to end: its own virtio_gpu driver, dmapat-vmm, and
 * dmapat-gpu-proc, whose screenshot must be the picture that the guest drew, pixel by pixel.
 * The picture comes to the guest as a disk (tests/linux/guest-init, use-display). Linux draws
 * into blobs, and into pictures that it transfers where there are contexts.
 */
#include <fcntl.h>
#include <png.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux_vm.h"

#define GPU_PROC	"/t/dmapat-gpu-proc"
#define SOCKET		"/tmp/gpu.sock"
#define SCREENSHOT	"/tmp/screenshot.png"
#define PICTURE		"/tmp/picture"
#define DISK_DEVICE	"virtio-blk,file=/tmp/picture"
#define GPU_DEVICE	"vhost-user-gpu,socket=/tmp/gpu.sock"
#define WIDTH		800u
#define HEIGHT		600u
#define TRIES		300

static uint32_t picture[WIDTH * HEIGHT];
static uint8_t shot[WIDTH * HEIGHT * 3];

/* Another colour at each place, and no symmetry in it; each time another one. */
static void make_picture(uint32_t seed)
{
	uint32_t x, y;
	int fd;

	for (y = 0; y < HEIGHT; y++)
		for (x = 0; x < WIDTH; x++)
			picture[y * WIDTH + x] = (x * 3 + y + seed) % 256 << 16 | (y * 5 + 7) % 256 << 8 |
						 (x ^ y) % 256;
	fd = open(PICTURE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	test_assert(fd >= 0 && write(fd, picture, sizeof(picture)) == sizeof(picture));
	close(fd);
}

/* How many pixels of the screenshot are not the picture's; all, if it is none of that size. */
static unsigned int differences(void)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	unsigned int count = 0, i;

	if (!png_image_begin_read_from_file(&image, SCREENSHOT))
		return WIDTH * HEIGHT;
	image.format = PNG_FORMAT_RGB;
	if (image.width != WIDTH || image.height != HEIGHT ||
	    !png_image_finish_read(&image, NULL, shot, 0, NULL)) {
		png_image_free(&image);
		return WIDTH * HEIGHT;
	}
	for (i = 0; i < WIDTH * HEIGHT; i++)
		count += picture[i] != ((uint32_t)shot[3 * i] << 16 |
					(uint32_t)shot[3 * i + 1] << 8 | shot[3 * i + 2]);
	return count;
}

/* The driver shows what was drawn a moment later: look until it does. */
static unsigned int look(struct process *gpu)
{
	unsigned int count = WIDTH * HEIGHT, i;

	for (i = 0; i < TRIES && count; i++) {
		usleep(100000);
		gpu->len = 0;
		gpu->text[0] = '\0';
		kill(gpu->pid, SIGUSR2);
		if (!process_says(gpu, "screenshot: "))
			break;
		count = differences();
	}
	return count;
}

/* @context: an argument of dmapat-gpu-proc, or NULL */
static void test_display(uint32_t seed, const char *context)
{
	static struct process gpu, vmm;
	unsigned int count;

	test_note("%s", context ?: "no contexts");
	make_picture(seed);
	process_run(&gpu, GPU_PROC, "--socket-path=" SOCKET, "--display=800x600",
		    "--screenshot=" SCREENSHOT, context);
	test_assert(process_says(&gpu, "ready: waiting for the front-end"));
	process_run(&vmm, LINUX_VMM, "run", "--memory", "192M", "--kernel", LINUX_KERNEL,
		    "--initrd", LINUX_INITRD, "--cmdline", "console=ttyS0 quiet panic=-1 use-display",
		    "--console", "-", "--device", DISK_DEVICE,
		    "--device", GPU_DEVICE);
	linux_vm__says(&vmm, "guest: display 800x600, 128 bytes of EDID", "what the display is");
	linux_vm__says(&vmm, "guest: drew the picture", "the guest draws");
	count = look(&gpu);
	if (!test_ok(!count, "screenshot: %u of %u pixels differ", count, WIDTH * HEIGHT))
		process_show(&gpu);
	test_assert(write(vmm.in, "\n", 1) == 1);
	linux_vm__says(&vmm, "guest: drivers say nothing against it", "driver's errors");
	test_eq(process_end(&vmm), 0, "the VMM's exit status");
	test_eq(process_end(&gpu), 0, "the GPU process' exit status");
	test_ok(!differences(), "the last screenshot is the last picture");
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_display(0, NULL);
	test_display(100, "--context=heap");
	return test_end();
}
