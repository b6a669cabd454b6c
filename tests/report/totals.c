// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counts over machines; see totals.h.
 */
#include "totals.h"

static void add_block(struct totals *totals, const struct coherence_block *block)
{
	totals->blocks++;
	totals->blocks_wrong += !block->ok;
	if (oracle_type_cacheable(block->memtype))
		return;
	if (block->dmapat)
		totals->stale_dmapat += block->stale;
	else
		totals->stale_stock += block->stale;
}

void totals_add(struct totals *totals, const struct machine *machine)
{
	size_t i;

	totals->cells += machine->n_verdicts;
	for (i = 0; i < machine->n_verdicts; i++)
		totals->mismatches += !machine->verdicts[i].ok;
	totals->buffers += machine->n_agreements;
	for (i = 0; i < machine->n_agreements; i++)
		totals->disagree += !machine->agreements[i].ok;
	for (i = 0; i < machine->n_blocks; i++)
		add_block(totals, &machine->blocks[i]);
	totals->problems += machine->problems.n;
}

bool totals_ok(const struct totals *totals)
{
	return !totals->mismatches && !totals->disagree && !totals->blocks_wrong &&
	       !totals->problems;
}
