// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmapat-vmm as a whole, with dmapat-gpu-proc's buffers and a guest that uses them:
 *
 *	test_vmm	on dmapat's KVM modules
 *	test_vmm stock	on the stock modules: --bind off works, --bind require says why not
 *
 * Control goes through the JSON socket as a client in any language would use it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "lib/process.h"

#define VMM		"/t/dmapat-vmm"
#define GPU_PROC	"/t/dmapat-gpu-proc"
#define PAYLOAD		"/t/payload.elf"
#define CONTROL		"/run/vmm.sock"
#define GPU_SOCKET	"/run/gpu.sock"
#define GPU2_SOCKET	"/run/gpu2.sock"

#define BUFFERS	"--buffer=heap=system,size=64K,offset=0,fill=0x11,name=wb", \
		"--buffer=heap=system-wc,size=64K,offset=1M,fill=0x22,name=wc", \
		"--buffer=heap=system-uc,size=64K,offset=2M,fill=0x33,name=uc", \
		"--buffer=drm=/dev/dri/card0,size=64K,offset=3M,fill=0x44,name=vgem"

static const char listen1[] = "--socket-path=" GPU_SOCKET;
static const char listen2[] = "--socket-path=" GPU2_SOCKET;
static const char gpu2_at_15m[] = GPU2_SOCKET ",offset=15M";

static void check_end(struct process *p, int want, const char *what)
{
	if (!test_eq(process_end(p), want, "%s: exit status", what))
		process_show(p);
}

static void check_says(struct process *p, const char *text, const char *what)
{
	if (!test_ok(process_says(p, text), "%s: says \"%s\"", what, text))
		process_show(p);
}

static void start_gpu(struct process *gpu)
{
	process_run(gpu, GPU_PROC, listen1, "--shmem-size=16M", BUFFERS);
	test_assert(process_says(gpu, "ready"));
}

static void start_vmm(struct process *vmm, const char *cmdline, const char *option)
{
	process_run(vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--console", "-",
		    "--gpu-proc", GPU_SOCKET, "--control", CONTROL, "--cmdline", cmdline, option);
}

static void stop_gpu(struct process *gpu)
{
	kill(gpu->pid, SIGTERM);
	process_end(gpu);
}

/* ---- control socket ---- */

static const char *command(struct control *c, const char *name)
{
	char line[64];

	snprintf(line, sizeof(line), "\"execute\":\"%s\"", name);
	return control_command(c, line);
}

static void check_status(struct control *c, const char *status, const char *what)
{
	char text[64];

	snprintf(text, sizeof(text), "\"status\":\"%s\"", status);
	if (!test_ok(strstr(command(c, "query-status"), text), "%s: status is %s", what, status))
		test_note("%s", c->line);
}

static void wait_launched(struct control *c)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	int64_t end = process_now_ms() + process_timeout_ms();

	while (!strstr(command(c, "query-status"), "\"launched\":true")) {
		test_assert(process_now_ms() < end);
		nanosleep(&pause, NULL);
	}
}

/* ---- tests ---- */

static void check_buffer(const struct control *c, const char *name, const char *type)
{
	static const char *const members[] = { "bind", "host", "leaf", "query", "memtype" };
	char text[128], *at;
	unsigned int i;

	snprintf(text, sizeof(text), "{\"name\":\"%s\"", name);
	at = strstr(c->line, text);
	if (!test_ok(at, "query-memtype: %s is there", name))
		return;
	at = strdup(at);
	if (strchr(at, '}'))
		*strchr(at, '}') = '\0';
	for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		snprintf(text, sizeof(text), "\"%s\":\"%s\"", members[i], type);
		if (!test_ok(strstr(at, text), "query-memtype: %s: %s is %s", name, members[i],
			     type))
			test_note("%s", at);
	}
	free(at);
}

static void test_touch(void)
{
	struct process gpu, vmm;
	struct control c;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=touch", "--paused");
	control_connect(&c, CONTROL);
	wait_launched(&c);
	check_status(&c, "prelaunch", "touch");
	command(&c, "query-memtype");
	check_buffer(&c, "wb", "WB");
	check_buffer(&c, "wc", "WC");
	check_buffer(&c, "uc", "UC");
	check_buffer(&c, "vgem", "WC");
	test_ok(strstr(c.line, "\"sample\":\"1111111111111111\"") &&
		strstr(c.line, "\"sample\":\"2222222222222222\"") &&
		strstr(c.line, "\"sample\":\"3333333333333333\"") &&
		strstr(c.line, "\"sample\":\"4444444444444444\""),
		"query-memtype: the VMM reads what gpu-proc wrote");
	command(&c, "cont");
	test_ok(control_wait(&c, "\"event\":\"SHUTDOWN\""), "touch: event SHUTDOWN");
	check_says(&vmm, "touched 4 buffers, wrong words 0", "touch");
	check_end(&vmm, 0, "touch");
	test_ok(access(CONTROL, F_OK) < 0, "touch: the control socket is removed");
	control_close(&c);
	check_end(&gpu, 0, "touch: gpu-proc");
}

