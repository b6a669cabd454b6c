// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What assigned devices wrote, by iommufd; see dirty_iommufd.h.
 *
 * IOMMU_HWPT_GET_DIRTY_BITMAP sets bits and clears none in the bitmap, which is therefore
 * zeroed before; it clears the IOMMU's own. Of a range that is not mapped as a whole it says
 * nothing, but stops at the first hole without an error (Linux 6.12): each range is looked
 * at by itself, and asked about by a copy of its mapping into an address space that no
 * device has, at which a hole fails.
 */
#include "vmm/dirty_iommufd.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/iommufd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/util.h"

/* Written in a range that is not mapped any more: for the next sync(). */
struct dirty_iommufd_past {
	struct dirty_iommufd_past *next;
	uint32_t slot;
	uint64_t page;
	uint64_t nr_pages;
};

struct dirty_iommufd {
	struct dirty_source source;
	struct dirty_iommufd_table table;
	struct dirty_iommufd_range *ranges;	/* by iova */
	size_t nr_ranges;
	struct dirty_iommufd_past *past;
	const struct dirty_sink *sink;		/* between start and stop */
	uint32_t scratch;			/* the address space of no device */
	uint64_t *bitmap;			/* for the largest range */
	uint64_t nr_words;
};

static struct dirty_iommufd *dirty_iommufd__of(struct dirty_source *s)
{
	return container_of(s, struct dirty_iommufd, source);
}

static int dirty_iommufd__track(struct dirty_iommufd *d, bool on, struct error *err)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = d->table.hwpt,
	};

	if (!ioctl(d->table.iommufd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd))
		return 0;
	if (errno == EOPNOTSUPP)
		return error__set(err, EOPNOTSUPP,
				  "%s: this page table tracks no writes: allocate it with IOMMU_HWPT_ALLOC_DIRTY_TRACKING, if the IOMMU can",
				  d->source.name);
	if (errno == ENOENT)
		return error__set(err, ENOENT, "%s: no such page table", d->source.name);
	return error__set(err, errno, "%s: switching the tracking %s: %s", d->source.name,
			  on ? "on" : "off", strerror(errno));
}

/* 0 if all of the range is mapped. */
static int dirty_iommufd__check_mapped(const struct dirty_iommufd *d,
				       const struct dirty_iommufd_range *range, struct error *err)
{
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = IOMMU_IOAS_MAP_READABLE,
		.dst_ioas_id = d->scratch,
		.src_ioas_id = d->table.ioas,
		.length = range->size,
		.src_iova = range->iova,
	};
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap), .ioas_id = d->scratch, .length = range->size,
	};

	if (ioctl(d->table.iommufd, IOMMU_IOAS_COPY, &copy)) {
		if (errno == ENOENT)
			return error__set(err, ENXIO,
					  "%s: IOVAs " RANGE_FMT " are not all mapped in %" PRIu32,
					  d->source.name, range->iova, range->size, d->table.ioas);
		return error__set(err, errno, "%s: IOVAs " RANGE_FMT ": %s", d->source.name,
				  range->iova, range->size, strerror(errno));
	}
	unmap.iova = copy.dst_iova;
	if (ioctl(d->table.iommufd, IOMMU_IOAS_UNMAP, &unmap))
		return error__set(err, errno, "%s: unmapping a copy: %s", d->source.name,
				  strerror(errno));
	return 0;
}

static bool dirty_iommufd__bit(const struct dirty_iommufd *d, uint64_t i)
{
	return d->bitmap[i / 64] >> i % 64 & 1;
}

/* For a range that is about to go: to be handed over by the next sync(). */
static int dirty_iommufd__keep(struct dirty_iommufd *d, uint32_t slot, uint64_t page,
			       uint64_t nr_pages, struct error *err)
{
	struct dirty_iommufd_past *past = malloc(sizeof(*past));

	if (!past)
		return error__set(err, ENOMEM, "%s: no memory for dirty pages", d->source.name);
	*past = (struct dirty_iommufd_past){ .next = d->past, .slot = slot, .page = page,
					     .nr_pages = nr_pages };
	d->past = past;
	return 0;
}

