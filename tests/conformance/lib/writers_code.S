/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the vCPUs of writers.c do for ever; position-independent.
 * rsi: where to write, rdi: state of the generator, rbx: counter, rdx: mask of page
 * numbers, r8: where the counter is told, r9: guest-physical address without memory.
 */
	.section .rodata

/*
 * Step the generator, store the counter to a page that it names, add both to a checksum,
 * tell checksum and counter.
 */
	.globl writers_store_code, writers_store_size
writers_store_code:
1:	imul $1664525, %rdi, %rdi
	add $1013904223, %rdi
	mov %rdi, %rax
	shr $20, %rax
	and %rdx, %rax
	shl $12, %rax
	inc %rbx
	mov %rbx, (%rsi,%rax)
	rol $1, %r11
	add %rax, %r11
	xor %rbx, %r11
	mov %r11, 8(%r8)
	mov %rbx, (%r8)
	jmp 1b
2:
	.balign 8
writers_store_size:
	.quad 2b - writers_store_code

/*
 * The same, but KVM makes the store: the counter is moved from where no memory is, which
 * is emulated. Halts where what was stored is not what is there afterwards.
 */
	.globl writers_move_code, writers_move_size
writers_move_code:
	mov %rsi, %rbp
	mov %rdi, %r10
1:	imul $1664525, %r10, %r10
	add $1013904223, %r10
	mov %r10, %rax
	shr $20, %rax
	and %rdx, %rax
	shl $12, %rax
	lea (%rbp,%rax), %rdi
	mov %r9, %rsi
	inc %rbx
	movsq
	cmp %rbx, -8(%rdi)
	jne 3f
	mov %rbx, (%r8)
	jmp 1b
3:	hlt
	jmp 3b
2:
	.balign 8
writers_move_size:
	.quad 2b - writers_move_code
	.section .note.GNU-stack, "", @progbits
