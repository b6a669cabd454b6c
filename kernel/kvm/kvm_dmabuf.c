// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_DMA_BUF: which buffer stands behind a range of guest memory.
 *
 * A binding is a statement about the VMM's mapping: "at these host virtual
 * addresses is that buffer, from that offset on, with that memory type". So
 * bindings are kept by hva. A slot that moves, is logged or is seen from a second
 * address space (SMM) takes its bindings along without any bookkeeping, and the
 * MMU notifier, which speaks in hvas, finds them directly.
 *
 * What keeps a binding honest:
 *  - the VMM unmaps or remaps any part of it (MMU_NOTIFY_UNMAP): stale for good;
 *  - the exporter zaps its mappings (any other event) or moves the buffer
 *    (move_notify): the leaves go, the next fault looks again at the mapping and
 *    asks the exporter again; another type makes the binding stale.
 * Stale means that nothing of the range is mapped: the vCPU leaves with
 * KVM_EXIT_MEMORY_FAULT until the VMM binds again. Whoever sets it zaps the range
 * afterwards.
 *
 * Locks: slots_lock orders binds, unbinds and slot changes. kvm_dmabuf.lock
 * protects the tree alone and is taken in the MMU notifier and the fault path;
 * a fault keeps what it found by a reference. A fault that raced with a change is
 * caught by mmu_invalidate_seq as ever: each change here zaps the range, which
 * bumps it. Outer to inner: slots_lock, mmap_lock, the buffer's dma_resv,
 * kvm_dmabuf.lock or mmu_lock.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/dmabuf_memtype.h>
#include <linux/interval_tree.h>
#include <linux/kref.h>
#include <linux/kvm_host.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <uapi/linux/kvm_dmabuf.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"

#include "kvm_dmabuf.h"
#include "kvm_memtype.h"

struct kvm_dmabuf_binding {
	struct interval_tree_node hva;
	struct kref ref;
	struct kvm *kvm;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attach;	/* of a buffer that says when it moves */
	struct file *file;			/* vm_file that its mappings have */
	unsigned long pgoff;			/* vm_pgoff that the first page must have */
	u32 slot_id;				/* address space and id, as user space counts */
	int memtype;
	bool stale;
	/* Changes so far, and the last one after which the exporter was asked. */
	atomic_t changes;
	int asked;
};

/* How far the lookup of one page may be chased by an exporter that keeps moving. */
#define KVM_DMABUF_MAX_TRIES	8

/* Importer of buffers that can move; does no DMA. */
static struct device *kvm_dmabuf_device;

/* What the VMM's mapping has at one page. */
struct kvm_dmabuf_page {
	kvm_pfn_t pfn;			/* valid unless @gup */
	int memtype;
	bool writable;
	bool gup;			/* ordinary pages: the stock lookup finds them */
};

static u32 kvm_dmabuf_slot_id(const struct kvm_memory_slot *slot)
{
	return (u32)slot->as_id << 16 | (u16)slot->id;
}

static void kvm_dmabuf_binding_release(struct kref *ref)
{
	struct kvm_dmabuf_binding *b = container_of(ref, struct kvm_dmabuf_binding, ref);

	fput(b->file);
	dma_buf_put(b->dmabuf);
	kfree(b);
}

static void kvm_dmabuf_binding_put(struct kvm_dmabuf_binding *b)
{
	kref_put(&b->ref, kvm_dmabuf_binding_release);
}

/* The binding at @hva; the caller holds the lock. */
static struct kvm_dmabuf_binding *kvm_dmabuf_find(struct kvm_dmabuf *d, unsigned long first,
						  unsigned long last)
{
	struct interval_tree_node *node = interval_tree_iter_first(&d->bindings, first, last);

	return node ? container_of(node, struct kvm_dmabuf_binding, hva) : NULL;
}

