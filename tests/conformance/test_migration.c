// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Migration between two dmapat-vmm on one host, each with its own gpu-proc, while
 * the guest writes all of its memory and all of its buffers: that everything
 * arrives, and that after each failure the guest runs on at exactly one place.
 *
 * The guest verifies every byte itself when it has been moved.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "lib/side.h"

#define INCOMING	"/run/migration.sock"
#define INCOMING_URI	"unix:/run/migration.sock"
#define EXIT_INCOMING	74

#define WB	"--buffer=heap=system,size=64K,offset=0,name=wb"
#define WC	"--buffer=heap=system-wc,size=256K,offset=1M,name=wc"
#define UC	"--buffer=heap=system-uc,size=64K,offset=2M,name=uc"
#define VGEM	"--buffer=drm=/dev/dri/card0,size=256K,offset=3M,name=vgem"

static struct side src, dst;

static const char *const all[4] = { WB, WC, UC, VGEM };

static void start_source_with(const char *cmdline, const char *const buffers[4])
{
	src.name = "A";
	side_start_gpu(&src, buffers);
	side_start_vmm(&src, "16M", (const char *const [4]) {
		"--payload", SIDE_PAYLOAD, "--cmdline", cmdline,
	});
	test_assert(process_says(&src.vmm, "writing "));
}

static void start_source(const char *cmdline)
{
	start_source_with(cmdline, all);
}

static void start_destination_with(const char *name, const char *uri,
				   const char *const buffers[4], const char *memory,
				   const char *bind)
{
	dst.name = name;
	side_start_gpu(&dst, buffers);
	side_start_vmm(&dst, memory, (const char *const [4]) { "--incoming", uri, "--bind", bind });
	/* All buffers are there, and it listens. */
	if (!process_says(&dst.vmm, "waiting for a migration")) {
		process_show(&dst.vmm);
		process_show(&dst.gpu);
		test_assert(!"the destination is ready");
	}
}

static void start_destination(void)
{
	start_destination_with("B", INCOMING_URI, all, "16M", "require");
}

/* So little downtime that every pass is made: @rounds of them. */
static void migrate(const char *uri, unsigned int rounds, unsigned int timeout_ms)
{
	char more[96];

	snprintf(more, sizeof(more),
		 ",\"max-rounds\":%u,\"timeout-ms\":%u,\"downtime-limit-ms\":1", rounds,
		 timeout_ms);
	side_migrate(&src, uri, more);
}

/* It stayed, runs, and says @why. */
static void check_stayed(const char *why, const char *what)
{
	bool ok;

	ok = test_ok(!side_migrated(&src), "%s: the migration fails", what);
	ok &= test_ok(side_has_status(&src, "running"), "%s: the source runs", what);
	control_command(&src.ctl, "\"execute\":\"query-migrate\"");
	ok &= test_ok(strstr(src.ctl.line, why), "%s: says \"%s\"", what, why);
	if (!ok)
		test_note("%s", src.ctl.line);
}

static void check_destination_ended(const char *why, const char *what)
{
	if (!test_ok(process_says(&dst.vmm, why), "%s: the destination says \"%s\"", what, why) |
	    !test_eq(process_end(&dst.vmm), EXIT_INCOMING, "%s: its exit status", what))
		process_show(&dst.vmm);
	test_ok(!strstr(dst.vmm.text, "verified "), "%s: it never ran the guest", what);
}

/* The guest arrived with every byte; then the destination is the next source. */
static void check_arrived(const char *what)
{
	if (!test_ok(side_migrated(&src), "%s: completed", what)) {
		test_note("%s", src.events.line);
		process_show(&src.vmm);
		process_show(&dst.vmm);
	}
	test_ok(side_has_status(&src, "postmigrate"), "%s: the source is postmigrate", what);
	test_ok(strstr(control_command(&src.ctl, "\"execute\":\"cont\""), "\"error\""),
		"%s: the source refuses cont", what);
	test_ok(strstr(control_command(&src.ctl,
				       "\"execute\":\"cont\",\"arguments\":{\"force\":true}"),
		       "\"error\""), "%s: even with force", what);
	if (!test_ok(process_says(&dst.vmm, "verified ") && process_says(&dst.vmm, "migrations "),
		     "%s: the guest verified its memory", what) |
	    !test_ok(strstr(dst.vmm.text, "mismatches 0 "), "%s: no mismatch", what))
		process_show(&dst.vmm);
	test_ok(side_has_status(&dst, "running"), "%s: the destination runs", what);
	/* Its next "completed" is of another migration. */
	test_ok(control_wait(&dst.events, "\"status\":\"completed\""),
		"%s: the destination says completed", what);
	side_stop(&src);
	src = dst;
	memset(&dst, 0, sizeof(dst));
}

