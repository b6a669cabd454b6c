// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of agreement: for each buffer, what everyone who knows or uses it says.
 */
#include <string.h>

#include "html.h"
#include "page.h"

/* One column of the table: what is written beside the value on a narrow screen, too. */
static const struct {
	const char *head;
	enum agreement_answer answer;
} columns[] = {
	{ "host type", ANSWER_MEMTYPE },
	{ "kernel", ANSWER_KERNEL },
	{ "leaf", ANSWER_LEAF },
	{ "map_info", ANSWER_MAP_INFO },
	{ "GPU process, PTE", ANSWER_GPU_PTE },
	{ "GPU process, traced", ANSWER_GPU_TRACED },
	{ "VMM, PTE", ANSWER_VMM_PTE },
	{ "VMM, traced", ANSWER_VMM_TRACED },
	{ "guest", ANSWER_GUEST },
};

#define N_COLUMNS	(sizeof(columns) / sizeof(columns[0]))

static const char *type_class(enum oracle_type type)
{
	if (type == ORACLE_INVALID)
		return "n";
	if (oracle_type_cacheable(type))
		return "b";
	return type == ORACLE_WC ? "w" : "u";
}

static bool same(enum oracle_type a, enum oracle_type b)
{
	return (a == ORACLE_UC_MINUS ? ORACLE_UC : a) == (b == ORACLE_UC_MINUS ? ORACLE_UC : b);
}

static void print_agreement(FILE *out, const struct agreement *agreement)
{
	enum oracle_type memtype = agreement->answers[ANSWER_MEMTYPE], type;
	size_t i;

	fprintf(out, "<tr%s><th scope=row>", agreement->ok ? "" : " class=wrong");
	html_text(out, agreement->host);
	fputs("<td data-h=stage>", out);
	html_text(out, agreement->stage);
	fprintf(out, "<td data-h=bind>%s", agreement->required ? "require" : "off");
	for (i = 0; i < N_COLUMNS; i++) {
		type = agreement->answers[columns[i].answer];
		fprintf(out, "<td data-h=\"%s\"><i class=%s>%s</i>", columns[i].head,
			type != ORACLE_INVALID && !same(type, memtype) ? "x" : type_class(type),
			type == ORACLE_INVALID ? "\xe2\x80\x93" : oracle_type_name(type));
	}
	fputs("<td class=why data-h=verdict>", out);
	html_text(out, agreement->ok ? "agree" : agreement->why.text);
	fputc('\n', out);
}

/* A machine's table; @open: also if all is right. */
static void print_machine(FILE *out, const struct machine *machine, bool open)
{
	size_t i, wrong = 0;

	for (i = 0; i < machine->n_agreements; i++)
		wrong += !machine->agreements[i].ok;
	fprintf(out, "<details%s><summary><b>", open || wrong ? " open" : "");
	html_text(out, machine->cpu);
	fprintf(out, "</b>: %zu buffers, <span%s>%zu disagree</span></summary>\n",
		machine->n_agreements, wrong ? " class=bad" : "", wrong);
	fputs("<table class=cards><thead><tr><th>exporter<th>stage<th>bind", out);
	for (i = 0; i < N_COLUMNS; i++)
		html_element(out, "th", columns[i].head);
	fputs("<th>verdict</thead>\n", out);
	for (i = 0; i < machine->n_agreements; i++)
		print_agreement(out, &machine->agreements[i]);
	fputs("</table></details>\n", out);
}

void page_agreement(FILE *out, const struct machine *machines, size_t n)
{
	bool any = false;
	size_t i;

	fputs("<section id=agreement>\n", out);
	fputs(page_about_agreement, out);
	for (i = 0; i < n; i++) {
		if (!machines[i].n_agreements)
			continue;
		print_machine(out, &machines[i], !any);
		any = true;
	}
	fputs(any ? "</section>\n" : "<p>No machine reported a buffer.</p></section>\n", out);
}
