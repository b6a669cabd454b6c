/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The destination of a migration, over an accepted channel: load, verify, take
 * over or not. Reaches the machine through struct migration_destination_ops,
 * whose users are migration_vm.c and the unit tests.
 */
#ifndef VMM_MIGRATION_RECV_H
#define VMM_MIGRATION_RECV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/error.h"
#include "vmm/migration_machine.h"

struct migration_channel;
struct migration_listener;

struct migration_arrival {
	uint64_t rounds;
	uint64_t pages_received;	/* with contents and zero */
	uint64_t bytes_received;	/* on the wire */
	uint64_t bytes_verified;	/* of guest memory: hashed here, equal at the source */
};

struct migration_destination_ops {
	/* @m's hva and fd stay valid until release(). */
	int (*describe)(void *opaque, struct migration_machine *m, struct error *err);
	void (*release)(void *opaque);

	/* One piece of state, checked and kept; applied by loaded(), when all are there. */
	int (*load)(void *opaque, uint32_t id, uint32_t instance, const uint8_t *data, size_t len,
		    struct error *err);
	int (*loaded)(void *opaque, struct error *err);

	/* The guest is this side's: let it run, or leave it stopped as it was. */
	void (*start)(void *opaque, bool runs);

	void (*progress)(void *opaque, const struct migration_arrival *stats);
};

struct migration_destination {
	const struct migration_destination_ops *ops;
	void *opaque;
	struct migration_channel *ch;	/* timeout_ms: until the source says its own */
	struct migration_listener *listener;	/* of further channels; closed when all are there */
	struct migration_arrival stats;
};

/* 0: ops->start() was called. -errno: it was not and must not be; @err says why. */
int migration_destination__run(struct migration_destination *dst, struct error *err);

#endif /* VMM_MIGRATION_RECV_H */
