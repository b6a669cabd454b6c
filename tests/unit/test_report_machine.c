// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is wrong with a machine's folder besides its cells: lost and cut off files,
 * lines that are not understood, buffers whose users disagree, coherence blocks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "report/totals.h"
#include "report_folder.h"

#define BUFFER	"stage=source bind=require vendor=intel host=wc-heap memtype=WC "
#define ANSWERS	"kernel=WC leaf=WC map-info=WC gpu-pte=WC vmm-pte=WC guest-pat=WC "
#define LEAF	"spte=0x8600000005aebb0f level=1 host-pat=0x407050600070106"

static const char agree[] = "# agree " BUFFER ANSWERS LEAF;

#define SCENARIO "guest-writes cpu=tigerlake modules=stock host=wc-heap memtype=WC "
#define COUNTS	"accesses=9 reads=4 stale=1 lost=1 expect=stale ok=1\n"
#define FOUND	"stale read 1\nlost write 2\nwith self-snoop: 0 stale reads\n"

static const char block[] = "scenario " SCENARIO COUNTS "lines wfSL....\n" FOUND;

/* A folder without a trace in which nothing is wrong. */
static void good_folder(const struct folder *folder)
{
	struct cell cell = folder_cell();

	cell.phase = 0;
	folder_log(folder, &cell);
}

static void expect_problem(struct folder *folder, const char *first, const char *second)
{
	const struct machine *machine = folder_read(folder);
	struct totals totals = { 0 };
	size_t i;

	totals_add(&totals, machine);
	assert_false(totals_ok(&totals));
	for (i = 0; i < machine->problems.n; i++)
		if (strstr(machine->problems.texts[i], first) &&
		    strstr(machine->problems.texts[i], second))
			return;
	fail_msg("%zu problems, none with '%s' and '%s'; the first: %s", machine->problems.n,
		 first, second, machine->problems.n ? machine->problems.texts[0] : "");
}

static void expect_good(struct folder *folder)
{
	const struct machine *machine = folder_read(folder);
	struct totals totals = { 0 };

	totals_add(&totals, machine);
	if (!totals_ok(&totals))
		fail_msg("%lu mismatches, %zu problems: %s", totals.mismatches,
			 machine->problems.n,
			 machine->problems.n ? machine->problems.texts[0] : "");
}

static void test_good(void **state)
{
	struct folder *folder = *state;

	good_folder(folder);
	folder_write(folder, "serial.log", "junk\n@boot 6.12.117+deb12-amd64  Intel(R) CPU\r\n");
	/* others' files: a result too many in them is not the report's business */
	folder_write(folder, "boot.log", "1..1\n# cell\n");
	folder_write(folder, "rmmod.log", "# cell\n");
	folder_write(folder, "matrix.trace", "# cell\n");
	folder_write(folder, "other.log", "ok 1\n");
	expect_good(folder);
	assert_string_equal(folder->machine.cpu, "tigerlake");
	assert_string_equal(folder->machine.kernel, "6.12.117+deb12-amd64");
	assert_string_equal(folder->machine.model, "Intel(R) CPU");
	assert_int_equal(folder->machine.n_verdicts, GRID_PATS);
}

/* A cell that was not printed is missed, unless none of its kind was. */
static void test_missing_cell(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();
	FILE *log;

	good_folder(folder);
	cell.phase = 0;
	strcpy(cell.moment, "slot-moved");
	log = folder_open(folder, "matrix.log", "a");
	cell_print(log, &cell);
	fclose(log);
	expect_problem(folder, "dmapat wc-heap 4K unbound slot-moved",
		       "cells for 1 of 6 guest PAT types");
	log = folder_open(folder, "matrix.log", "a");
	cell.pat = ORACLE_UC;
	cell_print(log, &cell);
	fclose(log);
	expect_problem(folder, "dmapat wc-heap 4K unbound slot-moved",
		       "cells for 2 of 6 guest PAT types");
}

static void test_no_folder(void **state)
{
	struct folder *folder = *state;
	struct machine machine;

	machine_read(&machine, "x", "/nonexistent/folder");
	assert_int_equal(machine.problems.n, 3);
	expect_both(machine.problems.texts[0], "/nonexistent/folder", "No such file");
	machine_free(&machine);
	/* a folder that has nothing */
	expect_problem(folder, "no cells", "nothing was tested");
	expect_problem(folder, "result", "did not end");
}

/* A log without a single cell, in a machine that ended well. */
static void test_no_cells(void **state)
{
	struct folder *folder = *state;

	folder_write(folder, "matrix.log", "ok 1 - a\n1..1\n");
	folder_write(folder, "result", "1 0 0\n");
	expect_problem(folder, "no cells", "nothing was tested");
}

static void test_result(void **state)
{
	struct folder *folder = *state;
	static const char *const bad[] = { "", "1\n", "1 0\n", "a b c\n", "1 0 0", "1 0 0 0\n" };
	size_t i;

	good_folder(folder);
	expect_good(folder);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		folder_remove(folder, "result");
		folder_write(folder, "result", bad[i]);
		expect_problem(folder, "result: '", "expected 'passed failed skipped'");
	}
	folder_remove(folder, "result");
	folder_write(folder, "result", "7 2 1\n");
	expect_problem(folder, "7 passed, 2 failed", "1 skipped");
	folder_remove(folder, "result");
	expect_problem(folder, "result", "did not end");
}

/* The log ends early: in a line, between two, before the plan. */
static void test_truncated(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();
	char *text = NULL;
	size_t size, cut;
	FILE *out;

	cell.phase = 0;
	out = open_memstream(&text, &size);
	assert_non_null(out);
	folder_print(out, &cell);
	fputs("ok 1\n", out);
	strcpy(cell.moment, "slot-moved");
	folder_print(out, &cell);
	fputs("ok 2\n1..2\n", out);
	fclose(out);
	folder_write(folder, "result", "2 0 0\n");
	folder_write(folder, "matrix.log", text);
	expect_good(folder);
	folder_remove(folder, "matrix.log");
	for (cut = 1; cut < size - 1; cut++) {
		out = folder_open(folder, "matrix.log", "w");
		fwrite(text, 1, size - cut, out);
		fclose(out);
		folder_read(folder);
		if (!folder->machine.problems.n)
			fail_msg("nobody missed the last %zu bytes", cut);
	}
	free(text);
}

static void test_plan(void **state)
{
	struct folder *folder = *state;

	good_folder(folder);
	folder_write(folder, "matrix.log", "not ok 2\n");
	expect_problem(folder, "1 results planned", "2 reported");
	good_folder(folder);
	folder_write(folder, "matrix.log", "1..x\n");
	expect_good(folder);
	folder_write(folder, "other.log", "# no-cell modules=stock host=a page=4K bound=0 moment=* why=b\nok 1\n");
	expect_problem(folder, "other.log: no plan", "1 results");
}

static void test_bad_lines(void **state)
{
	static const char *const bad[] = {
		"# cell modules=dmapat",
		"# cell ",
		"# no-cell modules=dmapat host=a page=4K bound=0 moment=m",
		"# no-cell modules=dmapat host=a page=4K bound=0 moment=m why=",
		"# no-cell modules=dmapat host=a page=1G bound=0 moment=m why=b",
		"# no-cell modules=other host=a page=4K bound=0 moment=m why=b",
		"# no-cell modules=dmapat host=a page=4K bound=2 moment=m why=b",
		"# no-cell modules=dmapat host= page=4K bound=0 moment=m why=b",
		"# no-cell modules=dmapat modules=stock host=a page=4K bound=0 moment=m why=b",
		"# no-cell modules=dmapat host=0123456789abcdef0123456789abcdef page=4K bound=0 moment=m why=b",
		"# agree stage=source",
	};
	struct folder *folder = *state;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		good_folder(folder);
		folder_write(folder, "matrix.log", bad[i]);
		folder_write(folder, "matrix.log", "\n");
		expect_problem(folder, "matrix.log: not understood", bad[i]);
	}
	good_folder(folder);
	folder_write(folder, "matrix.log",
		     "# no-cell modules=dmapat host=a page=2M bound=1 moment=* why=because it is so\r\n");
	expect_good(folder);
	assert_int_equal(folder->machine.n_no_cells, 1);
	assert_string_equal(folder->machine.no_cells[0].why, "because it is so");
	assert_int_equal(folder->machine.no_cells[0].page, 2);
	assert_true(folder->machine.no_cells[0].bound);
}

