/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reader of Bochs' memory trace. The caller feeds lines; for each data access
 * the reader says which EPT leaf it went through, if a walk in the same stretch
 * of the trace read one for that frame. Called by trace_report.c.
 */
#ifndef TESTS_ORACLE_TRACE_H
#define TESTS_ORACLE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "oracle_types.h"

enum trace_event {
	TRACE_OTHER,		/* nothing of interest */
	TRACE_ON,		/* tracing was switched on */
	TRACE_OFF,
	TRACE_PHASE,		/* a mark was stored: trace->phase is new */
	TRACE_ACCESS,		/* trace->access is set */
	TRACE_WALK,		/* one entry of an EPT walk */
	TRACE_DAMAGED,		/* a trace line that does not parse */
};

struct trace_access {
	bool write;
	uint64_t linear;
	uint64_t physical;
	unsigned int length;
	enum oracle_type type;	/* as printed: the host's type, or a guest's PAT type */
	uint64_t low;		/* value, if it is 8 bytes long: lower and upper half */
	uint64_t high;
	bool walked;		/* an EPT walk for this very access comes right before it */
	bool has_leaf;
	struct oracle_leaf leaf;
};

struct trace_leaf_slot;

struct trace {
	uint32_t phase;
	struct trace_access access;
	/* the walk in progress: level of the next entry, last leaf read */
	unsigned int walk_level;
	bool walk_done;
	uint64_t walk_gpa;
	struct oracle_leaf walk_leaf;
	uint64_t walk_leaf_gpa;
	/* leaves seen since tracing was switched on, by host address */
	struct trace_leaf_slot *slots;
	unsigned int n_slots;
	unsigned int n_used;
};

int trace_init(struct trace *trace);
void trace_destroy(struct trace *trace);
/* The line may end in CR and LF. Returns an event, or -ENOMEM. */
int trace_line(struct trace *trace, const char *line);

#endif /* TESTS_ORACLE_TRACE_H */
