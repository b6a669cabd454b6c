// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `dmapat-vmm migrate` against a VMM that is a script: what it asks for, what it
 * prints, what Ctrl-C does, and its exit status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit/capture.h"
#include "vmm/exit_status.h"
#include "vmm/migrate_command.h"

#define ACTIVE(members)	"\"return\":{\"status\":\"active\"," members "}"
#define OVER(status)	"\"return\":{\"status\":\"" status "\",\"error\":\"because\"," \
			"\"downtime_ms\":12,\"rounds\":3,\"bytes_sent\":2097152,\"elapsed_ms\":1500}"

/* Answers in their order; what came before the last but one is in said[]. */
struct script {
	const char *answers[8];
	const char *signal_at;	/* the command at whose arrival Ctrl-C is pressed */
	const char *drop_at;	/* the command that is not answered: the VMM ends */
};

static char dir[] = "/tmp/migrate-command.XXXXXX";
static struct sockaddr_un addr = { .sun_family = AF_UNIX };
static int listener;
static const struct script *script;
static char said[4096];

static void *vmm_thread(void *arg)
{
	int fd = accept(listener, NULL, NULL);
	FILE *client = fdopen(fd, "r+");
	unsigned int i = 0;
	char line[512];

	(void)arg;
	while (fgets(line, sizeof(line), client)) {
		strcat(said, line);
		if (script->signal_at && strstr(line, script->signal_at))
			kill(getpid(), SIGINT);
		if ((script->drop_at && strstr(line, script->drop_at)) || !script->answers[i])
			break;
		dprintf(fd, "{\"event\":\"X\"}\n{%s,\"id\":\"ctl\"}\n", script->answers[i++]);
	}
	fclose(client);
	return NULL;
}

static char output[65536];

