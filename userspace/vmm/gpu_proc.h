/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `--gpu-proc` wants of a back-end: all of its buffers before the guest starts, no
 * driver for its queues. Used by run.c.
 */
#ifndef VMM_GPU_PROC_H
#define VMM_GPU_PROC_H

#include "vmm/frontend.h"

void gpu_proc__client(struct frontend_client *client,
		      void (*started)(struct frontend *fe, int result, const struct error *err));

#endif /* VMM_GPU_PROC_H */
