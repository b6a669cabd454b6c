// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The timing witness' judgement: right where types cost different, and never a guess.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "matrix/timing_classify.h"

/* Ticks per access */
struct cost {
	double load;
	double store;
};

struct cpu {
	const char *name;
	struct cost uc;
	struct cost wc;
	struct cost wb;
};

/* Orders of magnitude of four kinds of CPU; no measurements. */
static const struct cpu cpus[] = {
	{ "client", { 330, 210 }, { 320, 9 }, { 5, 1.1 } },
	{ "server", { 520, 450 }, { 500, 24 }, { 5.2, 1.2 } },
	{ "WC loads overlap", { 260, 130 }, { 90, 12 }, { 3, 1 } },
	{ "stores post early", { 270, 40 }, { 270, 6 }, { 4.5, 0.6 } },
};

#define N_CPUS	(sizeof(cpus) / sizeof(cpus[0]))

static const struct cpu *const client = &cpus[0];
static const enum oracle_type types[] = { ORACLE_UC, ORACLE_WC, ORACLE_WB };

/*
 * Measured on an AMD EPYC (family 26, model 2; the TSC runs at 2.6 GHz) with other
 * work on it. WB is timed.S as it stands; UC and WC are stand-ins of the same number
 * of accesses to WB memory: lines flushed before they are loaded, in an order that
 * no prefetcher follows; each store flushed; and non-temporal stores, which go through
 * the WC buffers.
 */
static const struct timing_refs epyc = {
	.uc = {
		.loads = { 32, {
			254.72, 234.81, 230.34, 249.03, 249.84, 218.97, 229.53, 233.59,
			201.09, 236.84, 328.66, 229.53, 262.44, 239.28, 244.56, 244.16,
			252.28, 287.22, 241.31, 256.75, 218.16, 237.25, 227.09, 236.84,
			269.75, 253.09, 231.56, 244.97, 248.62, 237.25, 231.16, 229.94,
		} },
		.stores = { 32, {
			971.75, 938.69, 983.18, 991.00, 972.66, 1012.98, 1025.73, 1004.35,
			1014.61, 1134.15, 986.58, 1041.93, 1047.62, 27051.48, 977.03, 1093.52,
			976.88, 1218.75, 1022.23, 938.08, 968.91, 949.81, 1005.01, 1152.58,
			1046.45, 1013.34, 1107.89, 1126.53, 1014.91, 987.09, 984.55, 1059.55,
		} },
	},
	.wc = {
		.loads = { 32, {
			227.09, 237.25, 226.69, 218.97, 223.44, 215.31, 221.81, 234.00,
			227.50, 226.69, 224.66, 234.41, 232.38, 233.59, 230.75, 233.59,
			242.53, 227.09, 235.62, 226.28, 243.34, 231.56, 245.38, 229.53,
			239.28, 217.34, 233.59, 236.84, 226.28, 297.78, 233.19, 235.22,
		} },
		.stores = { 32, {
			1.17, 1.02, 1.02, 1.02, 1.02, 1.07, 1.02, 1.47,
			1.12, 1.02, 1.02, 1.07, 1.12, 1.02, 1.07, 1.12,
			1.12, 1.02, 1.12, 1.12, 1.12, 1.02, 1.02, 1.07,
			1.02, 1.02, 1.02, 1.02, 1.02, 1.02, 1.02, 1.07,
		} },
	},
	.wb = {
		.loads = { 32, {
			5.69, 4.47, 4.88, 4.88, 4.88, 4.88, 5.28, 5.28,
			4.88, 4.88, 4.88, 4.88, 4.88, 5.28, 4.88, 4.88,
			4.88, 4.88, 4.88, 4.88, 4.88, 4.88, 4.88, 5.28,
			4.88, 4.88, 4.88, 4.88, 4.88, 4.88, 4.88, 4.88,
		} },
		.stores = { 32, {
			0.81, 0.51, 0.56, 0.56, 0.56, 0.51, 0.51, 0.76,
			0.51, 0.51, 0.56, 0.56, 0.51, 0.56, 0.56, 0.56,
			0.51, 0.51, 0.56, 0.56, 0.56, 0.51, 0.51, 0.51,
			0.56, 0.51, 0.51, 0.51, 0.56, 0.56, 0.56, 0.51,
		} },
	},
};

