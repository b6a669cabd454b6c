// SPDX-License-Identifier: GPL-2.0-or-later
/* The payload loader: good ELF and flat images, and files that lie. */
#include "unit/vmm_fake.h"

#include <elf.h>

#include "unit/capture.h"
#include "vmm/loader.h"

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	uint8_t text[64];
	uint8_t data[32];
};

static struct memory ram;

static int setup(void **state)
{
	struct error err = { 0 };

	(void)state;
	return memory__init(&ram, 4 << 20, &err);
}

static int teardown(void **state)
{
	(void)state;
	memory__exit(&ram);
	return 0;
}

static struct image good(void)
{
	struct image image = {
		.eh = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			.e_entry = 0x200010, .e_phoff = offsetof(struct image, ph),
			.e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2,
		},
		.ph = {
			{ .p_type = PT_LOAD, .p_offset = offsetof(struct image, text),
			  .p_vaddr = 0x200000, .p_paddr = 0x200000, .p_filesz = 64, .p_memsz = 64 },
			{ .p_type = PT_LOAD, .p_offset = offsetof(struct image, data),
			  .p_vaddr = 0x201000, .p_paddr = 0x201000, .p_filesz = 32,
			  .p_memsz = 4096 },
		},
	};

	memset(image.text, 0x90, sizeof(image.text));
	memset(image.data, 0xda, sizeof(image.data));
	return image;
}

static int load(const struct image *image, size_t size, struct error *err)
{
	uint64_t entry = 0;

	memset(err, 0, sizeof(*err));
	return loader__load_image(&ram, image, size, &entry, err);
}

static void test_elf(void **state)
{
	struct image image = good();
	struct error err = { 0 };
	uint64_t entry = 0;

	(void)state;
	memset(ram.hva + 0x201000, 0xff, 4096);
	assert_int_equal(loader__load_image(&ram, &image, sizeof(image), &entry, &err), 0);
	assert_int_equal(entry, 0x200010);
	assert_int_equal(ram.hva[0x200000], 0x90);
	assert_int_equal(ram.hva[0x20003f], 0x90);
	assert_int_equal(ram.hva[0x201000], 0xda);
	assert_int_equal(ram.hva[0x20101f], 0xda);
	/* bss is cleared */
	assert_int_equal(ram.hva[0x201020], 0);
	assert_int_equal(ram.hva[0x201fff], 0);
}

static void test_flat(void **state)
{
	static const uint8_t code[] = { 0xf4, 0xeb, 0xfd };
	struct error err = { 0 };
	uint64_t entry = 0;

	(void)state;
	assert_int_equal(loader__load_image(&ram, code, sizeof(code), &entry, &err), 0);
	assert_int_equal(entry, LOADER_FLAT_GPA);
	assert_memory_equal(ram.hva + LOADER_FLAT_GPA, code, sizeof(code));
	assert_int_equal(loader__load_image(&ram, code, 0, &entry, &err), -ENOEXEC);
}

static void test_flat_too_large(void **state)
{
	struct error err = { 0 };
	size_t room = ram.size - LOADER_FLAT_GPA;
	uint64_t entry = 0;
	uint8_t *image;

	(void)state;
	image = calloc(1, ram.size);
	assert_non_null(image);
	assert_int_equal(loader__load_image(&ram, image, room, &entry, &err), 0);
	assert_int_equal(loader__load_image(&ram, image, room + 1, &entry, &err), -ERANGE);
	assert_non_null(strstr(err.msg, "0x400000"));
	free(image);
}

static void assert_says(const struct error *err, const char *what, const char *text)
{
	if (!strstr(err->msg, text))
		fail_msg("%s: says '%s', not '%s'", what, err->msg, text);
}

/* Each case changes one thing of a good image. */
#define BAD(change, want, says) do {						\
	struct image i = good();						\
	struct error err;							\
										\
	change;									\
	assert_int_equal(load(&i, sizeof(i), &err), want);			\
	assert_says(&err, #change, says);					\
} while (0)

