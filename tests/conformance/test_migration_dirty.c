// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a migration sends, and that it sends everything, whoever writes:
 *
 *   pages	a guest with much RAM, of which little is populated, that counts what it writes
 *   writers	a GPU process, its device and the guest write the same pages of two buffers
 *		at once, until the switch-over; then every byte is compared
 *   readers	a device that only reads a buffer adds no page
 *
 * What the sender says of itself is compared with what the guest and this program know.
 */
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/fence.h"
#include "lib/ktap.h"
#include "lib/process_dmabuf.h"
#include "lib/side.h"
#include "lib/witness.h"

#define PAGE		4096UL
#define PAGE_WORDS	(PAGE / sizeof(uint64_t))
#define INCOMING	"/run/migration.sock"

static struct side src = { .name = "A" }, dst = { .name = "B" };

static void start_destination(const char *memory)
{
	side_start_vmm(&dst, memory, (const char *const [4]) { "--incoming", "unix:" INCOMING });
	if (!process_says(&dst.vmm, "waiting for a migration")) {
		process_show(&dst.vmm);
		test_assert(!"the destination is ready");
	}
}

/* The number of member @key, from @json on. */
static uint64_t number(const char *json, const char *key)
{
	char member[64];
	const char *at;

	snprintf(member, sizeof(member), "\"%s\":", key);
	at = strstr(json, member);
	if (!at)
		test_note("no %s in %s", key, json);
	test_assert(at);
	return strtoull(at + strlen(member), NULL, 10);
}

static void check_verified(const char *what)
{
	if (!test_ok(process_says(&dst.vmm, "verified "),
		     "%s: the guest verified its memory", what) |
	    !test_ok(process_says(&dst.vmm, " mismatches 0 "), "%s: no mismatch", what)) {
		process_show(&src.vmm);
		process_show(&dst.vmm);
	}
}

static void check_completed(const char *what)
{
	if (test_ok(side_migrated(&src), "%s: completed", what))
		return;
	test_note("%s", src.events.line);
	process_show(&src.vmm);
	process_show(&dst.vmm);
}

/* ---- pages ---- */

#define POPULATED	16384ULL	/* pages: 64 MiB of 512 */
#define POPULATING	"mode=steady ram=64M set=4M rate=2"
#define RATE		2ULL

/* How often the guest has said + by now, since the last call. */
static uint64_t heard(struct process *p)
{
	struct pollfd pfd = { .fd = p->out, .events = POLLIN };
	uint64_t n = 0;
	char text[4096];
	ssize_t got, i;

	while (poll(&pfd, 1, 0) > 0 && (got = read(p->out, text, sizeof(text))) > 0)
		for (i = 0; i < got; i++)
			n += text[i] == '+';
	return n;
}

static void test_pages(void)
{
	uint64_t dirtied, sent, limit;

	side_start_vmm(&src, "512M", (const char *const [4]) {
		"--payload", SIDE_PAYLOAD, "--cmdline", POPULATING,
	});
	test_assert(process_says(&src.vmm, "+"));
	start_destination("512M");
	heard(&src.vmm);
	side_migrate(&src, "unix:" INCOMING, "");
	check_completed("pages");
	control_command(&src.ctl, "\"execute\":\"query-migrate\"");
	sent = number(src.ctl.line, "pages_sent") + number(src.ctl.line, "zero_pages");
	test_note("%s", src.ctl.line);

	/* It says + after each write of RATE pages, the last time perhaps at the destination. */
	dirtied = (heard(&src.vmm) + 1) * RATE;
	limit = (POPULATED + dirtied) * 105 / 100;
	test_ok(sent <= limit, "pages: %" PRIu64 " sent, %llu populated and %" PRIu64
		" dirtied: at most %" PRIu64, sent, POPULATED, dirtied, limit);
	test_ok(sent >= POPULATED, "pages: all populated pages are among them");

	test_assert(process_says(&dst.vmm, "+"));
	dst.vmm.len = 0;
	dst.vmm.text[0] = '\0';
	test_assert(write(dst.vmm.in, "v", 1) == 1);
	check_verified("pages");
	side_stop(&src);
	side_stop(&dst);
}

/* ---- writers ---- */

#define NR_BUFFERS	2
#define BUFFER_PAGES	64
#define BUFFER_SIZE	(BUFFER_PAGES * PAGE)
/* Of each page: first the guest's words, then those of the GPU process, then the device's. */
#define GUEST_WORDS	170
#define DEVICE_WORD	341
#define WRITING		"mode=write ram=64K words=170"

