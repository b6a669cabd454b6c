/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What test_coherence says in its log that it did: scenarios, and who made which
 * traced accesses in them. docs/coherence.md has the format of the lines. Called by
 * main.c; replay.c fills in what the trace shows.
 */
#ifndef TESTS_COHERENCE_SCENARIO_H
#define TESTS_COHERENCE_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "coherence.h"

#define SCENARIO_NAME	64
#define SCENARIO_PAGES	64	/* of a buffer, at most */
#define SCENARIO_PAGE	4096u

/* "# agent": accesses in one phase to [linear, linear + size) are the role's. */
struct scenario_agent {
	enum coherence_agent role;
	uint64_t phase;
	uint64_t linear;
	uint64_t size;
	uint64_t offset;	/* in the buffer, of linear */
	bool uc_minus;		/* the guest's tables select UC-, which Bochs prints as UC */
	/* seen */
	unsigned long n_accesses;
};

/* The value that a byte of the buffer had last, where the trace says it. */
struct scenario_byte {
	bool known;
	uint8_t value;
};

struct scenario {
	char name[SCENARIO_NAME];
	char modules[SCENARIO_NAME];
	char host[SCENARIO_NAME];	/* exporter */
	enum oracle_type memtype;	/* its host type */
	uint64_t size;			/* bytes of the buffer that are declared */
	bool snoop;			/* the device looks into the CPUs' caches */
	unsigned long accesses;		/* the trace has at least so many */
	bool expect_stale;
	struct scenario_agent *agents;
	size_t n_agents;
	uint64_t refill_phase;		/* "# refill": before it the frames changed hands; 0: never */
	/* seen */
	bool refilled;
	struct coherence model;		/* what decides */
	struct coherence self_snoop;	/* the same on a processor that does that */
	uint64_t frames[SCENARIO_PAGES];	/* physical; 0: not seen */
	struct scenario_byte *bytes;
	uint64_t *values;		/* of the model's writes */
	char *picture;			/* one character a line, NUL at the end */
	unsigned long n_accesses;	/* traced */
	unsigned int n_errors;		/* said on stderr */
};

struct scenario_list {
	struct scenario *scenarios;
	size_t n;
};

/*
 * Reads all declarations of @log. 0; -EINVAL: a line is wrong, or there is none, which
 * is said on stderr; -ENOMEM. scenario_free() is due in any case.
 */
int scenario_read(struct scenario_list *list, FILE *log);
void scenario_free(struct scenario_list *list);

/* Which cache line of the buffer a physical address is in; it must be in a frame that was seen. */
size_t scenario_line_of(const struct scenario *s, uint64_t physical);

#endif /* TESTS_COHERENCE_SCENARIO_H */
