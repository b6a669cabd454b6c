// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Caches, write-combining buffers and memory, line by line; see coherence.h, and
 * docs/coherence.md for the rules (R1 …) that comments here name.
 */
#include "coherence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* APM vol. 2, "Memory Coherency and Protocol": MOESI. MESI is the same without OWNED. */
enum state { INVALID, SHARED, EXCLUSIVE, OWNED, MODIFIED };

/* A byte is the number of the write that it came from. */
struct cached {
	enum state state;
	unsigned int bytes[COHERENCE_LINE];
};

struct combining {
	uint64_t valid;		/* one bit a byte */
	unsigned int bytes[COHERENCE_LINE];
};

struct coherence_line {
	uint64_t address;
	unsigned int memory[COHERENCE_LINE];
	unsigned int latest[COHERENCE_LINE];
	struct cached cache[COHERENCE_N_CPUS];
	struct combining combining[COHERENCE_N_CPUS];
};

/* The bytes [first, end) of one line */
struct part {
	struct coherence_line *line;
	unsigned int first;
	unsigned int end;
};

static const char *const names[] = {
	[COHERENCE_GUEST] = "guest",
	[COHERENCE_GUEST2] = "guest2",
	[COHERENCE_VMM] = "vmm",
	[COHERENCE_MIGRATION] = "migration",
	[COHERENCE_GPU_PROCESS] = "gpu-process",
	[COHERENCE_KERNEL] = "kernel",
	[COHERENCE_DEVICE] = "device",
};

const char *coherence_agent_name(enum coherence_agent agent)
{
	return agent <= COHERENCE_DEVICE ? names[agent] : "nobody";
}

