// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's CPUID; see cpuid.h. */
#include "vmm/cpuid.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define CPUID_MAX	256

#define CPUID_1_ECX_TSC_DEADLINE	(1u << 24)	/* the LAPIC in KVM has it */
#define CPUID_1_ECX_HYPERVISOR		(1u << 31)

static struct kvm_cpuid2 *cpuid__alloc(void)
{
	struct kvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(cpuid->entries[0]));
	if (cpuid)
		cpuid->nent = CPUID_MAX;
	return cpuid;
}

void cpuid__adjust(struct kvm_cpuid_entry2 *entries, uint32_t n, uint32_t apic_id)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		switch (entries[i].function) {
		case 0x1:	/* EBX 31:24: initial APIC id; ECX: KVM's own, which it does not list */
			entries[i].ebx = (entries[i].ebx & 0x00ffffff) | apic_id << 24;
			entries[i].ecx |= CPUID_1_ECX_HYPERVISOR | CPUID_1_ECX_TSC_DEADLINE;
			break;
		case 0xb:	/* topology: EDX is the x2APIC id on every level */
		case 0x1f:
			entries[i].edx = apic_id;
			break;
		case 0x8000001e:	/* AMD: EAX is the extended APIC id */
			entries[i].eax = apic_id;
			break;
		}
	}
}

/*
 * Set it, and keep it: what KVM_GET_CPUID2 returns later has the guest's own state
 * in it, and on a paravirtual KVM more than was ever set.
 */
static int cpuid__apply(struct vcpu *vcpu, struct kvm_cpuid2 *cpuid, struct error *err)
{
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0) {
		int r = error__set(err, errno, "vCPU %u: KVM_SET_CPUID2 of %" PRIu32 " entries: %s",
				   vcpu->index, cpuid->nent, strerror(errno));

		free(cpuid);
		return r;
	}
	free(vcpu->cpuid);
	vcpu->cpuid = cpuid;
	return 0;
}

int cpuid__init(struct vcpu *vcpu, struct error *err)
{
	struct kvm_cpuid2 *cpuid;
	int r;

	cpuid = cpuid__alloc();
	if (!cpuid)
		return error__set(err, ENOMEM, "out of memory");
	if (ioctl(vcpu->vm->sys_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0) {
		r = error__set(err, errno, "KVM_GET_SUPPORTED_CPUID: %s", strerror(errno));
		free(cpuid);
		return r;
	}
	cpuid__adjust(cpuid->entries, cpuid->nent, vcpu->index);
	return cpuid__apply(vcpu, cpuid, err);
}

int cpuid__get(struct vcpu *vcpu, struct kvm_cpuid_entry2 *entries, uint32_t max, uint32_t *n,
	       struct error *err)
{
	if (vcpu->cpuid->nent > max)
		return error__set(err, E2BIG, "vCPU %u: %u CPUID entries, at most %u", vcpu->index,
				  vcpu->cpuid->nent, max);
	memcpy(entries, vcpu->cpuid->entries, vcpu->cpuid->nent * sizeof(*entries));
	*n = vcpu->cpuid->nent;
	return 0;
}

int cpuid__set(struct vcpu *vcpu, const struct kvm_cpuid_entry2 *entries, uint32_t n,
	       struct error *err)
{
	struct kvm_cpuid2 *cpuid;

	if (n > CPUID_MAX)
		return error__set(err, E2BIG, "vCPU %u: %" PRIu32 " CPUID entries", vcpu->index, n);
	cpuid = cpuid__alloc();
	if (!cpuid)
		return error__set(err, ENOMEM, "out of memory");
	cpuid->nent = n;
	memcpy(cpuid->entries, entries, n * sizeof(*entries));
	return cpuid__apply(vcpu, cpuid, err);
}
