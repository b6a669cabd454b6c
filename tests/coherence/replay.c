// SPDX-License-Identifier: GPL-2.0-or-later
/* Traced accesses into the model; see replay.h. */
#include "replay.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_trace.h"

#define MAX_ERRORS	5	/* of a scenario are said */

static void complain(struct scenario *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void complain(struct scenario *s, const char *fmt, ...)
{
	va_list args;

	if (s->n_errors++ >= MAX_ERRORS)
		return;
	fprintf(stderr, "coherence-check: %s of %s: ", s->name, s->host);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

static int prepare(struct scenario *s)
{
	const size_t n_lines = s->size / COHERENCE_LINE;
	int ret = coherence_init(&s->model, s->snoop, false);

	if (!ret)
		ret = coherence_init(&s->self_snoop, s->snoop, true);
	if (ret)
		return ret;
	s->bytes = calloc(s->size, sizeof(*s->bytes));
	s->values = calloc(1, sizeof(*s->values));
	s->picture = malloc(n_lines + 1);
	if (!s->bytes || !s->values || !s->picture)
		return -ENOMEM;
	memset(s->picture, '.', n_lines);
	s->picture[n_lines] = '\0';
	return 0;
}

/* ---- one access ---- */

static bool is_guest(enum coherence_agent role)
{
	return role == COHERENCE_GUEST || role == COHERENCE_GUEST2;
}

/* The effective type of a traced access; false if there is none. */
static bool type_of(struct scenario *s, const struct scenario_agent *agent,
		    const struct trace_access *traced, struct coherence_access *access)
{
	enum oracle_type pat = traced->type;

	access->type = pat;
	if (is_guest(agent->role)) {
		if (!traced->has_leaf) {
			complain(s, "access to 0x%llx in phase 0x%llx: no EPT leaf was read for it",
				 (unsigned long long)traced->linear,
				 (unsigned long long)agent->phase);
			return false;
		}
		/* Bochs combines the PAT with the MTRRs, which makes UC of UC- */
		if (agent->uc_minus)
			pat = pat == ORACLE_UC ? ORACLE_UC_MINUS : ORACLE_INVALID;
		access->type = oracle_ept_effective(&traced->leaf, pat);
	}
	if (access->type == ORACLE_INVALID && agent->role != COHERENCE_DEVICE) {
		complain(s, "access to 0x%llx in phase 0x%llx: traced type %s has no effective type",
			 (unsigned long long)traced->linear, (unsigned long long)agent->phase,
			 oracle_type_name(traced->type));
		return false;
	}
	/* RAM is WB by the host's MTRRs, so UC is the page tables', unless the leaf says so. */
	access->uc_by_pat = !is_guest(agent->role) || traced->leaf.type != ORACLE_UC;
	return true;
}

/* One buffer page is one frame, whoever maps it. */
static bool same_frame(struct scenario *s, uint64_t offset, const struct trace_access *traced)
{
	uint64_t *frame = &s->frames[offset / SCENARIO_PAGE];
	const unsigned long long now = traced->physical - offset % SCENARIO_PAGE;

	if (!*frame)
		*frame = now;
	if (*frame == now)
		return true;
	complain(s, "access to 0x%llx, offset 0x%llx in the buffer: frame 0x%llx, others had 0x%llx",
		 (unsigned long long)traced->linear, (unsigned long long)offset, now,
		 (unsigned long long)*frame);
	return false;
}

/*
 * The emulator has no caches: each read returns what was written last. If not, an
 * access was taken for somebody else's, or one is not in the trace.
 */
static void follow_value(struct scenario *s, uint64_t offset, const struct trace_access *traced)
{
	const uint64_t value = traced->high << 32 | traced->low;
	unsigned int i;

	for (i = 0; i < traced->length; i++) {
		struct scenario_byte *byte = &s->bytes[offset + i];
		const uint8_t traced_byte = (uint8_t)(value >> 8 * (i % 8));

		if (traced->length > 8) {
			byte->known = byte->known && !traced->write;
			continue;
		}
		if (!traced->write && byte->known && byte->value != traced_byte) {
			complain(s, "read of 0x%llx, byte %u: 0x%02x, written last was 0x%02x: an access is missing in the trace, or another agent's",
				 (unsigned long long)traced->linear, i, traced_byte, byte->value);
			return;
		}
		*byte = (struct scenario_byte){ .known = true, .value = traced_byte };
	}
}

/* Into both models; @value: of a write */
static int put(struct scenario *s, const struct coherence_access *access, uint64_t value)
{
	uint64_t *values;
	int ret;

	ret = coherence_access(&s->model, access);
	if (!ret)
		ret = coherence_access(&s->self_snoop, access);
	if (ret || !access->write)
		return ret;
	values = reallocarray(s->values, s->model.n_writes, sizeof(*values));
	if (!values)
		return -ENOMEM;
	s->values = values;
	values[s->model.n_writes - 1] = value;
	return 0;
}

static void draw(struct scenario *s, uint64_t offset, unsigned int length, char what)
{
	uint64_t line;

	for (line = offset / COHERENCE_LINE; line <= (offset + length - 1) / COHERENCE_LINE; line++)
		if (s->picture[line] == '.' || what != 'w')
			s->picture[line] = what;
}

static int one_access(struct scenario *s, struct scenario_agent *agent,
		      const struct trace_access *traced)
{
	const uint64_t offset = traced->linear - agent->linear + agent->offset;
	struct coherence_access access = {
		.agent = agent->role,
		.write = traced->write,
		.address = traced->physical,
		.length = traced->length,
	};
	int ret;

	if (traced->length > agent->size - (traced->linear - agent->linear) ||
	    offset % SCENARIO_PAGE + traced->length > SCENARIO_PAGE) {
		complain(s, "access to 0x%llx, %u bytes: over the end of its range or page",
			 (unsigned long long)traced->linear, traced->length);
		return 0;
	}
	agent->n_accesses++;
	s->n_accesses++;
	if (!same_frame(s, offset, traced) || !type_of(s, agent, traced, &access))
		return 0;
	follow_value(s, offset, traced);
	ret = put(s, &access, traced->high << 32 | traced->low);
	if (ret == -EINVAL) {
		complain(s, "access to 0x%llx: %u bytes", (unsigned long long)traced->linear,
			 traced->length);
		return 0;
	}
	draw(s, offset, traced->length, traced->write ? 'w' : 'f');
	return ret;
}

/* ---- hand-over ---- */

/* The host's kernel zeroes the frames and flushes them, before they are given out again. */
static int refill(struct scenario *s)
{
	struct coherence_access zero = {
		.agent = COHERENCE_KERNEL, .write = true, .type = ORACLE_WB,
		.length = COHERENCE_LINE,
	};
	uint64_t offset;
	int ret = 0;

	for (offset = 0; !ret && offset < s->size; offset += COHERENCE_LINE) {
		if (!s->frames[offset / SCENARIO_PAGE])
			continue;
		zero.address = s->frames[offset / SCENARIO_PAGE] + offset % SCENARIO_PAGE;
		ret = put(s, &zero, 0);
		coherence_flush(&s->model, zero.address);
		coherence_flush(&s->self_snoop, zero.address);
	}
	for (offset = 0; offset < s->size; offset++)
		s->bytes[offset] = (struct scenario_byte){ .known = true };
	s->refilled = true;
	return ret;
}

/* Each agent ends its turn with a fence or leaves its virtual machine. */
static int new_phase(struct scenario_list *list, uint64_t phase)
{
	enum coherence_agent a;
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < list->n; i++) {
		for (a = 0; a < COHERENCE_N_CPUS; a++) {
			coherence_drain(&list->scenarios[i].model, a);
			coherence_drain(&list->scenarios[i].self_snoop, a);
		}
		if (list->scenarios[i].refill_phase == phase)
			ret = refill(&list->scenarios[i]);
	}
	return ret;
}

static int find_and_replay(struct scenario_list *list, const struct trace *trace)
{
	const struct trace_access *access = &trace->access;
	size_t i, j;

	for (i = 0; i < list->n; i++) {
		struct scenario *s = &list->scenarios[i];

		for (j = 0; j < s->n_agents; j++) {
			struct scenario_agent *a = &s->agents[j];

			if (a->phase == trace->phase && access->linear >= a->linear &&
			    access->linear - a->linear < a->size)
				return one_access(s, a, access);
		}
	}
	return 0;
}

/* ---- the end ---- */

static int finish(struct scenario *s)
{
	int ret = coherence_finish(&s->model);
	size_t i;

	if (!ret)
		ret = coherence_finish(&s->self_snoop);
	for (i = 0; i < s->model.n_findings; i++) {
		const struct coherence_finding *f = &s->model.findings[i];
		char *drawn = &s->picture[scenario_line_of(s, f->address)];

		if (f->kind == COHERENCE_STALE)
			*drawn = 'S';
		else if (*drawn != 'S')
			*drawn = 'L';
	}
	for (i = 0; i < s->n_agents; i++)
		if (!s->agents[i].n_accesses)
			complain(s, "%s: the trace has no access to 0x%llx, 0x%llx bytes, in phase 0x%llx",
				 coherence_agent_name(s->agents[i].role),
				 (unsigned long long)s->agents[i].linear,
				 (unsigned long long)s->agents[i].size,
				 (unsigned long long)s->agents[i].phase);
	if (s->refill_phase && !s->refilled)
		complain(s, "the trace has no phase 0x%llx", (unsigned long long)s->refill_phase);
	if (s->n_accesses < s->accesses)
		complain(s, "%lu accesses declared, the trace has %lu", s->accesses, s->n_accesses);
	if (s->n_errors > MAX_ERRORS)
		fprintf(stderr, "coherence-check: %s of %s: %u more\n", s->name, s->host,
			s->n_errors - MAX_ERRORS);
	return ret;
}

int replay(struct scenario_list *list, FILE *file)
{
	unsigned long damaged = 0;
	size_t size = 0, i;
	struct trace trace;
	char *line = NULL;
	int event = 0, ret = 0;

	for (i = 0; !ret && i < list->n; i++)
		ret = prepare(&list->scenarios[i]);
	if (ret || trace_init(&trace))
		return -ENOMEM;
	while (!ret && getline(&line, &size, file) >= 0) {
		event = trace_line(&trace, line);
		if (event < 0)
			ret = event;
		else if (event == TRACE_DAMAGED && !damaged++)
			fprintf(stderr, "coherence-check: damaged trace line: %.*s\n",
				(int)strcspn(line, "\r\n"), line);
		else if (event == TRACE_PHASE)
			ret = new_phase(list, trace.phase);
		else if (event == TRACE_ACCESS)
			ret = find_and_replay(list, &trace);
	}
	free(line);
	trace_destroy(&trace);
	for (i = 0; !ret && i < list->n; i++)
		ret = finish(&list->scenarios[i]);
	if (!ret && damaged) {
		fprintf(stderr, "coherence-check: %lu trace lines are damaged\n", damaged);
		ret = -EINVAL;
	}
	return ret;
}

bool replay_ok(const struct scenario *s)
{
	const bool bad = s->model.n_stale || s->model.n_lost;

	return !s->n_errors && bad == s->expect_stale;
}
