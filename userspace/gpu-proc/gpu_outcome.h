/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the handler of a virtio-gpu request ended. */
#ifndef GPU_PROC_GPU_OUTCOME_H
#define GPU_PROC_GPU_OUTCOME_H

enum gpu_outcome {
	GPU_DONE,	/* the response is filled in */
	GPU_PENDING,	/* gpu_request_complete() will be called */
};

#endif /* GPU_PROC_GPU_OUTCOME_H */
