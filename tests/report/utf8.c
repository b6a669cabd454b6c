// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Characters of UTF-8; see utf8.h. Unicode, table "Well-Formed UTF-8 Byte Sequences".
 */
#include "utf8.h"

#include <stdbool.h>

static bool between(unsigned char byte, unsigned char low, unsigned char high)
{
	return byte >= low && byte <= high;
}

size_t utf8_length(const char *text)
{
	const unsigned char *byte = (const unsigned char *)text;
	unsigned char low = 0x80, high = 0xbf;
	size_t length, i;

	if (!byte[0])
		return 0;
	if (byte[0] < 0x80)
		return 1;
	if (between(byte[0], 0xc2, 0xdf))
		length = 2;
	else if (between(byte[0], 0xe0, 0xef))
		length = 3;
	else if (between(byte[0], 0xf0, 0xf4))
		length = 4;
	else
		return 0;
	/* no longer form than needed, no surrogate, nothing above U+10FFFF */
	if (byte[0] == 0xe0)
		low = 0xa0;
	else if (byte[0] == 0xed)
		high = 0x9f;
	else if (byte[0] == 0xf0)
		low = 0x90;
	else if (byte[0] == 0xf4)
		high = 0x8f;
	for (i = 1; i < length; i++) {
		if (!between(byte[i], low, high))
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return length;
}
