/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's dirty rings (Documentation/virt/kvm/api.rst, KVM_CAP_DIRTY_LOG_RING_ACQ_REL):
 * which guest pages the vCPUs wrote. The ring is enabled before the first vCPU
 * exists; the slots log only between dirty_ring__start() and _stop().
 *
 * Order for a page that must not be lost: harvest (the sink marks it), which
 * write-protects it again by KVM_RESET_DIRTY_RINGS, and only then read it. Pages
 * written after the reset come with the next harvest. With every vCPU paused, a
 * harvest is complete (PML buffers are flushed at each exit).
 */
#ifndef VMM_DIRTY_RING_H
#define VMM_DIRTY_RING_H

#include <stdint.h>

#include "vmm/dirty_source.h"
#include "vmm/error.h"

struct vcpu;
struct vm;

/* Before vCPUs are created. -EOPNOTSUPP where KVM has no ring. */
int dirty_ring__enable(struct vm *vm, uint32_t entries, struct error *err);
int dirty_ring__map(struct vcpu *vcpu, struct error *err);
void dirty_ring__unmap(struct vcpu *vcpu);

/* Log both slots into @sink from now on. -EALREADY, -EOPNOTSUPP. */
int dirty_ring__start(struct vm *vm, const struct dirty_sink *sink, struct error *err);

/*
 * Hand all vCPUs' entries to the sink and reset the rings. Returns the number
 * of pages, or -errno. vCPUs may run meanwhile.
 */
int dirty_ring__harvest(struct vm *vm);

/* No logging any more; the sink is not called after this returns. */
int dirty_ring__stop(struct vm *vm);

#endif /* VMM_DIRTY_RING_H */
