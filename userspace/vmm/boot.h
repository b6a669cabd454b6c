/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest finds in low memory when it starts: boot information, GDT, page
 * tables that map the first 4 GiB one to one. Called by run.c.
 */
#ifndef VMM_BOOT_H
#define VMM_BOOT_H

#include <stdint.h>

#include "vmm/boot_info.h"
#include "vmm/error.h"

struct memory;
struct vcpu_entry;
struct vm;
struct window;

/* The boot information of a VM; apart for the tests. -E2BIG too many buffers. */
int boot__info(struct boot_info *info, uint64_t ram_size, const struct window *win,
	       unsigned int nr_vcpus, const char *cmdline, struct error *err);

/* Page tables and GDT. Fills in what belongs to them in @entry. */
int boot__tables(const struct memory *ram, struct vcpu_entry *entry, struct error *err);

/* Payload, tables, boot information, registers of the first vCPU. */
int boot__prepare(struct vm *vm, struct error *err);

#endif /* VMM_BOOT_H */
