/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The form of the front-end's requests. */
#ifndef GPU_PROC_REQUEST_H
#define GPU_PROC_REQUEST_H

#include <stdint.h>

#include "vhost_user.h"

/*
 * Is this a request that the back-end serves, with the payload and the fds that
 * it must have, and is the feature negotiated that it belongs to? Returns 0, or
 * -1 after a log line. Values inside the payload are the handlers' business.
 */
int request_check(const struct vhost_user_msg *msg, uint64_t protocol_features);

/* Its name without VHOST_USER_, or "unknown". */
const char *request_name(uint32_t request);

#endif /* GPU_PROC_REQUEST_H */
