/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Auto-converge: does the guest write faster than its pages are sent, and by how much
 * is it to be slowed down then? Fed by migration_send.c after each pass.
 */
#ifndef VMM_MIGRATION_CONVERGE_H
#define VMM_MIGRATION_CONVERGE_H

#include <stdint.h>

#define MIGRATION_THROTTLE_FIRST	20u	/* percent */
#define MIGRATION_THROTTLE_STEP		10u
#define MIGRATION_THROTTLE_MAX		99u

struct migration_converge {
	unsigned int percent;	/* of the time that the vCPUs are to sleep */
	unsigned int bad;	/* passes in a row that gained less than half */
};

/*
 * A pass sent @sent pages and @dirtied were written meanwhile. Returns the throttle
 * for the next pass, which only grows: after two passes in a row that left more than
 * half of what they sent, and with every second bad one after that.
 */
unsigned int migration_converge__pass(struct migration_converge *c, uint64_t sent,
				      uint64_t dirtied);

#endif /* VMM_MIGRATION_CONVERGE_H */
