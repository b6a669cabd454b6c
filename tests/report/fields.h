/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of "name=value" words, other than cells. Called by agreement.c, scenario.c
 * and no_cell.c.
 */
#ifndef TESTS_REPORT_FIELDS_H
#define TESTS_REPORT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oracle_types.h"

#define FIELD_VALUE	64	/* with the terminating NUL */

struct field {
	const char *name;
	bool optional;
	bool to_the_end;	/* the value has blanks and ends with the line; not copied */
	/* set by fields_parse() */
	bool seen;
	char value[FIELD_VALUE];
	const char *rest;	/* of to_the_end: where the value begins in the line */
};

/* false: a word is unknown, doubled or too long, or one that is needed is missing. */
bool fields_parse(const char *text, struct field *fields, size_t n);

/* The value of a field; an empty string for one that was not there. */
const char *field(const struct field *fields, size_t n, const char *name);

/* Values; false: no such value. A field that was not there gives 0. */
bool field_number(const struct field *fields, size_t n, const char *name, uint64_t max,
		  uint64_t *value);
/* "-" gives ORACLE_INVALID */
bool field_type(const struct field *fields, size_t n, const char *name, enum oracle_type *type);
/* The index of the value in @choices; -1: none of them. */
int field_choice(const struct field *fields, size_t n, const char *name,
		 const char *const choices[], int n_choices);

#endif /* TESTS_REPORT_FIELDS_H */