/* 0 to 1; the same numbers in each run */
static uint64_t seed;

static double chance(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(seed >> 11) / (double)(UINT64_C(1) << 53);
}

/* Samples around @ticks, up to a factor of @noise off. */
static struct timing_series series(double ticks, double noise)
{
	struct timing_series s = { .n = TIMING_SAMPLES };

	for (unsigned int i = 0; i < s.n; i++)
		s.ticks[i] = ticks * pow(noise, 2 * chance() - 1);
	return s;
}

static struct timing_samples samples(struct cost cost, double noise)
{
	return (struct timing_samples){
		.loads = series(cost.load, noise),
		.stores = series(cost.store, noise),
	};
}

static struct timing_refs references(const struct cpu *cpu, double noise)
{
	return (struct timing_refs){
		.uc = samples(cpu->uc, noise),
		.wc = samples(cpu->wc, noise),
		.wb = samples(cpu->wb, noise),
	};
}

static struct cost cost_of(const struct cpu *cpu, enum oracle_type type)
{
	return type == ORACLE_UC ? cpu->uc : type == ORACLE_WC ? cpu->wc : cpu->wb;
}

static const char *judged(const struct timing_refs *refs, const struct timing_samples *measured)
{
	static char text[256];
	struct timing_verdict verdict = timing_judge(refs, measured);

	timing_describe(&verdict, text, sizeof(text));
	return text;
}

static void expect_type(const struct timing_refs *refs, const struct timing_samples *measured,
			enum oracle_type type, const char *what)
{
	struct timing_verdict verdict = timing_judge(refs, measured);

	if (verdict.type != type || verdict.margin < TIMING_MARGIN)
		fail_msg("%s: want %s, have %s", what, oracle_type_name(type),
			 judged(refs, measured));
}

/* @why: text that the reason must hold */
static void expect_unknown(const struct timing_refs *refs, const struct timing_samples *measured,
			   const char *why)
{
	struct timing_verdict verdict = timing_judge(refs, measured);

	assert_int_equal(verdict.type, ORACLE_INVALID);
	assert_true(verdict.margin == 0);
	if (!strstr(verdict.why, why))
		fail_msg("\"%s\" is not in \"%s\"", why, verdict.why);
}

/* The clock of guest and references may differ by some 40 %. */
static void test_types(void **state)
{
	static const double clock[] = { 0.7, 1, 1.4 };

	(void)state;
	for (size_t c = 0; c < N_CPUS; c++)
		for (size_t t = 0; t < 3; t++)
			for (size_t k = 0; k < 3; k++) {
				struct timing_refs refs = references(&cpus[c], 1.1);
				struct cost cost = cost_of(&cpus[c], types[t]);
				struct timing_samples measured;

				cost.load *= clock[k];
				cost.store *= clock[k];
				measured = samples(cost, 1.1);
				expect_type(&refs, &measured, types[t], cpus[c].name);
			}
}

static void test_measured(void **state)
{
	struct timing_samples software = samples((struct cost){ 9850, 3740 }, 1.02);

	(void)state;
	expect_type(&epyc, &epyc.uc, ORACLE_UC, "flushed stores");
	expect_type(&epyc, &epyc.wc, ORACLE_WC, "non-temporal stores");
	expect_type(&epyc, &epyc.wb, ORACLE_WB, "plain accesses");
	/* The same machine's guests run by software. */
	expect_unknown(&epyc, &software, "nearest reference");
}

/* An interrupt in the middle of a quarter of the samples, and of one more. */
static void test_outliers(void **state)
{
	struct timing_refs refs = references(client, 1.05);

	(void)state;
	for (size_t t = 0; t < 3; t++) {
		struct timing_samples measured = samples(cost_of(client, types[t]), 1.05);

		for (unsigned int i = 0; i < 8; i++) {
			measured.loads.ticks[i * 4] *= 200;
			measured.stores.ticks[i * 4 + 1] *= 200;
			refs.uc.stores.ticks[i * 3] *= 100;
			refs.wb.loads.ticks[i * 3] *= 100;
		}
		expect_type(&refs, &measured, types[t], "8 outliers of 32");
		refs = references(client, 1.05);
		measured.stores.ticks[2] *= 200;
		expect_unknown(&refs, &measured, "measured stores too noisy");
	}
}

static void test_noise(void **state)
{
	struct timing_refs refs = references(client, 1.05);
	struct timing_samples measured = samples(client->wc, 1.05);

	(void)state;
	/* Two of five samples say UC. */
	for (unsigned int i = 0; i < TIMING_SAMPLES; i++)
		if (i % 5 < 2)
			measured.stores.ticks[i] = client->uc.store;
	expect_unknown(&refs, &measured, "measured stores too noisy");

	measured = samples(client->wc, 1.05);
	refs.wb.loads = series(client->wb.load, 30);
	expect_unknown(&refs, &measured, "WB loads too noisy");
}

static void test_equal_references(void **state)
{
	const struct timing_samples even = samples((struct cost){ 41, 41 }, 1);
	struct timing_refs refs = { .uc = even, .wc = even, .wb = even };

	(void)state;
	refs.wc.loads = series(40, 1);
	assert_string_equal(judged(&refs, &even),
			    "timing: cannot tell (references not separated: loads UC 41, WC 40, WB 41)");

	/* Each pair that decides. */
	refs = references(client, 1);
	refs.wc.loads = refs.wb.loads;
	expect_unknown(&refs, &refs.wb, "not separated: loads UC 330, WC 5, WB 5");
	refs = references(client, 1);
	refs.uc.loads = series(client->wb.load * 2.9, 1);
	expect_unknown(&refs, &refs.wb, "not separated: loads UC 14.5, WC 320, WB 5");
	refs = references(client, 1);
	refs.wc.stores = refs.uc.stores;
	expect_unknown(&refs, &refs.uc, "not separated: stores UC 210, WC 210, WB 1.1");
	refs = references(client, 1);
	refs.wb.stores = refs.uc.stores;
	expect_unknown(&refs, &refs.wb, "not separated: stores UC 210, WC 9, WB 210");
}

static void test_swapped_references(void **state)
{
	struct timing_refs refs = references(client, 1.05);
	struct timing_samples keep = refs.uc;

	(void)state;
	refs.uc = refs.wb;
	refs.wb = keep;
	expect_unknown(&refs, &keep, "references in the wrong order: loads");

	refs = references(client, 1.05);
	keep = refs.uc;
	refs.uc = refs.wc;
	refs.wc = keep;
	expect_unknown(&refs, &keep, "references in the wrong order: stores");
}

static void test_between(void **state)
{
	struct timing_refs refs = references(client, 1);
	struct timing_samples measured;

	(void)state;
	measured = samples((struct cost){ 40, 1.1 }, 1.05);
	expect_unknown(&refs, &measured, "nearest reference");
	measured = samples((struct cost){ 325, 43 }, 1.05);
	expect_unknown(&refs, &measured, "nearest reference");

	/* Near enough to one, but the other is not far enough. */
	refs.uc.stores = series(30, 1);
	measured = samples((struct cost){ 325, 14 }, 1);
	expect_unknown(&refs, &measured, "stores 14 between WC 9 and UC 30, margin 1.5");
}

/* Costs beyond all references are nobody's. */
static void test_far(void **state)
{
	struct timing_refs refs = references(client, 1);
	struct timing_samples measured;

	(void)state;
	measured = samples((struct cost){ 330 * 2.5, 210 }, 1.05);
	expect_unknown(&refs, &measured, "nearest reference");
	measured = samples((struct cost){ 330, 210 * 2.5 }, 1.05);
	expect_unknown(&refs, &measured, "nearest reference");
	measured = samples((struct cost){ 5 / 2.5, 1.1 }, 1.05);
	expect_unknown(&refs, &measured, "nearest reference WB 5");
}

/* WT and WP: cached loads, stores that go to memory. */
static void test_cached_loads_alone(void **state)
{
	struct timing_refs refs = references(client, 1);
	struct timing_samples measured = samples((struct cost){ 5, 210 }, 1);

	(void)state;
	assert_string_equal(judged(&refs, &measured),
			    "timing: cannot tell (loads 5 like WB, but stores 210, WB's are 1.1)");
	measured = samples((struct cost){ 5, 9 }, 1.05);
	expect_unknown(&refs, &measured, "like WB, but stores");
}

/* Where WC loads overlap, they speak, too. */
static void test_contradiction(void **state)
{
	const struct cpu *cpu = &cpus[2];
	struct timing_refs refs = references(cpu, 1);
	struct timing_samples measured;

	(void)state;
	measured = samples((struct cost){ cpu->uc.load, cpu->wc.store }, 1);
	assert_string_equal(judged(&refs, &measured),
			    "timing: cannot tell (loads 260 like UC, but stores 12 like WC)");
	measured = samples((struct cost){ cpu->wc.load, cpu->uc.store }, 1);
	expect_unknown(&refs, &measured, "loads 90 like WC, but stores 130 like UC");
}

static void test_too_few(void **state)
{
	const struct timing_refs none = { .uc.loads.n = 0 };
	struct timing_refs refs = references(client, 1.05);
	struct timing_samples measured = samples(client->uc, 1.05);

	(void)state;
	expect_unknown(&none, &measured, "UC loads: 0 usable samples of 0, 16 wanted");
	measured.stores.n = TIMING_MIN_SAMPLES;
	expect_type(&refs, &measured, ORACLE_UC, "16 samples");
	measured.stores.n--;
	expect_unknown(&refs, &measured, "measured stores: 15 usable samples of 15, 16 wanted");
	measured.stores.n = TIMING_SAMPLES + 1;
	expect_unknown(&refs, &measured, "measured stores: 33 samples, 32 is the most");
}

static void test_absurd_values(void **state)
{
	const double absurd[] = { 0, -0.0, -3, NAN, INFINITY, -INFINITY, TIMING_ABSURD, 1.8e19 };

	(void)state;
	for (size_t a = 0; a < sizeof(absurd) / sizeof(absurd[0]); a++) {
		struct timing_refs refs = references(client, 1.05);
		struct timing_samples measured = samples(client->wc, 1.05);

		for (unsigned int i = 0; i < 8; i++) {
			measured.loads.ticks[i * 2] = absurd[a];
			refs.wc.stores.ticks[i * 3] = absurd[a];
		}
		expect_type(&refs, &measured, ORACLE_WC, "a quarter of the samples absurd");
		refs.wc.stores.ticks[1] = absurd[a];
		expect_unknown(&refs, &measured, "WC stores: 23 usable samples of 32");
		refs.wc.stores.ticks[1] = client->wc.store;
		for (unsigned int i = 0; i < TIMING_SAMPLES; i++)
			measured.loads.ticks[i] = absurd[a];
		expect_unknown(&refs, &measured, "measured loads: 0 usable samples of 32");
	}
}

static void expect_margin(double load, double store, double margin)
{
	static const struct cpu cpu = { "round", { 400, 100 }, { 400, 10 }, { 4, 1 } };
	struct timing_refs refs = references(&cpu, 1);
	struct timing_samples measured = samples((struct cost){ load, store }, 1);
	struct timing_verdict verdict = timing_judge(&refs, &measured);

	if (fabs(verdict.margin - margin) > 0.000001)
		fail_msg("loads %g, stores %g: margin %f, want %f", load, store, verdict.margin,
			 margin);
}

/* By the formula in timing_classify.h, with the floor of the spread. */
static void test_margin(void **state)
{
	const double s = log(1.05);

	(void)state;
	expect_margin(400, 10, (log(10) - s) / s);
	expect_margin(400, 15, (log(100.0 / 15) - s) / (log(1.5) + s));
	expect_margin(4, 1, (log(100) - s) / s);
	expect_margin(300, 100, (log(300.0 / 4) - s) / (log(400.0 / 300) + s));
	expect_margin(400, 30, 0);
}