/* ---- tests ---- */

#define WRITING	"mode=write ram=1M"

static void test_moves(void)
{
	char what[32], uri[64];
	unsigned int i;

	start_source(WRITING);
	start_destination();
	migrate(INCOMING_URI, 30, 10000);
	check_arrived("unix");
	for (i = 0; i < 3; i++) {
		snprintf(what, sizeof(what), "tcp, hop %u", i + 1);
		snprintf(uri, sizeof(uri), "tcp:127.0.0.1:%u", 7000 + i);
		start_destination_with(i % 2 ? "B" : "A", uri, all, "16M", "require");
		migrate(uri, 3, 10000);
		check_arrived(what);
	}
	side_stop(&src);
}

/* Killed at an event of the migration; after each, the next attempt starts from it. */
static void test_killed_destination(void)
{
	static const char *const when[] = {
		"\"status\":\"setup\"", "\"status\":\"active\"", "\"pass\":1", "\"pass\":2",
		"\"pass\":5", "\"status\":\"pre-switchover\"", "\"status\":\"pre-switchover\"",
		"\"status\":\"pre-switchover\"",
	};
	char what[64];
	unsigned int i;

	start_source(WRITING);
	for (i = 0; i < sizeof(when) / sizeof(when[0]); i++) {
		snprintf(what, sizeof(what), "destination killed at %s", when[i]);
		start_destination();
		migrate(INCOMING_URI, 6, 10000);
		test_assert(control_wait(&src.events, when[i]));
		kill(dst.vmm.pid, SIGKILL);
		process_end(&dst.vmm);
		if (side_migrated(&src)) {
			/* RUNNING was out: the guest was there, and is gone with it. */
			test_ok(side_has_status(&src, "postmigrate"), "%s: it had taken over", what);
			side_stop(&src);
			side_stop(&dst);
			start_source(WRITING);
			continue;
		}
		test_ok(side_has_status(&src, "running"), "%s: the source runs", what);
		control_command(&src.ctl, "\"execute\":\"query-migrate\"");
		if (!test_ok(strstr(src.ctl.line, "destination"), "%s: the source says why", what))
			test_note("%s", src.ctl.line);
		side_stop(&dst);
	}
	start_destination();
	migrate(INCOMING_URI, 3, 10000);
	check_arrived("after all that");
	side_stop(&src);
}

static void test_killed_source(void)
{
	start_source(WRITING);
	start_destination();
	migrate(INCOMING_URI, 30, 10000);
	test_assert(control_wait(&src.events, "\"pass\":2"));
	kill(src.vmm.pid, SIGKILL);
	check_destination_ended("source closed the connection", "source killed");
	side_stop(&src);
	side_stop(&dst);
}

static void test_silent_destination(void)
{
	start_source(WRITING);
	start_destination();
	migrate(INCOMING_URI, 100, 1500);
	test_assert(control_wait(&src.events, "\"pass\":2"));
	kill(dst.vmm.pid, SIGSTOP);
	check_stayed("destination is silent", "destination stopped");
	kill(dst.vmm.pid, SIGCONT);
	check_destination_ended("the guest does not run here", "destination stopped");
	side_stop(&dst);
	side_stop(&src);
}

static void test_cancel(void)
{
	start_source(WRITING);
	start_destination();
	migrate(INCOMING_URI, 30, 10000);
	test_assert(control_wait(&src.events, "\"pass\":2"));
	control_command(&src.ctl, "\"execute\":\"migrate_cancel\"");
	check_stayed("migration cancelled", "cancel");
	check_destination_ended("source", "cancel");
	side_stop(&dst);
	side_stop(&src);
}

/* ---- parameters ---- */

static void test_channels(void)
{
	start_source(WRITING);
	start_destination();
	side_migrate(&src, INCOMING_URI, ",\"channels\":3");
	check_arrived("3 channels");
	start_destination_with("A", "tcp:127.0.0.1:7010", all, "16M", "require");
	side_migrate(&src, "tcp:127.0.0.1:7010",
		     ",\"channels\":8,\"compression-level\":0");
	check_arrived("8 channels over TCP, not compressed");
	/* Pages are on their way on all of them. */
	start_destination();
	side_migrate(&src, INCOMING_URI,
		     ",\"channels\":3,\"bandwidth\":1000000");
	test_assert(control_wait(&src.events, "\"pass\":1"));
	control_command(&src.ctl, "\"execute\":\"migrate_cancel\"");
	check_stayed("migration cancelled", "cancel with channels and a limit");
	check_destination_ended("source", "cancel with channels and a limit");
	side_stop(&dst);
	side_stop(&src);
}

