/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's dirty rings (Documentation/virt/kvm/api.rst, KVM_CAP_DIRTY_LOG_RING_ACQ_REL):
 * a ring for each vCPU of the guest pages that it wrote. Enabled by vm.c before the
 * first vCPU exists; the slots log only while the dirty source is started.
 */
#ifndef VMM_DIRTY_RING_H
#define VMM_DIRTY_RING_H

#include <stdint.h>

#include "vmm/error.h"

struct dirty_source;
struct vcpu;
struct vm;

/* Before vCPUs are created. -EOPNOTSUPP where KVM has no ring. */
int dirty_ring__enable(struct vm *vm, uint32_t entries, struct error *err);
int dirty_ring__map(struct vcpu *vcpu, struct error *err);
void dirty_ring__unmap(struct vcpu *vcpu);

/* What vCPUs write, of a VM with dirty rings. NULL: no memory. */
struct dirty_source *dirty_ring__create(struct vm *vm);

/* In a vCPU's thread: KVM left because its ring is full. Returns when there is room. */
int dirty_ring__full(struct vm *vm);

#endif /* VMM_DIRTY_RING_H */
