// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cells of the matrix: the lines' parser, the rule for every module set, host type
 * and vendor, and wrong leaves planted in cells, each of which must be named. The
 * expected types are written out here again, from the manuals' tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle_cell.h"

/* What Linux writes to IA32_PAT: WB WC UC- UC WB WP UC- WT */
#define LINUX_PAT	0x0407050600070106ull

/* Entries as KVM makes them: 4 KiB leaves unless LARGE */
#define EPT_UC		0x8600000002852b07ull
#define EPT_WC		0x8600000002852b0full
#define EPT_WC_IGNORE	0x8600000002852b4full
#define EPT_WB		0x8600000002852b37ull
#define EPT_WB_IGNORE	0x8600000002852b77ull
#define EPT_WC_LARGE	0x8600000005600b8full
#define EPT_TABLE	0x8000000036ec9907ull
#define NPT_WB		0x0000000012345067ull
#define NPT_WC		0x000000001234506full
#define NPT_UC_MINUS	0x0000000012345077ull
#define NPT_UC		0x000000001234507full
#define NPT_WC_LARGE	0x00000000122000efull

#define ASKED	"modules=dmapat vendor=intel host=wc-heap memtype=WC page=4K bound=1 pat=WB "
#define SEEN	"got=access spte=0x8600000002852b0f level=1 host-pat=0x407050600070106 data=ok "
#define TRACED	"phase=0x1001 linear=0x400000001000"

static const char line[] =
	"# cell " ASKED "moment=first-touch want-level=1 want=access " SEEN TRACED "\n";

/* A cell as it must be: a WC heap's page under dmapat. */
static struct cell good(enum cell_vendor vendor)
{
	return (struct cell){
		.modules = CELL_DMAPAT,
		.vendor = vendor,
		.host = "wc-heap",
		.memtype = ORACLE_WC,
		.page = 1,
		.pat = ORACLE_WB,
		.moment = "first-touch",
		.want_level = 1,
		.spte = vendor == CELL_AMD ? NPT_WC : EPT_WC,
		.level = 1,
		.host_pat = LINUX_PAT,
		.data_ok = true,
	};
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(cell_modules_name(CELL_DMAPAT), "dmapat");
	assert_string_equal(cell_modules_name(CELL_DMAPAT_OFF), "dmapat-off");
	assert_string_equal(cell_modules_name(CELL_STOCK), "stock");
	assert_string_equal(cell_modules_name(CELL_STOCK_QUIRK_OFF), "stock-quirk-off");
	assert_string_equal(cell_vendor_name(CELL_INTEL), "intel");
	assert_string_equal(cell_vendor_name(CELL_AMD), "amd");
}

static void test_parse(void **state)
{
	struct cell cell;

	(void)state;
	assert_int_equal(cell_parse(line, &cell), 0);
	assert_int_equal(cell.modules, CELL_DMAPAT);
	assert_int_equal(cell.vendor, CELL_INTEL);
	assert_string_equal(cell.host, "wc-heap");
	assert_int_equal(cell.memtype, ORACLE_WC);
	assert_int_equal(cell.page, 1);
	assert_true(cell.bound);
	assert_int_equal(cell.pat, ORACLE_WB);
	assert_string_equal(cell.moment, "first-touch");
	assert_int_equal(cell.want_level, 1);
	assert_false(cell.want_fault || cell.fault);
	assert_int_equal(cell.spte, EPT_WC);
	assert_int_equal(cell.level, 1);
	assert_int_equal(cell.host_pat, LINUX_PAT);
	assert_true(cell.data_ok);
	assert_int_equal(cell.phase, 0x1001);
	assert_int_equal(cell.linear, 0x400000001000);
}

/* Puts @to in the place of @from in the good line and parses that. */
static int parse_with(const char *from, const char *to)
{
	const char *at = strstr(line, from);
	char text[512];
	struct cell cell;

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - line), line, to, at + strlen(from));
	return cell_parse(text, &cell);
}

