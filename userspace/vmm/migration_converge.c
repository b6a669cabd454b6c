// SPDX-License-Identifier: GPL-2.0-or-later
/* When to throttle a guest, and how much; see migration_converge.h. */
#include "vmm/migration_converge.h"

#define BAD_PASSES	2u

unsigned int migration_converge__pass(struct migration_converge *c, uint64_t sent,
				      uint64_t dirtied)
{
	/* What took as long as a pass to write takes as long again to send. */
	c->bad = dirtied > sent / 2 ? c->bad + 1 : 0;
	if (c->bad < BAD_PASSES)
		return c->percent;
	c->bad = 0;
	c->percent = c->percent ? c->percent + MIGRATION_THROTTLE_STEP : MIGRATION_THROTTLE_FIRST;
	if (c->percent > MIGRATION_THROTTLE_MAX)
		c->percent = MIGRATION_THROTTLE_MAX;
	return c->percent;
}
