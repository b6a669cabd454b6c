/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the VMM tells the payload, at a fixed guest-physical address. Shared with
 * the guest: freestanding, fixed-width, no pointers. The address is also in RDI
 * at entry.
 */
#ifndef VMM_BOOT_INFO_H
#define VMM_BOOT_INFO_H

#include <stdint.h>

#define BOOT_INFO_GPA		0x8000
#define BOOT_INFO_MAGIC		0x3049425450414d44ULL	/* "DMAPTBI0" */
#define BOOT_INFO_VERSION	1
#define BOOT_INFO_MAX_BUFFERS	64
#define BOOT_INFO_CMDLINE_MAX	1024	/* with the NUL */

struct boot_info_buffer {
	uint64_t offset;	/* in the window, bytes */
	uint64_t size;		/* bytes */
	uint32_t map_info;	/* virtio-gpu: 1 cached, 2 uncached, 3 write-combining */
	uint32_t reserved[3];
	char name[32];		/* NUL-terminated */
};

struct boot_info {
	uint64_t magic;
	uint32_t version;
	uint32_t size;		/* of this structure, bytes */
	uint64_t ram_size;	/* RAM is [0, ram_size) */
	uint64_t window_gpa;
	uint64_t window_size;
	uint32_t nr_vcpus;
	uint32_t nr_buffers;
	char cmdline[BOOT_INFO_CMDLINE_MAX];
	struct boot_info_buffer buffers[BOOT_INFO_MAX_BUFFERS];
};

/* RAM below this is the VMM's at start: boot information, GDT, page tables. */
#define BOOT_RESERVED_END	0x100000

#endif /* VMM_BOOT_INFO_H */
