// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/guest_memory.c: tables that are right, and every way in which they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/eventfd.h>

#include "capture.h"
#include "gpu-proc/guest_memory.h"

#define PAGE	4096ull

static int fds[VHOST_USER_MAX_REGIONS];

static int make_fds(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < VHOST_USER_MAX_REGIONS; i++) {
		fds[i] = memfd_create("guest", MFD_CLOEXEC);
		if (fds[i] < 0 || ftruncate(fds[i], 4 * PAGE) < 0)
			return -1;
	}
	return 0;
}

static int close_fds(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < VHOST_USER_MAX_REGIONS; i++)
		close(fds[i]);
	return 0;
}

static struct vhost_user_region region(uint64_t gpa, uint64_t size, uint64_t user, uint64_t offset)
{
	return (struct vhost_user_region){
		.guest_phys_addr = gpa,
		.size = size,
		.user_addr = user,
		.mmap_offset = offset,
	};
}

static void test_translate(void **state)
{
	struct vhost_user_memory table = {
		.nregions = 2,
		.regions = {
			region(0, 2 * PAGE, 0x7f0000000000, PAGE),
			region(0x100000000, PAGE, 0x7f0000002000, 0),
		},
	};
	struct guest_memory memory = { .log.event = -1 };
	char byte = 'x';

	(void)state;
	assert_int_equal(guest_memory_set(&memory, &table, fds), 0);
	assert_int_equal(pwrite(fds[0], &byte, 1, PAGE + 5), 1);
	assert_int_equal(*(char *)guest_memory_from_guest(&memory, 5, 1), 'x');
	assert_int_equal(*(char *)guest_memory_from_user(&memory, 0x7f0000000005, 1), 'x');
	*(char *)guest_memory_from_guest(&memory, 0x100000fff, 1) = 'y';
	assert_int_equal(pread(fds[1], &byte, 1, PAGE - 1), 1);
	assert_int_equal(byte, 'y');

	/* the edges, and over them */
	assert_non_null(guest_memory_from_guest(&memory, 0, 2 * PAGE));
	assert_non_null(guest_memory_from_guest(&memory, 2 * PAGE, 0));
	assert_null(guest_memory_from_guest(&memory, 0, 2 * PAGE + 1));
	assert_null(guest_memory_from_guest(&memory, 2 * PAGE, 1));
	assert_null(guest_memory_from_guest(&memory, 2 * PAGE - 1, 2));
	assert_null(guest_memory_from_guest(&memory, 1, UINT64_MAX));
	assert_null(guest_memory_from_guest(&memory, UINT64_MAX, 2));
	/* neighbours in the front-end's addresses are not neighbours here */
	assert_null(guest_memory_from_user(&memory, 0x7f0000001fff, 2));
	assert_null(guest_memory_from_user(&memory, 0, 1));

	guest_memory_clear(&memory);
	assert_null(guest_memory_from_guest(&memory, 0, 1));
	assert_int_equal(count_maps("memfd:guest"), 0);
}

static void test_offset_within_page(void **state)
{
	struct vhost_user_memory table = {
		.nregions = 1,
		.regions = { region(0x1000, PAGE, 0x1000, PAGE + 512) },
	};
	struct guest_memory memory = { .log.event = -1 };
	char byte = 'z';

	(void)state;
	assert_int_equal(guest_memory_set(&memory, &table, fds), 0);
	assert_int_equal(pwrite(fds[0], &byte, 1, PAGE + 512), 1);
	assert_int_equal(*(char *)guest_memory_from_guest(&memory, 0x1000, PAGE), 'z');
	guest_memory_clear(&memory);
	assert_int_equal(count_maps("memfd:guest"), 0);
}

static void test_eight_regions(void **state)
{
	struct vhost_user_memory table = { .nregions = VHOST_USER_MAX_REGIONS };
	struct guest_memory memory = { .log.event = -1 };
	unsigned int i;

	(void)state;
	for (i = 0; i < VHOST_USER_MAX_REGIONS; i++)
		table.regions[i] = region(i * PAGE, PAGE, 0x1000000 - i * PAGE, 0);
	assert_int_equal(guest_memory_set(&memory, &table, fds), 0);
	assert_int_equal(count_maps("memfd:guest"), VHOST_USER_MAX_REGIONS);
	guest_memory_clear(&memory);
	assert_int_equal(count_maps("memfd:guest"), 0);
}

