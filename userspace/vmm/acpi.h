/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ACPI tables (ACPI 6.4, hardware-reduced): processors and interrupt controllers, PCI
 * configuration space, and acpi_dsdt.asl. Written into guest memory by linux_boot.c.
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <stdint.h>

#include "vmm/error.h"

struct memory;

#define ACPI_GPA	0xe0000u	/* where the BIOS would be; the RSDP is first */
#define ACPI_SIZE	0x20000u

/* Ports by which the guest switches off and resets (ACPI 6.4, 4.8.3.7, 4.8.3.6). */
#define ACPI_PORT_SLEEP		0x600u
#define ACPI_PORT_SLEEP_STATUS	0x601u
#define ACPI_PORT_RESET		0x602u
#define ACPI_NR_PORTS		3u
#define ACPI_SLEEP_S5		(5u << 2 | 1u << 5)	/* SLP_TYP of \_S5 and SLP_EN */
#define ACPI_RESET_VALUE	1u

/* -ERANGE: RAM ends below ACPI_GPA + ACPI_SIZE. */
int acpi__write(const struct memory *ram, unsigned int nr_vcpus, uint64_t window_gpa,
		uint64_t window_size, struct error *err);

#endif /* VMM_ACPI_H */
