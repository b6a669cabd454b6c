// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The VMM's dirty source for assigned devices, on iommufd's own mock of an IOMMU: no page that
 * a device wrote is missing, whatever the sizes of the IOMMU's pages and of the bitmap's, and
 * while mappings are split and joined; and how the source refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <iommufd_test.h>

#include "lib/ktap.h"
#include "vmm/dirty_iommufd.h"

#define IO_PAGE		2048UL			/* the mock's small page */
#define IO_HUGE		0x100000UL		/* and its huge one */
#define SIZE		0x1000000UL		/* 16 MiB */
#define PAGES		(SIZE / 4096)
#define IOVA		((uint64_t)MOCK_APERTURE_START)
#define SLOT		7U
#define FIRST_PAGE	100U			/* of the slot, at IOVA */

static int fd;
static uint8_t *memory;
static bool written[PAGES];			/* since the last sync */
static uint8_t got[PAGES];			/* handed over by it */
static unsigned long outside;			/* handed over, and not of the range */

static void take(const struct dirty_sink *sink, uint32_t slot, uint64_t page)
{
	(void)sink;
	if (slot != SLOT || page < FIRST_PAGE || page - FIRST_PAGE >= PAGES)
		outside++;
	else
		got[page - FIRST_PAGE]++;
}

static const struct dirty_sink sink = { .page = take };

/* ---- the mock ---- */

struct mock {
	uint32_t ioas;
	uint32_t device;
	uint32_t hwpt;			/* that tracks writes */
};

static uint32_t new_ioas(void)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	test_assert(!ioctl(fd, IOMMU_IOAS_ALLOC, &alloc));
	return alloc.out_ioas_id;
}

static uint32_t new_hwpt(const struct mock *m, uint32_t flags)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc), .flags = flags, .dev_id = m->device, .pt_id = m->ioas,
	};

	test_assert(!ioctl(fd, IOMMU_HWPT_ALLOC, &alloc));
	return alloc.out_hwpt_id;
}

/* One mapping of memory at the same offset. */
static void map(const struct mock *m, uint64_t offset, uint64_t size)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |
			 IOMMU_IOAS_MAP_READABLE,
		.ioas_id = m->ioas,
		.user_va = (uintptr_t)memory + offset,
		.length = size,
		.iova = IOVA + offset,
	};

	test_assert(!ioctl(fd, IOMMU_IOAS_MAP, &map));
}

static void unmap(const struct mock *m, uint64_t offset, uint64_t size)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap), .ioas_id = m->ioas, .iova = IOVA + offset, .length = size,
	};

	test_assert(!ioctl(fd, IOMMU_IOAS_UNMAP, &unmap));
	test_assert(unmap.length == size);
}

/* @flags: MOCK_FLAGS_DEVICE_*. @split: mappings may be cut, and have small pages alone. */
static void mock_create(struct mock *m, uint32_t flags, bool split)
{
	struct iommu_test_cmd domain = {
		.size = sizeof(domain), .op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS,
		.mock_domain_flags.dev_flags = flags,
	};
	struct iommu_option option = {
		.size = sizeof(option), .option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
	};
	struct iommu_vfio_ioas vfio = {
		.size = sizeof(vfio), .op = IOMMU_VFIO_IOAS_SET,
	};

	m->ioas = new_ioas();
	if (split) {
		option.object_id = m->ioas;
		test_assert(!ioctl(fd, IOMMU_OPTION, &option));
		vfio.ioas_id = m->ioas;
		test_assert(!ioctl(fd, IOMMU_VFIO_IOAS, &vfio));
	}
	domain.id = m->ioas;
	test_assert(!ioctl(fd, IOMMU_TEST_CMD, &domain));
	m->device = domain.mock_domain_flags.out_idev_id;
	m->hwpt = flags & MOCK_FLAGS_DEVICE_NO_DIRTY ? 0 :
		  new_hwpt(m, IOMMU_HWPT_ALLOC_DIRTY_TRACKING);
}

/* The device writes one small page of the IOMMU in that page; 0 or errno. */
static int write_page(const struct mock *m, unsigned long page)
{
	uint64_t bits = 1;
	struct iommu_test_cmd dirty = {
		.size = sizeof(dirty), .op = IOMMU_TEST_OP_DIRTY, .id = m->hwpt,
		.dirty = {
			.iova = IOVA + page * 4096 + (page % 2) * IO_PAGE,
			.length = IO_PAGE,
			.page_size = IO_PAGE,
			.uptr = (uintptr_t)&bits,
		},
	};

	if (ioctl(fd, IOMMU_TEST_CMD, &dirty))
		return errno;
	test_assert(dirty.dirty.out_nr_dirty == 1);
	written[page] = true;
	return 0;
}

/* Some in [@first, @first + @pages): its first and last one, and scattered ones. */
static void write_some(const struct mock *m, unsigned long first, unsigned long pages)
{
	static unsigned int seed = 1;

	test_assert(!write_page(m, first) && !write_page(m, first + pages - 1));
	for (unsigned int i = 0; i < 20; i++) {
		seed = seed * 1664525 + 1013904223;
		test_assert(!write_page(m, first + (seed >> 12) % pages));
	}
}

/* ---- the source ---- */

static struct dirty_source *source_of(const struct mock *m, uint64_t page_size, uint64_t size)
{
	const struct dirty_iommufd_table table = {
		.iommufd = fd, .ioas = m->ioas, .hwpt = m->hwpt, .page_size = page_size,
	};
	const struct dirty_iommufd_range range = {
		.iova = IOVA, .size = size, .slot = SLOT, .page = FIRST_PAGE,
	};
	struct error err = { .msg = "" };
	struct dirty_source *s = dirty_iommufd__create(&table, &range, size ? 1 : 0, &err);

	if (!s)
		test_note("%s", err.msg);
	test_assert(s);
	return s;
}

static void start(struct dirty_source *s)
{
	memset(written, 0, sizeof(written));
	test_assert(!s->ops->start(s, &sink, NULL));
}

static void end(struct dirty_source *s)
{
	s->ops->stop(s);
	s->ops->free(s);
}

static void add(struct dirty_source *s, uint64_t offset, uint64_t size)
{
	const struct dirty_iommufd_range range = {
		.iova = IOVA + offset, .size = size, .slot = SLOT,
		.page = FIRST_PAGE + offset / 4096,
	};

	test_assert(!dirty_iommufd__add(s, &range, NULL));
}

static void remove_range(struct dirty_source *s, uint64_t offset, uint64_t size)
{
	test_assert(!dirty_iommufd__remove(s, IOVA + offset, size, NULL));
}

/*
 * One sync: what was written is handed over, and nothing of which no byte in @unit bytes
 * around it was written.
 */
static void sync_and_compare(struct dirty_source *s, uint64_t unit, const char *what)
{
	unsigned long lost = 0, more = 0, dirty = 0, handed = 0;
	const unsigned long pages = unit / 4096;
	struct error err = { .msg = "" };
	bool any;

	memset(got, 0, sizeof(got));
	outside = 0;
	if (s->ops->sync(s, false, &err))
		test_note("%s", err.msg);
	for (unsigned long i = 0; i < PAGES; i += pages) {
		any = false;
		for (unsigned long j = i; j < i + pages; j++)
			any |= written[j];
		for (unsigned long j = i; j < i + pages; j++) {
			dirty += written[j];
			handed += !!got[j];
			lost += written[j] && !got[j];
			more += got[j] && !any;
		}
	}
	test_ok(!err.msg[0] && !lost && !more && !outside && dirty,
		"%s: %lu pages written, %lu handed over, %lu lost, %lu too many", what, dirty, handed,
		lost, more + outside);
	memset(written, 0, sizeof(written));
}

static void sync_nothing(struct dirty_source *s, const char *what)
{
	unsigned long handed = 0;

	memset(got, 0, sizeof(got));
	test_assert(!s->ops->sync(s, true, NULL));
	for (unsigned long i = 0; i < PAGES; i++)
		handed += got[i];
	test_eq((long long)handed, 0, "%s: nothing more", what);
}

/* ---- tests ---- */

static void page_sizes(void)
{
	static const uint64_t bits[] = { 0x1000, 0x10000, IO_HUGE, 2 * IO_HUGE };
	struct dirty_source *s;
	struct mock m;
	uint64_t unit;
	char what[64];

	for (unsigned int huge = 0; huge < 2; huge++) {
		mock_create(&m, huge ? MOCK_FLAGS_DEVICE_HUGE_IOVA : 0, false);
		map(&m, 0, SIZE);
		for (unsigned int i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
			unit = huge && bits[i] < IO_HUGE ? IO_HUGE : bits[i];
			snprintf(what, sizeof(what), "a bit for %u KiB, IOMMU pages of %u KiB",
				 (unsigned int)(bits[i] >> 10), huge ? 1024U : 2U);
			s = source_of(&m, bits[i], SIZE);
			start(s);
			write_some(&m, 0, PAGES);
			sync_and_compare(s, unit, what);
			sync_nothing(s, what);
			write_some(&m, PAGES / 2, PAGES / 4);
			s->ops->stop(s);
			/* What was written before the start is nobody's business. */
			start(s);
			sync_nothing(s, what);
			end(s);
			test_errno(write_page(&m, 0), EINVAL, "%s: the tracking is off", what);
		}
	}
}

