/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A limit on the bytes a second that all channels of a migration send together: a
 * token bucket. It says how long to wait; the waiting is migration_channel.c's, which
 * can be cancelled in the middle of it. The caller gives the time.
 */
#ifndef VMM_MIGRATION_RATE_H
#define VMM_MIGRATION_RATE_H

#include <pthread.h>
#include <stdint.h>

/* What was not sent may be made up for later, as far as this time's worth. */
#define MIGRATION_RATE_BURST_NS	50000000ULL

struct migration_rate {
	uint64_t bytes_per_second;	/* not 0 */
	pthread_mutex_t lock;
	uint64_t paid_ns;		/* when everything so far is paid for */
};

void migration_rate__init(struct migration_rate *r, uint64_t bytes_per_second, uint64_t now_ns);
void migration_rate__exit(struct migration_rate *r);

/*
 * @bytes are to go out: they are taken from the bucket in any case. Returns for how
 * many nanoseconds from @now_ns on they have to be held back.
 */
uint64_t migration_rate__take(struct migration_rate *r, uint64_t bytes, uint64_t now_ns);

#endif /* VMM_MIGRATION_RATE_H */
