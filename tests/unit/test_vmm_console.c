// SPDX-License-Identifier: GPL-2.0-or-later
/* The console: where the serial port's output goes and its input comes from. */
#include "unit/vmm_fake.h"

#include <linux/serial_reg.h>

#include "unit/capture.h"
#include "vmm/console.h"

struct test {
	struct loop *loop;
	struct serial serial;
	struct console console;
	int saved_stdin;
	int input;		/* our end of its standard input */
	int fds_before;
};

static int setup(void **state)
{
	static struct test test;
	struct test *t = &test;
	int fds[2];

	*t = (struct test) { .fds_before = count_fds() };
	t->saved_stdin = dup(STDIN_FILENO);
	if (pipe2(fds, O_CLOEXEC) < 0 || dup2(fds[0], STDIN_FILENO) < 0)
		return -1;
	close(fds[0]);
	t->input = fds[1];
	serial__init(&t->serial, -1, NULL, NULL);
	*state = t;
	return loop__create(&t->loop);
}

static int teardown(void **state)
{
	struct test *t = *state;
	int before = t->fds_before;

	loop__destroy(t->loop);
	serial__exit(&t->serial);
	if (t->saved_stdin >= 0) {
		dup2(t->saved_stdin, STDIN_FILENO);
		close(t->saved_stdin);
	} else {
		close(STDIN_FILENO);
	}
	if (t->input >= 0)
		close(t->input);
	return count_fds() == before ? 0 : -1;
}

static void create(struct test *t, const char *path)
{
	struct error err = { 0 };

	assert_int_equal(console__create(&t->console, t->loop, &t->serial, path, &err), 0);
}

static void test_none(void **state)
{
	struct test *t = *state;

	create(t, NULL);
	assert_int_equal(t->serial.out_fd, -1);
	assert_int_equal(console__timeout_ms(&t->console), -1);
	console__destroy(&t->console);
}

static void test_file(void **state)
{
	char path[] = "/tmp/dmapat-test-XXXXXX";
	int fd = mkstemp(path);
	struct test *t = *state;
	char text[16] = "";

	assert_int_equal(write(fd, "old text", 8), 8);
	create(t, path);
	serial__write(&t->serial, UART_TX, 'o');
	serial__write(&t->serial, UART_TX, 'k');
	assert_int_equal(pread(fd, text, sizeof(text), 0), 2);
	assert_string_equal(text, "ok");
	/* a file is no input, and standard input is left alone */
	assert_int_equal(write(t->input, "x", 1), 1);
	assert_int_equal(loop__run_once(t->loop, 0), 0);
	assert_int_equal(serial__input_room(&t->serial), SERIAL_RX_FIFO);
	console__destroy(&t->console);
	assert_int_equal(t->serial.out_fd, -1);
	close(fd);
	unlink(path);
}

static void test_bad_file(void **state)
{
	static const char path[] = "/nonexistent/log";
	struct test *t = *state;
	struct error err = { 0 };
	int r;

	r = console__create(&t->console, t->loop, &t->serial, path, &err);
	assert_int_equal(r, -ENOENT);
	assert_non_null(strstr(err.msg, path));
	console__destroy(&t->console);
}

static void test_input(void **state)
{
	struct test *t = *state;

	create(t, "-");
	assert_int_equal(t->serial.out_fd, STDOUT_FILENO);
	assert_int_equal(write(t->input, "hi", 2), 2);
	assert_int_equal(loop__run_once(t->loop, 1000), 0);
	assert_int_equal(serial__read(&t->serial, UART_RX), 'h');
	assert_int_equal(serial__read(&t->serial, UART_RX), 'i');
	console__destroy(&t->console);
}

/* More than the FIFO holds waits in the pipe, and the loop does not spin on it. */
static void test_full_fifo(void **state)
{
	char text[SERIAL_RX_FIFO + 6];
	struct test *t = *state;
	unsigned int i;

	create(t, "-");
	for (i = 0; i < sizeof(text); i++)
		text[i] = 'A' + i % 26;
	assert_int_equal(write(t->input, text, sizeof(text)), sizeof(text));
	assert_int_equal(loop__run_once(t->loop, 1000), 0);
	assert_int_equal(serial__input_room(&t->serial), 0);
	assert_int_equal(loop__run_once(t->loop, 1000), 0);
	assert_true(t->console.paused);
	assert_true(console__timeout_ms(&t->console) > 0);
	console__tick(&t->console);
	assert_true(t->console.paused);

	for (i = 0; i < SERIAL_RX_FIFO; i++)
		assert_int_equal(serial__read(&t->serial, UART_RX), text[i]);
	console__tick(&t->console);
	assert_false(t->console.paused);
	assert_int_equal(loop__run_once(t->loop, 1000), 0);
	for (; i < sizeof(text); i++)
		assert_int_equal(serial__read(&t->serial, UART_RX), text[i]);
	console__destroy(&t->console);
}

static void test_end_of_input(void **state)
{
	struct test *t = *state;

	create(t, "-");
	close(t->input);
	t->input = -1;
	assert_int_equal(loop__run_once(t->loop, 1000), 0);
	assert_int_equal(t->console.input.fd, -1);
	/* nothing is left that could wake the loop */
	assert_int_equal(loop__run_once(t->loop, 0), 0);
	console__destroy(&t->console);
}

/* Standard input that cannot be polled, such as a file, is no input. */
static void test_unpollable_input(void **state)
{
	struct test *t = *state;
	int fd = fake_dmabuf(4096);

	dup2(fd, STDIN_FILENO);
	close(fd);
	create(t, "-");
	assert_int_equal(t->console.input.fd, -1);
	console__destroy(&t->console);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_none),
		TEST(test_file),
		TEST(test_bad_file),
		TEST(test_input),
		TEST(test_full_fifo),
		TEST(test_end_of_input),
		TEST(test_unpollable_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
