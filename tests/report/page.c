// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page's frame: what it says first, how it is read, where the rules come from.
 */
#include "page.h"

#include <inttypes.h>
#include <string.h>

#include "html.h"
#include "totals.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
	"<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=color-scheme content=\"light dark\">\n"
	"<title>dmapat conformance report</title>\n<style>\n";

static void print_fact(FILE *out, const char *name, const char *text)
{
	fputs("<div>", out);
	html_element(out, "dt", name);
	html_element(out, "dd", text);
	fputs("</div>\n", out);
}

/* The kernels that ran, each once. */
static void print_kernels(FILE *out, const struct machine *machines, size_t n)
{
	const char *before = "";
	size_t i, j;

	fputs("<div><dt>kernel</dt><dd>", out);
	for (i = 0; i < n; i++) {
		if (!machines[i].kernel)
			continue;
		for (j = 0; j < i; j++)
			if (machines[j].kernel && !strcmp(machines[i].kernel, machines[j].kernel))
				break;
		if (j < i)
			continue;
		fputs(before, out);
		html_text(out, machines[i].kernel);
		before = ", ";
	}
	fputs(*before ? "</dd></div>\n" : "unknown</dd></div>\n", out);
}

static void print_facts(FILE *out, const struct machine *machines, size_t n,
			const struct totals *totals)
{
	char text[128];

	fputs("<dl>\n", out);
	print_kernels(out, machines, n);
	snprintf(text, sizeof(text), "%lu judged, %lu mismatches", totals->cells,
		 totals->mismatches);
	print_fact(out, "cells", text);
	snprintf(text, sizeof(text), "%lu buffers, %lu disagree", totals->buffers,
		 totals->disagree);
	print_fact(out, "agreement", text);
	snprintf(text, sizeof(text), "stock %" PRIu64 ", dmapat %" PRIu64, totals->stale_stock,
		 totals->stale_dmapat);
	print_fact(out, "stale reads of WC and UC buffers", text);
	if (totals->problems) {
		snprintf(text, sizeof(text), "%lu", totals->problems);
		print_fact(out, "other problems", text);
	}
	fputs("</dl>\n", out);
}

/* " 12 mismatches", with a comma if something is before it; nothing for 0 */
static void print_count(FILE *out, unsigned long count, const char *one, const char *many,
			const char **before)
{
	if (!count)
		return;
	fprintf(out, "%s %lu %s", *before, count, count == 1 ? one : many);
	*before = ",";
}

static void print_verdict(FILE *out, const struct totals *totals)
{
	const char *before = "";

	if (totals_ok(totals)) {
		fputs("<p class=\"verdict good\">\xe2\x9c\x93 Every cell is as the manuals demand.</p>\n",
		      out);
		return;
	}
	fputs("<p class=\"verdict failed\">\xe2\x9c\x97 Failed:", out);
	print_count(out, totals->mismatches, "mismatch in a cell", "mismatches in cells", &before);
	print_count(out, totals->disagree, "buffer whose types disagree",
		    "buffers whose types disagree", &before);
	print_count(out, totals->blocks_wrong, "coherence scenario not as expected",
		    "coherence scenarios not as expected", &before);
	print_count(out, totals->problems, "other problem", "other problems", &before);
	fputs("</p>\n", out);
}

static void print_machine(FILE *out, const struct machine *machine, size_t number)
{
	struct totals totals = { 0 };

	totals_add(&totals, machine);
	fprintf(out, "<section id=cpu%zu><h2>", number);
	html_text(out, machine->cpu);
	fputs(" <small>", out);
	html_text(out, machine->model ? machine->model : "");
	fprintf(out, "</small></h2>\n<p>%lu cells, %lu mismatches; leaf and type are from %s.</p>\n",
		totals.cells, totals.mismatches,
		machine->traced ? "Bochs' trace and KVM's tracepoints" : "KVM's tracepoints");
	page_matrix(out, machine);
	fputs("</section>\n", out);
}

static void print_nav(FILE *out, const struct machine *machines, size_t n)
{
	size_t i;

	fputs("<nav><a href=\"#legend\">How to read it</a>", out);
	for (i = 0; i < n; i++) {
		fprintf(out, " <a href=\"#cpu%zu\">", i + 1);
		html_text(out, machines[i].cpu);
		fputs("</a>", out);
	}
	fputs(" <a href=\"#agreement\">Agreement</a> <a href=\"#coherence\">Coherence</a>", out);
	fputs(" <a href=\"#rules\">The rules</a></nav>\n", out);
}

void page_print(FILE *out, const struct machine *machines, size_t n)
{
	struct totals totals = { 0 };
	size_t i;

	for (i = 0; i < n; i++)
		totals_add(&totals, &machines[i]);
	fputs(head, out);
	fputs(page_style, out);
	fputs("</style>\n</head>\n<body>\n<header>\n", out);
	fputs("<h1>Memory types of DMA-bufs in KVM guests</h1>\n", out);
	print_verdict(out, &totals);
	print_facts(out, machines, n, &totals);
	print_nav(out, machines, n);
	page_overview(out, machines, n);
	fputs("</header>\n<main>\n", out);
	fputs(page_legend, out);
	for (i = 0; i < n; i++)
		print_machine(out, &machines[i], i + 1);
	page_agreement(out, machines, n);
	page_coherence(out, machines, n);
	fputs(page_rules, out);
	fputs("</main>\n</body>\n</html>\n", out);
}
