// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmapat-vmm as a whole, with dmapat-gpu-proc's buffers and a guest that uses them:
 *
 *	test_vmm	on dmapat's KVM modules
 *	test_vmm stock	on the stock modules: --bind off works, --bind require says why not
 *
 * Control goes through the JSON socket as a client in any language would use it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/ktap.h"

#define VMM		"/t/dmapat-vmm"
#define GPU_PROC	"/t/dmapat-gpu-proc"
#define PAYLOAD		"/t/payload.elf"
#define CONTROL		"/run/vmm.sock"
#define GPU_SOCKET	"/run/gpu.sock"
#define GPU2_SOCKET	"/run/gpu2.sock"
#define TIMEOUT_MS	30000

#define BUFFERS	"--buffer=heap=system,size=64K,offset=0,fill=0x11,name=wb", \
		"--buffer=heap=system-wc,size=64K,offset=1M,fill=0x22,name=wc", \
		"--buffer=heap=system-uc,size=64K,offset=2M,fill=0x33,name=uc", \
		"--buffer=drm=/dev/dri/card0,size=64K,offset=3M,fill=0x44,name=vgem"

static const char listen1[] = "--socket-path=" GPU_SOCKET;
static const char listen2[] = "--socket-path=" GPU2_SOCKET;
static const char gpu2_at_15m[] = GPU2_SOCKET ",offset=15M";

struct process {
	pid_t pid;
	int in;			/* its standard input */
	int out;		/* its standard output and error */
	char text[16384];
	size_t len;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- processes ---- */

static void start_argv(struct process *p, const char *const *argv)
{
	int pipefd[2], inputfd[2];

	memset(p, 0, sizeof(*p));
	test_assert(pipe2(pipefd, O_CLOEXEC) == 0 && pipe2(inputfd, O_CLOEXEC) == 0);
	p->pid = fork();
	if (!p->pid) {
		dup2(inputfd[0], STDIN_FILENO);
		dup2(pipefd[1], STDOUT_FILENO);
		dup2(pipefd[1], STDERR_FILENO);
		execv(argv[0], (char **)argv);
		_exit(127);
	}
	test_assert(p->pid > 0);
	close(pipefd[1]);
	close(inputfd[0]);
	p->out = pipefd[0];
	p->in = inputfd[1];
}

/* start(&p, PROGRAM, ARGUMENT...) */
#define start(p, ...) start_argv(p, (const char *const []) { __VA_ARGS__, NULL })

/* Read its output until it has @text in it, or ends, or the time is over. */
static bool says(struct process *p, const char *text)
{
	struct pollfd pfd = { .fd = p->out, .events = POLLIN };
	int64_t end = now_ms() + TIMEOUT_MS;
	ssize_t n;

	while (!strstr(p->text, text)) {
		if (p->len == sizeof(p->text) - 1 || poll(&pfd, 1, end - now_ms()) <= 0)
			return false;
		n = read(p->out, p->text + p->len, sizeof(p->text) - 1 - p->len);
		if (n <= 0)
			return false;
		p->len += n;
	}
	return true;
}

static void show(const struct process *p)
{
	char copy[sizeof(p->text)], *line, *save;

	strcpy(copy, p->text);
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		test_note("  %s", line);
}

/* Its exit status when it ends by itself; killed, and -1, when it does not. */
static int ended(struct process *p)
{
	int status;

	if (says(p, "\1 never said: reads to the end") || kill(p->pid, 0) < 0)
		return -1;
	/* End of its output; a process that hangs without output is killed here. */
	if (waitpid(p->pid, &status, WNOHANG) == 0) {
		struct pollfd pfd = { .fd = p->out, .events = POLLIN };

		if (poll(&pfd, 1, 0) == 0)
			kill(p->pid, SIGKILL);
		test_assert(waitpid(p->pid, &status, 0) == p->pid);
	}
	close(p->out);
	close(p->in);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void check_end(struct process *p, int want, const char *what)
{
	if (!test_eq(ended(p), want, "%s: exit status", what))
		show(p);
}

static void check_says(struct process *p, const char *text, const char *what)
{
	if (!test_ok(says(p, text), "%s: says \"%s\"", what, text))
		show(p);
}

static void start_gpu(struct process *gpu)
{
	start(gpu, GPU_PROC, listen1, "--shmem-size=16M", BUFFERS);
	test_assert(says(gpu, "ready"));
}

static void start_vmm(struct process *vmm, const char *cmdline, const char *option)
{
	start(vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--console", "-",
	      "--gpu-proc", GPU_SOCKET, "--control", CONTROL, "--cmdline", cmdline, option);
}

static void stop_gpu(struct process *gpu)
{
	kill(gpu->pid, SIGTERM);
	ended(gpu);
}

/* ---- control socket ---- */

static char reply[16384];

static int control_connect(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = CONTROL };
	struct timespec pause = { .tv_nsec = 20000000 };
	int64_t end = now_ms() + TIMEOUT_MS;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* The socket's appearance is no event that could be waited for. */
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		test_assert(now_ms() < end);
		nanosleep(&pause, NULL);
	}
	return fd;
}

