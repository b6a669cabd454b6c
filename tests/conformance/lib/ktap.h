/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KTAP output of the test programs that run in the emulators.
 *
 * A check that fails is reported and the program goes on; a step without which
 * nothing after it makes sense ends the program (test_assert()).
 */
#ifndef TESTS_CONFORMANCE_KTAP_H
#define TESTS_CONFORMANCE_KTAP_H

#include <stdbool.h>

/* One line, "ok N - text" or "not ok N - text". Returns @ok. */
bool test_ok(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* As test_ok(), for two numbers that must be equal; prints both where they are not. */
bool test_eq(long long have, long long want, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As test_eq(), with errno names: @have is 0 or an errno, as want. */
bool test_errno(int have, int want, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A result that says that something could not be tested, and @why. */
void test_skip(const char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A comment line. */
void test_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Prints the plan and returns the exit status. The last call of main(). */
int test_end(void);

void test_die(const char *file, int line, const char *what) __attribute__((noreturn));

#define test_assert(cond)						\
	do {								\
		if (!(cond))						\
			test_die(__FILE__, __LINE__, #cond);		\
	} while (0)

#endif /* TESTS_CONFORMANCE_KTAP_H */