/* Zap what any slot of the VM maps of [first, last]. */
static void kvm_dmabuf_zap(struct kvm *kvm, unsigned long first, unsigned long last)
{
	struct interval_tree_node *node;
	struct kvm_memory_slot *slot;
	struct kvm_memslots *slots;
	unsigned long start, end;
	int i;

	guard(srcu)(&kvm->srcu);

	for (i = 0; i < kvm_arch_nr_memslot_as_ids(kvm); i++) {
		slots = __kvm_memslots(kvm, i);
		for (node = interval_tree_iter_first(&slots->hva_tree, first, last); node;
		     node = interval_tree_iter_next(node, first, last)) {
			slot = container_of(node, struct kvm_memory_slot,
					    hva_node[slots->node_idx]);
			start = max(first, slot->userspace_addr);
			end = min(last + 1, slot->userspace_addr + slot->npages * PAGE_SIZE);
			kvm_zap_gfn_range(kvm, hva_to_gfn_memslot(start, slot),
					  hva_to_gfn_memslot(end - 1, slot) + 1);
		}
	}
}

static void kvm_dmabuf_move_notify(struct dma_buf_attachment *attach)
{
	struct kvm_dmabuf_binding *b = attach->importer_priv;

	atomic_inc(&b->changes);
	kvm_dmabuf_zap(b->kvm, b->hva.start, b->hva.last);
}

static void kvm_dmabuf_set_stale(struct kvm_dmabuf_binding *b)
{
	WRITE_ONCE(b->stale, true);
	/* What other vCPUs mapped before goes; a fault under way is retried. */
	kvm_dmabuf_zap(b->kvm, b->hva.start, b->hva.last);
}

static const struct dma_buf_attach_ops kvm_dmabuf_attach_ops = {
	.allow_peer2peer = true,
	.move_notify = kvm_dmabuf_move_notify,
};

/* @b is not in the tree, or not any more. */
static void kvm_dmabuf_drop(struct kvm_dmabuf_binding *b)
{
	if (b->attach)
		dma_buf_detach(b->dmabuf, b->attach);
	kvm_dmabuf_binding_put(b);
}

/* Take @b out of force. The caller holds slots_lock, or the VM is going away. */
static void kvm_dmabuf_remove(struct kvm *kvm, struct kvm_dmabuf_binding *b)
{
	struct kvm_dmabuf *d = kvm->dmabuf;

	write_lock(&d->lock);
	interval_tree_remove(&b->hva, &d->bindings);
	write_unlock(&d->lock);

	kvm_dmabuf_zap(kvm, b->hva.start, b->hva.last);
	kvm_dmabuf_drop(b);
}

/* Does @vma, which maps @hva, map what @b says? */
static int kvm_dmabuf_check_vma(const struct kvm_dmabuf_binding *b,
				struct vm_area_struct *vma, unsigned long hva)
{
	if (!vma)
		return -EADDRNOTAVAIL;
	/* VM_SHARED is clear for a shared mapping of a read-only fd. */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EACCES;
	if (vma->vm_file != b->file)
		return -EXDEV;
	if (linear_page_index(vma, hva) != b->pgoff + ((hva - b->hva.start) >> PAGE_SHIFT))
		return -ESPIPE;

	return 0;
}

/*
 * Look at the caller's mapping of one page of @b. 0, one of
 * kvm_dmabuf_check_vma()'s errors, -EROFS for a write to a read-only mapping,
 * -EFAULT where the exporter's fault handler fails, -ENOMEM, -EINTR for a signal,
 * -EAGAIN where the page moves faster than it can be looked at.
 */
static int kvm_dmabuf_look(const struct kvm_dmabuf_binding *b, unsigned long hva, bool write,
			   struct kvm_dmabuf_page *page)
{
	struct mm_struct *mm = current->mm;
	struct follow_pfnmap_args args;
	struct vm_area_struct *vma;
	bool unlocked;
	int tries, r;

	mmap_read_lock(mm);