static void test_damaged_trace(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	folder_log(folder, &cell);
	folder_coherence(folder);
	folder_trace(folder, LEAF_WC, 1, "WB");
	expect_good(folder);
	/* Bochs was ended in a line */
	folder_write(folder, "trace.log", "[CPU0 WR]: LIN 0x0000400000000");
	expect_problem(folder, "trace.log", "1 lines are damaged");
	folder_remove(folder, "trace.log");
	folder_write(folder, "trace.log", "");
	folder_read(folder);
	assert_false(folder->machine.verdicts[0].ok);
}

/* Puts @to in the place of @from in the good line and reads that. */
static const struct agreement *agree_with(struct folder *folder, const char *from, const char *to)
{
	const char *at = strstr(agree, from);
	FILE *log;

	assert_non_null(at);
	good_folder(folder);
	log = folder_open(folder, "matrix.log", "a");
	fprintf(log, "%.*s%s%s\n", (int)(at - agree), agree, to, at + strlen(from));
	fclose(log);
	folder_read(folder);
	return folder->machine.n_agreements ? &folder->machine.agreements[0] : NULL;
}

/* Nothing else is wrong, and that is enough. */
static struct totals expect_failed(const struct machine *machine)
{
	struct totals totals = { 0 };

	totals_add(&totals, machine);
	assert_false(totals_ok(&totals));
	assert_int_equal(totals.mismatches, 0);
	assert_int_equal(totals.problems, 0);
	return totals;
}

static void expect_disagree(struct folder *folder, const char *from, const char *to,
			    const char *first, const char *second)
{
	const struct agreement *agreement = agree_with(folder, from, to);

	assert_non_null(agreement);
	assert_false(agreement->ok);
	expect_both(agreement->why.text, first, second);
	assert_int_equal(expect_failed(&folder->machine).disagree, 1);
}

static void test_agreement(void **state)
{
	struct folder *folder = *state;
	const struct agreement *agreement;

	agreement = agree_with(folder, "", "");
	assert_non_null(agreement);
	assert_true(agreement->ok);
	assert_int_equal(agreement->answers[ANSWER_GUEST], ORACLE_WC);
	/* any pair that disagrees, with all values */
	expect_disagree(folder, "kernel=WC", "kernel=WB", "kernel WB is not memtype WC",
			"memtype=WC; kernel=WB; leaf=WC; map-info=WC; gpu-pte=WC; vmm-pte=WC");
	expect_disagree(folder, " leaf=WC", " leaf=WB", "leaf WB is not memtype WC", "leaf=WB");
	expect_disagree(folder, "map-info=WC", "map-info=UC", "map-info UC is not memtype WC",
			"map-info=UC");
	expect_disagree(folder, "gpu-pte=WC", "gpu-pte=WB", "gpu-pte WB is not memtype WC",
			"gpu-pte=WB");
	expect_disagree(folder, "vmm-pte=WC", "vmm-pte=UC-", "vmm-pte UC- is not memtype WC",
			"vmm-pte=UC-");
	expect_disagree(folder, "memtype=WC", "memtype=WB", "kernel WC is not memtype WB",
			"guest=WC");
	/* the guest's own type, and the leaf that it goes through */
	expect_disagree(folder, "guest-pat=WC", "guest-pat=UC", "guest UC is not memtype WC",
			"guest=UC");
	expect_disagree(folder, "spte=0x8600000005aebb0f", "spte=0x8600000005aebb77",
			"guest WB is not memtype WC", "guest=WB");
	expect_disagree(folder, "spte=0x8600000005aebb0f", "spte=0", "no leaf (spte 0x0 level 1)",
			"guest is unknown");
	/* what nobody answered */
	expect_disagree(folder, "kernel=WC", "kernel=-", "kernel is unknown", "");
	expect_disagree(folder, "map-info=WC", "map-info=-", "map-info is unknown", "");
	expect_disagree(folder, "gpu-pte=WC", "gpu-pte=-", "the GPU process' type is unknown", "");
	expect_disagree(folder, "vmm-pte=WC", "vmm-pte=-", "the VMM's type is unknown", "");
}

