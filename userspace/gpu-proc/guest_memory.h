/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory, as far as the front-end shares it, and the log of writes to it. */
#ifndef GPU_PROC_GUEST_MEMORY_H
#define GPU_PROC_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vhost_user.h"

struct guest_region {
	struct vhost_user_region desc;
	void *map;		/* what mmap() returned */
	size_t map_len;
	char *base;		/* where the region starts in it */
};

/* A bit for each VHOST_USER_LOG_PAGE from guest address 0 on. */
struct guest_log {
	void *map;		/* what mmap() returned; NULL: none */
	size_t map_len;
	uint8_t *bits;
	uint64_t bytes;
	bool on;		/* the front-end wants writes to be logged */
	int event;		/* event fd to tell of them, or -1 */
};

struct guest_memory {
	struct guest_log log;
	struct guest_region regions[VHOST_USER_MAX_REGIONS];
	unsigned int count;
};

void guest_memory_init(struct guest_memory *memory);

/*
 * Replace the memory map. The fds, one for each region, stay the caller's.
 * Returns 0, or -1 after a log line; then the old map is still in place.
 */
int guest_memory_set(struct guest_memory *memory, const struct vhost_user_memory *table,
		     const int *fds);

/* Forget map and log. */
void guest_memory_clear(struct guest_memory *memory);

/*
 * Replace the log, which must cover all of the memory map. The fd stays the caller's.
 * Returns 0, or -1 after a log line; then the old log is still in place.
 */
int guest_memory_set_log(struct guest_memory *memory, const struct vhost_user_log *desc, int fd);
/* Takes the event fd over. */
void guest_memory_set_log_event(struct guest_memory *memory, int fd);
void guest_memory_clear_log(struct guest_memory *memory);

/* Are these guest addresses within the log? They need not be in the memory map. */
bool guest_memory_logs(const struct guest_memory *memory, uint64_t gpa, uint64_t len);
/* They have been written to: note it, if the front-end wants that. */
void guest_memory_mark(const struct guest_memory *memory, uint64_t gpa, uint64_t len);
/* Something was noted. */
void guest_memory_announce(const struct guest_memory *memory);

/* len bytes at an address of the guest, or of the front-end. NULL: not within one region. */
void *guest_memory_from_guest(const struct guest_memory *memory, uint64_t gpa, uint64_t len);
void *guest_memory_from_user(const struct guest_memory *memory, uint64_t addr, uint64_t len);

#endif /* GPU_PROC_GUEST_MEMORY_H */
