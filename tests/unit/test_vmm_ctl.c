// SPDX-License-Identifier: GPL-2.0-or-later
/* `dmapat-vmm ctl` against a control socket, and against peers that are none. */
#include "unit/vmm_fake_kernel.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit/capture.h"
#include "vmm/control.h"
#include "vmm/ctl.h"
#include "vmm/exit_status.h"

struct test {
	struct fake fake;
	char dir[32];
	char path[64];
	pthread_t thread;
	atomic_bool stop;
};

/* The VMM's event loop, in a thread, as ctl's peer. */
static void *serve(void *arg)
{
	struct test *t = arg;

	while (!t->stop)
		loop__run_once(t->fake.loop, -1);
	return NULL;
}

static void wake(void *arg)
{
	(void)arg;
}

static int setup(void **state)
{
	struct test *t = calloc(1, sizeof(*t));
	struct error err = { 0 };

	if (!t)
		return -1;
	fake_create(&t->fake);
	t->fake.vm.launched = true;
	strcpy(t->dir, "/tmp/dmapat-test-XXXXXX");
	if (!mkdtemp(t->dir))
		return -1;
	snprintf(t->path, sizeof(t->path), "%s/control", t->dir);
	if (control__create(&t->fake.vm.control, t->fake.loop, &t->fake.vm, t->path, &err) < 0)
		return -1;
	*state = t;
	return pthread_create(&t->thread, NULL, serve, t);
}

static int teardown(void **state)
{
	struct test *t = *state;

	t->stop = true;
	loop__post(t->fake.loop, wake, NULL);
	pthread_join(t->thread, NULL);
	control__destroy(t->fake.vm.control);
	fake_destroy(&t->fake);
	rmdir(t->dir);
	free(t);
	return 0;
}

static char output[65536];

/* Run ctl with up to three arguments; what it prints goes to output[]. */
static int ctl(const char *a, const char *b, const char *c)
{
	char name[] = "ctl", args[3][256] = { "", "", "" };
	char *argv[5] = { name, args[0], args[1], args[2] };
	int argc = 1 + !!a + !!b + !!c, saved, file, status;
	ssize_t n;

	snprintf(args[0], sizeof(args[0]), "%s", a ? a : "");
	snprintf(args[1], sizeof(args[1]), "%s", b ? b : "");
	snprintf(args[2], sizeof(args[2]), "%s", c ? c : "");
	fflush(stdout);
	file = memfd_create("stdout", MFD_CLOEXEC);
	saved = dup(STDOUT_FILENO);
	dup2(file, STDOUT_FILENO);
	status = ctl__main(argc, argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	n = pread(file, output, sizeof(output) - 1, 0);
	output[n > 0 ? n : 0] = '\0';
	close(file);
	return status;
}

static void test_return(void **state)
{
	struct test *t = *state;

	assert_int_equal(ctl(t->path, "query-status", NULL), 0);
	assert_non_null(strstr(output, "\"status\":\"prelaunch\""));
	assert_int_equal(output[strlen(output) - 1], '\n');
	assert_int_equal(ctl(t->path, "cont", "{\"force\":false}"), 0);
	/* the event that cont causes is not what is printed */
	assert_null(strstr(output, "event"));
	assert_int_equal(ctl(t->path, "query-status", "{}"), 0);
	assert_non_null(strstr(output, "\"status\":\"running\""));
}

static void test_error(void **state)
{
	struct test *t = *state;

	assert_int_equal(ctl(t->path, "nonsense", NULL), 1);
	assert_non_null(strstr(output, "CommandNotFound"));
	assert_int_equal(ctl(t->path, "migrate", "{\"uri\":1}"), 1);
	assert_non_null(strstr(output, "BadRequest"));
}

static void test_usage(void **state)
{
	struct test *t = *state;

	capture_begin();
	assert_int_equal(ctl(NULL, NULL, NULL), EXIT_USAGE);
	assert_int_equal(ctl(t->path, NULL, NULL), EXIT_USAGE);
	assert_int_equal(ctl(t->path, "query-status", "not JSON"), EXIT_USAGE);
	assert_int_equal(ctl(t->path, "query-status", "[1]"), EXIT_USAGE);
	assert_logged(capture_end(), "not JSON: not a JSON object");
}

static void test_no_vmm(void **state)
{
	struct test *t = *state;
	char path[200];

	capture_begin();
	assert_int_equal(ctl("/nonexistent/control", "query-status", NULL), EXIT_SETUP);
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(ctl(path, "query-status", NULL), EXIT_SETUP);
	assert_int_equal(ctl(t->dir, "query-status", NULL), EXIT_SETUP);
	assert_logged(capture_end(), "/nonexistent/control: No such file");
}

static void *send_events(void *arg)
{
	struct test *t = arg;

	/* Until it has been heard: the listener may not be connected yet. */
	while (!t->stop) {
		control__event(t->fake.vm.control, "FIRST", NULL);
		control__event(t->fake.vm.control, "LAST", NULL);
		sched_yield();
	}
	return NULL;
}

static void test_events(void **state)
{
	struct test *t = *state;
	pthread_t thread;
	char *last;

	assert_int_equal(pthread_create(&thread, NULL, send_events, t), 0);
	assert_int_equal(ctl(t->path, "--events", "LAST"), 0);
	t->stop = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	last = strstr(output, "\"LAST\"");
	assert_non_null(last);
	assert_null(strstr(last + 1, "\"event\""));	/* it is the last line */
}

/* A peer that says what it likes to one client. */
struct peer {
	int listener;
	const char *says;
	bool stays;		/* until the client goes */
};

static void *talk(void *arg)
{
	struct peer *peer = arg;
	char request[256];
	int fd = accept(peer->listener, NULL, NULL);

	if (fd >= 0 && read(fd, request, sizeof(request)) > 0 && *peer->says)
		send(fd, peer->says, strlen(peer->says), MSG_NOSIGNAL);
	if (peer->stays)
		while (read(fd, request, sizeof(request)) > 0)
			;
	close(fd);
	return NULL;
}

static int ctl_to_peer(const struct test *t, const char *says, bool stays)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct peer peer = { .says = says, .stays = stays };
	pthread_t thread;
	int status;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/peer", t->dir);
	peer.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(peer.listener, 1), 0);
	assert_int_equal(pthread_create(&thread, NULL, talk, &peer), 0);
	status = ctl(addr.sun_path, "query-status", NULL);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(peer.listener);
	unlink(addr.sun_path);
	return status;
}

static void test_strange_peer(void **state)
{
	struct test *t = *state;

	capture_begin();
	assert_int_equal(ctl_to_peer(t, "", false), EXIT_SETUP);
	assert_int_equal(ctl_to_peer(t, "no JSON\n{\"event\":\"X\"}\n", false), EXIT_SETUP);
	assert_int_equal(ctl_to_peer(t, "{\"return\":{},\"id\":\"other\"}\n", false), EXIT_SETUP);
	/* several lines at once, and the peer does not close behind them */
	assert_int_equal(ctl_to_peer(t, "{\"id\":5}\n[]\n{\"return\":{},\"id\":\"ctl\"}\n", true),
			 0);
	assert_logged(capture_end(), "the VM closed the control socket");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_return),
		TEST(test_error),
		TEST(test_usage),
		TEST(test_no_vmm),
		TEST(test_events),
		TEST(test_strange_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
