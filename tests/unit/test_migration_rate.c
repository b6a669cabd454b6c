// SPDX-License-Identifier: GPL-2.0-or-later
/* The token bucket, with a clock that stands still until it is moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/migration_rate.h"

#define SECOND	1000000000ULL
#define START	(100 * SECOND)

static struct migration_rate rate;

static int setup(void **state)
{
	(void)state;
	migration_rate__init(&rate, 1000000, START);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	migration_rate__exit(&rate);
	return 0;
}

/* The first goes at once, and each further one when those before it are paid for. */
static void test_waits_for_those_before(void **state)
{
	(void)state;
	assert_int_equal(migration_rate__take(&rate, 250000, START), 0);
	assert_int_equal(migration_rate__take(&rate, 250000, START), SECOND / 4);
	assert_int_equal(migration_rate__take(&rate, 0, START), SECOND / 2);
	assert_int_equal(migration_rate__take(&rate, 500000, START + SECOND / 4), SECOND / 4);
	assert_int_equal(migration_rate__take(&rate, 1, START + SECOND), 0);
}

/* Whoever waits as told never sends more than the rate, whatever the sizes are. */
static void test_long_run(void **state)
{
	uint64_t now = START, sent = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		now += migration_rate__take(&rate, 1 + i * 7919 % 300000, now);
		sent += 1 + i * 7919 % 300000;
		/* The last one is on its way. */
		assert_true(sent <= (now - START) / 1000 + 300000);
	}
	assert_true(sent >= (now - START) / 1000);
}

/* Idle time is worth something, but not for ever. */
static void test_burst_is_bounded(void **state)
{
	uint64_t now = START + 3600 * SECOND, bytes = 0;

	(void)state;
	while (!migration_rate__take(&rate, 1000, now))
		bytes += 1000;
	assert_true(bytes >= MIGRATION_RATE_BURST_NS / 1000);
	assert_true(bytes <= MIGRATION_RATE_BURST_NS / 1000 + 1000);
}

/* A clock that has just begun must not make the burst wrap. */
static void test_early_clock(void **state)
{
	struct migration_rate early;

	(void)state;
	migration_rate__init(&early, 1000, 0);
	assert_int_equal(migration_rate__take(&early, 1000, 1), 0);
	assert_int_equal(migration_rate__take(&early, 1000, 1), SECOND - 1);
	migration_rate__exit(&early);
}

/* The largest numbers that parameters allow. */
static void test_large_numbers(void **state)
{
	struct migration_rate large;

	(void)state;
	migration_rate__init(&large, 1ULL << 53, START);
	assert_int_equal(migration_rate__take(&large, 1ULL << 53, START), 0);
	assert_int_equal(migration_rate__take(&large, 1, START), SECOND);
	migration_rate__exit(&large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_waits_for_those_before, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_burst_is_bounded, setup, teardown),
		cmocka_unit_test(test_early_clock),
		cmocka_unit_test(test_large_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
