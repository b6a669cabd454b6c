// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cells judged by trace and tracepoints: wrong leaves planted in either, accesses that
 * the trace does not have, and what must not be taken for an observation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "report_folder.h"

/* The verdict on the cell in question; nothing else may be wrong with the folder. */
static const struct verdict *the_verdict(struct folder *folder)
{
	const struct machine *machine = folder_read(folder);

	if (machine->problems.n)
		fail_msg("problem: %s", machine->problems.texts[0]);
	assert_int_equal(machine->n_verdicts, GRID_PATS);
	return &machine->verdicts[0];
}

static void expect_wrong(struct folder *folder, const char *seen, const char *wanted)
{
	const struct verdict *verdict = the_verdict(folder);

	assert_false(verdict->ok);
	expect_both(verdict->why.text, seen, wanted);
}

static void expect_right(struct folder *folder)
{
	const struct verdict *verdict = the_verdict(folder);

	if (!verdict->ok)
		fail_msg("right, but: %s", verdict->why.text);
}

static void test_right(void **state)
{
	struct folder *folder = *state;
	const struct verdict *verdict;
	struct cell cell = folder_cell();

	folder_log(folder, &cell);
	folder_coherence(folder);
	folder_trace(folder, LEAF_WC, 1, "WB");
	expect_right(folder);
	verdict = the_verdict(folder);
	assert_true(verdict->traced && verdict->has_leaf);
	assert_int_equal(verdict->leaf.type, ORACLE_WC);
	assert_int_equal(verdict->effective, ORACLE_WC);
	assert_string_equal(verdict_effective(verdict), "WC");
	assert_string_equal(verdict_expected(verdict), "WC");
}

/* Bochs prints UC where the guest's tables select UC-; for no other type it may. */
static void test_uc_minus(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	cell.pat = ORACLE_UC_MINUS;
	folder_log(folder, &cell);
	folder_coherence(folder);
	folder_trace(folder, LEAF_WC, 1, "UC");
	expect_right(folder);
	/* UC- over WC is WC, UC over WC is UC: the two must not be mixed up */
	assert_string_equal(verdict_effective(the_verdict(folder)), "WC");
	cell.pat = ORACLE_UC;
	folder_log(folder, &cell);
	expect_right(folder);
	assert_string_equal(verdict_effective(the_verdict(folder)), "UC");
	cell.pat = ORACLE_WC;
	folder_log(folder, &cell);
	expect_wrong(folder, "type is UC by the trace", "its tables select WC");
}

static void test_large(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	cell.page = 2;
	cell.want_level = 2;
	cell.level = 2;
	cell.spte = LEAF_WC_LARGE;
	folder_log(folder, &cell);
	folder_coherence(folder);
	folder_trace(folder, LEAF_WC_LARGE, 2, "WB");
	expect_right(folder);
	assert_int_equal(the_verdict(folder)->leaf.level, 2);
	/* the CPU walked on to a small page */
	folder_remove(folder, "trace.log");
	folder_trace(folder, LEAF_WC, 1, "WB");
	expect_wrong(folder, "the trace has leaf WC ignore-pat=0 level 1",
		     "expected WC ignore-pat=0 level 2");
}

/* The tracepoints report what is right, the CPU read something else. */
static void test_planted_in_trace(void **state)
{
	static const struct {
		unsigned long long leaf;
		const char *text;
		const char *effective;
	} planted[] = {
		{ LEAF_WB_IGNORE, "the trace has leaf WB ignore-pat=1 level 1", "WB" },
		{ LEAF_WC_IGNORE, "the trace has leaf WC ignore-pat=1 level 1", "WC" },
		{ LEAF_UC, "the trace has leaf UC ignore-pat=0 level 1", "UC" },
	};
	struct folder *folder = *state;
	struct cell cell = folder_cell();
	size_t i;

	folder_log(folder, &cell);
	folder_coherence(folder);
	for (i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
		folder_trace(folder, planted[i].leaf, 1, "WB");
		expect_wrong(folder, planted[i].text, "expected WC ignore-pat=0 level 1");
		expect_wrong(folder, planted[i].text, "the tracepoints WC ignore-pat=0 level 1");
		assert_string_equal(verdict_effective(the_verdict(folder)), planted[i].effective);
		folder_remove(folder, "trace.log");
	}
}

