// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Text into HTML; see html.h.
 */
#include "html.h"

#include <string.h>

#include "utf8.h"

void html_text(FILE *out, const char *text)
{
	size_t length;

	for (; *text; text += length ? length : 1) {
		length = utf8_length(text);
		if (!length || ((unsigned char)*text < ' ' && *text != '\t' && *text != '\n') ||
		    *text == 0x7f)
			fputs(UTF8_REPLACEMENT, out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else if (*text == '\'')
			fputs("&#39;", out);
		else
			fwrite(text, 1, length, out);
	}
}

void html_element(FILE *out, const char *name, const char *text)
{
	fprintf(out, "<%s>", name);
	html_text(out, text);
	fprintf(out, "</%.*s>", (int)strcspn(name, " "), name);
}
