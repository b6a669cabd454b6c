/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dmapat-gpu-proc beside a Debian guest: it runs in the host's tree, and shows the guest's display
 * in files.
 */
#ifndef TESTS_GPU_GUEST_GPU_H
#define TESTS_GPU_GUEST_GPU_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/process.h"

#define GUEST_GPU_SOCKET	"/run/gpu.sock"
#define GUEST_GPU_DEVICE	"vhost-user-gpu,socket=/run/gpu.sock"

/* Start it with @context, such as "venus"; wait until a front-end can connect. */
void guest_gpu_start(struct process *gpu, const char *context);

/* How many of the display's pixels have the colour @rgb, in percent. */
unsigned int guest_gpu_percent(uint32_t rgb);

/* Wait until so much of the picture has this colour: a driver shows it a little later. */
bool guest_gpu_shows(uint32_t rgb, unsigned int percent);

/* Have it write the screenshot, and print that, base64, in lines "# png NAME …". */
bool guest_gpu_screenshot(struct process *gpu, const char *name);

#endif /* TESTS_GPU_GUEST_GPU_H */
