// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Signals as events of the main loop: nothing runs in a handler. Called by
 * main.c, listener.c and session.c.
 */
#include "signals.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

enum signal_event signals_read(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return SIGNAL_NONE;
	if (info.ssi_signo == SIGUSR1)
		return SIGNAL_FILL;
	return info.ssi_signo == SIGUSR2 ? SIGNAL_SHOW : SIGNAL_STOP;
}
