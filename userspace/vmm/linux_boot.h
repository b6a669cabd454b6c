/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starts a Linux kernel: bzImage by the 64-bit boot protocol, or a PVH ELF such as
 * vmlinux (Documentation/arch/x86/boot.rst; Xen's docs/misc/pvh.pandoc), with initrd
 * and command line. Called by boot.c.
 */
#ifndef VMM_LINUX_BOOT_H
#define VMM_LINUX_BOOT_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/error.h"

struct memory;
struct vcpu_entry;
struct vm;

#define LINUX_BOOT_PARAMS_GPA	0x8000u		/* zero page, or hvm_start_info */
#define LINUX_CMDLINE_GPA	0xa000u
#define LINUX_CMDLINE_MAX	2048u		/* with the NUL */

/*
 * Put the kernel at @image into RAM, with the initrd (or none) and the command line.
 * Fills in entry->rip, boot_info and protected_mode.
 *   -ENOEXEC not a kernel that can be started so, or its header contradicts itself
 *   -ENOSPC  kernel and initrd do not fit into RAM
 *   -E2BIG   command line
 */
int linux_boot__load_image(const struct memory *ram, const uint8_t *image, size_t size,
			   const uint8_t *initrd, size_t initrd_size, const char *cmdline,
			   struct vcpu_entry *entry, struct error *err);

/* The same from the files of --kernel and --initrd, and the ACPI tables. */
int linux_boot__prepare(struct vm *vm, struct vcpu_entry *entry, struct error *err);

#endif /* VMM_LINUX_BOOT_H */
