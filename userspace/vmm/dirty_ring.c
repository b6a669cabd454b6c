// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM's dirty rings; see dirty_ring.h.
 *
 * While a migration lasts a thread of its own empties the rings, so that a vCPU does
 * not come to a full one. KVM has no event for "filling", only the exit of a vCPU
 * whose ring is full. So the thread looks every few milliseconds at one entry of each
 * ring, a quarter of the ring ahead of what it took last, and empties all rings when
 * it finds that written; and a vCPU with a full ring wakes it, and waits. It leaves
 * emptier rings alone: without KVM_WRITE_PROTECT_ALL_MEM giving entries back protects
 * their pages, and a page that is written all the time would fault each time.
 *
 * What is taken from the rings is kept in ring->pages until sync(), which hands it
 * over after the pages have been armed anew: by KVM_RESET_DIRTY_RINGS, or, where KVM
 * has it, by one KVM_WRITE_PROTECT_ALL_MEM for everything. In between nobody else
 * harvests (vm->dirty_lock), so that nothing that was logged after the arming is
 * handed over with it.
 *
 * The last sync() is complete: KVM empties a vCPU's PML buffer into its ring at each
 * VM exit, and every vCPU has left.
 */
#include "vmm/dirty_ring.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/dirty_log.h"
#include "vmm/dirty_pages.h"
#include "vmm/dirty_source.h"
#include "vmm/util.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* A vCPU that does nothing but dirty pages needs longer for a quarter of 64 Ki entries. */
#define LOOK_MS		5

struct dirty_ring {
	struct dirty_source source;
	struct vm *vm;
	const struct dirty_sink *sink;
	bool protect_all;
	struct dirty_pages pages;	/* taken from the rings, not handed over yet */
	pthread_t thread;
	int wake_fd;			/* eventfd: a ring is full, or the end */

	/* Under vm->dirty_lock. */
	bool has_thread;		/* it harvests until stopping */
	bool stopping;
	int error;			/* of the thread's harvest: -errno */
};

int dirty_ring__enable(struct vm *vm, uint32_t entries, struct error *err)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL };
	uint32_t size = entries * sizeof(struct kvm_dirty_gfn);
	int max;

	max = ioctl(vm->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING_ACQ_REL);
	if (max <= 0)
		return error__set(err, EOPNOTSUPP, "this KVM has no dirty ring");
	if (size > (uint32_t)max)
		return error__set(err, EINVAL,
				  "dirty ring of %" PRIu32 " entries (%" PRIu32 " bytes): KVM allows %d bytes",
				  entries, size, max);
	cap.args[0] = size;
	if (ioctl(vm->vm_fd, KVM_ENABLE_CAP, &cap) < 0)
		return error__set(err, errno, "dirty ring of %" PRIu32 " entries: %s", entries,
				  strerror(errno));
	vm->dirty_ring_entries = entries;
	return 0;
}

static size_t dirty_ring__bytes(const struct vcpu *vcpu)
{
	return vcpu->vm->dirty_ring_entries * sizeof(struct kvm_dirty_gfn);
}

int dirty_ring__map(struct vcpu *vcpu, struct error *err)
{
	void *ring;

	if (!vcpu->vm->dirty_ring_entries)
		return 0;
	ring = mmap(NULL, dirty_ring__bytes(vcpu), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd,
		    KVM_DIRTY_LOG_PAGE_OFFSET * VMM_PAGE_SIZE);
	if (ring == MAP_FAILED)
		return error__set(err, errno, "vCPU %u: mmap of its dirty ring: %s", vcpu->index,
				  strerror(errno));
	vcpu->ring = ring;
	vcpu->ring_next = 0;
	return 0;
}

void dirty_ring__unmap(struct vcpu *vcpu)
{
	if (vcpu->ring)
		munmap(vcpu->ring, dirty_ring__bytes(vcpu));
	vcpu->ring = NULL;
}

