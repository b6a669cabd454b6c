// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of memory types; see memtype_name.h. */
#include "memtype_name.h"

#include <linux/dmabuf_memtype.h>
#include <stddef.h>

static const char *const names[] = {
	[DMABUF_MEMTYPE_UC] = "UC",
	[DMABUF_MEMTYPE_WC] = "WC",
	[DMABUF_MEMTYPE_WT] = "WT",
	[DMABUF_MEMTYPE_WP] = "WP",
	[DMABUF_MEMTYPE_WB] = "WB",
	[DMABUF_MEMTYPE_UC_MINUS] = "UC-",
};

const char *memtype_name(uint32_t memtype)
{
	return memtype < sizeof(names) / sizeof(names[0]) ? names[memtype] : NULL;
}
