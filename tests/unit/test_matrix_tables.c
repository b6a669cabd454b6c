// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dmapat-conformance without a machine: its command line, and what its tables of
 * exporters and moments must keep to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"
#include "conformance/matrix/exporters.h"
#include "conformance/matrix/moments.h"
#include "conformance/matrix/options.h"

#define MAX_ARGS	8

/* Parses @args; what went to stderr is in @said. */
static enum options_result parse(struct options *options, const char *const *args,
				 const char **said)
{
	static char copies[MAX_ARGS][64];
	char *argv[MAX_ARGS + 1] = { copies[0] };
	enum options_result result;
	int argc = 1;

	snprintf(copies[0], sizeof(copies[0]), "dmapat-conformance");
	for (; args[argc - 1]; argc++) {
		assert_true(argc < MAX_ARGS);
		snprintf(copies[argc], sizeof(copies[argc]), "%s", args[argc - 1]);
		argv[argc] = copies[argc];
	}
	optind = 0;
	capture_begin();
	result = options_parse(options, argc, argv);
	*said = capture_end();
	return result;
}

static void expect_refusal(const char *const *args, const char *words)
{
	struct options options;
	const char *said;

	assert_int_equal(parse(&options, args, &said), OPTIONS_BAD);
	assert_logged(said, words);
	/* one line */
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
}

#define ARGS(...)	((const char *const[]){ __VA_ARGS__, NULL })

static void defaults(void **state)
{
	const char *const none[] = { NULL };
	struct options options;
	const char *said;

	(void)state;
	assert_int_equal(parse(&options, none, &said), OPTIONS_RUN);
	assert_string_equal(said, "");
	assert_false(options.host);
	assert_false(options.require_all);
	assert_null(options.json);
	assert_string_equal(options.exporter, "*");
	assert_string_equal(options.moment, "*");
}

static void all_options(void **state)
{
	struct options options;
	const char *said;

	(void)state;
	assert_int_equal(parse(&options, ARGS("--host", "--json=x", "--exporter", "wc-*",
					      "--moment=dirty-*", "--require-all"),
			       &said), OPTIONS_RUN);
	assert_true(options.host);
	assert_true(options.require_all);
	assert_string_equal(options.json, "x");
	assert_string_equal(options.exporter, "wc-*");
	assert_string_equal(options.moment, "dirty-*");
	assert_int_equal(parse(&options, ARGS("--list"), &said), OPTIONS_LIST);
}

static void bad_options(void **state)
{
	(void)state;
	expect_refusal(ARGS("--nonsense"), "--nonsense: unknown option");
	expect_refusal(ARGS("-x"), "unknown option");
	expect_refusal(ARGS("--json"), "--json: wants a value");
	expect_refusal(ARGS("--host=1"), "--host=1: takes no value");
	expect_refusal(ARGS("operand"), "operand: no operands");
	expect_refusal(ARGS("--exporter", "wc"), "--exporter wc: no exporter");
	expect_refusal(ARGS("--moment", ""), "--moment : no moment");
}

/* A name is a word of the cells' lines; name and page size tell exporters apart. */
static void expect_word(const char *name)
{
	assert_true(strlen(name) > 0 && strlen(name) < CELL_NAME);
	assert_null(strpbrk(name, " \t\n=,"));
}

static void exporters_keep_to_the_rules(void **state)
{
	unsigned int n = 0;

	(void)state;
	for (const struct exporter *e = exporters; e->name; e++, n++) {
		expect_word(e->name);
		assert_true(e->page == 1 || e->page == 2);
		assert_string_not_equal(oracle_type_name(e->memtype), "invalid");
		assert_non_null(e->source->allocate);
		assert_non_null(e->source->missing);
		for (const struct exporter *other = exporters; other < e; other++)
			assert_true(strcmp(e->name, other->name) || e->page != other->page);
	}
	assert_true(n > 0);
}

static void moments_keep_to_the_rules(void **state)
{
	unsigned int n = 0;

	(void)state;
	for (const struct moment *m = moments; m->name; m++, n++) {
		expect_word(m->name);
		assert_false(m->flags & MOMENT_BOUND && m->flags & MOMENT_UNBOUND);
		for (const struct moment *other = moments; other < m; other++)
			assert_string_not_equal(m->name, other->name);
	}
	assert_true(n > 0);
}

static const struct moment *moment(const char *name)
{
	for (const struct moment *m = moments; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	fail_msg("no moment %s", name);
	return NULL;
}

static const struct exporter *exporter(const char *name)
{
	for (const struct exporter *e = exporters; e->name; e++)
		if (!strcmp(e->name, name))
			return e;
	fail_msg("no exporter %s", name);
	return NULL;
}

static void cells_that_cannot_exist(void **state)
{
	const struct exporter *heap = exporter("wc-heap"), *mock = exporter("mock-wc");

	(void)state;
	assert_null(moment_excluded(moment("first-touch"), heap, CELL_STOCK, false));
	assert_null(moment_excluded(moment("first-touch"), heap, CELL_DMAPAT_OFF, true));
	assert_non_null(moment_excluded(moment("first-touch"), heap, CELL_STOCK, true));
	assert_non_null(moment_excluded(moment("first-touch"), heap, CELL_STOCK_QUIRK_OFF, true));
	assert_non_null(moment_excluded(moment("bound-again"), heap, CELL_DMAPAT, false));
	assert_null(moment_excluded(moment("bound-again"), heap, CELL_DMAPAT, true));
	assert_null(moment_excluded(moment("unbound-again"), heap, CELL_DMAPAT, false));
	assert_non_null(moment_excluded(moment("unbound-again"), heap, CELL_DMAPAT, true));
	assert_non_null(moment_excluded(moment("unbound-again"), heap, CELL_STOCK, false));
	assert_non_null(moment_excluded(moment("beside-bound"), heap, CELL_STOCK, false));
	assert_non_null(moment_excluded(moment("exporter-moved"), heap, CELL_DMAPAT, true));
	assert_null(moment_excluded(moment("exporter-moved"), mock, CELL_DMAPAT, true));
	assert_null(moment_excluded(moment("exporter-moved"), mock, CELL_STOCK, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_options),
		cmocka_unit_test(bad_options),
		cmocka_unit_test(exporters_keep_to_the_rules),
		cmocka_unit_test(moments_keep_to_the_rules),
		cmocka_unit_test(cells_that_cannot_exist),
	};

	return cmocka_run_group_tests_name("matrix: tables", tests, NULL, NULL);
}
