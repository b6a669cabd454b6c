/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's CPUID: what KVM supports, completed for each vCPU. */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <stdint.h>

#include <linux/kvm.h>

#include "vmm/error.h"

struct vcpu;

/* KVM_GET_SUPPORTED_CPUID with the vCPU's APIC id. Called by vcpu__create(). */
int cpuid__init(struct vcpu *vcpu, struct error *err);

/* For vcpu_state.c: the vCPU's entries as they are. */
int cpuid__get(struct vcpu *vcpu, struct kvm_cpuid_entry2 *entries, uint32_t max, uint32_t *n,
	       struct error *err);
int cpuid__set(struct vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, uint32_t n,
	       struct error *err);

/* Fill in what belongs to one vCPU: APIC ids. Apart for the tests. */
void cpuid__adjust(struct kvm_cpuid_entry2 *entries, uint32_t n, uint32_t apic_id);

#endif /* VMM_CPUID_H */
