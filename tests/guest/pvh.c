// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes dmapat-vmm's boot information out of what a PVH loader tells, so that the same
 * payload runs in another VMM: RAM and command line, no window. Called by start_pvh.S. Ports
 * 0x3f8 and 0xf4 must be there (QEMU: isa-debug-exit).
 */
#include "payload.h"

#define PVH_MAGIC	0x336ec578u	/* Xen's public/arch-x86/hvm/start_info.h */
#define PVH_RAM		1

struct pvh_start {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modules;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t nr_memmap;
	uint32_t reserved;
};

struct pvh_memory {
	uint64_t gpa;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

extern const char _image_start[];
void pvh_main(const struct pvh_start *start);

static struct boot_info info;

/* The end of the RAM that the payload lies in. */
static uint64_t ram_end(const struct pvh_start *start)
{
	const struct pvh_memory *map = (const struct pvh_memory *)start->memmap;
	uint64_t image = (uint64_t)_image_start;
	uint32_t i;

	for (i = 0; i < start->nr_memmap; i++)
		if (map[i].type == PVH_RAM && image >= map[i].gpa &&
		    image - map[i].gpa < map[i].size)
			return map[i].gpa + map[i].size;
	return 0;
}

void pvh_main(const struct pvh_start *start)
{
	const char *cmdline = (const char *)start->cmdline;
	unsigned int i;

	/* Version 1 brought the memory map. */
	if (start->magic != PVH_MAGIC || start->version < 1 || !ram_end(start)) {
		print("payload: start information has magic 0x%llx, version %d, %d ranges; wanted 0x%llx, 1, RAM at 0x%llx\n",
		      (unsigned long long)start->magic, (int)start->version,
		      (int)start->nr_memmap, (unsigned long long)PVH_MAGIC,
		      (unsigned long long)_image_start);
		payload_exit(PAYLOAD_USAGE);
	}
	info.magic = BOOT_INFO_MAGIC;
	info.version = BOOT_INFO_VERSION;
	info.size = sizeof(info);
	info.ram_size = ram_end(start);
	info.nr_vcpus = 1;
	for (i = 0; cmdline && cmdline[i] && i < sizeof(info.cmdline) - 1; i++)
		info.cmdline[i] = cmdline[i];
	payload_main(&info);
}
