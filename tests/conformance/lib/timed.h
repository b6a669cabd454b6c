/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timed accesses to one page, for the assembler: agent.S runs them in the guest,
 * timed.S in this process, so that their costs compare.
 *
 * In: %rsi, the page's first byte. Out: %rdi, TSC ticks of the second of two passes; the
 * first one is for faults, TLB and cache. Uses %rax, %rcx, %rdx, %r10, %r11.
 *
 * MFENCE; LFENCE before RDTSC: all before it is done and globally visible (SDM vol. 2B,
 * "RDTSC"), and MFENCE empties the WC buffers (vol. 3A, "Methods of Caching Available").
 * No RDTSCP, which not every CPU model of an emulator has.
 */
#ifndef TESTS_CONFORMANCE_TIMED_H
#define TESTS_CONFORMANCE_TIMED_H

#define TIMED_LINES	64	/* of 64 bytes, the page's */
#define TIMED_LOADS	64	/* one each line */
#define TIMED_STORES	512	/* eight each line */

#ifdef __ASSEMBLER__

	/* %rdx = TSC */
	.macro read_tsc
	mfence
	lfence
	rdtsc
	lfence
	shl	$32, %rdx
	or	%rax, %rdx
	.endm

	/* Each load's address depends on the load before: what is timed is latency. */
	.macro time_loads
	mov	$2, %r11d
80:	read_tsc
	mov	%rdx, %rdi
	mov	%rsi, %r10
	mov	$TIMED_LINES, %ecx
	xor	%eax, %eax
81:	mov	(%r10,%rax), %rax
	and	$0, %eax
	add	$64, %r10
	dec	%ecx
	jnz	81b
	read_tsc
	sub	%rdi, %rdx
	mov	%rdx, %rdi
	dec	%r11d
	jnz	80b
	.endm

	.macro time_stores
	mov	$2, %r11d
82:	read_tsc
	mov	%rdx, %rdi
	mov	%rsi, %r10
	mov	$TIMED_LINES, %ecx
83:	mov	%rcx, (%r10)
	mov	%rcx, 8(%r10)
	mov	%rcx, 16(%r10)
	mov	%rcx, 24(%r10)
	mov	%rcx, 32(%r10)
	mov	%rcx, 40(%r10)
	mov	%rcx, 48(%r10)
	mov	%rcx, 56(%r10)
	add	$64, %r10
	dec	%ecx
	jnz	83b
	read_tsc
	sub	%rdi, %rdx
	mov	%rdx, %rdi
	dec	%r11d
	jnz	82b
	.endm

#else

#include <stdint.h>

/* TSC ticks of TIMED_LOADS or TIMED_STORES accesses; the stores overwrite the page. */
uint64_t timed_loads(const volatile void *page);
uint64_t timed_stores(volatile void *page);

#endif

#endif /* TESTS_CONFORMANCE_TIMED_H */
