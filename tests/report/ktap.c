// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KTAP; see ktap.h. Documentation/dev-tools/ktap.rst: a subtest is indented and begins
 * with its own version line; a description has no '#'.
 */
#include "ktap.h"

#include <inttypes.h>
#include <string.h>

#include "totals.h"

#define INDENT	"    "

/* One line: what would end it or begin a comment becomes '?'. */
static void print_text(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(*text == '#' || (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text,
		      out);
}

static void begin_result(FILE *out, bool ok, size_t number)
{
	fprintf(out, INDENT "%s %zu ", ok ? "ok" : "not ok", number);
}

/* Why something failed: behind the description, where diagnostics belong. */
static void end_result(FILE *out, bool ok, const char *why)
{
	if (!ok) {
		fputs(" # ", out);
		print_text(out, why);
	}
	fputc('\n', out);
}

static void print_verdict(FILE *out, size_t number, const struct verdict *verdict)
{
	const struct cell *cell = &verdict->cell;

	begin_result(out, verdict->ok, number);
	fprintf(out, "%s ", cell_modules_name(cell->modules));
	print_text(out, cell->host);
	fprintf(out, " %s %s PAT %s ", verdict_size(cell), cell->bound ? "bound" : "unbound",
		oracle_type_name(cell->pat));
	print_text(out, cell->moment);
	fprintf(out, ": %s", verdict_effective(verdict));
	end_result(out, verdict->ok, verdict->why.text);
}

static void print_agreement(FILE *out, size_t number, const struct agreement *agreement)
{
	begin_result(out, agreement->ok, number);
	fputs("agreement ", out);
	print_text(out, agreement->host);
	fprintf(out, " %s ", agreement->required ? "bound" : "unbound");
	print_text(out, agreement->stage);
	fprintf(out, ": %s", oracle_type_name(agreement->answers[ANSWER_GUEST]));
	end_result(out, agreement->ok, agreement->why.text);
}

static void print_block(FILE *out, size_t number, const struct coherence_block *block)
{
	begin_result(out, block->ok, number);
	fprintf(out, "coherence %s ", block->dmapat ? "dmapat" : "stock");
	print_text(out, block->host);
	fputc(' ', out);
	print_text(out, block->name);
	fprintf(out, ": %" PRIu64 " stale, %" PRIu64 " lost", block->stale, block->lost);
	end_result(out, block->ok, block->why.text);
}

static void print_totals(FILE *out, const char *indent, const struct totals *totals)
{
	fprintf(out, "%s# cells: %lu judged, %lu mismatches\n", indent, totals->cells,
		totals->mismatches);
	fprintf(out, "%s# coherence: stock %" PRIu64 " stale reads of WC/UC buffers, dmapat %" PRIu64
		"\n", indent, totals->stale_stock, totals->stale_dmapat);
	fprintf(out, "%s# agreement: %lu buffers, %lu disagree\n", indent, totals->buffers,
		totals->disagree);
}

static void print_machine(FILE *out, const struct machine *machine)
{
	struct totals totals = { 0 };
	size_t i, number = 0;

	fprintf(out, INDENT "KTAP version 1\n" INDENT "# Subtest: ");
	print_text(out, machine->cpu);
	fprintf(out, "\n" INDENT "1..%zu\n", machine->problems.n + machine->n_verdicts +
		machine->n_agreements + machine->n_blocks);
	for (i = 0; i < machine->problems.n; i++) {
		begin_result(out, false, ++number);
		fputs("folder", out);
		end_result(out, false, machine->problems.texts[i]);
	}
	for (i = 0; i < machine->n_verdicts; i++)
		print_verdict(out, ++number, &machine->verdicts[i]);
	for (i = 0; i < machine->n_agreements; i++)
		print_agreement(out, ++number, &machine->agreements[i]);
	for (i = 0; i < machine->n_blocks; i++)
		print_block(out, ++number, &machine->blocks[i]);
	totals_add(&totals, machine);
	print_totals(out, INDENT, &totals);
}

void ktap_print(FILE *out, const struct machine *machines, size_t n)
{
	struct totals all = { 0 }, one;
	size_t i;

	fprintf(out, "KTAP version 1\n1..%zu\n", n);
	for (i = 0; i < n; i++) {
		memset(&one, 0, sizeof(one));
		totals_add(&one, &machines[i]);
		totals_add(&all, &machines[i]);
		print_machine(out, &machines[i]);
		fprintf(out, "%s %zu ", totals_ok(&one) ? "ok" : "not ok", i + 1);
		print_text(out, machines[i].cpu);
		fputc('\n', out);
	}
	print_totals(out, "", &all);
}
