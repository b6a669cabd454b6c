// SPDX-License-Identifier: GPL-2.0-or-later
/* KTAP output; see ktap.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"

static unsigned int test_count, test_failures;

static void test_line(bool ok, const char *fmt, va_list args)
{
	printf("%s %u - ", ok ? "ok" : "not ok", ++test_count);
	vprintf(fmt, args);
	putchar('\n');
	fflush(stdout);
	if (!ok)
		test_failures++;
}

bool test_ok(bool ok, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	test_line(ok, fmt, args);
	va_end(args);
	return ok;
}

bool test_eq(long long have, long long want, const char *fmt, ...)
{
	va_list args;

	if (have != want)
		printf("# next: have %lld (0x%llx), want %lld (0x%llx)\n", have, have, want, want);
	va_start(args, fmt);
	test_line(have == want, fmt, args);
	va_end(args);
	return have == want;
}

static const char *test_errno_name(int err)
{
	return err ? strerrorname_np(err) : "success";
}

bool test_errno(int have, int want, const char *fmt, ...)
{
	va_list args;

	if (have != want)
		printf("# next: have %s, want %s\n", test_errno_name(have), test_errno_name(want));
	va_start(args, fmt);
	test_line(have == want, fmt, args);
	va_end(args);
	return have == want;
}

void test_skip(const char *why, const char *fmt, ...)
{
	va_list args;

	printf("ok %u - ", ++test_count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(" # SKIP %s\n", why);
	fflush(stdout);
}

void test_note(const char *fmt, ...)
{
	va_list args;

	printf("# ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

int test_end(void)
{
	printf("1..%u\n", test_count);
	fflush(stdout);
	return test_failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

void test_die(const char *file, int line, const char *what)
{
	printf("not ok %u - %s:%d: %s: %s\n", test_count + 1, file, line, what, strerror(errno));
	printf("Bail out! %s\n", what);
	fflush(stdout);
	exit(EXIT_FAILURE);
}
