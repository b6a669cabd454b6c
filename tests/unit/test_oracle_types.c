// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The oracle's tables against facts that do not come from them: the manuals'
 * rules in words, real entries, entries with one bit planted wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oracle_types.h"

/* What Linux writes to IA32_PAT: WB WC UC- UC WB WP UC- WT */
#define LINUX_PAT	0x0407050600070106ull

static const enum oracle_type pat_types[] = {
	ORACLE_UC, ORACLE_WC, ORACLE_WT, ORACLE_WP, ORACLE_WB, ORACLE_UC_MINUS,
};

#define N_PAT_TYPES	(sizeof(pat_types) / sizeof(pat_types[0]))

static struct oracle_leaf ept_leaf(enum oracle_type type, bool ignore_pat)
{
	return (struct oracle_leaf){
		.present = true,
		.type = type,
		.ignore_pat = ignore_pat,
		.level = 1,
	};
}

static void test_names(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < N_PAT_TYPES; i++)
		assert_int_equal(oracle_type_parse(oracle_type_name(pat_types[i])), pat_types[i]);
	assert_int_equal(oracle_type_parse("wc"), ORACLE_INVALID);
	assert_int_equal(oracle_type_parse(""), ORACLE_INVALID);
	assert_int_equal(oracle_type_parse("WCX"), ORACLE_INVALID);
	assert_string_equal(oracle_type_name((enum oracle_type)2), "invalid");
}

static void test_pat_msr(void **state)
{
	(void)state;
	assert_int_equal(oracle_pat_entry(LINUX_PAT, 0), ORACLE_WB);
	assert_int_equal(oracle_pat_entry(LINUX_PAT, 1), ORACLE_WC);
	assert_int_equal(oracle_pat_entry(LINUX_PAT, 2), ORACLE_UC_MINUS);
	assert_int_equal(oracle_pat_entry(LINUX_PAT, 3), ORACLE_UC);
	assert_int_equal(oracle_pat_entry(LINUX_PAT, 5), ORACLE_WP);
	assert_int_equal(oracle_pat_entry(LINUX_PAT, 7), ORACLE_WT);
	assert_int_equal(oracle_pat_entry(LINUX_PAT, 8), ORACLE_INVALID);
	/* reserved encodings, reserved bits */
	assert_int_equal(oracle_pat_entry(0x02, 0), ORACLE_INVALID);
	assert_int_equal(oracle_pat_entry(0x03, 0), ORACLE_INVALID);
	assert_int_equal(oracle_pat_entry(0x0e, 0), ORACLE_INVALID);
}

static void test_pte_pat_index(void **state)
{
	(void)state;
	assert_int_equal(oracle_pte_pat_index(0x00000001, 1), 0);
	assert_int_equal(oracle_pte_pat_index(0x00000009, 1), 1);	/* PWT */
	assert_int_equal(oracle_pte_pat_index(0x00000011, 1), 2);	/* PCD */
	assert_int_equal(oracle_pte_pat_index(0x00000099, 1), 7);	/* PAT: bit 7 */
	assert_int_equal(oracle_pte_pat_index(0x00000081, 2), 0);	/* large page */
	assert_int_equal(oracle_pte_pat_index(0x00001089, 2), 5);	/* PAT: bit 12 */
	assert_int_equal(oracle_pte_pat_index(0x00001001, 1), 0);	/* an address bit */
}

