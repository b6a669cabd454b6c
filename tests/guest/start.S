/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry from the VMM, in long mode with its page tables: RDI has the address of
 * the boot information. And the 32 exception entries, which all end in
 * exception_report(struct exception_frame *), and those of the interrupts.
 */
#define MSR_X2APIC_EOI	0x80b

	.section .text.start, "ax"
	.globl _start
_start:
	cli
	cld
	lea	stack_top(%rip), %rsp
	xor	%ebp, %ebp
	call	payload_main
1:	hlt
	jmp	1b

	.text
	.macro	EXCEPTION vector has_error
	.balign	16
	.if	\has_error == 0
	push	$0
	.endif
	push	$\vector
	jmp	exception_common
	.endm

	.balign	16
	.globl	exception_entries
exception_entries:
	.set	v, 0
	.rept	32
	/* SDM vol. 3A, table 6-1: the vectors that push an error code */
	.if	(v == 8) || (v >= 10 && v <= 14) || (v == 17) || (v == 21)
	EXCEPTION v 1
	.else
	EXCEPTION v 0
	.endif
	.set	v, v + 1
	.endr

exception_common:
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	exception_report
1:	hlt
	jmp	1b

	/* An interrupt that ends a HLT, and says nothing else. */
	.globl	interrupt_entry
interrupt_entry:
	iretq

	/*
	 * The local APIC wants to hear that an interrupt is over, and at once: where an emulator
	 * forgets the shadow of STI, it comes before the HLT that waits for it, and no other comes.
	 */
	.globl	timer_entry
timer_entry:
	push	%rax
	push	%rcx
	push	%rdx
	mov	$MSR_X2APIC_EOI, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq

	.bss
	.balign	16
	.space	16384
	.globl	stack_top
stack_top:
