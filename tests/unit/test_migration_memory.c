// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page sets, hashes and typed copies, on a machine of memfds. Sets are checked
 * against a plain array of booleans.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/dmabuf_memtype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/migration_copy.h"
#include "vmm/migration_memory.h"

#define RAM_PAGES	200u	/* not a multiple of 64 */

static struct migration_machine machine;
static struct migration_memory mem;

static int setup(void **state)
{
	(void)state;
	memset(&machine, 0, sizeof(machine));
	machine.nr_regions = 3;
	machine.regions[0] = (struct migration_region) {
		.name = "RAM", .size = RAM_PAGES * MIGRATION_PAGE_SIZE, .fd = -1,
	};
	machine.regions[1] = (struct migration_region) {
		.name = "a", .kind = MIGRATION_BUFFER, .size = 64 * MIGRATION_PAGE_SIZE, .fd = -1,
		.slot = 1, .slot_page = 0,
	};
	machine.regions[2] = (struct migration_region) {
		.name = "b", .kind = MIGRATION_BUFFER, .size = 5 * MIGRATION_PAGE_SIZE, .fd = -1,
		.slot = 1, .slot_page = 1024,
	};
	return migration_memory__init(&mem, &machine, 42);
}

static int teardown(void **state)
{
	(void)state;
	migration_memory__exit(&mem);
	return 0;
}

static void test_marks_find_their_region(void **state)
{
	uint64_t page = 0;

	(void)state;
	migration_memory__mark(&mem, 0, 199);
	migration_memory__mark(&mem, 0, 199);
	migration_memory__mark(&mem, 0, 200);		/* beyond RAM */
	migration_memory__mark(&mem, 1, 63);
	migration_memory__mark(&mem, 1, 64);		/* between the buffers */
	migration_memory__mark(&mem, 1, 1023);
	migration_memory__mark(&mem, 1, 1024);
	migration_memory__mark(&mem, 1, 1028);
	migration_memory__mark(&mem, 1, 1029);
	migration_memory__mark(&mem, 2, 0);		/* no such slot */
	migration_memory__mark(&mem, 0, UINT64_MAX);
	/* Nothing is to be sent before it is collected. */
	assert_false(migration_memory__take(&mem, 0, &page, UINT64_MAX));
	assert_int_equal(migration_memory__collect(&mem), 4);
	assert_true(migration_memory__take(&mem, 0, &page, UINT64_MAX));
	assert_int_equal(page, 199);
	page = 0;
	assert_true(migration_memory__take(&mem, 1, &page, UINT64_MAX));
	assert_int_equal(page, 63);
	page = 0;
	assert_true(migration_memory__take(&mem, 2, &page, UINT64_MAX));
	assert_int_equal(page, 0);
	assert_true(migration_memory__take(&mem, 2, &page, UINT64_MAX));
	assert_int_equal(page, 4);
	assert_false(migration_memory__take(&mem, 2, &page, UINT64_MAX));
	assert_int_equal(migration_memory__collect(&mem), 0);
}

/* Random marks and takes, against a set that cannot be wrong. */
static void test_against_plain_set(void **state)
{
	bool marked[RAM_PAGES] = { false }, todo[RAM_PAGES] = { false };
	uint64_t page, expect;
	unsigned int i, n;

	(void)state;
	srandom(7);
	for (i = 0; i < 20000; i++) {
		page = random() % RAM_PAGES;
		switch (random() % 4) {
		case 0:
		case 1:
			migration_memory__mark(&mem, 0, page);
			marked[page] = true;
			break;
		case 2:
			n = 0;
			for (expect = 0; expect < RAM_PAGES; expect++) {
				todo[expect] |= marked[expect];
				marked[expect] = false;
				n += todo[expect];
			}
			assert_int_equal(migration_memory__collect(&mem), n);
			break;
		case 3:
			for (expect = page; expect < RAM_PAGES && !todo[expect]; expect++)
				;
			assert_int_equal(migration_memory__take(&mem, 0, &page, UINT64_MAX),
					 expect < RAM_PAGES);
			if (expect < RAM_PAGES) {
				assert_int_equal(page, expect);
				todo[page] = false;
			}
			break;
		}
	}
}

static void test_add_and_clear(void **state)
{
	uint64_t page = 0;

	(void)state;
	assert_true(migration_memory__add(&mem, 1, 7));
	assert_false(migration_memory__add(&mem, 1, 7));
	migration_memory__add_all(&mem, 1);
	assert_int_equal(mem.tracks[1].nr_todo, 64);
	assert_true(migration_memory__take(&mem, 1, &page, UINT64_MAX));
	assert_int_equal(page, 0);
	migration_memory__clear(&mem);
	assert_false(migration_memory__take(&mem, 1, &page, UINT64_MAX));
	assert_true(migration_memory__add(&mem, 1, 7));
}