/* The next line with @text in it is left in reply[]. */
static bool control_wait(int fd, const char *text)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int64_t end = now_ms() + TIMEOUT_MS;
	size_t len = 0;

	for (;;) {
		if (poll(&pfd, 1, end - now_ms()) <= 0 || read(fd, reply + len, 1) != 1)
			return false;
		if (reply[len] != '\n') {
			test_assert(++len < sizeof(reply) - 1);
			continue;
		}
		reply[len] = '\0';
		if (strstr(reply, text))
			return true;
		len = 0;
	}
}

static const char *command(int fd, const char *name)
{
	char line[256];
	int len;

	len = snprintf(line, sizeof(line), "{\"execute\":\"%s\",\"id\":\"test\"}\n", name);
	test_assert(write(fd, line, len) == len);
	test_assert(control_wait(fd, "\"id\":\"test\""));
	return reply;
}

static void check_status(int fd, const char *status, const char *what)
{
	char text[64];

	snprintf(text, sizeof(text), "\"status\":\"%s\"", status);
	if (!test_ok(strstr(command(fd, "query-status"), text), "%s: status is %s", what, status))
		test_note("%s", reply);
}

static void wait_launched(int fd)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	int64_t end = now_ms() + TIMEOUT_MS;

	while (!strstr(command(fd, "query-status"), "\"launched\":true")) {
		test_assert(now_ms() < end);
		nanosleep(&pause, NULL);
	}
}

/* ---- tests ---- */

static void check_buffer(const char *name, const char *type)
{
	static const char *const members[] = { "bind", "host", "leaf", "query", "memtype" };
	char text[128], *at;
	unsigned int i;

	snprintf(text, sizeof(text), "{\"name\":\"%s\"", name);
	at = strstr(reply, text);
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
	int fd;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=touch", "--paused");
	fd = control_connect();
	wait_launched(fd);
	check_status(fd, "prelaunch", "touch");
	command(fd, "query-memtype");
	check_buffer("wb", "WB");
	check_buffer("wc", "WC");
	check_buffer("uc", "UC");
	check_buffer("vgem", "WC");
	test_ok(strstr(reply, "\"sample\":\"1111111111111111\"") &&
		strstr(reply, "\"sample\":\"2222222222222222\"") &&
		strstr(reply, "\"sample\":\"3333333333333333\"") &&
		strstr(reply, "\"sample\":\"4444444444444444\""),
		"query-memtype: the VMM reads what gpu-proc wrote");
	command(fd, "cont");
	test_ok(control_wait(fd, "\"event\":\"SHUTDOWN\""), "touch: event SHUTDOWN");
	check_says(&vmm, "touched 4 buffers, wrong words 0", "touch");
	check_end(&vmm, 0, "touch");
	test_ok(access(CONTROL, F_OK) < 0, "touch: the control socket is removed");
	close(fd);
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
	int fd;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=write ram=1M", NULL);
	fd = control_connect();
	check_says(&vmm, "writing ", "stop");
	check_status(fd, "running", "stop");
	command(fd, "stop");
	check_status(fd, "paused", "stop");
	test_ok(strstr(command(fd, "stop"), "return"), "stop: a second time");
	command(fd, "cont");
	check_status(fd, "running", "cont");
	kill(vmm.pid, SIGTERM);
	check_end(&vmm, 128 + SIGTERM, "SIGTERM");
	test_ok(access(CONTROL, F_OK) < 0, "SIGTERM: the control socket is removed");
	close(fd);
	stop_gpu(&gpu);
}

/*
 * The payload finds memory that is not what it wrote, or the migration tests would
 * prove nothing: gpu-proc writes its fill bytes under the stopped guest.
 */
static void test_verify(void)
{
	struct process gpu, vmm;
	int fd;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=write ram=64K verifies=2", NULL);
	fd = control_connect();
	check_says(&vmm, "writing ", "verify");
	test_assert(write(vmm.in, "v", 1) == 1);
	check_says(&vmm, "mismatches 0 ", "verify");
	command(fd, "stop");
	kill(gpu.pid, SIGUSR1);
	check_says(&gpu, "filled", "verify: gpu-proc writes");
	test_assert(write(vmm.in, "v", 1) == 1);
	/* both have been read when this is answered, for the serial port is the loop's, too */
	command(fd, "query-status");
	command(fd, "cont");
	check_says(&vmm, "mismatch gpa 0x", "verify: the payload tells what differs");
	check_end(&vmm, 1, "verify: changed memory");
	close(fd);
	ended(&gpu);
}

