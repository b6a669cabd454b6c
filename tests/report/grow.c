// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arrays that grow by one; see grow.h.
 */
#include "grow.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
	if (!memory) {
		fputs("conformance-report: out of memory\n", stderr);
		exit(2);
	}
	return memory;
}

void *grow(void *array, size_t n, size_t size)
{
	/* room for 1, 2, 4, 8 … items: new room is needed when n is such a number */
	if (n & (n - 1))
		return array;
	return checked(reallocarray(array, n ? 2 * n : 1, size));
}

char *copy_text(const char *text)
{
	return checked(strdup(text));
}

void texts_add(struct texts *texts, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	checked(text);
	texts->texts = grow(texts->texts, texts->n, sizeof(*texts->texts));
	texts->texts[texts->n++] = text;
}

void texts_free(struct texts *texts)
{
	size_t i;

	for (i = 0; i < texts->n; i++)
		free(texts->texts[i]);
	free(texts->texts);
	memset(texts, 0, sizeof(*texts));
}