/* A table that is refused leaves the one before it in place, and nothing of its own. */
static void test_refused(void **state)
{
	static const struct {
		struct vhost_user_region first, second;
		const char *text;
	} cases[] = {
		{ { 0, 0, 0, 0 }, { PAGE, PAGE, PAGE, 0 }, "memory region 0: size 0x0" },
		{ { 0, PAGE, 0, 0 }, { PAGE, 0, PAGE, 0 }, "memory region 1: size 0x0" },
		{ { UINT64_MAX - 1, PAGE, 0, 0 }, { PAGE, PAGE, PAGE, 0 },
		  "guest 0xfffffffffffffffe, user 0x0, file offset 0x0: empty, or wraps around" },
		{ { 0, PAGE, UINT64_MAX - 1, 0 }, { PAGE, PAGE, PAGE, 0 }, "wraps around" },
		{ { 0, PAGE, 0, UINT64_MAX - PAGE + 1 }, { PAGE, PAGE, PAGE, 0 }, "wraps around" },
		{ { 0, PAGE, 0, INT64_MAX }, { PAGE, PAGE, PAGE, 0 }, "wraps around" },
		{ { 0, UINT64_MAX, 0, 0 }, { 0, PAGE, 0, 0 }, "wraps around" },
		{ { 0, 2 * PAGE, 0, 0 }, { PAGE, PAGE, 2 * PAGE, 0 },
		  "memory region 1 at guest 0x1000+0x1000 overlaps region 0 at 0x0+0x2000" },
		{ { PAGE, PAGE, 0, 0 }, { 0, 4 * PAGE, PAGE, 0 },
		  "memory region 1 at guest 0x0+0x4000 overlaps region 0 at 0x1000+0x1000" },
		{ { 0, PAGE, 0, 0 }, { 0, PAGE, PAGE, 0 }, "overlaps region 0" },
		{ { 0, 2 * PAGE, 0, 0 }, { 2 * PAGE, PAGE, PAGE, 0 },
		  "memory region 1 at user 0x1000+0x1000 overlaps region 0 at 0x0+0x2000" },
		{ { 0, 5 * PAGE, 0, 0 }, { 5 * PAGE, PAGE, 5 * PAGE, 0 },
		  "memory region 0: ends at byte 0x5000 of its file, which has 0x4000" },
		{ { 0, PAGE, 0, 0 }, { PAGE, PAGE, PAGE, 4 * PAGE },
		  "memory region 1: ends at byte 0x5000 of its file, which has 0x4000" },
	};
	struct vhost_user_memory good = { .nregions = 1, .regions = { region(0, PAGE, 0, 0) } };
	struct guest_memory memory = { .log.event = -1 };
	const char *log;
	size_t i;
	int ret;

	(void)state;
	assert_int_equal(guest_memory_set(&memory, &good, fds), 0);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vhost_user_memory table = {
			.nregions = 2,
			.regions = { cases[i].first, cases[i].second },
		};

		capture_begin();
		ret = guest_memory_set(&memory, &table, fds);
		log = capture_end();
		if (!ret)
			fail_msg("case %zu was taken, instead of: %s", i, cases[i].text);
		assert_logged(log, cases[i].text);
		assert_int_equal(memory.count, 1);
		assert_int_equal(count_maps("memfd:guest"), 1);
		assert_non_null(guest_memory_from_guest(&memory, 0, PAGE));
	}
	guest_memory_clear(&memory);
}

/* An fd that cannot be mapped. */
static void test_unmappable(void **state)
{
	struct vhost_user_memory table = { .nregions = 1, .regions = { region(0, PAGE, 0, 0) } };
	struct guest_memory memory = { .log.event = -1 };
	const char *log;
	int pipefd[2];

	(void)state;
	assert_int_equal(pipe(pipefd), 0);
	capture_begin();
	assert_int_equal(guest_memory_set(&memory, &table, pipefd), -1);
	log = capture_end();
	assert_logged(log, "memory region 0: ends at byte 0x1000 of its file, which has 0x0");
	close(pipefd[0]);
	close(pipefd[1]);
}

/* A log of two bytes at an odd place of its file: 16 pages. */
static const struct vhost_user_log log_desc = { .mmap_size = 2, .mmap_offset = PAGE + 5 };

static void assert_log(uint8_t first, uint8_t second)
{
	uint8_t bytes[4];

	assert_int_equal(pread(fds[1], bytes, sizeof(bytes), PAGE + 4), sizeof(bytes));
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[1], first);
	assert_int_equal(bytes[2], second);
	assert_int_equal(bytes[3], 0);
}

