// SPDX-License-Identifier: GPL-2.0-or-later
/* Guest RAM, boot information and boot page tables as a guest will find them. */
#include "unit/vmm_fake.h"

#include "unit/capture.h"
#include "vmm/boot.h"
#include "vmm/vcpu.h"

/* What payloads are compiled against: a change here is a new BOOT_INFO_VERSION. */
static void test_layout(void **state)
{
	(void)state;
	assert_int_equal(BOOT_INFO_VERSION, 1);
	assert_int_equal(BOOT_INFO_GPA, 0x8000);
	assert_int_equal(offsetof(struct boot_info, magic), 0);
	assert_int_equal(offsetof(struct boot_info, version), 8);
	assert_int_equal(offsetof(struct boot_info, size), 12);
	assert_int_equal(offsetof(struct boot_info, ram_size), 16);
	assert_int_equal(offsetof(struct boot_info, window_gpa), 24);
	assert_int_equal(offsetof(struct boot_info, window_size), 32);
	assert_int_equal(offsetof(struct boot_info, nr_vcpus), 40);
	assert_int_equal(offsetof(struct boot_info, nr_buffers), 44);
	assert_int_equal(offsetof(struct boot_info, cmdline), 48);
	assert_int_equal(offsetof(struct boot_info, buffers), 48 + 1024);
	assert_int_equal(sizeof(struct boot_info_buffer), 64);
	assert_int_equal(sizeof(struct boot_info), 48 + 1024 + 64 * 64);
	assert_memory_equal(&(uint64_t) { BOOT_INFO_MAGIC }, "DMAPTBI0", 8);
}

static void test_info(void **state)
{
	struct buffer a = { .name = "first", .offset = 0x1000, .size = 0x2000, .map_info = 1 };
	struct buffer b = { .name = "second", .offset = 0x100000, .size = 0x1000, .map_info = 3 };
	struct buffer *buffers[BOOT_INFO_MAX_BUFFERS + 1] = { &a, &b };
	struct window win = { .gpa = 4ULL << 30, .size = 1 << 30, .buffers = buffers,
			      .nr_buffers = 2 };
	unsigned int i;
	struct boot_info info;
	struct error err = { 0 };

	(void)state;
	memset(&info, 0xff, sizeof(info));
	assert_int_equal(boot__info(&info, 64 << 20, &win, 2, "mode=touch mark", &err), 0);
	assert_true(info.magic == BOOT_INFO_MAGIC);
	assert_int_equal(info.size, sizeof(info));
	assert_int_equal(info.ram_size, 64 << 20);
	assert_true(info.window_gpa == 4ULL << 30);
	assert_int_equal(info.window_size, 1 << 30);
	assert_int_equal(info.nr_vcpus, 2);
	assert_int_equal(info.nr_buffers, 2);
	assert_string_equal(info.cmdline, "mode=touch mark");
	assert_string_equal(info.buffers[0].name, "first");
	assert_int_equal(info.buffers[0].offset, 0x1000);
	assert_int_equal(info.buffers[0].size, 0x2000);
	assert_int_equal(info.buffers[0].map_info, 1);
	assert_string_equal(info.buffers[1].name, "second");
	assert_int_equal(info.buffers[1].map_info, 3);
	assert_int_equal(info.buffers[2].size, 0);

	/* One more than the page has room for: the first are listed, and it is said. */
	for (; win.nr_buffers < BOOT_INFO_MAX_BUFFERS + 1; win.nr_buffers++)
		buffers[win.nr_buffers] = &b;
	capture_begin();
	assert_int_equal(boot__info(&info, 64 << 20, &win, 2, "", &err), 0);
	assert_logged(capture_end(), "lists the first 64 of 65 buffers");
	assert_int_equal(info.nr_buffers, BOOT_INFO_MAX_BUFFERS);
	for (i = 1; i < BOOT_INFO_MAX_BUFFERS; i++)
		assert_string_equal(info.buffers[i].name, "second");
}

