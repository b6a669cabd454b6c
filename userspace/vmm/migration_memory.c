// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets of pages and hashes of pages; see migration_memory.h. */
#include "vmm/migration_memory.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* The same functions, by the CPU's widest vectors. */
#include <xxh_x86dispatch.h>

#define BITS	64u

_Static_assert(MIGRATION_SHARE_PAGES % BITS == 0, "a share has words of its own");

static uint64_t words(uint64_t nr_pages)
{
	return (nr_pages + BITS - 1) / BITS;
}

static struct migration_hash hash(uint64_t seed, const void *data, size_t len)
{
	XXH128_hash_t h = XXH3_128bits_withSeed(data, len, seed);

	return (struct migration_hash) { .low = h.low64, .high = h.high64 };
}

int migration_memory__init(struct migration_memory *mem, const struct migration_machine *machine,
			   uint64_t seed)
{
	static const uint8_t zeroes[MIGRATION_PAGE_SIZE];
	struct migration_track *t;
	uint64_t page;
	uint32_t i;

	memset(mem, 0, sizeof(*mem));
	mem->machine = machine;
	mem->seed = seed;
	mem->zero = hash(seed, zeroes, sizeof(zeroes));
	for (i = 0; i < machine->nr_regions; i++) {
		t = &mem->tracks[i];
		t->nr_pages = migration_region__pages(&machine->regions[i]);
		t->marked = calloc(words(t->nr_pages), sizeof(*t->marked));
		t->todo = calloc(words(t->nr_pages), sizeof(*t->todo));
		t->loaded = calloc(words(t->nr_pages), sizeof(*t->loaded));
		t->hashes = calloc(t->nr_pages, sizeof(*t->hashes));
		if (!t->marked || !t->todo || !t->loaded || !t->hashes) {
			migration_memory__exit(mem);
			return -ENOMEM;
		}
		for (page = 0; page < t->nr_pages; page++)
			t->hashes[page] = mem->zero;
	}
	return 0;
}

void migration_memory__exit(struct migration_memory *mem)
{
	uint32_t i;

	for (i = 0; i < MIGRATION_MAX_REGIONS; i++) {
		free(mem->tracks[i].marked);
		free(mem->tracks[i].todo);
		free(mem->tracks[i].loaded);
		free(mem->tracks[i].hashes);
	}
	memset(mem, 0, sizeof(*mem));
}

void migration_memory__mark(struct migration_memory *mem, uint32_t slot, uint64_t page)
{
	const struct migration_region *r;
	uint64_t in_region;
	uint32_t i;

	for (i = 0; i < mem->machine->nr_regions; i++) {
		r = &mem->machine->regions[i];
		in_region = page - r->slot_page;
		if (r->slot == slot && page >= r->slot_page &&
		    in_region < mem->tracks[i].nr_pages) {
			mem->tracks[i].marked[in_region / BITS] |= 1ULL << in_region % BITS;
			return;
		}
	}
}

uint64_t migration_memory__collect(struct migration_memory *mem)
{
	uint64_t total = 0, fresh, w;
	struct migration_track *t;
	uint32_t i;

	for (i = 0; i < mem->machine->nr_regions; i++) {
		t = &mem->tracks[i];
		for (w = 0; w < words(t->nr_pages); w++) {
			if (!t->marked[w])
				continue;
			fresh = t->marked[w] & ~t->todo[w];
			t->todo[w] |= fresh;
			t->marked[w] = 0;
			t->nr_todo += __builtin_popcountll(fresh);
		}
		total += t->nr_todo;
	}
	return total;
}

bool migration_memory__add(struct migration_memory *mem, uint32_t region, uint64_t page)
{
	struct migration_track *t = &mem->tracks[region];
	uint64_t bit = 1ULL << page % BITS;

	if (__atomic_fetch_or(&t->todo[page / BITS], bit, __ATOMIC_RELAXED) & bit)
		return false;
	__atomic_fetch_add(&t->nr_todo, 1, __ATOMIC_RELAXED);
	return true;
}

void migration_memory__add_all(struct migration_memory *mem, uint32_t region)
{
	uint64_t page;

	for (page = 0; page < mem->tracks[region].nr_pages; page++)
		migration_memory__add(mem, region, page);
}

void migration_memory__add_populated(struct migration_memory *mem, uint32_t region)
{
	const struct migration_region *r = &mem->machine->regions[region];
	uint64_t page = 0, count, i;

	while (migration_region__next_data(r, &page, mem->tracks[region].nr_pages, &count)) {
		for (i = 0; i < count; i++)
			migration_memory__add(mem, region, page + i);
		page += count;
	}
}

