// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One guest, moved by QEMU and by dmapat-vmm in turn: same RAM, same workload, same
 * modules, same link (TCP over the loopback device), same limits. Prints a line a migration:
 *
 *	migration DATA COMPRESSION VMM total-us downtime-us wire-bytes
 *		reported-bytes reported-downtime-ms
 *
 * What is measured is seen from outside, and alike for both. The guest (mode=steady)
 * says `+` every millisecond: the source's last one and the destination's first one
 * are the downtime, the command `migrate` and the destination's first one the total
 * time. Bytes are what the loopback device counted. At the end the guest verifies its
 * memory. Fails where a migration fails or a byte is wrong, never by a time.
 *
 *	bench_migrate ROUNDS
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../tests/conformance/lib/ktap.h"
#include "../tests/conformance/lib/process.h"

#define DOWNTIME_LIMIT_MS	300	/* what both take where nothing else is said */
#define BANDWIDTH		100000000000ull	/* no limit; QEMU's own default is 128 MiB/s */
#define WORKLOAD		"mode=steady ram=64M set=8M rate=2"
#define FIRST_PORT		7000

/* How a guest is moved. QEMU has zstd with multifd alone. */
struct way {
	const char *compression;
	bool zstd;
	bool qemu;
};

static const struct way ways[] = {
	{ "none", .zstd = false, .qemu = true },
	{ "none", .zstd = false, .qemu = false },
	{ "zstd-1", .zstd = true, .qemu = true },
	{ "zstd-1", .zstd = true, .qemu = false },
};

#define NR_WAYS	(sizeof(ways) / sizeof(ways[0]))

/* What its pages hold: of 8 cache lines so many are random. */
static const struct data {
	const char *name;
	unsigned int random;
} datas[] = {
	{ "random", 8 },
	{ "half", 4 },
};

#define NR_DATAS	(sizeof(datas) / sizeof(datas[0]))

struct side {
	char name;
	struct process vmm;
	struct control ctl;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* Bytes that have come in on the loopback device. */
static uint64_t wire_bytes(void)
{
	uint64_t bytes = 0;
	char line[256];
	bool found = false;
	FILE *f = fopen("/proc/net/dev", "re");

	test_assert(f);
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, " lo: %" SCNu64, &bytes) == 1;
	fclose(f);
	test_assert(found);
	return bytes;
}

