// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Exceptions: none is expected, so each is reported and ends the payload. And the
 * one interrupt that a mode may ask for: a line of the first 8259A, or the timer.
 */
#include "cpu.h"
#include "payload.h"

#define NR_EXCEPTIONS		32
#define NR_VECTORS		0x30	/* exceptions, and 16 interrupts behind them */
#define ENTRY_SIZE		16	/* start.S aligns each entry so */
#define CODE_SELECTOR		0x08
#define IRQ_VECTOR		0x20
#define PIC_COMMAND		0x20
#define PIC_DATA		0x21
#define PIC_ICW1_INIT		0x10
#define PIC_ICW1_ICW4		0x01
#define PIC_ICW3_CASCADE	0x04	/* the second 8259A is at IRQ 2 */
#define PIC_ICW4_8086		0x01
#define PIC_ICW4_AUTO_EOI	0x02
#define TIMER_VECTOR		0x2f	/* no line of the first 8259A has it */
#define MSR_APIC_BASE		0x01b
#define APIC_BASE_X2APIC	0xc00	/* enabled, and by MSRs */
#define MSR_X2APIC_SVR		0x80f
#define MSR_X2APIC_LVT_TIMER	0x832
#define MSR_X2APIC_INIT_COUNT	0x838
#define MSR_X2APIC_DIVIDE	0x83e
#define SVR_ENABLE		0x1ff	/* spurious vector 0xff */
#define LVT_PERIODIC		0x20000
#define DIVIDE_BY_1		0x0b
#define GATE_INTERRUPT_64	0x8e00	/* present, DPL 0, 64-bit interrupt gate */

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint16_t attributes;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};

struct idt_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* As start.S and the CPU push it. */
struct exception_frame {
	uint64_t vector;
	uint64_t error;
	uint64_t rip;
	uint64_t cs;
	uint64_t rflags;
	uint64_t rsp;
	uint64_t ss;
};

extern const char exception_entries[], interrupt_entry[], timer_entry[];
void exception_report(const struct exception_frame *frame);

static struct gate idt[NR_VECTORS];

void exception_report(const struct exception_frame *frame)
{
	print("payload: exception %llu, error 0x%llx, RIP 0x%llx, CR2 0x%llx\n",
	      (unsigned long long)frame->vector, (unsigned long long)frame->error,
	      (unsigned long long)frame->rip, (unsigned long long)cpu_read_cr2());
	payload_exit(PAYLOAD_EXCEPTION);
}

static void set_gate(unsigned int vector, uint64_t entry)
{
	idt[vector] = (struct gate) {
		.offset_low = entry,
		.selector = CODE_SELECTOR,
		.attributes = GATE_INTERRUPT_64,
		.offset_middle = entry >> 16,
		.offset_high = entry >> 32,
	};
}

void exception_init(void)
{
	struct idt_pointer pointer = { .limit = sizeof(idt) - 1, .base = (uint64_t)idt };
	unsigned int i;

	for (i = 0; i < NR_EXCEPTIONS; i++)
		set_gate(i, (uint64_t)exception_entries + i * ENTRY_SIZE);
	asm volatile("lidt %0" : : "m"(pointer));
}

/* Intel 8259A data sheet, initialization command words. Automatic EOI: no handler is needed. */
void interrupt_enable(unsigned int irq)
{
	set_gate(IRQ_VECTOR + irq, (uint64_t)interrupt_entry);
	cpu_outb(PIC_COMMAND, PIC_ICW1_INIT | PIC_ICW1_ICW4);
	cpu_outb(PIC_DATA, IRQ_VECTOR);
	cpu_outb(PIC_DATA, PIC_ICW3_CASCADE);
	cpu_outb(PIC_DATA, PIC_ICW4_8086 | PIC_ICW4_AUTO_EOI);
	cpu_outb(PIC_DATA, ~(1u << irq));
}

/* SDM vol. 3A, 11.5.4 and 11.12. KVM's local APIC counts nanoseconds, whatever the host's CPU. */
void timer_start(uint64_t ns)
{
	set_gate(TIMER_VECTOR, (uint64_t)timer_entry);
	cpu_outb(PIC_DATA, 0xff);
	cpu_wrmsr(MSR_APIC_BASE, cpu_rdmsr(MSR_APIC_BASE) | APIC_BASE_X2APIC);
	cpu_wrmsr(MSR_X2APIC_SVR, SVR_ENABLE);
	cpu_wrmsr(MSR_X2APIC_LVT_TIMER, LVT_PERIODIC | TIMER_VECTOR);
	cpu_wrmsr(MSR_X2APIC_DIVIDE, DIVIDE_BY_1);
	cpu_wrmsr(MSR_X2APIC_INIT_COUNT, ns);
}
