// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of "name=value" words; see fields.h.
 */
#include "fields.h"

#include <string.h>

#include "oracle_cell.h"

#define BLANKS	" \t\r\n"

static struct field *find(struct field *fields, size_t n, const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(fields[i].name) == length && !memcmp(fields[i].name, name, length))
			return &fields[i];
	return NULL;
}

bool fields_parse(const char *text, struct field *fields, size_t n)
{
	struct field *found;
	size_t length, name, i;

	while (*(text += strspn(text, BLANKS))) {
		length = strcspn(text, BLANKS);
		name = strcspn(text, "=");
		if (name >= length)
			return false;
		found = find(fields, n, text, name);
		if (!found || found->seen)
			return false;
		found->seen = true;
		if (found->to_the_end) {
			found->rest = text + name + 1;
			return fields_parse("", fields, n);
		}
		length -= name + 1;
		if (!length || length >= sizeof(found->value))
			return false;
		memcpy(found->value, text + name + 1, length);
		text += name + 1 + length;
	}
	for (i = 0; i < n; i++)
		if (!fields[i].seen && !fields[i].optional)
			return false;
	return true;
}

const char *field(const struct field *fields, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(fields[i].name, name))
			return fields[i].value;
	return "";
}

bool field_number(const struct field *fields, size_t n, const char *name, uint64_t max,
		  uint64_t *value)
{
	const char *text = field(fields, n, name);

	*value = 0;
	return !*text || cell_number(text, max, value);
}

bool field_type(const struct field *fields, size_t n, const char *name, enum oracle_type *type)
{
	const char *text = field(fields, n, name);

	*type = oracle_type_parse(text);
	return *type != ORACLE_INVALID || !strcmp(text, "-");
}

int field_choice(const struct field *fields, size_t n, const char *name,
		 const char *const choices[], int n_choices)
{
	const char *text = field(fields, n, name);
	int i;

	for (i = 0; i < n_choices; i++)
		if (!strcmp(choices[i], text))
			return i;
	return -1;
}
