// SPDX-License-Identifier: GPL-2.0-or-later
/* Port and memory accesses of the guest; see bus.h. */
#include "vmm/bus.h"

#include <errno.h>
#include <string.h>

int bus__add(struct bus *bus, uint64_t base, uint64_t size, bus_access *access, void *opaque)
{
	const struct bus_range *r;
	unsigned int i;

	if (!size || base + size - 1 < base)
		return -EINVAL;
	for (i = 0; i < bus->nr_ranges; i++) {
		r = &bus->ranges[i];
		if (base <= r->base + (r->size - 1) && r->base <= base + (size - 1))
			return -EEXIST;
	}
	if (i == BUS_MAX_RANGES)
		return -ENOSPC;
	bus->ranges[bus->nr_ranges++] = (struct bus_range) {
		.base = base, .size = size, .access = access, .opaque = opaque,
	};
	return 0;
}

void bus__access(const struct bus *bus, uint64_t addr, void *data, uint32_t len, bool write)
{
	const struct bus_range *r;
	unsigned int i;

	if (!write)
		memset(data, 0xff, len);
	for (i = 0; i < bus->nr_ranges; i++) {
		r = &bus->ranges[i];
		if (addr >= r->base && addr - r->base < r->size &&
		    len <= r->size - (addr - r->base)) {
			r->access(r->opaque, addr - r->base, data, len, write);
			return;
		}
	}
}
