/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that a test runs, and what they say. Every wait has a deadline.
 */
#ifndef TESTS_CONFORMANCE_PROCESS_H
#define TESTS_CONFORMANCE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	pid_t pid;		/* 0: ended, or never started */
	int in;			/* its standard input */
	int out;		/* its standard output and error */
	char text[32768];
	size_t len;
};

int64_t process_now_ms(void);
/* How many times slower than usual the machine is: DMAPAT_TIMES in the environment, or 1. */
int process_times(void);
/* How long anything may take: a minute, so many times as long on a slow machine. */
int process_timeout_ms(void);

void process_start(struct process *p, const char *const *argv);

/* process_run(&p, PROGRAM, ARGUMENT...) */
#define process_run(p, ...) process_start(p, (const char *const []) { __VA_ARGS__, NULL })

/* Read its output until it has @text in it. false: it ended without, or is silent. */
bool process_says(struct process *p, const char *text);

/* Its exit status, 128 + the signal's number; -1 where it had to be killed. */
int process_end(struct process *p);

/* All it said so far, as KTAP comments. */
void process_show(const struct process *p);

/* ---- dmapat-vmm's control socket ---- */

struct control {
	int fd;
	char unread[4096];	/* came in behind the line that was found */
	size_t nr_unread;
	char line[131072];	/* what control_wait() found last */
};

/* The socket may take a while to appear. */
void control_connect(struct control *c, const char *path);
void control_close(struct control *c);

/* The next line with @text in it. */
bool control_wait(struct control *c, const char *text);

/* Send @json, an object's members: "\"execute\":\"stop\"". The answer is in c->line. */
const char *control_command(struct control *c, const char *json);

#endif /* TESTS_CONFORMANCE_PROCESS_H */
