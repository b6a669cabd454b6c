// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Short traces, as Bochs prints them, through coherence-check's parts: whose access is
 * whose, of which type, the printed block, and what does not fit the declarations.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coherence/block.h"
#include "coherence/replay.h"
#include "coherence/scenario.h"

#define SCENARIO(expect, accesses) \
	"# scenario s modules=stock host=h memtype=WC size=0x1000 snoop=0 accesses=" accesses \
	" expect=" expect "\n"
#define GUEST	"# agent role=guest phase=1 linear=0x400000000000 size=0x1000 offset=0\n"
#define DEVICE	"# agent role=device phase=2 linear=0x7f0000000000 size=0x1000 offset=0\n"
#define LOG	SCENARIO("stale", "3") GUEST DEVICE

#define ON	"Memory-Tracing enabled for CPU0\r\n"
#define OFF	"Memory-Tracing disabled for CPU0\r\n"
#define MARK(n)	ON "[CPU0 WR]: LIN 0x00007ffd28cc0600 PHY 0x000002bde600 (len=8, WB): 0x444D4150 0x0000000" \
	n "\r\n" OFF
/* a walk that ends in @leaf, the lower half of the entry */
#define WALK(leaf) \
	"[CPU0 RD]: PHY 0x000036ddb000 (len=8, WB): 0x80000000 0x36DDA907\t; EPT PML4E\r\n" \
	"[CPU0 RD]: PHY 0x000036dda020 (len=8, WB): 0x80000000 0x36DD7907\t; EPT PDPTE\r\n" \
	"[CPU0 RD]: PHY 0x000036dd7000 (len=8, WB): 0x80000000 0x36DD6907\t; EPT PDE\r\n" \
	"[CPU0 RD]: PHY 0x000036dd6000 (len=8, WB): 0x86000000 " leaf "\t; EPT PTE\r\n"
#define LEAF_STOCK	WALK("0x05AEBB77")	/* WB, ignore-PAT */
#define LEAF_WC		WALK("0x05AEBB0F")
#define LEAF_UC		WALK("0x05AEBB07")

#define GUEST_WRITES(type) \
	"[CPU0 WR]: LIN 0x0000400000000000 PHY 0x000005aeb000 (len=8, " type "): 0x00000001 0x00000002\r\n"
#define GUEST_READS(type) \
	"[CPU0 RD]: LIN 0x0000400000000000 PHY 0x000005aeb000 (len=8, " type "): 0x00000001 0x00000002\r\n"
#define DEVICE_READS \
	"[CPU0 RD]: LIN 0x00007f0000000000 PHY 0x000005aeb000 (len=8, WC): 0x00000001 0x00000002\r\n"
#define DEVICE_READS_2ND \
	"[CPU0 RD]: LIN 0x00007f0000000080 PHY 0x000005aeb080 (len=8, WC): 0x00000000 0x00000000\r\n"

#define TRACE	MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON DEVICE_READS \
		DEVICE_READS_2ND OFF

#define DOTS_61	"............................................................."

static struct scenario_list list;

/* scenario_read(), then replay() */
static int run(const char *log, const char *trace)
{
	FILE *log_file = fmemopen((void *)log, strlen(log), "r");
	FILE *trace_file = fmemopen((void *)trace, strlen(trace), "r");
	int ret;

	assert_true(log_file && trace_file);
	assert_int_equal(scenario_read(&list, log_file), 0);
	ret = replay(&list, trace_file);
	fclose(log_file);
	fclose(trace_file);
	return ret;
}

static int teardown(void **state)
{
	(void)state;
	scenario_free(&list);
	return 0;
}

static void expect_block(const char *want)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	block_print(out, "tigerlake", &list.scenarios[0]);
	fclose(out);
	assert_string_equal(text, want);
	free(text);
}

static unsigned int stale(void)
{
	assert_int_equal(list.scenarios[0].n_errors, 0);
	return (unsigned int)list.scenarios[0].model.n_stale;
}

static void test_stale(void **state)
{
	(void)state;
	assert_int_equal(run(LOG, TRACE), 0);
	assert_true(replay_ok(&list.scenarios[0]));
	expect_block("scenario s cpu=tigerlake modules=stock host=h memtype=WC accesses=3 reads=2 stale=1 lost=0 expect=stale ok=1\n"
		     "lines S.f" DOTS_61 "\n"
		     "stale read 2 by device of line 0 (0x5aeb000, 8 bytes): got what was there before / missed write 1 by guest (0x100000002)\n");
}

static void test_lost(void **state)
{
	(void)state;
	assert_int_equal(run(SCENARIO("none", "2") GUEST DEVICE,
			     MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON
			     "[CPU0 WR]: LIN 0x00007f0000000000 PHY 0x000005aeb000 (len=4, WC): 0x00000007\r\n"
			     "[CPU0 WR]: LIN 0x00007f00000000c0 PHY 0x000005aeb0c0 (len=4, WC): 0x00000008\r\n"),
			 0);
	assert_false(replay_ok(&list.scenarios[0]));
	expect_block("scenario s cpu=tigerlake modules=stock host=h memtype=WC accesses=3 reads=0 stale=0 lost=1 expect=none ok=0\n"
		     "lines L..w" "............................................................" "\n"
		     "lost write in line 0 (0x5aeb000, 4 bytes): write 2 by device (0x7) / overwritten from the cache of guest with write 1 by guest (0x100000002)\n");
}

