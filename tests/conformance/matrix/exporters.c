// SPDX-License-Identifier: GPL-2.0-or-later
/* The exporters of the matrix; see exporters.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../lib/buffer.h"
#include "../lib/ktap.h"
#include "../lib/witness.h"
#include "exporters.h"

#define MIB	0x100000UL

static const char *missing_node(const char *node, const char *module)
{
	static char text[128];

	if (!access(node, R_OK | W_OK))
		return NULL;
	snprintf(text, sizeof(text), "%s: %s: load %s", node, strerror(errno), module);
	return text;
}

static int udmabuf_allocate(const struct exporter *exporter, size_t size)
{
	(void)exporter;
	return buffer_udmabuf(size);
}

static const char *udmabuf_missing(const struct exporter *exporter)
{
	(void)exporter;
	return missing_node("/dev/udmabuf", "udmabuf");
}

static int heap_allocate(const struct exporter *exporter, size_t size)
{
	return buffer_heap(exporter->heap, size);
}

static const char *heap_missing(const struct exporter *exporter)
{
	char node[64];

	snprintf(node, sizeof(node), "/dev/dma_heap/%s", exporter->heap);
	return missing_node(node, "dmabuf_memtype");
}

/* Buffers of whole MiBs alone; the matrix uses the beginning. */
static int vgem_allocate(const struct exporter *exporter, size_t size)
{
	(void)exporter;
	return buffer_vgem((size + MIB - 1) & ~(MIB - 1));
}

static const char *vgem_missing(const struct exporter *exporter)
{
	int node = buffer_vgem_node();

	(void)exporter;
	if (node < 0)
		return "no card node of vgem below /dev/dri: load vgem";
	close(node);
	return NULL;
}

/* The mock keeps pages in RAM, which Linux maps UC, WC or WB. */
static uint32_t mock_page_type(const struct exporter *exporter)
{
	return exporter->memtype == ORACLE_UC || exporter->memtype == ORACLE_WC ?
	       (uint32_t)exporter->memtype : (uint32_t)ORACLE_WB;
}

static int mock_allocate(const struct exporter *exporter, size_t size)
{
	return buffer_mock(size, DMAPAT_MOCK_DYNAMIC |
			   (exporter->page == 2 ? DMAPAT_MOCK_HUGE : 0),
			   mock_page_type(exporter), (uint32_t)exporter->memtype, 0);
}

static int mock_move(const struct exporter *exporter, int fd)
{
	return mock_change(fd, DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY | DMAPAT_MOCK_NEW_PAGES,
			   mock_page_type(exporter), (uint32_t)exporter->memtype, 0);
}

static const char *mock_missing(const struct exporter *exporter)
{
	(void)exporter;
	return missing_node("/dev/dmapat-mock", "dmapat_mock");
}

static const struct source udmabuf = { udmabuf_allocate, udmabuf_missing, NULL };
static const struct source heap = { heap_allocate, heap_missing, NULL };
static const struct source vgem = { vgem_allocate, vgem_missing, NULL };
static const struct source mock = { mock_allocate, mock_missing, mock_move };

const struct exporter exporters[] = {
	{ "wb-udmabuf",	ORACLE_WB, 1, &udmabuf,	NULL },
	{ "wc-heap",	ORACLE_WC, 1, &heap,	"system-wc" },
	{ "wc-vgem",	ORACLE_WC, 1, &vgem,	NULL },
	{ "uc-heap",	ORACLE_UC, 1, &heap,	"system-uc" },
	{ "mock-uc",	ORACLE_UC, 1, &mock,	NULL },
	{ "mock-wc",	ORACLE_WC, 1, &mock,	NULL },
	{ "mock-wt",	ORACLE_WT, 1, &mock,	NULL },
	{ "mock-wp",	ORACLE_WP, 1, &mock,	NULL },
	{ "mock-wb",	ORACLE_WB, 1, &mock,	NULL },
	{ "wc-heap",	ORACLE_WC, 2, &heap,	"system-wc" },
	{ "uc-heap",	ORACLE_UC, 2, &heap,	"system-uc" },
	{ "mock-uc",	ORACLE_UC, 2, &mock,	NULL },
	{ "mock-wc",	ORACLE_WC, 2, &mock,	NULL },
	{ "mock-wb",	ORACLE_WB, 2, &mock,	NULL },
	{ NULL, 0, 0, NULL, NULL },
};

const char *exporter_page_name(const struct exporter *exporter)
{
	return exporter->page == 2 ? "2M" : "4K";
}

bool witness_present(void)
{
	return !access("/dev/dmapat-mock", R_OK | W_OK);
}

void exporter_witness(const struct exporter *exporter, const char *modules,
		      const volatile void *at, size_t size)
{
	const uint64_t page_size = oracle_level_size(exporter->page);
	const volatile uint8_t *page = at;
	struct dmapat_mock_entry entry;
	bool ok = true;
	int type, r;

	for (uint64_t off = 0; off < size; off += page_size) {
		(void)page[off];
		r = witness_entry(page + off, &entry);
		type = r ? -1 : witness_user_type(&entry);
		if (type == (int)exporter->memtype && 1ULL << entry.user_shift == page_size)
			continue;
		test_note("%s, page %llu: %s, entry 0x%llx is %s of 2^%u bytes, expected %s of %s",
			  exporter->name, (unsigned long long)(off / page_size),
			  r ? strerror(r) : "mapped", (unsigned long long)entry.user,
			  oracle_type_name((enum oracle_type)type), entry.user_shift,
			  oracle_type_name(exporter->memtype), exporter_page_name(exporter));
		ok = false;
	}
	test_ok(ok, "%s %s %s host mapping is %s", modules, exporter->name,
		exporter_page_name(exporter), oracle_type_name(exporter->memtype));
}
