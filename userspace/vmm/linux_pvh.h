/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PVH entry of an ELF kernel (Xen's docs/misc/pvh.pandoc): found by a note,
 * entered in 32-bit protected mode with struct hvm_start_info's address in EBX.
 * Called by linux_boot.c.
 */
#ifndef VMM_LINUX_PVH_H
#define VMM_LINUX_PVH_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/error.h"

struct memory;

#define PVH_MEMMAP_MAX	8u

/* Types as in E820. */
struct pvh_memmap_entry {
	uint64_t addr, size;
	uint32_t type;
	uint32_t reserved;
};

struct pvh_info {
	uint64_t cmdline_gpa;
	uint64_t initrd_gpa, initrd_size;	/* size 0: none */
	uint64_t rsdp_gpa;
	struct pvh_memmap_entry memmap[PVH_MEMMAP_MAX];
	uint32_t nr_memmap;
};

/*
 * Load the segments. @end: first address behind them. -ENOEXEC without the note, or
 * what loader__load_image() says.
 */
int linux_pvh__load(const struct memory *ram, const uint8_t *image, size_t size, uint64_t *entry,
		    uint64_t *end, struct error *err);

/* Write struct hvm_start_info and what it points to at @gpa, one page. */
void linux_pvh__write_info(const struct memory *ram, uint64_t gpa, const struct pvh_info *info);

#endif /* VMM_LINUX_PVH_H */