/* With vm->dirty_lock. */
static bool dirty_ring__entry_written(const struct vcpu *vcpu, uint32_t ahead)
{
	uint32_t mask = vcpu->vm->dirty_ring_entries - 1;
	const struct kvm_dirty_gfn *gfn = &vcpu->ring[(vcpu->ring_next + ahead) & mask];

	/* Pairs with KVM's release store: flags last, then the entry is whole. */
	return __atomic_load_n(&gfn->flags, __ATOMIC_ACQUIRE) & KVM_DIRTY_GFN_F_DIRTY;
}

/* With vm->dirty_lock. */
static unsigned int dirty_ring__harvest_vcpu(struct vm *vm, struct vcpu *vcpu)
{
	uint32_t mask = vm->dirty_ring_entries - 1;
	struct kvm_dirty_gfn *gfn;
	unsigned int n;

	for (n = 0; dirty_ring__entry_written(vcpu, 0); n++) {
		gfn = &vcpu->ring[vcpu->ring_next++ & mask];
		if (vm->dirty_ring)
			dirty_pages__add(&vm->dirty_ring->pages, gfn->slot & 0xffff, gfn->offset);
		__atomic_store_n(&gfn->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
	}
	return n;
}

/* All rings are empty afterwards. With vm->dirty_lock. */
static int dirty_ring__harvest(struct vm *vm)
{
	unsigned int i, n = 0;
	int r = 0;

	for (i = 0; i < vm->nr_vcpus; i++)
		n += dirty_ring__harvest_vcpu(vm, &vm->vcpus[i]);
	if (n && ioctl(vm->vm_fd, KVM_RESET_DIRTY_RINGS) < 0)
		r = -errno;
	vm->dirty_harvests++;
	pthread_cond_broadcast(&vm->dirty_cond);
	return r;
}

/* Is some ring a quarter full? With vm->dirty_lock. */
static bool dirty_ring__filling(const struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		if (dirty_ring__entry_written(&vm->vcpus[i], vm->dirty_ring_entries / 4))
			return true;
	return false;
}

static void *dirty_ring__thread(void *arg)
{
	struct dirty_ring *ring = arg;
	struct pollfd wake = { .fd = ring->wake_fd, .events = POLLIN };
	struct vm *vm = ring->vm;
	eventfd_t ignored;
	bool go_on = true;

	pthread_setname_np(pthread_self(), "dirty-ring");
	while (go_on) {
		wake.revents = 0;
		poll(&wake, 1, LOOK_MS);
		if (wake.revents)
			eventfd_read(ring->wake_fd, &ignored);
		pthread_mutex_lock(&vm->dirty_lock);
		if (!ring->stopping && (wake.revents || dirty_ring__filling(vm)))
			ring->error = dirty_ring__harvest(vm);
		go_on = !ring->stopping && !ring->error;
		ring->has_thread = go_on;
		pthread_mutex_unlock(&vm->dirty_lock);
	}
	return NULL;
}

int dirty_ring__full(struct vm *vm)
{
	struct dirty_ring *ring;
	uint64_t seen;
	int r = 0;

	pthread_mutex_lock(&vm->dirty_lock);
	seen = vm->dirty_harvests;
	for (;;) {
		ring = vm->dirty_ring;
		if (vm->dirty_harvests != seen)
			break;
		/* Without a thread (any more) there is nobody to wait for. */
		if (!ring || !ring->has_thread || ring->stopping) {
			r = dirty_ring__harvest(vm);
			break;
		}
		eventfd_write(ring->wake_fd, 1);
		pthread_cond_wait(&vm->dirty_cond, &vm->dirty_lock);
	}
	pthread_mutex_unlock(&vm->dirty_lock);
	return r;
}

/* Who has a full ring, and waited for the thread, goes on alone. */
static void dirty_ring__end_thread(struct dirty_ring *ring)
{
	struct vm *vm = ring->vm;

	pthread_mutex_lock(&vm->dirty_lock);
	ring->stopping = true;
	pthread_cond_broadcast(&vm->dirty_cond);
	pthread_mutex_unlock(&vm->dirty_lock);
	eventfd_write(ring->wake_fd, 1);
	pthread_join(ring->thread, NULL);
}

/* From here on what is in the rings is this source's, or nobody's. */
static int dirty_ring__publish(struct vm *vm, struct dirty_ring *ring)
{
	int r = 0;

	pthread_mutex_lock(&vm->dirty_lock);
	if (ring && vm->dirty_ring)
		r = -EALREADY;
	else
		vm->dirty_ring = ring;
	pthread_mutex_unlock(&vm->dirty_lock);
	return r;
}

/* What is still in the rings must not turn up in the next log. */
static void dirty_ring__off(struct dirty_ring *ring)
{
	struct vm *vm = ring->vm;

	dirty_log__off(vm);
	dirty_ring__publish(vm, NULL);
	pthread_mutex_lock(&vm->dirty_lock);
	dirty_ring__harvest(vm);
	pthread_mutex_unlock(&vm->dirty_lock);
}

static int dirty_ring__start(struct dirty_source *s, const struct dirty_sink *sink,
			     struct error *err)
{
	struct dirty_ring *ring = container_of(s, struct dirty_ring, source);
	struct vm *vm = ring->vm;
	int r;

	ring->sink = sink;
	ring->protect_all = dirty_log__can_protect_all(vm);
	if (dirty_pages__init(&ring->pages, vm))
		return error__set(err, ENOMEM, "no memory for the pages of the rings");
	ring->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->wake_fd < 0) {
		r = error__set(err, errno, "eventfd: %s", strerror(errno));
		goto out_pages;
	}
	r = dirty_ring__publish(vm, ring);
	if (r) {
		error__set(err, -r, "the rings are in use");
		goto out_fd;
	}
	r = dirty_log__on(vm, ring->protect_all, err);
	if (r)
		goto out_unpublish;
	ring->stopping = false;
	ring->error = 0;
	ring->has_thread = true;
	r = pthread_create(&ring->thread, NULL, dirty_ring__thread, ring);
	if (r) {
		r = error__set(err, r, "thread: %s", strerror(r));
		goto out_log;
	}
	return 0;

out_log:
	ring->has_thread = false;
	dirty_ring__off(ring);
out_unpublish:
	dirty_ring__publish(vm, NULL);
out_fd:
	close(ring->wake_fd);
out_pages:
	dirty_pages__exit(&ring->pages);
	return r;
}

