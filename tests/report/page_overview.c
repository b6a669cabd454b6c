// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All machines at a glance: how many cells, how many mismatches, and how much of the
 * memory that the host does not cache a guest would cache, stock beside dmapat.
 */
#include "cached.h"
#include "html.h"
#include "page.h"
#include "totals.h"

/* Stock's two columns, and both of dmapat's, bound and unbound. */
static const struct {
	const char *name;
	enum cell_modules modules;
} columns[] = {
	{ "stock", CELL_STOCK },
	{ "stock, quirk off", CELL_STOCK_QUIRK_OFF },
	{ "dmapat", CELL_DMAPAT },
};

#define N_COLUMNS	(sizeof(columns) / sizeof(columns[0]))

static void print_cached(FILE *out, const struct machine *machine, size_t column)
{
	struct cached cached = { 0 };
	size_t i;

	for (i = 0; i < machine->n_verdicts; i++)
		if (machine->verdicts[i].cell.modules == columns[column].modules)
			cached_add(&cached, &machine->verdicts[i]);
	fprintf(out, "<td data-h=\"cached, %s\">", columns[column].name);
	cached_print(out, &cached);
}

void page_overview(FILE *out, const struct machine *machines, size_t n)
{
	struct totals totals;
	size_t i, column;

	fputs("<table class=\"cards sum\"><thead><tr><th rowspan=2>CPU<th rowspan=2>cells", out);
	fputs("<th rowspan=2>mismatches<th colspan=3>UC and WC memory that the guest would cache<tr>", out);
	for (column = 0; column < N_COLUMNS; column++)
		html_element(out, "th", columns[column].name);
	fputs("</thead>\n", out);
	for (i = 0; i < n; i++) {
		totals = (struct totals){ 0 };
		totals_add(&totals, &machines[i]);
		fprintf(out, "<tr><th scope=row><a href=\"#cpu%zu\">", i + 1);
		html_text(out, machines[i].cpu);
		fprintf(out, "</a><td data-h=cells>%lu<td data-h=mismatches%s>%lu", totals.cells,
			totals.mismatches ? " class=bad" : "", totals.mismatches);
		for (column = 0; column < N_COLUMNS; column++)
			print_cached(out, &machines[i], column);
		fputc('\n', out);
	}
	fputs("</table>\n", out);
}
