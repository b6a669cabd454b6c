// SPDX-License-Identifier: GPL-2.0-or-later
/* Exceptions: none is expected, so each is reported and ends the payload. */
#include "cpu.h"
#include "payload.h"

#define NR_EXCEPTIONS		32
#define ENTRY_SIZE		16	/* start.S aligns each entry so */
#define CODE_SELECTOR		0x08
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

extern const char exception_entries[];
void exception_report(const struct exception_frame *frame);

static struct gate idt[NR_EXCEPTIONS];

void exception_report(const struct exception_frame *frame)
{
	print("payload: exception %llu, error 0x%llx, RIP 0x%llx, CR2 0x%llx\n",
	      (unsigned long long)frame->vector, (unsigned long long)frame->error,
	      (unsigned long long)frame->rip, (unsigned long long)cpu_read_cr2());
	payload_exit(PAYLOAD_EXCEPTION);
}

void exception_init(void)
{
	struct idt_pointer pointer = { .limit = sizeof(idt) - 1, .base = (uint64_t)idt };
	unsigned int i;

	for (i = 0; i < NR_EXCEPTIONS; i++) {
		uint64_t entry = (uint64_t)exception_entries + i * ENTRY_SIZE;

		idt[i] = (struct gate) {
			.offset_low = entry,
			.selector = CODE_SELECTOR,
			.attributes = GATE_INTERRUPT_64,
			.offset_middle = entry >> 16,
			.offset_high = entry >> 32,
		};
	}
	asm volatile("lidt %0" : : "m"(pointer));
}
