// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM's dirty bitmaps; see dirty_bitmap.h.
 *
 * Two ways to arm anew. With KVM_WRITE_PROTECT_ALL_MEM: take (and so clear) the
 * bitmaps of all slots, then protect everything once; a page written in between is in
 * what was taken or is logged again. Without: KVM_GET_DIRTY_LOG copies, and
 * KVM_CLEAR_DIRTY_LOG clears and protects exactly what was copied, outside of KVM's
 * big lock's long holds.
 *
 * The last sync() is complete: KVM empties the vCPUs' PML buffers at each VM exit,
 * and every vCPU has left.
 */
#include "vmm/dirty_bitmap.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/dirty_log.h"
#include "vmm/dirty_pages.h"
#include "vmm/dirty_source.h"
#include "vmm/util.h"
#include "vmm/vm.h"

struct dirty_bitmap {
	struct dirty_source source;
	struct vm *vm;
	const struct dirty_sink *sink;
	struct dirty_pages pages;	/* KVM writes into it */
	bool protect_all;
};

static int dirty_bitmap__manual_protect(struct vm *vm, struct error *err)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args[0] = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE,
	};

	if (ioctl(vm->vm_fd, KVM_ENABLE_CAP, &cap) < 0)
		return error__set(err, errno, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: %s",
				  strerror(errno));
	return 0;
}

static int dirty_bitmap__start(struct dirty_source *s, const struct dirty_sink *sink,
			       struct error *err)
{
	struct dirty_bitmap *bitmap = container_of(s, struct dirty_bitmap, source);
	struct vm *vm = bitmap->vm;
	int r;

	if (dirty_pages__init(&bitmap->pages, vm))
		return error__set(err, ENOMEM, "no memory for the bitmaps");
	bitmap->sink = sink;
	bitmap->protect_all = dirty_log__can_protect_all(vm);
	r = bitmap->protect_all ? 0 : dirty_bitmap__manual_protect(vm, err);
	if (!r)
		r = dirty_log__on(vm, bitmap->protect_all, err);
	if (r)
		dirty_pages__exit(&bitmap->pages);
	return r;
}

static int dirty_bitmap__take(struct dirty_bitmap *bitmap, uint32_t slot, struct error *err)
{
	struct kvm_dirty_log get = { .slot = slot, .dirty_bitmap = bitmap->pages.words[slot] };
	struct kvm_clear_dirty_log clear = {
		.slot = slot,
		.num_pages = bitmap->pages.nr_pages[slot],
		.dirty_bitmap = bitmap->pages.words[slot],
	};

	if (ioctl(bitmap->vm->vm_fd, KVM_GET_DIRTY_LOG, &get) < 0)
		return error__set(err, errno, "KVM_GET_DIRTY_LOG of slot %u: %s", slot,
				  strerror(errno));
	if (!bitmap->protect_all && ioctl(bitmap->vm->vm_fd, KVM_CLEAR_DIRTY_LOG, &clear) < 0)
		return error__set(err, errno, "KVM_CLEAR_DIRTY_LOG of slot %u: %s", slot,
				  strerror(errno));
	return 0;
}

static int dirty_bitmap__sync(struct dirty_source *s, bool last, struct error *err)
{
	struct dirty_bitmap *bitmap = container_of(s, struct dirty_bitmap, source);
	uint32_t slot;
	int r = 0;

	(void)last;
	for (slot = 0; !r && slot < VM_NR_SLOTS; slot++)
		r = dirty_bitmap__take(bitmap, slot, err);
	if (!r && bitmap->protect_all)
		r = dirty_log__protect_all(bitmap->vm, err);
	if (!r)
		dirty_pages__drain(&bitmap->pages, bitmap->sink);
	return r;
}

static void dirty_bitmap__stop(struct dirty_source *s)
{
	struct dirty_bitmap *bitmap = container_of(s, struct dirty_bitmap, source);

	dirty_log__off(bitmap->vm);
	dirty_pages__exit(&bitmap->pages);
}

static void dirty_bitmap__free(struct dirty_source *s)
{
	free(container_of(s, struct dirty_bitmap, source));
}

static const struct dirty_source_ops dirty_bitmap__ops = {
	.start = dirty_bitmap__start,
	.sync = dirty_bitmap__sync,
	.stop = dirty_bitmap__stop,
	.free = dirty_bitmap__free,
};

struct dirty_source *dirty_bitmap__create(struct vm *vm)
{
	struct dirty_bitmap *bitmap = calloc(1, sizeof(*bitmap));

	if (!bitmap)
		return NULL;
	*bitmap = (struct dirty_bitmap) {
		.source = {
			.ops = &dirty_bitmap__ops,
			.name = "vCPUs: dirty bitmap",
			.exact = true,
		},
		.vm = vm,
	};
	return &bitmap->source;
}