/* The first page from @page on whose bit is 1 (@set) or 0; @end where there is none before it. */
static uint64_t next_bit(const uint64_t *bits, uint64_t page, uint64_t end, bool set)
{
	const uint64_t flip = set ? 0 : ~0ULL;
	uint64_t w = page / BITS, found;

	if (page >= end)
		return end;
	found = (bits[w] ^ flip) & ~0ULL << page % BITS;
	while (!found) {
		if (++w * BITS >= end)
			return end;
		found = bits[w] ^ flip;
	}
	page = w * BITS + __builtin_ctzll(found);
	return page < end ? page : end;
}

bool migration_memory__take(struct migration_memory *mem, uint32_t region, uint64_t *page,
			    uint64_t end)
{
	struct migration_track *t = &mem->tracks[region];
	uint64_t found;

	if (end > t->nr_pages)
		end = t->nr_pages;
	found = next_bit(t->todo, *page, end, true);
	if (found >= end)
		return false;
	*page = found;
	t->todo[found / BITS] &= ~(1ULL << found % BITS);
	__atomic_fetch_sub(&t->nr_todo, 1, __ATOMIC_RELAXED);
	return true;
}

void migration_memory__clear(struct migration_memory *mem)
{
	struct migration_track *t;
	uint32_t i;

	for (i = 0; i < mem->machine->nr_regions; i++) {
		t = &mem->tracks[i];
		memset(t->todo, 0, words(t->nr_pages) * sizeof(*t->todo));
		t->nr_todo = 0;
	}
}

void migration_memory__set_loaded(struct migration_memory *mem, uint32_t region, uint64_t page,
				  struct migration_hash page_hash)
{
	__atomic_fetch_or(&mem->tracks[region].loaded[page / BITS], 1ULL << page % BITS,
			  __ATOMIC_RELAXED);
	migration_memory__set_hash(mem, region, page, page_hash);
}

bool migration_memory__next_missing(const struct migration_memory *mem, uint32_t region,
				    uint64_t *page, uint64_t *count)
{
	const struct migration_track *t = &mem->tracks[region];

	*page = next_bit(t->loaded, *page, t->nr_pages, false);
	*count = next_bit(t->loaded, *page, t->nr_pages, true) - *page;
	return *count;
}

struct migration_hash migration_memory__hash(const struct migration_memory *mem, const void *page)
{
	return hash(mem->seed, page, MIGRATION_PAGE_SIZE);
}

/* What a page adds to its region's digest; a page of zeroes, which most are, nothing. */
static struct migration_hash share(const struct migration_memory *mem, uint64_t page,
				   struct migration_hash page_hash)
{
	const uint64_t words_of_page[] = { htole64(page), htole64(page_hash.low),
					   htole64(page_hash.high) };

	if (migration_hash__equal(page_hash, mem->zero))
		return (struct migration_hash) { 0, 0 };
	return hash(mem->seed, words_of_page, sizeof(words_of_page));
}

void migration_memory__set_hash(struct migration_memory *mem, uint32_t region, uint64_t page,
				struct migration_hash page_hash)
{
	struct migration_track *t = &mem->tracks[region];
	struct migration_hash before = share(mem, page, t->hashes[page]);
	struct migration_hash after = share(mem, page, page_hash);

	t->hashes[page] = page_hash;
	/* Other channels set other pages' at the same time. */
	__atomic_fetch_add(&t->digest.low, after.low - before.low, __ATOMIC_RELAXED);
	__atomic_fetch_add(&t->digest.high, after.high - before.high, __ATOMIC_RELAXED);
}

struct migration_hash migration_memory__digest(const struct migration_memory *mem, uint32_t region)
{
	return mem->tracks[region].digest;
}

bool migration_region__next_data(const struct migration_region *r, uint64_t *page, uint64_t end,
				 uint64_t *count)
{
	off_t data, hole;

	if (*page >= end)
		return false;
	/* Unknown is not a hole. */
	*count = end - *page;
	if (r->kind != MIGRATION_RAM || r->fd < 0)
		return true;
	data = lseek(r->fd, *page << MIGRATION_PAGE_SHIFT, SEEK_DATA);
	if (data < 0)
		return errno != ENXIO;
	if (data >> MIGRATION_PAGE_SHIFT >= (off_t)end)
		return false;
	hole = lseek(r->fd, data, SEEK_HOLE);
	if (hole < 0)
		return true;
	*page = data >> MIGRATION_PAGE_SHIFT;
	*count = ((hole + MIGRATION_PAGE_SIZE - 1) >> MIGRATION_PAGE_SHIFT) - *page;
	if (*count > end - *page)
		*count = end - *page;
	return true;
}
