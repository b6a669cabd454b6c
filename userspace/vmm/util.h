/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small things that every file of the VMM may need. */
#ifndef VMM_UTIL_H
#define VMM_UTIL_H

#include <inttypes.h>
#include <stddef.h>

#define VMM_PAGE_SIZE	4096ULL

/* For messages: two 64-bit numbers, start and size, and how they are printed. */
#define RANGE_FMT	"[0x%" PRIx64 ", +0x%" PRIx64 ")"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

#endif /* VMM_UTIL_H */
