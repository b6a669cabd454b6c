// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reasons, one after another; see why.h.
 */
#include "why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void why_add(struct why *why, const char *format, ...)
{
	size_t used = strlen(why->text);
	va_list args;

	if (used)
		used += (size_t)snprintf(why->text + used, sizeof(why->text) - used, "; ");
	if (used >= sizeof(why->text))
		return;
	va_start(args, format);
	vsnprintf(why->text + used, sizeof(why->text) - used, format, args);
	va_end(args);
}
