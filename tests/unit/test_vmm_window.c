// SPDX-License-Identifier: GPL-2.0-or-later
/* The window itself: thousands of buffers, and a memslot that follows a BAR. */
#include "unit/vmm_fake_kernel.h"

#include <sys/resource.h>

#include "unit/capture.h"
#include "unit/vmm_fake_slots.h"

#define PAGE		4096ULL
#define PAGES		(WINDOW_MAX_BUFFERS + 1)
#define BAR		(16ULL << 20)
#define ODD		7919u		/* prime to a power of two: visits all, in no order */

static struct fake fake;
static const struct frontend *const owner = (const void *)&fake;
static const struct frontend *const other_owner = (const void *)&fake.vm;

/* A vCPU that moves a BAR cannot wait for itself. */
static void stop(void *opaque)
{
	(void)opaque;
	fail_msg("the guest was stopped");
}

static const struct memory_map_ops map_ops = { .stop = stop, .start = stop };

static int setup(void **state)
{
	struct window *win = &fake.vm.window;
	struct memory_transaction t;
	struct error err = { "" };

	(void)state;
	memset(&kvm, 0, sizeof(kvm));
	fake_create(&fake);
	window__exit(win);
	assert_int_equal(window__init(win, FAKE_WINDOW_GPA, PAGES * PAGE, &err), 0);
	memory_map__init(&fake.vm.memory_map, -1, &map_ops, NULL);
	assert_int_equal(memory_transaction__begin(&t, &fake.vm.memory_map, &err), 0);
	assert_int_equal(memory_transaction__add(&t, win->gpa, win->size, win->hva, 0, &err), 0);
	assert_int_equal(memory_transaction__commit(&t, NULL, NULL, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	memory_map__exit(&fake.vm.memory_map);
	fake_destroy(&fake);
	return 0;
}

static int map(const struct frontend *who, uint64_t page, uint64_t pages, struct error *err)
{
	struct buffer *buf;

	return window__map(&fake.vm, who, fake_dmabuf(pages * PAGE), 0, page * PAGE, pages * PAGE,
			   &buf, err);
}

/* As many as there may be, in no order: each is found by offset and name; no memslot changes. */
static void test_many(void **state)
{
	struct rlimit limit = { .rlim_cur = PAGES + 64, .rlim_max = PAGES + 64 };
	struct window *win = &fake.vm.window;
	unsigned int i, n, calls = kvm.calls;
	int before = count_fds();
	struct buffer *buf;
	struct error err = { "" };
	char name[32];

	(void)state;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (i = 0; i < WINDOW_MAX_BUFFERS; i++)
		assert_int_equal(map(owner, i * ODD % WINDOW_MAX_BUFFERS, 1, &err), 0);
	assert_int_equal(map(owner, WINDOW_MAX_BUFFERS, 1, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "more than 16384 buffers"));
	assert_int_equal(win->nr_buffers, WINDOW_MAX_BUFFERS);
	for (i = 0; i < WINDOW_MAX_BUFFERS; i++) {
		buf = window__lookup(win, i * PAGE + i % PAGE);
		assert_ptr_equal(buf, win->buffers[i]);
		assert_int_equal(buf->offset, i * PAGE);
		snprintf(name, sizeof(name), "buffer@%llx", i * PAGE);
		assert_ptr_equal(window__find(win, name), buf);
	}
	assert_null(window__lookup(win, WINDOW_MAX_BUFFERS * PAGE));

	/* Every second one goes; what stays is found, what went is not. */
	for (n = 0; n < WINDOW_MAX_BUFFERS; n++) {
		i = n * ODD % WINDOW_MAX_BUFFERS;
		if (i % 2)
			assert_int_equal(window__unmap(&fake.vm, owner, i * PAGE, PAGE, &err), 0);
	}
	assert_int_equal(win->nr_buffers, WINDOW_MAX_BUFFERS / 2);
	for (i = 0; i < WINDOW_MAX_BUFFERS; i++) {
		snprintf(name, sizeof(name), "buffer@%llx", i * PAGE);
		assert_int_equal(!window__lookup(win, i * PAGE), i % 2);
		assert_int_equal(!window__find(win, name), i % 2);
	}
	assert_int_equal(window__unmap_all(&fake.vm, owner, &err), 0);
	assert_int_equal(win->nr_buffers, 0);
	assert_int_equal(kvm.calls, calls);
	assert_int_equal(count_fds(), before);
}

/* Between neighbours, over them, and around them. */
static void test_overlap(void **state)
{
	static const struct {
		uint64_t page, pages;
		int result;
	} cases[] = {
		{ 8, 4, -EEXIST }, { 11, 2, -EEXIST }, { 15, 2, -EEXIST }, { 9, 8, -EEXIST },
		{ 12, 5, -EEXIST }, { 0, 9, -EEXIST }, { 19, 1, -EEXIST }, { 0, 30, -EEXIST },
		{ 12, 4, 0 }, { 0, 8, 0 }, { 20, 1, 0 }, { 12, 1, -EEXIST },
	};
	struct error err = { "" };
	unsigned int i;

	(void)state;
	assert_int_equal(map(owner, 16, 4, &err), 0);
	assert_int_equal(map(owner, 8, 4, &err), 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(map(owner, cases[i].page, cases[i].pages, &err), cases[i].result);
	for (i = 1; i < fake.vm.window.nr_buffers; i++)
		assert_true(fake.vm.window.buffers[i - 1]->offset <
			    fake.vm.window.buffers[i]->offset);
}

/* A buffer that has the name that another would be given, because its own is taken. */
static void test_names(void **state)
{
	struct error err = { "" };

	(void)state;
	strcpy(fake_name, "front@10000");
	assert_int_equal(map(owner, 0, 1, &err), 0);
	strcpy(fake_name, "front");
	assert_int_equal(map(owner, 1, 1, &err), 0);
	assert_int_equal(map(owner, 16, 1, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "has the name front@10000"));
	assert_int_equal(fake.vm.window.nr_buffers, 2);
}

static void test_unmap_all(void **state)
{
	struct window *win = &fake.vm.window;
	struct error err = { "" };
	unsigned int i;

	(void)state;
	for (i = 0; i < 20; i++)
		assert_int_equal(map(i % 3 ? owner : other_owner, i, 1, &err), 0);
	window__freeze(win);
	assert_int_equal(window__unmap_all(&fake.vm, owner, &err), -EBUSY);
	assert_int_equal(win->nr_buffers, 20);
	window__thaw(win);
	assert_int_equal(window__unmap_all(&fake.vm, owner, &err), 0);
	assert_int_equal(win->nr_buffers, 7);
	for (i = 0; i < 7; i++) {
		assert_ptr_equal(win->buffers[i]->owner, other_owner);
		assert_int_equal(win->buffers[i]->offset, 3 * i * PAGE);
	}
}

static void test_bar(void **state)
{
	struct window *win = &fake.vm.window;
	const uint8_t *hva = win->hva;
	struct error err = { "" };

	(void)state;
	assert_int_equal(kvm.nr, 1);
	assert_int_equal(window__become_bar(&fake.vm, 8 * BAR, &err), -ERANGE);
	assert_non_null(strstr(err.msg, "--window-size must be as large"));
	assert_int_equal(window__become_bar(&fake.vm, BAR, &err), 0);
	assert_int_equal(win->size, BAR);
	assert_int_equal(kvm.nr, 0);

	/* Nowhere: no buffer can come. */
	assert_int_equal(map(owner, 0, 1, &err), -ENXIO);
	assert_int_equal(window__place(&fake.vm, false, FAKE_WINDOW_GPA, &err), 0);
	assert_int_equal(kvm.nr, 0);

	assert_int_equal(window__place(&fake.vm, true, FAKE_WINDOW_GPA + BAR, &err), 0);
	assert_int_equal(kvm.nr, 1);
	assert_int_equal(kvm.gpa, FAKE_WINDOW_GPA + BAR);
	assert_int_equal(kvm.size, BAR);
	assert_ptr_equal(kvm.hva, hva);
	assert_int_equal(map(owner, 0, 1, &err), 0);

	/* It moves with what is in it, goes, and comes back. */
	assert_int_equal(window__place(&fake.vm, true, FAKE_WINDOW_GPA + 4 * BAR, &err), 0);
	assert_int_equal(kvm.nr, 1);
	assert_int_equal(kvm.gpa, FAKE_WINDOW_GPA + 4 * BAR);
	assert_int_equal(window__place(&fake.vm, false, 0, &err), 0);
	assert_int_equal(kvm.nr, 0);
	assert_int_equal(window__unmap(&fake.vm, owner, 0, PAGE, &err), 0);

	/* KVM refuses: nowhere, until the guest tries again. */
	kvm.fail = true;
	assert_int_equal(window__place(&fake.vm, true, FAKE_WINDOW_GPA, &err), -ENOMEM);
	assert_int_equal(map(owner, 0, 1, &err), -ENXIO);
	kvm.fail = false;
	assert_int_equal(window__place(&fake.vm, true, FAKE_WINDOW_GPA, &err), 0);
	assert_int_equal(kvm.nr, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_many),
		TEST(test_overlap),
		TEST(test_names),
		TEST(test_unmap_all),
		TEST(test_bar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