	for (tries = 0; tries < KVM_DMABUF_MAX_TRIES; tries++) {
		vma = vma_lookup(mm, hva);
		r = kvm_dmabuf_check_vma(b, vma, hva);
		if (r)
			goto out;

		if (!(vma->vm_flags & (VM_IO | VM_PFNMAP))) {
			page->gup = true;
			page->memtype = dmabuf_memtype_of_pgprot(vma->vm_page_prot, false);
			goto out;
		}

		if (write && !(vma->vm_flags & VM_WRITE)) {
			r = -EROFS;
			goto out;
		}

		args = (struct follow_pfnmap_args){ .vma = vma, .address = hva };
		r = follow_pfnmap_start(&args);
		if (!r) {
			page->gup = false;
			page->pfn = args.pfn;
			page->writable = args.writable;
			page->memtype = dmabuf_memtype_of_pgprot(args.pgprot, !args.ptep);
			follow_pfnmap_end(&args);
			/* A writer-tracking exporter write-protects: tell it. */
			if (!write || page->writable)
				goto out;
		}

		unlocked = false;
		r = fixup_user_fault(mm, hva, write ? FAULT_FLAG_WRITE : 0, &unlocked);
		if (r)
			goto out;
	}
	/* Handlers give up on a signal, and say "try again". */
	r = signal_pending(current) ? -EINTR : -EAGAIN;
out:
	mmap_read_unlock(mm);
	return r;
}

/* Do the VMAs behind the whole of @b fit it? */
static int kvm_dmabuf_check_range(const struct kvm_dmabuf_binding *b)
{
	struct mm_struct *mm = current->mm;
	unsigned long hva = b->hva.start;
	struct vm_area_struct *vma;
	int r = 0;

	mmap_read_lock(mm);
	while (!r && hva <= b->hva.last) {
		vma = vma_lookup(mm, hva);
		r = kvm_dmabuf_check_vma(b, vma, hva);
		if (!r)
			hva = vma->vm_end;
	}
	mmap_read_unlock(mm);

	return r;
}

/* What the exporter states, and -ENODATA where it states nothing. */
static int kvm_dmabuf_ask_exporter(const struct kvm_dmabuf_binding *b)
{
	int r = dma_resv_lock_interruptible(b->dmabuf->resv, NULL);

	if (r)
		return r;
	r = dmabuf_memtype_of_exporter(b->dmabuf);
	dma_resv_unlock(b->dmabuf->resv);

	return r;
}

/*
 * Which vm_file and vm_pgoff a mapping of the buffer has. Most exporters leave
 * those of the DMA-buf alone. DRM drivers may put a file of their own there
 * (i915), or add the buffer's place in their device's address space (TTM). So
 * where the VMM's mapping looks otherwise, the buffer is mapped once more and
 * looked at. The expectation is for a mapping of @offset at b->hva.start. -ENOMEM and
 * -EINTR: it could not be found out; an exporter that refuses another mapping has none.
 */
static int kvm_dmabuf_expect(struct kvm_dmabuf_binding *b, u64 offset)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	unsigned long addr;
	int r;

	b->file = get_file(b->dmabuf->file);
	b->pgoff = offset >> PAGE_SHIFT;

	mmap_read_lock(mm);
	r = kvm_dmabuf_check_vma(b, vma_lookup(mm, b->hva.start), b->hva.start);
	mmap_read_unlock(mm);
	if (r != -EXDEV && r != -ESPIPE)
		return 0;

	addr = vm_mmap(b->dmabuf->file, 0, PAGE_SIZE, PROT_READ, MAP_SHARED, 0);
	if (addr == -ENOMEM || addr == -EINTR)
		return addr;
	if (IS_ERR_VALUE(addr))
		return 0;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma && vma->vm_file) {
		fput(b->file);
		b->file = get_file(vma->vm_file);
		b->pgoff += linear_page_index(vma, addr);
	}
	mmap_read_unlock(mm);

	vm_munmap(addr, PAGE_SIZE);
	return 0;
}

/*
 * Attach to a buffer that can move, to hear of it. An exporter may refuse an
 * importer that it takes for a device out of its reach; no DMA is done here, and
 * the MMU notifier still tells when the VMM's mapping goes.
 */
static int kvm_dmabuf_attach(struct kvm_dmabuf_binding *b)
{
	struct dma_buf_attachment *attach;

	if (!dma_buf_is_dynamic(b->dmabuf))
		return 0;

	attach = dma_buf_dynamic_attach(b->dmabuf, kvm_dmabuf_device, &kvm_dmabuf_attach_ops, b);
	if (!IS_ERR(attach))
		b->attach = attach;
	else if (PTR_ERR(attach) == -ENOMEM || PTR_ERR(attach) == -EINTR)
		return PTR_ERR(attach);

	return 0;
}

