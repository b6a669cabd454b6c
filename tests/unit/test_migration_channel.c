// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sockets of a migration: URIs, connecting and listening, deadlines, what a close
 * and a reset look like, and what flush() promises.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit/capture.h"
#include "vmm/migration_channel.h"
#include "vmm/migration_clock.h"
#include "vmm/migration_rate.h"

static char dir[] = "/tmp/migration-channel.XXXXXX";
static char uri[128];

static int make_dir(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(uri, sizeof(uri), "unix:%s/socket", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static struct migration_channel channel(const char *peer)
{
	return (struct migration_channel) {
		.fd = -1, .cancel_fd = -1, .timeout_ms = 200, .peer = peer,
	};
}

static void test_uris(void **state)
{
	static const char * const good[] = {
		"unix:/run/x", "unix:relative", "tcp:localhost:4444", "tcp:[::1]:4444",
		"tcp::4444", "tcp:10.0.0.1:1",
	};
	static const char * const bad[] = {
		"", "unix:", "tcp:", "tcp:host", "tcp:host:", "tcp:host:http", "tcp:host:44x",
		"exec:cat", "/run/x", "fd:3",
		"unix:/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_int_equal(migration_channel__check_uri(good[i], NULL), 0);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		err.msg[0] = '\0';
		assert_int_equal(migration_channel__check_uri(bad[i], &err), -EINVAL);
		assert_non_null(strstr(err.msg, bad[i]));
		assert_non_null(strstr(err.msg, "expected"));
	}
}

/* A port that nobody else has: bound, so that its number is known. */
static void tcp_uri(const struct migration_listener *l, char *out, size_t size)
{
	struct sockaddr_in sa = { 0 };
	socklen_t len = sizeof(sa);

	assert_int_equal(getsockname(l->fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(out, size, "tcp:127.0.0.1:%u", ntohs(sa.sin_port));
}

static void connected(const char *listen_uri, struct migration_channel *a,
		      struct migration_channel *b)
{
	struct migration_listener l;
	struct error err = { "" };
	char to[128];

	*a = channel("destination");
	*b = channel("source");
	assert_int_equal(migration_listener__open(&l, listen_uri, &err), 0);
	snprintf(to, sizeof(to), "%s", listen_uri);
	if (!strncmp(listen_uri, "tcp:", 4))
		tcp_uri(&l, to, sizeof(to));
	assert_int_equal(migration_channel__connect(a, to, &err), 0);
	assert_int_equal(migration_listener__accept(&l, b, &err), 0);
	migration_listener__close(&l);
}

static void exchange(struct migration_channel *a, struct migration_channel *b)
{
	char buf[8], hello[] = "hello";
	struct iovec iov[3] = { { hello, 2 }, { hello, 0 }, { hello + 2, 3 } };
	struct error err = { "" };

	assert_int_equal(migration_channel__write(a, iov, 3, true, &err), 0);
	assert_int_equal(migration_channel__flush(a, &err), 0);
	assert_int_equal(migration_channel__wait_input(b, &err), 0);
	assert_int_equal(migration_channel__read(b, buf, 2, &err), 0);
	assert_int_equal(migration_channel__read(b, buf + 2, 3, &err), 0);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(a->tx_bytes, 5);
	assert_int_equal(b->rx_bytes, 5);
}

static void test_unix(void **state)
{
	struct migration_channel a, b;
	struct migration_listener l;
	struct error err = { "" };
	struct stat st;
	int fds = count_fds();

	(void)state;
	assert_int_equal(migration_listener__open(&l, uri, &err), 0);
	assert_int_equal(stat(uri + 5, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	migration_listener__close(&l);
	assert_int_equal(stat(uri + 5, &st), -1);

	connected(uri, &a, &b);
	exchange(&a, &b);
	migration_channel__close(&a);
	migration_channel__close(&b);
	migration_channel__close(&b);
	assert_int_equal(count_fds(), fds);
}

static void test_tcp(void **state)
{
	struct migration_channel a, b;
	int fds = count_fds();

	(void)state;
	connected("tcp:127.0.0.1:0", &a, &b);
	exchange(&a, &b);
	migration_channel__close(&a);
	migration_channel__close(&b);
	assert_int_equal(count_fds(), fds);
}

/* Left over from a killed process: taken over. In use: not. */
static void test_stale_socket_file(void **state)
{
	struct migration_listener first, second;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct error err = { "" };
	int fd;

	(void)state;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(sun.sun_path, uri + 5);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	assert_int_equal(migration_listener__open(&first, uri, &err), 0);
	assert_int_equal(migration_listener__open(&second, uri, &err), -EADDRINUSE);
	assert_non_null(strstr(err.msg, "Address already in use"));
	/* The one that failed has not taken the file away. */
	assert_int_equal(access(uri + 5, F_OK), 0);
	migration_listener__close(&first);
}

static void test_not_a_socket(void **state)
{
	struct migration_listener l;
	struct error err = { "" };
	FILE *f = fopen(uri + 5, "w");

	(void)state;
	assert_non_null(f);
	fclose(f);
	assert_true(migration_listener__open(&l, uri, &err) < 0);
	assert_int_equal(access(uri + 5, F_OK), 0);
	unlink(uri + 5);
}

static void test_nobody_listens(void **state)
{
	struct migration_channel ch = channel("destination");
	struct migration_listener l;
	struct error err = { "" };
	char to[128];

	(void)state;
	assert_int_equal(migration_channel__connect(&ch, uri, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "cannot connect to the destination: No such file"));
	assert_int_equal(migration_listener__open(&l, "tcp:127.0.0.1:0", &err), 0);
	tcp_uri(&l, to, sizeof(to));
	migration_listener__close(&l);
	err.msg[0] = '\0';
	assert_int_equal(migration_channel__connect(&ch, to, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.msg, "Connection refused"));
	assert_int_equal(ch.fd, -1);
}

static void test_deadlines(void **state)
{
	static char big[16 << 20];
	struct migration_channel a, b;
	struct iovec iov = { big, sizeof(big) };
	struct error err = { "" };
	char byte;

	(void)state;
	connected(uri, &a, &b);
	a.timeout_ms = b.timeout_ms = 30;
	assert_int_equal(migration_channel__read(&b, &byte, 1, &err), -ETIMEDOUT);
	assert_string_equal(err.msg, "source is silent: nothing came within 30 ms");
	err.msg[0] = '\0';
	assert_int_equal(migration_channel__wait_input(&b, &err), -ETIMEDOUT);
	err.msg[0] = '\0';
	assert_int_equal(migration_channel__write(&a, &iov, 1, true, &err), -ETIMEDOUT);
	assert_string_equal(err.msg,
			    "destination is silent: does not take what is sent within 30 ms");
	migration_channel__close(&a);
	migration_channel__close(&b);
}

static void test_cancel(void **state)
{
	struct migration_channel a, b;
	struct migration_listener l;
	struct error err = { "" };
	int cancel = eventfd(1, 0);
	char byte;

	(void)state;
	connected(uri, &a, &b);
	a.cancel_fd = b.cancel_fd = cancel;
	b.timeout_ms = 0;
	assert_int_equal(migration_channel__read(&b, &byte, 1, &err), -ECANCELED);
	assert_string_equal(err.msg, "migration cancelled");
	assert_int_equal(migration_channel__wait_input(&b, &err), -ECANCELED);
	assert_int_equal(migration_channel__write(&a, &(struct iovec) { &byte, 1 }, 1, true, &err),
			 -ECANCELED);
	migration_channel__close(&a);
	migration_channel__close(&b);
	assert_int_equal(migration_listener__open(&l, uri, &err), 0);
	b = channel("source");
	b.cancel_fd = cancel;
	assert_int_equal(migration_listener__accept(&l, &b, &err), -ECANCELED);
	migration_listener__close(&l);
	close(cancel);
}

static void test_input_stops_a_write(void **state)
{
	struct migration_channel a, b;
	struct error err = { "" };
	char byte = 'x';
	struct iovec iov = { &byte, 1 };

	(void)state;
	connected(uri, &a, &b);
	assert_int_equal(migration_channel__write(&b, &iov, 1, true, &err), 0);
	assert_int_equal(migration_channel__write(&a, &iov, 1, true, &err), -EREMOTEIO);
	assert_int_equal(a.tx_bytes, 0);
	assert_int_equal(migration_channel__write(&a, &iov, 1, false, &err), 0);
	migration_channel__close(&a);
	migration_channel__close(&b);
}

/* A bucket that is empty for an hour: what ends the wait for it. */
static void held_back(struct migration_channel *a, struct migration_channel *b,
		      struct migration_rate *rate)
{
	connected(uri, a, b);
	migration_rate__init(rate, 1, migration_clock__ns());
	migration_rate__take(rate, 3600, migration_clock__ns());
	a->rate = rate;
}

static void test_bandwidth_wait_ends(void **state)
{
	struct migration_channel a, b;
	struct migration_rate rate;
	struct error err = { "" };
	int cancel = eventfd(1, 0);
	char byte = 'x';
	struct iovec iov = { &byte, 1 };

	(void)state;
	held_back(&a, &b, &rate);
	a.cancel_fd = cancel;
	assert_int_equal(migration_channel__write(&a, &iov, 1, true, &err), -ECANCELED);
	assert_string_equal(err.msg, "migration cancelled");
	a.cancel_fd = -1;
	err.msg[0] = '\0';
	assert_int_equal(migration_channel__write(&b, &iov, 1, false, &err), 0);
	assert_int_equal(migration_channel__write(&a, &iov, 1, true, &err), -EREMOTEIO);
	migration_channel__close(&b);
	err.msg[0] = '\0';
	assert_int_equal(migration_channel__write(&a, &iov, 1, false, &err), -EPIPE);
	assert_string_equal(err.msg, "destination closed the connection");
	assert_int_equal(a.tx_bytes, 0);
	migration_channel__close(&a);
	migration_rate__exit(&rate);
	close(cancel);
}

/* The wait is not the peer's silence: it may last longer than the timeout. */
static void test_bandwidth_wait_is_no_silence(void **state)
{
	struct migration_channel a, b;
	struct migration_rate rate;
	struct error err = { "" };
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	uint64_t begin;

	(void)state;
	connected(uri, &a, &b);
	migration_rate__init(&rate, 1000, migration_clock__ns());
	begin = migration_clock__ns();
	migration_rate__take(&rate, 60, begin);
	a.rate = &rate;
	a.timeout_ms = 20;
	assert_int_equal(migration_channel__write(&a, &iov, 1, true, &err), 0);
	assert_true(migration_clock__ns() - begin >= 60 * 1000000ULL);
	assert_int_equal(migration_channel__read(&b, &byte, 1, &err), 0);
	migration_channel__close(&a);
	migration_channel__close(&b);
	migration_rate__exit(&rate);
}

/* The end comes after what was sent before it, orderly or not. */
static void closes_after(const char *listen_uri, bool reset)
{
	struct migration_channel a, b;
	struct error err = { "" };
	char word[] = "word", byte;
	struct iovec iov = { word, 4 };

	connected(listen_uri, &a, &b);
	if (reset)	/* bytes that it never reads make its end a reset */
		assert_int_equal(migration_channel__write(&b, &iov, 1, false, &err), 0);
	assert_int_equal(migration_channel__write(&a, &iov, 1, false, &err), 0);
	migration_channel__close(&a);
	assert_int_equal(migration_channel__read(&b, word, 4, &err), 0);
	assert_memory_equal(word, "word", 4);
	assert_int_equal(migration_channel__read(&b, &byte, 1, &err), -EPIPE);
	assert_string_equal(err.msg, "source closed the connection");
	migration_channel__close(&b);
}

static void test_closed_peer(void **state)
{
	(void)state;
	closes_after(uri, false);
	closes_after(uri, true);
	closes_after("tcp:127.0.0.1:0", false);
	closes_after("tcp:127.0.0.1:0", true);
}

/* The peer's end of the other direction says nothing about what it has. */
static void test_flush_and_orderly_end(void **state)
{
	struct migration_channel a, b;
	struct error err = { "" };
	char word[] = "word";
	struct iovec iov = { word, 4 };

	(void)state;
	connected("tcp:127.0.0.1:0", &a, &b);
	assert_int_equal(migration_channel__write(&a, &iov, 1, false, &err), 0);
	assert_int_equal(migration_channel__read(&b, word, 4, &err), 0);
	migration_channel__close(&b);
	assert_int_equal(migration_channel__wait_input(&a, &err), 0);
	assert_int_equal(migration_channel__flush(&a, &err), 0);
	migration_channel__close(&a);
}

/* What is sent to a socket that is gone is answered by a reset, never acknowledged. */
static void test_flush_and_reset(void **state)
{
	struct migration_channel a, b;
	struct error err = { "" };
	char word[] = "word";
	struct iovec iov = { word, 4 };

	(void)state;
	connected("tcp:127.0.0.1:0", &a, &b);
	migration_channel__close(&b);
	assert_int_equal(migration_channel__wait_input(&a, &err), 0);
	assert_int_equal(migration_channel__write(&a, &iov, 1, false, &err), 0);
	assert_int_equal(migration_channel__flush(&a, &err), -EPIPE);
	migration_channel__close(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_stale_socket_file),
		cmocka_unit_test(test_not_a_socket),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_input_stops_a_write),
		cmocka_unit_test(test_bandwidth_wait_ends),
		cmocka_unit_test(test_bandwidth_wait_is_no_silence),
		cmocka_unit_test(test_closed_peer),
		cmocka_unit_test(test_flush_and_orderly_end),
		cmocka_unit_test(test_flush_and_reset),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
