/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's whole program: see vm.h. Position independent; runs in 64-bit mode
 * with %rbx = address of struct agent_cmd (vm.c).
 */
#include "timed.inc"

	.section .rodata
	.globl agent_start, agent_size
agent_start:
	mov	(%rbx), %eax		/* operation */
	mov	8(%rbx), %rsi		/* address */
	mov	16(%rbx), %rdi		/* value */
	mov	24(%rbx), %r8		/* pages */
	mov	32(%rbx), %r9		/* mark */

	test	%r9, %r9
	jz	1f
	xchg	%bx, %bx
	/* The host may have changed the page tables; and a trace wants to see the walk. */
1:	mov	%cr3, %rcx
	mov	%rcx, %cr3
	cmp	$1, %eax
	je	load
	cmp	$2, %eax
	je	store
	cmp	$3, %eax
	je	write_msr
	cmp	$4, %eax
	je	sweep
	cmp	$5, %eax
	je	timed_load
	cmp	$6, %eax
	je	timed_store
	cmp	$7, %eax
	je	strided_store
	cmp	$8, %eax
	je	strided_load
	ud2
load:
	mov	(%rsi), %rdi
	jmp	done
store:
	mov	%rdi, (%rsi)
	add	$4096, %rsi
	dec	%r8
	jnz	store
	jmp	done
write_msr:
	mov	%esi, %ecx
	mov	%edi, %eax
	mov	%rdi, %rdx
	shr	$32, %rdx
	wrmsr
	jmp	done
	/* %r8 entries of struct test_access: load, store, load again */
sweep:
	lea	64(%rbx), %r10
3:	mov	(%r10), %rsi
	mov	8(%r10), %rdx
	mov	(%rsi), %rax
	mov	%rdx, (%rsi)
	mov	(%rsi), %rcx
	mov	%rax, 16(%r10)
	mov	%rcx, 24(%r10)
	add	$32, %r10
	dec	%r8
	jnz	3b
	jmp	done
timed_load:
	time_loads
	jmp	done
timed_store:
	time_stores
	jmp	done
	/* %r8 words, 40(%rbx) bytes apart: value, value + 1 … */
strided_store:
	mov	40(%rbx), %r10
4:	mov	%rdi, (%rsi)
	inc	%rdi
	add	%r10, %rsi
	dec	%r8
	jnz	4b
	jmp	done
	/* … and their sum */
strided_load:
	mov	40(%rbx), %r10
	xor	%edi, %edi
5:	add	(%rsi), %rdi
	add	%r10, %rsi
	dec	%r8
	jnz	5b
done:
	test	%r9, %r9
	jz	2f
	xchg	%bx, %bx
2:	mov	%rdi, 16(%rbx)
	out	%al, $0x10
	jmp	agent_start
agent_end:
	.balign 8
agent_size:
	.quad	agent_end - agent_start
	.section .note.GNU-stack, "", @progbits