/* Host type of the range that @b describes, or why it cannot be bound. */
static int kvm_dmabuf_find_memtype(struct kvm_dmabuf_binding *b)
{
	struct kvm_dmabuf_page page;
	int stated, r;

	b->asked = atomic_read(&b->changes);

	r = kvm_dmabuf_check_range(b);
	if (r)
		return r;

	r = kvm_dmabuf_look(b, b->hva.start, false, &page);
	if (r == -EFAULT)
		return -ENODATA;
	if (r == -EAGAIN)
		return -ESTALE;
	if (r)
		return r;
	if (page.memtype < 0)
		return -ENODATA;

	stated = kvm_dmabuf_ask_exporter(b);
	if (stated == -ENODATA)
		return page.memtype;
	if (stated < 0)
		return stated;
	if (stated != page.memtype)
		return -EMEDIUMTYPE;

	return stated;
}

/* The slot that holds [gpa, gpa + size) as a whole; the caller holds slots_lock. */
static struct kvm_memory_slot *kvm_dmabuf_slot(struct kvm *kvm, u64 gpa, u64 size)
{
	struct kvm_memory_slot *slot = gfn_to_memslot(kvm, gpa_to_gfn(gpa));

	if (!slot || slot->id >= KVM_USER_MEM_SLOTS || slot->id < 0)
		return NULL;
	/* Private memory has no host mapping to speak about. */
	if (kvm_slot_can_be_private(slot))
		return NULL;
	if (gpa_to_gfn(gpa + size - 1) - slot->base_gfn >= slot->npages)
		return NULL;

	return slot;
}

static int kvm_dmabuf_bind(struct kvm *kvm, struct kvm_dma_buf *arg)
{
	struct kvm_dmabuf_binding *b, *old;
	struct kvm_dmabuf *d = kvm->dmabuf;
	struct kvm_memory_slot *slot;
	struct dma_buf *dmabuf;
	int r;

	lockdep_assert_held(&kvm->slots_lock);

	dmabuf = dma_buf_get(arg->dmabuf_fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf) == -EBADF ? -EBADF : -EBADFD;

	r = -EOVERFLOW;
	if (arg->dmabuf_offset > dmabuf->size || arg->size > dmabuf->size - arg->dmabuf_offset)
		goto out_put_dmabuf;

	r = -ENXIO;
	slot = kvm_dmabuf_slot(kvm, arg->guest_phys_addr, arg->size);
	if (!slot)
		goto out_put_dmabuf;

	r = -ENOMEM;
	if (!d) {
		d = kzalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);
		if (!d)
			goto out_put_dmabuf;
		rwlock_init(&d->lock);
		d->bindings = RB_ROOT_CACHED;
		d->first = ULONG_MAX;
		/* Pairs with the address dependency of whoever loads it. */
		smp_store_release(&kvm->dmabuf, d);
	}

	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		goto out_put_dmabuf;
	kref_init(&b->ref);
	b->kvm = kvm;
	b->dmabuf = dmabuf;
	b->slot_id = kvm_dmabuf_slot_id(slot);
	b->hva.start = __gfn_to_hva_memslot(slot, gpa_to_gfn(arg->guest_phys_addr));
	b->hva.last = b->hva.start + arg->size - 1;
	r = kvm_dmabuf_expect(b, arg->dmabuf_offset);
	if (r)
		goto out_drop;

	/* slots_lock keeps the tree: others only set flags in what it holds. */
	r = -EEXIST;
	old = kvm_dmabuf_find(d, b->hva.start, b->hva.last);
	if (old && (!READ_ONCE(old->stale) || old->hva.start != b->hva.start ||
		    old->hva.last != b->hva.last))
		goto out_drop;

	/* A move from here on is noticed at the latest by the first fault. */
	r = kvm_dmabuf_attach(b);
	if (r)
		goto out_drop;

	r = kvm_dmabuf_find_memtype(b);
	if (r < 0)
		goto out_drop;
	b->memtype = r;

	write_lock(&d->lock);
	if (old)
		interval_tree_remove(&old->hva, &d->bindings);
	interval_tree_insert(&b->hva, &d->bindings);
	WRITE_ONCE(d->first, min(d->first, b->hva.start));
	WRITE_ONCE(d->last, max(d->last, b->hva.last));
	write_unlock(&d->lock);
	if (old)
		kvm_dmabuf_drop(old);

	/*
	 * The MMU notifier finds the binding now. What the VMM unmapped before
	 * went unnoticed, so its VMAs are looked at once more. A range that was
	 * stale stays so: it must not become an unbound one.
	 */
	if (kvm_dmabuf_check_range(b)) {
		if (old)
			kvm_dmabuf_set_stale(b);
		else
			kvm_dmabuf_remove(kvm, b);
		return -ESTALE;
	}

	kvm_dmabuf_zap(kvm, b->hva.start, b->hva.last);
	arg->memtype = b->memtype;
	return 0;