static void test_parse_choices(void **state)
{
	(void)state;
	assert_int_equal(parse_with("modules=dmapat ", "modules=stock-quirk-off "), 0);
	assert_int_equal(parse_with("vendor=intel", "vendor=amd"), 0);
	assert_int_equal(parse_with("pat=WB", "pat=UC-"), 0);
	assert_int_equal(parse_with("page=4K", "page=2M"), 0);
	assert_int_equal(parse_with("got=access", "got=fault"), 0);
	assert_int_equal(parse_with("data=ok", "data=wrong"), 0);
	assert_int_equal(parse_with(" phase=0x1001 linear=0x400000001000", ""), 0);
	assert_int_equal(parse_with("linear=0x400000001000\n", "linear=0x400000001000\r\n"), 0);
	assert_int_equal(parse_with("spte=0x8600000002852b0f level=1", "spte=0x0 level=0"), 0);
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[][2] = {
		/* prefix */
		{ "# cell ", "" }, { "# cell ", "cell " }, { "# cell ", "# cells " },
		{ "# cell ", "# no-cell " }, { "# cell ", " # cell " },
		/* no value of that word */
		{ "modules=dmapat", "modules=dmapatch" }, { "modules=dmapat", "modules=" },
		{ "modules=dmapat", "modules" }, { "vendor=intel", "vendor=via" },
		{ "host=wc-heap", "host=" }, { "memtype=WC", "memtype=wc" },
		{ "host=wc-heap", "host=0123456789abcdef0123456789abcdef" },
		{ "moment=first-touch", "moment=0123456789abcdef0123456789abcdef" },
		{ "moment=first-touch", "moment=" }, { "page=4K", "page=1G" },
		{ "bound=1", "bound=yes" }, { "bound=1", "bound=01" }, { "pat=WB", "pat=2" },
		{ "want=access", "want=faults" }, { "got=access", "got=" },
		{ "data=ok", "data=okay" },
		/* numbers */
		{ "want-level=1", "want-level=0" }, { "want-level=1", "want-level=3" },
		{ "want-level=1", "want-level=one" }, { " level=1", " level=4" },
		{ " level=1", " level=-1" }, { " level=1", " level=" }, { " level=1", " level=1x" },
		{ "spte=0x8600000002852b0f", "spte=8600000002852b0f" },
		{ "spte=0x8600000002852b0f", "spte=0x18600000002852b0f" },
		{ "spte=0x8600000002852b0f", "spte=0x" }, { "host-pat=0x", "host-pat=-0x" },
		{ "host-pat=0x", "host-pat=+0x" }, { "phase=0x1001", "phase=0" },
		{ "phase=0x1001", "phase=0x100000000" }, { "linear=0x4", "linear=0xg" },
		/* unknown, doubled */
		{ "data=ok", "data=ok color=blue" }, { "data=ok", "data=ok =1" },
		{ "data=ok", "data=ok ok" }, { "data=ok", "data=ok data=ok" },
		{ "bound=1", "bound=1 bound=0" }, { "modules=dmapat", "modules=dmapat modules=dmapat" },
		/* longer than any word can be */
		{ "data=ok", "data=ok 0123456789012345678901234567890123456789012345678901234567890123" },
		/* one without the other */
		{ " phase=0x1001", "" }, { " linear=0x400000001000", "" },
		/* the quirk is Intel's alone; 2 MiB of an exporter that gives 4 KiB */
		{ "dmapat vendor=intel", "stock-quirk-off vendor=amd" },
		{ "want-level=1", "want-level=2" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse_with(bad[i][0], bad[i][1]) != -EINVAL)
			fail_msg("taken: %s in place of %s", bad[i][1], bad[i][0]);
	assert_int_equal(cell_parse("", &(struct cell){ 0 }), -EINVAL);
	assert_int_equal(cell_parse("# cell ", &(struct cell){ 0 }), -EINVAL);
}

/* Every word of the line but the last two is needed. */
static void test_parse_missing(void **state)
{
	static const char *const needed[] = {
		"modules=dmapat ", "vendor=intel ", "host=wc-heap ", "memtype=WC ", "page=4K ",
		"bound=1 ", "pat=WB ", "moment=first-touch ", "want-level=1 ", "want=access ",
		"got=access ", "spte=0x8600000002852b0f ", " level=1", "host-pat=0x407050600070106 ",
		"data=ok ",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (parse_with(needed[i], "") != -EINVAL)
			fail_msg("taken without %s", needed[i]);
	/* cut off anywhere before the last needed word ends */
	for (i = 0; i < (size_t)(strstr(line, "data=ok") - line) + 7; i++) {
		char text[512];
		struct cell cell;

		snprintf(text, sizeof(text), "%.*s", (int)i, line);
		if (cell_parse(text, &cell) != -EINVAL)
			fail_msg("taken: %s", text);
	}
}

static void print_and_parse(const struct cell *cell, struct cell *again)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	cell_print(out, cell);
	fclose(out);
	assert_int_equal(cell_parse(text, again), 0);
	assert_int_equal(text[size - 1], '\n');
	assert_ptr_equal(strchr(text, '\n'), text + size - 1);
	free(text);
}

static void test_round_trip(void **state)
{
	struct cell cell, again;

	(void)state;
	cell = good(CELL_INTEL);
	memset(&again, 0xa5, sizeof(again));
	print_and_parse(&cell, &again);
	assert_int_equal(again.modules, CELL_DMAPAT);
	assert_string_equal(again.host, "wc-heap");
	assert_int_equal(again.spte, EPT_WC);
	assert_int_equal(again.phase, 0);

	/* all values other than before, the longest names */
	cell = (struct cell){
		.modules = CELL_DMAPAT_OFF, .vendor = CELL_AMD, .memtype = ORACLE_WP, .page = 2,
		.host = "0123456789abcdef0123456789abcde", .bound = true, .pat = ORACLE_UC_MINUS,
		.moment = "edcba9876543210fedcba9876543210", .want_level = 2, .want_fault = true,
		.fault = true, .spte = UINT64_MAX, .level = 3, .host_pat = UINT64_MAX,
		.phase = UINT32_MAX, .linear = UINT64_MAX,
	};
	print_and_parse(&cell, &again);
	assert_int_equal(again.modules, CELL_DMAPAT_OFF);
	assert_int_equal(again.vendor, CELL_AMD);
	assert_string_equal(again.host, cell.host);
	assert_int_equal(again.memtype, ORACLE_WP);
	assert_int_equal(again.page, 2);
	assert_true(again.bound && again.want_fault && again.fault);
	assert_int_equal(again.pat, ORACLE_UC_MINUS);
	assert_string_equal(again.moment, cell.moment);
	assert_int_equal(again.want_level, 2);
	assert_int_equal(again.spte, UINT64_MAX);
	assert_int_equal(again.level, 3);
	assert_int_equal(again.host_pat, UINT64_MAX);
	assert_false(again.data_ok);
	assert_int_equal(again.phase, UINT32_MAX);
	assert_int_equal(again.linear, UINT64_MAX);
}

static const enum oracle_type types[] = {
	ORACLE_UC, ORACLE_UC_MINUS, ORACLE_WC, ORACLE_WT, ORACLE_WP, ORACLE_WB,
};

/*
 * The leaf for each host type, in the order of types[]. "I": ignores the guest's PAT.
 */
static const struct {
	enum cell_modules modules;
	enum cell_vendor vendor;
	bool bound;
	const char *leaves[6];
} rules[] = {
	{ CELL_DMAPAT, CELL_INTEL, false, { "UC", "UC", "WC", "WB I", "WB I", "WB I" } },
	{ CELL_DMAPAT, CELL_INTEL, true, { "UC", "UC", "WC", "WB I", "WB I", "WB I" } },
	{ CELL_DMAPAT_OFF, CELL_INTEL, false,
	  { "WB I", "WB I", "WB I", "WB I", "WB I", "WB I" } },
	{ CELL_DMAPAT_OFF, CELL_INTEL, true, { "UC", "UC", "WC", "WB I", "WB I", "WB I" } },
	{ CELL_STOCK, CELL_INTEL, false, { "WB I", "WB I", "WB I", "WB I", "WB I", "WB I" } },
	{ CELL_STOCK_QUIRK_OFF, CELL_INTEL, false, { "WB", "WB", "WB", "WB", "WB", "WB" } },
	{ CELL_DMAPAT, CELL_AMD, false, { "UC", "UC", "WC", "WB", "WB", "WB" } },
	{ CELL_DMAPAT, CELL_AMD, true, { "UC", "UC", "WC", "WB", "WB", "WB" } },
	{ CELL_DMAPAT_OFF, CELL_AMD, false, { "WB", "WB", "WB", "WB", "WB", "WB" } },
	{ CELL_DMAPAT_OFF, CELL_AMD, true, { "UC", "UC", "WC", "WB", "WB", "WB" } },
	{ CELL_STOCK, CELL_AMD, false, { "WB", "WB", "WB", "WB", "WB", "WB" } },
};

/*
 * What a guest's access is, for each type of its own in the order of types[]. For
 * these leaves Intel's table "Effective Page-Level Memory Types" and AMD's "Combining
 * Guest and Host PAT Types" say the same.
 */
static const struct {
	const char *leaf;
	const char *effective[6];
} effects[] = {
	{ "UC", { "UC", "UC", "WC", "UC", "UC", "UC" } },
	{ "WC", { "UC", "WC", "WC", "UC", "UC", "WC" } },
	{ "WB", { "UC", "UC", "WC", "WT", "WP", "WB" } },
	{ "WB I", { "WB", "WB", "WB", "WB", "WB", "WB" } },
};

static void check_rule(size_t rule, size_t host)
{
	const char *const *effective = NULL;
	struct oracle_leaf leaf;
	struct cell cell;
	char text[16];
	size_t i;

	cell = good(rules[rule].vendor);
	cell.modules = rules[rule].modules;
	cell.bound = rules[rule].bound;
	cell.memtype = types[host];
	for (i = 0; i < sizeof(effects) / sizeof(effects[0]); i++)
		if (!strcmp(effects[i].leaf, rules[rule].leaves[host]))
			effective = effects[i].effective;
	assert_non_null(effective);
	for (i = 0; i < 6; i++) {
		cell.pat = types[i];
		cell.page = 2;
		cell.want_level = i & 1 ? 1 : 2;
		cell_expected_leaf(&cell, &leaf);
		snprintf(text, sizeof(text), "%s%s", oracle_type_name(leaf.type),
			 leaf.ignore_pat ? " I" : "");
		assert_string_equal(text, rules[rule].leaves[host]);
		assert_true(leaf.present);
		assert_int_equal(leaf.level, cell.want_level);
		assert_string_equal(oracle_type_name(cell_expected(&cell)), effective[i]);
	}
}

static void test_rules(void **state)
{
	size_t rule, host;

	(void)state;
	for (rule = 0; rule < sizeof(rules) / sizeof(rules[0]); rule++)
		for (host = 0; host < 6; host++)
			check_rule(rule, host);
}

static void test_leaf(void **state)
{
	struct oracle_leaf leaf;
	struct cell cell;

	(void)state;
	cell = good(CELL_INTEL);
	assert_true(cell_leaf(&cell, &leaf));
	assert_int_equal(leaf.type, ORACLE_WC);
	assert_int_equal(cell_effective(&cell, &leaf), ORACLE_WC);
	/* nothing reported, removed, a table, a type that the format reserves */
	cell.spte = 0;
	assert_false(cell_leaf(&cell, &leaf));
	cell.level = 0;
	assert_false(cell_leaf(&cell, &leaf));
	assert_int_equal(cell_effective(&cell, &leaf), ORACLE_INVALID);
	cell.level = 2;
	cell.spte = EPT_TABLE;
	assert_false(cell_leaf(&cell, &leaf));
	cell.level = 1;
	cell.spte = EPT_WC | 0x10;
	assert_false(cell_leaf(&cell, &leaf));

	cell = good(CELL_AMD);
	assert_true(cell_leaf(&cell, &leaf));
	assert_int_equal(leaf.type, ORACLE_WC);
	/* the same entry where the host's PAT has another type there */
	cell.host_pat = 0x0407050600070406ull;
	assert_true(cell_leaf(&cell, &leaf));
	assert_int_equal(leaf.type, ORACLE_WT);
	/* UC in the guest's table wins over a WC leaf */
	cell = good(CELL_AMD);
	cell.pat = ORACLE_UC;
	assert_true(cell_leaf(&cell, &leaf));
	assert_int_equal(cell_effective(&cell, &leaf), ORACLE_UC);
}

static void expect_right(const struct cell *cell)
{
	const char *why = cell_wrong(cell);

	if (why)
		fail_msg("right, but: %s", why);
}

/* The message has what was seen and what was wanted. */
static void expect_wrong(const struct cell *cell, const char *seen, const char *wanted)
{
	const char *why = cell_wrong(cell);

	if (!why)
		fail_msg("not found: %s", seen);
	else if (!strstr(why, seen) || !strstr(why, wanted))
		fail_msg("'%s' has not '%s' and '%s'", why, seen, wanted);
}

static void test_right(void **state)
{
	struct cell cell;

	(void)state;
	cell = good(CELL_INTEL);
	expect_right(&cell);
	cell.page = 2;
	cell.want_level = 2;
	cell.level = 2;
	cell.spte = EPT_WC_LARGE;
	expect_right(&cell);
	cell = good(CELL_INTEL);
	cell.memtype = ORACLE_UC;
	cell.spte = EPT_UC;
	expect_right(&cell);
	cell = good(CELL_INTEL);
	cell.modules = CELL_STOCK;
	cell.spte = EPT_WB_IGNORE;
	expect_right(&cell);
	cell.modules = CELL_STOCK_QUIRK_OFF;
	cell.spte = EPT_WB;
	expect_right(&cell);
	cell = good(CELL_AMD);
	expect_right(&cell);
	cell.memtype = ORACLE_UC;
	cell.spte = NPT_UC;
	expect_right(&cell);
	cell = good(CELL_AMD);
	cell.page = 2;
	cell.want_level = 2;
	cell.level = 2;
	cell.spte = NPT_WC_LARGE;
	expect_right(&cell);
	/* a fault that is wanted needs neither leaf nor data */
	cell = good(CELL_INTEL);
	cell.want_fault = true;
	cell.fault = true;
	cell.data_ok = false;
	cell.spte = 0;
	cell.level = 0;
	expect_right(&cell);
}

static void test_planted_ept(void **state)
{
	struct cell cell;

	(void)state;
	/* the stock leaf where the buffer is WC: the defect that this project is about */
	cell = good(CELL_INTEL);
	cell.spte = EPT_WB_IGNORE;
	expect_wrong(&cell, "leaf WB ignore-pat=1 level 1", "expected WC ignore-pat=0 level 1");
	expect_wrong(&cell, "a guest's WB is WB", "expected WC");
	cell.spte = EPT_WB;
	expect_wrong(&cell, "leaf WB ignore-pat=0 level 1", "expected WC ignore-pat=0 level 1");
	/* for a guest that uses WC itself, the leaf is as wrong */
	cell.pat = ORACLE_WC;
	expect_wrong(&cell, "leaf WB ignore-pat=0 level 1", "expected WC ignore-pat=0 level 1");
	/* ignore-PAT left set: a guest's UC would be WC */
	cell = good(CELL_INTEL);
	cell.spte = EPT_WC_IGNORE;
	cell.pat = ORACLE_UC;
	expect_wrong(&cell, "leaf WC ignore-pat=1 level 1", "expected WC ignore-pat=0 level 1");
	expect_wrong(&cell, "a guest's UC is WC", "expected UC");
	/* UC for WC, and WC for UC */
	cell = good(CELL_INTEL);
	cell.spte = EPT_UC;
	expect_wrong(&cell, "leaf UC ignore-pat=0 level 1", "expected WC ignore-pat=0 level 1");
	cell = good(CELL_INTEL);
	cell.memtype = ORACLE_UC;
	expect_wrong(&cell, "leaf WC ignore-pat=0 level 1", "expected UC ignore-pat=0 level 1");
	/* stock modules with another leaf than the stock one; the quirk without effect */
	cell = good(CELL_INTEL);
	cell.modules = CELL_STOCK;
	expect_wrong(&cell, "leaf WC ignore-pat=0 level 1", "expected WB ignore-pat=1 level 1");
	cell.modules = CELL_STOCK_QUIRK_OFF;
	cell.spte = EPT_WB_IGNORE;
	expect_wrong(&cell, "leaf WB ignore-pat=1 level 1", "expected WB ignore-pat=0 level 1");
	/* memtype_from_host=0, and an unbound page has the host's type all the same */
	cell = good(CELL_INTEL);
	cell.modules = CELL_DMAPAT_OFF;
	expect_wrong(&cell, "leaf WC ignore-pat=0 level 1", "expected WB ignore-pat=1 level 1");
	/* ordinary memory that lost its stock leaf */
	cell = good(CELL_INTEL);
	cell.memtype = ORACLE_WB;
	cell.spte = EPT_WB;
	expect_wrong(&cell, "leaf WB ignore-pat=0 level 1", "expected WB ignore-pat=1 level 1");
}

static void test_planted_npt(void **state)
{
	struct cell cell;

	(void)state;
	cell = good(CELL_AMD);
	cell.spte = NPT_WB;
	expect_wrong(&cell, "leaf WB ignore-pat=0 level 1", "expected WC ignore-pat=0 level 1");
	expect_wrong(&cell, "a guest's WB is WB", "expected WC");
	cell.spte = NPT_UC;
	expect_wrong(&cell, "leaf UC ignore-pat=0 level 1", "expected WC ignore-pat=0 level 1");
	cell.spte = NPT_UC_MINUS;
	expect_wrong(&cell, "leaf UC- ignore-pat=0 level 1", "expected WC ignore-pat=0 level 1");
	/* one bit less than UC: UC- lets an MTRR decide */
	cell.memtype = ORACLE_UC;
	expect_wrong(&cell, "leaf UC- ignore-pat=0 level 1", "expected UC ignore-pat=0 level 1");
	cell = good(CELL_AMD);
	cell.modules = CELL_STOCK;
	expect_wrong(&cell, "leaf WC ignore-pat=0 level 1", "expected WB ignore-pat=0 level 1");
	/* the entry is right, but for another PAT than this host has */
	cell = good(CELL_AMD);
	cell.host_pat = 0x0007040600070406ull;
	expect_wrong(&cell, "leaf WT ignore-pat=0 level 1", "expected WC ignore-pat=0 level 1");
}

static void test_planted_level(void **state)
{
	struct cell cell;

	(void)state;
	cell = good(CELL_INTEL);
	cell.page = 2;
	cell.want_level = 2;
	expect_wrong(&cell, "leaf WC ignore-pat=0 level 1", "expected WC ignore-pat=0 level 2");
	cell.want_level = 1;
	cell.level = 2;
	cell.spte = EPT_WC_LARGE;
	expect_wrong(&cell, "leaf WC ignore-pat=0 level 2", "expected WC ignore-pat=0 level 1");
	cell = good(CELL_AMD);
	cell.level = 2;
	cell.spte = NPT_WC_LARGE;
	expect_wrong(&cell, "leaf WC ignore-pat=0 level 2", "expected WC ignore-pat=0 level 1");
	cell = good(CELL_AMD);
	cell.page = 2;
	cell.want_level = 2;
	expect_wrong(&cell, "leaf WC ignore-pat=0 level 1", "expected WC ignore-pat=0 level 2");
}

static void test_planted_rest(void **state)
{
	enum cell_vendor vendor;
	struct cell cell;

	(void)state;
	for (vendor = CELL_INTEL; vendor <= CELL_AMD; vendor++) {
		cell = good(vendor);
		cell.spte = 0;
		cell.level = 0;
		expect_wrong(&cell, "no leaf (spte 0x0 level 0)",
			     "expected WC ignore-pat=0 level 1");
		/* a stale range mapped anyway */
		cell = good(vendor);
		cell.want_fault = true;
		expect_wrong(&cell, "an access", "expected KVM_EXIT_MEMORY_FAULT");
		cell = good(vendor);
		cell.fault = true;
		expect_wrong(&cell, "KVM_EXIT_MEMORY_FAULT", "expected an access");
		cell = good(vendor);
		cell.data_ok = false;
		expect_wrong(&cell, "data wrong", "expected ok");
	}
	cell = good(CELL_INTEL);
	cell.spte = EPT_WC & ~7ull;
	expect_wrong(&cell, "no leaf (spte 0x8600000002852b08 level 1)",
		     "expected WC ignore-pat=0 level 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_choices),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_parse_missing),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_leaf),
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_planted_ept),
		cmocka_unit_test(test_planted_npt),
		cmocka_unit_test(test_planted_level),
		cmocka_unit_test(test_planted_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