/* The type is the leaf's and the guest's, not the printed one. */
static void test_types(void **state)
{
	(void)state;
	assert_int_equal(run(LOG, MARK("1") ON LEAF_WC GUEST_WRITES("WC") OFF MARK("2") ON
			     DEVICE_READS DEVICE_READS_2ND OFF), 0);
	assert_int_equal(stale(), 0);
	/* expected is a stale one */
	assert_false(replay_ok(&list.scenarios[0]));
	teardown(NULL);
	assert_int_equal(run(LOG, MARK("1") ON LEAF_WC GUEST_WRITES("WB") OFF MARK("2") ON
			     DEVICE_READS DEVICE_READS_2ND OFF), 0);
	assert_int_equal(stale(), 0);
	teardown(NULL);
	/* the leaf of a UC buffer planted WB */
	assert_int_equal(run(LOG, MARK("1") ON WALK("0x05AEBB37") GUEST_WRITES("WB") OFF MARK("2")
			     ON DEVICE_READS DEVICE_READS_2ND OFF), 0);
	assert_int_equal(stale(), 1);
}

/* What the guest wrote is in its buffer until the next phase. */
static void test_hand_over(void **state)
{
	(void)state;
	assert_int_equal(run(SCENARIO("stale", "3") GUEST
			     "# agent role=device phase=1 linear=0x7f0000000000 size=0x1000 offset=0\n",
			     MARK("1") ON LEAF_WC GUEST_WRITES("WC") DEVICE_READS DEVICE_READS_2ND OFF), 0);
	assert_int_equal(stale(), 1);
}

static void test_snoop(void **state)
{
	(void)state;
	assert_int_equal(run("# scenario s modules=stock host=h memtype=WB size=0x1000 snoop=1 accesses=3 expect=none\n"
			     GUEST DEVICE, TRACE), 0);
	assert_int_equal(stale(), 0);
	assert_true(replay_ok(&list.scenarios[0]));
}

/* UC of a host mapping looks into caches, UC of an EPT leaf does not. */
static void test_uc(void **state)
{
	static const char vmm[] = SCENARIO("none", "2") GUEST
		"# agent role=vmm phase=2 linear=0x7f0000000000 size=0x1000 offset=0\n";
	static const char guests[] = SCENARIO("none", "2") GUEST
		"# agent role=guest2 phase=2 linear=0x400000000000 size=0x1000 offset=0\n";

	(void)state;
	assert_int_equal(run(vmm, MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON
			     "[CPU0 RD]: LIN 0x00007f0000000000 PHY 0x000005aeb000 (len=8, UC): 0x00000001 0x00000002\r\n"),
			 0);
	assert_int_equal(stale(), 0);
	teardown(NULL);
	assert_int_equal(run(vmm, MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON
			     DEVICE_READS), 0);
	assert_int_equal(stale(), 1);
	teardown(NULL);
	assert_int_equal(run(guests, MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON
			     LEAF_UC GUEST_READS("WB") OFF), 0);
	assert_int_equal(stale(), 1);
	teardown(NULL);
	assert_int_equal(run(guests, MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON
			     LEAF_WC GUEST_READS("UC") OFF), 0);
	assert_int_equal(stale(), 0);
}

/* pat=UC-: Bochs prints UC; with a WC leaf the type is WC. */
static void test_uc_minus(void **state)
{
	static const char log[] = SCENARIO("none", "2")
		"# agent role=guest phase=1 linear=0x400000000000 size=0x1000 offset=0\n"
		"# agent role=guest2 phase=2 linear=0x400000000000 size=0x1000 offset=0 pat=UC-\n";

	(void)state;
	assert_int_equal(run(log, MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON LEAF_WC
			     GUEST_READS("UC") OFF), 0);
	assert_int_equal(stale(), 1);
	teardown(NULL);
	/* the tables select something else */
	assert_int_equal(run(log, MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON LEAF_WC
			     GUEST_READS("WB") OFF), 0);
	assert_int_equal(list.scenarios[0].n_errors, 1);
}

/* The frame goes back to the kernel, which zeroes and flushes it. */
static void test_refill(void **state)
{
	static const char log[] = SCENARIO("none", "2") GUEST DEVICE "# refill phase=2\n";
	static const char zero[] = MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON
		"[CPU0 RD]: LIN 0x00007f0000000000 PHY 0x000005aeb000 (len=8, WC): 0x00000000 0x00000000\r\n";

	(void)state;
	assert_int_equal(run(log, zero), 0);
	assert_int_equal(stale(), 0);
	assert_true(replay_ok(&list.scenarios[0]));
	teardown(NULL);
	/* what was there before came through */
	assert_int_equal(run(log, TRACE), 0);
	assert_int_equal(list.scenarios[0].n_errors, 1);
	teardown(NULL);
	/* it never came to that phase */
	assert_int_equal(run(SCENARIO("none", "2") GUEST DEVICE "# refill phase=3\n", zero), 0);
	assert_int_equal(list.scenarios[0].n_errors, 2);
}

