/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entry from the VMM, in long mode with its page tables: RDI has the address of
 * the boot information. And the 32 exception entries, which all end in
 * exception_report(struct exception_frame *), and the interrupt's, which does nothing.
 */
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

	.bss
	.balign	16
	.space	16384
	.globl	stack_top
stack_top:
