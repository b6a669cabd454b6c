// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dirty source of a buffer's writers, over a module that reports what the test says:
 * exact buffers cost what was written, all others every page of the last pass.
 */
#include "unit/dirty_fake.h"

#include "vmm/dirty_buffer.h"

#define OFFSET_PAGES	16u	/* in the window */
#define SKIP_PAGES	3u	/* of the DMA-buf in front of what is mapped */
#define PAGES		70u

static struct {
	int open_errno;		/* of /dev/dmabuf-memtype; 0: there is one */
	int track_errno, get_errno;
	uint32_t precision, writers;
	bool written[PAGES];
	int dev, tracker;
	unsigned int gets;
} module;

static struct buffer buf = {
	.name = "vgem", .fd = 12345, .offset = OFFSET_PAGES * VMM_PAGE_SIZE,
	.fd_offset = SKIP_PAGES * VMM_PAGE_SIZE, .size = PAGES * VMM_PAGE_SIZE, .bound = true,
};

int open(const char *path, int flags, ...)
{
	if (strcmp(path, MEMTYPE_DEVICE))
		return syscall(SYS_openat, AT_FDCWD, path, flags, 0);
	if (module.open_errno) {
		errno = module.open_errno;
		return -1;
	}
	module.dev = eventfd(0, EFD_CLOEXEC);
	return module.dev;
}

static int fake_get_written(struct dmabuf_memtype_written *w)
{
	uint64_t *words = (uint64_t *)(uintptr_t)w->bitmap;
	unsigned int i;

	assert_int_equal(w->first_page, SKIP_PAGES);
	assert_int_equal(w->nr_pages, PAGES);
	module.gets++;
	if (module.get_errno) {
		errno = module.get_errno;
		return -1;
	}
	memset(words, 0, 2 * sizeof(*words));
	for (i = 0; i < PAGES; i++) {
		if (module.written[i])
			words[i / 64] |= 1ULL << i % 64;
		module.written[i] = false;
	}
	w->writers = module.writers;
	return 0;
}

static int module_ioctl(int fd, unsigned long request, void *arg)
{
	struct dmabuf_memtype_track *track = arg;

	if (request == DMABUF_MEMTYPE_GET_WRITTEN) {
		assert_int_equal(fd, module.tracker);
		return fake_get_written(arg);
	}
	assert_int_equal(fd, module.dev);
	assert_int_equal(request, DMABUF_MEMTYPE_TRACK);
	assert_int_equal(track->fd, buf.fd);
	if (module.track_errno) {
		errno = module.track_errno;
		return -1;
	}
	track->tracker = module.tracker = eventfd(0, EFD_CLOEXEC);
	track->precision = module.precision;
	track->nr_pages = PAGES + SKIP_PAGES;
	return 0;
}

static int setup(void **state)
{
	memset(&module, 0, sizeof(module));
	module.tracker = -1;
	fake_ioctl = module_ioctl;
	return dirty_setup(state);
}

static struct dirty_source *create(void **state)
{
	struct dirty_source *s;

	s = dirty_buffer__create(&((struct dirty_fake *)*state)->fake.vm.window, &buf);
	assert_non_null(s);
	assert_string_equal(s->name, "buffer vgem: writers");
	return s;
}

static void start(struct dirty_source *s)
{
	struct error err = { "" };

	if (s->ops->start(s, &fake_sink, &err))
		fail_msg("%s", err.msg);
}

static unsigned int sync_pages(struct dirty_source *s, bool last)
{
	struct error err = { "" };
	unsigned int before = fake_kvm.handed;

	memset(fake_reported, 0, sizeof(fake_reported));
	if (s->ops->sync(s, last, &err))
		fail_msg("%s", err.msg);
	return fake_kvm.handed - before;
}

static void finish(struct dirty_source *s)
{
	s->ops->stop(s);
	s->ops->free(s);
	if (module.tracker >= 0)
		assert_int_equal(fcntl(module.tracker, F_GETFD), -1);
}

static void test_exact(void **state)
{
	struct dirty_source *s = create(state);

	module.precision = DMABUF_TRACK_EXACT;
	module.writers = DMABUF_WRITER_CPU_MAPPING | DMABUF_WRITER_CPU_ACCESS;
	start(s);
	assert_true(s->exact);
	assert_int_equal(s->floor, 0);
	module.written[0] = module.written[69] = true;
	assert_int_equal(sync_pages(s, false), 2);
	assert_true(fake_reported[VM_SLOT_WINDOW][OFFSET_PAGES]);
	assert_true(fake_reported[VM_SLOT_WINDOW][OFFSET_PAGES + 69]);
	assert_int_equal(sync_pages(s, false), 0);
	module.written[5] = true;
	assert_int_equal(sync_pages(s, true), 1);
	assert_int_equal(s->writers, module.writers);
	finish(s);
}

