// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmapat-gpu-proc on real devices: buffers of every allocator reach a front-end
 * that knows the vhost-user specification and nothing of the program; their
 * bytes and their memory types are right, the program's own accesses too; it
 * has no rights left; it comes and goes cleanly.
 *
 * The messages are spelled out in numbers here, and not taken from
 * userspace/lib, so that a wrong number there is seen.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dmabuf_memtype.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/trace.h"
#include "lib/ktap.h"
#include "lib/message.h"
#include "lib/process.h"

#define PROGRAM		"/t/dmapat-gpu-proc"
#define SOCKET_PATH	"/run/gpu.sock"
#define SIZE		8192u
#define SHMEM_SIZE	0x10000000ull

static const struct {
	const char *option, *label, *type;
	unsigned int number;		/* of the type */
	unsigned char fill;
} buffers[] = {
	{ "--buffer=heap=system-wc,size=8K,offset=0,fill=0x51", "(heap system-wc): 8 KiB at 0x0",
	  "WC", DMABUF_MEMTYPE_WC, 0x51 },
	{ "--buffer=heap=system-uc,size=8K,offset=8K,fill=0x52",
	  "(heap system-uc): 8 KiB at 0x2000",
	  "UC", DMABUF_MEMTYPE_UC, 0x52 },
	{ "--buffer=heap=system,size=8K,offset=1M,fill=0x53", "(heap system): 8 KiB at 0x100000",
	  "WB", DMABUF_MEMTYPE_WB, 0x53 },
	{ "--buffer=drm=/dev/dri/card0,size=8K,offset=16M,fill=0x54,name=vgem",
	  "(drm /dev/dri/card0, vgem): 8 KiB at 0x1000000", "WC", DMABUF_MEMTYPE_WC, 0x54 },
	{ "--buffer=udmabuf=/dev/udmabuf,size=8K,offset=255M,fill=0x55",
	  "(udmabuf /dev/udmabuf): 8 KiB at 0xff00000", "WB", DMABUF_MEMTYPE_WB, 0x55 },
};

#define COUNT		(sizeof(buffers) / sizeof(*buffers))

static const uint64_t offsets[COUNT] = { 0, 0x2000, 0x100000, 0x1000000, 0xff00000 };

/* The program under test, and what it says. */
struct program {
	pid_t pid;
	int log;		/* its standard error */
	char text[8192];
	size_t len;
};

/* ---- the program ---- */

static void program_start(struct program *program, const char *const *args, int keep)
{
	const char *argv[16] = { PROGRAM };
	int pipefd[2], i;

	memset(program, 0, sizeof(*program));
	test_assert(pipe2(pipefd, O_CLOEXEC) == 0);
	for (i = 0; args[i]; i++)
		argv[1 + i] = args[i];
	program->pid = fork();
	if (!program->pid) {
		dup2(pipefd[1], STDERR_FILENO);
		if (keep >= 0)
			fcntl(keep, F_SETFD, 0);
		execv(PROGRAM, (char **)argv);
		_exit(127);
	}
	test_assert(program->pid > 0);
	close(pipefd[1]);
	program->log = pipefd[0];
}

/* Read what it says until it says text; false: it ends, or does not say it in time. */
static bool program_says(struct program *program, const char *text)
{
	struct pollfd pfd = { .fd = program->log, .events = POLLIN };
	ssize_t len;

	while (!strstr(program->text, text)) {
		if (program->len == sizeof(program->text) - 1 ||
		    poll(&pfd, 1, process_timeout_ms()) <= 0)
			return false;
		len = read(program->log, program->text + program->len,
			   sizeof(program->text) - 1 - program->len);
		if (len <= 0)
			return false;
		program->len += len;
	}
	return true;
}

