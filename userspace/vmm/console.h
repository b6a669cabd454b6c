/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where COM1's output goes and its input comes from. Called by run.c; input is
 * read in the event loop.
 */
#ifndef VMM_CONSOLE_H
#define VMM_CONSOLE_H

#include <stdbool.h>
#include <termios.h>

#include "vmm/error.h"
#include "vmm/loop.h"

struct serial;

struct console {
	struct loop *loop;
	struct serial *serial;
	struct loop_handler input;	/* standard input; fd -1: none */
	bool paused;			/* the serial port's FIFO is full */
	int out_fd;
	bool raw;			/* the terminal is to be restored */
	struct termios saved;
};

/* @path: a file to create, "-" for standard output and input, NULL for none. */
int console__create(struct console *console, struct loop *loop, struct serial *serial,
		    const char *path, struct error *err);
void console__destroy(struct console *console);

/* Input that waits for room: -1 or the milliseconds until console__tick(). */
int console__timeout_ms(const struct console *console);
void console__tick(struct console *console);

#endif /* VMM_CONSOLE_H */
