/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dirty source: what the VMM's own devices write to guest memory. They say so with
 * vm__mark_dirty(), which brings it here.
 */
#ifndef VMM_DIRTY_MARKS_H
#define VMM_DIRTY_MARKS_H

#include <stdint.h>

struct dirty_marks;
struct dirty_source;
struct vm;

struct dirty_source *dirty_marks__create(struct vm *vm);	/* NULL: no memory */

/* For vm.c, with vm->dirty_lock, on vm->dirty_marks. */
void dirty_marks__add(struct dirty_marks *marks, uint32_t slot, uint64_t page);

#endif /* VMM_DIRTY_MARKS_H */
