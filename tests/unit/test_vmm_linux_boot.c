// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernels by both boot protocols: where everything goes, and files that lie. */
#include "unit/vmm_fake.h"

#include <asm/bootparam.h>
#include <elf.h>

#include "vmm/acpi.h"
#include "vmm/linux_boot.h"
#include "vmm/linux_pvh.h"
#include "vmm/pci.h"
#include "vmm/util.h"
#include "vmm/vcpu.h"

#define RAM_SIZE	(64ULL << 20)
#define SETUP_SIZE	(5 * 512)
#define CODE_SIZE	8192
#define INIT_SIZE	(16u << 20)
#define INITRD_SIZE	5000

struct bzimage {
	uint8_t bytes[SETUP_SIZE + CODE_SIZE];
};

static struct memory ram;
static uint8_t initrd[INITRD_SIZE];

static int setup(void **state)
{
	struct error err = { 0 };

	(void)state;
	memset(initrd, 0x1d, sizeof(initrd));
	return memory__init(&ram, RAM_SIZE, &err);
}

static int teardown(void **state)
{
	(void)state;
	memory__exit(&ram);
	return 0;
}

static struct setup_header *header(struct bzimage *image)
{
	return (void *)(image->bytes + 0x1f1);
}

static struct bzimage good(void)
{
	struct bzimage image;

	memset(image.bytes, 0, SETUP_SIZE);
	memset(image.bytes + SETUP_SIZE, 0xc0, CODE_SIZE);
	*header(&image) = (struct setup_header) {
		.setup_sects = 4, .boot_flag = 0xaa55, .header = 0x53726448, .version = 0x20f,
		.xloadflags = XLF_KERNEL_64, .initrd_addr_max = 0x7fffffff, .cmdline_size = 2047,
		.pref_address = 0x1000000, .init_size = INIT_SIZE,
	};
	return image;
}

static int load(const struct bzimage *image, size_t size, size_t initrd_size, const char *cmdline,
		struct vcpu_entry *entry, struct error *err)
{
	memset(err, 0, sizeof(*err));
	return linux_boot__load_image(&ram, image->bytes, size, initrd, initrd_size, cmdline, entry,
				      err);
}

static void check_map(const void *entries, size_t stride, unsigned int n)
{
	static const struct {
		uint64_t addr, size;
		uint32_t type;
	} wanted[] = {
		{ 0, 0x9fc00, 1 }, { 0xe0000, 0x20000, 2 },
		{ 0x100000, RAM_SIZE - 0x100000, 1 }, { 0xe0000000, 0x100000, 2 },
	};
	unsigned int i;

	assert_int_equal(n, ARRAY_SIZE(wanted));
	for (i = 0; i < n; i++)
		assert_memory_equal((const uint8_t *)entries + i * stride, &wanted[i], 20);
}

static void test_bzimage(void **state)
{
	struct boot_params *params = memory__hva(&ram, LINUX_BOOT_PARAMS_GPA, sizeof(*params));
	struct bzimage image = good();
	struct vcpu_entry entry = { 0 };
	struct error err;

	(void)state;
	assert_int_equal(load(&image, sizeof(image), INITRD_SIZE, "console=ttyS0", &entry, &err),
			 0);
	assert_int_equal(entry.rip, 0x1000200);
	assert_int_equal(entry.boot_info, LINUX_BOOT_PARAMS_GPA);
	assert_false(entry.protected_mode);
	assert_int_equal(ram.hva[0x1000000], 0xc0);
	assert_int_equal(ram.hva[0x1000000 + CODE_SIZE - 1], 0xc0);
	assert_int_equal(ram.hva[0x1000000 + CODE_SIZE], 0);
	assert_int_equal(params->hdr.type_of_loader, 0xff);
	assert_int_equal(params->acpi_rsdp_addr, ACPI_GPA);
	assert_string_equal((char *)ram.hva + params->hdr.cmd_line_ptr, "console=ttyS0");
	assert_int_equal(params->hdr.ramdisk_size, INITRD_SIZE);
	assert_int_equal(params->hdr.ramdisk_image, RAM_SIZE - 8192);
	assert_memory_equal(ram.hva + params->hdr.ramdisk_image, initrd, INITRD_SIZE);
	check_map(params->e820_table, sizeof(params->e820_table[0]), params->e820_entries);

	/* No initrd; one that may not be above 48 MiB */
	assert_int_equal(load(&image, sizeof(image), 0, "", &entry, &err), 0);
	assert_int_equal(params->hdr.ramdisk_size, 0);
	assert_int_equal(params->hdr.ramdisk_image, 0);
	header(&image)->initrd_addr_max = 0x2ffffff;
	assert_int_equal(load(&image, sizeof(image), INITRD_SIZE, "", &entry, &err), 0);
	assert_int_equal(params->hdr.ramdisk_image, 0x3000000 - 8192);
}

