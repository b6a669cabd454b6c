// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * 16550A UART: registers as in the PC16550D data sheet. The transmitter is always
 * empty, because output is written at once; the line has no speed and no errors.
 */
#include "vmm/serial.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <string.h>
#include <unistd.h>

#define SERIAL_IER_MASK	(UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI)
#define SERIAL_MCR_MASK	(UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT1 | UART_MCR_OUT2 | \
			 UART_MCR_LOOP)
#define SERIAL_FCR_MASK	(UART_FCR_ENABLE_FIFO | UART_FCR_DMA_SELECT | UART_FCR_TRIGGER_MASK)

void serial__init(struct serial *serial, int out_fd, void (*set_irq)(void *, bool), void *opaque)
{
	*serial = (struct serial) {
		.out_fd = out_fd,
		.set_irq = set_irq,
		.opaque = opaque,
		.state = { .dll = 1 },	/* 115200 */
	};
	pthread_mutex_init(&serial->lock, NULL);
}

void serial__exit(struct serial *serial)
{
	pthread_mutex_destroy(&serial->lock);
}

static uint8_t serial__iir(const struct serial *serial)
{
	const struct serial_state *s = &serial->state;

	if (s->ier & UART_IER_RDI && s->rx_len)
		return UART_IIR_RDI;
	if (s->ier & UART_IER_THRI && s->thr_pending)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

/* With serial->lock. OUT2 gates the interrupt line on a PC. */
static void serial__update_irq(struct serial *serial)
{
	bool level = serial__iir(serial) != UART_IIR_NO_INT &&
		     serial->state.mcr & UART_MCR_OUT2 && !(serial->state.mcr & UART_MCR_LOOP);

	if (level == serial->irq_level)
		return;
	serial->irq_level = level;
	if (serial->set_irq)
		serial->set_irq(serial->opaque, level);
}

static size_t serial__rx(struct serial *serial, const uint8_t *data, size_t len)
{
	struct serial_state *s = &serial->state;
	size_t room = SERIAL_RX_FIFO - s->rx_len;

	if (len > room)
		len = room;
	memcpy(s->rx + s->rx_len, data, len);
	s->rx_len += len;
	return len;
}

static uint8_t serial__rx_pop(struct serial_state *s)
{
	uint8_t c;

	if (!s->rx_len)
		return 0;
	c = s->rx[0];
	memmove(s->rx, s->rx + 1, --s->rx_len);
	return c;
}

static void serial__transmit(struct serial *serial, uint8_t c)
{
	ssize_t n;

	if (serial->state.mcr & UART_MCR_LOOP) {
		serial__rx(serial, &c, 1);
		return;
	}
	if (serial->out_fd < 0)
		return;
	do {
		n = write(serial->out_fd, &c, 1);
	} while (n < 0 && errno == EINTR);
}

uint8_t serial__read(struct serial *serial, unsigned int reg)
{
	struct serial_state *s = &serial->state;
	uint8_t value = 0xff;

	pthread_mutex_lock(&serial->lock);
	switch (reg) {
	case UART_RX:
		value = s->lcr & UART_LCR_DLAB ? s->dll : serial__rx_pop(s);
		break;
	case UART_IER:
		value = s->lcr & UART_LCR_DLAB ? s->dlm : s->ier;
		break;
	case UART_IIR:
		value = serial__iir(serial);
		/* Reading it is what acknowledges the transmitter's interrupt. */
		if (value == UART_IIR_THRI)
			s->thr_pending = 0;
		if (s->fcr & UART_FCR_ENABLE_FIFO)
			value |= 0xc0;
		break;
	case UART_LCR:
		value = s->lcr;
		break;
	case UART_MCR:
		value = s->mcr;
		break;
	case UART_LSR:
		value = UART_LSR_THRE | UART_LSR_TEMT | s->lsr;
		if (s->rx_len)
			value |= UART_LSR_DR;
		s->lsr = 0;
		break;
	case UART_MSR:
		if (s->mcr & UART_MCR_LOOP) {
			value = s->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0;
			value |= s->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0;
			value |= s->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0;
			value |= s->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0;
		} else {
			value = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
		}
		break;
	case UART_SCR:
		value = s->scr;
		break;
	}
	serial__update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
	return value;
}

void serial__write(struct serial *serial, unsigned int reg, uint8_t value)
{
	struct serial_state *s = &serial->state;

	pthread_mutex_lock(&serial->lock);
	switch (reg) {
	case UART_TX:
		if (s->lcr & UART_LCR_DLAB) {
			s->dll = value;
		} else {
			serial__transmit(serial, value);
			s->thr_pending = 1;
		}
		break;
	case UART_IER:
		if (s->lcr & UART_LCR_DLAB) {
			s->dlm = value;
		} else {
			/* Enabling it with an empty transmitter raises the interrupt. */
			if (value & UART_IER_THRI && !(s->ier & UART_IER_THRI))
				s->thr_pending = 1;
			s->ier = value & SERIAL_IER_MASK;
		}
		break;
	case UART_FCR:
		if (value & UART_FCR_CLEAR_RCVR)
			s->rx_len = 0;
		s->fcr = value & SERIAL_FCR_MASK;
		break;
	case UART_LCR:
		s->lcr = value;
		break;
	case UART_MCR:
		s->mcr = value & SERIAL_MCR_MASK;
		break;
	case UART_SCR:
		s->scr = value;
		break;
	}
	serial__update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
}

size_t serial__input(struct serial *serial, const uint8_t *data, size_t len)
{
	size_t taken;

	pthread_mutex_lock(&serial->lock);
	taken = serial__rx(serial, data, len);
	serial__update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
	return taken;
}

size_t serial__input_room(struct serial *serial)
{
	size_t room;

	pthread_mutex_lock(&serial->lock);
	room = SERIAL_RX_FIFO - serial->state.rx_len;
	pthread_mutex_unlock(&serial->lock);
	return room;
}

void serial__get_state(struct serial *serial, struct serial_state *state)
{
	pthread_mutex_lock(&serial->lock);
	*state = serial->state;
	pthread_mutex_unlock(&serial->lock);
}

int serial__set_state(struct serial *serial, const struct serial_state *state)
{
	if (state->rx_len > SERIAL_RX_FIFO || state->ier & ~SERIAL_IER_MASK ||
	    state->mcr & ~SERIAL_MCR_MASK || state->fcr & ~SERIAL_FCR_MASK ||
	    state->thr_pending > 1 ||
	    state->lsr & (UART_LSR_DR | UART_LSR_THRE | UART_LSR_TEMT))
		return -EINVAL;

	pthread_mutex_lock(&serial->lock);
	serial->state = *state;
	serial__update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
	return 0;
}