int coherence_agent_parse(const char *name)
{
	int i;

	for (i = 0; i <= COHERENCE_DEVICE; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

static int record_write(struct coherence *c, const struct coherence_write *write)
{
	struct coherence_write *writes = reallocarray(c->writes, c->n_writes + 1, sizeof(*writes));

	if (!writes)
		return -ENOMEM;
	c->writes = writes;
	writes[c->n_writes++] = *write;
	return 0;
}

int coherence_init(struct coherence *c, bool device_snoops, bool self_snoop)
{
	static const struct coherence_write before;

	memset(c, 0, sizeof(*c));
	c->device_snoops = device_snoops;
	c->self_snoop = self_snoop;
	return record_write(c, &before);
}

void coherence_destroy(struct coherence *c)
{
	free(c->lines);
	free(c->writes);
	free(c->findings);
	memset(c, 0, sizeof(*c));
}

static struct coherence_line *find_line(struct coherence *c, uint64_t address)
{
	size_t i;

	address &= ~(uint64_t)(COHERENCE_LINE - 1);
	for (i = 0; i < c->n_lines; i++)
		if (c->lines[i].address == address)
			return &c->lines[i];
	return NULL;
}

static struct coherence_line *get_line(struct coherence *c, uint64_t address)
{
	struct coherence_line *lines = find_line(c, address);

	if (lines)
		return lines;
	lines = reallocarray(c->lines, c->n_lines + 1, sizeof(*lines));
	if (!lines)
		return NULL;
	c->lines = lines;
	lines += c->n_lines++;
	memset(lines, 0, sizeof(*lines));
	lines->address = address & ~(uint64_t)(COHERENCE_LINE - 1);
	return lines;
}

static bool lost_before(const struct coherence *c, unsigned int write)
{
	size_t i;

	for (i = 0; i < c->n_findings; i++)
		if (c->findings[i].kind == COHERENCE_LOST && c->findings[i].missed == write)
			return true;
	return false;
}

static void report(struct coherence *c, const struct coherence_finding *finding)
{
	struct coherence_finding *findings;

	if (finding->kind == COHERENCE_LOST && !lost_before(c, finding->missed))
		c->n_lost++;
	findings = reallocarray(c->findings, c->n_findings + 1, sizeof(*findings));
	if (!findings) {
		c->out_of_memory = true;
		return;
	}
	c->findings = findings;
	findings[c->n_findings++] = *finding;
}

/*
 * Compares what there is with what should be, and reports each run of bytes in which
 * @got is older than @due. @template says what to report.
 */
static bool compare(struct coherence *c, const struct part *part, const unsigned int *got,
		    const unsigned int *due, const struct coherence_finding *template)
{
	struct coherence_finding finding = *template;
	unsigned int i, end;
	bool found = false;

	for (i = part->first; i < part->end; i = end) {
		end = i + 1;
		if (got[i] >= due[i])
			continue;
		while (end < part->end && got[end] == got[i] && due[end] == due[i])
			end++;
		finding.address = part->line->address + i;
		finding.length = end - i;
		finding.got = got[i];
		finding.missed = due[i];
		report(c, &finding);
		found = true;
	}
	return found;
}

/* Bytes of @from whose bit is set in @valid go to memory, over whatever is there (R10). */
static void write_out(struct coherence *c, struct coherence_line *line, enum coherence_agent agent,
		      const unsigned int *from, uint64_t valid)
{
	const struct coherence_finding lost = { .kind = COHERENCE_LOST, .agent = agent };
	unsigned int after[COHERENCE_LINE];
	const struct part all = { line, 0, COHERENCE_LINE };
	unsigned int i;

	memcpy(after, line->memory, sizeof(after));
	for (i = 0; i < COHERENCE_LINE; i++)
		if (valid >> i & 1)
			after[i] = from[i];
	compare(c, &all, after, line->memory, &lost);
	memcpy(line->memory, after, sizeof(after));
}

static void write_memory(const struct part *part, unsigned int write)
{
	unsigned int i;

	for (i = part->first; i < part->end; i++)
		part->line->memory[i] = write;
}

/* ---- caches ---- */

static bool is_dirty(const struct cached *cached)
{
	return cached->state == OWNED || cached->state == MODIFIED;
}

/* R10: all of the line, whatever part of it was written */
static void write_back(struct coherence *c, struct coherence_line *line)
{
	enum coherence_agent a;

	for (a = 0; a < COHERENCE_N_CPUS; a++) {
		struct cached *cached = &line->cache[a];

		if (!is_dirty(cached))
			continue;
		write_out(c, line, a, cached->bytes, ~0ull);
		cached->state = SHARED;
	}
}

/* All caches but that of @keep drop the line; COHERENCE_N_CPUS: all do. */
static void invalidate(struct coherence_line *line, unsigned int keep)
{
	unsigned int a;

	for (a = 0; a < COHERENCE_N_CPUS; a++)
		if (a != keep)
			line->cache[a].state = INVALID;
}

/* The line leaves all caches, by way of memory where it is modified. */
static void drop(struct coherence *c, struct coherence_line *line)
{
	write_back(c, line);
	invalidate(line, COHERENCE_N_CPUS);
}

/* R1, R3: the line comes from a cache that has it, else from memory. Copies are all the same. */
static struct cached *fill(struct coherence_line *line, enum coherence_agent agent)
{
	struct cached *own = &line->cache[agent], *source = NULL;
	unsigned int a;

	if (own->state != INVALID)
		return own;
	for (a = 0; a < COHERENCE_N_CPUS && !source; a++)
		if (line->cache[a].state != INVALID)
			source = &line->cache[a];
	if (source) {
		memcpy(own->bytes, source->bytes, sizeof(own->bytes));
		source->state = is_dirty(source) ? OWNED : SHARED;
		own->state = SHARED;
	} else {
		memcpy(own->bytes, line->memory, sizeof(own->bytes));
		own->state = EXCLUSIVE;
	}
	return own;
}

/* R2 */
static void write_cached(const struct part *part, enum coherence_agent agent, unsigned int write)
{
	struct cached *own = fill(part->line, agent);
	unsigned int i;

	invalidate(part->line, agent);
	for (i = part->first; i < part->end; i++)
		own->bytes[i] = write;
	own->state = MODIFIED;
}

/* R4 (WT), R5 (WP) */
static void write_through(struct coherence *c, const struct part *part,
			  enum coherence_agent agent, bool update, unsigned int write)
{
	struct cached *own = &part->line->cache[agent];
	unsigned int i;

	write_back(c, part->line);
	invalidate(part->line, update ? agent : COHERENCE_N_CPUS);
	if (own->state != INVALID) {
		for (i = part->first; i < part->end; i++)
			own->bytes[i] = write;
		own->state = EXCLUSIVE;
	}
	write_memory(part, write);
}

/* ---- write-combining buffers ---- */

static void drain_line(struct coherence *c, struct coherence_line *line, enum coherence_agent agent)
{
	struct combining *buffer = &line->combining[agent];

	if (!buffer->valid)
		return;
	if (c->self_snoop)
		drop(c, line);
	write_out(c, line, agent, buffer->bytes, buffer->valid);
	buffer->valid = 0;
}

/* R8 */
static void write_combining(const struct part *part, enum coherence_agent agent, unsigned int write)
{
	struct combining *buffer = &part->line->combining[agent];
	unsigned int i;

	for (i = part->first; i < part->end; i++) {
		buffer->valid |= 1ull << i;
		buffer->bytes[i] = write;
	}
}

void coherence_drain(struct coherence *c, enum coherence_agent agent)
{
	size_t i;

	if (agent >= COHERENCE_N_CPUS)
		return;
	for (i = 0; i < c->n_lines; i++)
		drain_line(c, &c->lines[i], agent);
}

/* ---- accesses ---- */

static void write_part(struct coherence *c, const struct coherence_access *access,
		       const struct part *part, unsigned int write)
{
	unsigned int i;

	for (i = part->first; i < part->end; i++)
		part->line->latest[i] = write;

	/* R11 */
	if (access->agent == COHERENCE_DEVICE) {
		if (c->device_snoops)
			drop(c, part->line);
		write_memory(part, write);
		return;
	}
	switch (access->type) {
	case ORACLE_WB:
		write_cached(part, access->agent, write);
		break;
	case ORACLE_WT:
	case ORACLE_WP:
		write_through(c, part, access->agent, access->type == ORACLE_WT, write);
		break;
	case ORACLE_WC:
		write_combining(part, access->agent, write);
		break;
	default:
		/* R6, R7, R13 */
		if (access->uc_by_pat || c->self_snoop)
			drop(c, part->line);
		write_memory(part, write);
		break;
	}
}

/* What the read gets, byte by byte. */
static const unsigned int *read_part(struct coherence *c, const struct coherence_access *access,
				     const struct part *part)
{
	struct coherence_line *line = part->line;
	unsigned int a;

	/* R11 */
	if (access->agent == COHERENCE_DEVICE) {
		for (a = 0; c->device_snoops && a < COHERENCE_N_CPUS; a++)
			if (is_dirty(&line->cache[a]))
				return line->cache[a].bytes;
		return line->memory;
	}
	switch (access->type) {
	case ORACLE_WB:
	case ORACLE_WT:
	case ORACLE_WP:
		return fill(line, access->agent)->bytes;
	case ORACLE_WC:
		drain_line(c, line, access->agent);
		if (c->self_snoop)
			drop(c, line);
		return line->memory;
	default:
		/* R6, R7, R13 */
		if (access->uc_by_pat || c->self_snoop)
			drop(c, line);
		return line->memory;
	}
}

static bool is_valid(const struct coherence_access *access)
{
	if (!access->length || access->length > COHERENCE_LINE ||
	    access->address + access->length < access->address)
		return false;
	if (access->agent == COHERENCE_DEVICE)
		return true;
	return access->agent < COHERENCE_N_CPUS &&
	       (oracle_type_cacheable(access->type) || access->type == ORACLE_WC ||
		access->type == ORACLE_UC || access->type == ORACLE_UC_MINUS);
}

int coherence_access(struct coherence *c, const struct coherence_access *access)
{
	const struct coherence_finding stale = {
		.kind = COHERENCE_STALE,
		.agent = access->agent,
		.order = c->n_accesses + 1,
	};
	const unsigned int write = (unsigned int)c->n_writes;
	uint64_t at = access->address;
	const uint64_t end = at + access->length;
	bool any = false;
	int ret;

	if (!is_valid(access))
		return -EINVAL;
	if (access->write) {
		const struct coherence_write record = {
			.agent = access->agent,
			.address = access->address,
			.length = access->length,
			.order = c->n_accesses + 1,
		};

		ret = record_write(c, &record);
		if (ret)
			return ret;
	}
	c->n_accesses++;
	/* R9 */
	if (access->agent != COHERENCE_DEVICE &&
	    (access->type == ORACLE_UC || access->type == ORACLE_UC_MINUS))
		coherence_drain(c, access->agent);
	while (at < end) {
		struct part part = { .line = get_line(c, at), .first = at % COHERENCE_LINE };

		if (!part.line)
			return -ENOMEM;
		part.end = end - part.line->address < COHERENCE_LINE ?
			   (unsigned int)(end - part.line->address) : COHERENCE_LINE;
		if (access->write)
			write_part(c, access, &part, write);
		else if (compare(c, &part, read_part(c, access, &part), part.line->latest, &stale))
			any = true;
		at = part.line->address + COHERENCE_LINE;
	}
	if (!access->write)
		c->n_reads++;
	if (any)
		c->n_stale++;
	return c->out_of_memory ? -ENOMEM : 0;
}

void coherence_flush(struct coherence *c, uint64_t address)
{
	struct coherence_line *line = find_line(c, address);

	if (line)
		drop(c, line);
}

int coherence_finish(struct coherence *c)
{
	enum coherence_agent a;
	size_t i;

	for (a = 0; a < COHERENCE_N_CPUS; a++)
		coherence_drain(c, a);
	for (i = 0; i < c->n_lines; i++)
		write_back(c, &c->lines[i]);
	return c->out_of_memory ? -ENOMEM : 0;
}
