// SPDX-License-Identifier: GPL-2.0-or-later
/* Sizes on command lines. Called by the option parsers of both programs. */
#include "size.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

int size_parse(const char *text, uint64_t *size)
{
	/* No octal: 010M is ten, for all that a user knows. */
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	unsigned int shift = 0;
	unsigned long long val;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -1;
	errno = 0;
	val = strtoull(text, &end, base);
	if (errno)
		return -1;

	switch (*end) {
	case 'K':
		shift = 10;
		end++;
		break;
	case 'M':
		shift = 20;
		end++;
		break;
	case 'G':
		shift = 30;
		end++;
		break;
	}
	if (*end || (base == 16 && !isxdigit((unsigned char)text[2])))
		return -1;
	if (val > UINT64_MAX >> shift)
		return -1;
	*size = val << shift;
	return 0;
}
