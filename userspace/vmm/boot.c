// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's low memory at start; see boot.h and boot_info.h. */
#include "vmm/boot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "vmm/linux_boot.h"
#include "vmm/loader.h"
#include "vmm/options.h"
#include "vmm/util.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define BOOT_GDT_GPA	0x1000
#define BOOT_PML4_GPA	0x2000
#define BOOT_PDPT_GPA	0x3000
#define BOOT_PD_GPA	0x4000		/* four of them, one a GiB */
#define BOOT_NR_PD	4
#define BOOT_STACK_GPA	0x20000		/* grows down to the boot information's end */

#define PTE_PRESENT	0x001ULL
#define PTE_WRITE	0x002ULL
#define PTE_LARGE	0x080ULL
#define PTES		512

_Static_assert(BOOT_PD_GPA + BOOT_NR_PD * VMM_PAGE_SIZE <= BOOT_INFO_GPA, "page tables");
_Static_assert(BOOT_INFO_GPA + sizeof(struct boot_info) <= BOOT_STACK_GPA - 0x4000, "stack");
_Static_assert(sizeof(((struct boot_info_buffer *)0)->name) == BUFFER_NAME_MAX, "names");

int boot__info(struct boot_info *info, uint64_t ram_size, const struct window *win,
	       unsigned int nr_vcpus, const char *cmdline, struct error *err)
{
	unsigned int i, nr = win->nr_buffers;

	if (strlen(cmdline) >= sizeof(info->cmdline))
		return error__set(err, E2BIG, "command line of %zu bytes, %zu fit", strlen(cmdline),
				  sizeof(info->cmdline) - 1);

	if (nr > BOOT_INFO_MAX_BUFFERS) {
		log_warn("the boot information lists the first %u of %u buffers",
			 BOOT_INFO_MAX_BUFFERS, nr);
		nr = BOOT_INFO_MAX_BUFFERS;
	}
	*info = (struct boot_info) {
		.magic = BOOT_INFO_MAGIC,
		.version = BOOT_INFO_VERSION,
		.size = sizeof(*info),
		.ram_size = ram_size,
		.window_gpa = win->gpa,
		.window_size = win->size,
		.nr_vcpus = nr_vcpus,
		.nr_buffers = nr,
	};
	snprintf(info->cmdline, sizeof(info->cmdline), "%s", cmdline);
	for (i = 0; i < nr; i++) {
		const struct buffer *buf = win->buffers[i];

		info->buffers[i] = (struct boot_info_buffer) {
			.offset = buf->offset,
			.size = buf->size,
			.map_info = buf->map_info,
		};
		snprintf(info->buffers[i].name, sizeof(info->buffers[i].name), "%s", buf->name);
	}
	return 0;
}

static void *boot__hva(const struct memory *ram, uint64_t gpa, uint64_t size, struct error *err)
{
	void *hva = memory__hva(ram, gpa, size);

	if (!hva)
		error__set(err, ERANGE,
			   "boot area [0x%" PRIx64 ", +0x%" PRIx64 ") is not in RAM of 0x%" PRIx64 " bytes",
			   gpa, size, ram->size);
	return hva;
}

int boot__tables(const struct memory *ram, struct vcpu_entry *entry, struct error *err)
{
	/* Null, 64-bit code, data: as vcpu__set_entry() loads them. */
	static const uint64_t gdt[] = { 0, 0x00af9b000000ffffULL, 0x00cf93000000ffffULL };
	uint64_t *low, *pml4, *pdpt, *pd;
	unsigned int i;

	low = boot__hva(ram, 0, BOOT_STACK_GPA, err);
	if (!low)
		return -ERANGE;
	memset(low, 0, BOOT_STACK_GPA);
	memcpy(low + BOOT_GDT_GPA / sizeof(*low), gdt, sizeof(gdt));
	pml4 = low + BOOT_PML4_GPA / sizeof(*low);
	pdpt = low + BOOT_PDPT_GPA / sizeof(*low);
	pd = low + BOOT_PD_GPA / sizeof(*low);

	pml4[0] = BOOT_PDPT_GPA | PTE_PRESENT | PTE_WRITE;
	for (i = 0; i < BOOT_NR_PD; i++)
		pdpt[i] = (BOOT_PD_GPA + i * VMM_PAGE_SIZE) | PTE_PRESENT | PTE_WRITE;
	for (i = 0; i < BOOT_NR_PD * PTES; i++)
		pd[i] = (uint64_t)i << 21 | PTE_PRESENT | PTE_WRITE | PTE_LARGE;

	entry->gdt = BOOT_GDT_GPA;
	entry->cr3 = BOOT_PML4_GPA;
	entry->stack = BOOT_STACK_GPA;
	entry->boot_info = BOOT_INFO_GPA;
	return 0;
}

static int boot__payload(struct vm *vm, struct vcpu_entry *entry, struct error *err)
{
	const struct options *opts = vm->options;
	struct boot_info *info;
	int r;

	r = loader__load(&vm->ram, opts->payload, &entry->rip, err);
	if (r < 0)
		return r;
	info = boot__hva(&vm->ram, BOOT_INFO_GPA, sizeof(*info), err);
	if (!info)
		return -ERANGE;
	window__freeze(&vm->window);
	r = boot__info(info, vm->ram.size, &vm->window, vm->nr_vcpus, opts->cmdline, err);
	window__thaw(&vm->window);
	return r;
}

static int boot__linux(struct vm *vm, struct vcpu_entry *entry, struct error *err)
{
	unsigned int i;
	int r;

	r = linux_boot__prepare(vm, entry, err);
	for (i = 0; !r && i < vm->nr_vcpus; i++)
		r = vcpu__set_mtrrs(&vm->vcpus[i], err);
	return r;
}

int boot__prepare(struct vm *vm, struct error *err)
{
	struct vcpu_entry entry = { 0 };
	int r;

	r = boot__tables(&vm->ram, &entry, err);
	if (!r)
		r = vm->options->kernel ? boot__linux(vm, &entry, err) :
					  boot__payload(vm, &entry, err);
	return r < 0 ? r : vcpu__set_entry(&vm->vcpus[0], &entry, err);
}
