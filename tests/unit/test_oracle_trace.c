// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The trace reader on lines as Bochs prints them: walks of every level, TLB
 * hits, phases, and what must not be taken for a leaf.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "oracle_trace.h"

static int setup(void **state)
{
	struct trace *trace = malloc(sizeof(*trace));

	*state = trace;
	return trace ? trace_init(trace) : -1;
}

static int teardown(void **state)
{
	trace_destroy(*state);
	free(*state);
	return 0;
}

static void expect_event(struct trace *trace, int event, const char *line)
{
	assert_int_equal(trace_line(trace, line), event);
}

static void walk_4k(struct trace *trace, const char *pte)
{
	char line[128];

	expect_event(trace, TRACE_WALK,
		     "[CPU0 RD]: PHY 0x000036ddb000 (len=8, WB): 0x80000000 0x36DDA907\t; EPT PML4E\r\n");
	trace_line(trace,
		   "[CPU0 RD]: PHY 0x000036dda020 (len=8, WB): 0x80000000 0x36DD7907\t; EPT PDPTE\r\n");
	trace_line(trace,
		   "[CPU0 RD]: PHY 0x000036dd7000 (len=8, WB): 0x80000000 0x36DD6907\t; EPT PDE\r\n");
	snprintf(line, sizeof(line),
		 "[CPU0 RD]: PHY 0x000036dd6008 (len=8, WB): %s\t; EPT PTE\r\n",
		 pte);
	assert_int_equal(trace_line(trace, line), TRACE_WALK);
}

static const char guest_write[] =
	"[CPU0 WR]: LIN 0x0000400000000000 PHY 0x000005aeb000 (len=2, WC): 0x55AA\r\n";

static void test_walk(void **state)
{
	struct trace *trace = *state;
	struct trace_access *access = &trace->access;

	walk_4k(trace, "0x86000000 0x05AEBB0F");
	assert_int_equal(trace->walk_leaf_gpa, 0x100001000);
	assert_int_equal(trace_line(trace, guest_write), TRACE_ACCESS);
	assert_true(access->write && access->walked && access->has_leaf);
	assert_int_equal(access->linear, 0x400000000000);
	assert_int_equal(access->physical, 0x5aeb000);
	assert_int_equal(access->length, 2);
	assert_int_equal(access->type, ORACLE_WC);
	assert_int_equal(access->low, 0x55aa);
	assert_int_equal(access->leaf.type, ORACLE_WC);
	assert_false(access->leaf.ignore_pat);
	/* the TLB has it now: no walk, the same leaf */
	expect_event(trace, TRACE_ACCESS,
		     "[CPU0 RD]: LIN 0x0000400000000008 PHY 0x000005aeb008 (len=4, WC): 0x55AA55AA");
	assert_false(access->write || access->walked);
	assert_true(access->has_leaf);
	/* another frame: no leaf known */
	trace_line(trace,
		   "[CPU0 RD]: LIN 0x0000400000001000 PHY 0x000005aec000 (len=1, WB): 0x5A\n");
	assert_false(access->has_leaf);
}

/* A wrong leaf planted in the trace comes out as it is. */
static void test_planted_leaf(void **state)
{
	struct trace *trace = *state;

	walk_4k(trace, "0x86000000 0x05AEBB0F");
	trace_line(trace, guest_write);
	walk_4k(trace, "0x86000000 0x05AEBB77");
	trace_line(trace, guest_write);
	assert_int_equal(trace->access.leaf.type, ORACLE_WB);
	assert_true(trace->access.leaf.ignore_pat);
	/* a walk to another frame is not this access' leaf, but the earlier one is */
	walk_4k(trace, "0x86000000 0x0600010F");
	trace_line(trace, guest_write);
	assert_false(trace->access.walked);
	assert_int_equal(trace->access.leaf.type, ORACLE_WB);
}

static void test_large_leaves(void **state)
{
	struct trace *trace = *state;

	trace_line(trace,
		   "[CPU0 RD]: PHY 0x000036ecd000 (len=8, WB): 0x80000000 0x36ECC907\t; EPT PML4E");
	trace_line(trace,
		   "[CPU0 RD]: PHY 0x000036ecc020 (len=8, WB): 0x80000000 0x36EC9907\t; EPT PDPTE");
	trace_line(trace,
		   "[CPU0 RD]: PHY 0x000036ec9008 (len=8, WB): 0x86000000 0x05600BF7\t; EPT PDE");
	assert_int_equal(trace->walk_leaf_gpa, 0x100200000);
	trace_line(trace,
		   "[CPU0 WR]: LIN 0x0000400000012000 PHY 0x000005612000 (len=2, WB): 0x55AA");
	assert_true(trace->access.walked);
	assert_int_equal(trace->access.leaf.level, 2);
	trace_line(trace,
		   "[CPU0 WR]: LIN 0x0000400000100000 PHY 0x0000057fffff (len=1, WB): 0x55");
	assert_true(trace->access.has_leaf);
	trace_line(trace,
		   "[CPU0 WR]: LIN 0x0000400000200000 PHY 0x000005800000 (len=1, WB): 0x55");
	assert_false(trace->access.has_leaf);

	trace_line(trace,
		   "[CPU0 RD]: PHY 0x000036ecd000 (len=8, WB): 0x80000000 0x36ECC907\t; EPT PML4E");
	trace_line(trace,
		   "[CPU0 RD]: PHY 0x000036ecc028 (len=8, WB): 0x86000000 0x40000B8F\t; EPT PDPTE");
	assert_int_equal(trace->walk_leaf_gpa, 0x140000000);
	trace_line(trace,
		   "[CPU0 RD]: LIN 0x0000400000200000 PHY 0x00007ffffff8 (len=8, WC): 0x00000000 0x00000000");
	assert_true(trace->access.walked);
	assert_int_equal(trace->access.leaf.level, 3);
	assert_int_equal(trace->access.leaf.type, ORACLE_WC);
}