/* Each case changes one thing of a good image. */
#define BAD(change, want, says) do {							\
	struct bzimage i = good();							\
	struct setup_header *h = header(&i);						\
	size_t size = sizeof(i), rd = 0;						\
	struct vcpu_entry entry;							\
	struct error err;								\
											\
	change;										\
	(void)h;									\
	assert_int_equal(load(&i, size, rd, "x", &entry, &err), want);			\
	if (!strstr(err.msg, says))							\
		fail_msg("%s: says '%s', not '%s'", #change, err.msg, says);		\
} while (0)

static void test_bad_bzimage(void **state)
{
	(void)state;
	BAD(size = 0, -ENOEXEC, "not a kernel");
	BAD(size = 0x1f1 + 4, -ENOEXEC, "not a kernel");
	BAD(h->boot_flag = 0, -ENOEXEC, "boot flag 0x0");
	BAD(h->header = 0x12345678, -ENOEXEC, "header 0x12345678");
	BAD(h->version = 0x20b, -ENOEXEC, "protocol 2.11");
	BAD(h->xloadflags = 0, -ENOEXEC, "no 64-bit entry");
	BAD(size = SETUP_SIZE + 0x200, -ENOEXEC, "set-up part");
	BAD(h->setup_sects = 255, -ENOEXEC, "set-up part");
	BAD(h->pref_address = 0x1000, -ENOSPC, "RAM has 0x4000000");
	BAD(h->pref_address = RAM_SIZE + 4096, -ENOSPC, "RAM has 0x4000000");
	BAD(h->pref_address = UINT64_MAX - 100, -ENOSPC, "RAM has 0x4000000");
	BAD(h->init_size = RAM_SIZE, -ENOSPC, "RAM has 0x4000000");
	BAD(h->init_size = 0xffffffff, -ENOSPC, "RAM has 0x4000000");
	BAD(h->init_size = RAM_SIZE - 0x1000000; rd = 1, -ENOSPC, "initrd of 0x1 bytes");
	BAD(h->initrd_addr_max = 0xfff; rd = 1, -ENOSPC, "initrd of 0x1 bytes");
	BAD(h->cmdline_size = 0, -E2BIG, "the kernel takes 0");
}

/* A kernel without setup_sects has four. */
static void test_default_sectors(void **state)
{
	struct bzimage image = good();
	struct vcpu_entry entry;
	struct error err;

	(void)state;
	header(&image)->setup_sects = 0;
	assert_int_equal(load(&image, sizeof(image), 0, "", &entry, &err), 0);
	assert_int_equal(ram.hva[0x1000000], 0xc0);
}

static void test_small_ram(void **state)
{
	struct bzimage image = good();
	struct vcpu_entry entry;
	struct memory small;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(memory__init(&small, 0x80000, &err), 0);
	assert_int_equal(linux_boot__load_image(&small, image.bytes, sizeof(image), NULL, 0, "",
						&entry, &err), -ENOSPC);
	memory__exit(&small);
}

struct note {
	Elf64_Nhdr nh;
	char name[4];
	uint32_t desc[2];
};

struct elf {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	uint8_t text[64];
	struct note notes[2];
};