/* Whatever PAT or MTRRs the guest sets, it reads what it wrote, and nothing breaks. */
static void test_probe(void)
{
	struct process gpu, vmm;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=probe", NULL);
	check_says(&vmm, "probed 4 buffers, wrong words 0", "probe");
	check_end(&vmm, 0, "probe");
	stop_gpu(&gpu);
}

static void test_stop_cont(void)
{
	struct process gpu, vmm;
	struct control c;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=write ram=1M", NULL);
	control_connect(&c, CONTROL);
	check_says(&vmm, "writing ", "stop");
	check_status(&c, "running", "stop");
	command(&c, "stop");
	check_status(&c, "paused", "stop");
	test_ok(strstr(command(&c, "stop"), "return"), "stop: a second time");
	command(&c, "cont");
	check_status(&c, "running", "cont");
	kill(vmm.pid, SIGTERM);
	check_end(&vmm, 128 + SIGTERM, "SIGTERM");
	test_ok(access(CONTROL, F_OK) < 0, "SIGTERM: the control socket is removed");
	control_close(&c);
	stop_gpu(&gpu);
}

/*
 * The payload finds memory that is not what it wrote, or the migration tests would
 * prove nothing: gpu-proc writes its fill bytes under the stopped guest.
 */
static void test_verify(void)
{
	struct process gpu, vmm;
	struct control c;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=write ram=64K verifies=2", NULL);
	control_connect(&c, CONTROL);
	check_says(&vmm, "writing ", "verify");
	test_assert(write(vmm.in, "v", 1) == 1);
	check_says(&vmm, "mismatches 0 ", "verify");
	command(&c, "stop");
	kill(gpu.pid, SIGUSR1);
	check_says(&gpu, "filled", "verify: gpu-proc writes");
	test_assert(write(vmm.in, "v", 1) == 1);
	/* both have been read when this is answered, for the serial port is the loop's, too */
	command(&c, "query-status");
	command(&c, "cont");
	check_says(&vmm, "mismatch gpa 0x", "verify: the payload tells what differs");
	check_end(&vmm, 1, "verify: changed memory");
	control_close(&c);
	process_end(&gpu);
}

/* The empty part of the window: a report, not memory, and not the end. */
static void test_hole(void)
{
	struct process gpu, vmm;
	struct control c;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=touch hole=8M", "--paused");
	control_connect(&c, CONTROL);
	wait_launched(&c);
	command(&c, "cont");
	test_ok(control_wait(&c, "\"event\":\"MEMORY_FAULT\""), "hole: event MEMORY_FAULT");
	test_ok(strstr(c.line, "\"buffer\":null"), "hole: no buffer there");
	test_note("%s", c.line);
	check_status(&c, "paused", "hole");
	command(&c, "cont");
	test_ok(control_wait(&c, "\"event\":\"MEMORY_FAULT\""), "hole: cont repeats the access");
	command(&c, "quit");
	check_end(&vmm, 0, "hole: quit");
	control_close(&c);
	stop_gpu(&gpu);

	start_gpu(&gpu);
	process_run(&vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--gpu-proc",
		    GPU_SOCKET, "--cmdline", "mode=touch hole=8M");
	check_end(&vmm, 70, "hole without control socket");
	check_says(&vmm, "memory fault", "hole without control socket");
	stop_gpu(&gpu);
}

/* gpu-proc takes its buffers back under the guest, then another one is killed. */
static void test_gpu_goes(void)
{
	struct process gpu, vmm;
	struct control c;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=write ram=64K", NULL);
	control_connect(&c, CONTROL);
	check_says(&vmm, "writing ", "gpu-proc ends");
	kill(gpu.pid, SIGTERM);
	test_ok(control_wait(&c, "\"event\":\"MEMORY_FAULT\""), "gpu-proc ends: event MEMORY_FAULT");
	check_status(&c, "paused", "gpu-proc ends");
	test_ok(strstr(command(&c, "query-memtype"), "\"buffers\":[]"),
		"gpu-proc ends: its buffers are gone");
	check_end(&gpu, 0, "gpu-proc ends");
	command(&c, "quit");
	check_end(&vmm, 0, "gpu-proc ends: quit");
	control_close(&c);

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=write ram=64K", NULL);
	control_connect(&c, CONTROL);
	check_says(&vmm, "writing ", "gpu-proc killed");
	kill(gpu.pid, SIGKILL);
	test_ok(control_wait(&c, "\"event\":\"GPU_DISCONNECTED\""), "gpu-proc killed: event");
	check_status(&c, "running", "gpu-proc killed");
	test_ok(strstr(command(&c, "query-memtype"), "\"name\":\"vgem\""),
		"gpu-proc killed: its buffers stay");
	command(&c, "quit");
	check_end(&vmm, 0, "gpu-proc killed: quit");
	control_close(&c);
	process_end(&gpu);
}

