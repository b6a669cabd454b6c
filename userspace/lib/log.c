// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Log lines on standard error. Called from everywhere in both programs. A line
 * is one write(2), so that lines of two processes on one terminal do not mix,
 * and needs no system call but that one: it works inside the sandbox.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_MAX	1024

static const char *program = "dmapat";

void log_set_program(const char *name)
{
	program = name;
}

static void __printf(2, 0) log_line(const char *level, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];
	int saved = errno;
	ssize_t ret;
	int len, n;

	len = snprintf(line, sizeof(line) - 1, "%s: %s", program, level);
	errno = saved;	/* for %m */
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): all callers va_start() */
	n = vsnprintf(line + len, sizeof(line) - 1 - len, fmt, ap);
	if (n > 0)
		len += n;
	if (len > LOG_LINE_MAX - 2)
		len = LOG_LINE_MAX - 2;
	line[len++] = '\n';

	/* Where would the failure of a log line be reported? */
	ret = write(STDERR_FILENO, line, len);
	(void)ret;
	errno = saved;
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("", fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("warning: ", fmt, ap);
	va_end(ap);
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line("error: ", fmt, ap);
	va_end(ap);
}
