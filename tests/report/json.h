/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing JSON. Called by the files of conformance-report that print it, and by
 * dmapat-conformance through cell_json.c.
 */
#ifndef TESTS_REPORT_JSON_H
#define TESTS_REPORT_JSON_H

#include <stdio.h>

/*
 * @text as a JSON string (RFC 8259, section 7), with its quotation marks. Bytes that
 * are no UTF-8 become U+FFFD; NULL becomes null.
 */
void json_string(FILE *out, const char *text);

/* ,"name":"text" */
void json_member(FILE *out, const char *name, const char *text);

#endif /* TESTS_REPORT_JSON_H */
