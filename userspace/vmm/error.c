// SPDX-License-Identifier: GPL-2.0-or-later
/* Errors with words; used by every file of the VMM. */
#include "vmm/error.h"

#include <stdarg.h>
#include <stdio.h>

int error__set(struct error *err, int errnum, const char *fmt, ...)
{
	va_list ap;

	if (err && !err->msg[0]) {
		va_start(ap, fmt);
		vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
		va_end(ap);
	}
	return -errnum;
}
