// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The matrix of one machine: what is wrong first, then how often the guest would cache
 * what the host does not, then a line for each exporter, which opens to its moments.
 */
#include <string.h>

#include "cached.h"
#include "grid.h"
#include "html.h"
#include "page.h"

/* Groups of mismatches that are shown without opening the rest. */
#define N_SHOWN	10

/* What a square says, from the harmless to what must be seen first. */
enum square {
	SQUARE_NONE,
	SQUARE_FAULT,		/* the vCPU left to the VMM, as it must */
	SQUARE_CACHED,		/* cached, as by the host */
	SQUARE_UC,
	SQUARE_WC,
	SQUARE_ALIAS,		/* the guest bypasses the cache that the host uses */
	SQUARE_HAZARD,		/* the guest caches what the host does not */
	SQUARE_WRONG,
};

static const char *const square_classes[] = {
	[SQUARE_NONE] = "n", [SQUARE_FAULT] = "f", [SQUARE_CACHED] = "b", [SQUARE_UC] = "u",
	[SQUARE_WC] = "w", [SQUARE_ALIAS] = "a", [SQUARE_HAZARD] = "h", [SQUARE_WRONG] = "x",
};

static enum square square_of(const struct verdict *verdict)
{
	if (!verdict)
		return SQUARE_NONE;
	if (!verdict->ok)
		return SQUARE_WRONG;
	if (verdict->cell.fault)
		return SQUARE_FAULT;
	if (cached_hazard(verdict))
		return SQUARE_HAZARD;
	if (oracle_type_cacheable(verdict->effective))
		return SQUARE_CACHED;
	if (oracle_type_cacheable(verdict->cell.memtype))
		return SQUARE_ALIAS;
	return verdict->effective == ORACLE_WC ? SQUARE_WC : SQUARE_UC;
}

static const char *square_text(const struct verdict *verdict)
{
	if (!verdict)
		return "\xc2\xb7";
	if (verdict->cell.fault)
		return "F";
	if (verdict->effective == ORACLE_INVALID)
		return "?";
	return oracle_type_name(verdict->effective);
}

static void print_square(FILE *out, const struct verdict *verdict)
{
	enum square square = square_of(verdict);

	fprintf(out, "<i class=%s", square_classes[square]);
	if (square == SQUARE_WRONG) {
		fputs(" title=\"", out);
		html_text(out, verdict->why.text);
		fputc('"', out);
	}
	fprintf(out, ">%s</i>", square_text(verdict));
}

/* The square that stands for all moments: the worst one. */
static const struct verdict *worst(const struct grid *grid, size_t row, size_t column, size_t pat)
{
	const struct verdict *found = NULL, *verdict;
	size_t i;

	for (i = 0; i < grid->n_moments; i++) {
		verdict = grid_cell(grid, row, column, i, pat);
		if (square_of(verdict) > square_of(found))
			found = verdict;
	}
	return found;
}

/* The kinds of leaf that the exporter's pages had: "leaf WB, ignores PAT". */
static void print_leaves(FILE *out, const struct grid *grid, size_t row, size_t column)
{
	unsigned int seen = 0, kind;
	const char *before = "leaf ";
	const struct verdict *verdict;
	size_t i, pat;

	for (i = 0; i < grid->n_moments; i++)
		for (pat = 0; pat < GRID_PATS; pat++) {
			verdict = grid_cell(grid, row, column, i, pat);
			if (!verdict || !verdict->has_leaf)
				continue;
			kind = 2 * (unsigned int)verdict->leaf.type + verdict->leaf.ignore_pat;
			if (seen & 1u << kind)
				continue;
			seen |= 1u << kind;
			fprintf(out, "%s%s%s", before, oracle_type_name(verdict->leaf.type),
				verdict->leaf.ignore_pat ? ", PAT ignored" : "");
			before = " / ";
		}
}

static void begin_group(FILE *out, const struct grid *grid, size_t column)
{
	fprintf(out, "<span class=g><b>%s</b>", grid_column_name(&grid->columns[column]));
}

static void print_row_head(FILE *out, const struct grid_row *row)
{
	fputs("<span class=name>", out);
	html_text(out, row->host);
	fprintf(out, " <small>host %s, %s</small></span>", oracle_type_name(row->memtype),
		row->page == 2 ? "2 MiB" : "4 KiB");
}

static bool has_cells(const struct grid *grid, size_t row, size_t column, size_t moment)
{
	size_t pat;

	for (pat = 0; pat < GRID_PATS; pat++)
		if (grid_cell(grid, row, column, moment, pat))
			return true;
	return false;
}

static void print_moment(FILE *out, const struct grid *grid, size_t row, size_t moment)
{
	const char *why;
	size_t column, pat;

	fputs("<div class=line><span class=name>", out);
	html_text(out, grid->moments[moment]);
	fputs("</span>", out);
	for (column = 0; column < grid->n_columns; column++) {
		begin_group(out, grid, column);
		why = grid_no_cell(grid, row, column, moment);
		if (!has_cells(grid, row, column, moment) && why) {
			html_element(out, "span class=na", why);
		} else {
			for (pat = 0; pat < GRID_PATS; pat++)
				print_square(out, grid_cell(grid, row, column, moment, pat));
		}
		fputs("</span>", out);
	}
	fputs("</div>\n", out);
}

