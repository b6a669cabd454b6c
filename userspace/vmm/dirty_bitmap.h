/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dirty source: what vCPUs write, by KVM's dirty bitmaps. For a VM without dirty
 * rings (vm->dirty_ring_entries 0): KVM keeps one or the other.
 */
#ifndef VMM_DIRTY_BITMAP_H
#define VMM_DIRTY_BITMAP_H

struct dirty_source;
struct vm;

struct dirty_source *dirty_bitmap__create(struct vm *vm);	/* NULL: no memory */

#endif /* VMM_DIRTY_BITMAP_H */
