// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a guest would cache and the host does not; see cached.h.
 */
#include "cached.h"

bool cached_hazard(const struct verdict *verdict)
{
	return !verdict->cell.fault && oracle_type_cacheable(verdict->effective) &&
	       !oracle_type_cacheable(verdict->cell.memtype);
}

void cached_add(struct cached *cached, const struct verdict *verdict)
{
	if (verdict->cell.fault || oracle_type_cacheable(verdict->cell.memtype))
		return;
	cached->uncached++;
	cached->hazards += cached_hazard(verdict);
}

void cached_print(FILE *out, const struct cached *cached)
{
	if (!cached->uncached) {
		fputs("<span class=n>n/a</span>", out);
		return;
	}
	fprintf(out, "<span class=bar><span style=\"width:%u%%\"></span></span> %u of %u",
		100 * cached->hazards / cached->uncached, cached->hazards, cached->uncached);
}