/* While a device can write: not in each pass, but all in the last; and when it is gone. */
static void test_exact_with_device(void **state)
{
	static const uint32_t who[] = { DMABUF_WRITER_DEVICE, DMABUF_WRITER_FENCE,
					DMABUF_WRITER_KERNEL };
	struct dirty_source *s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(who); i++) {
		s = create(state);
		module.precision = DMABUF_TRACK_EXACT;
		module.writers = who[i];
		start(s);
		memset(module.written, true, sizeof(module.written));
		assert_int_equal(sync_pages(s, false), 0);
		assert_int_equal(s->floor, PAGES);
		assert_int_equal(sync_pages(s, true), PAGES);
		assert_int_equal(s->writers, who[i]);
		/* The kernel says all of them once more. */
		module.writers = 0;
		memset(module.written, true, sizeof(module.written));
		assert_int_equal(sync_pages(s, false), PAGES);
		assert_int_equal(s->floor, 0);
		assert_int_equal(sync_pages(s, true), 0);
		finish(s);
	}
}

static void test_conservative(void **state)
{
	struct dirty_source *s = create(state);

	module.precision = DMABUF_TRACK_CONSERVATIVE;
	module.writers = DMABUF_WRITER_CPU_MAPPING;
	start(s);
	assert_false(s->exact);
	assert_int_equal(s->floor, PAGES);
	assert_int_equal(sync_pages(s, false), 0);
	assert_int_equal(module.gets, 0);
	assert_int_equal(sync_pages(s, true), PAGES);
	assert_int_equal(s->writers, DMABUF_WRITER_CPU_MAPPING);
	assert_true(fake_reported[VM_SLOT_WINDOW][OFFSET_PAGES + PAGES - 1]);
	assert_false(fake_reported[VM_SLOT_WINDOW][OFFSET_PAGES + PAGES]);
	finish(s);
}

/* No module, one without tracking, a buffer that somebody else tracks. */
static void test_untracked(void **state)
{
	/* The last: all is there, but the buffer is not bound. */
	static const int open_errors[] = { ENOENT, ENODEV, ENXIO, 0, 0, 0 };
	static const int track_errors[] = { 0, 0, 0, ENOTTY, EBUSY, 0 };
	struct dirty_source *s;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(open_errors); i++) {
		module.open_errno = open_errors[i];
		module.track_errno = track_errors[i];
		buf.bound = i + 1 < ARRAY_SIZE(open_errors);
		s = create(state);
		start(s);
		assert_false(s->exact);
		assert_int_equal(s->floor, PAGES);
		assert_int_equal(sync_pages(s, false), 0);
		assert_int_equal(sync_pages(s, true), PAGES);
		assert_int_equal(s->writers, 0);
		finish(s);
	}
	buf.bound = true;
}

static void test_errors(void **state)
{
	struct dirty_source *s = create(state);
	struct error err = { "" };

	module.open_errno = EACCES;
	assert_int_equal(s->ops->start(s, &fake_sink, &err), -EACCES);
	assert_non_null(strstr(err.msg, MEMTYPE_DEVICE));
	module.open_errno = 0;
	module.track_errno = ENOMEM;
	memset(&err, 0, sizeof(err));
	assert_int_equal(s->ops->start(s, &fake_sink, &err), -ENOMEM);
	assert_non_null(strstr(err.msg, "DMABUF_MEMTYPE_TRACK"));
	module.track_errno = 0;
	module.precision = DMABUF_TRACK_EXACT;
	start(s);
	module.get_errno = EFAULT;
	memset(&err, 0, sizeof(err));
	assert_int_equal(s->ops->sync(s, false, &err), -EFAULT);
	assert_non_null(strstr(err.msg, "DMABUF_MEMTYPE_GET_WRITTEN"));
	assert_int_equal(fake_kvm.handed, 0);
	finish(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, dirty_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_exact),
		TEST(test_exact_with_device),
		TEST(test_conservative),
		TEST(test_untracked),
		TEST(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
