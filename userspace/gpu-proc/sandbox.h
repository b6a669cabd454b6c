/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this process gives up before it reads anything from a front-end. */
#ifndef GPU_PROC_SANDBOX_H
#define GPU_PROC_SANDBOX_H

#include <stdbool.h>

enum sandbox_mode {
	SANDBOX_STRICT,		/* a step that fails is an error */
	SANDBOX_BEST_EFFORT,	/* a step that fails is a warning */
};

struct sandbox_options {
	enum sandbox_mode mode;
	const char *user;	/* name or number; NULL: nobody. Used if started as root */
	bool threads;		/* allow what virglrenderer does, in threads of its own */
	bool blobs;		/* allow what makes blobs: a guest may have many */
};

/* Close all descriptors but 0-2 and keep (-1: none); make sure that 0-2 exist. */
int sandbox_close_inherited(int keep);

/*
 * Own namespaces, an empty root directory, no privileges and no way to regain
 * them, resource limits. Returns 0, or -1 after it has logged which step failed.
 */
int sandbox_isolate(const struct sandbox_options *opts);

/*
 * For a program that is about to be started in its own process: the same, but for the file
 * system, which it can read, the user's supplementary groups, and the limits.
 */
int sandbox_confine(const struct sandbox_options *opts);

/* Allow the system calls of the main loop and kill the process at any other. */
int sandbox_filter(const struct sandbox_options *opts);

#endif /* GPU_PROC_SANDBOX_H */