static void test_loaded(void **state)
{
	const struct migration_hash h = { 1, 2 };
	uint64_t page = 0, count, i;

	(void)state;
	assert_true(migration_memory__next_missing(&mem, 0, &page, &count));
	assert_int_equal(page, 0);
	assert_int_equal(count, RAM_PAGES);
	for (i = 60; i < 130; i++)
		migration_memory__set_loaded(&mem, 0, i, h);
	assert_true(migration_hash__equal(mem.tracks[0].hashes[63], h));
	assert_true(migration_memory__next_missing(&mem, 0, &page, &count));
	assert_int_equal(page, 0);
	assert_int_equal(count, 60);
	page = 63;
	assert_true(migration_memory__next_missing(&mem, 0, &page, &count));
	assert_int_equal(page, 130);
	assert_int_equal(count, RAM_PAGES - 130);
	/* The other region's are its own. */
	page = 60;
	assert_true(migration_memory__next_missing(&mem, 1, &page, &count));
	assert_int_equal(page, 60);
	/* The end of a pass forgets what came in it, not what is there. */
	migration_memory__clear(&mem);
	page = 60;
	assert_true(migration_memory__next_missing(&mem, 0, &page, &count));
	assert_int_equal(page, 130);
	for (i = 130; i < RAM_PAGES; i++)
		migration_memory__set_loaded(&mem, 0, i, h);
	assert_false(migration_memory__next_missing(&mem, 0, &page, &count));
}

static void test_holes(void **state)
{
	int fd = memfd_create("ram", MFD_CLOEXEC);
	struct migration_region r = {
		.name = "RAM", .kind = MIGRATION_RAM, .size = RAM_PAGES * MIGRATION_PAGE_SIZE,
		.fd = fd,
	};
	uint64_t page = 0, count;

	(void)state;
	assert_int_equal(ftruncate(fd, r.size), 0);
	assert_false(migration_region__next_data(&r, &page, RAM_PAGES, &count));
	assert_int_equal(pwrite(fd, "x", 1, 3 * 4096 + 100), 1);
	assert_int_equal(pwrite(fd, "xy", 2, 5 * 4096 - 1), 2);
	assert_int_equal(pwrite(fd, "x", 1, 199 * 4096), 1);
	page = 0;
	assert_true(migration_region__next_data(&r, &page, RAM_PAGES, &count));
	assert_int_equal(page, 3);
	assert_int_equal(count, 3);
	page = 4;
	assert_true(migration_region__next_data(&r, &page, RAM_PAGES, &count));
	assert_int_equal(page, 4);
	assert_int_equal(count, 2);
	page = 6;
	assert_true(migration_region__next_data(&r, &page, RAM_PAGES, &count));
	assert_int_equal(page, 199);
	assert_int_equal(count, 1);
	page = 200;
	assert_false(migration_region__next_data(&r, &page, RAM_PAGES, &count));

	/* What lies behind the end that is given does not count. */
	page = 0;
	assert_true(migration_region__next_data(&r, &page, 4, &count));
	assert_int_equal(page, 3);
	assert_int_equal(count, 1);
	page = 4;
	assert_false(migration_region__next_data(&r, &page, 4, &count));
	close(fd);

	/* Where holes cannot be asked for, everything is data. */
	r.fd = -1;
	page = 1;
	assert_true(migration_region__next_data(&r, &page, 4, &count));
	assert_int_equal(page, 1);
	assert_int_equal(count, 3);
}

static void test_hashes(void **state)
{
	static uint8_t a[4096], b[4096];
	struct migration_hash zero, one, empty, three;
	struct migration_memory seeded;

	(void)state;
	zero = migration_memory__hash(&mem, a);
	assert_true(migration_hash__equal(zero, mem.zero));
	b[4095] = 1;
	one = migration_memory__hash(&mem, b);
	assert_false(migration_hash__equal(one, zero));

	/* A digest depends on every page, its place and its contents, and on nothing before. */
	empty = migration_memory__digest(&mem, 0);
	migration_memory__set_hash(&mem, 0, 3, one);
	three = migration_memory__digest(&mem, 0);
	assert_false(migration_hash__equal(three, empty));
	migration_memory__set_hash(&mem, 0, 4, one);
	assert_false(migration_hash__equal(migration_memory__digest(&mem, 0), three));
	migration_memory__set_hash(&mem, 0, 3, mem.zero);
	assert_false(migration_hash__equal(migration_memory__digest(&mem, 0), three));
	assert_false(migration_hash__equal(migration_memory__digest(&mem, 0), empty));
	migration_memory__set_hash(&mem, 0, 3, one);
	migration_memory__set_hash(&mem, 0, 4, mem.zero);
	assert_true(migration_hash__equal(migration_memory__digest(&mem, 0), three));
	/* Two pages that change places are not the same. */
	b[4095] = 2;
	migration_memory__set_hash(&mem, 0, 4, migration_memory__hash(&mem, b));
	three = migration_memory__digest(&mem, 0);
	migration_memory__set_hash(&mem, 0, 3, mem.tracks[0].hashes[4]);
	migration_memory__set_hash(&mem, 0, 4, one);
	assert_false(migration_hash__equal(migration_memory__digest(&mem, 0), three));

	assert_int_equal(migration_memory__init(&seeded, &machine, 43), 0);
	assert_false(migration_hash__equal(seeded.zero, mem.zero));
	migration_memory__exit(&seeded);
}

