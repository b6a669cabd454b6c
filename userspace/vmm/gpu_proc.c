// SPDX-License-Identifier: GPL-2.0-or-later
/* A gpu-proc without a driver; see gpu_proc.h. */
#include "vmm/gpu_proc.h"

#define BIT(n)	(1ULL << (n))

void gpu_proc__client(struct frontend_client *client,
		      void (*started)(struct frontend *fe, int result, const struct error *err))
{
	*client = (struct frontend_client) {
		.name = "gpu-proc",
		.nr_queues = 2,		/* control and cursor */
		.no_driver = true,
		/* Without these there is no buffer, no way to refuse one, and no error to see. */
		.protocol_needed = BIT(VHOST_USER_PROTOCOL_F_SHMEM) |
				   BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) |
				   BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) |
				   BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK),
		.protocol_wanted = BIT(VHOST_USER_PROTOCOL_F_MQ) |
				   BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD),
		.gone_event = "GPU_DISCONNECTED",
		.refused_event = "GPU_REQUEST_REFUSED",
		.started = started,
	};
}
