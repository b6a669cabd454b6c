// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs one of KVM's own selftests in the emulated machine and reports it as one
 * KTAP result, with the last lines of what it said as comments. Started by
 * tests/emu/init with the lines that tests/upstream/run makes.
 *
 *	wrap NAME SECONDS [-H PAGES] PROGRAM [ARGUMENT...]
 *
 * PROGRAM: a file in the folder of this one, or a path. -H: reserve PAGES huge pages of 2 MiB
 * while it runs. SECONDS, of the machine's own clock: what runs longer is killed and has failed.
 * A selftest leaves with 0 when it passed and with 4 when it needs what the machine does not have.
 * The exit status is 0 when there is a result, whichever, and 2 when there is none.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KSFT_SKIP 4
#define CANNOT_START 127
#define SHOWN_LINES 15

static const char huge_pages[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

__attribute__((noreturn, format(printf, 1, 2)))
static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("wrap: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static unsigned long number(const char *text, const char *what)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end || n < 1 || n > 1000000)
		die("%s: 1 to 1000000, not \"%s\"", what, text);
	return n;
}

static void set(const char *file, unsigned long value)
{
	FILE *f = fopen(file, "w");

	if (!f || fprintf(f, "%lu\n", value) < 0 || fclose(f))
		die("%s: %lu: %s", file, value, strerror(errno));
}

/* The kernel gives what it has; a test on fewer pages than it was meant for would mislead. */
static void reserve_huge_pages(unsigned long wanted)
{
	unsigned long got = 0;
	FILE *f;

	set(huge_pages, wanted);
	f = fopen(huge_pages, "r");
	if (!f || fscanf(f, "%lu", &got) != 1 || got != wanted) {
		set(huge_pages, 0);
		die("%lu huge pages wanted, the kernel has memory for %lu", wanted, got);
	}
	fclose(f);
}

/* Exit status as waitpid() gives it; *late: it was killed after that many seconds. */
static int run(char **argv, int out, unsigned long seconds, bool *late)
{
	struct timespec limit = { .tv_sec = (time_t)seconds };
	sigset_t chld;
	int status;
	pid_t pid;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid) {
		setpgid(0, 0);
		sigprocmask(SIG_UNBLOCK, &chld, NULL);
		dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
		execv(argv[0], argv);
		dprintf(STDERR_FILENO, "%s: %s", argv[0], strerror(errno));
		_exit(CANNOT_START);
	}
	setpgid(pid, pid);
	*late = sigtimedwait(&chld, NULL, &limit) < 0 && errno == EAGAIN;
	if (*late)
		kill(-pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid: %s", strerror(errno));
	return status;
}

/* Everything that was written to @out, as a string. */
static char *all_of(int out)
{
	off_t size = lseek(out, 0, SEEK_END);
	char *text = size < 0 ? NULL : malloc((size_t)size + 1);
	off_t have = 0;

	if (!text)
		die("output of %jd bytes: %s", (intmax_t)size, strerror(errno));
	while (have < size) {
		ssize_t n = pread(out, text + have, (size_t)(size - have), have);

		if (n <= 0)
			die("output: %jd of %jd bytes read", (intmax_t)have, (intmax_t)size);
		have += n;
	}
	text[size] = '\0';
	return text;
}

/* The last place of @what in @text, NULL if there is none. */
static const char *last(const char *text, const char *what)
{
	const char *found = NULL;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		found = text;
	return found;
}

/* One line from @text on, without what stands around its words; *len: bytes, 0 if it is empty. */
static const char *words(const char *text, int *len)
{
	text += strspn(text, " \t-:");
	*len = (int)strcspn(text, "\r\n");
	while (*len && text[*len - 1] == ' ')
		(*len)--;
	return text;
}

/* Where the last @count lines of @text begin. */
static const char *last_lines(const char *text, int count)
{
	const char *p = text + strlen(text);

	if (p > text && p[-1] == '\n')
		p--;
	while (p > text && (p[-1] != '\n' || --count))
		p--;
	return p;
}

/* Every line of it as a comment: a selftest may print KTAP of its own. */
static void print_comments(const char *text)
{
	while (*text) {
		int len = (int)strcspn(text, "\r\n");

		if (len)
			printf("# %.*s\n", len, text);
		text += len + (text[len] != '\0');
	}
}

static void report(const char *name, int status, bool late, unsigned long seconds, const char *text)
{
	const char *at, *line;
	int len;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		printf("ok 1 %s\n", name);
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == KSFT_SKIP) {
		at = last(text, "SKIP");
		line = words(at ? at + strlen("SKIP") : last_lines(text, 1), &len);
		printf("ok 1 %s # SKIP %.*s\n", name, len, line);
		return;
	}
	printf("not ok 1 %s: ", name);
	if (late)
		printf("no end within %lu s", seconds);
	else if (WIFSIGNALED(status))
		printf("killed by signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		printf("exit status %d", WEXITSTATUS(status));
	at = last(text, "Test Assertion Failure");
	at = at ? strchr(at, '\n') : NULL;
	line = words(at ? at + 1 : last_lines(text, 1), &len);
	if (len)
		printf(": %.*s", len, line);
	putchar('\n');
}

/* The selftests load their own file as the guest's program: they must be started by its path. */
static char *path_of(const char *program)
{
	char self[PATH_MAX], *path;
	ssize_t n;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		die("/proc/self/exe: %s", strerror(errno));
	self[n] = '\0';
	if (strchr(program, '/'))
		path = strdup(program);
	else if (asprintf(&path, "%.*s%s", (int)(strrchr(self, '/') + 1 - self), self, program) < 0)
		path = NULL;
	if (!path)
		die("%s: %s", program, strerror(errno));
	return path;
}

int main(int argc, char **argv)
{
	unsigned long pages = 0, seconds;
	bool late;
	const char *name;
	char *text, *path;
	int out, status, opt;

	if (argc < 4)
		die("usage: wrap NAME SECONDS [-H PAGES] PROGRAM [ARGUMENT...]");
	name = argv[1];
	seconds = number(argv[2], "SECONDS");
	/* "+": what follows PROGRAM belongs to it. */
	optind = 3;
	while ((opt = getopt(argc, argv, "+H:")) != -1) {
		if (opt != 'H')
			return 2;
		pages = number(optarg, "-H");
	}
	if (optind == argc)
		die("%s: no program given", name);
	path = path_of(argv[optind]);
	argv[optind] = path;
	out = memfd_create("output", MFD_CLOEXEC);
	if (out < 0)
		die("memfd_create: %s", strerror(errno));
	if (pages)
		reserve_huge_pages(pages);

	printf("1..1\n");
	fflush(stdout);
	status = run(argv + optind, out, seconds, &late);
	text = all_of(out);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_START)
		die("%s", text);
	print_comments(last_lines(text, SHOWN_LINES));
	report(name, status, late, seconds, text);
	free(text);
	free(path);
	if (pages)
		set(huge_pages, 0);
	return 0;
}