/* The CPU read what is right, the tracepoints report something else. */
static void test_planted_in_tracepoints(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	folder_coherence(folder);
	folder_trace(folder, LEAF_WC, 1, "WB");
	cell.spte = LEAF_WB_IGNORE;
	folder_log(folder, &cell);
	expect_wrong(folder, "leaf WB ignore-pat=1 level 1 (spte 0x8600000005aebb77)",
		     "expected WC ignore-pat=0 level 1");
	expect_wrong(folder, "the trace has leaf WC ignore-pat=0 level 1 at 0x5aeb000",
		     "the tracepoints WB ignore-pat=1 level 1 at 0x5aeb000");
	/* the same type, another frame */
	cell.spte = LEAF_WC + 0x1000;
	folder_log(folder, &cell);
	expect_wrong(folder, "the trace has leaf WC ignore-pat=0 level 1 at 0x5aeb000",
		     "the tracepoints WC ignore-pat=0 level 1 at 0x5aec000");
	cell.spte = 0;
	cell.level = 0;
	folder_log(folder, &cell);
	expect_wrong(folder, "no leaf (spte 0x0 level 0)", "expected WC ignore-pat=0 level 1");
}

/* Both are wrong in the same way: the defect as it is. */
static void test_planted_in_both(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	cell.spte = LEAF_WB_IGNORE;
	folder_log(folder, &cell);
	folder_coherence(folder);
	folder_trace(folder, LEAF_WB_IGNORE, 1, "WB");
	expect_wrong(folder, "leaf WB ignore-pat=1 level 1 (spte", "a guest's WB is WB, expected WC");
	/* and it is what stock modules must show */
	cell.modules = CELL_STOCK;
	folder_log(folder, &cell);
	expect_right(folder);
	assert_string_equal(verdict_effective(the_verdict(folder)), "WB");
}

static void test_no_walk(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	folder_log(folder, &cell);
	folder_coherence(folder);
	trace_phase(folder, PHASE);
	trace_access(folder, "WR", LINEAR, "WB");
	trace_access(folder, "RD", LINEAR, "WB");
	expect_wrong(folder, "the trace has no EPT leaf", "linear 0x400000000000");
	assert_false(the_verdict(folder)->has_leaf);
	assert_string_equal(verdict_effective(the_verdict(folder)), "none");
}

/* A walk that was seen before the trace paused proves nothing of the access behind. */
static void test_old_walk(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	folder_log(folder, &cell);
	folder_coherence(folder);
	trace_phase(folder, PHASE - 1);
	trace_walk(folder, LEAF_WC, 1);
	trace_access(folder, "RD", LINEAR + 0x100, "WB");
	folder_write(folder, "trace.log", "Memory-Tracing disabled for CPU0\n");
	trace_phase(folder, PHASE);
	trace_access(folder, "WR", LINEAR, "WB");
	trace_access(folder, "RD", LINEAR, "WB");
	expect_wrong(folder, "the trace has no EPT leaf", "linear 0x400000000000");
}

static void test_missing_access(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	folder_log(folder, &cell);
	folder_coherence(folder);
	/* a trace of something else */
	trace_phase(folder, PHASE + 1);
	trace_walk(folder, LEAF_WC, 1);
	trace_access(folder, "WR", LINEAR, "WB");
	trace_access(folder, "RD", LINEAR, "WB");
	expect_wrong(folder, "not traced: 0 loads and 0 stores", "phase 0x1001");
	/* what is beside the 8 bytes does not count */
	trace_phase(folder, PHASE);
	trace_walk(folder, LEAF_WC, 1);
	trace_access(folder, "WR", LINEAR + 8, "WB");
	trace_access(folder, "RD", LINEAR - 8, "WB");
	expect_wrong(folder, "not traced: 0 loads and 0 stores", "expected some of both");
	/* one that ends in them does */
	trace_access(folder, "WR", LINEAR - 4, "WB");
	expect_wrong(folder, "not traced: 0 loads and 1 stores", "expected some of both");
	folder_write(folder, "trace.log",
		     "[CPU0 RD]: LIN 0x0000400000000007 PHY 0x000005aeb007 (len=1, WB): 0x11\n");
	expect_right(folder);
}

static void test_mixed(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	folder_log(folder, &cell);
	folder_coherence(folder);
	trace_phase(folder, PHASE);
	trace_walk(folder, LEAF_WC, 1);
	trace_access(folder, "WR", LINEAR, "WB");
	trace_walk(folder, LEAF_WB_IGNORE, 1);
	trace_access(folder, "RD", LINEAR, "WB");
	expect_wrong(folder, "one access was WB through leaf WC ignore-pat=0 level 1 at 0x5aeb000",
		     "another WB through leaf WB ignore-pat=1 level 1 at 0x5aeb000");
}