out_drop:
	kvm_dmabuf_drop(b);
	return r;
out_put_dmabuf:
	dma_buf_put(dmabuf);
	return r;
}

static int kvm_dmabuf_unbind(struct kvm *kvm, const struct kvm_dma_buf *arg)
{
	struct kvm_dmabuf *d = kvm->dmabuf;
	struct kvm_dmabuf_binding *b;
	struct kvm_memory_slot *slot;
	unsigned long first, last;

	lockdep_assert_held(&kvm->slots_lock);

	slot = kvm_dmabuf_slot(kvm, arg->guest_phys_addr, arg->size);
	if (!slot)
		return -ENXIO;

	first = __gfn_to_hva_memslot(slot, gpa_to_gfn(arg->guest_phys_addr));
	last = first + arg->size - 1;
	b = d ? kvm_dmabuf_find(d, first, last) : NULL;
	if (!b || b->hva.start != first || b->hva.last != last)
		return -ENOENT;

	kvm_dmabuf_remove(kvm, b);
	return 0;
}

int kvm_vm_ioctl_set_dma_buf(struct kvm *kvm, struct kvm_dma_buf __user *argp)
{
	struct kvm_dma_buf arg;
	int r;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || memchr_inv(arg.reserved, 0, sizeof(arg.reserved)))
		return -EINVAL;
	if (!tdp_enabled)
		return -EOPNOTSUPP;
	if (!arg.size || !PAGE_ALIGNED(arg.guest_phys_addr | arg.size | arg.dmabuf_offset) ||
	    arg.guest_phys_addr + arg.size < arg.guest_phys_addr ||
	    arg.dmabuf_offset + arg.size < arg.dmabuf_offset)
		return -ERANGE;

	/* Nothing may fail once the binding is made. */
	if (put_user(arg.memtype, &argp->memtype))
		return -EFAULT;

	mutex_lock(&kvm->slots_lock);
	if (arg.dmabuf_fd == -1)
		r = kvm_dmabuf_unbind(kvm, &arg);
	else
		r = kvm_dmabuf_bind(kvm, &arg);
	mutex_unlock(&kvm->slots_lock);

	if (!r && put_user(arg.memtype, &argp->memtype))
		return -EFAULT;

	return r;
}

/*
 * A leaf must not reach over the edge of a binding, on whose other side another
 * rule holds. The caller holds the lock.
 */
static void kvm_dmabuf_limit_level(struct kvm_dmabuf *d, const struct kvm_dmabuf_binding *b,
				   struct kvm_page_fault *fault, unsigned long hva)
{
	unsigned long first, last;

	for (; fault->max_level > PG_LEVEL_4K; fault->max_level--) {
		first = hva - ((fault->gfn - gfn_round_for_level(fault->gfn, fault->max_level))
			       << PAGE_SHIFT);
		last = first + KVM_HPAGE_SIZE(fault->max_level) - 1;
		if (b ? b->hva.start <= first && last <= b->hva.last :
			!kvm_dmabuf_find(d, first, last))
			return;
	}
}

