// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Own page tables: RAM one to one in 2 MiB pages, write-back; buffers in 4 KiB
 * pages, so that each page can have a PAT entry of its own. Tables come from the
 * RAM behind the payload.
 */
#include "cpu.h"
#include "payload.h"

#define PTE_PRESENT	0x001ULL
#define PTE_WRITE	0x002ULL
#define PTE_PWT		0x008ULL	/* PAT index bit 0 */
#define PTE_PCD		0x010ULL	/* PAT index bit 1 */
#define PTE_PAT		0x080ULL	/* PAT index bit 2, in a 4 KiB entry */
#define PTE_LARGE	0x080ULL
#define PTE_ADDR	0x000ffffffffff000ULL
#define LARGE_PAGE	0x200000ULL

extern char _payload_end[];

static uint64_t *pml4;
static uint64_t free_start, ram_end;

static uint64_t *new_table(void)
{
	uint64_t *table = (uint64_t *)free_start;
	unsigned int i;

	if (free_start + PAGE_SIZE > ram_end) {
		print("payload: no RAM left for page tables\n");
		payload_exit(PAYLOAD_USAGE);
	}
	free_start += PAGE_SIZE;
	for (i = 0; i < PAGE_SIZE / sizeof(*table); i++)
		table[i] = 0;
	return table;
}

/* The entry for @va in the tables of level @level: 1 for 4 KiB, 2 for 2 MiB pages. */
static uint64_t *find_entry(uint64_t va, int level)
{
	uint64_t *table = pml4, *entry;
	int l;

	for (l = 4; l > level; l--) {
		entry = &table[va >> (12 + 9 * (l - 1)) & 511];
		if (!(*entry & PTE_PRESENT))
			*entry = (uint64_t)new_table() | PTE_PRESENT | PTE_WRITE;
		table = (uint64_t *)(*entry & PTE_ADDR);
	}
	return &table[va >> (12 + 9 * (level - 1)) & 511];
}

void paging_init(const struct boot_info *info)
{
	uint64_t gpa;

	free_start = (uint64_t)_payload_end;
	ram_end = info->ram_size;
	pml4 = new_table();
	for (gpa = 0; gpa < ram_end; gpa += LARGE_PAGE)
		*find_entry(gpa, 2) = gpa | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
	paging_flush();
}

uint64_t paging_free_start(void)
{
	return free_start;
}

void paging_map(uint64_t gpa, uint64_t size, unsigned int pat_index)
{
	uint64_t flags = PTE_PRESENT | PTE_WRITE, end = gpa + size;

	flags |= pat_index & 1 ? PTE_PWT : 0;
	flags |= pat_index & 2 ? PTE_PCD : 0;
	flags |= pat_index & 4 ? PTE_PAT : 0;
	for (; gpa < end; gpa += PAGE_SIZE)
		*find_entry(gpa, 1) = gpa | flags;
}

void paging_flush(void)
{
	cpu_load_cr3((uint64_t)pml4);
}
