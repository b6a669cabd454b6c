// SPDX-License-Identifier: GPL-2.0-or-later
/* When auto-converge slows a guest down, and by how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/migration_converge.h"
#include "vmm/vcpu_throttle.h"

static void test_shrinking_passes(void **state)
{
	struct migration_converge c = { 0 };
	uint64_t pages;

	(void)state;
	for (pages = 1 << 20; pages; pages /= 2)
		assert_int_equal(migration_converge__pass(&c, pages, pages / 2), 0);
}

/* Two bad ones in a row; a good one between them starts the count anew. */
static void test_two_in_a_row(void **state)
{
	struct migration_converge c = { 0 };

	(void)state;
	assert_int_equal(migration_converge__pass(&c, 1000, 501), 0);
	assert_int_equal(migration_converge__pass(&c, 1000, 500), 0);
	assert_int_equal(migration_converge__pass(&c, 1000, 501), 0);
	assert_int_equal(migration_converge__pass(&c, 1000, 501), 20);
}

/* It grows as long as it does not help, stays as soon as it does, and never is all. */
static void test_growth(void **state)
{
	struct migration_converge c = { 0 };
	unsigned int want;

	(void)state;
	for (want = 20; want < 99; want = want + 10 > 99 ? 99 : want + 10) {
		migration_converge__pass(&c, 1000, 1000);
		assert_int_equal(migration_converge__pass(&c, 1000, 1000), want);
		assert_int_equal(migration_converge__pass(&c, 1000, 100), want);
	}
	migration_converge__pass(&c, 1000, 1000);
	assert_int_equal(migration_converge__pass(&c, 1000, 1000), 99);
	migration_converge__pass(&c, 1000, 1000);
	assert_int_equal(migration_converge__pass(&c, 1000, 1000), 99);
	assert_int_equal(MIGRATION_THROTTLE_MAX, VCPU_THROTTLE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shrinking_passes),
		cmocka_unit_test(test_two_in_a_row),
		cmocka_unit_test(test_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