/* Has the exporter's word changed since it was asked last? 0, -ESTALE, -errno */
static int kvm_dmabuf_ask_again(struct kvm_dmabuf_binding *b)
{
	int changes = atomic_read(&b->changes);
	int r;

	if (likely(changes == READ_ONCE(b->asked)))
		return 0;

	r = kvm_dmabuf_ask_exporter(b);
	if (r >= 0 && r != b->memtype)
		return -ESTALE;
	if (r < 0 && r != -ENODATA)
		return r;

	/* Not newer than what was asked about: a change since asks again. */
	WRITE_ONCE(b->asked, changes);
	return 0;
}

static int kvm_dmabuf_faultin_bound(struct kvm_dmabuf_binding *b, struct kvm_page_fault *fault)
{
	struct kvm_dmabuf_page page;
	int r;

	r = kvm_dmabuf_ask_again(b);
	if (!r)
		r = kvm_dmabuf_look(b, fault->hva, fault->write, &page);
	if (!r && page.memtype != b->memtype)
		r = -ESTALE;

	switch (r) {
	case 0:
		break;
	case -EROFS:
		fault->pfn = KVM_PFN_ERR_RO_FAULT;
		return RET_PF_CONTINUE;
	case -EINTR:
		fault->pfn = KVM_PFN_ERR_SIGPENDING;
		return RET_PF_CONTINUE;
	case -EAGAIN:
		return RET_PF_RETRY;
	case -EADDRNOTAVAIL:
	case -EACCES:
	case -EXDEV:
	case -ESPIPE:
	case -ESTALE:
		kvm_dmabuf_set_stale(b);
		return -EFAULT;
	default:
		/* The exporter cannot serve the page this time; the binding holds. */
		return -EFAULT;
	}

	fault->leaf = kvm_memtype_leaf_for(b->memtype);
	if (page.gup)
		return RET_PF_INVALID;

	/*
	 * No reference is taken: the buffer's own, and the notifiers, keep the
	 * frame, and it need not have a reference count (tails of high-order
	 * allocations that are no compound page).
	 */
	fault->pfn = page.pfn;
	fault->no_page_ref = true;
	fault->map_writable = page.writable && !(fault->slot->flags & KVM_MEM_READONLY);
	return RET_PF_CONTINUE;
}

int kvm_dmabuf_faultin_pfn(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	struct kvm_dmabuf *d = vcpu->kvm->dmabuf;
	struct kvm_memory_slot *slot = fault->slot;
	struct kvm_dmabuf_binding *b;
	unsigned long hva;
	int r;

	/* A write to a read-only slot is emulated, whatever is behind it. */
	if (fault->write && (slot->flags & KVM_MEM_READONLY))
		return RET_PF_INVALID;

	hva = __gfn_to_hva_memslot(slot, fault->gfn);

	read_lock(&d->lock);
	b = kvm_dmabuf_find(d, hva, hva);
	kvm_dmabuf_limit_level(d, b, fault, hva);
	if (b)
		kref_get(&b->ref);
	read_unlock(&d->lock);

	if (!b)
		return RET_PF_INVALID;

	fault->hva = hva;
	r = READ_ONCE(b->stale) ? -EFAULT : kvm_dmabuf_faultin_bound(b, fault);
	kvm_dmabuf_binding_put(b);

	if (r == -EFAULT)
		kvm_mmu_prepare_memory_fault_exit(vcpu, fault);
	return r;
}

void kvm_dmabuf_invalidate_start(struct kvm *kvm, const struct mmu_notifier_range *range)
{
	unsigned long first = ULONG_MAX, last = 0;
	struct kvm_dmabuf *d = kvm->dmabuf;
	struct interval_tree_node *node;
	struct kvm_dmabuf_binding *b;

	read_lock(&d->lock);
	for (node = interval_tree_iter_first(&d->bindings, range->start, range->end - 1); node;
	     node = interval_tree_iter_next(node, range->start, range->end - 1)) {
		b = container_of(node, struct kvm_dmabuf_binding, hva);
		if (range->event == MMU_NOTIFY_UNMAP) {
			WRITE_ONCE(b->stale, true);
			first = min(first, node->start);
			last = max(last, node->last);
		} else {
			atomic_inc(&b->changes);
		}
	}
	read_unlock(&d->lock);

	/*
	 * KVM zaps @range itself; the rest of what is stale goes here. Who must not
	 * sleep reaps the memory of a process that is being killed, and that rest
	 * still maps the buffer, which the binding holds.
	 */
	if (first < last && (first < range->start || last >= range->end) &&
	    mmu_notifier_range_blockable(range))
		kvm_dmabuf_zap(kvm, first, last);
}

