// SPDX-License-Identifier: GPL-2.0-or-later
/* Starts a Linux kernel; see linux_boot.h. Nothing in the files is trusted. */
#include "vmm/linux_boot.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vmm/acpi.h"
#include "vmm/boot_info.h"
#include "vmm/file_map.h"
#include "vmm/linux_pvh.h"
#include "vmm/memory.h"
#include "vmm/options.h"
#include "vmm/pci.h"
#include "vmm/util.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define HEADER_OFFSET		0x1f1u		/* struct setup_header in the file */
#define HEADER_MAGIC		0x53726448u	/* "HdrS" */
#define BOOT_FLAG		0xaa55u
#define PROTOCOL_MIN		0x020cu		/* 2.12: xloadflags */
#define LOADER_UNKNOWN		0xffu
#define ENTRY_64		0x200u		/* behind the start of the loaded part */
#define SECTOR			512u
#define DEFAULT_SETUP_SECTORS	4u

#define LOW_RAM_END		0x9fc00u	/* the EBDA would begin here */
#define E820_RAM		1u
#define E820_RESERVED		2u
#define NR_E820			4u

_Static_assert(NR_E820 <= PVH_MEMMAP_MAX, "both protocols take the map");

/* What the guest is told of its memory. */
static void memory_map(const struct memory *ram, struct pvh_memmap_entry map[NR_E820])
{
	map[0] = (struct pvh_memmap_entry) { .size = LOW_RAM_END, .type = E820_RAM };
	map[1] = (struct pvh_memmap_entry) {
		.addr = ACPI_GPA, .size = ACPI_SIZE, .type = E820_RESERVED,
	};
	map[2] = (struct pvh_memmap_entry) {
		.addr = BOOT_RESERVED_END, .size = ram->size - BOOT_RESERVED_END, .type = E820_RAM,
	};
	map[3] = (struct pvh_memmap_entry) {
		.addr = PCI_ECAM_BASE, .size = PCI_ECAM_SIZE, .type = E820_RESERVED,
	};
}

static int put_cmdline(const struct memory *ram, const char *cmdline, size_t max, struct error *err)
{
	size_t len = strlen(cmdline);

	if (max > LINUX_CMDLINE_MAX - 1)
		max = LINUX_CMDLINE_MAX - 1;
	if (len > max)
		return error__set(err, E2BIG, "command line of %zu bytes, the kernel takes %zu", len,
				  max);
	memcpy(memory__hva(ram, LINUX_CMDLINE_GPA, LINUX_CMDLINE_MAX), cmdline, len + 1);
	return 0;
}

/* As high as it may be, above what the kernel needs for itself. */
static int put_initrd(const struct memory *ram, const uint8_t *initrd, size_t size,
		      uint64_t kernel_end, uint64_t max, uint64_t *gpa, struct error *err)
{
	uint64_t top = ram->size < max ? ram->size : max;

	*gpa = 0;
	if (!size)
		return 0;
	if (kernel_end > top || size > top - kernel_end ||
	    ((top - size) & ~(VMM_PAGE_SIZE - 1)) < kernel_end)
		return error__set(err, ENOSPC,
				  "initrd of 0x%zx bytes does not fit between the kernel's end at 0x%" PRIx64
				  " and 0x%" PRIx64, size, kernel_end, top);
	*gpa = (top - size) & ~(VMM_PAGE_SIZE - 1);
	memcpy(memory__hva(ram, *gpa, size), initrd, size);
	return 0;
}

static int check_header(const struct setup_header *h, size_t size, size_t setup_size,
			struct error *err)
{
	if (h->boot_flag != BOOT_FLAG || h->header != HEADER_MAGIC)
		return error__set(err, ENOEXEC,
				  "neither an ELF nor a bzImage: boot flag 0x%x, header 0x%x",
				  h->boot_flag, h->header);
	if (h->version < PROTOCOL_MIN || !(h->xloadflags & XLF_KERNEL_64))
		return error__set(err, ENOEXEC,
				  "bzImage: boot protocol %u.%02u, load flags 0x%x: no 64-bit entry",
				  h->version >> 8, h->version & 0xff, h->xloadflags);
	if (setup_size + ENTRY_64 >= size)
		return error__set(err, ENOEXEC,
				  "bzImage: file of 0x%zx bytes ends within its set-up part of 0x%zx",
				  size, setup_size);
	return 0;
}

static int load_bzimage(const struct memory *ram, const uint8_t *image, size_t size,
			const uint8_t *initrd, size_t initrd_size, const char *cmdline,
			struct vcpu_entry *entry, struct error *err)
{
	struct boot_params *params = memory__hva(ram, LINUX_BOOT_PARAMS_GPA, sizeof(*params));
	struct pvh_memmap_entry map[NR_E820];
	struct setup_header h;
	uint64_t initrd_gpa, needed;
	size_t setup_size;
	unsigned int i;
	int r;

