/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The further connections of a migration, which carry pages beside the control channel:
 * how they come about, and what becomes of the migration when one of them fails. Who
 * runs the guest is decided on the control channel alone. Used by migration_send.c and
 * migration_recv.c; what flows in them is migration_workers.c's and migration_recv.c's.
 */
#ifndef VMM_MIGRATION_CHANNELS_H
#define VMM_MIGRATION_CHANNELS_H

#include <pthread.h>
#include <stdint.h>

#include "vmm/migration_channel.h"
#include "vmm/migration_stream.h"

#define MIGRATION_MAX_CHANNELS	8u	/* with the control channel */

struct migration_channels {
	unsigned int nr;	/* further ones */
	/* Channel i + 1. */
	struct migration_channel ch[MIGRATION_MAX_CHANNELS - 1];
	struct migration_stream stream[MIGRATION_MAX_CHANNELS - 1];
	int alarm_fd;		/* eventfd: readable when one has failed, or at the end */
	pthread_mutex_t lock;
	pthread_cond_t cond;	/* for those who use them */
	int failed;		/* under the lock: -errno of the first failure */
	struct error error;	/* its words */
};

/* Before anything else; -errno without an eventfd. */
int migration_channels__init(struct migration_channels *c);
void migration_channels__exit(struct migration_channels *c);

/*
 * Source, after HELLO_OK: connect @nr further channels to @uri, with timeout and cancel
 * of @control, and say that they belong to the migration @join_id.
 */
int migration_channels__connect(struct migration_channels *c, unsigned int nr, const char *uri,
				const struct migration_channel *control, uint64_t join_id,
				struct error *err);

/*
 * Destination, after HELLO_OK: accept @nr channels that know @join_id. Others are refused,
 * and told why; they do not matter to the migration. Nothing may come on @control
 * meanwhile but the source's last words.
 */
int migration_channels__accept(struct migration_channels *c, unsigned int nr,
			       struct migration_listener *listener,
			       struct migration_stream *control, uint64_t join_id,
			       struct error *err);

/* Channel @index + 1 failed: all others, and the control channel, give up too. */
void migration_channels__fail(struct migration_channels *c, unsigned int index, int ret,
			      const struct error *err);

/* Wake whoever waits for one of the channels, with -ESHUTDOWN. */
void migration_channels__alarm(struct migration_channels *c);

/*
 * The control channel was interrupted (-ESHUTDOWN): why? The peer's own words, if it said
 * any on @control, else the first failure here. Returns its -errno; -ECOMM where a channel
 * ended and the peer is there all the same.
 */
int migration_channels__explain(struct migration_channels *c, struct migration_stream *control,
				struct error *err);

#endif /* VMM_MIGRATION_CHANNELS_H */
