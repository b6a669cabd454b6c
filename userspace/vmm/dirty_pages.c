// SPDX-License-Identifier: GPL-2.0-or-later
/* A set of pages of the VM's slots; see dirty_pages.h. */
#include "vmm/dirty_pages.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/util.h"

#define BITS	64u

static uint64_t dirty_pages__nr_words(const struct dirty_pages *pages, uint32_t slot)
{
	return (pages->nr_pages[slot] + BITS - 1) / BITS;
}

int dirty_pages__init(struct dirty_pages *pages, const struct vm *vm)
{
	uint32_t slot;

	*pages = (struct dirty_pages) {
		.nr_pages[VM_SLOT_RAM] = vm->ram.size / VMM_PAGE_SIZE,
		.nr_pages[VM_SLOT_WINDOW] = vm->window.size / VMM_PAGE_SIZE,
	};
	for (slot = 0; slot < VM_NR_SLOTS; slot++) {
		pages->words[slot] = calloc(dirty_pages__nr_words(pages, slot), sizeof(uint64_t));
		if (!pages->words[slot]) {
			dirty_pages__exit(pages);
			return -ENOMEM;
		}
	}
	return 0;
}

void dirty_pages__exit(struct dirty_pages *pages)
{
	uint32_t slot;

	for (slot = 0; slot < VM_NR_SLOTS; slot++)
		free(pages->words[slot]);
	*pages = (struct dirty_pages) { 0 };
}

void dirty_pages__add(struct dirty_pages *pages, uint32_t slot, uint64_t page)
{
	if (slot >= VM_NR_SLOTS || page >= pages->nr_pages[slot])
		return;
	__atomic_fetch_or(&pages->words[slot][page / BITS], 1ULL << page % BITS, __ATOMIC_SEQ_CST);
}

void dirty_pages__drain(struct dirty_pages *pages, const struct dirty_sink *sink)
{
	uint64_t i, word;
	uint32_t slot;

	for (slot = 0; slot < VM_NR_SLOTS; slot++) {
		for (i = 0; i < dirty_pages__nr_words(pages, slot); i++) {
			if (!__atomic_load_n(&pages->words[slot][i], __ATOMIC_RELAXED))
				continue;
			word = __atomic_exchange_n(&pages->words[slot][i], 0, __ATOMIC_SEQ_CST);
			dirty_sink__words(sink, slot, i * BITS, &word, BITS);
		}
	}
}
