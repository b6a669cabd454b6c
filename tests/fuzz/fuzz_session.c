// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target: what a vhost-user front-end says to dmapat-gpu-proc, with any fds,
 * from the first message on. Input: enum peer_operation.
 */
#include "peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	peer_run(data, size, false);
	return 0;
}