/* UC- in a page table is UC where the MTRR says WB. */
static void test_agreement_uc(void **state)
{
	struct folder *folder = *state;

	good_folder(folder);
	folder_write(folder, "matrix.log",
		     "# agree stage=destination bind=off vendor=amd host=uc-heap memtype=UC kernel=UC leaf=UC map-info=UC gpu-pte=UC- vmm-pte=UC- guest-pat=UC- spte=0x3f8d2e7f level=1 host-pat=0x407050600070106\n");
	expect_good(folder);
	assert_int_equal(folder->machine.n_agreements, 1);
	assert_false(folder->machine.agreements[0].required);
	assert_int_equal(folder->machine.agreements[0].answers[ANSWER_GUEST], ORACLE_UC);
}

static void test_agreement_parse(void **state)
{
	static const char *const bad[][2] = {
		{ "memtype=WC", "memtype=-" }, { "kernel=WC", "kernel=wc" }, { "bind=require", "bind=on" },
		{ "vendor=intel", "vendor=via" }, { "level=1", "level=4" }, { "level=1", "level=" },
		{ "spte=0x86", "spte=0xx86" }, { "host=wc-heap ", "" }, { "stage=source ", "" },
		{ "host=wc-heap", "host=0123456789abcdef0123456789abcdef" },
		{ "level=1", "level=1 level=1" }, { "level=1", "level=1 color=1" },
		{ "level=1", "level=1 gpu-phase=1" }, { "level=1", "level=1 gpu-linear=1" },
		{ "level=1", "level=1 gpu-phase=0 gpu-linear=1" },
	};
	struct folder *folder = *state;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (agree_with(folder, bad[i][0], bad[i][1]))
			fail_msg("taken: %s in place of %s", bad[i][1], bad[i][0]);
	assert_non_null(agree_with(folder, "level=1", "level=1 gpu-phase=1 gpu-linear=0"));
}

/* What all three do; @type: the guest's own, as Bochs prints it. */
static void agreement_trace(const struct folder *folder, unsigned long long leaf,
			    const char *type)
{
	folder_remove(folder, "trace.log");
	folder_trace(folder, LEAF_WC, 1, "WB");
	/* a store of 32 bytes, of which the second 8 are meant */
	trace_phase(folder, 0x2001);
	folder_write(folder, "trace.log",
		     "[CPU0 WR]: LIN 0x00007efffffffff8 PHY 0x000005aeb000 (len=32, WC): 0x1 0x1 0x1 0x1\n");
	trace_phase(folder, 0x2002);
	trace_access(folder, "RD", 0x7f1111111000, "WC");
	trace_phase(folder, 0x2003);
	trace_walk(folder, leaf, 1);
	trace_access(folder, "RD", 0x400000001000, type);
}

