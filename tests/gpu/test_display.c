// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The display of a Debian guest: its kernel's own virtio_gpu driver and text console, in 2D, end
 * in the picture that dmapat-gpu-proc shows.
 */
#include <signal.h>
#include <stdio.h>

#include "debian_guest.h"
#include "guest_gpu.h"
#include "lib/ktap.h"

#define BLUE	0x0000aau	/* of the console's 16 colours */
#define GREEN	0x00aa00u

int main(void)
{
	static const char *const options[] = { "--device", GUEST_GPU_DEVICE, NULL };
	static struct debian_guest guest;
	static struct process gpu;
	bool shown;

	signal(SIGPIPE, SIG_IGN);
	guest_gpu_start(&gpu, "heap");
	debian_guest_start(&guest, options);
	if (!test_ok(debian_guest_login(&guest), "a shell on the serial console")) {
		process_show(&guest.vmm);
		process_show(&gpu);
		return test_end();
	}
	test_eq(debian_guest_run(&guest, "grep virtio_gpudrmfb /proc/fb"), 0,
		"a frame buffer of virtio_gpu");
	test_eq(debian_guest_run(&guest,
				 "head -n 1 /sys/class/drm/card0-Virtual-1/modes | grep 800x600"),
		0, "the display's best mode, by EDID");
	test_eq(debian_guest_run(&guest, "printf '\\033[44m\\033[2Jdmapat\\n' > /dev/tty1"),
		0, "wrote to the text console");
	shown = guest_gpu_shows(BLUE, 90);
	test_ok(shown, "blue is %u %% of the picture", guest_gpu_percent(BLUE));
	test_ok(guest_gpu_screenshot(&gpu, "display"), "screenshot");
	test_eq(debian_guest_run(&guest, "printf '\\033[42m\\033[2J' > /dev/tty1"),
		0, "wrote again");
	shown = guest_gpu_shows(GREEN, 90);
	test_ok(shown && !guest_gpu_percent(BLUE),
		"now %u %% are green, %u %% blue", guest_gpu_percent(GREEN), guest_gpu_percent(BLUE));
	test_eq(debian_guest_end(&guest), 0, "switched off by systemd: exit status");
	test_eq(process_end(&gpu), 0, "gpu-proc: exit status");
	return test_end();
}