/* Its exit status when it has ended: 128 + signal if by one. */
static int program_end(struct program *program)
{
	int status;

	program_says(program, "\1 never said: reads to the end");
	close(program->log);
	test_assert(waitpid(program->pid, &status, 0) == program->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void program_log(const struct program *program)
{
	char copy[sizeof(program->text)], *line, *save;

	strcpy(copy, program->text);
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		test_note("  %s", line);
}

/* ---- the front-end ---- */

static uint64_t ask(int sock, uint32_t request, const void *payload, uint32_t size, int fd)
{
	struct message msg;

	/* need_reply: also where there is a reply anyway, it must be one */
	message_send(sock, request, 8, payload, size, fd);
	test_assert(message_receive(sock, &msg, process_timeout_ms()));
	test_assert(msg.request == request && msg.flags == 5);
	return msg.payload[0];
}

/* Handshake up to the point where all SHMEM_MAPs are in the returned socket. */
static int handshake(int sock)
{
	uint64_t wanted = 1 << 0 | 1 << 3 | 1 << 5 | 1 << 9 | 1 << 10 | 1 << 13 | 1 << 16 | 1 << 20;
	uint64_t features;
	struct message msg;
	int sv[2];

	features = ask(sock, 1, NULL, 0, -1);
	test_ok(features & 1ull << 30, "protocol features are offered");
	test_ok(features & 1ull << 32, "VIRTIO_F_VERSION_1 is offered");
	features = ask(sock, 15, NULL, 0, -1);
	test_eq(features & wanted, wanted, "protocol features");
	test_eq(ask(sock, 16, &wanted, 8, -1), 0, "SET_PROTOCOL_FEATURES");
	test_eq(ask(sock, 3, NULL, 0, -1), 0, "SET_OWNER");
	test_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	test_eq(ask(sock, 21, NULL, 0, sv[1]), 0, "SET_BACKEND_REQ_FD");
	close(sv[1]);

	message_send(sock, 44, 0, NULL, 0, -1);
	test_assert(message_receive(sock, &msg, process_timeout_ms()));
	test_eq(msg.size, 8 + 8 * 256, "GET_SHMEM_CONFIG: bytes");
	test_eq((uint32_t)msg.payload[0], 1, "GET_SHMEM_CONFIG: regions");
	test_eq(msg.payload[1 + 1], SHMEM_SIZE, "GET_SHMEM_CONFIG: size of region 1");
	/* behind the reply to this, the requests are there */
	test_eq(ask(sock, 40, NULL, 0, -1), 0, "GET_STATUS");
	return sv[0];
}

static void acknowledge(int backend, uint32_t request)
{
	uint64_t zero = 0;

	message_send(backend, request, 4, &zero, 8, -1);
}

static unsigned int memtype_of(int dmabuf)
{
	struct dmabuf_memtype_query query = { .fd = dmabuf };
	int node = open("/dev/dmabuf-memtype", O_RDWR | O_CLOEXEC);

	test_assert(node >= 0);
	if (ioctl(node, DMABUF_MEMTYPE_QUERY, &query) < 0)
		query.memtype = ~0u;
	close(node);
	return query.memtype;
}

/* Take the SHMEM_MAP of a buffer and map it. */
static unsigned char *take_map(int backend, unsigned int i)
{
	unsigned char *map;
	struct message msg;

	test_assert(message_receive(backend, &msg, 0));
	test_ok(msg.request == 9 && msg.flags == 9 && msg.size == 40, "buffer %u: SHMEM_MAP", i);
	test_ok((msg.payload[0] & 0xff) == 1 && msg.payload[1] == 0 && msg.payload[4] == 1,
		"buffer %u: region 1, fd offset 0, read and write", i);
	test_eq(msg.payload[2], offsets[i], "buffer %u: offset in the region", i);
	test_eq(msg.payload[3], SIZE, "buffer %u: length", i);
	test_assert(msg.fd >= 0);
	test_eq(memtype_of(msg.fd), buffers[i].number, "buffer %u: DMABUF_MEMTYPE_QUERY", i);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, msg.fd, 0);
	test_assert(map != MAP_FAILED);
	close(msg.fd);
	acknowledge(backend, 9);
	return map;
}

static bool filled(const unsigned char *map, unsigned char byte)
{
	unsigned int i;

	for (i = 0; i < SIZE; i++)
		if (map[i] != byte)
			return false;
	return true;
}

/* ---- what is left of the program's rights ---- */

static bool status_has(pid_t pid, const char *line)
{
	char path[64], text[8192];
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	test_assert(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	return strstr(text, line);
}

static bool same_namespace(pid_t pid, const char *name)
{
	char path[64], ours[64] = "", theirs[64] = "";

	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	test_assert(readlink(path, ours, sizeof(ours) - 1) > 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	test_assert(readlink(path, theirs, sizeof(theirs) - 1) > 0);
	return !strcmp(ours, theirs);
}

static void check_rights(pid_t pid)
{
	static const char *const namespaces[] = { "mnt", "net", "ipc", "uts", "cgroup" };
	char path[300], target[300];
	struct dirent *entry;
	unsigned int i;
	ssize_t len;
	DIR *dir;

	test_ok(status_has(pid, "\nUid:\t65534\t65534\t65534\t65534\n"), "uid is nobody's");
	test_ok(status_has(pid, "\nGid:\t65534\t65534\t65534\t65534\n"), "gid is nobody's");
	test_ok(status_has(pid, "\nGroups:\t\x20\nNStgid:"), "no other groups");
	test_ok(status_has(pid, "\nCapPrm:\t0000000000000000\n"), "no permitted capabilities");
	test_ok(status_has(pid, "\nCapEff:\t0000000000000000\n"), "no effective capabilities");
	test_ok(status_has(pid, "\nCapBnd:\t0000000000000000\n"), "no capabilities to be gained");
	test_ok(status_has(pid, "\nNoNewPrivs:\t1\n"), "no_new_privs");
	test_ok(status_has(pid, "\nSeccomp:\t2\n"), "system calls are filtered");
	for (i = 0; i < sizeof(namespaces) / sizeof(*namespaces); i++)
		test_ok(!same_namespace(pid, namespaces[i]), "own %s namespace", namespaces[i]);

	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	dir = opendir(path);
	test_assert(dir);
	for (i = 0; readdir(dir); i++)
		;
	closedir(dir);
	test_eq(i, 2, "the root directory has no entries but . and ..");

	/* Descriptors: standard ones, sockets, the signal fd, DMA-bufs, who tells their types. */
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	test_assert(dir);
	while ((entry = readdir(dir))) {
		if (atoi(entry->d_name) <= STDERR_FILENO)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fd/%.200s", pid, entry->d_name);
		len = readlink(path, target, sizeof(target) - 1);
		test_assert(len > 0);
		target[len] = '\0';
		test_ok(!strncmp(target, "socket:", 7) || !strncmp(target, "/dmabuf:", 8) ||
			!strcmp(target, "/dev/dmabuf-memtype") ||
			!strcmp(target, "anon_inode:[signalfd]"), "descriptor %s is %s",
			entry->d_name, target);
	}
	closedir(dir);
}

/* Where the program has mapped its DMA-bufs, in the order in which it made them. */
static unsigned int find_maps(pid_t pid, uintptr_t *maps)
{
	unsigned int count = 0, i;
	char path[64], line[512];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "r");
	test_assert(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "/dmabuf:") && count < COUNT)
			maps[count++] = strtoul(line, NULL, 16);
	fclose(f);
	/* mmap() goes from high to low addresses */
	for (i = 0; i < count / 2; i++) {
		uintptr_t low = maps[i];

		maps[i] = maps[count - 1 - i];
		maps[count - 1 - i] = low;
	}
	return count;
}

/* ---- tests ---- */

/* Export, types, accesses, rights, refill, the end by SIGTERM; over --fd. */
static void test_export(void)
{
	const char *args[COUNT + 5] = { NULL, "--shmem-size=256M" };
	unsigned char *maps[COUNT];
	uintptr_t theirs[COUNT];
	struct program program;
	struct message msg;
	char fd_option[32];
	int sv[2], backend;
	unsigned int i;

	test_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	snprintf(fd_option, sizeof(fd_option), "--fd=%d", sv[1]);
	args[0] = fd_option;
	for (i = 0; i < COUNT; i++)
		args[2 + i] = buffers[i].option;
	program_start(&program, args, sv[1]);
	close(sv[1]);

	backend = handshake(sv[0]);
	for (i = 0; i < COUNT; i++) {
		maps[i] = take_map(backend, i);
		test_ok(filled(maps[i], buffers[i].fill), "buffer %u: is filled", i);
	}
	test_ok(!message_receive(backend, &msg, 0), "no more requests");
	check_rights(program.pid);

	test_eq(find_maps(program.pid, theirs), COUNT, "the program maps its buffers");
	for (i = 0; i < COUNT; i++) {
		trace_expect_host("gpu_proc", 1, (void *)theirs[i], SIZE, "w", buffers[i].type);
		memset(maps[i], 0, SIZE);
		test_ok(filled(maps[i], 0), "buffer %u: can be written", i);
	}
	trace_begin(1);
	kill(program.pid, SIGUSR1);
	ask(sv[0], 40, NULL, 0, -1);
	trace_end();
	for (i = 0; i < COUNT; i++)
		test_ok(filled(maps[i], buffers[i].fill), "buffer %u: is filled again", i);

	kill(program.pid, SIGTERM);
	for (i = 0; i < COUNT; i++) {
		test_assert(message_receive(backend, &msg, process_timeout_ms()));
		test_ok(msg.request == 10 && msg.flags == 9 && msg.size == 40 && msg.fd < 0,
			"buffer %u: SHMEM_UNMAP", i);
		test_ok((msg.payload[0] & 0xff) == 1 && msg.payload[2] == offsets[i] &&
			msg.payload[3] == SIZE, "buffer %u: of its whole range", i);
		acknowledge(backend, 10);
		munmap(maps[i], SIZE);
	}
	test_eq(program_end(&program), 0, "exit status after SIGTERM");
	for (i = 0; i < COUNT; i++) {
		char line[160];

		snprintf(line, sizeof(line), "buffer %u %s, host type %s (", i, buffers[i].label,
			 buffers[i].type);
		test_ok(strstr(program.text, line), "says: %s", line);
	}
	program_log(&program);
	close(backend);
	close(sv[0]);
}

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	test_assert(sock >= 0);
	test_assert(connect(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	return sock;
}

/* The front-end goes, and comes back to a new program on the same path. */
static void test_socket_path(void)
{
	const char *const args[] = { "--socket-path=" SOCKET_PATH, "--shmem-size=256M",
				     buffers[0].option, NULL };
	struct program program, second;
	int sock, backend, round;

	for (round = 0; round < 2; round++) {
		program_start(&program, args, -1);
		test_ok(program_says(&program, "ready: waiting for the front-end"), "is ready");
		check_rights(program.pid);

		program_start(&second, args, -1);
		test_eq(program_end(&second), 1, "a second one on the same path ends");
		test_ok(strstr(second.text, "cannot bind a socket: Address already in use"),
			"and says why");

		sock = connect_to(SOCKET_PATH);
		backend = handshake(sock);
		munmap(take_map(backend, 0), SIZE);
		close(sock);
		close(backend);
		test_eq(program_end(&program), 0, "exit status when the front-end has gone");
		test_ok(strstr(program.text, "the front-end closed the connection"),
			"and says why");
	}

	program_start(&program, args, -1);
	test_ok(program_says(&program, "ready: waiting for the front-end"), "is ready");
	kill(program.pid, SIGUSR1);
	kill(program.pid, SIGTERM);
	test_eq(program_end(&program), 0, "exit status when stopped before a front-end came");
}

/* What cannot be allocated: exit status 1, and the reason. */
static void test_errors(void)
{
	static const struct {
		const char *option, *text;
	} cases[] = {
		{ "heap=none,size=4K,offset=0",
		  "heap none: cannot open /dev/dma_heap/none: No such file or directory" },
		{ "heap=/dev/dma_heap/system,size=4K,offset=0", "wants the name of a node" },
		{ "drm=/dev/dri/card9,size=4K,offset=0",
		  "cannot open it: No such file or directory" },
		{ "drm=/dev/dri/renderD128,size=4K,offset=0", "a render node has no dumb buffers" },
		{ "drm=/dev/null,size=4K,offset=0", "(is it a DRM node?)" },
		{ "udmabuf=/dev/null,size=4K,offset=0",
		  "udmabuf /dev/null: cannot create a buffer" },
	};
	struct program program;
	char option[128];
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *const args[] = { "--socket-path=" SOCKET_PATH, option, NULL };

		snprintf(option, sizeof(option), "--buffer=%s", cases[i].option);
		program_start(&program, args, -1);
		test_eq(program_end(&program), 1, "%s: exit status", option);
		if (!test_ok(strstr(program.text, cases[i].text), "says: %s", cases[i].text))
			program_log(&program);
	}
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_export();
	test_socket_path();
	test_errors();
	return test_end();
}
