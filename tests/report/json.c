// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strings of JSON; see json.h.
 */
#include "json.h"

#include "utf8.h"

void json_string(FILE *out, const char *text)
{
	size_t length;

	if (!text) {
		fputs("null", out);
		return;
	}
	fputc('"', out);
	for (; *text; text += length ? length : 1) {
		length = utf8_length(text);
		if (!length)
			fputs(UTF8_REPLACEMENT, out);
		else if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			fprintf(out, "\\u%04x", (unsigned int)*text);
		else
			fwrite(text, 1, length, out);
	}
	fputc('"', out);
}

void json_member(FILE *out, const char *name, const char *text)
{
	fprintf(out, ",\"%s\":", name);
	json_string(out, text);
}
