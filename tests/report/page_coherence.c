// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The coherence scenarios: for each buffer the picture of its cache lines, stock beside
 * dmapat, with the reads that would have been stale on hardware.
 */
#include <inttypes.h>
#include <string.h>

#include "html.h"
#include "page.h"

#define LINES_PER_PAGE	64u
#define N_SHOWN		3	/* findings that are shown without opening the rest */

static bool same_scenario(const struct coherence_block *a, const struct coherence_block *b)
{
	return !strcmp(a->name, b->name) && !strcmp(a->host, b->host);
}

/* A character of the picture as a square; other characters have been called wrong. */
static void print_line(FILE *out, char line)
{
	const char *class = "";

	switch (line) {
	case 'w':
		class = " class=cw";
		break;
	case 'f':
		class = " class=cf";
		break;
	case 'S':
		class = " class=h";
		break;
	case 'L':
		class = " class=x";
		break;
	case '.':
		fputs("<i></i>", out);
		return;
	default:
		line = '?';
		break;
	}
	fprintf(out, "<i%s>%c</i>", class, line);
}

/* A page of the buffer; pages that nobody touched are told in words. */
static void print_pages(FILE *out, const char *lines)
{
	size_t page, i, length, untouched = 0;

	for (page = 0; *lines; page++, lines += length) {
		length = strnlen(lines, LINES_PER_PAGE);
		if (strspn(lines, ".") >= length) {
			untouched++;
			continue;
		}
		fprintf(out, "<div class=lines title=\"page %zu of the buffer\">", page);
		for (i = 0; i < length; i++)
			print_line(out, lines[i]);
		fputs("</div>", out);
	}
	if (untouched)
		fprintf(out, "<small>%zu untouched page%s</small>", untouched,
			untouched == 1 ? "" : "s");
}

static void print_findings(FILE *out, const struct texts *findings)
{
	size_t i;

	if (!findings->n)
		return;
	fputs("<ul>", out);
	for (i = 0; i < findings->n; i++) {
		if (i == N_SHOWN)
			fprintf(out, "</ul><details><summary>%zu more</summary><ul>",
				findings->n - N_SHOWN);
		html_element(out, "li", findings->texts[i]);
	}
	fputs(findings->n > N_SHOWN ? "</ul></details>" : "</ul>", out);
}

static void print_side(FILE *out, const struct coherence_block *block, bool dmapat)
{
	size_t i;

	fprintf(out, "<div class=side><b>%s</b> ", dmapat ? "after: dmapat" : "before: stock");
	if (!block) {
		fputs("<small>not run</small></div>\n", out);
		return;
	}
	fprintf(out, "<span%s>%" PRIu64 " stale, %" PRIu64 " lost</span> <small>of %" PRIu64
		" reads, %" PRIu64 " accesses</small>", block->stale || block->lost ? " class=some" : "",
		block->stale, block->lost, block->reads, block->accesses);
	if (!block->ok) {
		fputs("<p class=wrong>", out);
		html_text(out, block->why.text);
		fputs("</p>", out);
	}
	print_pages(out, block->lines ? block->lines : "");
	for (i = 0; i < block->remarks.n; i++)
		html_element(out, "p class=remark", block->remarks.texts[i]);
	print_findings(out, &block->findings);
	fputs("</div>\n", out);
}

static const struct coherence_block *find_side(const struct machine *machine,
					       const struct coherence_block *like, bool dmapat)
{
	size_t i;

	for (i = 0; i < machine->n_blocks; i++)
		if (machine->blocks[i].dmapat == dmapat && same_scenario(&machine->blocks[i], like))
			return &machine->blocks[i];
	return NULL;
}

/* Is this the first block of its scenario and buffer? */
static bool first_of_scenario(const struct machine *machine, size_t block)
{
	size_t i;

	for (i = 0; i < block; i++)
		if (same_scenario(&machine->blocks[i], &machine->blocks[block]))
			return false;
	return true;
}

static void print_scenario(FILE *out, const struct machine *machine,
			   const struct coherence_block *block)
{
	fputs("<article><h4>", out);
	html_text(out, block->name);
	fputs(" <small>", out);
	html_text(out, block->host);
	fprintf(out, ", host %s</small></h4><div class=sides>\n", oracle_type_name(block->memtype));
	print_side(out, find_side(machine, block, false), false);
	print_side(out, find_side(machine, block, true), true);
	fputs("</div></article>\n", out);
}

static void print_machine(FILE *out, const struct machine *machine, bool open)
{
	uint64_t stale[2] = { 0 }, lost[2] = { 0 };
	size_t i;

	for (i = 0; i < machine->n_blocks; i++) {
		stale[machine->blocks[i].dmapat] += machine->blocks[i].stale;
		lost[machine->blocks[i].dmapat] += machine->blocks[i].lost;
	}
	fprintf(out, "<details%s><summary><b>", open ? " open" : "");
	html_text(out, machine->cpu);
	fprintf(out, "</b>: stock %" PRIu64 " stale reads, %" PRIu64 " lost writes; dmapat %" PRIu64
		", %" PRIu64 "</summary>\n<div class=scenarios>\n", stale[0], lost[0], stale[1],
		lost[1]);
	for (i = 0; i < machine->n_blocks; i++)
		if (first_of_scenario(machine, i))
			print_scenario(out, machine, &machine->blocks[i]);
	fputs("</div></details>\n", out);
}

void page_coherence(FILE *out, const struct machine *machines, size_t n)
{
	bool any = false;
	size_t i;

	fputs("<section id=coherence>\n", out);
	fputs(page_about_coherence, out);
	for (i = 0; i < n; i++) {
		if (!machines[i].n_blocks)
			continue;
		print_machine(out, &machines[i], !any);
		any = true;
	}
	if (!any)
		fputs("<p>No machine traced a scenario.</p>\n", out);
	fputs("</section>\n", out);
}