/* An entry that is not present ends a walk without a leaf: the access faults. */
static void test_violation(void **state)
{
	struct trace *trace = *state;

	walk_4k(trace, "0x00000000 0x00000000");
	trace_line(trace,
		   "[CPU0 WR]: LIN 0x0000000000000000 PHY 0x000000000000 (len=8, WB): 0x00000000 0x00000000");
	assert_false(trace->access.has_leaf);
	/* a leaf without its upper levels is no walk: tracing began in its middle */
	trace_line(trace,
		   "[CPU0 RD]: PHY 0x000036dd6008 (len=8, WB): 0x86000000 0x05AEBB0F\t; EPT PTE");
	trace_line(trace, guest_write);
	assert_false(trace->access.has_leaf);
}

/* What was seen before the trace paused may have changed since. */
static void test_pause(void **state)
{
	struct trace *trace = *state;

	walk_4k(trace, "0x86000000 0x05AEBB0F");
	trace_line(trace, guest_write);
	assert_true(trace->access.has_leaf);
	assert_int_equal(trace_line(trace, "Memory-Tracing disabled for CPU0\r\n"), TRACE_OFF);
	assert_int_equal(trace_line(trace, "Memory-Tracing enabled for CPU0\r\n"), TRACE_ON);
	trace_line(trace, guest_write);
	assert_false(trace->access.has_leaf);
}

static void test_phase(void **state)
{
	struct trace *trace = *state;

	expect_event(trace, TRACE_PHASE,
		     "[CPU0 WR]: LIN 0x00007ffd28cc0600 PHY 0x000002bde600 (len=8, WB): 0x444D4150 0x00001001\r\n");
	assert_int_equal(trace->phase, 0x1001);
	/* reading the mark, and the kernel saving a register that holds half of it */
	expect_event(trace, TRACE_ACCESS,
		     "[CPU0 RD]: LIN 0x00007ffd28cc0600 PHY 0x000002bde600 (len=8, WB): 0x444D4150 0x00001002\r\n");
	expect_event(trace, TRACE_ACCESS,
		     "[CPU0 WR]: LIN 0xfffffe0000002fb8 PHY 0x00003ec18fb8 (len=8, WB): 0x444D4150 0x00001002\r\n");
	expect_event(trace, TRACE_ACCESS,
		     "[CPU0 WR]: LIN 0x00007ffd28cc0600 PHY 0x000002bde600 (len=8, WB): 0x444D4150 0x00000000\r\n");
	assert_int_equal(trace->phase, 0x1001);
}

static void test_other_lines(void **state)
{
	struct trace *trace = *state;

	assert_int_equal(trace_line(trace, ""), TRACE_OTHER);
	assert_int_equal(trace_line(trace, "(0) Magic breakpoint"), TRACE_OTHER);
	assert_int_equal(trace_line(trace, "Next at t=4240720022"), TRACE_OTHER);
	expect_event(trace, TRACE_OTHER,
		     "[CPU0 RD]: PHY 0x000036cd8aa0 (len=4, INVALID): 0x00000000\t; VMCS");
	expect_event(trace, TRACE_OTHER,
		     "[CPU0 RD]: PHY 0x000002bce000 (len=8, WB): 0x00000001 0x0000006B\t; PTE");
	expect_event(trace, TRACE_DAMAGED,
		     "[CPU0 WR]: LIN 0x0000400000000000 PHY 0x0000");
	expect_event(trace, TRACE_DAMAGED,
		     "[CPU0 WR]: LIN 0x00004000000");
	expect_event(trace, TRACE_DAMAGED,
		     "[CPU0 RD]: PHY 0x000036dd6008 (len=\t; EPT PTE");
	/* longer values than the reader keeps */
	expect_event(trace, TRACE_ACCESS,
		     "[CPU0 WR]: LIN 0x00007ffd28cc0600 PHY 0x000002bde600 (len=16, WC): 0x00000000 0x00000001 0x00000002 0x00000003");
	assert_int_equal(trace->access.length, 16);
	assert_int_equal(trace->access.type, ORACLE_WC);
	/* the first part of 16 bytes that cross a page; for it Bochs prints bytes */
	expect_event(trace, TRACE_ACCESS,
		     "[CPU0 WR]: LIN 0x00005625634edffd PHY 0x0000036c5ffd (len=3, WB) 79 72 65");
	assert_int_equal(trace->access.length, 3);
	assert_int_equal(trace->access.type, ORACLE_WB);
	expect_event(trace, TRACE_DAMAGED,
		     "[CPU0 WR]: LIN 0x00005625634edff8 PHY 0x0000036c5ff8 (len=8, WB) 79 72 65");
}

/* More leaves than the first table holds. */
static void test_many_leaves(void **state)
{
	struct trace *trace = *state;
	unsigned int i;
	char line[128];

	for (i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line), "0x86000000 0x%08X", 0x10000b0f + (i << 12));
		walk_4k(trace, line);
	}
	for (i = 0; i < 5000; i++) {
		snprintf(line, sizeof(line),
			 "[CPU0 RD]: LIN 0x0000400000000000 PHY 0x%012x (len=1, WB): 0x00",
			 0x10000000 + (i << 12));
		assert_int_equal(trace_line(trace, line), TRACE_ACCESS);
		assert_true(trace->access.has_leaf);
		assert_int_equal(trace->access.leaf.address, 0x10000000 + (i << 12));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_planted_leaf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_violation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pause, setup, teardown),
		cmocka_unit_test_setup_teardown(test_phase, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_leaves, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