static void test_ept_leaf(void **state)
{
	struct oracle_leaf leaf;

	(void)state;
	/* a stock leaf as Bochs showed it: WB, PAT ignored */
	assert_true(oracle_ept_leaf(0x8600000002852b77, 1, &leaf));
	assert_true(leaf.present && leaf.writable && leaf.executable && leaf.ignore_pat);
	assert_int_equal(leaf.type, ORACLE_WB);
	assert_int_equal(leaf.address, 0x2852000);
	assert_int_equal(leaf.level, 1);
	/* the same with WC and UC in it, PAT honoured */
	assert_true(oracle_ept_leaf(0x8600000002852b0f, 1, &leaf));
	assert_int_equal(leaf.type, ORACLE_WC);
	assert_false(leaf.ignore_pat);
	assert_true(oracle_ept_leaf(0x8600000002852b07, 1, &leaf));
	assert_int_equal(leaf.type, ORACLE_UC);
	/* a 2 MiB leaf as Bochs showed it; a table at the same level is none */
	assert_true(oracle_ept_leaf(0x8600000005600bf7, 2, &leaf));
	assert_int_equal(leaf.address, 0x5600000);
	assert_int_equal(oracle_level_size(leaf.level), 0x200000);
	assert_false(oracle_ept_leaf(0x8000000036ec9907, 2, &leaf));
	assert_false(oracle_ept_leaf(0x8000000036ec9907, 4, &leaf));
	/* not present; types that the format reserves: 2, 3, 7 */
	assert_true(oracle_ept_leaf(0x8600000002852b70, 1, &leaf));
	assert_false(leaf.present);
	assert_false(oracle_ept_leaf(0x8600000002852b17, 1, &leaf));
	assert_false(oracle_ept_leaf(0x8600000002852b1f, 1, &leaf));
	assert_false(oracle_ept_leaf(0x8600000002852b3f, 1, &leaf));
}

static void test_npt_leaf(void **state)
{
	struct oracle_leaf leaf;

	(void)state;
	assert_true(oracle_npt_leaf(0x12345067, 1, LINUX_PAT, &leaf));
	assert_int_equal(leaf.type, ORACLE_WB);
	assert_int_equal(leaf.address, 0x12345000);
	assert_true(leaf.executable);
	assert_true(oracle_npt_leaf(0x800000001234506f, 1, LINUX_PAT, &leaf));	/* PWT */
	assert_int_equal(leaf.type, ORACLE_WC);
	assert_false(leaf.executable);
	assert_true(oracle_npt_leaf(0x1234507f, 1, LINUX_PAT, &leaf));		/* PCD and PWT */
	assert_int_equal(leaf.type, ORACLE_UC);
	/* bit 7 planted: entry 5 of the PAT, WP */
	assert_true(oracle_npt_leaf(0x123450ef, 1, LINUX_PAT, &leaf));
	assert_int_equal(leaf.type, ORACLE_WP);
	/* the same bits in a 2 MiB leaf: WC */
	assert_true(oracle_npt_leaf(0x122000ef, 2, LINUX_PAT, &leaf));
	assert_int_equal(leaf.type, ORACLE_WC);
	assert_int_equal(leaf.address, 0x12200000);
	assert_false(oracle_npt_leaf(0x12345067, 2, LINUX_PAT, &leaf));
	/* another PAT gives the same leaf another type */
	assert_true(oracle_npt_leaf(0x1234506f, 1, 0x0007040600070406ull, &leaf));
	assert_int_equal(leaf.type, ORACLE_WT);
	assert_false(oracle_npt_leaf(0x1234506f, 1, 0x0007040600070206ull, &leaf));
	assert_true(oracle_npt_leaf(0, 1, LINUX_PAT, &leaf));
	assert_false(leaf.present);
}

/* The safety argument: no guest PAT makes an access through a UC or WC leaf cacheable. */
static void test_floor(void **state)
{
	static const enum oracle_type floors[] = { ORACLE_UC, ORACLE_WC };
	enum oracle_type ept, npt;
	struct oracle_leaf leaf;
	size_t i, j;

	(void)state;
	for (i = 0; i < 2; i++) {
		leaf = ept_leaf(floors[i], false);
		for (j = 0; j < N_PAT_TYPES; j++) {
			ept = oracle_ept_effective(&leaf, pat_types[j]);
			npt = oracle_npt_effective(&leaf, pat_types[j]);
			assert_int_not_equal(ept, ORACLE_INVALID);
			assert_int_not_equal(npt, ORACLE_INVALID);
			assert_false(oracle_type_cacheable(ept));
			assert_false(oracle_type_cacheable(npt));
		}
	}
}

