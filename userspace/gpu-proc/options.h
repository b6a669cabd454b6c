/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line. */
#ifndef GPU_PROC_OPTIONS_H
#define GPU_PROC_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "buffer.h"
#include "gpu.h"
#include "sandbox.h"

enum options_action {
	OPTIONS_SERVE,
	OPTIONS_HELP,
	OPTIONS_VERSION,
	OPTIONS_PRINT_CAPABILITIES,
};

struct options {
	enum options_action action;
	const char *socket_path;	/* or NULL: fd is given */
	int fd;				/* or -1: socket_path is given */
	uint64_t shmem_size;		/* bytes */
	struct sandbox_options sandbox;
	struct gpu_options gpu;
	struct buffer_spec buffers[BUFFER_MAX];
	unsigned int nbuffers;
	struct gpu_context_spec contexts[GPU_CONTEXT_TYPES_MAX];
	unsigned int ncontexts;
};

/*
 * Parse the command line. Returns 0, or -1 after it has logged what is wrong.
 * Strings in opts point into argv. Not reentrant (getopt).
 */
int options_parse(struct options *opts, int argc, char **argv);

void options_print_help(FILE *out);
/* As JSON. */
void options_print_capabilities(FILE *out);

#endif /* GPU_PROC_OPTIONS_H */