static void test_log(void **state)
{
	struct guest_memory memory = { .log.event = -1 };
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	eventfd_t count;

	(void)state;
	guest_memory_mark(&memory, 0, 1);		/* there is none */
	assert_int_equal(guest_memory_set_log(&memory, &log_desc, fds[1]), 0);
	guest_memory_set_log_event(&memory, dup(event));
	guest_memory_mark(&memory, 0, 1);		/* not wanted */
	guest_memory_announce(&memory);
	assert_log(0, 0);
	assert_int_equal(eventfd_read(event, &count), -1);

	memory.log.on = true;
	guest_memory_mark(&memory, PAGE - 1, 2);
	assert_log(3, 0);
	guest_memory_mark(&memory, 7 * PAGE, PAGE);
	assert_log(0x83, 0);
	guest_memory_mark(&memory, 8 * PAGE, 0);
	guest_memory_mark(&memory, 15 * PAGE, PAGE);
	assert_log(0x83, 0x80);
	/* Beyond the end not a byte, and not a part. */
	assert_false(guest_memory_logs(&memory, 16 * PAGE, 1));
	assert_false(guest_memory_logs(&memory, UINT64_MAX, 2));
	guest_memory_mark(&memory, 14 * PAGE, 3 * PAGE);
	guest_memory_mark(&memory, UINT64_MAX, 1);
	assert_log(0x83, 0x80);
	guest_memory_announce(&memory);
	assert_int_equal(eventfd_read(event, &count), 0);

	guest_memory_clear(&memory);
	guest_memory_mark(&memory, 0, 1);
	close(event);
	assert_int_equal(ftruncate(fds[1], 0), 0);
	assert_int_equal(ftruncate(fds[1], 4 * PAGE), 0);
}

static void test_log_refused(void **state)
{
	static const struct {
		struct vhost_user_log desc;
		const char *text;
	} bad[] = {
		{ { 0, 0 }, "dirty log: 0x0 bytes at file offset 0x0: empty" },
		{ { UINT64_MAX, 0 }, "empty, or wraps around" },
		{ { 1, INT64_MAX }, "empty, or wraps around" },
		{ { PAGE, UINT64_MAX - 1 }, "empty, or wraps around" },
		{ { 1, 4 * PAGE }, "ends at byte 0x4001 of its file, which has 0x4000" },
		{ { 4 * PAGE + 1, 0 }, "ends at byte 0x4001 of its file, which has 0x4000" },
	};
	struct vhost_user_memory table = {
		.nregions = 2,
		.regions = {
			region(0, PAGE, 0, 0), region(17 * PAGE, 2 * PAGE, 0x10000000, 0),
		},
	};
	struct guest_memory memory = { .log = { .event = -1, .on = true } };
	const char *log;
	int pipefd[2];
	size_t i;

	(void)state;
	assert_int_equal(guest_memory_set_log(&memory, &log_desc, fds[1]), 0);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		capture_begin();
		assert_int_equal(guest_memory_set_log(&memory, &bad[i].desc, fds[0]), -1);
		log = capture_end();
		assert_logged(log, bad[i].text);
	}
	assert_int_equal(pipe(pipefd), 0);
	capture_begin();
	assert_int_equal(guest_memory_set_log(&memory, &log_desc, pipefd[0]), -1);
	/* Memory that the log does not cover: refused with the log there, and the log after it. */
	assert_int_equal(guest_memory_set(&memory, &table, fds), -1);
	assert_int_equal(memory.count, 0);
	guest_memory_clear_log(&memory);
	assert_int_equal(guest_memory_set(&memory, &table, fds), 0);
	assert_int_equal(guest_memory_set_log(&memory, &log_desc, fds[1]), -1);
	log = capture_end();
	assert_logged(log, "ends at byte 0x1007 of its file, which has 0x0");
	assert_logged(log, "dirty log: 0x2 bytes do not cover memory region 1 at guest 0x11000+0x2000");
	assert_null(memory.log.map);
	guest_memory_clear(&memory);
	close(pipefd[0]);
	close(pipefd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_translate),
		cmocka_unit_test(test_offset_within_page),
		cmocka_unit_test(test_eight_regions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unmappable),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_refused),
	};

	return cmocka_run_group_tests_name("gpu-proc guest memory", tests, make_fds, close_fds);
}
