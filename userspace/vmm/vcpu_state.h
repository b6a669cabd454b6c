/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that makes up a vCPU, as plain data: read from a paused vCPU, set
 * on a fresh one. Called by the migration. The layouts are KVM's own (ABI); the
 * migration stream carries each part with its size.
 */
#ifndef VMM_VCPU_STATE_H
#define VMM_VCPU_STATE_H

#include <stdint.h>

#include <linux/kvm.h>

#include "vmm/error.h"

struct vcpu;

#define VCPU_STATE_MAX_MSRS	512
#define VCPU_STATE_MAX_CPUID	256
#define VCPU_STATE_MAX_XSAVE	16384	/* bytes; 4096 without AMX */

struct vcpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_xcrs xcrs;
	struct kvm_debugregs debugregs;
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp_state;
	struct kvm_lapic_state lapic;
	uint32_t tsc_khz;
	uint32_t xsave_size;		/* bytes valid in xsave */
	uint32_t nr_msrs;
	uint32_t nr_cpuid;
	uint8_t xsave[VCPU_STATE_MAX_XSAVE] __attribute__((aligned(64)));
	struct kvm_msr_entry msrs[VCPU_STATE_MAX_MSRS];
	struct kvm_cpuid_entry2 cpuid[VCPU_STATE_MAX_CPUID];
};

/*
 * The VM must be paused. All of KVM_GET_MSR_INDEX_LIST that the vCPU has,
 * IA32_TSC included.
 */
int vcpu_state__get(struct vcpu *vcpu, struct vcpu_state *state, struct error *err);

/*
 * Set in the order that KVM wants: CPUID, TSC frequency, sregs, xcrs, xsave, regs,
 * MSRs, LAPIC, MP state, debug registers, events. Counts and sizes are checked
 * first (-EINVAL, -E2BIG); a part that KVM refuses is named, an MSR by its index.
 */
int vcpu_state__set(struct vcpu *vcpu, const struct vcpu_state *state, struct error *err);

#endif /* VMM_VCPU_STATE_H */
