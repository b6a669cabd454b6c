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
#include <sys/mman.h>
#include <unistd.h>

#include "lib/backend.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
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
static struct backend backend;

/* The buffer is at the region's start. */
static void handshake(int dmabuf)
{
	backend_handshake(&backend, REGION, &(struct backend_map) { dmabuf, 0, SIZE }, 1);
}

/* ---- VMM ---- */

static void start_vmm(const char *cmdline)
{
	backend_listen(&backend, GPU_SOCKET);
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
	backend_close(&backend);
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
	test_errno(backend_map_result(&backend), EMEDIUMTYPE,
		   "exporter says WC, mapping is WB: SHMEM_MAP");
	end_vmm(69, "exporter says WC, mapping is WB");
	check_says("SHMEM_MAP refused", "exporter says WC, mapping is WB");
	check_says("different memory types", "exporter says WC, mapping is WB");
	test_ok(!strstr(vmm.text, "payload:"), "exporter says WC, mapping is WB: no guest ran");
	close(fd);
}

static void test_refused_fd(int fd, int errnum, const char *why, const char *what)
{
	start_vmm("mode=touch");
	handshake(fd);
	test_errno(backend_map_result(&backend), errnum, "%s: SHMEM_MAP", what);
	end_vmm(69, what);
	check_says(why, what);
	close(fd);
}

/* A file can shrink under its mapping, and then an access to it kills: never mapped. */
static void test_not_a_dmabuf(void)
{
	int fd = memfd_create("shrinks", MFD_CLOEXEC);

	test_refused_fd(open("/dev/zero", O_RDWR | O_CLOEXEC), EBADFD,
			"the file descriptor is /dev/zero, not a DMA-buf", "/dev/zero");
	test_assert(fd >= 0 && ftruncate(fd, SIZE) == 0);
	test_refused_fd(fd, EBADFD, "the file descriptor is /memfd:shrinks (deleted), not a DMA-buf",
			"memfd");
	test_refused_fd(buffer_mock(SIZE / 2, DMAPAT_MOCK_REGISTERED, WC, WC, WC), ERANGE,
			"is beyond the DMA-buf of", "too small a buffer");
}

static void start_writer(int fd)
{
	start_vmm("mode=write ram=64K");
	handshake(fd);
	test_eq(backend_map_result(&backend), 0, "SHMEM_MAP");
	backend_finish(&backend);
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
		end = process_now_ms() + process_timeout_ms();
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
