/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals as events of the main loop. */
#ifndef GPU_PROC_SIGNALS_H
#define GPU_PROC_SIGNALS_H

enum signal_event {
	SIGNAL_NONE,	/* nothing to read after all */
	SIGNAL_STOP,	/* SIGTERM, SIGINT */
	SIGNAL_FILL,	/* SIGUSR1 */
	SIGNAL_SHOW,	/* SIGUSR2 */
};

/* Block the signals, ignore SIGPIPE. Returns an fd that is readable when one came, or -1. */
int signals_open(void);

enum signal_event signals_read(int fd);

#endif /* GPU_PROC_SIGNALS_H */
