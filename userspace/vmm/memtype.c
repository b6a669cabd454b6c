// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory types: names, map_info, and the comparison; see memtype.h. */
#include "vmm/memtype.h"

#include <errno.h>
#include <linux/kvm_dmabuf.h>

#include "lib/memtype_name.h"
#include "vmm/util.h"

const char *memtype__name(uint32_t memtype)
{
	if (memtype == MEMTYPE_NONE)
		return "none";
	return memtype_name(memtype) ?: "reserved";
}

uint32_t memtype__map_info(uint32_t memtype)
{
	switch (memtype) {
	case DMABUF_MEMTYPE_WB:
		return MAP_INFO_CACHED;
	case DMABUF_MEMTYPE_UC:
	case DMABUF_MEMTYPE_UC_MINUS:
		return MAP_INFO_UNCACHED;
	case DMABUF_MEMTYPE_WC:
		return MAP_INFO_WC;
	}
	return 0;
}

const char *memtype__map_info_name(uint32_t map_info)
{
	switch (map_info) {
	case MAP_INFO_CACHED:
		return "cached";
	case MAP_INFO_UNCACHED:
		return "uncached";
	case MAP_INFO_WC:
		return "wc";
	}
	return "none";
}

/* On RAM, whose MTRR type is WB, UC- is UC (SDM vol. 3A, table 12-7). */
static uint32_t memtype__normal(uint32_t memtype)
{
	return memtype == DMABUF_MEMTYPE_UC_MINUS ? DMABUF_MEMTYPE_UC : memtype;
}

static int memtype__disagree(const char *name, const struct memtype_answers *a, const char *why,
			     struct error *err)
{
	return error__set(err, EMEDIUMTYPE,
			  "%s: bind says %s, KVM's view of this mapping is %s, DMABUF_MEMTYPE_QUERY says %s, leaf is %s: %s",
			  name, memtype__name(a->bind), memtype__name(a->host),
			  memtype__name(a->query), memtype__name(a->leaf), why);
}

int memtype__compare(const char *name, const struct memtype_answers *a, uint32_t *memtype,
		     struct error *err)
{
	const uint32_t answers[] = { a->bind, a->host, a->query };
	uint32_t type = MEMTYPE_NONE, t;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		t = memtype__normal(answers[i]);
		if (t == MEMTYPE_NONE)
			continue;
		if (type == MEMTYPE_NONE)
			type = t;
		else if (type != t)
			return memtype__disagree(name, a, "exporter and mapping must have one type",
						 err);
	}
	if (type == MEMTYPE_NONE)
		return error__set(err, ENODATA,
				  "%s: nobody knows its memory type: load dmabuf_memtype.ko, or dmapat's KVM modules",
				  name);
	/* A bound page below WB: the leaf is the floor, and the guest's PAT refines it. */
	if (a->leaf != MEMTYPE_NONE && a->flags & KVM_MEMTYPE_BOUND && type != DMABUF_MEMTYPE_WB &&
	    (memtype__normal(a->leaf) != type || a->flags & KVM_MEMTYPE_IGNORES_GUEST_PAT))
		return memtype__disagree(name, a, "the leaf does not have the buffer's type", err);
	if (!memtype__map_info(type))
		return error__set(err, EMEDIUMTYPE,
				  "%s: type %s has no map_info: a guest's driver can be told of WB, WC and UC",
				  name, memtype__name(type));
	*memtype = type;
	return 0;
}
