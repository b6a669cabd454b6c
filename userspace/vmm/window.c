// SPDX-License-Identifier: GPL-2.0-or-later
/* The host-visible window and its buffers; see window.h. */
#include "vmm/window.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm_dmabuf.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"
#include "vmm/dmabuf.h"
#include "vmm/options.h"
#include "vmm/util.h"
#include "vmm/vm.h"

/* Nothing may be read or written where no buffer is; the range stays reserved. */
static int window__empty(void *hva, uint64_t size)
{
	void *p;

	p = mmap(hva, size, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	return p == MAP_FAILED ? -errno : 0;
}

int window__init(struct window *win, uint64_t gpa, uint64_t size, struct error *err)
{
	void *hva;

	*win = (struct window) {
		.gpa = gpa, .size = size, .reserved = size, .slot = VM_SLOT_WINDOW, .placed = true,
	};
	pthread_mutex_init(&win->lock, NULL);

	hva = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (hva == MAP_FAILED) {
		pthread_mutex_destroy(&win->lock);
		return error__set(err, errno, "window: %" PRIu64 " bytes of address space: %s",
				  size, strerror(errno));
	}
	win->hva = hva;
	return 0;
}

static int buffer__compare_names(const void *a, const void *b)
{
	return strcmp(((const struct buffer *)a)->name, ((const struct buffer *)b)->name);
}

static void buffer__free(struct buffer *buf)
{
	close(buf->fd);
	free(buf);
}

void window__exit(struct window *win)
{
	unsigned int i;

	if (!win->hva)
		return;
	/* KVM drops the bindings when the MMU notifier sees the mappings go. */
	munmap(win->hva, win->reserved);
	for (i = 0; i < win->nr_buffers; i++) {
		tdelete(win->buffers[i], &win->names, buffer__compare_names);
		buffer__free(win->buffers[i]);
	}
	free(win->buffers);
	pthread_mutex_destroy(&win->lock);
	*win = (struct window) { 0 };
}

void window__freeze(struct window *win)
{
	pthread_mutex_lock(&win->lock);
	win->frozen++;
	pthread_mutex_unlock(&win->lock);
}

void window__thaw(struct window *win)
{
	pthread_mutex_lock(&win->lock);
	win->frozen--;
	pthread_mutex_unlock(&win->lock);
}

/* Index of the first buffer that ends behind @offset: that covers it, or is the next. */
static unsigned int window__index(const struct window *win, uint64_t offset)
{
	unsigned int low = 0, high = win->nr_buffers, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (win->buffers[mid]->offset + win->buffers[mid]->size <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct buffer *window__lookup(struct window *win, uint64_t offset)
{
	unsigned int i = window__index(win, offset);

	return i < win->nr_buffers && win->buffers[i]->offset <= offset ? win->buffers[i] : NULL;
}

struct buffer *window__find(struct window *win, const char *name)
{
	struct buffer key;
	struct buffer **at;

	snprintf(key.name, sizeof(key.name), "%s", name);
	at = tfind(&key, &win->names, buffer__compare_names);
	return at ? *at : NULL;
}

static int window__check(struct window *win, uint64_t fd_offset, uint64_t offset, uint64_t size,
			 struct error *err)
{
	const struct buffer *next;
	unsigned int i;

	if (!size || (offset | size | fd_offset) % VMM_PAGE_SIZE)
		return error__set(err, EINVAL,
				  "offset 0x%" PRIx64 ", size 0x%" PRIx64 ", fd offset 0x%" PRIx64
				  ": not page aligned, or empty", offset, size, fd_offset);
	if (offset > win->size || size > win->size - offset)
		return error__set(err, ERANGE,
				  RANGE_FMT " is beyond the window of 0x%" PRIx64 " bytes",
				  offset, size, win->size);
	if (win->frozen)
		return error__set(err, EBUSY,
				  "a migration is under way: no buffer can come or go");
	if (!win->placed)
		return error__set(err, ENXIO,
				  "the guest has switched off the BAR that the window is behind");
	if (win->nr_buffers == WINDOW_MAX_BUFFERS)
		return error__set(err, ENOSPC, "more than %u buffers", WINDOW_MAX_BUFFERS);
	i = window__index(win, offset);
	next = i < win->nr_buffers ? win->buffers[i] : NULL;
	if (next && next->offset < offset + size)
		return error__set(err, EEXIST,
				  RANGE_FMT " overlaps buffer %s, " RANGE_FMT,
				  offset, size, next->name, next->offset, next->size);
	return 0;
}

/* Two buffers may have been given one name: the second gets its offset appended. */
static int window__name(struct window *win, struct buffer *buf, const char *name,
			struct error *err)
{
	if (name[0] && !window__find(win, name)) {
		snprintf(buf->name, sizeof(buf->name), "%s", name);
		return 0;
	}
	snprintf(buf->name, sizeof(buf->name), "%.14s@%" PRIx64, name[0] ? name : "buffer",
		 buf->offset);
	if (window__find(win, buf->name))
		return error__set(err, EEXIST, "another buffer has the name %s", buf->name);
	return 0;
}

static const char *window__bind_hint(int errnum)
{
	switch (errnum) {
	case EMEDIUMTYPE:
		return "the exporter and the DMA-buf's own mmap have different memory types";
	case ENODATA:
		return "the memory type cannot be found";
	case ESTALE:
		return "the buffer moved or changed its type during the bind";
	case EOPNOTSUPP:
		return "KVM runs without EPT or NPT";
	case ENOTTY:
		return "this KVM has no KVM_SET_DMA_BUF: load dmapat's modules, or use --bind off";
	}
	return strerror(errnum);
}

static int window__bind(struct vm *vm, struct buffer *buf, int fd, uint32_t *memtype,
			struct error *err)
{
	struct kvm_dma_buf bind = {
		.guest_phys_addr = vm->window.gpa + buf->offset,
		.size = buf->size,
		.dmabuf_offset = fd < 0 ? 0 : buf->fd_offset,
		.dmabuf_fd = fd,
	};

	if (ioctl(vm->vm_fd, KVM_SET_DMA_BUF, &bind) < 0)
		return error__set(err, errno,
				  "%s of %s at GPA 0x%llx: %s (errno %d)", fd < 0 ? "unbind" : "bind",
				  buf->name, bind.guest_phys_addr, window__bind_hint(errno), errno);
	if (memtype)
		*memtype = bind.memtype;
	return 0;
}

static int window__fill(struct vm *vm, struct buffer *buf, struct error *err)
{
	struct memtype_answers *types = &buf->types;
	void *hva;
	int r;

	buf->hva = vm->window.hva + buf->offset;
	hva = mmap(buf->hva, buf->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, buf->fd,
		   buf->fd_offset);
	if (hva == MAP_FAILED)
		return error__set(err, errno, "%s: mmap of " RANGE_FMT ": %s", buf->name,
				  buf->fd_offset, buf->size, strerror(errno));

	types->bind = MEMTYPE_NONE;
	if (vm->options->bind == BIND_REQUIRE) {
		r = window__bind(vm, buf, buf->fd, &types->bind, err);
		if (r < 0)
			goto out_empty;
		buf->bound = true;
	}

	memtype__ask(vm, buf, types);
	r = memtype__compare(buf->name, types, &buf->memtype, err);
	if (r < 0)
		goto out_unbind;
	buf->map_info = memtype__map_info(buf->memtype);
	return 0;

out_unbind:
	if (buf->bound)
		window__bind(vm, buf, -1, NULL, NULL);
out_empty:
	window__empty(buf->hva, buf->size);
	return r;
}

static int window__make_room(struct window *win, struct error *err)
{
	unsigned int room = win->room ? 2 * win->room : 64;
	struct buffer **buffers;

	if (win->nr_buffers < win->room)
		return 0;
	buffers = reallocarray(win->buffers, room, sizeof(struct buffer *));
	if (!buffers)
		return error__set(err, ENOMEM, "out of memory");
	win->buffers = buffers;
	win->room = room;
	return 0;
}

/* There is room. */
static int window__insert(struct window *win, struct buffer *buf, struct error *err)
{
	unsigned int i = window__index(win, buf->offset);

	if (!tsearch(buf, &win->names, buffer__compare_names))
		return error__set(err, ENOMEM, "out of memory");
	memmove(win->buffers + i + 1, win->buffers + i,
		(win->nr_buffers - i) * sizeof(struct buffer *));
	win->buffers[i] = buf;
	win->nr_buffers++;
	return 0;
}

/* @buf is win->buffers[i]. */
static void window__forget(struct window *win, struct buffer *buf, unsigned int i)
{
	tdelete(buf, &win->names, buffer__compare_names);
	win->nr_buffers--;
	memmove(win->buffers + i, win->buffers + i + 1,
		(win->nr_buffers - i) * sizeof(struct buffer *));
	buffer__free(buf);
}

/* Mapping and binding go; -errno: they stay. */
static int window__clear(struct vm *vm, struct buffer *buf, struct error *err)
{
	struct error unbind = { 0 };
	int r;

	if (buf->bound && vm->window.placed && window__bind(vm, buf, -1, NULL, &unbind) < 0)
		log_warn("%s", unbind.msg);
	r = window__empty(buf->hva, buf->size);
	return r < 0 ? error__set(err, -r, "%s: unmap: %s", buf->name, strerror(-r)) : 0;
}

int window__map(struct vm *vm, const struct frontend *owner, int fd, uint64_t fd_offset,
		uint64_t offset, uint64_t size, struct buffer **out, struct error *err)
{
	struct window *win = &vm->window;
	struct dmabuf_info info;
	struct buffer *buf;
	int r;

	buf = calloc(1, sizeof(*buf));
	if (!buf) {
		close(fd);
		return error__set(err, ENOMEM, "out of memory");
	}
	*buf = (struct buffer) {
		.fd = fd, .owner = owner, .offset = offset, .size = size, .fd_offset = fd_offset,
	};

	pthread_mutex_lock(&win->lock);
	r = window__check(win, fd_offset, offset, size, err);
	if (!r)
		r = window__make_room(win, err);
	if (!r)
		r = dmabuf__inspect(fd, &info, err);
	if (!r)
		r = window__name(win, buf, info.name, err);
	if (r < 0)
		goto out;
	snprintf(buf->exporter, sizeof(buf->exporter), "%s", info.exporter);
	if (fd_offset > info.size || size > info.size - fd_offset) {
		r = error__set(err, ERANGE,
			       "%s: " RANGE_FMT " is beyond the DMA-buf of 0x%" PRIx64 " bytes",
			       buf->name, fd_offset, size, info.size);
		goto out;
	}
	r = window__fill(vm, buf, err);
	if (r < 0)
		goto out;
	r = window__insert(win, buf, err);
	if (r < 0)
		window__clear(vm, buf, NULL);
	else
		*out = buf;
out:
	pthread_mutex_unlock(&win->lock);
	if (r < 0)
		buffer__free(buf);
	return r;
}

static int window__rebind(struct vm *vm, struct buffer *buf, struct error *err)
{
	bool stale = buf->types.flags & KVM_MEMTYPE_STALE;
	int r = 0;

	/* A stale binding is replaced; one that holds, but with an old type, is not. */
	if (!stale && buf->bound)
		r = window__bind(vm, buf, -1, NULL, err);
	if (r < 0)
		return r;
	buf->bound = stale;
	r = window__bind(vm, buf, buf->fd, &buf->types.bind, err);
	if (r < 0)
		return r;
	buf->bound = true;
	memtype__ask(vm, buf, &buf->types);
	log_info("buffer %s: bound again, %s", buf->name, memtype__name(buf->types.bind));
	return 0;
}

static int window__refresh_buffer(struct vm *vm, struct buffer *buf, struct error *err)
{
	uint32_t memtype;
	int r;

	memtype__ask(vm, buf, &buf->types);
	if (vm->options->bind == BIND_REQUIRE &&
	    (!buf->bound || buf->types.flags & KVM_MEMTYPE_STALE ||
	     memtype__compare(buf->name, &buf->types, &memtype, NULL) < 0)) {
		r = window__rebind(vm, buf, err);
		if (r < 0)
			return r;
	}
	r = memtype__compare(buf->name, &buf->types, &memtype, err);
	if (r < 0)
		return r;
	if (memtype != buf->memtype)
		return error__set(err, EMEDIUMTYPE,
				  "%s: its type has changed from %s to %s, and the guest was told map_info %s",
				  buf->name, memtype__name(buf->memtype), memtype__name(memtype),
				  memtype__map_info_name(buf->map_info));
	return 0;
}

/* With the lock. */
static int window__refresh_all(struct vm *vm, struct error *err)
{
	struct window *win = &vm->window;
	unsigned int i;
	int r = 0;

	for (i = 0; !r && i < win->nr_buffers; i++)
		r = window__refresh_buffer(vm, win->buffers[i], err);
	return r;
}

int window__refresh(struct vm *vm, struct error *err)
{
	struct window *win = &vm->window;
	int r;

	pthread_mutex_lock(&win->lock);
	r = window__refresh_all(vm, err);
	pthread_mutex_unlock(&win->lock);
	return r;
}

int window__unmap(struct vm *vm, const struct frontend *owner, uint64_t offset, uint64_t size,
		  struct error *err)
{
	struct window *win = &vm->window;
	struct buffer *buf;
	unsigned int i;
	int r;

	pthread_mutex_lock(&win->lock);
	i = window__index(win, offset);
	buf = i < win->nr_buffers ? win->buffers[i] : NULL;
	if (!buf || buf->offset != offset || buf->size != size || buf->owner != owner)
		r = error__set(err, ENOENT,
			       RANGE_FMT " is no buffer of this back-end", offset, size);
	else if (win->frozen)
		r = error__set(err, EBUSY, "a migration is under way: no buffer can come or go");
	else
		r = window__clear(vm, buf, err);
	if (!r && buf)
		window__forget(win, buf, i);
	pthread_mutex_unlock(&win->lock);
	return r;
}

int window__unmap_all(struct vm *vm, const struct frontend *owner, struct error *err)
{
	struct window *win = &vm->window;
	unsigned int i;
	int r = 0, one;

	pthread_mutex_lock(&win->lock);
	if (win->frozen)
		r = error__set(err, EBUSY, "a migration is under way: no buffer can come or go");
	/* From the end: what is taken out moves nothing that is yet to be looked at. */
	for (i = win->nr_buffers; !win->frozen && i-- > 0;) {
		if (win->buffers[i]->owner != owner)
			continue;
		one = window__clear(vm, win->buffers[i], r ? NULL : err);
		if (!one)
			window__forget(win, win->buffers[i], i);
		else if (!r)
			r = one;
	}
	pthread_mutex_unlock(&win->lock);
	return r;
}

/* The memslot comes or goes. With the lock. */
static int window__set_slot(struct vm *vm, bool present, struct error *err)
{
	struct window *win = &vm->window;
	struct memory_transaction t;
	int r;

	r = memory_transaction__begin(&t, &vm->memory_map, err);
	if (r < 0)
		return r;
	r = present ? memory_transaction__add(&t, win->gpa, win->size, win->hva, 0, err) :
		      memory_transaction__remove(&t, win->gpa, win->size, err);
	if (r < 0) {
		memory_transaction__abort(&t);
		return r;
	}
	r = memory_transaction__commit(&t, NULL, NULL, err);
	if (!r)
		win->placed = present;
	return r;
}

int window__become_bar(struct vm *vm, uint64_t size, struct error *err)
{
	struct window *win = &vm->window;
	int r;

	if (size > win->size || win->gpa % size)
		return error__set(err, ERANGE,
				  "a BAR of 0x%" PRIx64 " bytes does not fit the window " RANGE_FMT
				  ": --window-size must be as large, --window-base a multiple",
				  size, win->gpa, win->size);
	pthread_mutex_lock(&win->lock);
	r = window__set_slot(vm, false, err);
	if (!r)
		win->size = size;
	pthread_mutex_unlock(&win->lock);
	return r;
}

int window__place(struct vm *vm, bool decoded, uint64_t gpa, struct error *err)
{
	struct window *win = &vm->window;
	int r = 0;

	pthread_mutex_lock(&win->lock);
	if (win->placed && (!decoded || gpa != win->gpa))
		r = window__set_slot(vm, false, err);
	if (!r && decoded && !win->placed) {
		win->gpa = gpa;
		r = window__set_slot(vm, true, err);
		/* The bindings went with the slot. */
		if (!r)
			r = window__refresh_all(vm, err);
	}
	pthread_mutex_unlock(&win->lock);
	return r;
}