static void test_not_traced(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	folder_coherence(folder);
	folder_trace(folder, LEAF_WC, 1, "WB");
	cell.phase = 0;
	folder_log(folder, &cell);
	expect_wrong(folder, "not traced", "no phase");
	assert_false(the_verdict(folder)->has_leaf);
	/* an EPT trace says nothing of NPT */
	cell = folder_cell();
	cell.vendor = CELL_AMD;
	cell.spte = 0x5aeb06f;
	folder_log(folder, &cell);
	expect_wrong(folder, "vendor amd", "trace of EPT walks");
}

static void test_no_trace(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	/* a lost trace.log must not turn the tracepoints into the only witness */
	folder_log(folder, &cell);
	expect_wrong(folder, "phase 0x1001", "no trace.log");
	/* a real host */
	cell.phase = 0;
	folder_log(folder, &cell);
	expect_right(folder);
	assert_false(the_verdict(folder)->traced);
	assert_string_equal(verdict_effective(the_verdict(folder)), "WC");
	/* SVM numbers its phases, too */
	cell = folder_cell();
	cell.vendor = CELL_AMD;
	cell.spte = 0x5aeb06f;
	folder_log(folder, &cell);
	expect_right(folder);
	cell.spte = 0x5aeb067;
	folder_log(folder, &cell);
	expect_wrong(folder, "leaf WB ignore-pat=0 level 1", "expected WC ignore-pat=0 level 1");
}

static void test_faults(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	folder_coherence(folder);
	folder_trace(folder, LEAF_WC, 1, "WB");
	cell.want_fault = true;
	cell.fault = true;
	cell.phase = 0;
	folder_log(folder, &cell);
	expect_right(folder);
	assert_string_equal(verdict_effective(the_verdict(folder)), "fault");
	assert_string_equal(verdict_expected(the_verdict(folder)), "fault");
	/* it says that it faulted, but the access is in the trace */
	cell.phase = PHASE;
	folder_log(folder, &cell);
	expect_wrong(folder, "KVM_EXIT_MEMORY_FAULT", "1 loads and 1 stores");
	/* a stale range mapped anyway */
	cell.fault = false;
	folder_log(folder, &cell);
	expect_wrong(folder, "an access", "expected KVM_EXIT_MEMORY_FAULT");
	cell.want_fault = false;
	cell.fault = true;
	cell.phase = 0;
	folder_log(folder, &cell);
	expect_wrong(folder, "KVM_EXIT_MEMORY_FAULT", "expected an access");
}

/* Two cells that name one place would share its accesses. */
static void test_shared_place(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();
	const struct machine *machine;
	FILE *log;

	folder_log(folder, &cell);
	folder_coherence(folder);
	folder_trace(folder, LEAF_WC, 1, "WB");
	log = folder_open(folder, "extra.log", "w");
	cell_print(log, &cell);
	fputs("ok 1\n1..1\n", log);
	fclose(log);
	machine = folder_read(folder);
	assert_int_equal(machine->n_verdicts, GRID_PATS + 1);
	assert_false(machine->verdicts[0].ok || machine->verdicts[GRID_PATS].ok);
	expect_both(machine->verdicts[0].why.text, "is that of 2 cells", "expected 1");
}

/* More places than the first table of them holds. */
static void test_many(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();
	const struct machine *machine;
	const char *type;
	unsigned int i;
	FILE *log;

	log = folder_open(folder, "matrix.log", "w");
	for (i = 0; i < 1000; i++) {
		cell.pat = grid_pats[i % GRID_PATS];
		type = oracle_type_name(cell.pat == ORACLE_UC_MINUS ? ORACLE_UC : cell.pat);
		cell.linear = LINEAR + 8 * (i % 10);
		cell.phase = PHASE + i / 10;
		cell_print(log, &cell);
		fprintf(log, "ok %u\n", i + 1);
		if (!(i % 10)) {
			trace_phase(folder, cell.phase);
			trace_walk(folder, LEAF_WC, 1);
		}
		trace_access(folder, "WR", cell.linear, type);
		/* the last cell has no load */
		if (i < 999)
			trace_access(folder, "RD", cell.linear, type);
	}
	fputs("1..1000\n", log);
	fclose(log);
	folder_coherence(folder);
	folder_write(folder, "result", "1000 0 0\n");
	machine = folder_read(folder);
	assert_int_equal(machine->problems.n, 0);
	assert_int_equal(machine->n_verdicts, 1000);
	for (i = 0; i < 999; i++)
		assert_true(machine->verdicts[i].ok);
	assert_false(machine->verdicts[999].ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_right, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_uc_minus, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_large, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_planted_in_trace, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_planted_in_tracepoints, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_planted_in_both, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_no_walk, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_old_walk, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_missing_access, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_mixed, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_not_traced, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_no_trace, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_faults, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_shared_place, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_many, folder_setup, folder_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