static int dirty_iommufd__sink(const struct dirty_iommufd *d, uint32_t slot, uint64_t page,
			       uint64_t nr_pages)
{
	for (uint64_t i = 0; i < nr_pages; i++)
		d->sink->page(d->sink, slot, page + i);
	return 0;
}

/*
 * Read, clear and hand on what was written in the range; @keep: to the next sync(), and
 * nothing is cleared. One call for all of it: what clears a part of a huge page clears it
 * all, and tells that part alone.
 */
static int dirty_iommufd__read(struct dirty_iommufd *d, const struct dirty_iommufd_range *range,
			       bool keep, struct error *err)
{
	const uint64_t pages = d->table.page_size / VMM_PAGE_SIZE;
	const uint64_t bits = range->size / d->table.page_size;
	struct iommu_hwpt_get_dirty_bitmap get = {
		.size = sizeof(get),
		.hwpt_id = d->table.hwpt,
		.flags = keep ? IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR : 0,
		.iova = range->iova,
		.length = range->size,
		.page_size = d->table.page_size,
		.data = (uintptr_t)d->bitmap,
	};
	uint64_t page;
	int r;

	memset(d->bitmap, 0, (bits + 63) / 64 * sizeof(*d->bitmap));
	if (ioctl(d->table.iommufd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get))
		return error__set(err, errno, "%s: IOVAs " RANGE_FMT ": %s", d->source.name,
				  range->iova, range->size, strerror(errno));
	for (uint64_t i = 0, end; i < bits; i = end) {
		bool dirty = dirty_iommufd__bit(d, i);

		for (end = i + 1; end < bits && dirty_iommufd__bit(d, end) == dirty;)
			end++;
		if (!dirty)
			continue;
		page = range->page + i * pages;
		r = keep ? dirty_iommufd__keep(d, range->slot, page, (end - i) * pages, err) :
			   dirty_iommufd__sink(d, range->slot, page, (end - i) * pages);
		if (r)
			return r;
	}
	return 0;
}

static int dirty_iommufd__start(struct dirty_source *s, const struct dirty_sink *sink,
				struct error *err)
{
	struct dirty_iommufd *d = dirty_iommufd__of(s);
	int r;

	for (size_t i = 0; i < d->nr_ranges; i++) {
		r = dirty_iommufd__check_mapped(d, &d->ranges[i], err);
		if (r)
			return r;
	}
	/* Clears what was written before, too. */
	r = dirty_iommufd__track(d, true, err);
	if (!r)
		d->sink = sink;
	return r;
}

/* A device writes whether the vCPUs run or not: who stops it does so before the last sync. */
static int dirty_iommufd__sync(struct dirty_source *s, bool last, struct error *err)
{
	struct dirty_iommufd *d = dirty_iommufd__of(s);
	struct dirty_iommufd_past *past;
	int r;

	(void)last;
	while ((past = d->past)) {
		dirty_iommufd__sink(d, past->slot, past->page, past->nr_pages);
		d->past = past->next;
		free(past);
	}
	for (size_t i = 0; i < d->nr_ranges; i++) {
		r = dirty_iommufd__read(d, &d->ranges[i], false, err);
		/* After it: a hole that was there before is there now. */
		if (!r)
			r = dirty_iommufd__check_mapped(d, &d->ranges[i], err);
		if (r)
			return r;
	}
	return 0;
}

static void dirty_iommufd__forget(struct dirty_iommufd *d, struct dirty_iommufd_past *until)
{
	struct dirty_iommufd_past *past;

	while ((past = d->past) != until) {
		d->past = past->next;
		free(past);
	}
}

static void dirty_iommufd__stop(struct dirty_source *s)
{
	struct dirty_iommufd *d = dirty_iommufd__of(s);

	/* A page table that is gone tracks nothing. */
	dirty_iommufd__track(d, false, NULL);
	dirty_iommufd__forget(d, NULL);
	d->sink = NULL;
}

static void dirty_iommufd__free(struct dirty_source *s)
{
	struct dirty_iommufd *d = dirty_iommufd__of(s);
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = d->scratch };

	dirty_iommufd__forget(d, NULL);
	if (d->scratch)
		ioctl(d->table.iommufd, IOMMU_DESTROY, &destroy);
	free(d->ranges);
	free(d->bitmap);
	free(d);
}