static void test_long_cmdline(void **state)
{
	char text[BOOT_INFO_CMDLINE_MAX + 1];
	struct window win = { 0 };
	struct boot_info info;
	struct error err = { 0 };

	(void)state;
	memset(text, 'a', sizeof(text));
	text[BOOT_INFO_CMDLINE_MAX] = '\0';
	assert_int_equal(boot__info(&info, 0, &win, 1, text, &err), -E2BIG);
	text[BOOT_INFO_CMDLINE_MAX - 1] = '\0';
	assert_int_equal(boot__info(&info, 0, &win, 1, text, &err), 0);
	assert_string_equal(info.cmdline, text);
}

/* Walk the tables as the CPU does (SDM vol. 3A, 4.5). Returns the physical address. */
static uint64_t walk(const struct memory *ram, uint64_t cr3, uint64_t va)
{
	uint64_t table = cr3, entry = 0;
	int level;

	for (level = 4; level > 1; level--) {
		memcpy(&entry, ram->hva + table + 8 * (va >> (12 + 9 * (level - 1)) & 511), 8);
		assert_true(entry & 1);
		assert_true(entry & 2);
		if (level == 2)
			break;
		table = entry & 0xffffffffff000;
	}
	assert_true(entry & 0x80);
	return (entry & 0xfffffffe00000) | (va & 0x1fffff);
}

static void test_tables(void **state)
{
	struct vcpu_entry entry = { 0 };
	struct error err = { 0 };
	struct memory ram;
	uint64_t gdt[3], va;

	(void)state;
	assert_int_equal(memory__init(&ram, 1 << 20, &err), 0);
	assert_int_equal(boot__tables(&ram, &entry, &err), 0);
	for (va = 0; va < 4ULL << 30; va += 0x1ff123)
		assert_true(walk(&ram, entry.cr3, va) == va);
	memcpy(gdt, ram.hva + entry.gdt, sizeof(gdt));
	assert_true(gdt[0] == 0);
	assert_true(gdt[1] >> 53 & 1);		/* L: 64-bit code */
	assert_int_equal(gdt[1] >> 40 & 0xff, 0x9b);
	assert_int_equal(gdt[2] >> 40 & 0xff, 0x93);
	assert_int_equal(entry.boot_info, BOOT_INFO_GPA);
	assert_true(entry.stack <= BOOT_RESERVED_END);
	memory__exit(&ram);
}

static void test_tables_need_room(void **state)
{
	struct vcpu_entry entry = { 0 };
	struct error err = { 0 };
	struct memory ram;

	(void)state;
	assert_int_equal(memory__init(&ram, 64 << 10, &err), 0);
	assert_int_equal(boot__tables(&ram, &entry, &err), -ERANGE);
	memory__exit(&ram);
}

static void test_memory(void **state)
{
	struct error err = { 0 };
	int before = count_fds();
	struct memory ram;

	(void)state;
	assert_int_equal(memory__init(&ram, 1 << 20, &err), 0);
	assert_true(memory__hva(&ram, 0, 1 << 20) == ram.hva);
	assert_true(memory__hva(&ram, 0xff000, 0x1000) == ram.hva + 0xff000);
	assert_null(memory__hva(&ram, 0xff000, 0x1001));
	assert_null(memory__hva(&ram, 1 << 20, 1));
	assert_null(memory__hva(&ram, 0x1000, UINT64_MAX));
	assert_null(memory__hva(&ram, UINT64_MAX, 2));
	/* sealed: nobody with the fd can pull it from under the guest */
	assert_int_equal(ftruncate(ram.fd, 0), -1);
	assert_int_equal(ftruncate(ram.fd, 2 << 20), -1);
	assert_int_equal(fcntl(ram.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	memory__exit(&ram);
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_long_cmdline),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_tables_need_room),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
