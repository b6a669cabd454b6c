/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes between the two memories of a blob that has the guest's and the host's. */
#ifndef GPU_PROC_GPU_TRANSFER_H
#define GPU_PROC_GPU_TRANSFER_H

#include "gpu_outcome.h"

struct gpu_request;

/* Handlers of requests. */
enum gpu_outcome gpu_transfer_to_host(struct gpu_request *req);
enum gpu_outcome gpu_transfer_from_host(struct gpu_request *req);

#endif /* GPU_PROC_GPU_TRANSFER_H */
