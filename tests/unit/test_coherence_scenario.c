// SPDX-License-Identifier: GPL-2.0-or-later
/* Declarations of scenarios: what is read from them, and which lines are refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coherence/scenario.h"

#define SCENARIO \
	"# scenario reads modules=stock host=wc-heap memtype=WC size=0x2000 snoop=0 accesses=7 expect=stale\n"
#define AGENT \
	"# agent role=guest phase=0x1001 linear=0x400000000000 size=0x1000 offset=0x1000 pat=UC-\n"

static int read_text(struct scenario_list *list, const char *text)
{
	FILE *log = fmemopen((void *)text, strlen(text), "r");
	int ret;

	assert_non_null(log);
	ret = scenario_read(list, log);
	fclose(log);
	return ret;
}

static void refused(const char *text)
{
	struct scenario_list list;
	int ret = read_text(&list, text);

	if (ret != -EINVAL)
		print_error("not refused: %s", text);
	assert_int_equal(ret, -EINVAL);
	scenario_free(&list);
}

static void test_all_words(void **state)
{
	struct scenario_list list;
	const struct scenario *s;

	(void)state;
	assert_int_equal(read_text(&list, "ok 1 - something\r\n" SCENARIO "# note\n" AGENT
				   "# agent role=device phase=2 linear=0x1000 size=0x2000 offset=0\r\n"
				   "# refill phase=0x1002\n"
				   "# scenario reads modules=dmapat host=wb-udmabuf memtype=WB size=0x1000 snoop=1 accesses=1 expect=none\n"
				   "# agent role=vmm phase=3 linear=0x1000 size=8 offset=0xff8\n"), 0);
	assert_int_equal(list.n, 2);
	s = &list.scenarios[0];
	assert_string_equal(s->name, "reads");
	assert_string_equal(s->modules, "stock");
	assert_string_equal(s->host, "wc-heap");
	assert_int_equal(s->memtype, ORACLE_WC);
	assert_int_equal(s->size, 0x2000);
	assert_int_equal(s->accesses, 7);
	assert_false(s->snoop);
	assert_true(s->expect_stale);
	assert_int_equal(s->refill_phase, 0x1002);
	assert_int_equal(s->n_agents, 2);
	assert_int_equal(s->agents[0].role, COHERENCE_GUEST);
	assert_int_equal(s->agents[0].phase, 0x1001);
	assert_int_equal(s->agents[0].linear, 0x400000000000);
	assert_int_equal(s->agents[0].size, 0x1000);
	assert_int_equal(s->agents[0].offset, 0x1000);
	assert_true(s->agents[0].uc_minus);
	assert_int_equal(s->agents[1].role, COHERENCE_DEVICE);
	assert_false(s->agents[1].uc_minus);
	s = &list.scenarios[1];
	assert_true(s->snoop);
	assert_false(s->expect_stale);
	assert_int_equal(s->refill_phase, 0);
	assert_int_equal(s->n_agents, 1);
	scenario_free(&list);
}

static void test_nothing_declared(void **state)
{
	(void)state;
	refused("ok 1 - something\n");
	refused("# scenarios are none\n");
	/* who does nothing is not there */
	refused(SCENARIO);
	refused(SCENARIO AGENT
		"# scenario b modules=stock host=wc-heap memtype=WC size=0x1000 snoop=0 accesses=7 expect=stale\n");
}

/* A line that is right but for one word: @word in place of word number @n. */
static void refused_with(unsigned int n, const char *word)
{
	static const char *const words[] = { "# scenario", "a", "modules=stock", "host=a",
					     "memtype=WC", "size=0x2000", "snoop=0", "accesses=7",
					     "expect=none" };
	char text[512] = "";
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		strcat(text, i == n ? word : words[i]);
		strcat(text, " ");
	}
	strcat(text, "\n" AGENT);
	refused(text);
}

static void test_bad_scenarios(void **state)
{
	struct scenario_list list;

	(void)state;
	/* no name; one that is too long by one */
	refused("# scenario modules=stock\n");
	refused_with(1, "");
	refused_with(1, "1234567890123456789012345678901234567890123456789012345678901234");
	/* a word is missing, unknown, there twice, none */
	refused_with(2, "");
	refused_with(8, "");
	refused_with(8, "expect=none colour=3");
	refused_with(8, "expect=none host=b");
	refused_with(8, "expect=none x");
	/* a value is none */
	refused_with(2, "modules=other");
	refused_with(3, "host=");
	refused_with(4, "memtype=WX");
	refused_with(5, "size=0x2040");
	refused_with(5, "size=0x41000");
	refused_with(5, "size=0");
	refused_with(6, "snoop=2");
	refused_with(7, "accesses=0");
	refused_with(7, "accesses=-1");
	refused_with(8, "expect=lost");
	/* dmapat's modules have no excuse; the words as such are right */
	refused("# scenario a modules=dmapat host=a memtype=WC size=0x2000 snoop=0 accesses=7 expect=stale\n"
		AGENT);
	/* the same again */
	refused(SCENARIO AGENT SCENARIO
		"# agent role=device phase=2 linear=0x1000 size=8 offset=0\n");
	/* with nothing changed the line would do */
	assert_int_equal(read_text(&list, "# scenario a modules=stock host=a memtype=WC size=0x2000 snoop=0 accesses=7 expect=none\n"
				   AGENT), 0);
	scenario_free(&list);
}

static void test_bad_agents(void **state)
{
	(void)state;
	refused(AGENT);
	refused(SCENARIO "# agent role=guest\n");
	refused(SCENARIO "# agent role=gpu phase=1 linear=0x1000 size=8 offset=0\n");
	refused(SCENARIO "# agent role=kernel phase=1 linear=0x1000 size=8 offset=0\n");
	refused(SCENARIO "# agent role=guest phase=0 linear=0x1000 size=8 offset=0\n");
	refused(SCENARIO "# agent role=guest phase=1 linear=1000x size=8 offset=0\n");
	refused(SCENARIO "# agent role=guest phase=1 linear=0x1000 size=0 offset=0\n");
	refused(SCENARIO "# agent role=guest phase=1 linear=0x1000 size=8 offset=0 pat=WC\n");
	refused(SCENARIO "# agent role=guest phase=1 linear=0x1000 size=8 offset=0 offset=0\n");
	refused(SCENARIO "# agent role=guest phase=1 linear=0xfffffffffffffff8 size=16 offset=0\n");
	/* outside of the buffer */
	refused(SCENARIO "# agent role=guest phase=1 linear=0x1000 size=0x1000 offset=0x2000\n");
	refused(SCENARIO "# agent role=guest phase=1 linear=0x1000 size=0x1001 offset=0x1000\n");
	/* one access, two agents */
	refused(SCENARIO AGENT "# agent role=vmm phase=0x1001 linear=0x400000000ff8 size=8 offset=0\n");
}

static void test_bad_refills(void **state)
{
	(void)state;
	refused("# refill phase=1\n");
	refused(SCENARIO "# refill phase=1\n# refill phase=2\n" AGENT);
	refused(SCENARIO "# refill phase=0\n" AGENT);
	refused(SCENARIO "# refill 1\n" AGENT);
	refused(SCENARIO "# refill when=1\n" AGENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_words),
		cmocka_unit_test(test_nothing_declared),
		cmocka_unit_test(test_bad_scenarios),
		cmocka_unit_test(test_bad_agents),
		cmocka_unit_test(test_bad_refills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
