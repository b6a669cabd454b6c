// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/listener.c and signals.c: until the front-end is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "front_end.h"
#include "gpu-proc/listener.h"
#include "gpu-proc/signals.h"

static char dir[40];
static struct gpu gpu = { .screenshot = -1 };
static char path[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/dmapat-unit-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static int connect_to(const char *where)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", where);
	assert_int_equal(connect(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return sock;
}

static void assert_refused(const char *text)
{
	const char *log;
	int ret;

	capture_begin();
	ret = listener_open(path);
	log = capture_end();
	assert_int_equal(ret, -1);
	assert_logged(log, text);
}

/* A live socket is left alone, and its owner does not notice; a dead one is replaced. */
static void test_stale(void **state)
{
	int first, second;

	(void)state;
	first = listener_open(path);
	assert_true(first >= 0);
	assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);
	assert_refused("cannot bind a socket: Address already in use");
	assert_int_equal(accept4(first, NULL, NULL, 0), -1);
	assert_int_equal(errno, EAGAIN);
	close(first);

	second = listener_open(path);
	assert_true(second >= 0);
	close(connect_to(path));
	close(second);
	unlink(path);
}

/* Nothing but a dead socket is replaced. */
static void test_in_the_way(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_refused("cannot bind a socket: Address already in use");
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(path);

	strcat(path, "/deeper");
	assert_refused("cannot bind a socket: No such file or directory");
	*strrchr(path, '/') = '\0';
}

struct accepting {
	int listener, signal_fd, sock, ret;
};

static void *accept_thread(void *arg)
{
	struct accepting *a = arg;

	a->ret = listener_accept(a->listener, a->signal_fd, NULL, 0, &gpu, &a->sock);
	return NULL;
}

static void test_accept(void **state)
{
	struct accepting a = { .sock = -1 };
	pthread_t thread;
	int pipefd[2], client;
	char byte;

	(void)state;
	assert_int_equal(pipe(pipefd), 0);
	a.signal_fd = pipefd[0];
	a.listener = listener_open(path);
	capture_begin();
	assert_int_equal(pthread_create(&thread, NULL, accept_thread, &a), 0);
	client = connect_to(path);
	pthread_join(thread, NULL);
	assert_logged(capture_end(), "ready: waiting for the front-end");
	assert_int_equal(a.ret, 1);
	assert_true(fcntl(a.sock, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(listener_check_connected(a.sock), 0);
	assert_int_equal(write(client, "x", 1), 1);
	assert_int_equal(read(a.sock, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(client);
	close(a.sock);
	close(a.listener);
	close(pipefd[0]);
	close(pipefd[1]);
	unlink(path);
}

/* Real signals: SIGUSR1 and SIGUSR2 are taken and waiting goes on, SIGTERM ends it. */
static void test_signals(void **state)
{
	int signal_fd, listener, sock, ret;
	const char *log;
	sigset_t set;

	(void)state;
	signal_fd = signals_open();
	assert_true(signal_fd >= 0);
	assert_int_equal(signals_read(signal_fd), SIGNAL_NONE);
	raise(SIGINT);
	assert_int_equal(signals_read(signal_fd), SIGNAL_STOP);

	listener = listener_open(path);
	raise(SIGUSR1);
	raise(SIGUSR2);
	raise(SIGTERM);
	capture_begin();
	ret = listener_accept(listener, signal_fd, NULL, 0, &gpu, &sock);
	log = capture_end();
	assert_int_equal(ret, 0);
	assert_logged(log, "0 buffers filled again");
	assert_logged(log, "no screenshot: --screenshot=FILE was not given");
	close(listener);
	close(signal_fd);
	unlink(path);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

/* --fd */
static void test_check_connected(void **state)
{
	int sv[2], fd;
	const char *log;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(listener_check_connected(sv[0]), 0);
	close(sv[0]);
	close(sv[1]);

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv), 0);
	capture_begin();
	assert_int_equal(listener_check_connected(sv[0]), -1);
	log = capture_end();
	assert_logged(log, "is a socket of type 2, must be a stream socket (1)");
	close(sv[0]);
	close(sv[1]);

	fd = open("/dev/null", O_RDWR);
	capture_begin();
	assert_int_equal(listener_check_connected(fd), -1);
	assert_int_equal(listener_check_connected(9999), -1);
	log = capture_end();
	assert_logged(log, "is not a connected socket: Socket operation on non-socket");
	assert_logged(log, "--fd=9999: is not a connected socket: Bad file descriptor");
	close(fd);

	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	capture_begin();
	assert_int_equal(listener_check_connected(fd), -1);
	log = capture_end();
	assert_logged(log, "is not a connected socket: Transport endpoint is not connected");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_in_the_way),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_check_connected),
	};

	return cmocka_run_group_tests_name("gpu-proc listener", tests, make_dir, remove_dir);
}
