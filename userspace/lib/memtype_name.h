/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of memory types, for the messages of both programs. */
#ifndef LIB_MEMTYPE_NAME_H
#define LIB_MEMTYPE_NAME_H

#include <stdint.h>

/* "UC", "WC", …, "UC-" for a DMABUF_MEMTYPE_*; NULL for a number that is none. */
const char *memtype_name(uint32_t memtype);

#endif /* LIB_MEMTYPE_NAME_H */