/* On a machine with a trace, all three must be in it. */
static void test_agreement_traced(void **state)
{
#define GPU_AT		" gpu-phase=0x2001 gpu-linear=0x7f0000000000"
#define VMM_AT		" vmm-phase=0x2002 vmm-linear=0x7f1111111000"
#define GUEST_AT	" guest-phase=0x2003 guest-linear=0x400000001000\n"
	static const char places[] = GPU_AT VMM_AT GUEST_AT;
	struct folder *folder = *state;
	struct cell cell = folder_cell();
	const struct agreement *agreement;
	struct machine *machine;

	folder_log(folder, &cell);
	folder_write(folder, "matrix.log", agree);
	folder_write(folder, "matrix.log", "\n");
	folder_coherence(folder);
	folder_trace(folder, LEAF_WC, 1, "WB");
	folder_read(folder);
	machine = &folder->machine;
	assert_int_equal(machine->n_agreements, 1);
	expect_both(machine->agreements[0].why.text, "the GPU process not traced",
		    "the VMM not traced: no phase");

	folder_log(folder, &cell);
	folder_write(folder, "matrix.log", agree);
	folder_write(folder, "matrix.log", places);
	folder_read(folder);
	agreement = &machine->agreements[0];
	expect_both(agreement->why.text, "no access of the GPU process at phase 0x2001",
		    "no access of the guest at phase 0x2003");

	trace_phase(folder, 0x2001);
	trace_access(folder, "WR", 0x7f0000000000, "WC");
	trace_phase(folder, 0x2002);
	trace_access(folder, "RD", 0x7f1111111000, "WC");
	trace_phase(folder, 0x2003);
	trace_access(folder, "RD", 0x400000001000, "WC");
	folder_read(folder);
	agreement = &machine->agreements[0];
	expect_both(agreement->why.text, "the trace has no EPT leaf", "guest is unknown");

	agreement_trace(folder, LEAF_WC, "WC");
	expect_good(folder);
	agreement = &machine->agreements[0];
	assert_int_equal(agreement->answers[ANSWER_GPU_TRACED], ORACLE_WC);
	assert_int_equal(agreement->answers[ANSWER_VMM_TRACED], ORACLE_WC);
	assert_int_equal(agreement->answers[ANSWER_GUEST], ORACLE_WC);

	/* a host's access to the frame that a guest's leaf maps, in the same stretch */
	trace_phase(folder, 0x2002);
	trace_walk(folder, LEAF_WC, 1);
	trace_access(folder, "RD", LINEAR + 0x800, "WC");
	trace_access(folder, "RD", 0x7f1111111000, "WC");
	expect_good(folder);

	/* the VMM reads it once more, and through its cache */
	trace_access(folder, "RD", 0x7f1111111000, "WB");
	folder_read(folder);
	agreement = &machine->agreements[0];
	expect_both(agreement->why.text, "the VMM accessed it as WC and as WB", "");

	/* the leaf makes WB of the guest's WC, which the tracepoints do not show */
	agreement_trace(folder, LEAF_WB_IGNORE, "WC");
	folder_read(folder);
	agreement = &machine->agreements[0];
	expect_both(agreement->why.text, "guest WB is not memtype WC", "vmm-traced=WC; guest=WB");

	/* the guest uses another type than its tables are said to select */
	agreement_trace(folder, LEAF_WC, "WB");
	folder_read(folder);
	agreement = &machine->agreements[0];
	expect_both(agreement->why.text, "type is WB by the trace", "its tables select WC");
}

static void coherence_with(struct folder *folder, const char *from, const char *to)
{
	const char *at = strstr(block, from);
	FILE *out;

	assert_non_null(at);
	good_folder(folder);
	out = folder_open(folder, "coherence_stock.coherence", "w");
	fprintf(out, "%.*s%s%s", (int)(at - block), block, to, at + strlen(from));
	fclose(out);
	folder_read(folder);
}

static void expect_block_wrong(struct folder *folder, const char *from, const char *to,
			       const char *why)
{
	coherence_with(folder, from, to);
	assert_int_equal(folder->machine.n_blocks, 1);
	assert_false(folder->machine.blocks[0].ok);
	expect_both(folder->machine.blocks[0].why.text, why, "");
	assert_int_equal(expect_failed(&folder->machine).blocks_wrong, 1);
}

