/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest RAM: one sealed memfd, mapped shared, one memslot from GPA 0. The memfd
 * goes to every vhost-user back-end in its memory table. Owned by struct vm.
 */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include <stdint.h>

#include "vmm/error.h"

struct vm;

/* RAM ends below the hole where the APICs are. */
#define MEMORY_HOLE_START	0xc0000000ULL
#define MEMORY_HOLE_END		0x100000000ULL

struct memory {
	int fd;			/* memfd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL */
	uint64_t gpa;		/* 0 */
	uint64_t size;		/* bytes, multiple of 4 KiB */
	uint8_t *hva;
	uint32_t slot;		/* VM_SLOT_RAM */
};

int memory__init(struct memory *mem, uint64_t size, struct error *err);
void memory__exit(struct memory *mem);

/* [gpa, gpa+len) in RAM, or NULL where it is not wholly inside. */
void *memory__hva(const struct memory *mem, uint64_t gpa, uint64_t len);

#endif /* VMM_MEMORY_H */