static const char *const names[NR_BUFFERS] = { "wc", "udmabuf" };
static const char *const buffers[4] = {
	"--buffer=heap=system-wc,size=256K,offset=1M,name=wc",
	"--buffer=udmabuf=/dev/udmabuf,size=256K,offset=2M,name=udmabuf",
};

/* The work of the GPU process of the source, a frame after the other. */
struct gpu {
	struct control ctl;
	int fds[NR_BUFFERS];
	uint64_t *maps[NR_BUFFERS];
	struct fence_source fences;
	uint64_t frames;
};

static uint64_t frame_word(uint64_t frame, size_t page, size_t word)
{
	return frame << 32 | page << 16 | word;
}

static void write_frame(struct gpu *gpu, size_t buf)
{
	uint64_t words[PAGE_WORDS - DEVICE_WORD];
	struct dmapat_mock_import import;
	size_t page, i;

	test_assert(!mock_import(gpu->fds[buf], false, FROM_DEVICE, &import));
	for (page = 0; page < BUFFER_PAGES; page++) {
		for (i = GUEST_WORDS; i < DEVICE_WORD; i++)
			gpu->maps[buf][page * PAGE_WORDS + i] = frame_word(gpu->frames, page, i);
		for (i = DEVICE_WORD; i < PAGE_WORDS; i++)
			words[i - DEVICE_WORD] = frame_word(gpu->frames, page, i);
		test_assert(!mock_device_access(import.id, true, page * PAGE +
						DEVICE_WORD * sizeof(uint64_t), words,
						sizeof(words)));
	}
	test_assert(!mock_unimport(import.id));
}

/*
 * While the guest runs, one frame after the other. Fence first, then the question: a
 * guest that ran after the fence was there is stopped later, and the VMM then waits for it.
 */
static void *work(void *arg)
{
	struct gpu *gpu = arg;
	bool running = true;
	uint32_t fence;
	size_t i;

	while (running) {
		fence = fence_attach(&gpu->fences, gpu->fds, NR_BUFFERS);
		running = strstr(control_command(&gpu->ctl, "\"execute\":\"query-status\""),
				 "\"status\":\"running\"");
		gpu->frames += running;
		for (i = 0; running && i < NR_BUFFERS; i++)
			write_frame(gpu, i);
		fence_signal(&gpu->fences, fence);
	}
	return NULL;
}

/* Bytes of @buf that are not those of the last frame, at either side. */
static uint64_t compare(const struct gpu *gpu, size_t buf)
{
	int fd = process_dmabuf_fd(dst.gpu.pid, names[buf]);
	uint64_t mismatches = 0, *there, want;
	size_t page, i, word;

	test_assert(fd >= 0);
	there = buffer_map(fd, BUFFER_SIZE, 0);
	for (page = 0; page < BUFFER_PAGES; page++) {
		for (i = GUEST_WORDS; i < PAGE_WORDS; i++) {
			word = page * PAGE_WORDS + i;
			want = frame_word(gpu->frames, page, i);
			mismatches += (gpu->maps[buf][word] != want) * sizeof(want);
			mismatches += (there[word] != want) * sizeof(want);
		}
	}
	munmap(there, BUFFER_SIZE);
	close(fd);
	return mismatches;
}

static void test_writers(void)
{
	struct gpu gpu = { .frames = 0 };
	uint64_t before;
	pthread_t thread;
	size_t i;

	side_start_gpu(&src, buffers);
	side_start_vmm(&src, "16M", (const char *const [4]) {
		"--payload", SIDE_PAYLOAD, "--cmdline", WRITING,
	});
	test_assert(process_says(&src.vmm, "writing "));
	for (i = 0; i < NR_BUFFERS; i++) {
		gpu.fds[i] = process_dmabuf_fd(src.gpu.pid, names[i]);
		test_assert(gpu.fds[i] >= 0);
		gpu.maps[i] = buffer_map(gpu.fds[i], BUFFER_SIZE, 0);
	}
	fence_open(&gpu.fences);
	control_connect(&gpu.ctl, side_path(&src, "ctl"));
	side_start_gpu(&dst, buffers);
	start_destination("16M");
	test_assert(!pthread_create(&thread, NULL, work, &gpu));

	/* A limit that no buffer keeps: all passes are made. */
	side_migrate(&src, "unix:" INCOMING,
		     ",\"downtime-limit-ms\":1,\"max-rounds\":5");
	test_assert(control_wait(&src.events, "\"pass\":1"));
	before = __atomic_load_n(&gpu.frames, __ATOMIC_RELAXED);
	check_completed("writers");
	pthread_join(thread, NULL);
	if (!test_ok(gpu.frames > before, "writers: %" PRIu64 " frames, some behind the first pass",
		     gpu.frames))
		test_note("%" PRIu64 " frames in the first pass", before);
	check_verified("writers: guest");
	for (i = 0; i < NR_BUFFERS; i++) {
		test_eq((long long)compare(&gpu, i), 0,
			"writers: %s: bytes of GPU process and device that differ", names[i]);
		munmap(gpu.maps[i], BUFFER_SIZE);
		close(gpu.fds[i]);
	}
	control_close(&gpu.ctl);
	fence_close(&gpu.fences);
	side_stop(&src);
	side_stop(&dst);
}

