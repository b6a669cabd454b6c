/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a migration touches guest memory: copies that suit the memory type, and
 * the bracket that DMA-bufs want around CPU access. Called by the sending and
 * the receiving side, page by page.
 */
#ifndef VMM_MIGRATION_COPY_H
#define VMM_MIGRATION_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/error.h"

struct migration_region;

/*
 * Copy a page out of a mapping of type @memtype. Ordinary loads from WC or UC
 * memory are one bus access each; streaming loads (MOVNTDQA, SDM vol. 1, 12.10.3)
 * fetch a line at a time from WC. Plain loads where the CPU lacks SSE4.1.
 */
void migration_copy__read_page(void *dst, const void *src, uint32_t memtype);

/* What it chooses from, and by what. */
typedef void migration_copy_fn(void *dst, const void *src);
migration_copy_fn migration_copy__read_plain;
migration_copy_fn migration_copy__read_streaming;	/* needs SSE4.1 */
migration_copy_fn *migration_copy__reader(uint32_t memtype, bool sse41);

/* Copy a page into a mapping of any type, globally visible when it returns. */
void migration_copy__write_page(void *dst, const void *src);
void migration_copy__zero_page(void *dst);

bool migration_copy__is_zero(const void *page);

/*
 * Begin and end CPU access to a buffer, to read it or (@write) to write and read it:
 * wait for the fences of its writers (@write: of all its users), at most @timeout_ms,
 * then DMA_BUF_IOCTL_SYNC. A no-op for RAM. -ETIMEDOUT where a fence does not signal.
 */
int migration_copy__begin(const struct migration_region *r, bool write, uint32_t timeout_ms,
			  struct error *err);
int migration_copy__end(const struct migration_region *r, bool write, struct error *err);

#endif /* VMM_MIGRATION_COPY_H */