static const struct dirty_source_ops dirty_iommufd__ops = {
	.start = dirty_iommufd__start,
	.sync = dirty_iommufd__sync,
	.stop = dirty_iommufd__stop,
	.free = dirty_iommufd__free,
};

/* Index of the first range that ends behind @iova. */
static size_t dirty_iommufd__find(const struct dirty_iommufd *d, uint64_t iova)
{
	size_t i = 0;

	while (i < d->nr_ranges && d->ranges[i].iova + d->ranges[i].size <= iova)
		i++;
	return i;
}

static int dirty_iommufd__check_range(const struct dirty_iommufd *d,
				      const struct dirty_iommufd_range *range, struct error *err)
{
	size_t i = dirty_iommufd__find(d, range->iova);

	if (!range->size || range->iova + range->size < range->iova ||
	    (range->iova | range->size) & (d->table.page_size - 1))
		return error__set(err, EINVAL,
				  "%s: IOVAs " RANGE_FMT " are no pages of 0x%" PRIx64 " bytes",
				  d->source.name, range->iova, range->size, d->table.page_size);
	if (i < d->nr_ranges && d->ranges[i].iova < range->iova + range->size)
		return error__set(err, EEXIST, "%s: IOVAs " RANGE_FMT " and " RANGE_FMT " overlap",
				  d->source.name, range->iova, range->size, d->ranges[i].iova,
				  d->ranges[i].size);
	return 0;
}

/* Room for one range more, which has at most @size bytes. */
static int dirty_iommufd__grow(struct dirty_iommufd *d, uint64_t size, struct error *err)
{
	uint64_t words = (size / d->table.page_size + 63) / 64;
	struct dirty_iommufd_range *ranges;
	uint64_t *bitmap;

	ranges = realloc(d->ranges, (d->nr_ranges + 1) * sizeof(*ranges));
	if (!ranges)
		return error__set(err, ENOMEM, "%s: no memory for %zu ranges", d->source.name,
				  d->nr_ranges + 1);
	d->ranges = ranges;
	if (words <= d->nr_words)
		return 0;
	bitmap = realloc(d->bitmap, words * sizeof(*bitmap));
	if (!bitmap)
		return error__set(err, ENOMEM, "%s: no memory for a bitmap of %" PRIu64 " bytes",
				  d->source.name, words * 8);
	d->bitmap = bitmap;
	d->nr_words = words;
	return 0;
}

static void dirty_iommufd__insert(struct dirty_iommufd *d, const struct dirty_iommufd_range *range)
{
	size_t i = dirty_iommufd__find(d, range->iova);

	memmove(&d->ranges[i + 1], &d->ranges[i], (d->nr_ranges - i) * sizeof(*range));
	d->ranges[i] = *range;
	d->nr_ranges++;
}

int dirty_iommufd__add(struct dirty_source *s, const struct dirty_iommufd_range *range,
		       struct error *err)
{
	struct dirty_iommufd *d = dirty_iommufd__of(s);
	int r = dirty_iommufd__check_range(d, range, err);

	if (!r && d->sink)
		r = dirty_iommufd__check_mapped(d, range, err);
	if (!r)
		r = dirty_iommufd__grow(d, range->size, err);
	if (!r)
		dirty_iommufd__insert(d, range);
	return r;
}

/* The part of @range in [iova, iova + size); its size is 0 where there is none. */
static struct dirty_iommufd_range dirty_iommufd__part(const struct dirty_iommufd_range *range,
						      uint64_t iova, uint64_t size)
{
	struct dirty_iommufd_range part = *range;
	uint64_t end = range->iova + range->size;

	if (end > iova + size)
		end = iova + size;
	if (part.iova < iova)
		part.iova = iova;
	part.size = end > part.iova ? end - part.iova : 0;
	part.page += (part.iova - range->iova) / VMM_PAGE_SIZE;
	return part;
}

/* All of [iova, iova + size) is in ranges; what was written there is kept. */
static int dirty_iommufd__keep_range(struct dirty_iommufd *d, uint64_t iova, uint64_t size,
				     struct error *err)
{
	struct dirty_iommufd_range part;
	uint64_t at = iova;
	int r = 0;

