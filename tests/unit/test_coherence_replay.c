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

#define GVA	0x400000000000ull
#define HVA	0x7f0000000000ull
#define FRAME	0x5aeb000ull

/* Lower halves of EPT leaves */
#define STOCK	0x05aebb77u	/* WB, ignore-PAT */
#define LEAF_WC	0x05aebb0fu
#define LEAF_UC	0x05aebb07u
#define LEAF_WB	0x05aebb37u

#define DOTS_60	"............................................................"

static char log_text[1024], trace_text[8192];
static struct scenario_list list;

/* ---- the texts ---- */

static void append(char *text, size_t size, const char *fmt, va_list args)
{
	const size_t length = strlen(text);
	int n = vsnprintf(text + length, size - length, fmt, args);

	assert_true(n > 0 && (size_t)n < size - length);
}

static void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void log_line(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	append(log_text, sizeof(log_text), fmt, args);
	va_end(args);
}

static void trace_lines(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void trace_lines(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	append(trace_text, sizeof(trace_text), fmt, args);
	va_end(args);
}

/* New texts; the log's first line. */
static void scenario(const char *expect, unsigned int accesses)
{
	scenario_free(&list);
	log_text[0] = '\0';
	trace_text[0] = '\0';
	log_line("# scenario s modules=stock host=h memtype=WC size=0x1000 snoop=0 accesses=%u expect=%s\n",
		 accesses, expect);
}

static void agent(const char *role, unsigned int phase, const char *more)
{
	log_line("# agent role=%s phase=%u linear=0x%llx size=0x1000 offset=0%s\n", role, phase,
		 strncmp(role, "guest", 5) ? HVA : GVA, more);
}

static void toggle(void)
{
	static bool on;

	on = !on;
	trace_lines("Memory-Tracing %s for CPU0\r\n", on ? "enabled" : "disabled");
}

/* What trace_begin() and trace_end() leave, then the bracket that follows. */
static void begin(unsigned int phase)
{
	toggle();
	trace_lines("[CPU0 WR]: LIN 0x00007ffd28cc0600 PHY 0x000002bde600 (len=8, WB): 0x444D4150 0x%08X\r\n",
		    phase);
	toggle();
	toggle();
}

static void end(void)
{
	toggle();
}

static void walk(unsigned int leaf)
{
	static const char *const upper[] = {
		"0x000036ddb000 (len=8, WB): 0x80000000 0x36DDA907\t; EPT PML4E",
		"0x000036dda020 (len=8, WB): 0x80000000 0x36DD7907\t; EPT PDPTE",
		"0x000036dd7000 (len=8, WB): 0x80000000 0x36DD6907\t; EPT PDE",
	};
	unsigned int i;

	for (i = 0; i < 3; i++)
		trace_lines("[CPU0 RD]: PHY %s\r\n", upper[i]);
	trace_lines("[CPU0 RD]: PHY 0x000036dd6000 (len=8, WB): 0x86000000 0x%08X\t; EPT PTE\r\n", leaf);
}

/* @at: linear; @value: as Bochs prints it */
static void access_at(const char *kind, uint64_t at, unsigned int length, const char *type,
		      const char *value)
{
	trace_lines("[CPU0 %s]: LIN 0x%016llx PHY 0x%012llx (len=%u, %s): %s\r\n", kind,
		    (unsigned long long)at, FRAME + at % SCENARIO_PAGE, length, type, value);
}

#define V	"0x00000001 0x00000002"

/* Phase 1: a guest's write of 8 bytes */
static void guest_writes(unsigned int leaf, const char *type)
{
	begin(1);
	walk(leaf);
	access_at("WR", GVA, 8, type, V);
	end();
}

/* Phase 2: the same bytes and others are read through a host mapping. */
static void host_reads(const char *type)
{
	begin(2);
	access_at("RD", HVA, 8, type, V);
	access_at("RD", HVA + 0x80, 8, type, "0x00000000 0x00000000");
	end();
}

/* Phase 2: they are read by a guest. */
static void guest_reads(unsigned int leaf, const char *type)
{
	begin(2);
	walk(leaf);
	access_at("RD", GVA, 8, type, V);
	end();
}

/* ---- what comes of them ---- */

static int run(void)
{
	FILE *log = fmemopen(log_text, strlen(log_text), "r");
	FILE *trace = fmemopen(trace_text, strlen(trace_text), "r");
	int ret;

	assert_true(log && trace);
	assert_int_equal(scenario_read(&list, log), 0);
	ret = replay(&list, trace);
	fclose(log);
	fclose(trace);
	return ret;
}

static int teardown(void **state)
{
	(void)state;
	scenario_free(&list);
	return 0;
}

static void expect_stale(unsigned long stale)
{
	assert_int_equal(run(), 0);
	assert_int_equal(list.scenarios[0].n_errors, 0);
	assert_int_equal(list.scenarios[0].model.n_stale, stale);
}

static void expect_errors(unsigned int n)
{
	assert_int_equal(run(), 0);
	assert_int_equal(list.scenarios[0].n_errors, n);
	assert_false(replay_ok(&list.scenarios[0]));
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

/* A scenario of guest and device, as the stock module leaves it. */
static void guest_and_device(const char *expect)
{
	scenario(expect, 3);
	agent("guest", 1, "");
	agent("device", 2, "");
}

static void test_stale(void **state)
{
	static const char block[] =
		"scenario s cpu=tigerlake modules=stock host=h memtype=WC accesses=3 reads=2 stale=1 lost=0 expect=stale ok=1\n"
		"lines S.f." DOTS_60 "\n"
		"stale read 2 by device of line 0 (0x5aeb000, 8 bytes): got what was there before / missed write 1 by guest (0x100000002)\n"
		"with self-snoop: 1 stale reads, 0 lost writes\n";

	(void)state;
	guest_and_device("stale");
	guest_writes(STOCK, "WC");
	host_reads("WC");
	expect_stale(1);
	assert_true(replay_ok(&list.scenarios[0]));
	expect_block(block);
}

static void test_lost(void **state)
{
	static const char block[] =
		"scenario s cpu=tigerlake modules=stock host=h memtype=WC accesses=3 reads=0 stale=0 lost=1 expect=none ok=0\n"
		"lines L..w" DOTS_60 "\n"
		"lost write in line 0 (0x5aeb000, 4 bytes): write 2 by device (0x7) / overwritten from the cache of guest with write 1 by guest (0x100000002)\n"
		"with self-snoop: 0 stale reads, 1 lost writes\n";

	(void)state;
	guest_and_device("none");
	guest_writes(STOCK, "WC");
	begin(2);
	access_at("WR", HVA, 4, "WC", "0x00000007");
	access_at("WR", HVA + 0xc0, 4, "WC", "0x00000008");
	end();
	expect_stale(0);
	assert_false(replay_ok(&list.scenarios[0]));
	expect_block(block);
}

/* Which of several marks a line gets: stale before lost, read before written. */
static void test_picture(void **state)
{
	(void)state;
	guest_and_device("none");
	agent("guest2", 3, "");
	guest_writes(STOCK, "WC");
	begin(2);
	access_at("RD", HVA + 0x40, 4, "WC", "0x00000000");
	access_at("WR", HVA + 0x40, 4, "WC", "0x00000001");
	access_at("WR", HVA + 16, 4, "WC", "0x00000007");
	end();
	begin(3);
	walk(STOCK);
	access_at("RD", GVA + 16, 4, "WC", "0x00000007");
	end();
	expect_stale(1);
	assert_int_equal(list.scenarios[0].model.n_lost, 1);
	assert_string_equal(list.scenarios[0].picture, "Sf.." DOTS_60);
}

/* The agents' ranges are parts of the buffer; its pages need not be neighbours. */
static void test_offset(void **state)
{
	(void)state;
	log_text[0] = '\0';
	trace_text[0] = '\0';
	log_line("# scenario s modules=stock host=h memtype=WC size=0x2000 snoop=0 accesses=2 expect=stale\n");
	log_line("# agent role=guest phase=1 linear=0x%llx size=0x1000 offset=0x1000\n", GVA);
	log_line("# agent role=vmm phase=2 linear=0x%llx size=0x2000 offset=0\n", HVA);
	guest_writes(STOCK, "WC");
	begin(2);
	access_at("RD", HVA + 0x1000, 8, "WC", V);
	trace_lines("[CPU0 RD]: LIN 0x%016llx PHY 0x000005aeabc0 (len=8, WC): 0x0 0x0\r\n",
		    HVA + 0xbc0);
	end();
	expect_stale(1);
	assert_true(replay_ok(&list.scenarios[0]));
	assert_int_equal(strlen(list.scenarios[0].picture), 128);
	assert_int_equal(strcspn(list.scenarios[0].picture, "f"), 0xbc0 / 64);
	assert_int_equal(strcspn(list.scenarios[0].picture, "S"), 64);
}

/* The type is that of leaf and guest together, not the printed one. */
static void test_types(void **state)
{
	(void)state;
	guest_and_device("none");
	guest_writes(LEAF_WC, "WC");
	host_reads("WC");
	expect_stale(0);
	assert_true(replay_ok(&list.scenarios[0]));
	guest_and_device("none");
	guest_writes(LEAF_WC, "WB");
	host_reads("WC");
	expect_stale(0);
	/* a WB leaf planted: the guest's type decides */
	guest_and_device("none");
	guest_writes(LEAF_WB, "WC");
	host_reads("WC");
	expect_stale(0);
	guest_and_device("none");
	guest_writes(LEAF_WB, "WB");
	host_reads("WC");
	expect_stale(1);
	assert_false(replay_ok(&list.scenarios[0]));
}

/* Expected is a stale read, and there is none. */
static void test_expected_stale(void **state)
{
	(void)state;
	guest_and_device("stale");
	guest_writes(LEAF_WC, "WC");
	host_reads("WC");
	expect_stale(0);
	assert_false(replay_ok(&list.scenarios[0]));
}

/* What the guest wrote is in its buffer until the next phase. */
static void test_hand_over(void **state)
{
	(void)state;
	scenario("stale", 2);
	agent("guest", 1, "");
	agent("device", 1, "");
	begin(1);
	walk(LEAF_WC);
	access_at("WR", GVA, 8, "WC", V);
	access_at("RD", HVA, 8, "WC", V);
	end();
	expect_stale(1);
}

static void test_snoop(void **state)
{
	char *flag;

	(void)state;
	guest_and_device("none");
	flag = strstr(log_text, "snoop=0");
	flag[6] = '1';
	guest_writes(STOCK, "WC");
	host_reads("WC");
	expect_stale(0);
	assert_true(replay_ok(&list.scenarios[0]));
}

static void guest_and_vmm(void)
{
	scenario("none", 3);
	agent("guest", 1, "");
	agent("vmm", 2, "");
}

static void two_guests(const char *more)
{
	scenario("none", 2);
	agent("guest", 1, "");
	agent("guest2", 2, more);
}

/* UC of page tables looks into caches, host's or guest's; UC of an EPT leaf does not. */
static void test_uc(void **state)
{
	(void)state;
	guest_and_vmm();
	guest_writes(STOCK, "WC");
	host_reads("UC");
	expect_stale(0);
	guest_and_vmm();
	guest_writes(STOCK, "WC");
	host_reads("WC");
	expect_stale(1);
	assert_int_equal(list.scenarios[0].self_snoop.n_stale, 0);
	two_guests("");
	guest_writes(STOCK, "WC");
	guest_reads(LEAF_UC, "WB");
	expect_stale(1);
	two_guests("");
	guest_writes(STOCK, "WC");
	guest_reads(LEAF_WC, "UC");
	expect_stale(0);
}

/* pat=UC-: Bochs prints UC; with a WC leaf the type is WC. */
static void test_uc_minus(void **state)
{
	(void)state;
	two_guests(" pat=UC-");
	guest_writes(STOCK, "WC");
	guest_reads(LEAF_WC, "UC");
	expect_stale(1);
	/* the tables select something else */
	two_guests(" pat=UC-");
	guest_writes(STOCK, "WC");
	guest_reads(LEAF_WC, "WB");
	expect_errors(1);
}

/* The frame goes back to the kernel, which zeroes and flushes it. */
static void test_refill(void **state)
{
	(void)state;
	guest_and_device("none");
	log_line("# refill phase=2\n");
	guest_writes(STOCK, "WC");
	begin(2);
	access_at("RD", HVA, 8, "WC", "0x00000000 0x00000000");
	access_at("RD", HVA + 0x80, 8, "WC", "0x00000000 0x00000000");
	end();
	expect_stale(0);
	assert_true(replay_ok(&list.scenarios[0]));
	/* what was there before came through */
	guest_and_device("none");
	log_line("# refill phase=2\n");
	guest_writes(STOCK, "WC");
	host_reads("WC");
	expect_errors(1);
	/* it never came to that phase */
	guest_and_device("none");
	log_line("# refill phase=3\n");
	guest_writes(LEAF_WC, "WC");
	host_reads("WC");
	expect_errors(1);
}

static void test_not_there(void **state)
{
	(void)state;
	/* empty: both agents are missing, and three accesses */
	guest_and_device("stale");
	trace_lines("\n");
	expect_errors(3);
	/* one agent is missing */
	guest_and_device("stale");
	begin(1);
	walk(STOCK);
	access_at("WR", GVA, 8, "WC", V);
	access_at("WR", GVA + 8, 8, "WC", V);
	access_at("WR", GVA + 16, 8, "WC", V);
	end();
	expect_errors(1);
	/* too few by one */
	scenario("stale", 4);
	agent("guest", 1, "");
	agent("device", 2, "");
	guest_writes(STOCK, "WC");
	host_reads("WC");
	expect_errors(1);
	/* no leaf */
	guest_and_device("stale");
	begin(1);
	access_at("WR", GVA, 8, "WC", V);
	end();
	host_reads("WC");
	expect_errors(1);
}

/* One that @kind says, after a guest's write; the scenario must have one error. */
static void wrong_access(const char *kind, uint64_t at, unsigned int length, const char *type,
			 const char *value)
{
	scenario("none", 2);
	agent("guest", 1, "");
	agent("vmm", 2, "");
	guest_writes(LEAF_WC, "WC");
	begin(2);
	access_at(kind, at, length, type, value);
	end();
	expect_errors(1);
}

static void test_wrong_accesses(void **state)
{
	(void)state;
	/* another value than was written */
	wrong_access("RD", HVA, 1, "WC", "0x03");
	wrong_access("RD", HVA + 4, 4, "WC", "0x00000002");
	/* a host access of no type */
	wrong_access("RD", HVA, 8, "INVALID", V);
	/* more than a model knows */
	wrong_access("WR", HVA, 128, "WC", "0x0");
	/* another frame */
	scenario("none", 2);
	agent("guest", 1, "");
	agent("vmm", 2, "");
	guest_writes(LEAF_WC, "WC");
	begin(2);
	trace_lines("[CPU0 RD]: LIN 0x%016llx PHY 0x000005aec000 (len=8, WC): %s\r\n", HVA, V);
	end();
	expect_errors(1);
	/* over the end of the page: two frames, of which the trace names one */
	scenario("none", 1);
	agent("guest", 1, "");
	begin(1);
	walk(LEAF_WC);
	access_at("WR", GVA, 8, "WC", V);
	access_at("WR", GVA + 0xffc, 8, "WC", V);
	end();
	expect_errors(1);
}

static void test_damaged(void **state)
{
	(void)state;
	guest_and_device("stale");
	guest_writes(STOCK, "WC");
	host_reads("WC");
	trace_lines("[CPU0 WR]: LIN 0x00004000000\r\n");
	assert_int_equal(run(), -EINVAL);
}

/* Accesses of other phases and ranges are nobody's. */
static void test_others(void **state)
{
	(void)state;
	guest_and_device("stale");
	begin(3);
	walk(STOCK);
	access_at("RD", GVA, 8, "WC", V);
	end();
	guest_writes(STOCK, "WC");
	begin(2);
	access_at("RD", GVA, 8, "WC", V);
	access_at("RD", HVA + 0x1000, 8, "WC", V);
	end();
	host_reads("WC");
	expect_stale(1);
	assert_int_equal(list.scenarios[0].n_accesses, 3);
}

/* Values of 16 bytes are not in the trace: what is below them is not known any more. */
static void test_wide(void **state)
{
	(void)state;
	guest_and_device("stale");
	begin(1);
	walk(STOCK);
	access_at("WR", GVA, 8, "WC", "0x00000008 0x00000009");
	access_at("WR", GVA, 16, "WC", "0x0 0x0 0x0 0x2");
	end();
	host_reads("WC");
	expect_stale(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_stale, teardown),
		cmocka_unit_test_teardown(test_lost, teardown),
		cmocka_unit_test_teardown(test_picture, teardown),
		cmocka_unit_test_teardown(test_offset, teardown),
		cmocka_unit_test_teardown(test_types, teardown),
		cmocka_unit_test_teardown(test_expected_stale, teardown),
		cmocka_unit_test_teardown(test_hand_over, teardown),
		cmocka_unit_test_teardown(test_snoop, teardown),
		cmocka_unit_test_teardown(test_uc, teardown),
		cmocka_unit_test_teardown(test_uc_minus, teardown),
		cmocka_unit_test_teardown(test_refill, teardown),
		cmocka_unit_test_teardown(test_not_there, teardown),
		cmocka_unit_test_teardown(test_wrong_accesses, teardown),
		cmocka_unit_test_teardown(test_damaged, teardown),
		cmocka_unit_test_teardown(test_others, teardown),
		cmocka_unit_test_teardown(test_wide, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
