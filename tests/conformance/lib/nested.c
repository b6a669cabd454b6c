// SPDX-License-Identifier: GPL-2.0-or-later
/* Nested guests without a hypervisor in the guest; see nested.h. */
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ktap.h"
#include "nested.h"

/* What lies at @gpa, a page each */
#define ROOT		0x0
#define PDPT		0x1000
#define PD		0x2000		/* two of them: 2 GiB */
#define CONTROL		0x4000		/* VMCB or VMCS */
#define VMXON		0x5000

/* Second-stage entries: NPT takes those of ordinary tables */
#define NPT_TABLE	0x27		/* present, writable, user, accessed */
#define NPT_LEAF	0xe7		/* … dirty, large */
#define EPT_TABLE	0x107		/* read, write, execute, accessed */
#define EPT_LEAF	0x3b7		/* … dirty, large, WB */

#define EFER_SVME	(1ULL << 12)
#define CR4_VMXE	(1ULL << 13)

/* VMCB: control area; save area (APM vol. 2, appendix B) */
#define VMCB_INTERCEPT4	0x010
#define  INTERCEPT_VMRUN	1U
#define VMCB_ASID	0x058
#define VMCB_NESTED_CTL	0x090
#define VMCB_NESTED_CR3	0x0b0
#define VMCB_EFER	0x4d0
#define VMCB_CR4	0x548
#define VMCB_CR3	0x550
#define VMCB_CR0	0x558
#define VMCB_DR7	0x560
#define VMCB_DR6	0x568
#define VMCB_RFLAGS	0x570

/* struct vmcs12 of KVM, whose layout is ABI: it goes through KVM_GET_NESTED_STATE */
#define VMCS12_REVISION	0x11e57ed0U
enum vmcs12 {
	VMCS12_EPTP = 120,
	VMCS12_LINK = 176,
	VMCS12_GUEST_EFER = 200,
	VMCS12_GUEST_CR0 = 424,
	VMCS12_GUEST_CR3 = 432,
	VMCS12_GUEST_CR4 = 440,
	VMCS12_GUEST_BASES = 448,	/* ES CS SS DS FS GS LDTR TR */
	VMCS12_GUEST_DR7 = 528,
	VMCS12_GUEST_RSP = 536,
	VMCS12_GUEST_RIP = 544,
	VMCS12_GUEST_RFLAGS = 552,
	VMCS12_HOST_CR0 = 584,
	VMCS12_HOST_CR3 = 592,
	VMCS12_HOST_CR4 = 600,
	VMCS12_PIN_CONTROLS = 744,
	VMCS12_CPU_CONTROLS = 748,
	VMCS12_EXIT_CONTROLS = 768,
	VMCS12_ENTRY_CONTROLS = 780,
	VMCS12_CPU_CONTROLS2 = 804,
	VMCS12_GUEST_LIMITS = 840,
	VMCS12_GUEST_RIGHTS = 880,
	VMCS12_GUEST_SELECTORS = 964,
	VMCS12_HOST_SELECTORS = 982,	/* ES CS SS DS FS GS TR */
};

/* The bits that must be 1, and what is wanted besides */
#define PIN_CONTROLS	0x16U
#define CPU_CONTROLS	(0x04006172U | 1U << 31)	/* secondary controls */
#define CPU_CONTROLS2	(1U << 1)			/* EPT */
#define EXIT_CONTROLS	(0x36dffU | 1U << 9)		/* a 64-bit host */
#define ENTRY_CONTROLS	(0x11ffU | 1U << 9)		/* a 64-bit guest */

#define STATE_BYTES	(sizeof(struct kvm_nested_state) + 4096)

static void put16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void map_2g(uint8_t *ram, uint64_t gpa, uint64_t table, uint64_t leaf)
{
	memset(ram + gpa, 0, NESTED_BYTES);
	put64(ram + gpa + ROOT, (gpa + PDPT) | table);
	for (uint64_t i = 0; i < 2; i++)
		put64(ram + gpa + PDPT + 8 * i, (gpa + PD + i * 0x1000) | table);
	for (uint64_t i = 0; i < 1024; i++)
		put64(ram + gpa + PD + 8 * i, i << 21 | leaf);
}

/* What there is of the guest itself would be needed if the nested guest left to it. */
static void fill_svm(struct kvm_nested_state *state, const struct kvm_sregs *sregs, uint64_t gpa)
{
	uint8_t *vmcb = state->data.svm->vmcb12;

	state->format = KVM_STATE_NESTED_FORMAT_SVM;
	state->flags = KVM_STATE_NESTED_GUEST_MODE | KVM_STATE_NESTED_GIF_SET;
	state->hdr.svm.vmcb_pa = gpa + CONTROL;
	put32(vmcb + VMCB_INTERCEPT4, INTERCEPT_VMRUN);
	put32(vmcb + VMCB_ASID, 1);
	put64(vmcb + VMCB_NESTED_CTL, 1);
	put64(vmcb + VMCB_NESTED_CR3, gpa + ROOT);
	put64(vmcb + VMCB_EFER, sregs->efer);
	put64(vmcb + VMCB_CR0, sregs->cr0);
	put64(vmcb + VMCB_CR3, sregs->cr3);
	put64(vmcb + VMCB_CR4, sregs->cr4);
	put64(vmcb + VMCB_DR6, 0xffff0ff0);
	put64(vmcb + VMCB_DR7, 0x400);
	put64(vmcb + VMCB_RFLAGS, 2);
}

