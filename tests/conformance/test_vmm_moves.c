// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmapat-vmm and a back-end whose buffers lie about their type, move, and change
 * their type under a guest that writes them. The back-end is this program, and the
 * mock exporter its allocator.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dmabuf_memtype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/message.h"
#include "lib/process.h"

#define CONTROL		"/run/vmm.sock"
#define GPU_SOCKET	"/run/mock.sock"
#define SIZE		0x10000u
#define REGION		0x100000u
#define WINDOW		0x100000000ull

#define UC		DMABUF_MEMTYPE_UC
#define WC		DMABUF_MEMTYPE_WC
#define WB		DMABUF_MEMTYPE_WB

static struct process vmm;
static struct control control;
static int listener, front_end, requests;

/* ---- back-end ---- */

static void answer(const struct message *msg, const void *payload, uint32_t size)
{
	message_send(front_end, msg->request, MESSAGE_REPLY, payload, size, -1);
}

static void answer_u64(const struct message *msg, uint64_t value)
{
	answer(msg, &value, sizeof(value));
}

/* SHMEM_MAP of the buffer at the region's start. */
static void send_map(int fd)
{
	const uint64_t map[5] = { 1, 0, 0, SIZE, 1 };

	message_send(requests, 9, MESSAGE_NEED_REPLY, map, sizeof(map), fd);
}

/* Answer the front-end up to SET_BACKEND_REQ_FD, then send the map. It has one question left. */
static void handshake(int dmabuf)
{
	uint64_t config[257] = { 1, 0, REGION };
	struct message msg;

	front_end = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	test_assert(front_end >= 0);
	do {
		test_assert(message_receive(front_end, &msg, PROCESS_TIMEOUT_MS));
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
			if (msg.flags & MESSAGE_NEED_REPLY)
				answer_u64(&msg, 0);
			break;
		}
	} while (msg.request != 21);
}

static uint64_t map_result(void)
{
	struct message msg;

	test_assert(message_receive(requests, &msg, PROCESS_TIMEOUT_MS));
	test_assert(msg.request == 9 && msg.flags == 5 && msg.size == 8);
	return msg.payload[0];
}

/* The step that waits for what was sent before it. */
static void last_step(void)
{
	struct message msg;

	test_assert(message_receive(front_end, &msg, PROCESS_TIMEOUT_MS));
	test_assert(msg.request == 1);
	answer_u64(&msg, 1ull << 30 | 1ull << 32);
}

/* ---- VMM ---- */

static void start_vmm(const char *cmdline)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = GPU_SOCKET };

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	test_assert(bind(listener, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	test_assert(listen(listener, 1) == 0);
	process_run(&vmm, "/t/dmapat-vmm", "run", "--memory", "16M", "--payload", "/t/payload.elf",
		    "--console", "-", "--control", CONTROL, "--gpu-proc", GPU_SOCKET,
		    "--cmdline", cmdline);
}

static void check_says(const char *text, const char *what)
{
	test_ok(strstr(vmm.text, text), "%s: the VMM says \"%s\"", what, text);
}

static void end_vmm(int want, const char *what)
{
	if (!test_eq(process_end(&vmm), want, "%s: exit status", what))
		process_show(&vmm);
	close(front_end);
	close(requests);
	close(listener);
	unlink(GPU_SOCKET);
}

static void command(const char *name)
{
	char line[64];

	snprintf(line, sizeof(line), "\"execute\":\"%s\"", name);
	control_command(&control, line);
}

static void check_reply(const char *text, const char *what)
{
	if (!test_ok(strstr(control.line, text), "%s: %s", what, text))
		test_note("%s", control.line);
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
	check_says("SHMEM_MAP refused", "exporter says WC, mapping is WB");
	check_says("different memory types", "exporter says WC, mapping is WB");
	test_ok(!strstr(vmm.text, "payload:"), "exporter says WC, mapping is WB: no guest ran");
	close(fd);
}

static void test_not_a_dmabuf(void)
{
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);

	start_vmm("mode=touch");
	handshake(fd);
	test_errno(map_result(), EBADFD, "/dev/zero: SHMEM_MAP");
	end_vmm(69, "/dev/zero");
	check_says("the file descriptor is /dev/zero, not a DMA-buf", "/dev/zero");
	close(fd);
}

static void start_writer(int fd)
{
	start_vmm("mode=write ram=64K");
	handshake(fd);
	test_eq(map_result(), 0, "SHMEM_MAP");
	last_step();
	control_connect(&control, CONTROL);
	test_assert(process_says(&vmm, "writing "));
}

/* Pages come and go, the type stays: the guest goes on without noticing. */
static void test_move(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_REGISTERED | DMAPAT_MOCK_DYNAMIC, WC, WC, WC);
	uint32_t move = DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY | DMAPAT_MOCK_NEW_PAGES;
	volatile uint64_t *map;
	uint64_t before;
	int64_t end;
	int i;

	start_writer(fd);
	map = buffer_map(fd, SIZE, 0);
	for (i = 0; i < 4; i++) {
		test_errno(mock_change(fd, move, WC, WC, WC), 0, "move %d", i);
		/* the guest has written the buffer again: each pass changes every word */
		before = map[0];
		end = process_now_ms() + PROCESS_TIMEOUT_MS;
		while (map[0] == before && process_now_ms() < end)
			;
		test_ok(map[0] != before, "move %d: the guest writes on", i);
	}
	command("query-status");
	check_reply("\"status\":\"running\"", "move");
	command("quit");
	end_vmm(0, "move");
	control_close(&control);
	close(fd);
}

/* Another type is not mapped by guess: the VM stops, and runs when the type is back. */
static void test_type_changes(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_REGISTERED | DMAPAT_MOCK_DYNAMIC, WC, WC, WC);
	uint32_t move = DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY | DMAPAT_MOCK_NEW_PAGES;
	unsigned long long gpa = 0;
	const char *at;

	start_writer(fd);
	test_errno(mock_change(fd, move, UC, UC, UC), 0, "WC becomes UC");
	test_ok(control_wait(&control, "\"event\":\"MEMORY_FAULT\""), "WC becomes UC: MEMORY_FAULT");
	test_note("%s", control.line);
	check_reply("\"buffer\":\"buffer@0\"", "WC becomes UC");
	at = strstr(control.line, "\"gpa\":");
	test_ok(at && sscanf(at, "\"gpa\":%llu", &gpa) == 1 && gpa >= WINDOW && gpa < WINDOW + SIZE,
		"WC becomes UC: the event names a GPA in the buffer");
	command("query-status");
	check_reply("\"status\":\"paused\"", "WC becomes UC");
	command("query-memtype");
	check_reply("\"stale\"", "WC becomes UC");
	command("cont");
	check_reply("changed from WC to UC, and the guest was told map_info wc", "WC becomes UC: cont");
	command("cont");
	check_reply("changed from WC to UC", "WC becomes UC: cont again");
	command("query-status");
	check_reply("\"status\":\"paused\"", "WC becomes UC");

	test_errno(mock_change(fd, move, WC, WC, WC), 0, "UC becomes WC again");
	command("cont");
	check_reply("\"return\"", "UC becomes WC again: cont");
	command("query-status");
	check_reply("\"status\":\"running\"", "UC becomes WC again");
	command("quit");
	end_vmm(0, "UC becomes WC again");
	control_close(&control);
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
