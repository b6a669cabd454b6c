/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Payloads of the small records, which migration_send.c and migration_recv.c
 * share. The large ones are in migration_machine.c (HELLO) and migration_pages.h.
 * Records that are not named here have no payload, but for ABORT.
 */
#ifndef VMM_MIGRATION_RECORDS_H
#define VMM_MIGRATION_RECORDS_H

#include <stdint.h>

/* First record of each channel but the control channel; answered by JOIN_OK. */
struct migration_join_record {
	uint64_t join_id;	/* the HELLO's */
	uint32_t channel;	/* from 1 */
	uint32_t reserved;	/* 0 */
};

struct migration_round_record {
	uint64_t round;		/* from 0, one more each time */
	uint64_t pages;		/* in this channel's PAGES records since its last ROUND */
};

/* Then the data. What id and instance mean is migration_state.h's. */
struct migration_state_record {
	uint32_t id;
	uint32_t instance;
};

struct migration_end_record {
	uint64_t records;	/* sent by the source before this one, on all channels */
	uint64_t pages;		/* in all PAGES records */
	uint32_t states;	/* STATE records */
	uint32_t runs;		/* 1: the guest was running, 0: it was stopped */
	uint32_t nr_regions;
	uint32_t reserved;	/* 0 */
};				/* then a struct migration_hash for each region */

struct migration_alive_record {
	uint64_t pages;		/* verified so far; more each time */
};

struct migration_ready_record {
	uint64_t bytes;		/* of guest memory that the destination verified */
};

#endif /* VMM_MIGRATION_RECORDS_H */
