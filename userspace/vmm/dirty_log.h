/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's dirty logging of the VM's slots: on, off, and armed anew as a whole. What was
 * logged is read by dirty_ring.c or dirty_bitmap.c.
 */
#ifndef VMM_DIRTY_LOG_H
#define VMM_DIRTY_LOG_H

#include <stdbool.h>

#include "vmm/error.h"

struct vm;

/* KVM has KVM_WRITE_PROTECT_ALL_MEM; after its first use nothing else protects. */
bool dirty_log__can_protect_all(const struct vm *vm);
int dirty_log__protect_all(struct vm *vm, struct error *err);

/* All slots or none. With protection of all at once this takes constant time. */
int dirty_log__on(struct vm *vm, bool protect_all, struct error *err);
void dirty_log__off(struct vm *vm);

#endif /* VMM_DIRTY_LOG_H */