static void expect_errors(const char *log, const char *trace, unsigned int n)
{
	assert_int_equal(run(log, trace), 0);
	assert_int_equal(list.scenarios[0].n_errors, n);
	assert_false(replay_ok(&list.scenarios[0]));
	teardown(NULL);
}

static void test_misfits(void **state)
{
	(void)state;
	/* empty: both agents are missing, and three accesses */
	expect_errors(LOG, "\n", 3);
	/* one agent is missing */
	expect_errors(SCENARIO("stale", "1") GUEST DEVICE,
		      MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2"), 1);
	/* too few */
	expect_errors(SCENARIO("stale", "4") GUEST DEVICE, TRACE, 1);
	/* no leaf */
	expect_errors(SCENARIO("stale", "3") GUEST DEVICE,
		      MARK("1") ON GUEST_WRITES("WC") OFF MARK("2") ON DEVICE_READS DEVICE_READS_2ND,
		      1);
	/* another frame */
	expect_errors(SCENARIO("stale", "2") GUEST DEVICE,
		      MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON
		      "[CPU0 RD]: LIN 0x00007f0000000000 PHY 0x000005aec000 (len=8, WC): 0x00000001 0x00000002\r\n",
		      1);
	/* another value than was written */
	expect_errors(SCENARIO("stale", "2") GUEST DEVICE,
		      MARK("1") ON LEAF_STOCK GUEST_WRITES("WC") OFF MARK("2") ON
		      "[CPU0 RD]: LIN 0x00007f0000000000 PHY 0x000005aeb000 (len=1, WC): 0x03\r\n", 1);
	/* over the end of the page: two frames, of which the trace names one */
	expect_errors(SCENARIO("none", "1") GUEST,
		      MARK("1") ON LEAF_STOCK GUEST_WRITES("WC")
		      "[CPU0 WR]: LIN 0x0000400000000ffc PHY 0x000005aebffc (len=8, WC): 0x0 0x0\r\n", 1);
	/* more than a model knows */
	expect_errors(SCENARIO("none", "1") GUEST,
		      MARK("1") ON LEAF_STOCK GUEST_WRITES("WC")
		      "[CPU0 WR]: LIN 0x0000400000000040 PHY 0x000005aeb040 (len=128, WC): 0x0\r\n", 1);
	/* a host access of no type */
	expect_errors(SCENARIO("none", "1")
		      "# agent role=vmm phase=2 linear=0x7f0000000000 size=0x1000 offset=0\n",
		      MARK("2") ON
		      "[CPU0 RD]: LIN 0x00007f0000000000 PHY 0x000005aeb000 (len=8, INVALID): 0x0 0x0\r\n",
		      1);
}

static void test_damaged(void **state)
{
	(void)state;
	assert_int_equal(run(LOG, TRACE "[CPU0 WR]: LIN 0x00004000000\r\n"), -EINVAL);
}

/* Accesses of other phases and ranges are nobody's. */
static void test_others(void **state)
{
	(void)state;
	assert_int_equal(run(LOG, MARK("3") ON LEAF_STOCK GUEST_READS("WC") OFF TRACE ON
			     LEAF_STOCK GUEST_READS("WC")
			     "[CPU0 RD]: LIN 0x00007f0000001000 PHY 0x000005aec000 (len=8, WC): 0x0 0x0\r\n"),
			 0);
	assert_int_equal(stale(), 1);
	assert_int_equal(list.scenarios[0].n_accesses, 3);
}

/* Values of 16 bytes are not in the trace: what is below them is not known any more. */
static void test_wide(void **state)
{
	(void)state;
	assert_int_equal(run(LOG, MARK("1") ON LEAF_STOCK GUEST_WRITES("WC")
			     "[CPU0 WR]: LIN 0x0000400000000000 PHY 0x000005aeb000 (len=16, WC): 0x0 0x0 0x0 0x9\r\n"
			     OFF MARK("2") ON
			     "[CPU0 RD]: LIN 0x00007f0000000000 PHY 0x000005aeb000 (len=8, WC): 0x00000000 0x00000009\r\n"),
			 0);
	assert_int_equal(stale(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_stale, teardown),
		cmocka_unit_test_teardown(test_lost, teardown),
		cmocka_unit_test_teardown(test_types, teardown),
		cmocka_unit_test_teardown(test_hand_over, teardown),
		cmocka_unit_test_teardown(test_snoop, teardown),
		cmocka_unit_test_teardown(test_uc, teardown),
		cmocka_unit_test_teardown(test_uc_minus, teardown),
		cmocka_unit_test_teardown(test_refill, teardown),
		cmocka_unit_test(test_misfits),
		cmocka_unit_test_teardown(test_damaged, teardown),
		cmocka_unit_test_teardown(test_others, teardown),
		cmocka_unit_test_teardown(test_wide, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
