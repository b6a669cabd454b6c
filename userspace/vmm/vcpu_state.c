// SPDX-License-Identifier: GPL-2.0-or-later
/* Complete state of a vCPU; see vcpu_state.h. */
#include "vmm/vcpu_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/cpuid.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define MSR_IA32_TSC_DEADLINE	0x6e0

static int vcpu_state__ioctl(struct vcpu *vcpu, unsigned long request, void *arg,
			     const char *name, struct error *err)
{
	if (ioctl(vcpu->fd, request, arg) < 0)
		return error__set(err, errno, "vCPU %u: %s: %s", vcpu->index, name,
				  strerror(errno));
	return 0;
}

/* Both lists end in a flexible array: room for the largest, on the heap. */
static void *vcpu_state__list(size_t header, size_t entry, size_t n)
{
	return calloc(1, header + entry * n);
}

static int vcpu_state__get_msrs(struct vcpu *vcpu, struct vcpu_state *state, struct error *err)
{
	struct kvm_msr_list *list;
	struct kvm_msrs *msrs;
	uint32_t i, first;
	int n, r = 0;

	list = vcpu_state__list(sizeof(*list), sizeof(list->indices[0]), VCPU_STATE_MAX_MSRS);
	msrs = vcpu_state__list(sizeof(*msrs), sizeof(msrs->entries[0]), VCPU_STATE_MAX_MSRS);
	if (!list || !msrs) {
		r = error__set(err, ENOMEM, "out of memory");
		goto out;
	}
	list->nmsrs = VCPU_STATE_MAX_MSRS;
	if (ioctl(vcpu->vm->sys_fd, KVM_GET_MSR_INDEX_LIST, list) < 0) {
		r = error__set(err, errno, "KVM_GET_MSR_INDEX_LIST: %" PRIu32 " MSRs: %s",
			       list->nmsrs, strerror(errno));
		goto out;
	}

	/*
	 * The list is KVM's, not this vCPU's: those that its CPUID does not have
	 * stop KVM_GET_MSRS, which returns how many it read before.
	 */
	for (first = 0; first < list->nmsrs; first += n + 1) {
		msrs->nmsrs = list->nmsrs - first;
		for (i = 0; i < msrs->nmsrs; i++)
			msrs->entries[i] = (struct kvm_msr_entry) {
				.index = list->indices[first + i],
			};
		n = ioctl(vcpu->fd, KVM_GET_MSRS, msrs);
		if (n < 0) {
			r = error__set(err, errno, "vCPU %u: KVM_GET_MSRS: %s", vcpu->index,
				       strerror(errno));
			goto out;
		}
		memcpy(&state->msrs[state->nr_msrs], msrs->entries,
		       n * sizeof(msrs->entries[0]));
		state->nr_msrs += n;
	}
out:
	free(list);
	free(msrs);
	return r;
}

static int vcpu_state__set_msrs(struct vcpu *vcpu, const struct vcpu_state *state, bool deadline,
				struct error *err)
{
	struct kvm_msrs *msrs;
	uint32_t i;
	int n, r = 0;

	msrs = vcpu_state__list(sizeof(*msrs), sizeof(msrs->entries[0]), VCPU_STATE_MAX_MSRS);
	if (!msrs)
		return error__set(err, ENOMEM, "out of memory");
	for (i = 0; i < state->nr_msrs; i++) {
		bool is_deadline = state->msrs[i].index == MSR_IA32_TSC_DEADLINE;

		if (is_deadline == deadline)
			msrs->entries[msrs->nmsrs++] = state->msrs[i];
	}
	n = msrs->nmsrs ? ioctl(vcpu->fd, KVM_SET_MSRS, msrs) : 0;
	if (n < 0)
		r = error__set(err, errno, "vCPU %u: KVM_SET_MSRS: %s", vcpu->index,
			       strerror(errno));
	else if ((uint32_t)n < msrs->nmsrs)
		r = error__set(err, EINVAL, "vCPU %u: MSR 0x%x does not take the value 0x%llx",
			       vcpu->index, msrs->entries[n].index,
			       (unsigned long long)msrs->entries[n].data);
	free(msrs);
	return r;
}

static int vcpu_state__get_xsave(struct vcpu *vcpu, struct vcpu_state *state, struct error *err)
{
	int size = ioctl(vcpu->vm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);

	if (size > VCPU_STATE_MAX_XSAVE)
		return error__set(err, E2BIG, "vCPU %u: XSAVE area of %d bytes, at most %d fit",
				  vcpu->index, size, VCPU_STATE_MAX_XSAVE);
	if (size > (int)sizeof(struct kvm_xsave)) {
		state->xsave_size = size;
		return vcpu_state__ioctl(vcpu, KVM_GET_XSAVE2, state->xsave, "KVM_GET_XSAVE2", err);
	}
	state->xsave_size = sizeof(struct kvm_xsave);
	return vcpu_state__ioctl(vcpu, KVM_GET_XSAVE, state->xsave, "KVM_GET_XSAVE", err);
}

