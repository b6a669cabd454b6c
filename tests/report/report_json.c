// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The report as JSON; see report_json.h.
 */
#include "report_json.h"

#include <inttypes.h>

#include "cell_json.h"
#include "json.h"

/* What stands before an object; @count: objects before it. */
static void separate(FILE *out, size_t *count)
{
	fputs((*count)++ ? ",\n" : "[\n", out);
}

static void end_array(FILE *out, size_t count)
{
	fputs(count ? "\n]\n" : "[]\n", out);
}

void report_json_cells(FILE *out, const struct machine *machines, size_t n)
{
	size_t i, j, count = 0;

	for (i = 0; i < n; i++)
		for (j = 0; j < machines[i].n_verdicts; j++) {
			separate(out, &count);
			cell_json(out, machines[i].cpu, &machines[i].verdicts[j]);
		}
	end_array(out, count);
}

/* ,"ok":true} or ,"ok":false,"why":"…"} */
static void end_judged(FILE *out, bool ok, const struct why *why)
{
	fprintf(out, ",\"ok\":%s", ok ? "true" : "false");
	if (!ok)
		json_member(out, "why", why->text);
	fputc('}', out);
}

static void print_agreement(FILE *out, const char *cpu, const struct agreement *agreement)
{
	int i;

	fputs("{\"cpu\":", out);
	json_string(out, cpu);
	json_member(out, "host", agreement->host);
	json_member(out, "stage", agreement->stage);
	fprintf(out, ",\"bound\":%s", agreement->required ? "true" : "false");
	for (i = 0; i < N_ANSWERS; i++)
		json_member(out, agreement_answer_name((enum agreement_answer)i),
			    agreement->answers[i] == ORACLE_INVALID ? NULL :
			    oracle_type_name(agreement->answers[i]));
	end_judged(out, agreement->ok, &agreement->why);
}

void report_json_agreements(FILE *out, const struct machine *machines, size_t n)
{
	size_t i, j, count = 0;

	for (i = 0; i < n; i++)
		for (j = 0; j < machines[i].n_agreements; j++) {
			separate(out, &count);
			print_agreement(out, machines[i].cpu, &machines[i].agreements[j]);
		}
	end_array(out, count);
}

/* ,"name":["…","…"] */
static void print_texts(FILE *out, const char *name, const struct texts *texts)
{
	size_t i;

	fprintf(out, ",\"%s\":[", name);
	for (i = 0; i < texts->n; i++) {
		if (i)
			fputc(',', out);
		json_string(out, texts->texts[i]);
	}
	fputc(']', out);
}

static void print_block(FILE *out, const char *cpu, const struct coherence_block *block)
{
	fputs("{\"cpu\":", out);
	json_string(out, cpu);
	json_member(out, "scenario", block->name);
	json_member(out, "modules", block->dmapat ? "dmapat" : "stock");
	json_member(out, "host", block->host);
	json_member(out, "host_memtype", oracle_type_name(block->memtype));
	fprintf(out, ",\"accesses\":%" PRIu64 ",\"reads\":%" PRIu64 ",\"stale\":%" PRIu64
		",\"lost\":%" PRIu64, block->accesses, block->reads, block->stale, block->lost);
	json_member(out, "expected", block->expect_stale ? "stale" : "none");
	json_member(out, "lines", block->lines);
	print_texts(out, "findings", &block->findings);
	print_texts(out, "remarks", &block->remarks);
	end_judged(out, block->ok, &block->why);
}

void report_json_coherence(FILE *out, const struct machine *machines, size_t n)
{
	size_t i, j, count = 0;

	for (i = 0; i < n; i++)
		for (j = 0; j < machines[i].n_blocks; j++) {
			separate(out, &count);
			print_block(out, machines[i].cpu, &machines[i].blocks[j]);
		}
	end_array(out, count);
}
