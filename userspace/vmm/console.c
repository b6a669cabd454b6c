// SPDX-License-Identifier: GPL-2.0-or-later
/* Console: serial output to a file or standard output, standard input back. */
#include "vmm/console.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vmm/serial.h"
#include "vmm/util.h"

#define CONSOLE_POLL_MS	20	/* how soon a full FIFO is looked at again */

static void console__on_input(struct loop_handler *h, uint32_t events)
{
	struct console *console = container_of(h, struct console, input);
	uint8_t data[SERIAL_RX_FIFO];
	size_t room = serial__input_room(console->serial);
	ssize_t n;

	(void)events;
	if (!room) {
		loop__del(console->loop, h);
		console->paused = true;
		return;
	}
	n = read(h->fd, data, room);
	if (n > 0) {
		serial__input(console->serial, data, n);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		loop__del(console->loop, h);
		h->fd = -1;
	}
}

/* A terminal passes each key on as it is; interrupts and output stay as they were. */
static void console__raw(struct console *console)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &console->saved) < 0)
		return;
	raw = console->saved;
	raw.c_iflag &= ~(ICRNL | IXON);
	raw.c_lflag &= ~(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	console->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

int console__create(struct console *console, struct loop *loop, struct serial *serial,
		    const char *path, struct error *err)
{
	*console = (struct console) {
		.loop = loop, .serial = serial, .out_fd = -1,
		.input = { .fd = -1, .ready = console__on_input },
	};
	if (!path)
		return 0;
	if (strcmp(path, "-")) {
		console->out_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY,
				       0644);
		if (console->out_fd < 0)
			return error__set(err, errno, "console %s: %s", path, strerror(errno));
		serial->out_fd = console->out_fd;
		return 0;
	}

	serial->out_fd = STDOUT_FILENO;
	console__raw(console);
	/* A regular file or /dev/null cannot be polled, and is no console either. */
	console->input.fd = STDIN_FILENO;
	if (loop__add(loop, &console->input, EPOLLIN) < 0)
		console->input.fd = -1;
	return 0;
}

void console__destroy(struct console *console)
{
	if (console->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &console->saved);
	if (console->input.fd >= 0 && !console->paused)
		loop__del(console->loop, &console->input);
	if (console->out_fd >= 0)
		close(console->out_fd);
	if (console->serial)
		console->serial->out_fd = -1;
	*console = (struct console) { .out_fd = -1, .input.fd = -1 };
}

int console__timeout_ms(const struct console *console)
{
	return console->paused ? CONSOLE_POLL_MS : -1;
}

void console__tick(struct console *console)
{
	if (!console->paused || !serial__input_room(console->serial))
		return;
	console->paused = false;
	if (loop__add(console->loop, &console->input, EPOLLIN) < 0)
		console->input.fd = -1;
}