int vcpu_state__get(struct vcpu *vcpu, struct vcpu_state *state, struct error *err)
{
	int r;

	memset(state, 0, sizeof(*state));
	/* First, because reading it lets pending INITs and SIPIs take effect. */
	r = vcpu_state__ioctl(vcpu, KVM_GET_MP_STATE, &state->mp_state, "KVM_GET_MP_STATE", err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_GET_REGS, &state->regs, "KVM_GET_REGS", err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_GET_SREGS, &state->sregs, "KVM_GET_SREGS", err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_GET_XCRS, &state->xcrs, "KVM_GET_XCRS", err);
	if (!r)
		r = vcpu_state__get_xsave(vcpu, state, err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_GET_DEBUGREGS, &state->debugregs,
				      "KVM_GET_DEBUGREGS", err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_GET_VCPU_EVENTS, &state->events,
				      "KVM_GET_VCPU_EVENTS", err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_GET_LAPIC, &state->lapic, "KVM_GET_LAPIC", err);
	if (!r)
		r = vcpu_state__get_msrs(vcpu, state, err);
	if (!r)
		r = cpuid__get(vcpu, state->cpuid, VCPU_STATE_MAX_CPUID, &state->nr_cpuid, err);
	if (r)
		return r;

	r = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);
	if (r < 0)
		return error__set(err, errno, "vCPU %u: KVM_GET_TSC_KHZ: %s", vcpu->index,
				  strerror(errno));
	state->tsc_khz = r;
	return 0;
}

static int vcpu_state__set_tsc_khz(struct vcpu *vcpu, uint32_t khz, struct error *err)
{
	int now = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);

	if (!khz || now == (int)khz)
		return 0;
	if (ioctl(vcpu->fd, KVM_SET_TSC_KHZ, (unsigned long)khz) < 0)
		return error__set(err, errno,
				  "vCPU %u: TSC of %" PRIu32 " kHz wanted, this host has %d kHz: %s",
				  vcpu->index, khz, now, strerror(errno));
	return 0;
}

static int vcpu_state__set_xsave(struct vcpu *vcpu, const struct vcpu_state *state,
				 struct error *err)
{
	int size = ioctl(vcpu->vm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);

	/* KVM_SET_XSAVE reads as much as KVM_CAP_XSAVE2 says, whatever we have. */
	if (size > (int)state->xsave_size)
		return error__set(err, EINVAL,
				  "vCPU %u: XSAVE area of %" PRIu32 " bytes, this host wants %d",
				  vcpu->index, state->xsave_size, size);
	return vcpu_state__ioctl(vcpu, KVM_SET_XSAVE, (void *)state->xsave, "KVM_SET_XSAVE", err);
}

static int vcpu_state__check(const struct vcpu *vcpu, const struct vcpu_state *state,
			     struct error *err)
{
	if (state->nr_msrs > VCPU_STATE_MAX_MSRS || state->nr_cpuid > VCPU_STATE_MAX_CPUID ||
	    state->xsave_size > VCPU_STATE_MAX_XSAVE)
		return error__set(err, E2BIG,
				  "vCPU %u: state of %u MSRs, %u CPUID entries, %u bytes of XSAVE is too large",
				  vcpu->index, state->nr_msrs, state->nr_cpuid, state->xsave_size);
	if (state->xsave_size < sizeof(struct kvm_xsave))
		return error__set(err, EINVAL,
				  "vCPU %u: XSAVE area of %" PRIu32 " bytes, at least %zu needed",
				  vcpu->index, state->xsave_size, sizeof(struct kvm_xsave));
	return 0;
}

int vcpu_state__set(struct vcpu *vcpu, const struct vcpu_state *state, struct error *err)
{
	/* The ioctls take pointers to data that they only read. */
	struct vcpu_state *s = (struct vcpu_state *)state;
	int r;

	r = vcpu_state__check(vcpu, state, err);
	if (!r)
		r = cpuid__set(vcpu, state->cpuid, state->nr_cpuid, err);
	if (!r)
		r = vcpu_state__set_tsc_khz(vcpu, state->tsc_khz, err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_SET_SREGS, &s->sregs, "KVM_SET_SREGS", err);
	/* A host without XSAVE has none, and refuses an empty set. */
	if (!r && s->xcrs.nr_xcrs)
		r = vcpu_state__ioctl(vcpu, KVM_SET_XCRS, &s->xcrs, "KVM_SET_XCRS", err);
	if (!r)
		r = vcpu_state__set_xsave(vcpu, state, err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_SET_REGS, &s->regs, "KVM_SET_REGS", err);
	if (!r)
		r = vcpu_state__set_msrs(vcpu, state, false, err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_SET_LAPIC, &s->lapic, "KVM_SET_LAPIC", err);
	/* Takes effect only when the LAPIC's timer is in deadline mode already. */
	if (!r)
		r = vcpu_state__set_msrs(vcpu, state, true, err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_SET_MP_STATE, &s->mp_state, "KVM_SET_MP_STATE",
				      err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_SET_DEBUGREGS, &s->debugregs, "KVM_SET_DEBUGREGS",
				      err);
	if (!r)
		r = vcpu_state__ioctl(vcpu, KVM_SET_VCPU_EVENTS, &s->events, "KVM_SET_VCPU_EVENTS",
				      err);
	return r;
}
