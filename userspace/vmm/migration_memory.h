/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a migration knows of each page: whether it is still to be sent, and a hash
 * of what the destination has of it. Both sides keep one; from equal hashes of
 * all pages follow equal digests of each region. Used by migration_send.c,
 * migration_recv.c and, to mark dirty pages, by migration_vm.c.
 */
#ifndef VMM_MIGRATION_MEMORY_H
#define VMM_MIGRATION_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/migration_machine.h"

/* XXH3-128: two different pages look alike once in 2^128. */
struct migration_hash {
	uint64_t low;
	uint64_t high;
};

struct migration_track {
	uint64_t nr_pages;
	uint64_t *marked;	/* source: dirty, as the log says, not yet collected */
	uint64_t *todo;		/* source: to send; destination: received in this pass */
	uint64_t *loaded;	/* destination: received in any pass, hash up to date */
	uint64_t nr_todo;
	struct migration_hash *hashes;	/* change them by migration_memory__set_hash() */
	struct migration_hash digest;	/* of all of them */
};

struct migration_memory {
	const struct migration_machine *machine;
	uint64_t seed;
	struct migration_hash zero;	/* of a page of zeroes */
	struct migration_track tracks[MIGRATION_MAX_REGIONS];
};

/* All pages are taken for zero until something else is noted. -ENOMEM */
int migration_memory__init(struct migration_memory *mem, const struct migration_machine *machine,
			   uint64_t seed);
void migration_memory__exit(struct migration_memory *mem);

/*
 * The dirty log says that page @page of memslot @slot was written. Pages outside of
 * all regions (parts of the window without a buffer) are not of interest. Callers
 * see to it that mark and collect do not run at the same time.
 */
void migration_memory__mark(struct migration_memory *mem, uint32_t slot, uint64_t page);
/* Marked pages become pages to send. Returns how many there are to send. */
uint64_t migration_memory__collect(struct migration_memory *mem);

/* First pass: all pages of the region that may be anything but zero. */
void migration_memory__add_populated(struct migration_memory *mem, uint32_t region);
void migration_memory__add_all(struct migration_memory *mem, uint32_t region);

/* Is @page new in the set? Notes it. From any thread, with add and set_loaded elsewhere. */
bool migration_memory__add(struct migration_memory *mem, uint32_t region, uint64_t page);
#define MIGRATION_SHARE_PAGES	64u

/*
 * Take the next page from *@page on, and before @end, out of the set; false: none left
 * there. Threads may take at the same time, each in parts of its own that begin and end
 * at multiples of MIGRATION_SHARE_PAGES.
 */
bool migration_memory__take(struct migration_memory *mem, uint32_t region, uint64_t *page,
			    uint64_t end);
void migration_memory__clear(struct migration_memory *mem);

/* Destination: note the hash of a page that has been loaded. */
void migration_memory__set_loaded(struct migration_memory *mem, uint32_t region, uint64_t page,
				  struct migration_hash hash);
/* The region's next *@count pages, from *@page on, that have not been; false: all have. */
bool migration_memory__next_missing(const struct migration_memory *mem, uint32_t region,
				    uint64_t *page, uint64_t *count);

struct migration_hash migration_memory__hash(const struct migration_memory *mem,
					     const void *page);
static inline bool migration_hash__equal(struct migration_hash a, struct migration_hash b)
{
	return a.low == b.low && a.high == b.high;
}

/* What is known of @page from now on. Callers may set those of different pages at a time. */
void migration_memory__set_hash(struct migration_memory *mem, uint32_t region, uint64_t page,
				struct migration_hash page_hash);
/*
 * Over the hashes of all pages of the region. A sum, kept up to date page by page: it is
 * asked for while the guest stands still, and must not take time for all of RAM.
 */
struct migration_hash migration_memory__digest(const struct migration_memory *mem,
					       uint32_t region);

/*
 * The region's next part, from *@page on and before @end, that is backed by memory:
 * *@page and *@count say where it is. The pages between are holes, which read as zeroes
 * and are not to be touched. False: holes up to @end.
 */
bool migration_region__next_data(const struct migration_region *r, uint64_t *page, uint64_t end,
				 uint64_t *count);

#endif /* VMM_MIGRATION_MEMORY_H */
