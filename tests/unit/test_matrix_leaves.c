// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the matrix takes for the leaf of a page, from lines of KVM's tracepoints: zaps,
 * splits, joins, and lines that must not be believed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>

#include <cmocka.h>

#include "conformance/lib/leaf_state.h"

#define HEAD	"  dmapat-confor-71      [000] .....     5.123456: "
#define SMALL	0x8600000012345b0fULL	/* EPT, 4 KiB, WC */
#define LARGE	0x8600000012200b8fULL	/* EPT, 2 MiB, WC */
#define TABLE	0x8000000036ec9907ULL
#define FROZEN	0x80000000000005a0ULL	/* what KVM writes while it zaps */

static int set_up(void **state)
{
	(void)state;
	leaf_state_reset();
	return 0;
}

static void changed(uint64_t gfn, unsigned int level, uint64_t spte)
{
	char line[256];

	snprintf(line, sizeof(line),
		 HEAD "kvm_tdp_mmu_spte_changed: as id 0 gfn %llx level %u old_spte 5a0 new_spte %llx",
		 (unsigned long long)gfn, level, (unsigned long long)spte);
	assert_int_equal(leaf_state_line(line), 0);
}

static void told(const char *event, int result)
{
	char line[256];

	snprintf(line, sizeof(line), HEAD "%s", event);
	assert_int_equal(leaf_state_line(line), result);
}

static void expect_now(uint64_t gfn, unsigned int level, uint64_t spte)
{
	uint64_t have;

	assert_int_equal(leaf_state_now(gfn, &have), level);
	assert_int_equal(have, spte);
}

static void nothing_is_known(void **state)
{
	(void)state;
	expect_now(0x100200, 0, 0);
	changed(0x100200, 1, SMALL);
	expect_now(0x100201, 0, 0);
	leaf_state_reset();
	expect_now(0x100200, 0, 0);
}

static void mapped_and_zapped(void **state)
{
	uint64_t spte;

	(void)state;
	changed(0x100201, 1, SMALL);
	expect_now(0x100201, 1, SMALL);
	changed(0x100201, 1, FROZEN);
	expect_now(0x100201, 0, 0);
	/* the last leaf stays known, until it is too old */
	assert_int_equal(leaf_state_last(0x100201, 0, &spte), 1);
	assert_int_equal(spte, SMALL);
	assert_int_equal(leaf_state_last(0x100201, leaf_state_order(), &spte), 0);
	assert_int_equal(spte, 0);
}

static void large_page_covers_its_gfns(void **state)
{
	(void)state;
	changed(0x100200, 2, LARGE);
	expect_now(0x100200, 2, LARGE);
	expect_now(0x1003ff, 2, LARGE);
	expect_now(0x1001ff, 0, 0);
	expect_now(0x100400, 0, 0);
}

static void a_table_is_no_leaf(void **state)
{
	(void)state;
	changed(0x100200, 2, TABLE);
	expect_now(0x100200, 0, 0);
	changed(0x100205, 1, SMALL);
	expect_now(0x100205, 1, SMALL);
	expect_now(0x100200, 0, 0);
}

static void split_and_joined(void **state)
{
	(void)state;
	changed(0x100200, 2, LARGE);
	changed(0x100200, 2, TABLE);
	/* the 4 KiB entries of a split are not told of until they change */
	expect_now(0x100200, 0, 0);
	changed(0x100200, 1, SMALL);
	expect_now(0x100200, 1, SMALL);
	/* the table goes, with what is in it, and a large page comes */
	changed(0x100200, 2, FROZEN);
	changed(0x100200, 1, FROZEN);
	expect_now(0x100200, 0, 0);
	changed(0x100200, 2, LARGE);
	expect_now(0x100200, 2, LARGE);
}

static void the_other_event(void **state)
{
	(void)state;
	told("kvm_mmu_set_spte: gfn 100201 spte 8600000012345b0f (rwx-) level 1 at 7654321", 0);
	expect_now(0x100201, 1, SMALL);
}

static void lines_that_do_not_count(void **state)
{
	(void)state;
	/* other events, levels without leaves, system management mode */
	assert_int_equal(leaf_state_line(""), 0);
	told("kvm_exit: vcpu 0 reason EPT_VIOLATION rip 0x6000", 0);
	changed(0, 4, TABLE);
	changed(0, 5, TABLE);
	changed(0x100201, 0, SMALL);
	told("kvm_tdp_mmu_spte_changed: as id 1 gfn 100201 level 1 old_spte 0 new_spte 12345b0f", 0);
	expect_now(0x100201, 0, 0);
	assert_int_equal(leaf_state_order(), 0);
}

static void lines_not_to_be_believed(void **state)
{
	(void)state;
	assert_int_equal(leaf_state_line("CPU:0 [LOST 12 EVENTS]"), -EOVERFLOW);
	told("kvm_tdp_mmu_spte_changed: as id 0 gfn 100201 level 1 old_spte 0", -EINVAL);
	told("kvm_tdp_mmu_spte_changed: gfn 100201 level 1 new_spte 7", -EINVAL);
	told("kvm_mmu_set_spte: gfn 100201 spte 7 level 1", -EINVAL);
	expect_now(0x100201, 0, 0);
}

/* More entries than the table begins with: all are found again. */
static void many_entries(void **state)
{
	(void)state;
	for (uint64_t gfn = 0; gfn < 5000; gfn++)
		changed(gfn, 1, SMALL | gfn << 12);
	for (uint64_t gfn = 0; gfn < 5000; gfn++)
		expect_now(gfn, 1, SMALL | gfn << 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_is_known, set_up),
		cmocka_unit_test_setup(mapped_and_zapped, set_up),
		cmocka_unit_test_setup(large_page_covers_its_gfns, set_up),
		cmocka_unit_test_setup(a_table_is_no_leaf, set_up),
		cmocka_unit_test_setup(split_and_joined, set_up),
		cmocka_unit_test_setup(the_other_event, set_up),
		cmocka_unit_test_setup(lines_that_do_not_count, set_up),
		cmocka_unit_test_setup(lines_not_to_be_believed, set_up),
		cmocka_unit_test_setup(many_entries, set_up),
	};

	return cmocka_run_group_tests_name("matrix: leaves", tests, NULL, NULL);
}