/* The empty part of the window: a report, not memory, and not the end. */
static void test_hole(void)
{
	struct process gpu, vmm;
	int fd;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=touch hole=8M", "--paused");
	fd = control_connect();
	wait_launched(fd);
	command(fd, "cont");
	test_ok(control_wait(fd, "\"event\":\"MEMORY_FAULT\""), "hole: event MEMORY_FAULT");
	test_ok(strstr(reply, "\"buffer\":null"), "hole: no buffer there");
	test_note("%s", reply);
	check_status(fd, "paused", "hole");
	command(fd, "cont");
	test_ok(control_wait(fd, "\"event\":\"MEMORY_FAULT\""), "hole: cont repeats the access");
	command(fd, "quit");
	check_end(&vmm, 0, "hole: quit");
	close(fd);
	stop_gpu(&gpu);

	start_gpu(&gpu);
	start(&vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--gpu-proc", GPU_SOCKET,
	      "--cmdline", "mode=touch hole=8M");
	check_end(&vmm, 70, "hole without control socket");
	check_says(&vmm, "memory fault", "hole without control socket");
	stop_gpu(&gpu);
}

/* gpu-proc takes its buffers back under the guest, then another one is killed. */
static void test_gpu_goes(void)
{
	struct process gpu, vmm;
	int fd;

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=write ram=64K", NULL);
	fd = control_connect();
	check_says(&vmm, "writing ", "gpu-proc ends");
	kill(gpu.pid, SIGTERM);
	test_ok(control_wait(fd, "\"event\":\"MEMORY_FAULT\""), "gpu-proc ends: event MEMORY_FAULT");
	check_status(fd, "paused", "gpu-proc ends");
	test_ok(strstr(command(fd, "query-memtype"), "\"buffers\":[]"),
		"gpu-proc ends: its buffers are gone");
	check_end(&gpu, 0, "gpu-proc ends");
	command(fd, "quit");
	check_end(&vmm, 0, "gpu-proc ends: quit");
	close(fd);

	start_gpu(&gpu);
	start_vmm(&vmm, "mode=write ram=64K", NULL);
	fd = control_connect();
	check_says(&vmm, "writing ", "gpu-proc killed");
	kill(gpu.pid, SIGKILL);
	test_ok(control_wait(fd, "\"event\":\"GPU_DISCONNECTED\""), "gpu-proc killed: event");
	check_status(fd, "running", "gpu-proc killed");
	test_ok(strstr(command(fd, "query-memtype"), "\"name\":\"vgem\""),
		"gpu-proc killed: its buffers stay");
	command(fd, "quit");
	check_end(&vmm, 0, "gpu-proc killed: quit");
	close(fd);
	ended(&gpu);
}

static void test_two_gpus(void)
{
	struct process gpu, gpu2, vmm;
	int fd;

	start_gpu(&gpu);
	start(&gpu2, GPU_PROC, listen2, "--shmem-size=1M",
	      "--buffer=heap=system-wc,size=64K,offset=64K,name=second");
	test_assert(says(&gpu2, "ready"));
	start(&vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--console", "-",
	      "--gpu-proc", GPU_SOCKET, "--gpu-proc", GPU2_SOCKET, "--control", CONTROL,
	      "--cmdline", "mode=touch", "--paused");
	fd = control_connect();
	wait_launched(fd);
	test_ok(strstr(command(fd, "query-memtype"), "\"offset\":16842752"),
		"two gpu-procs: the second's region follows the first's");
	command(fd, "cont");
	check_says(&vmm, "touched 5 buffers, wrong words 0", "two gpu-procs");
	check_end(&vmm, 0, "two gpu-procs");
	close(fd);
	ended(&gpu);
	ended(&gpu2);

	start_gpu(&gpu);
	start(&gpu2, GPU_PROC, listen2, "--shmem-size=1M");
	test_assert(says(&gpu2, "ready"));
	start(&vmm, VMM, "run", "--payload", PAYLOAD, "--gpu-proc", GPU_SOCKET,
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
	start(&vmm, VMM, "run", "--memory", "16M", "--payload", "/tmp/flat.bin");
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
	start(&vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--gpu-proc",
	      "/run/nobody.sock", "--gpu-timeout", "100");
	check_end(&vmm, 69, "no gpu-proc");
	check_says(&vmm, "/run/nobody.sock: connect", "no gpu-proc");
	start(&vmm, VMM, "run");
	check_end(&vmm, 64, "no options");
}

static void test_stock(void)
{
	struct process gpu, vmm;

	start(&vmm, VMM, "run", "--payload", PAYLOAD, "--cmdline", "mode=touch");
	check_end(&vmm, 69, "stock: --bind require");
	check_says(&vmm, "no KVM_CAP_DMA_BUF", "stock: --bind require");

	start_gpu(&gpu);
	start(&vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--console", "-",
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
