// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs that the driver runs; see child.h. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_CHILDREN	8

static struct child *running[MAX_CHILDREN];

static void forget(const struct child *child)
{
	int i;

	for (i = 0; i < MAX_CHILDREN; i++)
		if (running[i] == child)
			running[i] = NULL;
}

/* What it said last is what its failure is about. */
static void print_rest(struct child *child)
{
	ssize_t n;

	fcntl(child->log, F_SETFL, O_NONBLOCK);
	do {
		printf("# %s: %.*s\n", child->name, (int)child->length, child->text);
		n = read(child->log, child->text, sizeof(child->text));
		child->length = n > 0 ? (size_t)n : 0;
	} while (n > 0);
}

void child_kill_all(void)
{
	int i;

	for (i = 0; i < MAX_CHILDREN; i++) {
		if (!running[i])
			continue;
		kill(running[i]->pid, SIGKILL);
		waitpid(running[i]->pid, NULL, 0);
		print_rest(running[i]);
		running[i] = NULL;
	}
}

void fail(const char *format, ...)
{
	va_list args;

	printf("not ok 1 ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	child_kill_all();
	exit(1);
}

static void run_program(int out, const char *const argv[])
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		_exit(126);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

void child_start(struct child *child, const char *name, const char *const argv[])
{
	int pipe_fds[2], i;

	for (i = 0; i < MAX_CHILDREN && running[i]; i++)
		;
	if (i == MAX_CHILDREN || pipe2(pipe_fds, O_CLOEXEC) < 0)
		fail("%s: cannot start: %s", name, strerror(errno));
	memset(child, 0, sizeof(*child));
	child->name = name;
	child->log = pipe_fds[0];
	fflush(stdout);
	child->pid = fork();
	if (child->pid < 0)
		fail("%s: fork: %s", name, strerror(errno));
	if (!child->pid)
		run_program(pipe_fds[1], argv);
	close(pipe_fds[1]);
	running[i] = child;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* 1: a line was taken, 0: the program closed its output */
static int take_line(struct child *child, char *line, size_t size, int64_t deadline)
{
	struct pollfd pfd = { .fd = child->log, .events = POLLIN };
	char *end;
	ssize_t n;

	while (!(end = memchr(child->text, '\n', child->length))) {
		if (child->length == sizeof(child->text))
			fail("%s: a line of more than %zu bytes", child->name, child->length);
		n = deadline - now_ms();
		if (n <= 0 || poll(&pfd, 1, (int)n) <= 0)
			fail("%s: silent for %d ms of the machine's clock", child->name,
			     DEMO_TIMEOUT_MS);
		n = read(child->log, child->text + child->length,
			 sizeof(child->text) - child->length);
		if (n <= 0)
			return 0;
		child->length += n;
	}
	*end++ = '\0';
	snprintf(line, size, "%s", child->text);
	line[strcspn(line, "\r")] = '\0';
	child->length -= end - child->text;
	memmove(child->text, end, child->length);
	printf("# %s: %s\n", child->name, line);
	return 1;
}

void child_wait_line(struct child *child, const char *text, char *line, size_t size)
{
	int64_t deadline = now_ms() + DEMO_TIMEOUT_MS;

	do {
		if (!take_line(child, line, size, deadline))
			fail("%s: ended without a line \"%s\"", child->name, text);
	} while (!strstr(line, text));
}

static int reap(struct child *child)
{
	int status;

	forget(child);
	close(child->log);
	if (waitpid(child->pid, &status, 0) < 0)
		fail("%s: wait: %s", child->name, strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void child_wait_exit(struct child *child, int status)
{
	int64_t deadline = now_ms() + DEMO_TIMEOUT_MS;
	char line[512];
	int got;

	while (take_line(child, line, sizeof(line), deadline))
		;
	got = reap(child);
	if (got != status)
		fail("%s: exit status %d, wanted %d", child->name, got, status);
}

void child_stop(struct child *child)
{
	int64_t deadline = now_ms() + DEMO_TIMEOUT_MS;
	char line[512];

	kill(child->pid, SIGTERM);
	while (take_line(child, line, sizeof(line), deadline))
		;
	reap(child);
}

/* A DMA-buf's mapping is called /dmabuf:NAME. */
uint64_t child_find_mapping(const struct child *child, const char *buffer, uint64_t size)
{
	uint64_t start, end, found = 0;
	char path[64], line[512], name[64];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", child->pid);
	maps = fopen(path, "r");
	if (!maps)
		fail("%s: %s", path, strerror(errno));
	snprintf(name, sizeof(name), "/dmabuf:%s", buffer);
	while (fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2 || end - start < size ||
		    strlen(line) < strlen(name) || strcmp(line + strlen(line) - strlen(name), name))
			continue;
		if (found)
			fail("%s: maps %s twice", child->name, buffer);
		found = start;
	}
	fclose(maps);
	if (!found)
		fail("%s: does not map %s", child->name, buffer);
	return found;
}
