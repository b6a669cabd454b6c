// SPDX-License-Identifier: GPL-2.0-or-later
/* The 16550: registers, interrupts, input, saved state. */
#include "unit/vmm_fake.h"

#include <linux/serial_reg.h>

#include "unit/capture.h"

struct port {
	struct serial serial;
	int out[2];
	bool irq;
	unsigned int edges;
};

static void set_irq(void *opaque, bool level)
{
	struct port *p = opaque;

	assert_int_not_equal(p->irq, level);	/* only changes are reported */
	p->irq = level;
	p->edges++;
}

static int setup(void **state)
{
	struct port *p = calloc(1, sizeof(*p));

	if (!p || pipe2(p->out, O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	serial__init(&p->serial, p->out[1], set_irq, p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct port *p = *state;

	serial__exit(&p->serial);
	close(p->out[0]);
	close(p->out[1]);
	free(p);
	return 0;
}

static void test_output(void **state)
{
	struct port *p = *state;
	char text[8] = "";

	assert_int_equal(serial__read(&p->serial, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	serial__write(&p->serial, UART_TX, 'h');
	serial__write(&p->serial, UART_TX, 'i');
	assert_int_equal(read(p->out[0], text, sizeof(text)), 2);
	assert_string_equal(text, "hi");
}

static void test_output_dropped(void **state)
{
	struct port *p = *state;

	p->serial.out_fd = -1;
	serial__write(&p->serial, UART_TX, 'x');
	assert_int_equal(serial__read(&p->serial, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
}

static void test_divisor(void **state)
{
	struct port *p = *state;
	char text[8];

	serial__write(&p->serial, UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	serial__write(&p->serial, UART_DLL, 0x0c);
	serial__write(&p->serial, UART_DLM, 0x01);
	assert_int_equal(serial__read(&p->serial, UART_DLL), 0x0c);
	assert_int_equal(serial__read(&p->serial, UART_DLM), 0x01);
	serial__write(&p->serial, UART_LCR, UART_LCR_WLEN8);
	assert_int_equal(serial__read(&p->serial, UART_LCR), UART_LCR_WLEN8);
	assert_int_equal(serial__read(&p->serial, UART_IER), 0);
	assert_int_equal(read(p->out[0], text, sizeof(text)), -1);	/* nothing was sent */
}

static void test_scratch_and_masks(void **state)
{
	struct port *p = *state;

	serial__write(&p->serial, UART_SCR, 0x5a);
	assert_int_equal(serial__read(&p->serial, UART_SCR), 0x5a);
	serial__write(&p->serial, UART_MCR, 0xff);
	assert_int_equal(serial__read(&p->serial, UART_MCR), 0x1f);
	serial__write(&p->serial, UART_MCR, 0);
	serial__write(&p->serial, UART_IER, 0xf0);
	assert_int_equal(serial__read(&p->serial, UART_IER), 0);
	serial__write(&p->serial, UART_FCR, UART_FCR_ENABLE_FIFO);
	assert_int_equal(serial__read(&p->serial, UART_IIR), 0xc0 | UART_IIR_NO_INT);
}

static void test_input_interrupt(void **state)
{
	struct port *p = *state;

	serial__write(&p->serial, UART_MCR, UART_MCR_OUT2);
	serial__write(&p->serial, UART_IER, UART_IER_RDI);
	assert_false(p->irq);
	assert_int_equal(serial__input(&p->serial, (const uint8_t *)"ab", 2), 2);
	assert_true(p->irq);
	assert_int_equal(serial__read(&p->serial, UART_IIR), UART_IIR_RDI);
	assert_int_equal(serial__read(&p->serial, UART_LSR) & UART_LSR_DR, UART_LSR_DR);
	assert_int_equal(serial__read(&p->serial, UART_RX), 'a');
	assert_true(p->irq);
	assert_int_equal(serial__read(&p->serial, UART_RX), 'b');
	assert_false(p->irq);
	assert_int_equal(serial__read(&p->serial, UART_LSR) & UART_LSR_DR, 0);
	assert_int_equal(serial__read(&p->serial, UART_RX), 0);
	assert_int_equal(p->edges, 2);
}

static void test_out2_gates_interrupts(void **state)
{
	struct port *p = *state;

	serial__write(&p->serial, UART_IER, UART_IER_RDI);
	serial__input(&p->serial, (const uint8_t *)"a", 1);
	assert_false(p->irq);
	serial__write(&p->serial, UART_MCR, UART_MCR_OUT2);
	assert_true(p->irq);
	serial__write(&p->serial, UART_MCR, 0);
	assert_false(p->irq);
}

static void test_transmitter_interrupt(void **state)
{
	struct port *p = *state;

	serial__write(&p->serial, UART_MCR, UART_MCR_OUT2);
	serial__write(&p->serial, UART_IER, UART_IER_THRI);
	assert_true(p->irq);
	assert_int_equal(serial__read(&p->serial, UART_IIR), UART_IIR_THRI);
	assert_false(p->irq);		/* reading IIR took it */
	assert_int_equal(serial__read(&p->serial, UART_IIR), UART_IIR_NO_INT);
	serial__write(&p->serial, UART_TX, 'x');
	assert_true(p->irq);
	serial__write(&p->serial, UART_IER, 0);
	assert_false(p->irq);
}

static void test_loopback(void **state)
{
	struct port *p = *state;
	char text[8];

	serial__write(&p->serial, UART_MCR, UART_MCR_LOOP | UART_MCR_RTS | UART_MCR_OUT2);
	serial__write(&p->serial, UART_IER, UART_IER_RDI);
	serial__write(&p->serial, UART_TX, 0xae);
	assert_false(p->irq);
	assert_int_equal(serial__read(&p->serial, UART_RX), 0xae);
	assert_int_equal(serial__read(&p->serial, UART_MSR), UART_MSR_CTS | UART_MSR_DCD);
	assert_int_equal(read(p->out[0], text, sizeof(text)), -1);
}

static void test_input_overflow(void **state)
{
	uint8_t data[SERIAL_RX_FIFO + 8];
	struct port *p = *state;
	unsigned int i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = i;
	assert_int_equal(serial__input(&p->serial, data, sizeof(data)), SERIAL_RX_FIFO);
	assert_int_equal(serial__input_room(&p->serial), 0);
	assert_int_equal(serial__input(&p->serial, data, 1), 0);
	for (i = 0; i < SERIAL_RX_FIFO; i++)
		assert_int_equal(serial__read(&p->serial, UART_RX), i);
	assert_int_equal(serial__input_room(&p->serial), SERIAL_RX_FIFO);
	serial__input(&p->serial, data, 3);
	serial__write(&p->serial, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	assert_int_equal(serial__input_room(&p->serial), SERIAL_RX_FIFO);
}

static void test_state_moves(void **state)
{
	struct port *p = *state, q = { 0 };
	struct serial_state s;

	serial__write(&p->serial, UART_MCR, UART_MCR_OUT2 | UART_MCR_DTR);
	serial__write(&p->serial, UART_IER, UART_IER_RDI);
	serial__write(&p->serial, UART_LCR, UART_LCR_WLEN8);
	serial__write(&p->serial, UART_SCR, 0x77);
	serial__input(&p->serial, (const uint8_t *)"xyz", 3);
	serial__get_state(&p->serial, &s);

	serial__init(&q.serial, -1, set_irq, &q);
	assert_int_equal(serial__set_state(&q.serial, &s), 0);
	assert_true(q.irq);
	assert_int_equal(serial__read(&q.serial, UART_SCR), 0x77);
	assert_int_equal(serial__read(&q.serial, UART_RX), 'x');
	assert_int_equal(serial__read(&q.serial, UART_RX), 'y');
	assert_int_equal(serial__read(&q.serial, UART_RX), 'z');
	assert_false(q.irq);
	serial__exit(&q.serial);
}

static void test_bad_state(void **state)
{
	struct port *p = *state;
	struct serial_state good, s;

	serial__get_state(&p->serial, &good);
	s = good;
	s.rx_len = SERIAL_RX_FIFO + 1;
	assert_int_equal(serial__set_state(&p->serial, &s), -EINVAL);
	s = good;
	s.ier = 0x10;
	assert_int_equal(serial__set_state(&p->serial, &s), -EINVAL);
	s = good;
	s.mcr = 0x20;
	assert_int_equal(serial__set_state(&p->serial, &s), -EINVAL);
	s = good;
	s.fcr = UART_FCR_CLEAR_RCVR;
	assert_int_equal(serial__set_state(&p->serial, &s), -EINVAL);
	s = good;
	s.thr_pending = 2;
	assert_int_equal(serial__set_state(&p->serial, &s), -EINVAL);
	s = good;
	s.lsr = UART_LSR_DR;
	assert_int_equal(serial__set_state(&p->serial, &s), -EINVAL);
	assert_int_equal(serial__set_state(&p->serial, &good), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_output),
		TEST(test_output_dropped),
		TEST(test_divisor),
		TEST(test_scratch_and_masks),
		TEST(test_input_interrupt),
		TEST(test_out2_gates_interrupts),
		TEST(test_transmitter_interrupt),
		TEST(test_loopback),
		TEST(test_input_overflow),
		TEST(test_state_moves),
		TEST(test_bad_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