/* ---- readers ---- */

#define NO_DEVICE	(-1)

/* Of a buffer that nobody writes: */
struct idle {
	uint64_t sent;		/* pages that the migration sent */
	uint64_t written;	/* pages that its dirty source reported */
};

/* Both buffers in a migration, with a device that has them mapped in direction @dir. */
static void idle_buffers(int dir, const char *what, struct idle idle[NR_BUFFERS])
{
	struct dmapat_mock_import imports[NR_BUFFERS];
	char member[48], bytes[64];
	const char *at;
	size_t i;
	int fd;

	side_start_gpu(&src, buffers);
	side_start_vmm(&src, "16M", (const char *const [4]) {
		"--payload", SIDE_PAYLOAD, "--cmdline", "mode=steady ram=1M set=64K",
	});
	test_assert(process_says(&src.vmm, "+"));
	for (i = 0; dir != NO_DEVICE && i < NR_BUFFERS; i++) {
		fd = process_dmabuf_fd(src.gpu.pid, names[i]);
		test_assert(!mock_import(fd, false, dir, &imports[i]));
		close(fd);
	}
	side_start_gpu(&dst, buffers);
	start_destination("16M");
	side_migrate(&src, "unix:" INCOMING, ",\"downtime-limit-ms\":1,\"max-rounds\":5");
	for (i = 0; dir == TO_DEVICE && i < NR_BUFFERS; i++)
		test_assert(!mock_device_access(imports[i].id, false, 0, bytes, sizeof(bytes)));
	check_completed(what);
	control_command(&src.ctl, "\"execute\":\"query-migrate\"");
	for (i = 0; i < NR_BUFFERS; i++) {
		snprintf(member, sizeof(member), "\"name\":\"%s\"", names[i]);
		at = strstr(src.ctl.line, member);
		test_assert(at);
		idle[i].sent = number(at, "pages_sent");
		snprintf(member, sizeof(member), "\"name\":\"buffer %s: writers\"", names[i]);
		at = strstr(src.ctl.line, member);
		test_assert(at);
		idle[i].written = number(at, "pages");
		if (dir != NO_DEVICE)
			test_assert(!mock_unimport(imports[i].id));
	}
	side_stop(&src);
	side_stop(&dst);
}

static void test_readers(void)
{
	struct idle none[NR_BUFFERS], reads[NR_BUFFERS], writes[NR_BUFFERS];
	size_t i;

	idle_buffers(NO_DEVICE, "no device", none);
	idle_buffers(TO_DEVICE, "a reading device", reads);
	idle_buffers(FROM_DEVICE, "a writing device", writes);
	for (i = 0; i < NR_BUFFERS; i++) {
		test_eq((long long)none[i].sent, BUFFER_PAGES, "readers: %s: each page once",
			names[i]);
		test_eq((long long)reads[i].sent, (long long)none[i].sent,
			"readers: %s: none more for a device that reads", names[i]);
	}
	/* The first buffer is one whose writers are known. */
	test_eq((long long)none[0].written, 0, "readers: nobody wrote %s", names[0]);
	test_eq((long long)reads[0].written, 0, "readers: a device that reads wrote nothing");
	test_ok(writes[0].written >= BUFFER_PAGES, "readers: a device that may write wrote all: %"
		PRIu64 " pages", writes[0].written);
}

int main(void)
{
	test_pages();
	test_writers();
	test_readers();
	return test_end();
}
