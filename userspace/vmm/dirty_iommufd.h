/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dirty source for assigned devices: what they wrote by DMA, as the IOMMU's page tables
 * say (IOMMU_HWPT_GET_DIRTY_BITMAP). One source a hardware page table.
 *
 * Who owns the iommufd makes the source and tells it of each mapping that comes and goes.
 * dmapat-vmm itself assigns no devices yet.
 */
#ifndef VMM_DIRTY_IOMMUFD_H
#define VMM_DIRTY_IOMMUFD_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/dirty_source.h"

/*
 * IOVAs [iova, iova + size), mapped, are the pages from @page on of @slot (VM_SLOT_*). A
 * range begins and ends where a mapping does, or where IOMMU_OPTION_HUGE_PAGES is 0: else
 * an entry of the IOMMU could lie in two ranges, of which one would clear it for both.
 */
struct dirty_iommufd_range {
	uint64_t iova;
	uint64_t size;
	uint32_t slot;
	uint64_t page;
};

/* What the source reads; the fd stays the caller's, who closes it after the source's free. */
struct dirty_iommufd_table {
	int iommufd;
	uint32_t ioas;		/* whose mappings @hwpt has */
	uint32_t hwpt;		/* allocated with IOMMU_HWPT_ALLOC_DIRTY_TRACKING */
	uint64_t page_size;	/* bytes that a bit stands for: 4 KiB or more */
};

/* NULL: @err says why. @ranges: what is mapped now; they must not overlap. */
struct dirty_source *dirty_iommufd__create(const struct dirty_iommufd_table *table,
					   const struct dirty_iommufd_range *ranges, size_t nr_ranges,
					   struct error *err);

/*
 * For a mapping that was split, joined, moved or is new; from the migration's thread, as the
 * source's own operations. -errno and @err: nothing has changed.
 *
 * add: after the range was mapped, before a device is told of it. remove: before it is
 * unmapped, and after the devices have stopped writing there, since the kernel forgets with
 * the mapping what was written; the next sync() hands it over. A part of a range may be
 * removed; what is removed must be covered by ranges.
 */
int dirty_iommufd__add(struct dirty_source *s, const struct dirty_iommufd_range *range,
		       struct error *err);
int dirty_iommufd__remove(struct dirty_source *s, uint64_t iova, uint64_t size,
			  struct error *err);

#endif /* VMM_DIRTY_IOMMUFD_H */
