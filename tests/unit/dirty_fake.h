/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A KVM that only logs dirty pages, for tests of the dirty sources: ioctl() on
 * fake_kvm.fd is answered here. Pages are write-protected or not, a write to one that
 * is protected is logged in a ring or a bitmap, and what re-arms protects again, as
 * Documentation/virt/kvm/api.rst and docs/uapi.md say. A guest that writes counts a
 * version for each page; a reader copies it, and must have the last one in the end.
 */
#ifndef UNIT_DIRTY_FAKE_H
#define UNIT_DIRTY_FAKE_H

#include "unit/vmm_fake.h"

#include <linux/kvm.h>
#include <linux/kvm_dmabuf.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "unit/capture.h"
#include "vmm/dirty_source.h"
#include "vmm/util.h"
#include "vmm/vcpu.h"

#define FAKE_RING	64u
#define FAKE_VCPUS	2u
#define FAKE_MAX_PAGES	(FAKE_WINDOW / VMM_PAGE_SIZE)

struct fake_kvm {
	int fd;
	bool has_protect_all;
	bool keeps_rings;		/* not bitmaps */
	pthread_mutex_t lock;		/* what follows, and the rings' KVM side */
	bool page_protect_off;		/* after the first KVM_WRITE_PROTECT_ALL_MEM */
	bool manual;
	bool logs[VM_NR_SLOTS];
	bool writable[VM_NR_SLOTS][FAKE_MAX_PAGES];
	uint64_t bitmap[VM_NR_SLOTS][FAKE_MAX_PAGES / 64];
	struct kvm_dirty_gfn rings[FAKE_VCPUS][FAKE_RING];
	uint32_t next[FAKE_VCPUS], reset[FAKE_VCPUS];
	unsigned int resets, protects;	/* calls */
	unsigned long fail;		/* this request fails … */
	unsigned int fail_after;	/* … after so many that succeed */
	int fail_errno;
	/* The guest's and the reader's. */
	uint32_t version[VM_NR_SLOTS][FAKE_MAX_PAGES];
	uint32_t copy[VM_NR_SLOTS][FAKE_MAX_PAGES];
	unsigned int handed;
	unsigned int seed;
	bool guest_writes;		/* around every ioctl */
	void (*protected)(void);	/* called when all was protected; without the lock */
};

/* Other descriptors' ioctls, for a test that fakes more; NULL: the kernel's. */
static int (*fake_ioctl)(int fd, unsigned long request, void *arg);

