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

static const char legend[] =
	"<section id=legend><h2>How to read it</h2>\n"
	"<p>A square is one access of the guest: to a page that the host maps with the type in the line's "
	"name, by a guest whose page tables ask for the type above the square. The letters are the type "
	"that the CPU used: the effective type. A line stands for all moments of an exporter and shows "
	"the worst square of each; open it to see each moment.</p>\n"
	"<ul class=legend>\n"
	"<li><i class=u>UC</i> <i class=w>WC</i> not cached, as by the host\n"
	"<li><i class=b>WB</i> cached, as by the host\n"
	"<li><i class=h>WB</i> the guest caches what the host does not: stale reads and lost writes on "
	"hardware. Stock modules do this; it is what this project removes\n"
	"<li><i class=a>UC</i> the guest bypasses a cache that the host uses; processors that snoop "
	"themselves stay coherent\n"
	"<li><i class=f>F</i> the vCPU left with KVM_EXIT_MEMORY_FAULT, as it must: the binding is stale\n"
	"<li><i class=x>WB</i> not what the manuals demand of these modules: a mismatch, listed above the "
	"table with what was seen and what was expected\n"
	"<li><i class=n>\xc2\xb7</i> there is no such cell\n"
	"</ul>\n"
	"<p>Stock columns are references: there the stock leaf is what is expected. "
	"<b>quirk off</b>: KVM_X86_QUIRK_IGNORE_GUEST_PAT disabled. <b>bound</b>: with "
	"KVM_SET_DMA_BUF. <b>from_host=0</b>: dmapat's modules with memtype_from_host=0.</p>\n"
	"<p>On the Bochs machines leaf and type are from the emulator's trace of memory accesses and page "
	"walks, and KVM's tracepoints must say the same. Elsewhere the tracepoints are the "
	"observation.</p></section>\n";

static const char manuals[] =
	"<section id=manuals><h2>The rules</h2>\n<ul>\n"
	"<li>Intel SDM, volume 3A, chapter \"Memory Cache Control\": tables \"Memory Types and Their "
	"Properties\", \"Memory Types That Can Be Encoded With PAT\", \"Effective Page-Level Memory Types for "
	"Pentium III and More Recent Processor Families\"\n"
	"<li>Intel SDM, volume 3C, \"EPT and Memory Typing\": \"Memory Type Used for Translated "
	"Guest-Physical Addresses\"\n"
	"<li>AMD APM, volume 2, chapter \"Secure Virtual Machine\": \"Combining Memory Types, MTRRs\", table "
	"\"Combining Guest and Host PAT Types\"\n"
	"<li>Linux: Documentation/virt/kvm/api.rst, \"KVM_CAP_DISABLE_QUIRKS2\"\n"
	"</ul>\n<p>docs/memory-types.md has the rule of dmapat, docs/coherence.md that of the caches.</p>"
	"</section>\n";

static void print_fact(FILE *out, const char *name, const char *text)
{
	html_element(out, "dt", name);
	html_element(out, "dd", text);
}

/* The kernels that ran, each once. */
static void print_kernels(FILE *out, const struct machine *machines, size_t n)
{
	const char *before = "";
	size_t i, j;

	fputs("<dt>kernel</dt><dd>", out);
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
	fputs(*before ? "</dd>\n" : "unknown</dd>\n", out);
}

static void print_facts(FILE *out, const struct machine *machines, size_t n,
			const struct totals *totals)
{
	char text[128];
	size_t i;

	fputs("<dl>\n", out);
	print_kernels(out, machines, n);
	fputs("<dt>CPUs</dt><dd>", out);
	for (i = 0; i < n; i++) {
		if (i)
			fputs(", ", out);
		fprintf(out, "<a href=\"#cpu%zu\">", i + 1);
		html_text(out, machines[i].cpu);
		fputs("</a>", out);
	}
	fputs("</dd>\n", out);
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

static void print_verdict(FILE *out, const struct totals *totals)
{
	if (totals_ok(totals)) {
		fputs("<p class=\"verdict good\">\xe2\x9c\x93 Every cell is as the manuals demand.</p>\n",
		      out);
		return;
	}
	fprintf(out, "<p class=\"verdict failed\">\xe2\x9c\x97 Failed: %lu cells mismatch, %lu buffers "
		"disagree, %lu coherence scenarios are not as expected, %lu other problems.</p>\n",
		totals->mismatches, totals->disagree, totals->blocks_wrong, totals->problems);
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

void page_print(FILE *out, const struct machine *machines, size_t n)
{
	struct totals totals = { 0 };
	size_t i;

	for (i = 0; i < n; i++)
		totals_add(&totals, &machines[i]);
	fputs(head, out);
	fputs(page_style, out);
	fputs("</style>\n</head>\n<body>\n<header><h1>Memory types of DMA-bufs in KVM guests</h1>\n", out);
	print_verdict(out, &totals);
	print_facts(out, machines, n, &totals);
	fputs("<nav><a href=\"#legend\">How to read it</a>", out);
	for (i = 0; i < n; i++) {
		fprintf(out, " <a href=\"#cpu%zu\">", i + 1);
		html_text(out, machines[i].cpu);
		fputs("</a>", out);
	}
	fputs(" <a href=\"#agreement\">Agreement</a> <a href=\"#coherence\">Coherence</a> "
	      "<a href=\"#manuals\">The rules</a></nav></header>\n<main>\n", out);
	fputs(legend, out);
	for (i = 0; i < n; i++)
		print_machine(out, &machines[i], i + 1);
	fputs("<section id=agreement><h2>Do all use one type?</h2>\n"
	      "<p>For each buffer: what the exporter, the kernel, the leaf and the map_info for the guest's "
	      "driver say, and how GPU process, VMM and guest accessed it. All must be equal.</p>\n",
	      out);
	page_agreement(out, machines, n);
	fputs("</section>\n<section id=coherence><h2>What a mismatch costs</h2>\n"
	      "<p>An emulator has no caches. The traced accesses were replayed through a model of write-back "
	      "caches and a device that does not snoop. Each square is one cache line of the buffer: "
	      "<i class=cw>w</i> written, <i class=cf>f</i> read fresh, <i class=h>S</i> a stale read, "
	      "<i class=x>L</i> a lost write, <i class=c0></i> untouched; a block of 64 is a page.</p>\n",
	      out);
	page_coherence(out, machines, n);
	fputs("</section>\n", out);
	fputs(manuals, out);
	fputs("</main>\n</body>\n</html>\n", out);
}
