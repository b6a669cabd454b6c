// SPDX-License-Identifier: GPL-2.0-or-later
/* The text of a scenario; see block.h. docs/coherence.md shows one. */
#include "block.h"

#include "replay.h"

static void print_write(FILE *out, const struct scenario *s, unsigned int n)
{
	const struct coherence_write *write = &s->model.writes[n];

	if (!n)
		fputs("what was there before", out);
	else
		fprintf(out, "write %lu by %s (0x%llx)", write->order,
			coherence_agent_name(write->agent), (unsigned long long)s->values[n]);
}

static void print_finding(FILE *out, const struct scenario *s, const struct coherence_finding *f)
{
	const size_t line = scenario_line_of(s, f->address);

	if (f->kind == COHERENCE_STALE) {
		fprintf(out, "stale read %lu by %s of line %zu (0x%llx, %u bytes): got ", f->order,
			coherence_agent_name(f->agent), line, (unsigned long long)f->address,
			f->length);
		print_write(out, s, f->got);
		fputs(" / missed ", out);
		print_write(out, s, f->missed);
	} else {
		fprintf(out, "lost write in line %zu (0x%llx, %u bytes): ", line,
			(unsigned long long)f->address, f->length);
		print_write(out, s, f->missed);
		fprintf(out, " / overwritten from the cache of %s with ",
			coherence_agent_name(f->agent));
		print_write(out, s, f->got);
	}
	fputc('\n', out);
}

void block_print(FILE *out, const char *cpu, const struct scenario *s)
{
	size_t i;

	fprintf(out, "scenario %s cpu=%s modules=%s host=%s memtype=%s accesses=%lu reads=%lu stale=%lu lost=%lu expect=%s ok=%d\n",
		s->name, cpu, s->modules, s->host, oracle_type_name(s->memtype), s->n_accesses,
		s->model.n_reads, s->model.n_stale, s->model.n_lost,
		s->expect_stale ? "stale" : "none", replay_ok(s));
	fprintf(out, "lines %s\n", s->picture);
	for (i = 0; i < s->model.n_findings; i++)
		print_finding(out, s, &s->model.findings[i]);
	if (s->model.n_findings)
		fprintf(out, "with self-snoop: %lu stale reads, %lu lost writes\n",
			s->self_snoop.n_stale, s->self_snoop.n_lost);
}
