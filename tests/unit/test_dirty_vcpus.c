// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dirty sources of what vCPUs and the VMM's devices write: rings, bitmaps, marks, with
 * and without KVM_WRITE_PROTECT_ALL_MEM. No write may be lost, whenever it comes.
 */
#include "unit/dirty_fake.h"

#include "vmm/dirty_bitmap.h"
#include "vmm/dirty_marks.h"
#include "vmm/dirty_ring.h"

#define DEADLINE_MS	20000

static struct vm *vm_of(void **state)
{
	return &((struct dirty_fake *)*state)->fake.vm;
}

static struct dirty_source *bitmap_of(void **state)
{
	fake_kvm.keeps_rings = false;
	vm_of(state)->dirty_ring_entries = 0;
	vm_of(state)->memory_map.rings = false;
	return dirty_bitmap__create(vm_of(state));
}

static void start(struct dirty_source *s)
{
	struct error err = { "" };

	if (s->ops->start(s, &fake_sink, &err))
		fail_msg("%s: %s", s->name, err.msg);
}

static void sync_and_read(struct dirty_source *s, bool last)
{
	struct error err = { "" };

	if (s->ops->sync(s, last, &err))
		fail_msg("%s: %s", s->name, err.msg);
	fake_read_reported();
}

static void finish(struct dirty_source *s)
{
	s->ops->stop(s);
	s->ops->free(s);
	assert_false(fake_kvm.logs[0] || fake_kvm.logs[1]);
}

/* A guest that writes between the passes, and around every ioctl. */
static void no_write_is_lost(struct dirty_source *s, bool protect_all)
{
	unsigned int round;

	fake_kvm.has_protect_all = protect_all;
	fake_kvm.guest_writes = true;
	start(s);
	fake_read_all();
	for (round = 0; round < 300; round++) {
		pthread_mutex_lock(&fake_kvm.lock);
		fake_guest_runs(20);
		pthread_mutex_unlock(&fake_kvm.lock);
		sync_and_read(s, false);
	}
	fake_kvm.guest_writes = false;
	sync_and_read(s, true);
	assert_memory_equal(fake_kvm.copy, fake_kvm.version, sizeof(fake_kvm.version));
	assert_true(fake_kvm.handed > 300);
	if (protect_all)
		assert_true(fake_kvm.protects > 300);
	else
		assert_int_equal(fake_kvm.protects, 0);
	finish(s);
}

static void test_ring(void **state)
{
	no_write_is_lost(dirty_ring__create(vm_of(state)), false);
}

static void test_ring_protect_all(void **state)
{
	no_write_is_lost(dirty_ring__create(vm_of(state)), true);
}

static void test_bitmap(void **state)
{
	no_write_is_lost(bitmap_of(state), false);
	assert_true(fake_kvm.manual);
}

static void test_bitmap_protect_all(void **state)
{
	no_write_is_lost(bitmap_of(state), true);
	assert_false(fake_kvm.manual);
}

/* A vCPU that writes for as long as it is let, and waits where its ring is full. */
struct writer {
	struct vm *vm;
	unsigned int vcpu, n, waits;
	int error;
	bool end;
};

static void *writer_thread(void *arg)
{
	struct writer *w = arg;
	unsigned int seed = w->vcpu + 7, r;

	while (!__atomic_load_n(&w->end, __ATOMIC_ACQUIRE) && !w->error) {
		r = rand_r(&seed);
		if (fake_guest_write(w->vcpu, r & 1, r >> 1 & 255)) {
			__atomic_fetch_add(&w->n, 1, __ATOMIC_RELAXED);
		} else {
			w->error = dirty_ring__full(w->vm);
			w->waits++;
		}
	}
	return NULL;
}

/* Two vCPUs at full speed, the ring's thread, and the migration's, which is this one. */
static void writers_race(void **state, bool protect_all)
{
	struct vm *vm = vm_of(state);
	struct writer w[FAKE_VCPUS] = { { .vm = vm, .vcpu = 0 }, { .vm = vm, .vcpu = 1 } };
	struct dirty_source *s = dirty_ring__create(vm);
	pthread_t threads[FAKE_VCPUS];
	unsigned int i, rounds = 0;

	fake_kvm.has_protect_all = protect_all;
	start(s);
	fake_read_all();
	for (i = 0; i < FAKE_VCPUS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, writer_thread, &w[i]), 0);
	for (i = 0; i < FAKE_VCPUS; i++)
		while (__atomic_load_n(&w[i].n, __ATOMIC_RELAXED) < 20000 && ++rounds < 200000)
			sync_and_read(s, false);
	for (i = 0; i < FAKE_VCPUS; i++)
		__atomic_store_n(&w[i].end, true, __ATOMIC_RELEASE);
	for (i = 0; i < FAKE_VCPUS; i++)
		pthread_join(threads[i], NULL);
	sync_and_read(s, true);
	assert_memory_equal(fake_kvm.copy, fake_kvm.version, sizeof(fake_kvm.version));
	assert_int_equal(w[0].error | w[1].error, 0);
	assert_true(w[0].n >= 20000 && w[1].n >= 20000);
	finish(s);
}

