// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of mock buffers: how they are allocated, counted and typed. Called by
 * buffer.c.
 */
#include <linux/dmabuf_memtype.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <asm/set_memory.h>

#include "internal.h"

static int set_pages_type(struct mock_pages *mem, u32 memtype)
{
	switch (memtype) {
	case DMABUF_MEMTYPE_UC:
		return set_pages_array_uc(mem->pages, mem->nr);
	case DMABUF_MEMTYPE_WC:
		return set_pages_array_wc(mem->pages, mem->nr);
	case DMABUF_MEMTYPE_WB:
		return set_pages_array_wb(mem->pages, mem->nr);
	}
	return -EINVAL;
}

/* The kernel refuses to go from one type to another but through WB. */
int mock_pages_set_type(struct mock_pages *mem, u32 memtype)
{
	int ret;

	if (memtype == mem->memtype)
		return 0;

	ret = set_pages_type(mem, DMABUF_MEMTYPE_WB);
	if (ret)
		return ret;
	mem->memtype = DMABUF_MEMTYPE_WB;

	if (memtype != DMABUF_MEMTYPE_WB) {
		ret = set_pages_type(mem, memtype);
		if (ret) {
			set_pages_type(mem, DMABUF_MEMTYPE_WB);
			return ret;
		}
	}
	mem->memtype = memtype;

	return 0;
}

static void free_chunks(struct mock_pages *mem, unsigned long nr)
{
	unsigned long i, step = mem->split ? 1 : 1UL << mem->order;

	for (i = 0; i < nr; i += step)
		__free_pages(mem->pages[i], mem->split ? 0 : mem->order);
}

struct mock_pages *mock_pages_alloc(unsigned long nr, unsigned int order, bool split, u32 memtype)
{
	struct mock_pages *mem;
	unsigned long i, k;
	int ret = -ENOMEM;

	mem = kvzalloc(struct_size(mem, pages, nr), GFP_KERNEL);
	if (!mem)
		return ERR_PTR(-ENOMEM);
	kref_init(&mem->ref);
	mem->memtype = DMABUF_MEMTYPE_WB;
	mem->order = order;
	mem->split = split;
	mem->nr = nr;

	for (i = 0; i < nr; i += 1UL << order) {
		struct page *page;

		page = alloc_pages(GFP_USER | __GFP_ZERO | __GFP_NOWARN | __GFP_RETRY_MAYFAIL,
				   order);
		if (!page)
			goto err;
		if (split)
			split_page(page, order);
		for (k = 0; k < 1UL << order; k++)
			mem->pages[i + k] = page + k;
	}

	ret = mock_pages_set_type(mem, memtype);
	if (ret)
		goto err;

	atomic_long_add(nr, &mock_counters.pages);
	return mem;

err:
	free_chunks(mem, i);
	kvfree(mem);
	return ERR_PTR(ret);
}

static void pages_release(struct kref *ref)
{
	struct mock_pages *mem = container_of(ref, struct mock_pages, ref);

	atomic_long_sub(mem->nr, &mock_counters.pages);
	if (WARN_ON(mock_pages_set_type(mem, DMABUF_MEMTYPE_WB)))
		return;
	free_chunks(mem, mem->nr);
	kvfree(mem);
}

void mock_pages_get(struct mock_pages *mem)
{
	kref_get(&mem->ref);
}

void mock_pages_put(struct mock_pages *mem)
{
	kref_put(&mem->ref, pages_release);
}