static void put_segment(uint8_t *vmcs, unsigned int i, const struct kvm_segment *segment)
{
	const uint32_t rights = segment->type | (uint32_t)segment->s << 4 |
				(uint32_t)segment->dpl << 5 | (uint32_t)segment->present << 7 |
				(uint32_t)segment->avl << 12 | (uint32_t)segment->l << 13 |
				(uint32_t)segment->db << 14 | (uint32_t)segment->g << 15 |
				(uint32_t)segment->unusable << 16;

	put64(vmcs + VMCS12_GUEST_BASES + 8 * i, segment->base);
	put32(vmcs + VMCS12_GUEST_LIMITS + 4 * i, segment->limit);
	put32(vmcs + VMCS12_GUEST_RIGHTS + 4 * i, rights);
	put16(vmcs + VMCS12_GUEST_SELECTORS + 2 * i, segment->selector);
}

static void fill_vmx(struct kvm_nested_state *state, const struct kvm_sregs *sregs,
		     const struct kvm_regs *regs, uint64_t gpa)
{
	const struct kvm_segment *const segments[] = {
		&sregs->es, &sregs->cs, &sregs->ss, &sregs->ds, &sregs->fs, &sregs->gs,
		&sregs->ldt, &sregs->tr,
	};
	uint8_t *vmcs = state->data.vmx->vmcs12;

	state->format = KVM_STATE_NESTED_FORMAT_VMX;
	state->flags = KVM_STATE_NESTED_GUEST_MODE;
	state->hdr.vmx.vmxon_pa = gpa + VMXON;
	state->hdr.vmx.vmcs12_pa = gpa + CONTROL;
	put32(vmcs, VMCS12_REVISION);
	put64(vmcs + VMCS12_LINK, UINT64_MAX);
	put64(vmcs + VMCS12_EPTP, (gpa + ROOT) | 3 << 3 | 6);	/* 4 levels, WB */
	put32(vmcs + VMCS12_PIN_CONTROLS, PIN_CONTROLS);
	put32(vmcs + VMCS12_CPU_CONTROLS, CPU_CONTROLS);
	put32(vmcs + VMCS12_CPU_CONTROLS2, CPU_CONTROLS2);
	put32(vmcs + VMCS12_EXIT_CONTROLS, EXIT_CONTROLS);
	put32(vmcs + VMCS12_ENTRY_CONTROLS, ENTRY_CONTROLS);

	put64(vmcs + VMCS12_GUEST_EFER, sregs->efer);
	put64(vmcs + VMCS12_GUEST_CR0, sregs->cr0);
	put64(vmcs + VMCS12_GUEST_CR3, sregs->cr3);
	put64(vmcs + VMCS12_GUEST_CR4, sregs->cr4);
	put64(vmcs + VMCS12_GUEST_DR7, 0x400);
	put64(vmcs + VMCS12_GUEST_RSP, regs->rsp);
	put64(vmcs + VMCS12_GUEST_RIP, regs->rip);
	put64(vmcs + VMCS12_GUEST_RFLAGS, regs->rflags);
	for (unsigned int i = 0; i < sizeof(segments) / sizeof(segments[0]); i++)
		put_segment(vmcs, i, segments[i]);

	put64(vmcs + VMCS12_HOST_CR0, sregs->cr0);
	put64(vmcs + VMCS12_HOST_CR3, sregs->cr3);
	put64(vmcs + VMCS12_HOST_CR4, sregs->cr4);
	for (unsigned int i = 0; i < 7; i++)
		put16(vmcs + VMCS12_HOST_SELECTORS + 2 * i, 8);
}

static bool cpu_has_svm(void)
{
	unsigned int a = 0x80000001, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return c & 1 << 2;
}

void vcpu_nest(int vcpu, uint8_t *ram, uint64_t gpa)
{
	struct kvm_nested_state *state = calloc(1, STATE_BYTES);
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	const bool svm = cpu_has_svm();

	test_assert(state);
	state->size = STATE_BYTES;
	test_assert(!ioctl(vcpu, KVM_GET_REGS, &regs));
	test_assert(!ioctl(vcpu, KVM_GET_SREGS, &sregs));
	if (svm)
		sregs.efer |= EFER_SVME;
	else
		sregs.cr4 |= CR4_VMXE;
	test_assert(!ioctl(vcpu, KVM_SET_SREGS, &sregs));
	if (svm) {
		map_2g(ram, gpa, NPT_TABLE, NPT_LEAF);
		fill_svm(state, &sregs, gpa);
	} else {
		map_2g(ram, gpa, EPT_TABLE, EPT_LEAF);
		fill_vmx(state, &sregs, &regs, gpa);
	}
	test_assert(!ioctl(vcpu, KVM_SET_NESTED_STATE, state));
	free(state);
}

bool vcpu_is_nested(int vcpu)
{
	struct kvm_nested_state *state = calloc(1, STATE_BYTES);
	bool nested;

	test_assert(state);
	state->size = STATE_BYTES;
	test_assert(!ioctl(vcpu, KVM_GET_NESTED_STATE, state));
	nested = state->flags & KVM_STATE_NESTED_GUEST_MODE;
	free(state);
	return nested;
}
