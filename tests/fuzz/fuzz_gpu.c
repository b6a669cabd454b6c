// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target: what a guest's driver puts into the queues of dmapat-gpu-proc, and
 * how its requests to the front-end are answered. Input: enum peer_operation.
 */
#include "peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	peer_run(data, size, true);
	return 0;
}
