/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory types as the parts of the system report them, and the comparison that
 * a buffer has to pass before the guest sees it.
 */
#ifndef VMM_MEMTYPE_H
#define VMM_MEMTYPE_H

#include <stdint.h>

#include <linux/dmabuf_memtype.h>

#include "vmm/error.h"

struct buffer;
struct vm;

#define MEMTYPE_DEVICE		"/dev/dmabuf-memtype"
#define MEMTYPE_NONE	UINT32_MAX	/* not asked, or no answer */

/* virtio-gpu: VIRTIO_GPU_RESP_OK_MAP_INFO, map_info's low four bits. */
#define MAP_INFO_CACHED		1
#define MAP_INFO_UNCACHED	2
#define MAP_INFO_WC		3

struct memtype_answers {
	uint32_t bind;		/* KVM_SET_DMA_BUF's memtype */
	uint32_t host;		/* KVM_GET_MEMTYPE's host_memtype: the VMM's own mapping */
	uint32_t query;		/* DMABUF_MEMTYPE_QUERY's memtype */
	uint32_t source;	/* DMABUF_MEMTYPE_SOURCE_* of the query */
	uint32_t leaf;		/* KVM_GET_MEMTYPE's leaf_memtype */
	uint32_t flags;		/* KVM_GET_MEMTYPE's flags: KVM_MEMTYPE_* */
};

/* "WC", "UC-", …; "none" for MEMTYPE_NONE, "reserved" for a number without a name. */
const char *memtype__name(uint32_t memtype);

/* What a guest's driver is told of a type: MAP_INFO_*. 0 for a reserved type. */
uint32_t memtype__map_info(uint32_t memtype);
const char *memtype__map_info_name(uint32_t map_info);

/*
 * All answers there are must be one type; it goes to *@memtype. -EMEDIUMTYPE with
 * every value named where they differ, -ENODATA where there is none.
 */
int memtype__compare(const char *name, const struct memtype_answers *a, uint32_t *memtype,
		     struct error *err);

/*
 * Ask again about a buffer: KVM_GET_MEMTYPE for its first page (host, leaf and
 * flags) and DMABUF_MEMTYPE_QUERY. Answers that cannot be had are MEMTYPE_NONE.
 */
void memtype__ask(struct vm *vm, const struct buffer *buf, struct memtype_answers *a);

#endif /* VMM_MEMTYPE_H */