static struct fake_kvm fake_kvm = { .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

/* A page may be written without a log only until the next arming. False: ring full. */
static inline bool fake_guest_write_locked(unsigned int vcpu, uint32_t slot, uint64_t page)
{
	struct fake_kvm *k = &fake_kvm;
	struct kvm_dirty_gfn *gfn = &k->rings[vcpu][k->next[vcpu] % FAKE_RING];
	bool log = k->logs[slot] && !k->writable[slot][page];

	if (log && k->keeps_rings && gfn->flags)
		return false;
	k->version[slot][page]++;
	k->writable[slot][page] = true;
	if (!log)
		return true;
	if (!k->keeps_rings) {
		k->bitmap[slot][page / 64] |= 1ULL << page % 64;
		return true;
	}
	gfn->slot = slot;
	gfn->offset = page;
	__atomic_store_n(&gfn->flags, KVM_DIRTY_GFN_F_DIRTY, __ATOMIC_RELEASE);
	k->next[vcpu]++;
	return true;
}

static inline bool fake_guest_write(unsigned int vcpu, uint32_t slot, uint64_t page)
{
	bool ok;

	pthread_mutex_lock(&fake_kvm.lock);
	ok = fake_guest_write_locked(vcpu, slot, page);
	pthread_mutex_unlock(&fake_kvm.lock);
	return ok;
}

/* Some pages, of which a few again and again. With the lock. */
static inline void fake_guest_runs(unsigned int n)
{
	unsigned int r;

	while (n--) {
		r = rand_r(&fake_kvm.seed);
		fake_guest_write_locked(r & 1, r >> 1 & 1,
					(r >> 2 & 3 ? r >> 4 & 7 : r >> 4 & 255));
	}
}

static inline void fake_protect(uint32_t slot, uint64_t page)
{
	if (!fake_kvm.page_protect_off)
		fake_kvm.writable[slot][page] = false;
}

static inline int fake_reset_rings(void)
{
	struct fake_kvm *k = &fake_kvm;
	struct kvm_dirty_gfn *gfn;
	unsigned int i;

	k->resets++;
	for (i = 0; i < FAKE_VCPUS; i++) {
		for (;;) {
			gfn = &k->rings[i][k->reset[i] % FAKE_RING];
			if (!(__atomic_load_n(&gfn->flags, __ATOMIC_ACQUIRE) &
			      KVM_DIRTY_GFN_F_RESET))
				break;
			fake_protect(gfn->slot, gfn->offset);
			gfn->flags = 0;
			k->reset[i]++;
		}
	}
	return 0;
}

static inline int fake_set_region(const struct kvm_userspace_memory_region *r)
{
	bool on = r->flags & KVM_MEM_LOG_DIRTY_PAGES;

	if (on && !fake_kvm.logs[r->slot])
		memset(fake_kvm.writable[r->slot], 0, sizeof(fake_kvm.writable[r->slot]));
	if (!on)
		memset(fake_kvm.bitmap[r->slot], 0, sizeof(fake_kvm.bitmap[r->slot]));
	fake_kvm.logs[r->slot] = on;
	return 0;
}

static inline int fake_get_log(const struct kvm_dirty_log *log)
{
	uint64_t i, word = 0, *out = log->dirty_bitmap;

	for (i = 0; i < (log->slot ? FAKE_WINDOW : FAKE_RAM) / VMM_PAGE_SIZE; i++) {
		if (i % 64 == 0) {
			word = fake_kvm.bitmap[log->slot][i / 64];
			out[i / 64] = word;
			if (!fake_kvm.manual)
				fake_kvm.bitmap[log->slot][i / 64] = 0;
		}
		if (word >> i % 64 & 1 && !fake_kvm.manual)
			fake_protect(log->slot, i);
	}
	return 0;
}

static inline int fake_clear_log(const struct kvm_clear_dirty_log *clear)
{
	const uint64_t *words = clear->dirty_bitmap;
	uint64_t i;

	assert_true(fake_kvm.manual);
	for (i = 0; i < clear->num_pages; i++) {
		if (!(words[i / 64] >> i % 64 & 1))
			continue;
		fake_kvm.bitmap[clear->slot][i / 64] &= ~(1ULL << i % 64);
		fake_protect(clear->slot, i);
	}
	return 0;
}

static inline int fake_protect_all(void)
{
	fake_kvm.protects++;
	fake_kvm.page_protect_off = true;
	memset(fake_kvm.writable, 0, sizeof(fake_kvm.writable));
	return 0;
}

static inline int fake_kvm_ioctl(unsigned long request, void *arg)
{
	switch (request) {
	case KVM_CHECK_EXTENSION:
		return (unsigned long)arg == KVM_CAP_DMA_BUF && fake_kvm.has_protect_all ?
		       KVM_DMA_BUF_HAS_WRITE_PROTECT_ALL : 0;
	case KVM_ENABLE_CAP:
		fake_kvm.manual = true;
		return 0;
	case KVM_SET_USER_MEMORY_REGION:
		return fake_set_region(arg);
	case KVM_RESET_DIRTY_RINGS:
		return fake_reset_rings();
	case KVM_GET_DIRTY_LOG:
		return fake_get_log(arg);
	case KVM_CLEAR_DIRTY_LOG:
		return fake_clear_log(arg);
	case KVM_WRITE_PROTECT_ALL_MEM:
		return fake_protect_all();
	}
	errno = ENOTTY;
	return -1;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;
	int r;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (fd != fake_kvm.fd && fake_ioctl)
		return fake_ioctl(fd, request, arg);
	if (fd < 0 || fd != fake_kvm.fd)
		return syscall(SYS_ioctl, fd, request, arg);
	pthread_mutex_lock(&fake_kvm.lock);
	if (request == fake_kvm.fail && !fake_kvm.fail_after--) {
		fake_kvm.fail = 0;
		errno = fake_kvm.fail_errno;
		r = -1;
	} else {
		if (fake_kvm.guest_writes)
			fake_guest_runs(5);
		r = fake_kvm_ioctl(request, arg);
		if (fake_kvm.guest_writes)
			fake_guest_runs(5);
	}
	pthread_mutex_unlock(&fake_kvm.lock);
	if (request == KVM_WRITE_PROTECT_ALL_MEM && fake_kvm.protected)
		fake_kvm.protected();
	return r;
}

/* The reader: what is handed over is read, but not before the end of the sync. */
static bool fake_reported[VM_NR_SLOTS][FAKE_MAX_PAGES];

static inline void fake_take(const struct dirty_sink *sink, uint32_t slot, uint64_t page)
{
	(void)sink;
	assert_true(slot < VM_NR_SLOTS && page < FAKE_MAX_PAGES);
	fake_reported[slot][page] = true;
	fake_kvm.handed++;
}

static const struct dirty_sink fake_sink = { .page = fake_take };

static inline void fake_read_reported(void)
{
	unsigned int slot, page;

	pthread_mutex_lock(&fake_kvm.lock);
	for (slot = 0; slot < VM_NR_SLOTS; slot++)
		for (page = 0; page < FAKE_MAX_PAGES; page++)
			if (fake_reported[slot][page])
				fake_kvm.copy[slot][page] = fake_kvm.version[slot][page];
	memset(fake_reported, 0, sizeof(fake_reported));
	pthread_mutex_unlock(&fake_kvm.lock);
}

static inline void fake_read_all(void)
{
	memset(fake_reported, 1, sizeof(fake_reported));
	fake_read_reported();
}

struct dirty_fake {
	struct fake fake;
	struct vcpu vcpus[FAKE_VCPUS];
	int fds_before;
};

static inline void fake_nothing(void *opaque)
{
	(void)opaque;
}

/* Slots 0 and 1, as vm.c makes them. */
static inline void fake_slots(struct vm *vm)
{
	static const struct memory_map_ops ops = { .stop = fake_nothing, .start = fake_nothing };
	struct memory_transaction t;
	struct error err = { "" };

	memory_map__init(&vm->memory_map, vm->vm_fd, &ops, vm);
	vm->memory_map.rings = true;
	assert_int_equal(memory_transaction__begin(&t, &vm->memory_map, &err), 0);
	assert_int_equal(memory_transaction__add(&t, vm->ram.gpa, vm->ram.size, vm->ram.hva, 0,
						 &err), 0);
	assert_int_equal(memory_transaction__add(&t, vm->window.gpa, vm->window.size,
						 vm->window.hva, 0, &err), 0);
	assert_int_equal(memory_transaction__commit(&t, NULL, NULL, &err), 0);
}

static inline int dirty_setup(void **state)
{
	struct dirty_fake *d = calloc(1, sizeof(*d));
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	unsigned int i;

	if (!d)
		return -1;
	d->fds_before = count_fds();
	memset(&fake_kvm, 0, sizeof(fake_kvm));
	memset(fake_reported, 0, sizeof(fake_reported));
	fake_kvm.lock = lock;
	fake_kvm.seed = 1;
	memset(fake_kvm.writable, 1, sizeof(fake_kvm.writable));
	fake_create(&d->fake);
	fake_kvm.fd = d->fake.vm.vm_fd = eventfd(0, EFD_CLOEXEC);
	fake_slots(&d->fake.vm);
	d->fake.vm.vcpus = d->vcpus;
	d->fake.vm.nr_vcpus = FAKE_VCPUS;
	d->fake.vm.dirty_ring_entries = FAKE_RING;
	fake_kvm.keeps_rings = true;
	for (i = 0; i < FAKE_VCPUS; i++)
		d->vcpus[i] = (struct vcpu) {
			.vm = &d->fake.vm, .index = i, .ring = fake_kvm.rings[i],
		};
	*state = d;
	return 0;
}

static inline int dirty_teardown(void **state)
{
	struct dirty_fake *d = *state;
	int before = d->fds_before, r;

	close(fake_kvm.fd);
	memory_map__exit(&d->fake.vm.memory_map);
	fake_destroy(&d->fake);
	free(d);
	r = count_fds() == before ? 0 : -1;
	fake_kvm.fd = -1;
	return r;
}

#define DIRTY_TEST(f) cmocka_unit_test_setup_teardown(f, dirty_setup, dirty_teardown)

#endif /* UNIT_DIRTY_FAKE_H */
