// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page table entries as they stand in memory, walked by hand: a witness that
 * shares nothing with dmabuf_memtype.ko. Called by device.c.
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/pgtable.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>

#include <asm/msr.h>
#include <asm/set_memory.h>

#include "internal.h"

/* Nobody frees page tables while the mmap lock is held for writing. */
static int user_entry(struct mm_struct *mm, unsigned long addr, u64 *entry, u32 *shift)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t *pte;

	if (pgd_none(*pgd) || pgd_bad(*pgd))
		return -EFAULT;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d) || p4d_bad(*p4d))
		return -EFAULT;

	pud = pud_offset(p4d, addr);
	*entry = pud_val(*pud);
	*shift = PUD_SHIFT;
	if (!(*entry & _PAGE_PRESENT))
		return -EFAULT;
	if (*entry & _PAGE_PSE)
		return 0;

	pmd = pmd_offset(pud, addr);
	*entry = pmd_val(*pmd);
	*shift = PMD_SHIFT;
	if (!(*entry & _PAGE_PRESENT))
		return -EFAULT;
	if (*entry & _PAGE_PSE)
		return 0;

	pte = pte_offset_kernel(pmd, addr);
	*entry = pte_val(*pte);
	*shift = PAGE_SHIFT;
	return *entry & _PAGE_PRESENT ? 0 : -EFAULT;
}

static u64 kernel_entry(struct page *page, u32 *shift)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)page_address(page), &level);

	if (!pte)
		return 0;
	*shift = PAGE_SHIFT + (level - PG_LEVEL_4K) * 9;
	return pte_val(*pte);
}

/* The memory of the process, held; @pid as the caller sees it. */
static struct mm_struct *mm_of(pid_t pid)
{
	struct task_struct *task;
	struct mm_struct *mm;
	struct pid *ref;

	if (!pid) {
		mmget(current->mm);
		return current->mm;
	}
	if (pid < 0)
		return ERR_PTR(-EINVAL);

	ref = find_get_pid(pid);
	task = get_pid_task(ref, PIDTYPE_PID);
	put_pid(ref);
	if (!task)
		return ERR_PTR(-ESRCH);
	mm = get_task_mm(task);
	put_task_struct(task);

	return mm ?: ERR_PTR(-ESRCH);
}

long mock_entry(struct dmapat_mock_entry *entry)
{
	struct mm_struct *mm;
	struct page *page;
	u64 mask;
	int ret;

	if (entry->addr >= TASK_SIZE_MAX)
		return -EFAULT;
	mm = mm_of(entry->pid);
	if (IS_ERR(mm))
		return PTR_ERR(mm);

	ret = mmap_write_lock_killable(mm);
	if (ret)
		goto out_put;
	ret = user_entry(mm, entry->addr, &entry->user, &entry->user_shift);
	if (ret)
		goto out;

	mask = (1ULL << entry->user_shift) - 1;
	entry->pfn = ((entry->user & PTE_PFN_MASK & ~mask) | (entry->addr & mask)) >> PAGE_SHIFT;
	rdmsrl(MSR_IA32_CR_PAT, entry->pat);

	entry->kernel = 0;
	entry->kernel_shift = 0;
	entry->refcount = 0;
	page = pfn_to_online_page(entry->pfn);
	if (page) {
		entry->kernel = kernel_entry(page, &entry->kernel_shift);
		entry->refcount = page_ref_count(page);
	}
out:
	mmap_write_unlock(mm);
out_put:
	mmput(mm);
	return ret;
}

u64 mock_uncached_pages(void)
{
	u64 uncached = 0;
	int nid;

	for_each_online_node(nid) {
		u64 pfn = node_start_pfn(nid);

		while (pfn < node_end_pfn(nid)) {
			struct page *page = pfn_to_online_page(pfn);
			u32 shift = PAGE_SHIFT;
			u64 nr;

			if (page && (kernel_entry(page, &shift) & (_PAGE_PWT | _PAGE_PCD)))
				uncached++;
			/* The rest of a large entry is as its first page is. */
			nr = 1ULL << (shift - PAGE_SHIFT);
			pfn = round_down(pfn, nr) + nr;
			cond_resched();
		}
	}

	return uncached;
}