static void test_bad_header(void **state)
{
	(void)state;
	BAD(i.eh.e_ident[EI_CLASS] = ELFCLASS32, -ENOEXEC, "not x86-64");
	BAD(i.eh.e_ident[EI_DATA] = ELFDATA2MSB, -ENOEXEC, "not x86-64");
	BAD(i.eh.e_machine = EM_AARCH64, -ENOEXEC, "machine 183");
	BAD(i.eh.e_type = ET_DYN, -ENOEXEC, "not an executable");
	BAD(i.eh.e_phentsize = 32, -ENOEXEC, "program headers of 32 bytes");
	BAD(i.eh.e_phnum = 0, -ENOEXEC, "no segment holds the entry point");
	BAD(i.eh.e_phnum = 60, -ENOEXEC, "beyond the file");
	BAD(i.eh.e_phnum = UINT16_MAX, -ENOEXEC, "beyond the file");
	BAD(i.eh.e_phoff = sizeof(i), -ENOEXEC, "beyond the file");
	BAD(i.eh.e_phoff = UINT64_MAX - 8, -ENOEXEC, "beyond the file");
	BAD(i.eh.e_entry = 0x300000, -ENOEXEC, "0x300000");
	BAD(i.eh.e_entry = 0x200040, -ENOEXEC, "0x200040");
}

static void test_bad_segment(void **state)
{
	(void)state;
	BAD(i.ph[1].p_offset = sizeof(i), -ENOEXEC, "beyond the file");
	BAD(i.ph[1].p_offset = UINT64_MAX - 8, -ENOEXEC, "beyond the file");
	BAD((i.ph[1].p_filesz = UINT64_MAX, i.ph[1].p_memsz = UINT64_MAX), -ENOEXEC,
	    "beyond the file");
	BAD(i.ph[1].p_memsz = 16, -ENOEXEC, "0x20 bytes in the file, 0x10 in memory");
	BAD(i.ph[1].p_paddr = 0x400000, -ERANGE, "not in RAM");
	BAD(i.ph[1].p_paddr = 0x3ff800, -ERANGE, "not in RAM");
	BAD(i.ph[1].p_paddr = UINT64_MAX - 4095, -ERANGE, "not in RAM");
	BAD(i.ph[1].p_memsz = UINT64_MAX, -ERANGE, "not in RAM");
	/* where the VMM's tables and boot information are */
	BAD(i.ph[1].p_paddr = 0x8000, -ERANGE, "not in RAM");
	BAD(i.ph[1].p_paddr = 0xff000 + 1, -ERANGE, "not in RAM");
	BAD(i.ph[0].p_type = PT_NOTE, -ENOEXEC, "no segment holds");
}

static void test_truncated(void **state)
{
	struct image image = good();
	struct error err;
	size_t size;

	(void)state;
	/* From the whole magic on, any cut inside headers or segments must be noticed. */
	for (size = SELFMAG; size < sizeof(image); size++)
		assert_int_equal(load(&image, size, &err), -ENOEXEC);
}

static void test_file(void **state)
{
	char path[] = "/tmp/dmapat-test-XXXXXX";
	struct image image = good();
	struct error err = { 0 };
	uint64_t entry = 0;
	int fd, before = count_fds();

	(void)state;
	assert_int_equal(loader__load(&ram, "/nonexistent/payload", &entry, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "/nonexistent/payload"));
	assert_int_equal(loader__load(&ram, "/tmp", &entry, &err), -ENOEXEC);

	fd = mkstemp(path);
	assert_true(fd >= 0);
	memset(&err, 0, sizeof(err));
	assert_int_equal(loader__load(&ram, path, &entry, &err), -ENOEXEC);
	assert_int_equal(write(fd, &image, sizeof(image)), sizeof(image));
	assert_int_equal(loader__load(&ram, path, &entry, &err), 0);
	assert_int_equal(entry, 0x200010);
	close(fd);
	unlink(path);
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_flat_too_large),
		cmocka_unit_test(test_bad_header),
		cmocka_unit_test(test_bad_segment),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