/* A spread above the floor lowers the margin, whosever it is. */
static void test_margin_spread(void **state)
{
	struct timing_refs refs = references(client, 1);
	struct timing_samples measured = samples(client->wc, 1);
	const double calm = timing_judge(&refs, &measured).margin;

	(void)state;
	measured.stores = series(client->wc.store, 1.3);
	assert_true(timing_judge(&refs, &measured).margin < calm / 2);
	measured = samples(client->wc, 1);
	refs.wc.stores = series(client->wc.store, 1.3);
	assert_true(timing_judge(&refs, &measured).margin < calm / 2);
	refs = references(client, 1);
	refs.uc.stores = series(client->uc.store, 1.3);
	assert_true(timing_judge(&refs, &measured).margin < calm / 2);
}

/* Any noise, any share of outliers, any drift of the clock: no wrong answer. */
static void test_never_wrong(void **state)
{
	unsigned int told = 0;

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		const struct cpu *cpu = &cpus[i % N_CPUS];
		const enum oracle_type type = types[i % 3];
		const double outliers = chance() * 0.4, drift = pow(2, chance() - 0.5);
		struct timing_refs refs = references(cpu, 1 + 2 * chance() * chance());
		struct cost cost = cost_of(cpu, type);
		struct timing_samples measured;
		struct timing_verdict verdict;

		cost.load *= drift;
		cost.store *= drift;
		measured = samples(cost, 1 + 4 * chance() * chance());
		for (unsigned int s = 0; s < TIMING_SAMPLES; s++) {
			if (chance() < outliers)
				measured.loads.ticks[s] *= pow(1000, chance());
			if (chance() < outliers)
				measured.stores.ticks[s] *= pow(1000, chance());
		}
		verdict = timing_judge(&refs, &measured);
		if (timing_contradicts(&verdict, type))
			fail_msg("%s, round %u: %s is taken for %s", cpu->name, i,
				 oracle_type_name(type), judged(&refs, &measured));
		told += verdict.type == type;
	}
	/* And it does tell. */
	assert_in_range(told, 4000, 20000);
}

static void test_contradicts(void **state)
{
	static const struct {
		enum oracle_type effective;
		bool uc, wc, wb;
	} table[] = {
		{ ORACLE_UC, false, true, true },
		{ ORACLE_UC_MINUS, false, true, true },
		{ ORACLE_WC, true, false, true },
		{ ORACLE_WT, true, true, false },
		{ ORACLE_WP, true, true, false },
		{ ORACLE_WB, true, true, false },
		{ ORACLE_INVALID, false, false, false },
	};
	struct timing_verdict verdict = { .margin = 5 };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		verdict.type = ORACLE_UC;
		assert_int_equal(timing_contradicts(&verdict, table[i].effective), table[i].uc);
		verdict.type = ORACLE_WC;
		assert_int_equal(timing_contradicts(&verdict, table[i].effective), table[i].wc);
		verdict.type = ORACLE_WB;
		assert_int_equal(timing_contradicts(&verdict, table[i].effective), table[i].wb);
		verdict.type = ORACLE_INVALID;
		assert_false(timing_contradicts(&verdict, table[i].effective));
	}
}

static void test_describe(void **state)
{
	struct timing_refs refs = references(client, 1);
	struct timing_verdict verdict = timing_judge(&refs, &refs.wc);
	char text[16];

	(void)state;
	assert_string_equal(judged(&refs, &refs.wc),
			    "timing: WC (margin 63.6: loads 320 like UC/WC, stores 9 like WC)");
	assert_string_equal(judged(&refs, &refs.uc),
			    "timing: UC (margin 63.6: loads 330 like UC/WC, stores 210 like UC)");
	assert_string_equal(judged(&refs, &refs.wb),
			    "timing: WB (margin 84.2: loads 5 like WB, stores 1.1)");
	timing_describe(&verdict, text, sizeof(text));
	assert_string_equal(text, "timing: WC (mar");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_measured),
		cmocka_unit_test(test_outliers),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_equal_references),
		cmocka_unit_test(test_swapped_references),
		cmocka_unit_test(test_between),
		cmocka_unit_test(test_far),
		cmocka_unit_test(test_cached_loads_alone),
		cmocka_unit_test(test_contradiction),
		cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_absurd_values),
		cmocka_unit_test(test_margin),
		cmocka_unit_test(test_margin_spread),
		cmocka_unit_test(test_never_wrong),
		cmocka_unit_test(test_contradicts),
		cmocka_unit_test(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