static int run(const char *const args[8], int out)
{
	char copies[10][128] = { "migrate" }, *argv[11] = { copies[0] };
	int argc = 1, saved, status;

	for (; argc < 9 && args[argc - 1]; argc++) {
		snprintf(copies[argc], sizeof(copies[argc]), "%s", args[argc - 1]);
		argv[argc] = copies[argc];
	}
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	dup2(out, STDOUT_FILENO);
	status = migrate_command__main(argc, argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	return status;
}

/* Signals of the test itself stay blocked: whoever has to take one unblocks it. */
static int play(const struct script *s, const char *const args[8], int out)
{
	pthread_t thread;
	int status;

	script = s;
	said[0] = '\0';
	assert_int_equal(pthread_create(&thread, NULL, vmm_thread, NULL), 0);
	status = run(args, out);
	pthread_join(thread, NULL);
	return status;
}

static int play_to_file(const struct script *s, const char *const args[8])
{
	int file = memfd_create("stdout", MFD_CLOEXEC), status;
	ssize_t n;

	status = play(s, args, file);
	n = pread(file, output, sizeof(output) - 1, 0);
	output[n > 0 ? n : 0] = '\0';
	close(file);
	return status;
}

static const char *const plain[8] = { addr.sun_path, "unix:/to" };

static void test_completed(void **state)
{
	static const struct script s = { .answers = {
		"\"return\":{}",
		"\"return\":{\"status\":\"setup\"}",
		ACTIVE("\"rounds\":1,\"percent\":40,\"remaining\":10485760"),
		ACTIVE("\"rounds\":1,\"percent\":60,\"remaining\":10485760"),
		ACTIVE("\"rounds\":2,\"remaining\":1048576,\"dirty_rate\":77,\"throttle\":20"),
		OVER("completed"),
	} };

	(void)state;
	assert_int_equal(play_to_file(&s, plain), 0);
	assert_non_null(strstr(said, "\"execute\":\"migrate\""));
	assert_non_null(strstr(said, "\"arguments\":{\"uri\":\"unix:/to\"}"));
	assert_non_null(strstr(output, "setup: 0.0 MiB sent"));
	assert_non_null(strstr(output, "pass 1: 40 % of 10.0 MiB"));
	/* Without a terminal a step has one line. */
	assert_null(strstr(output, "60 %"));
	assert_null(strchr(output, '\r'));
	assert_non_null(strstr(output, "pass 2: 1.0 MiB dirty, 77 pages/s written, "));
	assert_non_null(strstr(output, ", 20 % throttled, "));
	assert_non_null(strstr(output, "completed: 12 ms of downtime, 3 passes, 2.0 MiB sent, 1.5 s\n"));
}

static void test_arguments(void **state)
{
	static const struct script s = { .answers = { "\"return\":{}", OVER("completed") } };
	static const char *const all[8] = {
		addr.sun_path, "--bandwidth", "100M", "--level=3", "--channels=2",
		"unix:/to", "--max-rounds=4", "--auto-converge",
	};

	(void)state;
	assert_int_equal(play_to_file(&s, all), 0);
	assert_non_null(strstr(said, "\"bandwidth\":104857600"));
	assert_non_null(strstr(said, "\"compression-level\":3"));
	assert_non_null(strstr(said, "\"channels\":2"));
	assert_non_null(strstr(said, "\"max-rounds\":4"));
	assert_non_null(strstr(said, "\"auto-converge\":true"));
	assert_non_null(strstr(said, "\"uri\":\"unix:/to\""));
}

static void test_refused(void **state)
{
	static const struct script s = {
		.answers = { "\"error\":{\"class\":\"GenericError\",\"desc\":\"no such place\"}" },
	};

	(void)state;
	capture_begin();
	assert_int_equal(play_to_file(&s, plain), 1);
	assert_logged(capture_end(), "migrate: no such place");
}

static void test_failed(void **state)
{
	static const struct script s = { .answers = { "\"return\":{}", OVER("failed") } };

	(void)state;
	capture_begin();
	assert_int_equal(play_to_file(&s, plain), 1);
	assert_logged(capture_end(), "failed: because; the guest stays here");
}

static void test_vmm_ends(void **state)
{
	static const struct script s = {
		.answers = { "\"return\":{}" }, .drop_at = "query-migrate",
	};

	(void)state;
	capture_begin();
	assert_int_equal(play_to_file(&s, plain), EXIT_SETUP);
	assert_logged(capture_end(), "the VM closed the control socket");
}

/* Ctrl-C cancels once, whenever it comes, and the outcome is waited for. */
static void test_interrupted(void **state)
{
	static const struct script s = {
		.answers = {
			"\"return\":{}", ACTIVE("\"rounds\":1"), "\"return\":{}",
			ACTIVE("\"rounds\":1"), OVER("cancelled"),
		},
		.signal_at = "\"migrate\"",
	};
	char *at;

	(void)state;
	capture_begin();
	assert_int_equal(play_to_file(&s, plain), 1);
	at = strstr(said, "migrate_cancel");
	assert_non_null(at);
	assert_null(strstr(at + 1, "migrate_cancel"));
	assert_logged(capture_end(), "cancelled: because");
}

/* It comes too late, and then the migration goes on to its end. */
static void test_interrupted_too_late(void **state)
{
	static const struct script s = {
		.answers = {
			"\"return\":{}", "\"return\":{\"status\":\"outcome-unknown\",\"error\":\"who?\"}",
			"\"error\":{\"desc\":\"too late\"}", OVER("completed"),
		},
		.signal_at = "\"migrate\"",
	};
	const char *log;

	(void)state;
	capture_begin();
	assert_int_equal(play_to_file(&s, plain), 0);
	log = capture_end();
	assert_logged(log, "who?");
	assert_logged(log, "migrate_cancel: too late");
}

static void test_usage(void **state)
{
	static const char *const bad[][8] = {
		{ NULL }, { addr.sun_path }, { addr.sun_path, "unix:/to", "more" },
		{ addr.sun_path, "unix:/to", "--level", "x" },
		{ addr.sun_path, "unix:/to", "--bandwidth=-1" },
		{ addr.sun_path, "unix:/to", "--bandwidth" },
		{ addr.sun_path, "unix:/to", "--nonsense" },
	};
	static const char *const nobody[8] = { "/nonexistent/control", "unix:/to" };
	static const char *const help[8] = { "--help" };
	int file = memfd_create("stdout", MFD_CLOEXEC);
	unsigned int i;

	(void)state;
	capture_begin();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(run(bad[i], file), EXIT_USAGE);
	assert_int_equal(lseek(file, 0, SEEK_CUR), 0);
	assert_int_equal(run(nobody, file), EXIT_SETUP);
	assert_int_equal(run(help, file), 0);
	assert_true(lseek(file, 0, SEEK_CUR) > 0);
	assert_logged(capture_end(), "--level x: not a number or a size");
	close(file);
}

/* On a terminal one line, written over and over. */
static void test_terminal(void **state)
{
	static const struct script s = { .answers = {
		"\"return\":{}", ACTIVE("\"rounds\":1,\"percent\":40"),
		ACTIVE("\"rounds\":1,\"percent\":60"), OVER("completed"),
	} };
	int master, slave;
	size_t len = 0;
	ssize_t n;

	(void)state;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(play(&s, plain, slave), 0);
	/* A terminal gives what it has, a part at a time. */
	output[0] = '\0';
	while (!strstr(output, "MiB sent, 1.5 s")) {
		n = read(master, output + len, sizeof(output) - 1 - len);
		assert_true(n > 0);
		len += n;
		output[len] = '\0';
	}
	assert_non_null(strstr(output, "\rpass 1: 40 %"));
	assert_non_null(strstr(output, "\rpass 1: 60 %"));
	assert_non_null(strstr(output, "\ncompleted: "));
	close(master);
	close(slave);
}

static int begin(void **state)
{
	sigset_t blocked;

	(void)state;
	/* A Ctrl-C that nobody takes must not end the test's other threads. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	assert_non_null(mkdtemp(dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/control", dir);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return listen(listener, 1);
}

static int end(void **state)
{
	(void)state;
	close(listener);
	unlink(addr.sun_path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_completed),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_vmm_ends),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_interrupted_too_late),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_terminal),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
