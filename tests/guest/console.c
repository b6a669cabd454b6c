// SPDX-License-Identifier: GPL-2.0-or-later
/* Serial line, a small printf, and the way out. */
#include <stdarg.h>

#include "cpu.h"
#include "payload.h"

#define COM1		0x3f8
#define COM1_IER	(COM1 + 1)
#define COM1_MCR	(COM1 + 4)
#define COM1_LSR	(COM1 + 5)
#define COM1_IRQ	4
#define IER_RDI		0x01	/* interrupt when a character has come in */
#define MCR_OUT2	0x08	/* gates the interrupt line on a PC */
#define LSR_DR		0x01
#define LSR_THRE	0x20
#define PORT_EXIT	0xf4

static void put_char(char c)
{
	while (!(cpu_inb(COM1_LSR) & LSR_THRE))
		cpu_pause();
	cpu_outb(COM1, c);
}

static void put_string(const char *s)
{
	for (; *s; s++)
		put_char(*s);
}

static void put_number(uint64_t value, unsigned int base)
{
	char digits[24];
	unsigned int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n)
		put_char(digits[--n]);
}

/* %s, %d (an int below 0 is not wanted), %llu, %llx: nothing else is needed. */
void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put_char(*fmt);
			continue;
		}
		fmt++;
		if (*fmt == 's') {
			put_string(va_arg(ap, const char *));
		} else if (*fmt == 'd') {
			put_number(va_arg(ap, int), 10);
		} else {
			fmt += 2;
			put_number(va_arg(ap, unsigned long long), *fmt == 'x' ? 16 : 10);
		}
	}
	va_end(ap);
}

int console_poll(void)
{
	return cpu_inb(COM1_LSR) & LSR_DR ? cpu_inb(COM1) : -1;
}

int console_wait(void)
{
	static bool enabled;
	int c;

	if (!enabled) {
		interrupt_enable(COM1_IRQ);
		cpu_outb(COM1_MCR, MCR_OUT2);
		cpu_outb(COM1_IER, IER_RDI);
		enabled = true;
	}
	while ((c = console_poll()) < 0)
		cpu_wait_interrupt();
	return c;
}

void payload_exit(enum exit_code code)
{
	for (;;)
		cpu_outb(PORT_EXIT, code);
}
