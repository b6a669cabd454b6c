/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of pages of the VM's slots, for sources that hear of pages one by one and
 * before they are asked. Adding is safe from any thread.
 */
#ifndef VMM_DIRTY_PAGES_H
#define VMM_DIRTY_PAGES_H

#include <stdint.h>

#include "vmm/dirty_source.h"
#include "vmm/vm.h"

struct dirty_pages {
	uint64_t *words[VM_NR_SLOTS];
	uint64_t nr_pages[VM_NR_SLOTS];
};

int dirty_pages__init(struct dirty_pages *pages, const struct vm *vm);	/* -ENOMEM */
void dirty_pages__exit(struct dirty_pages *pages);

/* A page that no slot has is not of interest. */
void dirty_pages__add(struct dirty_pages *pages, uint32_t slot, uint64_t page);
/* Hand them over, and forget them. */
void dirty_pages__drain(struct dirty_pages *pages, const struct dirty_sink *sink);

#endif /* VMM_DIRTY_PAGES_H */
