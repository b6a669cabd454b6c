// SPDX-License-Identifier: GPL-2.0-or-later
/* The token bucket of a migration, counted in time; see migration_rate.h. */
#include "vmm/migration_rate.h"

void migration_rate__init(struct migration_rate *r, uint64_t bytes_per_second, uint64_t now_ns)
{
	r->bytes_per_second = bytes_per_second;
	r->paid_ns = now_ns;
	pthread_mutex_init(&r->lock, NULL);
}

void migration_rate__exit(struct migration_rate *r)
{
	pthread_mutex_destroy(&r->lock);
}

uint64_t migration_rate__take(struct migration_rate *r, uint64_t bytes, uint64_t now_ns)
{
	uint64_t wait;

	pthread_mutex_lock(&r->lock);
	if (now_ns > MIGRATION_RATE_BURST_NS && r->paid_ns < now_ns - MIGRATION_RATE_BURST_NS)
		r->paid_ns = now_ns - MIGRATION_RATE_BURST_NS;
	wait = r->paid_ns > now_ns ? r->paid_ns - now_ns : 0;
	r->paid_ns += (double)bytes * 1e9 / r->bytes_per_second;
	pthread_mutex_unlock(&r->lock);
	return wait;
}