static void test_copies(void **state)
{
	static const uint32_t types[] = {
		DMABUF_MEMTYPE_WB, DMABUF_MEMTYPE_WC, DMABUF_MEMTYPE_UC,
	};
	uint8_t *page = aligned_alloc(4096, 4096), *copy = malloc(4096 + 16);
	unsigned int i, t;

	(void)state;
	assert_non_null(page);
	assert_non_null(copy);
	for (i = 0; i < 4096; i++)
		page[i] = i * 31 + i / 256;
	for (t = 0; t < 3; t++) {
		/* The copy need not be aligned. */
		memset(copy, 0, 4096 + 16);
		migration_copy__read_page(copy + 1, page, types[t]);
		assert_memory_equal(copy + 1, page, 4096);
		assert_int_equal(copy[0], 0);
		assert_int_equal(copy[4097], 0);
	}
	memset(page, 0, 4096);
	assert_true(migration_copy__is_zero(page));
	for (i = 0; i < 4096; i++) {
		page[i] = 1;
		assert_false(migration_copy__is_zero(page));
		page[i] = 0;
	}
	migration_copy__write_page(page, copy + 1);
	assert_memory_equal(page, copy + 1, 4096);
	migration_copy__zero_page(page);
	assert_true(migration_copy__is_zero(page));
	free(page);
	free(copy);
}

/* Streaming loads where they help and the CPU has them, plain ones else; both copy a page. */
static void test_readers(void **state)
{
	void (*const both[2])(void *dst, const void *src) = {
		migration_copy__read_plain, migration_copy__read_streaming,
	};
	static uint8_t page[4096] __attribute__((aligned(4096))), copy[4096 + 16];
	unsigned int i;

	(void)state;
	assert_ptr_equal(migration_copy__reader(DMABUF_MEMTYPE_WB, true), both[0]);
	assert_ptr_equal(migration_copy__reader(DMABUF_MEMTYPE_WB, false), both[0]);
	assert_ptr_equal(migration_copy__reader(DMABUF_MEMTYPE_WC, true), both[1]);
	assert_ptr_equal(migration_copy__reader(DMABUF_MEMTYPE_WC, false), both[0]);
	assert_ptr_equal(migration_copy__reader(DMABUF_MEMTYPE_UC, true), both[1]);
	assert_ptr_equal(migration_copy__reader(DMABUF_MEMTYPE_UC, false), both[0]);

	for (i = 0; i < 4096; i++)
		page[i] = i * 37 + i / 256;
	/* Every x86-64 CPU that runs this has SSE4.1, but for museums. */
	for (i = 0; i < 2; i++) {
		memset(copy, 0, sizeof(copy));
		both[i](copy + 3, page);
		assert_memory_equal(copy + 3, page, 4096);
		assert_int_equal(copy[2], 0);
		assert_int_equal(copy[4099], 0);
	}
}

/* A pipe stands for a DMA-buf: its readiness is the fence, and it knows no SYNC. */
static void test_access_bracket(void **state)
{
	struct migration_region r = { .name = "vgem", .kind = MIGRATION_BUFFER };
	struct error err = { "" };
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	r.fd = fds[0];
	assert_int_equal(migration_copy__begin(&r, false, 20, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.msg, "buffer vgem: a device still works on it after 20 ms"));
	assert_int_equal(write(fds[1], "x", 1), 1);
	err.msg[0] = '\0';
	assert_int_equal(migration_copy__begin(&r, false, 20, &err), -ENOTTY);
	assert_non_null(strstr(err.msg, "DMA_BUF_IOCTL_SYNC"));
	assert_int_equal(migration_copy__end(&r, false, &err), -ENOTTY);
	/* RAM has no fences. */
	r.kind = MIGRATION_RAM;
	assert_int_equal(migration_copy__begin(&r, true, 0, &err), 0);
	assert_int_equal(migration_copy__end(&r, true, &err), 0);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_marks_find_their_region),
		T(test_against_plain_set),
		T(test_add_and_clear),
		T(test_loaded),
		T(test_holes),
		T(test_hashes),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_access_bracket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