static void print_row(FILE *out, const struct grid *grid, size_t row)
{
	size_t column, pat, moment;

	fputs("<details class=row><summary class=line>", out);
	print_row_head(out, &grid->rows[row]);
	for (column = 0; column < grid->n_columns; column++) {
		begin_group(out, grid, column);
		for (pat = 0; pat < GRID_PATS; pat++)
			print_square(out, worst(grid, row, column, pat));
		fputs("<small>", out);
		print_leaves(out, grid, row, column);
		fputs("</small></span>", out);
	}
	fputs("</summary>\n", out);
	for (moment = 0; moment < grid->n_moments; moment++)
		print_moment(out, grid, row, moment);
	fputs("</details>\n", out);
}

static void print_head(FILE *out, const struct grid *grid)
{
	size_t column, pat;

	fputs("<div class=\"line head\"><span class=name>exporter <small>guest PAT:</small></span>",
	      out);
	for (column = 0; column < grid->n_columns; column++) {
		begin_group(out, grid, column);
		for (pat = 0; pat < GRID_PATS; pat++)
			html_element(out, "i", oracle_type_name(grid_pats[pat]));
		fputs("</span>", out);
	}
	fputs("</div>\n", out);
}

/* Cells that differ in the guest's PAT alone stand together. */
static bool same_but_pat(const struct cell *a, const struct cell *b)
{
	return a->modules == b->modules && a->bound == b->bound && a->page == b->page &&
	       !strcmp(a->host, b->host) && !strcmp(a->moment, b->moment);
}

/*
 * Prints the mismatches that stand together with number @first, and takes them from
 * @left; returns the next number.
 */
static size_t print_mismatches(FILE *out, const struct machine *machine, size_t first,
			       size_t *left)
{
	const struct verdict *verdicts = machine->verdicts;
	const struct cell *cell = &verdicts[first].cell;
	const struct grid_column column = { cell->modules, cell->bound };
	size_t i, n = 0;

	fputs("<li><b>", out);
	html_text(out, cell->host);
	fprintf(out, " %s, %s, ", verdict_size(cell), grid_column_name(&column));
	html_text(out, cell->moment);
	fputs("</b>:", out);
	for (i = first; i < machine->n_verdicts; i++) {
		if (verdicts[i].ok)
			continue;
		if (!same_but_pat(&verdicts[i].cell, cell))
			break;
		--*left;
		/* the reasons of the others are the same but for the type */
		if (n++ == 1)
			fputs("<details><summary>and for other guest types</summary>", out);
		fprintf(out, "<p>guest %s: seen <b>%s</b>, expected <b>%s</b>. ",
			oracle_type_name(verdicts[i].cell.pat), verdict_effective(&verdicts[i]),
			verdict_expected(&verdicts[i]));
		html_element(out, "small", verdicts[i].why.text);
		fputs("</p>", out);
	}
	fputs(n > 1 ? "</details></li>\n" : "</li>\n", out);
	return i;
}

static void print_wrong(FILE *out, const struct machine *machine)
{
	size_t i, shown = 0, wrong = 0, left;

	for (i = 0; i < machine->n_verdicts; i++)
		wrong += !machine->verdicts[i].ok;
	if (!wrong && !machine->problems.n)
		return;
	fprintf(out, "<div class=wrong><h3>%zu mismatches, %zu other problems</h3>\n<ul>\n", wrong,
		machine->problems.n);
	for (i = 0; i < machine->problems.n; i++)
		html_element(out, "li", machine->problems.texts[i]);
	left = wrong;
	for (i = 0; i < machine->n_verdicts;) {
		if (machine->verdicts[i].ok) {
			i++;
			continue;
		}
		if (shown++ == N_SHOWN)
			fprintf(out, "</ul><details><summary>%zu more</summary><ul>\n", left);
		i = print_mismatches(out, machine, i, &left);
	}
	fputs(shown > N_SHOWN ? "</ul></details></div>\n" : "</ul></div>\n", out);
}

/* Counts of each rule in force. */
static void print_counts(FILE *out, const struct grid *grid)
{
	const struct machine *machine = grid->machine;
	size_t column, i;

	fputs("<table class=\"cards sum\"><thead><tr><th>modules<th>cells<th>mismatches", out);
	fputs("<th>UC and WC memory that the guest would cache</thead>\n", out);
	for (column = 0; column < grid->n_columns; column++) {
		unsigned int cells = 0, wrong = 0;
		struct cached cached = { 0 };

		for (i = 0; i < machine->n_verdicts; i++) {
			const struct verdict *verdict = &machine->verdicts[i];

			if (verdict->cell.modules != grid->columns[column].modules ||
			    verdict->cell.bound != grid->columns[column].bound)
				continue;
			cells++;
			wrong += !verdict->ok;
			cached_add(&cached, verdict);
		}
		fprintf(out, "<tr><th scope=row>%s<td data-h=cells>%u<td data-h=mismatches%s>%u",
			grid_column_name(&grid->columns[column]), cells,
			wrong ? " class=bad" : "", wrong);
		fputs("<td data-h=cached>", out);
		cached_print(out, &cached);
		fputc('\n', out);
	}
	fputs("</table>\n", out);
}

void page_matrix(FILE *out, const struct machine *machine)
{
	struct grid grid;
	size_t i;

	print_wrong(out, machine);
	grid_make(&grid, machine);
	if (grid.n_rows) {
		print_counts(out, &grid);
		fputs("<div class=matrix>\n", out);
		print_head(out, &grid);
		for (i = 0; i < grid.n_rows; i++)
			print_row(out, &grid, i);
		fputs("</div>\n", out);
	}
	grid_free(&grid);
}