	for (size_t i = dirty_iommufd__find(d, iova); !r && at < iova + size; i++) {
		if (i == d->nr_ranges || d->ranges[i].iova > at)
			return error__set(err, ENOENT,
					  "%s: IOVAs " RANGE_FMT ": nothing is known from 0x%" PRIx64 " on",
					  d->source.name, iova, size, at);
		part = dirty_iommufd__part(&d->ranges[i], iova, size);
		at = part.iova + part.size;
		if (d->sink)
			r = dirty_iommufd__read(d, &part, true, err);
		if (!r && d->sink)
			r = dirty_iommufd__check_mapped(d, &part, err);
	}
	return r;
}

int dirty_iommufd__remove(struct dirty_source *s, uint64_t iova, uint64_t size, struct error *err)
{
	struct dirty_iommufd *d = dirty_iommufd__of(s);
	struct dirty_iommufd_past *past = d->past;
	struct dirty_iommufd_range *range, tail;
	size_t i;
	int r;

	if (!size || iova + size < iova || (iova | size) & (d->table.page_size - 1))
		return error__set(err, EINVAL,
				  "%s: IOVAs " RANGE_FMT " are no pages of 0x%" PRIx64 " bytes",
				  d->source.name, iova, size, d->table.page_size);
	/* A hole in the middle of a range makes two of it. */
	r = dirty_iommufd__grow(d, 0, err);
	if (!r)
		r = dirty_iommufd__keep_range(d, iova, size, err);
	if (r) {
		dirty_iommufd__forget(d, past);
		return r;
	}

	i = dirty_iommufd__find(d, iova);
	while (i < d->nr_ranges && d->ranges[i].iova < iova + size) {
		range = &d->ranges[i];
		tail = dirty_iommufd__part(range, iova + size, UINT64_MAX - (iova + size));
		if (range->iova < iova) {
			range->size = iova - range->iova;
			i++;
		} else {
			memmove(range, range + 1, (d->nr_ranges - i - 1) * sizeof(*range));
			d->nr_ranges--;
		}
		if (tail.size)
			dirty_iommufd__insert(d, &tail);
	}
	return 0;
}

static int dirty_iommufd__init(struct dirty_iommufd *d, const struct dirty_iommufd_range *ranges,
			       size_t nr_ranges, struct error *err)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int r;

	if (d->table.page_size < VMM_PAGE_SIZE || d->table.page_size & (d->table.page_size - 1))
		return error__set(err, EINVAL,
				  "%s: a bit for 0x%" PRIx64 " bytes: not a power of two from 0x%llx on",
				  d->source.name, d->table.page_size, VMM_PAGE_SIZE);
	for (size_t i = 0; i < nr_ranges; i++) {
		r = dirty_iommufd__add(&d->source, &ranges[i], err);
		if (r)
			return r;
	}
	if (ioctl(d->table.iommufd, IOMMU_IOAS_ALLOC, &alloc))
		return error__set(err, errno, "%s: no address space for checks: %s", d->source.name,
				  strerror(errno));
	d->scratch = alloc.out_ioas_id;
	return 0;
}

struct dirty_source *dirty_iommufd__create(const struct dirty_iommufd_table *table,
					   const struct dirty_iommufd_range *ranges, size_t nr_ranges,
					   struct error *err)
{
	struct dirty_iommufd *d = calloc(1, sizeof(*d));

	if (!d) {
		error__set(err, ENOMEM, "iommufd %d: no memory", table->iommufd);
		return NULL;
	}
	/* An IOMMU that maps a huge page logs all of it. */
	d->source = (struct dirty_source){ .ops = &dirty_iommufd__ops, .exact = false };
	d->table = *table;
	snprintf(d->source.name, sizeof(d->source.name), "iommufd %d: hwpt %" PRIu32,
		 table->iommufd, table->hwpt);
	if (dirty_iommufd__init(d, ranges, nr_ranges, err)) {
		dirty_iommufd__free(&d->source);
		return NULL;
	}
	return &d->source;
}
