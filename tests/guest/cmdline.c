// SPDX-License-Identifier: GPL-2.0-or-later
/* Words of the command line. */
#include "payload.h"

static bool is_end(char c)
{
	return !c || c == ' ' || c == '\n';
}

/* What follows @word in @s, if @s starts with it; else NULL. */
static const char *behind(const char *s, const char *word)
{
	while (*word && *s == *word) {
		s++;
		word++;
	}
	return *word ? NULL : s;
}

static const char *next_word(const char *s)
{
	while (!is_end(*s))
		s++;
	while (*s && is_end(*s))
		s++;
	return s;
}

bool cmdline_has(const char *cmdline, const char *word)
{
	const char *s, *end;

	for (s = cmdline; *s; s = next_word(s)) {
		end = behind(s, word);
		if (end && is_end(*end))
			return true;
	}
	return false;
}

const char *cmdline_value(const char *cmdline, const char *key)
{
	const char *s, *end;

	for (s = cmdline; *s; s = next_word(s)) {
		end = behind(s, key);
		if (end && *end == '=')
			return end + 1;
	}
	return NULL;
}

bool cmdline_value_is(const char *cmdline, const char *key, const char *value)
{
	const char *s = cmdline_value(cmdline, key);

	s = s ? behind(s, value) : NULL;
	return s && is_end(*s);
}

static int digit(char c, unsigned int base)
{
	int d = -1;

	if (c >= '0' && c <= '9')
		d = c - '0';
	else if (c >= 'a' && c <= 'f')
		d = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		d = c - 'A' + 10;
	return d >= 0 && (unsigned int)d < base ? d : -1;
}

uint64_t cmdline_number(const char *cmdline, const char *key, uint64_t fallback)
{
	const char *s = cmdline_value(cmdline, key), *start;
	unsigned int base = 10;
	uint64_t value = 0;

	if (!s)
		return fallback;
	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	for (start = s; digit(*s, base) >= 0; s++)
		value = value * base + digit(*s, base);
	if (s != start) {
		if (*s == 'K' || *s == 'M' || *s == 'G')
			value <<= *s == 'K' ? 10 : *s == 'M' ? 20 : 30, s++;
		if (is_end(*s))
			return value;
	}
	print("payload: %s= is not followed by a number\n", key);
	payload_exit(PAYLOAD_USAGE);
}