/* Both speak JSON with blanks of their own; the answer has to be a return. */
static const char *request(struct side *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static const char *request(struct side *s, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	test_assert(dprintf(s->ctl.fd, "{%s, \"id\": \"bench\"}\n", text) > 0);
	test_assert(control_wait(&s->ctl, "\"bench\""));
	if (!strstr(s->ctl.line, "\"return\"")) {
		test_note("%s: %s", text, s->ctl.line);
		process_show(&s->vmm);
		test_assert(!"the command is obeyed");
	}
	return s->ctl.line;
}

/* The number of member @key; the test ends where there is none. */
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

static const char *path(const struct side *s)
{
	static char name[32];

	snprintf(name, sizeof(name), "/run/%c.ctl", s->name);
	unlink(name);
	return name;
}

static void start_qemu(struct side *s, const struct way *way, const char *cmdline, bool incoming)
{
	char qmp[64];
	const char *ctl = path(s);

	snprintf(qmp, sizeof(qmp), "unix:%s,server=on,wait=off", ctl);
	process_run(&s->vmm, "/t/qemu-system-x86_64", "-L", "/t", "-accel", "kvm", "-cpu", "host",
		    "-M", "microvm,x-option-roms=off,auto-kernel-cmdline=off", "-nodefaults",
		    "-no-user-config", "-display", "none", "-m", "512M", "-serial", "stdio",
		    "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", "/t/payload.elf",
		    "-append", cmdline, "-qmp", qmp, incoming ? "-incoming" : NULL, "defer");
	control_connect(&s->ctl, ctl);
	request(s, "\"execute\": \"qmp_capabilities\"");
	request(s, "\"execute\": \"migrate-set-parameters\", \"arguments\": {\"max-bandwidth\": %llu, \"downtime-limit\": %d}",
		BANDWIDTH, DOWNTIME_LIMIT_MS);
	if (!way->zstd)
		return;
	request(s, "\"execute\": \"migrate-set-capabilities\", \"arguments\": {\"capabilities\": [{\"capability\": \"multifd\", \"state\": true}]}");
	request(s, "\"execute\": \"migrate-set-parameters\", \"arguments\": {\"multifd-compression\": \"zstd\", \"multifd-zstd-level\": 1, \"multifd-channels\": 2}");
}

static void start_dmapat(struct side *s, const char *cmdline, const char *incoming)
{
	const char *ctl = path(s);

	process_run(&s->vmm, "/t/dmapat-vmm", "run", "--memory", "512M", "--console", "-",
		    "--control", ctl, incoming ? "--incoming" : "--payload",
		    incoming ? incoming : "/t/payload.elf", incoming ? NULL : "--cmdline", cmdline);
	control_connect(&s->ctl, ctl);
}

/* @dst listens at @uri. */
static void start(struct side *src, struct side *dst, const struct way *way,
		  const struct data *data, const char *uri)
{
	char cmdline[128];

	snprintf(cmdline, sizeof(cmdline), WORKLOAD " random=%u", data->random);
	if (way->qemu) {
		start_qemu(src, way, cmdline, false);
		start_qemu(dst, way, cmdline, true);
		request(dst, "\"execute\": \"migrate-incoming\", \"arguments\": {\"uri\": \"%s\"}",
			uri);
	} else {
		start_dmapat(src, cmdline, NULL);
		start_dmapat(dst, NULL, uri);
		test_assert(process_says(&dst->vmm, "waiting for a migration"));
	}
	test_assert(process_says(&src->vmm, "+++"));
}

/* Take what has come; true: a `+` is among it. */
static bool heard(struct process *p)
{
	ssize_t n = read(p->out, p->text, sizeof(p->text) - 1);

	test_assert(n > 0);
	p->text[n] = '\0';
	p->len = n;
	return strchr(p->text, '+');
}

/* Until the destination's first `+`: its time, and the time of the source's last. */
static void listen_to(struct side *src, struct side *dst, int64_t *last, int64_t *first)
{
	struct pollfd pfd[2] = {
		{ .fd = src->vmm.out, .events = POLLIN }, { .fd = dst->vmm.out, .events = POLLIN },
	};
	int64_t now;

	*last = *first = 0;
	while (!*first) {
		if (poll(pfd, 2, process_timeout_ms()) <= 0) {
			test_note("%s", request(src, "\"execute\": \"query-migrate\""));
			process_show(&src->vmm);
			process_show(&dst->vmm);
			test_assert(!"the guest runs at one of the two");
		}
		now = now_ns();
		if (pfd[0].revents && heard(&src->vmm))
			*last = now;
		if (pfd[1].revents && heard(&dst->vmm))
			*first = now;
	}
	test_assert(*last);
}

static void await_completed(struct side *src)
{
	struct timespec tick = { .tv_nsec = 10000000 };
	int64_t deadline = process_now_ms() + process_timeout_ms();

	/* The two have no event in common. */
	while (!strstr(request(src, "\"execute\": \"query-migrate\""), "\"completed\"")) {
		test_assert(process_now_ms() < deadline);
		nanosleep(&tick, NULL);
	}
}

/* The guest ends with the verification of its memory. */
static void verify(struct side *dst, const struct way *way)
{
	int status;

	test_assert(write(dst->vmm.in, "v", 1) == 1);
	dst->vmm.len = 0;
	if (!process_says(&dst->vmm, "verified ") || !process_says(&dst->vmm, " written ") ||
	    !strstr(dst->vmm.text, "mismatches 0 ")) {
		process_show(&dst->vmm);
		test_assert(!"the guest has all of its memory");
	}
	control_close(&dst->ctl);
	status = process_end(&dst->vmm);
	/* isa-debug-exit shifts the guest's status and sets bit 0. */
	test_assert(status == (way->qemu ? 1 : 0));
}

static void migrate(const struct way *way, const struct data *data)
{
	static struct side src, dst;
	static unsigned int port = FIRST_PORT;
	int64_t begin, last, first;
	uint64_t wire, bytes;
	const char *answer;
	char uri[64];

	src.name = 'A';
	dst.name = 'B';
	snprintf(uri, sizeof(uri), "tcp:127.0.0.1:%u", port++);
	start(&src, &dst, way, data, uri);

	wire = wire_bytes();
	begin = now_ns();
	if (way->qemu)
		request(&src, "\"execute\": \"migrate\", \"arguments\": {\"uri\": \"%s\"}", uri);
	else
		request(&src, "\"execute\": \"migrate\", \"arguments\": {\"uri\": \"%s\", \"downtime-limit-ms\": %d, \"compression-level\": %d}",
			uri, DOWNTIME_LIMIT_MS, way->zstd);
	listen_to(&src, &dst, &last, &first);
	await_completed(&src);
	wire = wire_bytes() - wire;
	answer = request(&src, "\"execute\": \"query-migrate\"");
	bytes = number(answer, way->qemu ? "transferred" : "bytes_sent");
	printf("migration %s %s %s %" PRIi64 " %" PRIi64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	       data->name, way->compression, way->qemu ? "qemu" : "dmapat",
	       (first - begin) / 1000, (first - last) / 1000, wire, bytes,
	       number(answer, way->qemu ? "downtime" : "downtime_ms"));
	fflush(stdout);
	verify(&dst, way);
	request(&src, "\"execute\": \"quit\"");
	control_close(&src.ctl);
	process_end(&src.vmm);
}

int main(int argc, char **argv)
{
	/* It listens to two guests, and hears each when it speaks. */
	struct sched_param first = { .sched_priority = 1 };
	unsigned int rounds, round, d, w;

	test_assert(argc == 2 && (rounds = strtoul(argv[1], NULL, 10)) > 0);
	test_assert(!sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first));
	signal(SIGPIPE, SIG_IGN);
	for (round = 0; round < rounds; round++)
		for (d = 0; d < NR_DATAS; d++)
			for (w = 0; w < NR_WAYS; w++)
				migrate(&ways[round % 2 ? NR_WAYS - 1 - w : w], &datas[d]);
	return 0;
}
