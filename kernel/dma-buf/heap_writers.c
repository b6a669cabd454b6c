// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who writes a buffer of the WC and UC heaps: CPUs by the page, devices and the
 * kernel by whether they can. Called by heap_buffer.c for whatever gives access
 * to the buffer, and by track.c, which asks.
 *
 * While the buffer is tracked each page has a mark, and always
 *	what can write a page without a fault has marked it.
 * Three places keep that true:
 *  - A fault that makes an entry writable sets the mark first, and makes the
 *    entry itself, both with the lock held for reading. It leaves neither to the
 *    core, which makes the entry after pfn_mkwrite() has returned: the mark could
 *    be taken in between, and what is written through the entry never reported.
 *  - A device or a driver marks all pages before it can write them.
 *  - heap_writers_take() holds the lock for writing while it takes marks and
 *    makes the entries of these pages read-only, TLBs and the second-stage tables
 *    of VMs (by their MMU notifiers) included. Within that section no fault is
 *    between its mark and its entry; which of the two is undone first does not
 *    matter. Devices and the kernel it cannot stop: while one of them can write,
 *    the marks stay.
 * So a write before the section had its page's mark, and is reported; it is also
 * in memory, because whoever wrote through an entry that was writable has been
 * interrupted since or has switched to another address space, and that empties a
 * CPU's write-combining buffers. A write after it begins with a fault, or finds
 * the mark still set: the next call reports it. A read-only entry becomes writable
 * by such a fault alone: mprotect() would also restore the write bit of dirty
 * entries, so it finds none.
 *
 * Locks, outer to inner: dma_resv, @lock, the mapping's i_mmap_rwsem and MMU
 * notifiers; mmap_lock, @lock, page table locks.
 */
#include <linux/bitmap.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/mm.h>
#include <linux/pfn_t.h>
#include <linux/slab.h>
#include <uapi/linux/dmabuf_memtype.h>

#include "internal.h"

/*
 * Marked pages at most this far apart are protected by one walk, with one flush
 * of the TLBs and one call of the MMU notifiers: a page table's worth.
 */
#define WALK_GAP	512

void heap_writers_init(struct heap_writers *w, unsigned long nr)
{
	init_rwsem(&w->lock);
	w->nr = nr;
}

/* The core leaves the write bit out of vm_page_prot because of pfn_mkwrite. */
static pgprot_t protection(const struct vm_area_struct *vma, bool writable)
{
	pgprotval_t prot = pgprot_val(vma->vm_page_prot) & ~_PAGE_RW;

	return __pgprot(writable && (vma->vm_flags & VM_WRITE) ? prot | _PAGE_RW : prot);
}

/* Untracked, a page is writable at once where the mapping is. */
vm_fault_t heap_writers_map(struct heap_writers *w, struct vm_fault *vmf, unsigned long pfn)
{
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	vm_fault_t ret;

	down_read(&w->lock);
	if (w->marks && write)
		set_bit(vmf->pgoff, w->marks);
	/* Takes the type from the page, which is the one in vm_page_prot. */
	ret = vmf_insert_pfn_prot(vmf->vma, vmf->address, pfn,
				  protection(vmf->vma, write || !w->marks));
	up_read(&w->lock);

	return ret;
}

/* Tracked pages have entries of their own. */
vm_fault_t heap_writers_map_huge(struct heap_writers *w, struct vm_fault *vmf, unsigned long pfn)
{
	vm_fault_t ret = VM_FAULT_FALLBACK;

	down_read(&w->lock);
	if (!w->marks)
		ret = vmf_insert_pfn_pmd(vmf, __pfn_to_pfn_t(pfn, PFN_DEV),
					 vmf->vma->vm_flags & VM_WRITE);
	up_read(&w->lock);

	return ret;
}

static int make_writable(pte_t *ptep, unsigned long addr, void *data)
{
	pte_t pte = ptep_get(ptep);

	/* One that was zapped since the fault is made anew by the next. */
	if (pte_present(pte))
		set_pte(ptep, pte_mkdirty(pte_mkyoung(pte_mkwrite_novma(pte))));
	return 0;
}

/* A write to a page whose entry is read-only */
vm_fault_t heap_writers_mkwrite(struct heap_writers *w, struct vm_fault *vmf)
{
	unsigned long addr = vmf->address & PAGE_MASK;

	down_read(&w->lock);
	if (w->marks)
		set_bit(vmf->pgoff, w->marks);
	apply_to_existing_page_range(vmf->vma->vm_mm, addr, PAGE_SIZE, make_writable, NULL);
	up_read(&w->lock);

	return VM_FAULT_NOPAGE;
}

