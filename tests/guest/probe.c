// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mode=probe: what a guest can do to get at another memory type. Each buffer is
 * touched with every PAT type, then with every MTRR type over the window, then
 * with the PAT rewritten under the same page table entries. A line before each says
 * which; with `mark` the accesses are marked as in mode=touch.
 */
#include "cpu.h"
#include "payload.h"

#define MTRR_VALID		(1ULL << 11)
#define MTRR_ENABLE		(1ULL << 11)
#define CPUID_PHYS_BITS		0x80000008U

static const enum memtype pat_types[] = { MT_WB, MT_WC, MT_UC_MINUS, MT_UC, MT_WT, MT_WP };
/* UC- is no MTRR type: SDM vol. 3A, 12.11.2. */
static const enum memtype mtrr_types[] = { MT_UC, MT_WC, MT_WT, MT_WP, MT_WB };

static unsigned int wrong;

static void touch_all(const struct boot_info *info, const char *what, const char *type)
{
	unsigned int i, bad;
	uint64_t first;

	for (i = 0; i < info->nr_buffers; i++) {
		print("probe %s %s %s", what, type, info->buffers[i].name);
		bad = touch_buffer(info, i, &first);
		print(" wrong %d\n", (int)bad);
		wrong += bad;
	}
}

static void map_all(const struct boot_info *info, enum memtype type)
{
	unsigned int i;

	for (i = 0; i < info->nr_buffers; i++)
		paging_map(info->window_gpa + info->buffers[i].offset, info->buffers[i].size,
			   memtype_pat_index(type));
	cpu_wbinvd();
	paging_flush();
}

static uint64_t phys_mask(void)
{
	uint32_t eax = CPUID_PHYS_BITS, ebx, ecx = 0, edx;

	asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return (1ULL << (eax & 0xff)) - 1;
}

/* A variable MTRR covers a power of two, aligned to itself. */
static uint64_t cover(uint64_t base, uint64_t size)
{
	uint64_t span = PAGE_SIZE;

	while (span < size || (base & (span - 1)) + size > span)
		span <<= 1;
	return span;
}

static void probe_mtrr(const struct boot_info *info)
{
	uint64_t span = cover(info->window_gpa, info->window_size), mask = phys_mask();
	uint64_t base0 = cpu_rdmsr(MSR_MTRR_PHYS_BASE0), mask0 = cpu_rdmsr(MSR_MTRR_PHYS_MASK0);
	uint64_t def = cpu_rdmsr(MSR_MTRR_DEF_TYPE);
	unsigned int i;

	if (!(cpu_rdmsr(MSR_MTRR_CAP) & 0xff)) {
		print("probe mtrr: no variable MTRR\n");
		return;
	}
	for (i = 0; i < sizeof(mtrr_types) / sizeof(mtrr_types[0]); i++) {
		cpu_wbinvd();
		cpu_wrmsr(MSR_MTRR_PHYS_BASE0, (info->window_gpa & ~(span - 1)) | mtrr_types[i]);
		cpu_wrmsr(MSR_MTRR_PHYS_MASK0, (mask & ~(span - 1)) | MTRR_VALID);
		/* Everything else WB: default type WB, MTRRs on. */
		cpu_wrmsr(MSR_MTRR_DEF_TYPE, MTRR_ENABLE | MT_WB);
		cpu_wbinvd();
		paging_flush();
		touch_all(info, "mtrr", memtype_name(mtrr_types[i]));
	}
	cpu_wrmsr(MSR_MTRR_PHYS_MASK0, mask0);
	cpu_wrmsr(MSR_MTRR_PHYS_BASE0, base0);
	cpu_wrmsr(MSR_MTRR_DEF_TYPE, def);
	cpu_wbinvd();
	paging_flush();
}

void probe_run(const struct boot_info *info)
{
	uint64_t layout = cpu_rdmsr(MSR_PAT);
	unsigned int i;

	for (i = 0; i < sizeof(pat_types) / sizeof(pat_types[0]); i++) {
		map_all(info, pat_types[i]);
		touch_all(info, "pat", memtype_name(pat_types[i]));
	}

	map_all(info, MT_WB);
	probe_mtrr(info);

	/* Entry 1, which the buffers now use, becomes each type in turn. */
	for (i = 0; i < info->nr_buffers; i++)
		paging_map(info->window_gpa + info->buffers[i].offset, info->buffers[i].size, 1);
	for (i = 0; i < sizeof(pat_types) / sizeof(pat_types[0]); i++) {
		memtype_set_pat((layout & ~0xff00ULL) | (uint64_t)pat_types[i] << 8);
		touch_all(info, "patmsr", memtype_name(pat_types[i]));
	}
	memtype_set_pat(layout);

	print("probed %d buffers, wrong words %d\n", (int)info->nr_buffers, (int)wrong);
	payload_exit(wrong ? PAYLOAD_MISMATCH : PAYLOAD_OK);
}
