/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the guest's port and memory accesses go that KVM leaves to the VMM: a table
 * of ranges with a device each. Filled while the machine is built, read by all vCPU
 * threads afterwards, so it needs no lock; what a device shares it locks itself.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_MAX_RANGES	16

/*
 * @offset in the range, @len 1 to 8 bytes at @data, little-endian as the guest has
 * them. A read fills @data, which holds all ones before.
 */
typedef void bus_access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write);

struct bus_range {
	uint64_t base;
	uint64_t size;
	bus_access *access;
	void *opaque;
};

struct bus {
	struct bus_range ranges[BUS_MAX_RANGES];
	unsigned int nr_ranges;
};

/* -EEXIST overlaps another range, -ENOSPC the table is full, -EINVAL empty or wraps. */
int bus__add(struct bus *bus, uint64_t base, uint64_t size, bus_access *access, void *opaque);

/*
 * An access of a vCPU. One that is not wholly inside a range reads all ones and
 * writes nothing, as on a PC where nobody drives the bus.
 */
void bus__access(const struct bus *bus, uint64_t addr, void *data, uint32_t len, bool write);

#endif /* VMM_BUS_H */