static void test_two_gpus(void)
{
	struct process gpu, gpu2, vmm;
	struct control c;

	start_gpu(&gpu);
	process_run(&gpu2, GPU_PROC, listen2, "--shmem-size=1M",
		    "--buffer=heap=system-wc,size=64K,offset=64K,name=second");
	test_assert(process_says(&gpu2, "ready"));
	process_run(&vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--console", "-",
		    "--gpu-proc", GPU_SOCKET, "--gpu-proc", GPU2_SOCKET, "--control", CONTROL,
		    "--cmdline", "mode=touch", "--paused");
	control_connect(&c, CONTROL);
	wait_launched(&c);
	test_ok(strstr(command(&c, "query-memtype"), "\"offset\":16842752"),
		"two gpu-procs: the second's region follows the first's");
	command(&c, "cont");
	check_says(&vmm, "touched 5 buffers, wrong words 0", "two gpu-procs");
	check_end(&vmm, 0, "two gpu-procs");
	control_close(&c);
	process_end(&gpu);
	process_end(&gpu2);

	start_gpu(&gpu);
	process_run(&gpu2, GPU_PROC, listen2, "--shmem-size=1M");
	test_assert(process_says(&gpu2, "ready"));
	process_run(&vmm, VMM, "run", "--payload", PAYLOAD, "--gpu-proc", GPU_SOCKET,
		    "--gpu-proc", gpu2_at_15m);
	check_end(&vmm, 69, "regions overlap");
	check_says(&vmm, "overlaps that of " GPU_SOCKET, "regions overlap");
	stop_gpu(&gpu);
	stop_gpu(&gpu2);
}

static void write_file(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	test_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static void check_flat(const void *code, size_t size, int want, const char *text,
		       const char *what)
{
	struct process vmm;

	write_file("/tmp/flat.bin", code, size);
	process_run(&vmm, VMM, "run", "--memory", "16M", "--payload", "/tmp/flat.bin");
	check_end(&vmm, want, what);
	check_says(&vmm, text, what);
	unlink("/tmp/flat.bin");
}

static void test_ends(void)
{
	/* mov $N, %al; out %al, $0xf4; hlt */
	static const uint8_t five[] = { 0xb0, 5, 0xe6, 0xf4, 0xf4 };
	static const uint8_t large[] = { 0xb0, 200, 0xe6, 0xf4, 0xf4 };
	static const uint8_t ud2[] = { 0x0f, 0x0b };
	static const uint8_t elf[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	struct process vmm;

	check_flat(five, sizeof(five), 5, "", "guest ends with 5");
	check_flat(large, sizeof(large), 63, "200 is reported as 63", "guest ends with 200");
	check_flat(ud2, sizeof(ud2), 70, "triple fault", "triple fault");
	check_flat(elf, sizeof(elf), 69, "no whole header", "bad ELF");
	process_run(&vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--gpu-proc",
		    "/run/nobody.sock", "--gpu-timeout", "100");
	check_end(&vmm, 69, "no gpu-proc");
	check_says(&vmm, "/run/nobody.sock: connect", "no gpu-proc");
	process_run(&vmm, VMM, "run");
	check_end(&vmm, 64, "no options");
}

static void test_stock(void)
{
	struct process gpu, vmm;

	process_run(&vmm, VMM, "run", "--payload", PAYLOAD, "--cmdline", "mode=touch");
	check_end(&vmm, 69, "stock: --bind require");
	check_says(&vmm, "no KVM_CAP_DMA_BUF", "stock: --bind require");

	start_gpu(&gpu);
	process_run(&vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--console", "-",
		    "--gpu-proc", GPU_SOCKET, "--bind", "off", "--cmdline", "mode=touch pages=1");
	check_says(&vmm, "touched 4 buffers, wrong words 0", "stock: --bind off");
	check_end(&vmm, 0, "stock: --bind off");
	stop_gpu(&gpu);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "stock")) {
		test_stock();
		return test_end();
	}
	test_touch();
	test_probe();
	test_stop_cont();
	test_verify();
	test_hole();
	test_gpu_goes();
	test_two_gpus();
	test_ends();
	return test_end();
}
