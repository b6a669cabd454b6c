// SPDX-License-Identifier: GPL-2.0-or-later
/* The PVH entry of an ELF kernel; see linux_pvh.h. */
#include "vmm/linux_pvh.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "vmm/loader.h"
#include "vmm/memory.h"

#define NOTE_NAME		"Xen"
#define NOTE_PHYS32_ENTRY	18u	/* XEN_ELFNOTE_PHYS32_ENTRY */
#define START_MAGIC		0x336ec578u

struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memmap;
	uint32_t nr_memmap;
	uint32_t reserved;
};

struct hvm_module {
	uint64_t addr, size, cmdline, reserved;
};

/* All at one place, in this order. */
struct pvh_page {
	struct hvm_start_info info;
	struct hvm_module initrd;
	struct pvh_memmap_entry memmap[PVH_MEMMAP_MAX];
};

static uint64_t padded(uint64_t size)
{
	return (size + 3) & ~3ULL;
}

/* The notes of one segment. False: the one that is wanted is not among them. */
static bool find_entry(const uint8_t *notes, uint64_t size, uint64_t *entry)
{
	const char *name;
	Elf64_Nhdr nh;
	uint64_t len;

	while (size >= sizeof(nh)) {
		memcpy(&nh, notes, sizeof(nh));
		len = sizeof(nh) + padded(nh.n_namesz) + padded(nh.n_descsz);
		if (len > size)
			return false;
		name = (const char *)notes + sizeof(nh);
		if (nh.n_type == NOTE_PHYS32_ENTRY && nh.n_namesz == sizeof(NOTE_NAME) &&
		    !memcmp(name, NOTE_NAME, sizeof(NOTE_NAME)) &&
		    (nh.n_descsz == 4 || nh.n_descsz == 8)) {
			*entry = 0;
			memcpy(entry, name + padded(nh.n_namesz), nh.n_descsz);
			return true;
		}
		notes += len;
		size -= len;
	}
	return false;
}

int linux_pvh__load(const struct memory *ram, const uint8_t *image, size_t size, uint64_t *entry,
		    uint64_t *end, struct error *err)
{
	bool found = false;
	uint64_t ignored;
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	unsigned int i;
	int r;

	/* It checks all headers. */
	r = loader__load_image(ram, image, size, &ignored, err);
	if (r < 0)
		return r;
	memcpy(&eh, image, sizeof(eh));
	*end = 0;
	for (i = 0; i < eh.e_phnum; i++) {
		memcpy(&ph, image + eh.e_phoff + i * sizeof(ph), sizeof(ph));
		if (ph.p_type == PT_LOAD && ph.p_paddr + ph.p_memsz > *end)
			*end = ph.p_paddr + ph.p_memsz;
		if (ph.p_type == PT_NOTE && !found && ph.p_offset <= size &&
		    ph.p_filesz <= size - ph.p_offset)
			found = find_entry(image + ph.p_offset, ph.p_filesz, entry);
	}
	if (!found)
		return error__set(err, ENOEXEC,
				  "ELF kernel without a PVH entry (Xen note %u): is CONFIG_PVH set in it?",
				  NOTE_PHYS32_ENTRY);
	if (*entry > UINT32_MAX)
		return error__set(err, ENOEXEC, "PVH entry at 0x%llx: not below 4 GiB",
				  (unsigned long long)*entry);
	return 0;
}

void linux_pvh__write_info(const struct memory *ram, uint64_t gpa, const struct pvh_info *info)
{
	struct pvh_page *page = memory__hva(ram, gpa, sizeof(*page));

	*page = (struct pvh_page) {
		.info = {
			.magic = START_MAGIC,
			.version = 1,
			.nr_modules = info->initrd_size ? 1 : 0,
			.modlist = gpa + offsetof(struct pvh_page, initrd),
			.cmdline = info->cmdline_gpa,
			.rsdp = info->rsdp_gpa,
			.memmap = gpa + offsetof(struct pvh_page, memmap),
			.nr_memmap = info->nr_memmap,
		},
		.initrd = { .addr = info->initrd_gpa, .size = info->initrd_size },
	};
	memcpy(page->memmap, info->memmap, info->nr_memmap * sizeof(info->memmap[0]));
}
