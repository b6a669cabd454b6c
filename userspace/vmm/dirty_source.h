/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A dirty source: somebody who writes guest memory (RAM or buffers of the window),
 * and how the VMM learns which pages. Implemented by dirty_*.c, a source a file;
 * dirty_sources.c starts, syncs and stops all those of a VM for a migration.
 *
 * All calls come from the migration's thread, in the order start, sync…, stop,
 * free; free alone after a start that failed, which has undone what it had done.
 */
#ifndef VMM_DIRTY_SOURCE_H
#define VMM_DIRTY_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/error.h"

/*
 * Takes dirty pages: @page is the page's number in @slot (VM_SLOT_*), so the byte
 * offset is page << 12; in the window slot that offset is a window offset. Must not
 * call back into the VM.
 */
struct dirty_sink {
	void (*page)(const struct dirty_sink *sink, uint32_t slot, uint64_t page);
};

struct dirty_source;

struct dirty_source_ops {
	/*
	 * From here on each write is handed to the sink by the next sync() at the latest.
	 * The sink is called from within sync() alone.
	 */
	int (*start)(struct dirty_source *s, const struct dirty_sink *sink, struct error *err);

	/*
	 * Hand over what was written since the last sync() or start(), and re-arm. A page
	 * may be read after the sync() that reported it. @last: the vCPUs are stopped; what
	 * this source can complete or wait for is complete afterwards. After an error the
	 * source is still started.
	 */
	int (*sync)(struct dirty_source *s, bool last, struct error *err);

	/* Nothing is tracked any more, and the sink not called after it returns. */
	void (*stop)(struct dirty_source *s);
	void (*free)(struct dirty_source *s);
};

struct dirty_source {
	const struct dirty_source_ops *ops;
	char name[48];		/* in messages and query-migrate: "vCPUs: dirty ring" */
	bool exact;		/* false: reports more than was written */
	uint64_t pages;		/* handed to the sink so far; dirty_sources.c counts */
	/*
	 * Pages that the last sync() will hand over whether they were written or not, so
	 * that another pass would not make fewer of them. What cannot be known exactly is
	 * handed over in the last sync() alone: reading it all in each pass as well would
	 * lengthen the passes, in which the guest writes other pages.
	 */
	uint64_t floor;
	uint32_t writers;	/* buffers: DMABUF_WRITER_* at the last sync() */
};

/* Hand over a bitmap of @nr_pages pages, bit 0 of its first word being @first_page. */
static inline void dirty_sink__words(const struct dirty_sink *sink, uint32_t slot,
				     uint64_t first_page, const uint64_t *words,
				     uint64_t nr_pages)
{
	uint64_t i, bits;

	for (i = 0; i * 64 < nr_pages; i++) {
		bits = words[i];
		if (nr_pages - i * 64 < 64)
			bits &= (1ULL << (nr_pages - i * 64)) - 1;
		for (; bits; bits &= bits - 1)
			sink->page(sink, slot, first_page + i * 64 + __builtin_ctzll(bits));
	}
}

#endif /* VMM_DIRTY_SOURCE_H */
