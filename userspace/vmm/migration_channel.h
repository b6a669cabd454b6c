/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The byte stream under a migration: a Unix or TCP socket where every wait has
 * a deadline and can be cancelled. Knows nothing of what the bytes mean. Called
 * by migration_stream.c and, to connect and listen, by migration.c.
 */
#ifndef VMM_MIGRATION_CHANNEL_H
#define VMM_MIGRATION_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "vmm/error.h"

struct migration_rate;

struct migration_channel {
	int fd;			/* stream socket, non-blocking; -1: closed */
	int cancel_fd;		/* eventfd, readable: give up. -1: cannot be cancelled */
	const int *alarm_fd;	/* eventfd, readable: another channel failed. NULL: there is none */
	bool control;		/* the alarm does not end a write in its middle: see below */
	uint32_t timeout_ms;	/* for a whole transfer call; 0: no limit */
	const char *peer;	/* "source", "destination": for messages */
	struct migration_rate *rate;	/* holds writes back, not counted in timeout_ms; or NULL */
	uint64_t tx_bytes;
	uint64_t rx_bytes;
};

struct migration_listener {
	int fd;
	char path[108];		/* of a Unix socket that this listener created */
};

/* Is @uri of a form that this file knows? -EINVAL with the forms named. */
int migration_channel__check_uri(const char *uri, struct error *err);

/* @ch's cancel_fd, timeout_ms and peer are the caller's to set before. */
int migration_channel__connect(struct migration_channel *ch, const char *uri, struct error *err);

int migration_listener__open(struct migration_listener *l, const char *uri, struct error *err);
/* One connection; waits without a deadline, until cancelled. */
int migration_listener__accept(struct migration_listener *l, struct migration_channel *ch,
			       struct error *err);
void migration_listener__close(struct migration_listener *l);

/*
 * Transfer everything or fail:
 *   -ECANCELED  cancel_fd is readable
 *   -ESHUTDOWN  alarm_fd is readable; on the control channel a write looks at it before
 *               its first byte only, so that its stream can still carry the reason
 *   -ETIMEDOUT  not done within timeout_ms
 *   -EPIPE      the peer closed the connection: an orderly end or a reset, both of
 *               which come after everything that it had sent
 *   -EREMOTEIO  write with @heed_input: the peer sent something, or closed, while
 *               this side was to speak
 *   other       the connection is lost (or worse), which says nothing of the peer
 * A write that fails has not handed all of its bytes to the peer. A read takes what is
 * there before it looks at anything else.
 */
int migration_channel__write(struct migration_channel *ch, const struct iovec *iov, int n,
			     bool heed_input, struct error *err);
int migration_channel__read(struct migration_channel *ch, void *buf, size_t len,
			    struct error *err);

/* Wait until there is something to read, or the end. -ECANCELED, -ETIMEDOUT. */
int migration_channel__wait_input(struct migration_channel *ch, struct error *err);

/*
 * Wait until the peer's kernel has every byte written so far. A reset that comes
 * later can then not take them away from the peer. Errors as for write.
 */
int migration_channel__flush(struct migration_channel *ch, struct error *err);

/* Stop sending, so that the peer reads the end; receiving goes on. */
void migration_channel__shutdown(struct migration_channel *ch);
void migration_channel__close(struct migration_channel *ch);

#endif /* VMM_MIGRATION_CHANNEL_H */