static int dirty_ring__sync(struct dirty_source *s, bool last, struct error *err)
{
	struct dirty_ring *ring = container_of(s, struct dirty_ring, source);
	struct vm *vm = ring->vm;
	int r;

	(void)last;
	pthread_mutex_lock(&vm->dirty_lock);
	r = ring->error ? ring->error : dirty_ring__harvest(vm);
	if (r)
		error__set(err, -r, "KVM_RESET_DIRTY_RINGS: %s", strerror(-r));
	else if (ring->protect_all)
		r = dirty_log__protect_all(vm, err);
	if (!r)
		dirty_pages__drain(&ring->pages, ring->sink);
	pthread_mutex_unlock(&vm->dirty_lock);
	return r;
}

static void dirty_ring__stop(struct dirty_source *s)
{
	struct dirty_ring *ring = container_of(s, struct dirty_ring, source);

	dirty_ring__end_thread(ring);
	dirty_ring__off(ring);
	close(ring->wake_fd);
	dirty_pages__exit(&ring->pages);
}

static void dirty_ring__free(struct dirty_source *s)
{
	free(container_of(s, struct dirty_ring, source));
}

static const struct dirty_source_ops dirty_ring__ops = {
	.start = dirty_ring__start,
	.sync = dirty_ring__sync,
	.stop = dirty_ring__stop,
	.free = dirty_ring__free,
};

struct dirty_source *dirty_ring__create(struct vm *vm)
{
	struct dirty_ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	*ring = (struct dirty_ring) {
		.source = { .ops = &dirty_ring__ops, .name = "vCPUs: dirty ring", .exact = true },
		.vm = vm,
		.wake_fd = -1,
	};
	return &ring->source;
}
