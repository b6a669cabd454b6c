/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory, as far as the front-end shares it. */
#ifndef GPU_PROC_GUEST_MEMORY_H
#define GPU_PROC_GUEST_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "vhost_user.h"

struct guest_region {
	struct vhost_user_region desc;
	void *map;		/* what mmap() returned */
	size_t map_len;
	char *base;		/* where the region starts in it */
};

struct guest_memory {
	struct guest_region regions[VHOST_USER_MAX_REGIONS];
	unsigned int count;
};

/*
 * Replace the memory map. The fds, one for each region, stay the caller's.
 * Returns 0, or -1 after a log line; then the old map is still in place.
 */
int guest_memory_set(struct guest_memory *memory, const struct vhost_user_memory *table,
		     const int *fds);

void guest_memory_clear(struct guest_memory *memory);

/* len bytes at an address of the guest, or of the front-end. NULL: not within one region. */
void *guest_memory_from_guest(const struct guest_memory *memory, uint64_t gpa, uint64_t len);
void *guest_memory_from_user(const struct guest_memory *memory, uint64_t addr, uint64_t len);

#endif /* GPU_PROC_GUEST_MEMORY_H */