/* One mapping is cut in three, the middle of which goes; then all is joined. */
static void split_and_join(void)
{
	const uint64_t cut = 0x500000, cut_size = 0x300000;
	struct vfio_iommu_type1_dma_unmap unmap_middle = {
		.argsz = sizeof(unmap_middle), .iova = IOVA + cut, .size = cut_size,
	};
	struct dirty_source *s;
	struct mock m;

	mock_create(&m, 0, true);
	map(&m, 0, SIZE);
	s = source_of(&m, 0x1000, SIZE);
	start(s);

	write_some(&m, 0, PAGES);
	write_some(&m, cut / 4096, cut_size / 4096);
	remove_range(s, cut, cut_size);
	test_assert(!ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &unmap_middle));
	test_assert(unmap_middle.size == cut_size);
	write_some(&m, 0, cut / 4096);
	sync_and_compare(s, 0x1000, "a mapping is split");
	sync_nothing(s, "a mapping is split");

	/* On both sides of the hole, and what comes back into it. */
	write_some(&m, 0, cut / 4096);
	write_some(&m, (cut + cut_size) / 4096, (SIZE - cut - cut_size) / 4096);
	map(&m, cut, cut_size);
	add(s, cut, cut_size);
	write_some(&m, cut / 4096, cut_size / 4096);
	sync_and_compare(s, 0x1000, "the hole is filled");

	write_some(&m, 0, PAGES);
	remove_range(s, 0, SIZE);
	unmap(&m, 0, cut);
	unmap(&m, cut, cut_size);
	unmap(&m, cut + cut_size, SIZE - cut - cut_size);
	map(&m, 0, SIZE);
	add(s, 0, SIZE);
	write_some(&m, 0, PAGES);
	sync_and_compare(s, 0x1000, "three mappings become one");
	sync_nothing(s, "three mappings become one");
	end(s);
}

/* Small mappings become one of huge pages, and small ones again. */
static void collapse(void)
{
	const uint64_t piece = 0x10000;
	struct dirty_source *s;
	struct mock m;

	mock_create(&m, MOCK_FLAGS_DEVICE_HUGE_IOVA, false);
	for (uint64_t at = 0; at < SIZE; at += piece)
		map(&m, at, piece);
	s = source_of(&m, 0x1000, 0);
	for (uint64_t at = 0; at < SIZE; at += piece)
		add(s, at, piece);
	start(s);

	write_some(&m, 0, PAGES);
	sync_and_compare(s, 0x1000, "small mappings of an IOMMU with huge pages");
	write_some(&m, 0, PAGES);
	remove_range(s, 0, SIZE);
	for (uint64_t at = 0; at < SIZE; at += piece)
		unmap(&m, at, piece);
	map(&m, 0, SIZE);
	add(s, 0, SIZE);
	sync_and_compare(s, 0x1000, "they become a huge one");
	write_some(&m, 0, PAGES);
	sync_and_compare(s, IO_HUGE, "it is written");

	write_some(&m, 0, PAGES);
	remove_range(s, 0, SIZE);
	unmap(&m, 0, SIZE);
	for (uint64_t at = 0; at < SIZE; at += piece) {
		map(&m, at, piece);
		add(s, at, piece);
	}
	sync_and_compare(s, IO_HUGE, "it becomes small ones");
	write_some(&m, 0, PAGES);
	sync_and_compare(s, 0x1000, "they are written");
	end(s);
}

/* The message of what was refused, or that it was not. */
static void refused(int r, int want, const struct error *err, const char *what)
{
	test_note("%s", err->msg);
	test_ok(r == -want && err->msg[0], "refused with %s: %s", strerrorname_np(want), what);
}

static void refuse_create(const struct dirty_iommufd_table *table,
			  const struct dirty_iommufd_range *ranges, size_t n, const char *what)
{
	struct error err = { .msg = "" };
	struct dirty_source *s = dirty_iommufd__create(table, ranges, n, &err);

	test_note("%s", err.msg);
	test_ok(!s && err.msg[0], "refused: %s", what);
	if (s)
		s->ops->free(s);
}

