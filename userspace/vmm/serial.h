/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 16550A on COM1 (port 0x3f8, IRQ 4 of the in-kernel irqchip). Output goes to a
 * file descriptor as it comes; input waits in the receive FIFO.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_PORT		0x3f8
#define SERIAL_NR_PORTS		8
#define SERIAL_IRQ		4
#define SERIAL_RX_FIFO		64

/* What a migration carries: registers as the guest sees them, and its input. */
struct serial_state {
	uint8_t ier;
	uint8_t fcr;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t lsr;		/* error bits; DR, THRE and TEMT are computed */
	uint8_t scr;
	uint8_t dll;
	uint8_t dlm;
	uint8_t thr_pending;	/* transmitter-empty interrupt not yet taken */
	uint8_t rx_len;		/* bytes valid in rx, <= SERIAL_RX_FIFO */
	uint8_t rx[SERIAL_RX_FIFO];
};

struct serial {
	pthread_mutex_t lock;
	struct serial_state state;
	int out_fd;		/* -1: output is dropped */
	bool irq_level;
	void (*set_irq)(void *opaque, bool level);
	void *opaque;
};

void serial__init(struct serial *serial, int out_fd, void (*set_irq)(void *, bool), void *opaque);
void serial__exit(struct serial *serial);

/* Guest access to register @reg (0..7), from a vCPU thread. */
uint8_t serial__read(struct serial *serial, unsigned int reg);
void serial__write(struct serial *serial, unsigned int reg, uint8_t value);

/* Input from the console. Returns how many bytes the FIFO took. */
size_t serial__input(struct serial *serial, const uint8_t *data, size_t len);
size_t serial__input_room(struct serial *serial);

/* For migration: with the VM paused. -EINVAL where the state is not a 16550's. */
void serial__get_state(struct serial *serial, struct serial_state *state);
int serial__set_state(struct serial *serial, const struct serial_state *state);

#endif /* VMM_SERIAL_H */
