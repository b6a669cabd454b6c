/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One end of a migration: dmapat-vmm, and its dmapat-gpu-proc where it has one. */
#ifndef TESTS_CONFORMANCE_SIDE_H
#define TESTS_CONFORMANCE_SIDE_H

#include <stdbool.h>

#include "lib/process.h"

#define SIDE_PAYLOAD	"/t/payload.elf"

struct side {
	const char *name;	/* in the names of its sockets */
	struct process gpu, vmm;
	struct control ctl;	/* commands */
	struct control events;
};

/* Options of every VMM that is started, up to a NULL. */
extern const char *side_options[5];

/* The socket of @s for @what: "gpu" or "ctl". */
const char *side_path(const struct side *s, const char *what);

/* @buffers: arguments, up to a NULL. */
void side_start_gpu(struct side *s, const char *const buffers[4]);

/* After side_start_gpu(), if at all. @more: arguments, up to a NULL. */
void side_start_vmm(struct side *s, const char *memory, const char *const more[4]);

/* Kills the VMM; its gpu-proc ends with it. */
void side_stop(struct side *s);

/* query-status says so */
bool side_has_status(struct side *s, const char *status);

/*
 * Starts a migration; @more: further arguments in JSON, beginning with a comma, or "". Without
 * "timeout-ms" among them it is a sixth of what anything may take.
 */
void side_migrate(struct side *src, const char *uri, const char *more);

/* The event that ends a migration at the source: true when the guest has left. */
bool side_migrated(struct side *src);

#endif /* TESTS_CONFORMANCE_SIDE_H */
