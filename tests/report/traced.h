/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Bochs' trace has at the places that the logs name: the trace is read once, in
 * a stream, and only the accesses of interest are kept. Called by machine.c (fills
 * it), judge.c and agreement.c.
 */
#ifndef TESTS_REPORT_TRACED_H
#define TESTS_REPORT_TRACED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oracle_trace.h"

/* How an access went. */
struct traced_view {
	bool has_leaf;		/* went through an EPT leaf; never for a host's access */
	struct oracle_leaf leaf;
	enum oracle_type type;	/* as Bochs printed it */
};

/* The accesses, in one phase, to the 8 aligned bytes that hold one address. */
struct traced_place {
	uint64_t phase;
	uint64_t linear;	/* of the first of them */
	bool host;		/* a host's place */
	unsigned int users;	/* lines of the logs that name this place */
	unsigned long loads;
	unsigned long stores;
	struct traced_view view;	/* of the first one */
	bool mixed;
	struct traced_view other;	/* of the first one that went otherwise, if mixed */
};

struct traced {
	struct traced_place *places;
	size_t n_places;
	size_t *slots;			/* hash: index + 1; 0: empty */
	size_t n_slots;
	unsigned long damaged;		/* lines of the trace that do not parse */
};

void traced_destroy(struct traced *traced);

/* To be called for all places before the trace is read. @host: else it is a guest's. */
void traced_want(struct traced *traced, uint64_t phase, uint64_t linear, bool host);

/* 0, or what open or read failed with. */
int traced_read(struct traced *traced, const char *path);

/* NULL: nobody wanted this place. */
const struct traced_place *traced_find(const struct traced *traced, uint64_t phase,
				       uint64_t linear);

#define TRACED_VIEW_TEXT	96

/* "WC", for a guest "WC through leaf WB ignore-pat=1 level 1 at 0x5aeb000"; returns @text. */
const char *traced_view_text(const struct traced_view *view, char text[TRACED_VIEW_TEXT]);

#endif /* TESTS_REPORT_TRACED_H */