void kvm_dmabuf_invalidate_end(struct kvm *kvm, const struct mmu_notifier_range *range)
{
	struct kvm_dmabuf *d = kvm->dmabuf;
	struct interval_tree_node *node;

	/* A fault that began in between asked before the change was complete. */
	read_lock(&d->lock);
	for (node = interval_tree_iter_first(&d->bindings, range->start, range->end - 1); node;
	     node = interval_tree_iter_next(node, range->start, range->end - 1))
		atomic_inc(&container_of(node, struct kvm_dmabuf_binding, hva)->changes);
	read_unlock(&d->lock);
}

/* A slot of @slot's address space that has all of the binding's host range; NULL: none. */
static const struct kvm_memory_slot *kvm_dmabuf_heir(struct kvm *kvm,
						     const struct kvm_dmabuf_binding *b,
						     const struct kvm_memory_slot *slot)
{
	struct kvm_memslots *slots = __kvm_memslots(kvm, slot->as_id);
	const struct kvm_memory_slot *other;
	struct interval_tree_node *node;

	for (node = interval_tree_iter_first(&slots->hva_tree, b->hva.start, b->hva.last); node;
	     node = interval_tree_iter_next(node, b->hva.start, b->hva.last)) {
		other = container_of(node, struct kvm_memory_slot, hva_node[slots->node_idx]);
		if (node->start <= b->hva.start && node->last >= b->hva.last)
			return other;
	}

	return NULL;
}

void kvm_dmabuf_slot_deleted(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	const struct kvm_memory_slot *heir;
	unsigned long first = slot->userspace_addr;
	unsigned long last = first + slot->npages * PAGE_SIZE - 1;
	struct interval_tree_node *node, *next;
	struct kvm_dmabuf_binding *b;

	if (!kvm->dmabuf)
		return;

	for (node = interval_tree_iter_first(&kvm->dmabuf->bindings, first, last); node;
	     node = next) {
		next = interval_tree_iter_next(node, first, last);
		b = container_of(node, struct kvm_dmabuf_binding, hva);
		if (b->slot_id != kvm_dmabuf_slot_id(slot))
			continue;
		heir = kvm_dmabuf_heir(kvm, b, slot);
		if (heir)
			b->slot_id = kvm_dmabuf_slot_id(heir);
		else
			kvm_dmabuf_remove(kvm, b);
	}
}

void kvm_dmabuf_destroy_vm(struct kvm *kvm)
{
	struct kvm_dmabuf_binding *b;

	if (!kvm->dmabuf)
		return;

	while ((b = kvm_dmabuf_find(kvm->dmabuf, 0, ULONG_MAX)))
		kvm_dmabuf_remove(kvm, b);
	kfree(kvm->dmabuf);
	kvm->dmabuf = NULL;
}

bool kvm_dmabuf_query(struct kvm *kvm, unsigned long hva, u32 *memtype, bool *stale)
{
	struct kvm_dmabuf *d = kvm->dmabuf;
	struct kvm_dmabuf_binding *b;

	if (!d)
		return false;

	read_lock(&d->lock);
	b = kvm_dmabuf_find(d, hva, hva);
	if (b) {
		*memtype = b->memtype;
		*stale = READ_ONCE(b->stale);
	}
	read_unlock(&d->lock);

	return b;
}

int kvm_dmabuf_init(void)
{
	kvm_dmabuf_device = root_device_register("kvm-dmabuf");
	return PTR_ERR_OR_ZERO(kvm_dmabuf_device);
}

void kvm_dmabuf_exit(void)
{
	root_device_unregister(kvm_dmabuf_device);
}

MODULE_IMPORT_NS(DMA_BUF);
