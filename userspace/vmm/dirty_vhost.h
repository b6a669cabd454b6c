/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dirty source: what a vhost-user back-end writes to guest RAM, by the log that it keeps
 * in memory of the VMM (VHOST_USER_SET_LOG_BASE). What it writes to its buffers is not
 * here: see dirty_buffer.h.
 */
#ifndef VMM_DIRTY_VHOST_H
#define VMM_DIRTY_VHOST_H

struct dirty_source;
struct frontend;

struct dirty_source *dirty_vhost__create(struct frontend *fe);	/* NULL: no memory */

#endif /* VMM_DIRTY_VHOST_H */
