/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Linux guest with a virtio GPU of dmapat-gpu-proc, whose contexts are of the type
 * heap: what the tests with blobs have in common.
 */
#ifndef TESTS_LINUX_GPU_H
#define TESTS_LINUX_GPU_H

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "linux_vm.h"

#define LINUX_GPU_PROC		"/t/dmapat-gpu-proc"
#define LINUX_GPU_INITRD	"/t/gpu-initrd"
#define LINUX_GPU_LISTEN	"--socket-path=/tmp/gpu.sock"
#define LINUX_GPU_DEVICE	"vhost-user-gpu,socket=/tmp/gpu.sock"
#define LINUX_GPU_CONTROL	"/tmp/control"

struct linux_gpu {
	struct process proc, vmm;
	struct control control;
};

static inline void linux_gpu__start_proc(struct linux_gpu *g)
{
	process_run(&g->proc, LINUX_GPU_PROC, LINUX_GPU_LISTEN, "--context=heap",
		    "--shmem-size=256M");
	test_assert(process_says(&g->proc, "ready"));
}

/*
 * Both programs. @run: what the guest is to do (gpu-init); @cmdline: more words for its
 * kernel; @bind: as --bind has it.
 */
static inline void linux_gpu__start(struct linux_gpu *g, const char *run, const char *cmdline,
				    const char *bind)
{
	char line[512];

	linux_gpu__start_proc(g);
	/* As in tests/emu/boot: what a third of a boot goes into, and nobody needs here. */
	snprintf(line, sizeof(line),
		 "console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests initcall_blacklist=load_system_certificate_list,jent_mod_init,init_ima,init_evm \"RUN=%s\" %s",
		 run, cmdline);
	process_run(&g->vmm, LINUX_VMM, "run", "--memory", "192M", "--kernel", LINUX_KERNEL,
		    "--initrd", LINUX_GPU_INITRD, "--cmdline", line, "--console", "-",
		    "--control", LINUX_GPU_CONTROL, "--bind", bind,
		    "--device", LINUX_GPU_DEVICE);
	control_connect(&g->control, LINUX_GPU_CONTROL);
}

/* The line of input that the guest waits for. */
static inline void linux_gpu__go_on(struct linux_gpu *g)
{
	test_assert(write(g->vmm.in, "\n", 1) == 1);
}

/* The guest switches itself off; gpu-proc ends when the VMM goes. */
static inline void linux_gpu__end(struct linux_gpu *g)
{
	control_close(&g->control);
	if (!test_eq(process_end(&g->vmm), 0, "switched off by the guest: exit status"))
		process_show(&g->vmm);
	if (!test_eq(process_end(&g->proc), 0, "gpu-proc's exit status"))
		process_show(&g->proc);
}

static inline const char *linux_gpu__query_memtype(struct linux_gpu *g)
{
	return control_command(&g->control, "\"execute\":\"query-memtype\"");
}

#endif /* TESTS_LINUX_GPU_H */
