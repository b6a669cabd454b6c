/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock of a migration's deadlines, rates and downtime. */
#ifndef VMM_MIGRATION_CLOCK_H
#define VMM_MIGRATION_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t migration_clock__ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

#endif /* VMM_MIGRATION_CLOCK_H */