	memcpy(&h, image + HEADER_OFFSET, sizeof(h));
	setup_size = ((h.setup_sects ? h.setup_sects : DEFAULT_SETUP_SECTORS) + 1) * SECTOR;
	r = check_header(&h, size, setup_size, err);
	if (r < 0)
		return r;
	needed = h.init_size > size - setup_size ? h.init_size : size - setup_size;
	if (h.pref_address < BOOT_RESERVED_END || h.pref_address > ram->size ||
	    needed > ram->size - h.pref_address)
		return error__set(err, ENOSPC,
				  "bzImage: needs [0x%" PRIx64 ", +0x%" PRIx64 "), RAM has 0x%" PRIx64 " bytes",
				  (uint64_t)h.pref_address, needed, ram->size);
	memcpy(memory__hva(ram, h.pref_address, size - setup_size), image + setup_size,
	       size - setup_size);
	r = put_initrd(ram, initrd, initrd_size, h.pref_address + needed,
		       (uint64_t)h.initrd_addr_max + 1, &initrd_gpa, err);
	if (!r)
		r = put_cmdline(ram, cmdline, h.cmdline_size, err);
	if (r < 0)
		return r;

	memset(params, 0, sizeof(*params));
	params->hdr = h;
	params->hdr.type_of_loader = LOADER_UNKNOWN;
	params->hdr.cmd_line_ptr = LINUX_CMDLINE_GPA;
	params->hdr.ramdisk_image = initrd_gpa;
	params->hdr.ramdisk_size = initrd_size;
	params->acpi_rsdp_addr = ACPI_GPA;
	memory_map(ram, map);
	for (i = 0; i < NR_E820; i++)
		params->e820_table[i] = (struct boot_e820_entry) {
			.addr = map[i].addr, .size = map[i].size, .type = map[i].type,
		};
	params->e820_entries = NR_E820;

	entry->rip = h.pref_address + ENTRY_64;
	entry->boot_info = LINUX_BOOT_PARAMS_GPA;
	return 0;
}

static int load_pvh(const struct memory *ram, const uint8_t *image, size_t size,
		    const uint8_t *initrd, size_t initrd_size, const char *cmdline,
		    struct vcpu_entry *entry, struct error *err)
{
	struct pvh_info info = {
		.cmdline_gpa = LINUX_CMDLINE_GPA, .initrd_size = initrd_size,
		.rsdp_gpa = ACPI_GPA, .nr_memmap = NR_E820,
	};
	uint64_t end;
	int r;

	r = linux_pvh__load(ram, image, size, &entry->rip, &end, err);
	if (!r)
		r = put_initrd(ram, initrd, initrd_size, end, ram->size, &info.initrd_gpa, err);
	if (!r)
		r = put_cmdline(ram, cmdline, LINUX_CMDLINE_MAX, err);
	if (r < 0)
		return r;
	memory_map(ram, info.memmap);
	linux_pvh__write_info(ram, LINUX_BOOT_PARAMS_GPA, &info);
	entry->boot_info = LINUX_BOOT_PARAMS_GPA;
	entry->protected_mode = true;
	return 0;
}

int linux_boot__load_image(const struct memory *ram, const uint8_t *image, size_t size,
			   const uint8_t *initrd, size_t initrd_size, const char *cmdline,
			   struct vcpu_entry *entry, struct error *err)
{
	if (!memory__hva(ram, 0, BOOT_RESERVED_END))
		return error__set(err, ENOSPC, "RAM of 0x%" PRIx64 " bytes is too small for Linux",
				  ram->size);
	if (size >= SELFMAG && !memcmp(image, ELFMAG, SELFMAG))
		return load_pvh(ram, image, size, initrd, initrd_size, cmdline, entry, err);
	if (size < HEADER_OFFSET + sizeof(struct setup_header))
		return error__set(err, ENOEXEC, "file of %zu bytes: not a kernel", size);
	return load_bzimage(ram, image, size, initrd, initrd_size, cmdline, entry, err);
}

int linux_boot__prepare(struct vm *vm, struct vcpu_entry *entry, struct error *err)
{
	const struct options *opts = vm->options;
	struct file_map kernel, initrd = { .data = NULL };
	struct error why = { "" };
	int r;

	r = file_map__open(&kernel, "kernel", opts->kernel, err);
	if (r < 0)
		return r;
	if (opts->initrd)
		r = file_map__open(&initrd, "initrd", opts->initrd, err);
	if (!r) {
		r = linux_boot__load_image(&vm->ram, kernel.data, kernel.size, initrd.data,
					   initrd.size, opts->cmdline, entry, &why);
		if (r < 0)
			error__set(err, -r, "kernel %s: %s", opts->kernel, why.msg);
	}
	if (!r)
		r = acpi__write(&vm->ram, vm->nr_vcpus, vm->options->window_base,
				vm->options->window_size, err);
	file_map__close(&initrd);
	file_map__close(&kernel);
	return r;
}