/*
 * The guest writes all it has several times while it is sent once, on a slow machine, too:
 * the passes do not get shorter, unless it is slowed down.
 */
static void migrate_slowly(const char *more)
{
	char parameters[128];

	snprintf(parameters, sizeof(parameters),
		 ",\"bandwidth\":%d,\"compression-level\":0%s", 4000000 / process_times(), more);
	side_migrate(&src, INCOMING_URI, parameters);
}

static void test_auto_converge(void)
{
	start_source(WRITING);
	start_destination();
	migrate_slowly(",\"max-rounds\":8");
	test_ok(side_migrated(&src), "too fast a guest: completed");
	control_command(&src.ctl, "\"execute\":\"query-migrate\"");
	if (!test_ok(strstr(src.ctl.line, "\"rounds\":8,") &&
		     strstr(src.ctl.line, "\"throttle\":0,"),
		     "too fast a guest: takes all passes, and is not slowed down"))
		test_note("%s", src.ctl.line);
	side_stop(&src);
	side_stop(&dst);

	start_source(WRITING);
	start_destination();
	migrate_slowly(",\"max-rounds\":100,\"auto-converge\":true");
	test_assert(control_wait(&src.events, "\"pass\":6"));
	control_command(&src.ctl, "\"execute\":\"query-migrate\"");
	if (!test_ok(strstr(src.ctl.line, "\"throttle\":") &&
		     !strstr(src.ctl.line, "\"throttle\":0,"), "auto-converge: slows the guest down"))
		test_note("%s", src.ctl.line);
	test_ok(side_migrated(&src), "auto-converge: completed");
	control_command(&src.ctl, "\"execute\":\"query-migrate\"");
	if (!test_ok(!strstr(src.ctl.line, "\"rounds\":100,"), "auto-converge: the passes get shorter"))
		test_note("%s", src.ctl.line);
	side_stop(&src);
	side_stop(&dst);
}

/* The program that follows a migration on the terminal. */
static void test_command(void)
{
	struct process command;

	start_source(WRITING);
	start_destination();
	process_run(&command, "/t/dmapat-vmm", "migrate", side_path(&src, "ctl"), INCOMING_URI,
		    "--bandwidth", "1M", "--channels", "2", "--timeout", "10000");
	test_assert(process_says(&command, "pass 1: "));
	kill(command.pid, SIGINT);
	test_ok(process_says(&command, "cancelled: migration cancelled"), "Ctrl-C: cancelled");
	test_eq(process_end(&command), 1, "Ctrl-C: exit status");
	check_stayed("migration cancelled", "Ctrl-C");
	check_destination_ended("source", "Ctrl-C");
	side_stop(&dst);

	start_destination();
	process_run(&command, "/t/dmapat-vmm", "migrate", side_path(&src, "ctl"), INCOMING_URI,
		    "--level", "3", "--max-rounds", "4", "--timeout", "10000");
	test_ok(process_says(&command, "completed: "), "followed: completed");
	test_eq(process_end(&command), 0, "followed: exit status");
	check_arrived("followed");
	side_stop(&src);
}

static void refused(const char *const buffers[4], const char *memory, const char *bind,
		    const char *why)
{
	start_destination_with("B", INCOMING_URI, buffers, memory, bind);
	migrate(INCOMING_URI, 30, 10000);
	check_stayed(why, why);
	check_destination_ended(why, why);
	side_stop(&dst);
}

static void test_refusals(void)
{
	static const char uc_for_wc[] = "--buffer=heap=system-uc,size=256K,offset=1M,name=wc";
	static const char small[] = "--buffer=heap=system-uc,size=32K,offset=2M,name=uc";

	start_source(WRITING);
	refused(all, "16M", "off", "destination has no dmapat modules");
	refused(all, "8M", "require", "source 0x1000000 bytes, destination 0x800000");
	refused((const char *const [4]) { WB, WC, UC }, "16M", "require",
		"destination has no buffer at 0x300000");
	refused((const char *const [4]) { WB, uc_for_wc, UC, VGEM }, "16M", "require",
		"buffer 1 (wc): source WC, destination UC");
	refused((const char *const [4]) { WB, WC, small, VGEM }, "16M", "require",
		"buffer 2 (uc): source 0x10000 bytes, destination 0x8000");
	start_destination();
	migrate(INCOMING_URI, 3, 10000);
	check_arrived("after all refusals");
	side_stop(&src);
}

