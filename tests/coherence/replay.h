/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the trace to the model: which access of the trace is whose, of which type, to
 * which byte of the buffer. Called by main.c.
 */
#ifndef TESTS_COHERENCE_REPLAY_H
#define TESTS_COHERENCE_REPLAY_H

#include <stdio.h>

#include "scenario.h"

/*
 * Replays all of @trace and draws the pictures. What does not fit the declarations is
 * said on stderr and counted in the scenario's n_errors. 0; -EINVAL: trace lines are
 * damaged, which is said too; -ENOMEM.
 */
int replay(struct scenario_list *list, FILE *trace);

/* As declared: enough accesses, no error, stale or lost where expected and not else? */
bool replay_ok(const struct scenario *s);

#endif /* TESTS_COHERENCE_REPLAY_H */
