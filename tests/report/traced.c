// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Accesses of interest in Bochs' trace; see traced.h.
 */
#include "traced.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "oracle_cell.h"

/* The 8 aligned bytes that an address is in. */
#define WORD(address)	((address) & ~7ull)

void traced_destroy(struct traced *traced)
{
	free(traced->places);
	free(traced->slots);
	memset(traced, 0, sizeof(*traced));
}

/* The slot that has this place, or the empty one where it would be. */
static size_t find_slot(const struct traced *traced, uint64_t phase, uint64_t linear)
{
	size_t i = (size_t)(((phase << 40) ^ linear) * 0x9e3779b97f4a7c15ull >> 20);

	for (;; i++) {
		size_t slot = traced->slots[i % traced->n_slots];

		if (!slot || (traced->places[slot - 1].phase == phase &&
			      traced->places[slot - 1].linear == linear))
			return i % traced->n_slots;
	}
}

/* Twice as many slots as places at least, so that there is always an empty one. */
static void more_slots(struct traced *traced)
{
	size_t i;

	if (2 * (traced->n_places + 1) <= traced->n_slots)
		return;
	free(traced->slots);
	traced->n_slots = traced->n_slots ? 2 * traced->n_slots : 64;
	traced->slots = calloc(traced->n_slots, sizeof(*traced->slots));
	if (!traced->slots) {
		fputs("conformance-report: out of memory\n", stderr);
		exit(2);
	}
	for (i = 0; i < traced->n_places; i++)
		traced->slots[find_slot(traced, traced->places[i].phase,
					traced->places[i].linear)] = i + 1;
}

void traced_want(struct traced *traced, uint64_t phase, uint64_t linear, bool host)
{
	struct traced_place *place;
	size_t slot;

	linear = WORD(linear);
	more_slots(traced);
	slot = find_slot(traced, phase, linear);
	if (!traced->slots[slot]) {
		traced->places = grow(traced->places, traced->n_places, sizeof(*traced->places));
		place = &traced->places[traced->n_places++];
		*place = (struct traced_place){
			.phase = phase, .linear = linear, .host = host,
		};
		traced->slots[slot] = traced->n_places;
	}
	traced->places[traced->slots[slot] - 1].users++;
}

const struct traced_place *traced_find(const struct traced *traced, uint64_t phase,
				       uint64_t linear)
{
	size_t slot;

	if (!traced->places)
		return NULL;
	slot = traced->slots[find_slot(traced, phase, WORD(linear))];
	return slot ? &traced->places[slot - 1] : NULL;
}

static bool same_view(const struct traced_view *a, const struct traced_view *b)
{
	if (a->type != b->type || a->has_leaf != b->has_leaf)
		return false;
	return !a->has_leaf || (a->leaf.type == b->leaf.type && a->leaf.level == b->leaf.level &&
				a->leaf.ignore_pat == b->leaf.ignore_pat &&
				a->leaf.address == b->leaf.address);
}

static void count(struct traced_place *place, const struct trace_access *access)
{
	struct traced_view view = {
		/* a host's access may hit a frame that the guest's leaves map */
		.has_leaf = access->has_leaf && !place->host,
		.leaf = access->leaf,
		.type = access->type,
	};

	if (!place->loads && !place->stores) {
		place->view = view;
	} else if (!place->mixed && !same_view(&view, &place->view)) {
		place->mixed = true;
		place->other = view;
	}
	if (access->write)
		place->stores++;
	else
		place->loads++;
}

/*
 * A program may fill its place byte by byte, or by 16 bytes at a time with others
 * beside it. No instruction accesses more than 64 bytes at a time.
 */
static void count_all(struct traced *traced, uint32_t phase, const struct trace_access *access)
{
	const struct traced_place *place;
	uint64_t at;

	if (access->length > 64)
		return;
	for (at = WORD(access->linear); at < access->linear + access->length; at += 8) {
		place = traced_find(traced, phase, at);
		if (place)
			count(&traced->places[place - traced->places], access);
	}
}

int traced_read(struct traced *traced, const char *path)
{
	struct trace trace;
	char *line = NULL;
	size_t size = 0;
	FILE *file;
	int ret;

	file = fopen(path, "r");
	if (!file)
		return -errno;
	ret = trace_init(&trace);
	while (ret >= 0 && getline(&line, &size, file) >= 0) {
		ret = trace_line(&trace, line);
		if (ret == TRACE_DAMAGED)
			traced->damaged++;
		if (ret == TRACE_ACCESS)
			count_all(traced, trace.phase, &trace.access);
	}
	if (ret >= 0)
		ret = ferror(file) ? -EIO : 0;
	free(line);
	trace_destroy(&trace);
	fclose(file);
	return ret;
}

const char *traced_view_text(const struct traced_view *view, char text[TRACED_VIEW_TEXT])
{
	char leaf[CELL_LEAF_TEXT];

	if (view->has_leaf)
		snprintf(text, TRACED_VIEW_TEXT, "%s through leaf %s at 0x%" PRIx64,
			 oracle_type_name(view->type), cell_leaf_text(&view->leaf, leaf),
			 view->leaf.address);
	else
		snprintf(text, TRACED_VIEW_TEXT, "%s", oracle_type_name(view->type));
	return text;
}