/* ---- a bad line between the two ---- */

static int socket_at(const char *name, bool server)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", name);
	if (server) {
		unlink(name);
		test_assert(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
		test_assert(listen(fd, 1) == 0);
	} else {
		test_assert(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	}
	return fd;
}

/* The source's gpu-proc fills its buffers through its own mapping; KVM sees nothing. */
static void gpu_writes(void)
{
	kill(src.gpu.pid, SIGUSR1);
	test_assert(process_says(&src.gpu, "filled again"));
}

/* What happens at a byte of the source's stream. */
enum mishap { CHANGE, CUT, GPU_WRITES };

/* Pass everything on, but for @mishap at byte @at. */
static void relay(int listener, uint64_t at, enum mishap mishap)
{
	int fds[2] = { accept(listener, NULL, NULL), socket_at(INCOMING, false) };
	static char buf[65536];
	uint64_t passed = 0;
	ssize_t n;
	int i;

	test_assert(fds[0] >= 0);
	for (;;) {
		struct pollfd pfd[2] = {
			{ .fd = fds[0], .events = POLLIN }, { .fd = fds[1], .events = POLLIN },
		};

		test_assert(poll(pfd, 2, process_timeout_ms()) > 0);
		for (i = 0; i < 2; i++) {
			if (!pfd[i].revents)
				continue;
			n = read(fds[i], buf, sizeof(buf));
			if (n <= 0)
				goto out;
			if (!i && at >= passed && at < passed + n) {
				if (mishap == CUT)
					goto out;
				if (mishap == CHANGE)
					buf[at - passed] ^= 0x20;
				if (mishap == GPU_WRITES)
					gpu_writes();
			}
			passed += i ? 0 : n;
			if (send(fds[!i], buf, n, MSG_NOSIGNAL) != n)
				goto out;
		}
	}
out:
	close(fds[0]);
	close(fds[1]);
}

static void bad_line(uint64_t at, enum mishap mishap, const char *why, const char *why_there)
{
	int listener = socket_at("/run/relay.sock", true);
	char what[64];

	snprintf(what, sizeof(what), "stream %s at byte %llu", mishap == CUT ? "cut" : "changed",
		 (unsigned long long)at);
	start_destination();
	migrate("unix:/run/relay.sock", 3, 10000);
	relay(listener, at, mishap);
	check_stayed(why, what);
	check_destination_ended(why_there, what);
	side_stop(&dst);
	close(listener);
}

static void test_bad_line(void)
{
	static const uint64_t places[] = { 3, 20, 100, 5000, 1000000 };
	unsigned int i;

	start_source(WRITING);
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		bad_line(places[i], CHANGE, i ? "stream damaged" : "does not speak",
			 i ? "stream damaged" : "does not speak");
		bad_line(places[i], CUT, "closed the connection", "closed the connection");
	}
	start_destination();
	migrate(INCOMING_URI, 3, 10000);
	check_arrived("after a bad line");
	side_stop(&src);
}

/*
 * The GPU process writes to buffers that have been sent. The guest is stopped, so
 * that what is in them at the end is the GPU process' alone.
 */
