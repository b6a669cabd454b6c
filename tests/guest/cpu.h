/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions that C has no words for. */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include <stdint.h>

#define MSR_PAT			0x277
#define MSR_MTRR_CAP		0x0fe
#define MSR_MTRR_PHYS_BASE0	0x200
#define MSR_MTRR_PHYS_MASK0	0x201
#define MSR_MTRR_DEF_TYPE	0x2ff

static inline void cpu_outb(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t cpu_inb(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t cpu_inl(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint64_t cpu_rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void cpu_wrmsr(uint32_t msr, uint64_t value)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t cpu_read_cr2(void)
{
	uint64_t value;

	asm volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static inline void cpu_load_cr3(uint64_t cr3)
{
	asm volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

static inline void cpu_invlpg(uint64_t va)
{
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline void cpu_wbinvd(void)
{
	asm volatile("wbinvd" : : : "memory");
}

static inline void cpu_mfence(void)
{
	asm volatile("mfence" : : : "memory");
}

/* STI takes effect behind HLT: an interrupt that is pending already ends it. */
static inline void cpu_wait_interrupt(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

static inline void cpu_pause(void)
{
	asm volatile("pause");
}

/*
 * Bochs' magic break, a no-op anywhere else: odd executions switch the memory
 * trace on, even ones off.
 */
static inline void cpu_magic_break(void)
{
	asm volatile("xchg %%bx, %%bx" : : : "memory");
}

#endif /* GUEST_CPU_H */
