/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Second-stage entries by what KVM's tracepoints said of them: what each is now, and
 * the last leaf that it was. No I/O: leaf_watch.c hands in lines of tracefs.
 */
#ifndef TESTS_CONFORMANCE_LEAF_STATE_H
#define TESTS_CONFORMANCE_LEAF_STATE_H

#include <stdint.h>

/* Forget all. */
void leaf_state_reset(void);

/*
 * One line of trace_pipe, without its end. 0, also for other events and entries that no
 * leaf can be in; -EOVERFLOW: it says that events were lost; -EINVAL: an event of
 * another format than is known here; -ENOMEM.
 */
int leaf_state_line(const char *line);

/* How many leaves were told of so far. */
uint64_t leaf_state_order(void);

/*
 * What maps @gfn now: level 1 to 3 and SPTE. 0 and 0: nothing, or nothing was ever told.
 */
unsigned int leaf_state_now(uint64_t gfn, uint64_t *spte);

/* The last leaf for @gfn among those after the @since-th, mapped or not by now. */
unsigned int leaf_state_last(uint64_t gfn, uint64_t since, uint64_t *spte);

#endif /* TESTS_CONFORMANCE_LEAF_STATE_H */