static void test_gpu_writes(void)
{
	static const char *const filled[4] = {
		WB ",fill=0x11", WC ",fill=0x22", UC ",fill=0x33", VGEM ",fill=0x44",
	};
	int listener = socket_at("/run/relay.sock", true);

	src.name = "A";
	side_start_gpu(&src, filled);
	side_start_vmm(&src, "16M", (const char *const [4]) {
		"--payload", SIDE_PAYLOAD, "--cmdline", "mode=write ram=64K",
	});
	test_assert(process_says(&src.vmm, "writing "));
	control_command(&src.ctl, "\"execute\":\"stop\"");
	test_ok(!strstr(control_command(&src.ctl, "\"execute\":\"query-memtype\""),
			"\"sample\":\"2222222222222222\""), "GPU writes: the guest's data first");
	start_destination();
	migrate("unix:/run/relay.sock", 30, 10000);
	/* Behind the first pages of wb and wc in the first pass, before its end. */
	relay(listener, 600000, GPU_WRITES);
	test_ok(side_migrated(&src), "GPU writes: completed");
	control_command(&src.ctl, "\"execute\":\"query-migrate\"");
	if (!test_ok(strstr(src.ctl.line, "\"name\":\"wc\",\"size\":262144,\"pages_sent\":128"),
		     "GPU writes: wc was sent before and after"))
		test_note("%s", src.ctl.line);
	control_command(&dst.ctl, "\"execute\":\"query-memtype\"");
	if (!test_ok(strstr(dst.ctl.line, "\"sample\":\"1111111111111111\"") &&
		     strstr(dst.ctl.line, "\"sample\":\"2222222222222222\"") &&
		     strstr(dst.ctl.line, "\"sample\":\"3333333333333333\"") &&
		     strstr(dst.ctl.line, "\"sample\":\"4444444444444444\""),
		     "GPU writes: the destination has what it wrote"))
		test_note("%s", dst.ctl.line);
	side_stop(&src);
	side_stop(&dst);
	close(listener);
}

static void test_stopped_guest(void)
{
	start_source(WRITING);
	control_command(&src.ctl, "\"execute\":\"stop\"");
	start_destination();
	migrate(INCOMING_URI, 30, 10000);
	test_ok(side_migrated(&src), "stopped guest: completed");
	/* The source knows first: that the guest is no more its own is what it waits for. */
	test_ok(process_says(&dst.vmm, "guest received"), "stopped guest: the destination has it");
	test_ok(side_has_status(&dst, "paused"), "stopped guest: is stopped there");
	control_command(&dst.ctl, "\"execute\":\"cont\"");
	if (!test_ok(process_says(&dst.vmm, "migrations ") &&
		     strstr(dst.vmm.text, "mismatches 0 "), "stopped guest: runs after cont"))
		process_show(&dst.vmm);
	side_stop(&src);
	side_stop(&dst);
}

/* By each of KVM's two logs, which query-migrate names. */
static void test_log(const char *log, const char *bind, const char *const buffers[4])
{
	char name[64];

	side_options[0] = "--dirty-log";
	side_options[1] = log;
	side_options[2] = "--bind";
	side_options[3] = bind;
	start_source_with(WRITING, buffers);
	start_destination_with("B", INCOMING_URI, buffers, "16M", bind);
	migrate(INCOMING_URI, 5, 10000);
	if (!test_ok(side_migrated(&src), "%s: completed", log)) {
		test_note("%s", src.events.line);
		process_show(&src.vmm);
	}
	control_command(&src.ctl, "\"execute\":\"query-migrate\"");
	snprintf(name, sizeof(name), "\"name\":\"vCPUs: dirty %s\",\"exact\":true", log);
	if (!test_ok(strstr(src.ctl.line, name) &&
		     strstr(src.ctl.line, "\"name\":\"VMM: devices\",\"exact\":true") &&
		     strstr(src.ctl.line, "\"name\":\"buffer vgem: writers\",\"exact\":false"),
		     "%s: the report names it", log))
		test_note("%s", src.ctl.line);
	if (!test_ok(process_says(&dst.vmm, "migrations ") &&
		     strstr(dst.vmm.text, "mismatches 0 "), "%s: no mismatch", log))
		process_show(&dst.vmm);
	side_stop(&src);
	side_stop(&dst);
	memset(side_options, 0, sizeof(side_options));
}

/* On any KVM, with and without its KVM_WRITE_PROTECT_ALL_MEM. */
static void test_logs(const char *bind, const char *const buffers[4])
{
	test_log("bitmap", bind, buffers);
	test_log("ring", bind, buffers);
}

int main(int argc, char **argv)
{
	static const char *const unbound[4] = { VGEM };

	if (argc == 2 && !strcmp(argv[1], "logs")) {
		test_logs("require", all);
		return test_end();
	}
	if (argc == 2 && !strcmp(argv[1], "logs-stock")) {
		test_logs("off", unbound);
		return test_end();
	}
	if (argc == 2 && !strcmp(argv[1], "parameters")) {
		test_channels();
		test_auto_converge();
		test_command();
		return test_end();
	}
	if (argc == 2 && !strcmp(argv[1], "moves")) {
		test_moves();
		return test_end();
	}
	test_moves();
	test_stopped_guest();
	test_killed_destination();
	test_killed_source();
	test_silent_destination();
	test_cancel();
	test_refusals();
	test_bad_line();
	test_gpu_writes();
	return test_end();
}