static void refuse_tables(const struct mock *m)
{
	struct dirty_iommufd_range ranges[2] = {
		{ .iova = IOVA, .size = 0x10000 }, { .iova = IOVA + 0xf000, .size = 0x1000 },
	};
	struct dirty_iommufd_table table = {
		.iommufd = fd, .ioas = m->ioas, .hwpt = m->hwpt, .page_size = 0x1000,
	};

	refuse_create(&table, ranges, 2, "ranges that overlap");
	ranges[0].iova += 0x800;
	refuse_create(&table, ranges, 1, "a range that starts within a page");
	ranges[0] = (struct dirty_iommufd_range){ .iova = IOVA, .size = 0x800 };
	refuse_create(&table, ranges, 1, "a range that ends within a page");
	ranges[0].size = 0;
	refuse_create(&table, ranges, 1, "an empty range");
	ranges[0] = (struct dirty_iommufd_range){ .iova = -0x1000UL, .size = 0x2000 };
	refuse_create(&table, ranges, 1, "a range that wraps");
	table.page_size = 0;
	refuse_create(&table, NULL, 0, "a bit for nothing");
	table.page_size = 0x800;
	refuse_create(&table, NULL, 0, "a bit for half a page");
	table.page_size = 0x3000;
	refuse_create(&table, NULL, 0, "a bit for three pages");
	table.page_size = 0x1000;
	table.iommufd = dup(fd);
	close(table.iommufd);
	refuse_create(&table, NULL, 0, "an fd that is closed");
	table.iommufd = open("/dev/null", O_RDWR | O_CLOEXEC);
	refuse_create(&table, NULL, 0, "an fd that is no iommufd");
	close(table.iommufd);
}

/* start() of a source of that page table, with all or a part of the memory mapped */
static void refuse_start(const struct mock *m, uint64_t mapped, int want, const char *what)
{
	struct dirty_source *s = source_of(m, 0x1000, SIZE);
	struct error err = { .msg = "" };

	if (mapped)
		map(m, 0, mapped);
	refused(s->ops->start(s, &sink, &err), want, &err, what);
	s->ops->free(s);
	if (mapped)
		unmap(m, 0, mapped);
}

static void refusals(void)
{
	const struct dirty_iommufd_range unmapped = {
		.iova = IOVA + SIZE, .size = 0x1000, .slot = SLOT, .page = FIRST_PAGE,
	};
	struct error err = { .msg = "" };
	struct dirty_source *s;
	struct mock m, other;

	mock_create(&m, 0, false);
	refuse_tables(&m);
	refuse_start(&m, 0, ENXIO, "nothing is mapped");
	refuse_start(&m, SIZE / 2, ENXIO, "a half is mapped");
	other = m;
	other.hwpt = m.ioas;
	refuse_start(&other, SIZE, ENOENT, "no page table, but an address space");
	other.hwpt = 0xfffff;
	refuse_start(&other, SIZE, ENOENT, "no such page table");
	other.hwpt = new_hwpt(&m, 0);
	refuse_start(&other, SIZE, EOPNOTSUPP, "a page table that was made without tracking");
	other = m;
	other.ioas = 0xfffff;
	s = source_of(&other, 0x1000, SIZE);
	refused(s->ops->start(s, &sink, &err), ENXIO, &err, "no such address space");
	s->ops->free(s);

	map(&m, 0, SIZE);
	s = source_of(&m, 0x1000, SIZE);
	start(s);
	err.msg[0] = '\0';
	refused(dirty_iommufd__add(s, &unmapped, &err), ENXIO, &err, "adding what is not mapped");
	err.msg[0] = '\0';
	refused(dirty_iommufd__remove(s, IOVA, SIZE + 0x1000, &err), ENOENT, &err,
		"removing more than there is");
	err.msg[0] = '\0';
	refused(dirty_iommufd__remove(s, IOVA + 1, 0x1000, &err), EINVAL, &err,
		"removing a part of a page");
	write_some(&m, 0, PAGES);
	sync_and_compare(s, 0x1000, "after what was refused");
	unmap(&m, 0, SIZE);
	err.msg[0] = '\0';
	refused(s->ops->sync(s, false, &err), ENXIO, &err, "unmapped without a word");
	end(s);
}

int main(void)
{
	FILE *huge = fopen("/proc/sys/vm/nr_hugepages", "w");

	test_assert(huge && fprintf(huge, "8") > 0 && !fclose(huge));
	memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	test_assert(memory != MAP_FAILED);
	fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	test_assert(fd >= 0);
	page_sizes();
	split_and_join();
	collapse();
	refusals();
	close(fd);
	return test_end();
}
