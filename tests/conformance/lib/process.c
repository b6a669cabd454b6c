// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs under test and their control sockets; see process.h. */
#include "lib/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/ktap.h"

int64_t process_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int process_times(void)
{
	const char *times = getenv("DMAPAT_TIMES");

	return times ? atoi(times) : 1;
}

int process_timeout_ms(void)
{
	return 60000 * process_times();
}

void process_start(struct process *p, const char *const *argv)
{
	int pipefd[2], inputfd[2];

	memset(p, 0, sizeof(*p));
	test_assert(pipe2(pipefd, O_CLOEXEC) == 0 && pipe2(inputfd, O_CLOEXEC) == 0);
	p->pid = fork();
	if (!p->pid) {
		dup2(inputfd[0], STDIN_FILENO);
		dup2(pipefd[1], STDOUT_FILENO);
		dup2(pipefd[1], STDERR_FILENO);
		execv(argv[0], (char **)argv);
		_exit(127);
	}
	test_assert(p->pid > 0);
	close(pipefd[1]);
	close(inputfd[0]);
	p->out = pipefd[0];
	p->in = inputfd[1];
}

/* Some more of its output; false at the end, at the deadline, or when it is too much. */
static bool read_more(struct process *p, int64_t deadline)
{
	struct pollfd pfd = { .fd = p->out, .events = POLLIN };
	int64_t left = deadline - process_now_ms();
	ssize_t n;

	if (p->len == sizeof(p->text) - 1 || poll(&pfd, 1, left < 0 ? 0 : left) <= 0)
		return false;
	n = read(p->out, p->text + p->len, sizeof(p->text) - 1 - p->len);
	if (n <= 0)
		return false;
	p->len += n;
	return true;
}

bool process_says(struct process *p, const char *text)
{
	int64_t deadline = process_now_ms() + process_timeout_ms();

	while (!strstr(p->text, text))
		if (!read_more(p, deadline))
			return false;
	return true;
}

int process_end(struct process *p)
{
	int64_t deadline = process_now_ms() + process_timeout_ms();
	struct pollfd pfd = { .events = POLLIN };
	bool killed;
	int status;

	if (!p->pid)
		return -1;
	while (read_more(p, deadline))
		;
	pfd.fd = syscall(SYS_pidfd_open, p->pid, 0);
	test_assert(pfd.fd >= 0);
	killed = poll(&pfd, 1, process_timeout_ms()) == 0;
	close(pfd.fd);
	if (killed)
		kill(p->pid, SIGKILL);
	test_assert(waitpid(p->pid, &status, 0) == p->pid);
	close(p->out);
	close(p->in);
	p->pid = 0;
	if (killed)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void process_show(const struct process *p)
{
	const char *line = p->text;
	int len;

	while (*line) {
		len = strcspn(line, "\n");
		test_note("  %.*s", len, line);
		line += len + (line[len] == '\n');
	}
}

void control_connect(struct control *c, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int64_t deadline = process_now_ms() + process_timeout_ms();
	struct timespec tick = { .tv_nsec = 10000000 };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	c->nr_unread = 0;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The socket's appearance is no event that could be waited for. */
	while (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		test_assert(process_now_ms() < deadline);
		nanosleep(&tick, NULL);
	}
}

void control_close(struct control *c)
{
	close(c->fd);
	c->fd = -1;
}

/* Move what is unread, up to the end of a line, to @len of c->line. true: a whole line. */
static bool take_line(struct control *c, size_t *len)
{
	const char *end = memchr(c->unread, '\n', c->nr_unread);
	size_t n = end ? (size_t)(end - c->unread) : c->nr_unread;

	test_assert(*len + n < sizeof(c->line));
	memcpy(c->line + *len, c->unread, n);
	*len += n;
	c->line[*len] = '\0';
	n += end ? 1 : 0;
	c->nr_unread -= n;
	memmove(c->unread, c->unread + n, c->nr_unread);
	return end;
}

bool control_wait(struct control *c, const char *text)
{
	int64_t deadline = process_now_ms() + process_timeout_ms(), left;
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	size_t len = 0;
	ssize_t n;

	for (;;) {
		if (take_line(c, &len)) {
			if (strstr(c->line, text))
				return true;
			len = 0;
			continue;
		}
		left = deadline - process_now_ms();
		if (left <= 0 || poll(&pfd, 1, left) <= 0)
			return false;
		n = read(c->fd, c->unread, sizeof(c->unread));
		if (n <= 0)
			return false;
		c->nr_unread = n;
	}
}

const char *control_command(struct control *c, const char *json)
{
	char request[1024];
	int len;

	len = snprintf(request, sizeof(request), "{%s,\"id\":\"test\"}\n", json);
	test_assert(len < (int)sizeof(request) && write(c->fd, request, len) == len);
	test_assert(control_wait(c, "\"id\":\"test\""));
	return c->line;
}
