/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The argument of --buffer. */
#ifndef GPU_PROC_BUFFER_SPEC_H
#define GPU_PROC_BUFFER_SPEC_H

#include "buffer.h"

/* Parse KIND=NODE,size=...,offset=...[,fill=...][,name=...]. 0, or -1 after a log line. */
int buffer_spec_parse(struct buffer_spec *spec, const char *arg);

/* Do they fit into the region, and beside each other? 0, or -1 after a log line. */
int buffer_spec_check_layout(const struct buffer_spec *specs, unsigned int count,
			     uint64_t shmem_size);

#endif /* GPU_PROC_BUFFER_SPEC_H */