static void test_ept_effective(void **state)
{
	struct oracle_leaf leaf;
	size_t j;

	(void)state;
	/* the defect: the guest asks for WC, gets WB */
	leaf = ept_leaf(ORACLE_WB, true);
	for (j = 0; j < N_PAT_TYPES; j++)
		assert_int_equal(oracle_ept_effective(&leaf, pat_types[j]), ORACLE_WB);
	/* the right leaf: every type of the guest is WC or stricter */
	leaf = ept_leaf(ORACLE_WC, false);
	assert_int_equal(oracle_ept_effective(&leaf, ORACLE_WB), ORACLE_WC);
	assert_int_equal(oracle_ept_effective(&leaf, ORACLE_WC), ORACLE_WC);
	assert_int_equal(oracle_ept_effective(&leaf, ORACLE_UC_MINUS), ORACLE_WC);
	assert_int_equal(oracle_ept_effective(&leaf, ORACLE_WT), ORACLE_UC);
	assert_int_equal(oracle_ept_effective(&leaf, ORACLE_UC), ORACLE_UC);
	/* ignore-PAT planted: a guest's UC would become WC */
	leaf = ept_leaf(ORACLE_WC, true);
	assert_int_equal(oracle_ept_effective(&leaf, ORACLE_UC), ORACLE_WC);
	leaf = ept_leaf(ORACLE_UC, false);
	assert_int_equal(oracle_ept_effective(&leaf, ORACLE_UC_MINUS), ORACLE_UC);
	assert_int_equal(oracle_ept_effective(&leaf, ORACLE_WC), ORACLE_WC);
	/* a WB leaf that honours the PAT is what the guest makes of it; UC- is UC over WB */
	leaf = ept_leaf(ORACLE_WB, false);
	for (j = 0; j < N_PAT_TYPES; j++)
		assert_int_equal(oracle_ept_effective(&leaf, pat_types[j]),
				 pat_types[j] == ORACLE_UC_MINUS ? ORACLE_UC : pat_types[j]);
	leaf.present = false;
	assert_int_equal(oracle_ept_effective(&leaf, ORACLE_WB), ORACLE_INVALID);
	leaf = ept_leaf(ORACLE_WC, false);
	assert_int_equal(oracle_ept_effective(&leaf, ORACLE_INVALID), ORACLE_INVALID);
}

static void test_npt_effective(void **state)
{
	struct oracle_leaf leaf = ept_leaf(ORACLE_WB, false);
	size_t i;

	(void)state;
	assert_int_equal(oracle_npt_effective(&leaf, ORACLE_WC), ORACLE_WC);
	assert_int_equal(oracle_npt_effective(&leaf, ORACLE_WB), ORACLE_WB);
	leaf.type = ORACLE_WC;
	assert_int_equal(oracle_npt_effective(&leaf, ORACLE_WB), ORACLE_WC);
	leaf.type = ORACLE_UC;
	assert_int_equal(oracle_npt_effective(&leaf, ORACLE_WB), ORACLE_UC);
	/* UC in the guest's table wins over any leaf */
	for (i = 0; i < N_PAT_TYPES; i++) {
		leaf.type = pat_types[i];
		assert_int_equal(oracle_npt_effective(&leaf, ORACLE_UC), ORACLE_UC);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_pat_msr),
		cmocka_unit_test(test_pte_pat_index),
		cmocka_unit_test(test_ept_leaf),
		cmocka_unit_test(test_npt_leaf),
		cmocka_unit_test(test_floor),
		cmocka_unit_test(test_ept_effective),
		cmocka_unit_test(test_npt_effective),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