static void test_coherence(void **state)
{
	struct folder *folder = *state;
	const struct machine *machine = &folder->machine;
	struct totals totals = { 0 };

	coherence_with(folder, "", "");
	assert_int_equal(machine->n_blocks, 1);
	assert_true(machine->blocks[0].ok);
	assert_string_equal(machine->blocks[0].name, "guest-writes");
	assert_string_equal(machine->blocks[0].lines, "wfSL....");
	assert_int_equal(machine->blocks[0].findings.n, 2);
	assert_int_equal(machine->blocks[0].remarks.n, 1);
	totals_add(&totals, machine);
	assert_int_equal(totals.stale_stock, 1);
	assert_int_equal(totals.stale_dmapat, 0);
	assert_true(totals_ok(&totals));
	/* only the memory that the host does not cache counts */
	coherence_with(folder, "memtype=WC", "memtype=WB");
	totals_add(&totals, machine);
	assert_int_equal(totals.stale_stock, 1);
	coherence_with(folder, "modules=stock", "modules=dmapat");
	totals_add(&totals, machine);
	assert_int_equal(totals.stale_dmapat, 1);
	expect_block_wrong(folder, "ok=1", "ok=0", "ok=0");
	expect_block_wrong(folder, "expect=stale", "expect=none",
			   "1 stale reads and 1 lost writes, expected none");
	expect_block_wrong(folder, "modules=stock", "modules=dmapat", "where none may be");
	expect_block_wrong(folder, "accesses=9", "accesses=0", "nothing was looked at");
	expect_block_wrong(folder, "reads=4", "reads=0", "nothing was looked at");
	expect_block_wrong(folder, "wfSL", "wf??", "expected characters of");
	expect_block_wrong(folder, "wfSL", "wfww", "picture and counts disagree");
	expect_block_wrong(folder, "stale=1", "stale=0", "picture and counts disagree");
	expect_block_wrong(folder, "lost=1", "lost=0", "picture and counts disagree");
	expect_block_wrong(folder, "lines wfSL....\n", "", "picture ''");
	expect_block_wrong(folder, "lost write 2\n", "", "1 findings are named, expected 2");
	/* stock shows nothing where it must: the scenario does not reach what it is for */
	coherence_with(folder, "stale=1 lost=1 expect=stale ok=1\nlines wfSL",
		       "stale=0 lost=0 expect=stale ok=1\nlines wfww");
	expect_both(machine->blocks[0].why.text, "0 stale reads and 0 lost writes",
		    "expected some");
}

static void test_coherence_lines(void **state)
{
	static const char *const bad[][2] = {
		{ "scenario guest-writes", "scenario" }, { "modules=stock", "modules=both" },
		{ "expect=stale", "expect=some" }, { "ok=1", "ok=yes" }, { "stale=1", "stale=-1" },
		{ "memtype=WC", "memtype=-" }, { "cpu=tigerlake ", "" }, { "reads=4", "reads=" },
		{ "guest-writes", "0123456789abcdef0123456789abcdef" },
	};
	struct folder *folder = *state;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		coherence_with(folder, bad[i][0], bad[i][1]);
		if (folder->machine.n_blocks || !folder->machine.problems.n)
			fail_msg("taken: %s in place of %s", bad[i][1], bad[i][0]);
	}
	coherence_with(folder, "lines wfSL....\n", "lines wfSL....\nlines wfSL....\n");
	expect_problem(folder, "coherence: not understood", "lines");
	coherence_with(folder, "scenario", "free text\nscenario");
	expect_problem(folder, "coherence: not understood", "free text");
	coherence_with(folder, "stale reads\n", "stale reads");
	expect_problem(folder, "coherence: not understood", "with self-snoop");
}

/* The checker did not run, or crashed before it said anything. */
static void test_coherence_missing(void **state)
{
	struct folder *folder = *state;
	struct cell cell = folder_cell();

	folder_log(folder, &cell);
	folder_trace(folder, LEAF_WC, 1, "WB");
	expect_problem(folder, "no coherence-check output", "");
	folder_write(folder, "coherence.coherence", "");
	expect_problem(folder, "no coherence-check output", "");
	/* one of the two module sets alone; a scenario that tells the two not apart */
	folder_write(folder, "coherence.coherence", block);
	expect_problem(folder, "no scenario ran with dmapat's modules", "");
	folder_remove(folder, "coherence.coherence");
	folder_coherence(folder);
	expect_good(folder);
	folder_remove(folder, "coherence.coherence");
	folder_write(folder, "coherence.coherence",
		     "scenario a cpu=x modules=dmapat host=h memtype=WC accesses=2 reads=1 ");
	folder_write(folder, "coherence.coherence", "stale=0 lost=0 expect=none ok=1\nlines wf\n");
	expect_problem(folder, "no stale read of a UC or WC buffer with stock modules",
		       "prove nothing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_missing_cell, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_no_folder, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_no_cells, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_result, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_truncated, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_plan, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_bad_lines, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_damaged_trace, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_agreement, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_agreement_uc, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_agreement_parse, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_agreement_traced, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_coherence, folder_setup, folder_teardown),
		cmocka_unit_test_setup_teardown(test_coherence_lines, folder_setup,
						folder_teardown),
		cmocka_unit_test_setup_teardown(test_coherence_missing, folder_setup,
						folder_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
