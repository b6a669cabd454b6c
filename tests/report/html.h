/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text into HTML. Called by page.c and page_*.c: no text of a log gets into the page
 * but through here.
 */
#ifndef TESTS_REPORT_HTML_H
#define TESTS_REPORT_HTML_H

#include <stdio.h>

/*
 * @text as character data, or inside an attribute's double quotation marks. Control
 * characters and bytes that are no UTF-8 become U+FFFD.
 */
void html_text(FILE *out, const char *text);

/* <name>text</name>; @name may have attributes: "td class=wrong" */
void html_element(FILE *out, const char *name, const char *text);

#endif /* TESTS_REPORT_HTML_H */
