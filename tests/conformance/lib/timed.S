/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Timed accesses of this process; see timed.h. Called by matrix/timing.c. */
#include "timed.inc"

	.text
	.globl timed_loads, timed_stores
	.type timed_loads, @function
	.type timed_stores, @function
timed_loads:
	mov	%rdi, %rsi
	time_loads
	mov	%rdi, %rax
	ret
timed_stores:
	mov	%rdi, %rsi
	time_stores
	mov	%rdi, %rax
	ret
	.section .note.GNU-stack, "", @progbits
