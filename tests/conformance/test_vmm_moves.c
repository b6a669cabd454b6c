// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmapat-vmm and a back-end whose buffers lie about their type, move, and change
 * their type under a guest that writes them. The back-end is this program, and the
 * mock exporter its allocator. Its messages are spelled out in numbers, not taken
 * from userspace/lib.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dmabuf_memtype.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/ktap.h"

#define VMM		"/t/dmapat-vmm"
#define CONTROL		"/run/vmm.sock"
#define GPU_SOCKET	"/run/mock.sock"
#define LOG		"/tmp/vmm.log"
#define CONSOLE		"/tmp/console.log"
#define TIMEOUT_MS	30000
#define SIZE		0x10000u
#define REGION		0x100000u
#define WINDOW		0x100000000ull

#define UC		DMABUF_MEMTYPE_UC
#define WC		DMABUF_MEMTYPE_WC
#define WB		DMABUF_MEMTYPE_WB

struct message {
	uint32_t request, flags, size;
	uint64_t payload[258];
	int fd;
};

static pid_t vmm;
static int listener, front_end, requests;
static char reply[16384];

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, TIMEOUT_MS) > 0;
}

/* ---- back-end ---- */

static void send_message(int sock, uint32_t request, uint32_t flags, const void *payload,
			 uint32_t size, int fd)
{
	uint32_t bytes[3 + 2 * 258] = { request, 1 | flags, size };
	struct iovec iov = { .iov_base = bytes, .iov_len = 12 + size };
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (size)
		memcpy(bytes + 3, payload, size);
	if (fd >= 0) {
		struct cmsghdr *cmsg;

		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	test_assert(sendmsg(sock, &mh, MSG_NOSIGNAL) == (ssize_t)iov.iov_len);
}

static bool receive(int sock, struct message *msg)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = msg, .iov_len = 12 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			     .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;

	memset(msg, 0, sizeof(*msg));
	msg->fd = -1;
	if (!readable(sock) || recvmsg(sock, &mh, MSG_WAITALL | MSG_CMSG_CLOEXEC) != 12)
		return false;
	cmsg = CMSG_FIRSTHDR(&mh);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(&msg->fd, CMSG_DATA(cmsg), sizeof(int));
	test_assert(msg->size <= sizeof(msg->payload));
	return !msg->size || recv(sock, msg->payload, msg->size, MSG_WAITALL) == msg->size;
}

static void answer(const struct message *msg, const void *payload, uint32_t size)
{
	send_message(front_end, msg->request, 4, payload, size, -1);
}

static void answer_u64(const struct message *msg, uint64_t value)
{
	answer(msg, &value, sizeof(value));
}

/* SHMEM_MAP of the buffer at the region's start. */
static void send_map(int fd)
{
	const uint64_t map[5] = { 1, 0, 0, SIZE, 1 };

	send_message(requests, 9, 8, map, sizeof(map), fd);
}

/* Answer the front-end up to SET_BACKEND_REQ_FD, then send the map. It has one question left. */
static void handshake(int dmabuf)
{
	uint64_t config[257] = { 1, 0, REGION };
	struct message msg;

	front_end = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	test_assert(front_end >= 0);
	do {
		test_assert(receive(front_end, &msg));
		switch (msg.request) {
		case 1:		/* GET_FEATURES */
			answer_u64(&msg, 1ull << 30 | 1ull << 32);
			break;
		case 15:	/* GET_PROTOCOL_FEATURES: MQ REPLY_ACK BACKEND_REQ SEND_FD SHMEM */
			answer_u64(&msg, 1 << 0 | 1 << 3 | 1 << 5 | 1 << 10 | 1 << 20);
			break;
		case 17:	/* GET_QUEUE_NUM */
			answer_u64(&msg, 2);
			break;
		case 44:	/* GET_SHMEM_CONFIG */
			answer(&msg, config, sizeof(config));
			break;
		case 21:	/* SET_BACKEND_REQ_FD */
			requests = msg.fd;
			answer_u64(&msg, 0);
			send_map(dmabuf);
			break;
		default:
			if (msg.fd >= 0)
				close(msg.fd);
			if (msg.flags & 8)
				answer_u64(&msg, 0);
			break;
		}
	} while (msg.request != 21);
}

static uint64_t map_result(void)
{
	struct message msg;

	test_assert(receive(requests, &msg));
	test_assert(msg.request == 9 && msg.flags == 5 && msg.size == 8);
	return msg.payload[0];
}

/* The step that waits for what was sent before it. */
static void last_step(void)
{
	struct message msg;

	test_assert(receive(front_end, &msg));
	test_assert(msg.request == 1);
	answer_u64(&msg, 1ull << 30 | 1ull << 32);
}

/* ---- VMM ---- */

static void start_vmm(const char *cmdline)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = GPU_SOCKET };
	int log;

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	test_assert(bind(listener, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	test_assert(listen(listener, 1) == 0);
	unlink(CONSOLE);
	vmm = fork();
	if (!vmm) {
		log = open(LOG, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		dup2(log, STDOUT_FILENO);
		dup2(log, STDERR_FILENO);
		execl(VMM, VMM, "run", "--memory", "16M", "--payload", "/t/payload.elf",
		      "--console", CONSOLE, "--control", CONTROL, "--gpu-proc", GPU_SOCKET,
		      "--cmdline", cmdline, (char *)NULL);
		_exit(127);
	}
	test_assert(vmm > 0);
}

static bool file_has(const char *path, const char *text)
{
	static char data[32768];
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, data, sizeof(data) - 1);
	close(fd);
	data[n > 0 ? n : 0] = '\0';
	return strstr(data, text);
}

static void check_log(const char *text, const char *what)
{
	test_ok(file_has(LOG, text), "%s: the VMM says \"%s\"", what, text);
}

static void end_vmm(int want, const char *what)
{
	int status;

	test_assert(waitpid(vmm, &status, 0) == vmm);
	test_eq(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), want,
		"%s: exit status", what);
	close(front_end);
	close(requests);
	close(listener);
	unlink(GPU_SOCKET);
}

static int control_connect(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = CONTROL };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* There since before the VMM connected to us. */
	test_assert(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	return fd;
}

static bool control_wait(int fd, const char *text)
{
	size_t len = 0;

	for (;;) {
		if (!readable(fd) || read(fd, reply + len, 1) != 1)
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

static void check_reply(const char *text, const char *what)
{
	if (!test_ok(strstr(reply, text), "%s: %s", what, text))
		test_note("%s", reply);
}

/* ---- tests ---- */

/* What the exporter says and what its mmap does are not the same: nothing starts. */
static void test_liar(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_REGISTERED, WB, WB, WC);

	start_vmm("mode=touch");
	handshake(fd);
	test_errno(map_result(), EMEDIUMTYPE, "exporter says WC, mapping is WB: SHMEM_MAP");
	end_vmm(69, "exporter says WC, mapping is WB");
	check_log("SHMEM_MAP refused", "exporter says WC, mapping is WB");
	check_log("different memory types", "exporter says WC, mapping is WB");
	test_ok(!file_has(CONSOLE, "payload"), "exporter says WC, mapping is WB: no guest ran");
	close(fd);
}

static void test_not_a_dmabuf(void)
{
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	start_vmm("mode=touch");
	handshake(fd);
	test_errno(map_result(), EBADFD, "/dev/zero: SHMEM_MAP");
	end_vmm(69, "/dev/zero");
	check_log("the file descriptor is /dev/zero, not a DMA-buf", "/dev/zero");
	close(fd);
}

static int start_writer(int fd)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	int64_t end = now_ms() + TIMEOUT_MS;
	int control;

	start_vmm("mode=write ram=64K");
	handshake(fd);
	test_eq(map_result(), 0, "SHMEM_MAP");
	last_step();
	control = control_connect();
	while (!file_has(CONSOLE, "writing ")) {
		test_assert(now_ms() < end);
		nanosleep(&pause, NULL);
	}
	return control;
}

/* Pages come and go, the type stays: the guest goes on without noticing. */
static void test_move(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_REGISTERED | DMAPAT_MOCK_DYNAMIC, WC, WC, WC);
	uint32_t move = DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY | DMAPAT_MOCK_NEW_PAGES;
	int control = start_writer(fd), i;
	volatile uint64_t *map;
	uint64_t before;
	int64_t end;

	map = buffer_map(fd, SIZE, 0);
	for (i = 0; i < 4; i++) {
		test_errno(mock_change(fd, move, WC, WC, WC), 0, "move %d", i);
		/* the guest has written the buffer again: each pass changes every word */
		before = map[0];
		end = now_ms() + TIMEOUT_MS;
		while (map[0] == before && now_ms() < end)
			;
		test_ok(map[0] != before, "move %d: the guest writes on", i);
	}
	command(control, "query-status");
	check_reply("\"status\":\"running\"", "move");
	command(control, "quit");
	end_vmm(0, "move");
	close(control);
	close(fd);
}

/* Another type is not mapped by guess: the VM stops, and runs when the type is back. */
static void test_type_changes(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_REGISTERED | DMAPAT_MOCK_DYNAMIC, WC, WC, WC);
	uint32_t move = DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY | DMAPAT_MOCK_NEW_PAGES;
	int control = start_writer(fd);
	unsigned long long gpa = 0;
	const char *at;

	test_errno(mock_change(fd, move, UC, UC, UC), 0, "WC becomes UC");
	test_ok(control_wait(control, "\"event\":\"MEMORY_FAULT\""), "WC becomes UC: MEMORY_FAULT");
	test_note("%s", reply);
	check_reply("\"buffer\":\"buffer@0\"", "WC becomes UC");
	at = strstr(reply, "\"gpa\":");
	test_ok(at && sscanf(at, "\"gpa\":%llu", &gpa) == 1 && gpa >= WINDOW && gpa < WINDOW + SIZE,
		"WC becomes UC: the event names a GPA in the buffer");
	command(control, "query-status");
	check_reply("\"status\":\"paused\"", "WC becomes UC");
	command(control, "query-memtype");
	check_reply("\"stale\"", "WC becomes UC");
	command(control, "cont");
	check_reply("changed from WC to UC, and the guest was told map_info wc", "WC becomes UC: cont");
	command(control, "cont");
	check_reply("changed from WC to UC", "WC becomes UC: cont again");
	command(control, "query-status");
	check_reply("\"status\":\"paused\"", "WC becomes UC");

	test_errno(mock_change(fd, move, WC, WC, WC), 0, "UC becomes WC again");
	command(control, "cont");
	check_reply("\"return\"", "UC becomes WC again: cont");
	command(control, "query-status");
	check_reply("\"status\":\"running\"", "UC becomes WC again");
	command(control, "quit");
	end_vmm(0, "UC becomes WC again");
	close(control);
	close(fd);
}

int main(void)
{
	test_liar();
	test_not_a_dmabuf();
	test_move();
	test_type_changes();
	return test_end();
}
