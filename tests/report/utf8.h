/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text from logs may hold any byte; what the report prints is UTF-8. Called by
 * json.c and html.c.
 */
#ifndef TESTS_REPORT_UTF8_H
#define TESTS_REPORT_UTF8_H

#include <stddef.h>

#define UTF8_REPLACEMENT	"\xef\xbf\xbd"	/* U+FFFD */

/* Bytes of the character that @text begins with; 0: none begins there. */
size_t utf8_length(const char *text);

#endif /* TESTS_REPORT_UTF8_H */