static void test_race(void **state)
{
	writers_race(state, false);
}

static void test_race_protect_all(void **state)
{
	writers_race(state, true);
}

/* The thread empties a ring that nobody else asks for, and a vCPU need not. */
static void test_thread_harvests(void **state)
{
	struct vm *vm = vm_of(state);
	struct dirty_source *s = dirty_ring__create(vm);
	int64_t left = DEADLINE_MS;
	unsigned int resets, i;

	start(s);
	for (i = 0; i <= FAKE_RING / 4; i++)
		assert_true(fake_guest_write(0, VM_SLOT_RAM, i));
	do {
		poll(NULL, 0, 1);
		pthread_mutex_lock(&fake_kvm.lock);
		resets = fake_kvm.resets;
		pthread_mutex_unlock(&fake_kvm.lock);
	} while (!resets && left--);
	assert_int_equal(resets, 1);
	/* It keeps what it took for the one who asks. */
	assert_int_equal(fake_kvm.handed, 0);
	sync_and_read(s, false);
	assert_int_equal(fake_kvm.handed, FAKE_RING / 4 + 1);
	finish(s);
}

static void fill_ring(void)
{
	unsigned int i;

	for (i = 0; i < FAKE_RING; i++)
		fake_guest_write(0, VM_SLOT_RAM, i);
	/* Time for the thread to take them, if it were let. */
	poll(NULL, 0, 50);
}

/*
 * What is logged after everything was protected belongs to the next sync: handed over
 * with this one it would be read, and could then be written without a log.
 */
static void test_logged_after_protection(void **state)
{
	struct dirty_source *s = dirty_ring__create(vm_of(state));

	fake_kvm.has_protect_all = true;
	start(s);
	fake_kvm.protected = fill_ring;
	sync_and_read(s, false);
	fake_kvm.protected = NULL;
	fake_guest_write(0, VM_SLOT_RAM, 0);
	sync_and_read(s, true);
	assert_memory_equal(fake_kvm.copy, fake_kvm.version, sizeof(fake_kvm.version));
	finish(s);
}

/* A full ring without a migration is emptied where the vCPU stands, to no end. */
static void test_full_without_source(void **state)
{
	struct vm *vm = vm_of(state);
	unsigned int i;

	fake_kvm.logs[VM_SLOT_RAM] = true;
	memset(fake_kvm.writable, 0, sizeof(fake_kvm.writable));
	for (i = 0; i < FAKE_RING; i++)
		assert_true(fake_guest_write(0, VM_SLOT_RAM, i));
	assert_false(fake_guest_write(0, VM_SLOT_RAM, i));
	assert_int_equal(dirty_ring__full(vm), 0);
	assert_true(fake_guest_write(0, VM_SLOT_RAM, i));
	assert_int_equal(fake_kvm.resets, 1);
	fake_kvm.fail = KVM_RESET_DIRTY_RINGS;
	fake_kvm.fail_errno = EIO;
	assert_int_equal(dirty_ring__full(vm), -EIO);
}

/* What the log held when it was switched off is not in the next one. */
static void test_restart_is_empty(void **state)
{
	struct dirty_source *s = dirty_ring__create(vm_of(state));

	start(s);
	fake_guest_write(0, VM_SLOT_RAM, 3);
	s->ops->stop(s);
	start(s);
	sync_and_read(s, false);
	assert_int_equal(fake_kvm.handed, 0);
	finish(s);
}

static void assert_start_fails(struct dirty_source *s, unsigned long request, unsigned int after,
			       const char *text)
{
	struct error err = { "" };

	fake_kvm.fail = request;
	fake_kvm.fail_after = after;
	fake_kvm.fail_errno = EIO;
	assert_int_equal(s->ops->start(s, &fake_sink, &err), -EIO);
	if (!strstr(err.msg, text))
		fail_msg("'%s' does not say '%s'", err.msg, text);
	assert_int_equal(fake_kvm.fail, 0);
	assert_false(fake_kvm.logs[0] || fake_kvm.logs[1]);
}

/* Each thing that start needs fails in turn; then it works all the same. */
static void test_start_fails(void **state)
{
	struct dirty_source *s = dirty_ring__create(vm_of(state)), *other;
	struct error err = { "" };

	assert_start_fails(s, KVM_SET_USER_MEMORY_REGION, 0, "memslot");
	assert_start_fails(s, KVM_SET_USER_MEMORY_REGION, 1, "memslot");
	fake_kvm.has_protect_all = true;
	assert_start_fails(s, KVM_WRITE_PROTECT_ALL_MEM, 0, "KVM_WRITE_PROTECT_ALL_MEM");
	start(s);
	other = dirty_ring__create(vm_of(state));
	assert_int_equal(other->ops->start(other, &fake_sink, &err), -EALREADY);
	assert_true(fake_kvm.logs[0]);
	other->ops->free(other);
	sync_and_read(s, false);
	finish(s);

	fake_kvm.has_protect_all = false;
	s = bitmap_of(state);
	assert_start_fails(s, KVM_ENABLE_CAP, 0, "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2");
	assert_start_fails(s, KVM_SET_USER_MEMORY_REGION, 1, "memslot");
	start(s);
	sync_and_read(s, false);
	finish(s);
}