static struct elf good_elf(void)
{
	return (struct elf) {
		.eh = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			.e_entry = 0x1000000, .e_phoff = offsetof(struct elf, ph),
			.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
		},
		.ph = {
			{ .p_type = PT_LOAD, .p_offset = offsetof(struct elf, text),
			  .p_paddr = 0x1000000, .p_filesz = 64, .p_memsz = 0x10000 },
			{ .p_type = PT_NOTE, .p_offset = offsetof(struct elf, notes),
			  .p_filesz = sizeof(((struct elf *)0)->notes) },
		},
		.notes = {
			{ { 4, 8, 3 }, "Xen", { 1, 0 } },
			{ { 4, 8, 18 }, "Xen", { 0x1000040, 0 } },
		},
	};
}

static int load_elf(const struct elf *elf, struct vcpu_entry *entry, struct error *err)
{
	memset(err, 0, sizeof(*err));
	return linux_boot__load_image(&ram, (const uint8_t *)elf, sizeof(*elf), initrd, INITRD_SIZE,
				      "root=x", entry, err);
}

static void test_pvh(void **state)
{
	/* As in Xen's public/arch-x86/hvm/start_info.h */
	const struct {
		uint32_t magic, version, flags, nr_modules;
		uint64_t modlist, cmdline, rsdp, memmap;
		uint32_t nr_memmap, reserved;
	} *info = memory__hva(&ram, LINUX_BOOT_PARAMS_GPA, 4096);
	struct elf elf = good_elf();
	struct vcpu_entry entry = { 0 };
	const uint64_t *module;
	struct error err;

	(void)state;
	assert_int_equal(load_elf(&elf, &entry, &err), 0);
	assert_int_equal(entry.rip, 0x1000040);
	assert_true(entry.protected_mode);
	assert_int_equal(entry.boot_info, LINUX_BOOT_PARAMS_GPA);
	assert_int_equal(info->magic, 0x336ec578);
	assert_int_equal(info->version, 1);
	assert_int_equal(info->nr_modules, 1);
	assert_int_equal(info->rsdp, ACPI_GPA);
	assert_string_equal((char *)ram.hva + info->cmdline, "root=x");
	module = memory__hva(&ram, info->modlist, 32);
	assert_int_equal(module[0], RAM_SIZE - 8192);
	assert_int_equal(module[1], INITRD_SIZE);
	assert_memory_equal(ram.hva + module[0], initrd, INITRD_SIZE);
	check_map(ram.hva + info->memmap, 24, info->nr_memmap);
}

#define BAD_ELF(change, want, says) do {						\
	struct elf e = good_elf();							\
	struct vcpu_entry entry;							\
	struct error err;								\
											\
	change;										\
	assert_int_equal(load_elf(&e, &entry, &err), want);				\
	if (!strstr(err.msg, says))							\
		fail_msg("%s: says '%s', not '%s'", #change, err.msg, says);		\
} while (0)

static void test_bad_pvh(void **state)
{
	(void)state;
	BAD_ELF(e.notes[1].nh.n_type = 17, -ENOEXEC, "without a PVH entry");
	BAD_ELF(e.notes[1].name[0] = 'x', -ENOEXEC, "without a PVH entry");
	BAD_ELF(e.notes[1].nh.n_descsz = 2, -ENOEXEC, "without a PVH entry");
	BAD_ELF(e.notes[0].nh.n_descsz = 0xffffffff, -ENOEXEC, "without a PVH entry");
	BAD_ELF(e.notes[0].nh.n_namesz = 0xffffffff, -ENOEXEC, "without a PVH entry");
	BAD_ELF(e.ph[1].p_filesz = 0x100000, -ENOEXEC, "without a PVH entry");
	BAD_ELF(e.ph[1].p_offset = UINT64_MAX, -ENOEXEC, "without a PVH entry");
	BAD_ELF(e.notes[1].desc[1] = 1, -ENOEXEC, "not below 4 GiB");
	BAD_ELF(e.eh.e_machine = EM_386, -ENOEXEC, "not x86-64");
	BAD_ELF(e.ph[0].p_memsz = RAM_SIZE, -ERANGE, "not in RAM");
	BAD_ELF(e.ph[0].p_memsz = RAM_SIZE - 0x1000000, -ENOSPC, "initrd of 0x1388 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bzimage),
		cmocka_unit_test(test_bad_bzimage),
		cmocka_unit_test(test_default_sectors),
		cmocka_unit_test(test_small_ram),
		cmocka_unit_test(test_pvh),
		cmocka_unit_test(test_bad_pvh),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
