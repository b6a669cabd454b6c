/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arrays that grow by one. Called by whatever collects lines, cells, findings.
 */
#ifndef TESTS_REPORT_GROW_H
#define TESTS_REPORT_GROW_H

#include <stddef.h>

/*
 * @array has n items of @size bytes; returns it with room for one more. Ends the
 * program with status 2 when there is no memory: half a report helps nobody.
 */
void *grow(void *array, size_t n, size_t size);

/* A copy of @text; ends the program likewise. */
char *copy_text(const char *text);

/* Lines of text, in the order in which they came. */
struct texts {
	char **texts;
	size_t n;
};

void texts_add(struct texts *texts, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void texts_free(struct texts *texts);

#endif /* TESTS_REPORT_GROW_H */