/*
 * With mmap_lock held for writing, so that no entry is made until mprotect() is
 * done. Tracking that begins meanwhile zaps them by itself.
 */
void heap_writers_mprotect(struct heap_writers *w, struct vm_area_struct *vma,
			   unsigned long start, unsigned long end, unsigned long newflags)
{
	if (READ_ONCE(w->marks) && (newflags & VM_WRITE) && !(vma->vm_flags & VM_WRITE))
		zap_vma_ptes(vma, start, end - start);
}

void heap_writers_mark_all(struct heap_writers *w)
{
	down_write(&w->lock);
	if (w->marks)
		bitmap_fill(w->marks, w->nr);
	up_write(&w->lock);
}

void heap_writers_device_begin(struct heap_writers *w)
{
	w->devices++;
	heap_writers_mark_all(w);
}

void heap_writers_device_end(struct heap_writers *w)
{
	w->devices--;
}

void heap_writers_access_begin(struct heap_writers *w)
{
	w->accesses++;
}

/* DMA_BUF_IOCTL_SYNC lets anybody end what nobody began. */
void heap_writers_access_end(struct heap_writers *w)
{
	if (w->accesses)
		w->accesses--;
}

u32 heap_writers_now(const struct heap_writers *w)
{
	return (w->devices ? DMABUF_WRITER_DEVICE : 0) |
	       (w->accesses ? DMABUF_WRITER_CPU_ACCESS : 0);
}

/* @all: somebody can write without a fault, from before the start */
int heap_writers_start(struct heap_writers *w, struct address_space *mapping, bool all)
{
	unsigned long *marks;

	marks = kvcalloc(BITS_TO_LONGS(w->nr), sizeof(*marks), GFP_KERNEL_ACCOUNT);
	if (!marks)
		return -ENOMEM;
	if (all)
		bitmap_fill(marks, w->nr);

	down_write(&w->lock);
	WRITE_ONCE(w->marks, marks);
	/* Writable entries go, and 2 MiB ones, which cannot be protected by the page. */
	unmap_mapping_range(mapping, 0, 0, 1);
	up_write(&w->lock);

	return 0;
}

void heap_writers_stop(struct heap_writers *w, struct address_space *mapping)
{
	unsigned long *marks;

	down_write(&w->lock);
	marks = w->marks;
	WRITE_ONCE(w->marks, NULL);
	/* Read-only entries go: a fault of any kind makes writable ones now. */
	unmap_mapping_range(mapping, 0, 0, 1);
	up_write(&w->lock);

	kvfree(marks);
}

/*
 * Take the marks of [@first, @first + @nr), as bits from 0 on, to @out, which is
 * zero. @all: somebody can write without a fault, so the marks stay.
 *
 * wp_shared_mapping_range() ends at the first mapping that it does not apply to: one
 * of a file that is open for reading alone. A DMA-buf has one struct file, so all of
 * its mappings are of that kind or none is.
 */
void heap_writers_take(struct heap_writers *w, struct address_space *mapping, bool all,
		       unsigned long first, unsigned long nr, unsigned long *out)
{
	unsigned long page, start, end;

	down_write(&w->lock);

	if (all) {
		bitmap_fill(w->marks, w->nr);
		bitmap_set(out, 0, nr);
		goto unlock;
	}

	page = find_next_bit(w->marks, first + nr, first);
	start = page;
	end = page;
	for_each_set_bit_from(page, w->marks, first + nr) {
		if (page - end > WALK_GAP) {
			wp_shared_mapping_range(mapping, start, end - start);
			cond_resched();
			start = page;
		}
		end = page + 1;
		__clear_bit(page, w->marks);
		__set_bit(page - first, out);
	}
	if (start < end)
		wp_shared_mapping_range(mapping, start, end - start);
unlock:
	up_write(&w->lock);
}

/* The caller could not be told. */
void heap_writers_put_back(struct heap_writers *w, unsigned long first, unsigned long nr,
			   const unsigned long *out)
{
	unsigned long bit;

	down_write(&w->lock);
	for_each_set_bit(bit, out, nr)
		__set_bit(first + bit, w->marks);
	up_write(&w->lock);
}
