/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that the driver runs, and what they print. Called by driver.c. */
#ifndef DEMO_CHILD_H
#define DEMO_CHILD_H

#include <stdint.h>
#include <sys/types.h>

struct child {
	const char *name;
	pid_t pid;
	int log;		/* both outputs of the program */
	char text[8192];	/* read, not yet taken line by line */
	size_t length;
};

/* All of these end the driver with a message if something goes wrong. */
void child_start(struct child *child, const char *name, const char *const argv[]);
/* Next line that holds the text; every line passed is printed as a comment. */
void child_wait_line(struct child *child, const char *text, char *line, size_t size);
/* The program must end by itself, with this status. */
void child_wait_exit(struct child *child, int status);
/* SIGTERM, and wait. */
void child_stop(struct child *child);
/* Kill what still runs; for the driver's own end. */
void child_kill_all(void);

/* Where the program has mapped the buffer that is called so. */
uint64_t child_find_mapping(const struct child *child, const char *buffer, uint64_t size);

void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Deadline of every wait, on the machine's own clock, which runs slower than the wall's. */
#define DEMO_TIMEOUT_MS	20000

#endif /* DEMO_CHILD_H */