static void assert_sync_fails(struct dirty_source *s, unsigned long request, unsigned int after,
			      const char *text)
{
	struct error err = { "" };

	fake_guest_write(0, VM_SLOT_RAM, 1);
	fake_kvm.fail = request;
	fake_kvm.fail_after = after;
	fake_kvm.fail_errno = EIO;
	assert_int_equal(s->ops->sync(s, false, &err), -EIO);
	if (!strstr(err.msg, text))
		fail_msg("'%s' does not say '%s'", err.msg, text);
	assert_int_equal(fake_kvm.handed, 0);
}

static void test_sync_fails(void **state)
{
	struct dirty_source *s = dirty_ring__create(vm_of(state));

	start(s);
	assert_sync_fails(s, KVM_RESET_DIRTY_RINGS, 0, "KVM_RESET_DIRTY_RINGS");
	finish(s);
	fake_kvm.has_protect_all = true;
	s = dirty_ring__create(vm_of(state));
	start(s);
	assert_sync_fails(s, KVM_WRITE_PROTECT_ALL_MEM, 0, "KVM_WRITE_PROTECT_ALL_MEM");
	finish(s);
	fake_kvm.has_protect_all = false;
	s = bitmap_of(state);
	start(s);
	assert_sync_fails(s, KVM_GET_DIRTY_LOG, 1, "KVM_GET_DIRTY_LOG of slot 1");
	assert_sync_fails(s, KVM_CLEAR_DIRTY_LOG, 0, "KVM_CLEAR_DIRTY_LOG of slot 0");
	finish(s);
}

/* The thread's own failure reaches whoever syncs next; a full ring does not hang on it. */
static void test_thread_fails(void **state)
{
	struct vm *vm = vm_of(state);
	struct dirty_source *s = dirty_ring__create(vm);
	struct error err = { "" };
	unsigned int i;

	start(s);
	fake_kvm.fail = KVM_RESET_DIRTY_RINGS;
	fake_kvm.fail_errno = EIO;
	for (i = 0; i < FAKE_RING; i++)
		assert_true(fake_guest_write(0, VM_SLOT_RAM, i));
	dirty_ring__full(vm);
	assert_int_equal(s->ops->sync(s, false, &err), -EIO);
	/* There is no thread any more: this one empties, and KVM resets. */
	assert_int_equal(dirty_ring__full(vm), 0);
	finish(s);
}

static void test_marks(void **state)
{
	struct vm *vm = vm_of(state);
	struct dirty_source *s = dirty_marks__create(vm);
	unsigned int i;

	vm__mark_dirty(vm, 0x1000, 4096);		/* nobody logs */
	start(s);
	vm__mark_dirty(vm, 0x1000, 4096);
	vm__mark_dirty(vm, 0x2fff, 2);
	vm__mark_dirty(vm, 0x5001, 0);
	vm__mark_dirty(vm, FAKE_RAM - 1, 1);
	vm__mark_dirty(vm, FAKE_RAM - 1, 2);		/* not RAM */
	vm__mark_dirty(vm, UINT64_MAX, 4096);
	assert_int_equal(s->ops->sync(s, false, NULL), 0);
	assert_int_equal(fake_kvm.handed, 4);
	for (i = 1; i < 4; i++)
		assert_true(fake_reported[VM_SLOT_RAM][i]);
	assert_true(fake_reported[VM_SLOT_RAM][FAKE_RAM / VMM_PAGE_SIZE - 1]);
	assert_int_equal(s->ops->sync(s, true, NULL), 0);
	assert_int_equal(fake_kvm.handed, 4);
	finish(s);
	assert_null(vm->dirty_marks);
	vm__mark_dirty(vm, 0x1000, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIRTY_TEST(test_ring),
		DIRTY_TEST(test_ring_protect_all),
		DIRTY_TEST(test_bitmap),
		DIRTY_TEST(test_bitmap_protect_all),
		DIRTY_TEST(test_race),
		DIRTY_TEST(test_race_protect_all),
		DIRTY_TEST(test_thread_harvests),
		DIRTY_TEST(test_logged_after_protection),
		DIRTY_TEST(test_full_without_source),
		DIRTY_TEST(test_restart_is_empty),
		DIRTY_TEST(test_start_fails),
		DIRTY_TEST(test_sync_fails),
		DIRTY_TEST(test_thread_fails),
		DIRTY_TEST(test_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
