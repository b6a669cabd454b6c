/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts the payload into guest RAM: an ELF64 executable for x86-64 at its physical
 * addresses, anything else as it is at LOADER_FLAT_GPA. Called by run.c.
 */
#ifndef VMM_LOADER_H
#define VMM_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/boot_info.h"
#include "vmm/error.h"

struct memory;

#define LOADER_FLAT_GPA	BOOT_RESERVED_END

int loader__load(const struct memory *ram, const char *path, uint64_t *entry, struct error *err);

/* The same from memory. -ENOEXEC bad ELF, -ERANGE beyond RAM or in the VMM's part. */
int loader__load_image(const struct memory *ram, const void *image, size_t size, uint64_t *entry,
		       struct error *err);

#endif /* VMM_LOADER_H */
