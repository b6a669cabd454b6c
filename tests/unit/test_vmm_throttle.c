// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Throttled vCPUs: that they sleep, and what wakes them. The longest sleep is about a
 * second, so what has happened while its end is still to come has not waited for it.
 */
#include "unit/vmm_fake.h"

#include <linux/kvm.h>
#include <time.h>

#include "vmm/migration_clock.h"
#include "vmm/vcpu.h"
#include "vmm/vcpu_throttle.h"

#define DEADLINE_S	20

/* A vCPU whose KVM_RUN ends as soon as it is kicked. */
struct test {
	struct fake fake;
	struct vcpu vcpu;
	struct kvm_run run;
	pthread_t thread;
	bool end;
	unsigned int sleeps;	/* under run_lock: that it has gone to sleep … */
	unsigned int wakes;	/* … and woken up */
};

static void *vcpu_thread(void *arg)
{
	struct test *t = arg;
	struct vm *vm = &t->fake.vm;

	pthread_mutex_lock(&vm->run_lock);
	while (!t->end) {
		if (vm->throttle.until_ns > migration_clock__ns()) {
			t->sleeps++;
			pthread_cond_broadcast(&vm->run_cond);
			vcpu_throttle__sleep(vm);
			t->wakes++;
		}
		t->vcpu.parked = vm->status != VM_RUNNING;
		pthread_cond_broadcast(&vm->run_cond);
		pthread_mutex_unlock(&vm->run_lock);
		sched_yield();
		pthread_mutex_lock(&vm->run_lock);
	}
	pthread_mutex_unlock(&vm->run_lock);
	return NULL;
}

static int setup(void **state)
{
	struct test *t = calloc(1, sizeof(*t));

	if (!t)
		return -1;
	fake_create(&t->fake);
	t->fake.vm.status = VM_RUNNING;
	t->vcpu = (struct vcpu) { .vm = &t->fake.vm, .run = &t->run, .fd = -1 };
	t->fake.vm.vcpus = &t->vcpu;
	t->fake.vm.nr_vcpus = 1;
	*state = t;
	return pthread_create(&t->thread, NULL, vcpu_thread, t);
}

static int teardown(void **state)
{
	struct test *t = *state;

	pthread_mutex_lock(&t->fake.vm.run_lock);
	t->end = true;
	pthread_mutex_unlock(&t->fake.vm.run_lock);
	pthread_join(t->thread, NULL);
	assert_false(t->fake.vm.throttle.started);
	t->fake.vm.nr_vcpus = 0;
	fake_destroy(&t->fake);
	free(t);
	return 0;
}

/* Wait for the vCPU's next sleep. */
static void await_sleep(struct test *t)
{
	struct vm *vm = &t->fake.vm;
	unsigned int before;
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += DEADLINE_S;
	pthread_mutex_lock(&vm->run_lock);
	before = t->sleeps;
	while (t->sleeps == before)
		assert_int_equal(pthread_cond_timedwait(&vm->run_cond, &vm->run_lock, &ts), 0);
	pthread_mutex_unlock(&vm->run_lock);
}

static void throttle(struct test *t, unsigned int percent)
{
	struct error err = { "" };

	if (vcpu_throttle__set(&t->fake.vm, percent, &err))
		fail_msg("%s", err.msg);
}

static void test_sleeps_again_and_again(void **state)
{
	struct test *t = *state;

	throttle(t, 20);
	await_sleep(t);
	await_sleep(t);
	throttle(t, 50);
	await_sleep(t);
	/* KVM_RUN has been told to come back. */
	assert_int_equal(t->run.immediate_exit, 1);
	throttle(t, 0);
	assert_int_equal(t->fake.vm.throttle.until_ns, 0);
	throttle(t, 0);
	throttle(t, 20);
	await_sleep(t);
	throttle(t, 0);
}

/* A pause does not wait for the end of the sleep, nor does the end of the throttle. */
static void test_pause_is_not_delayed(void **state)
{
	struct test *t = *state;
	struct vm *vm = &t->fake.vm;
	struct error err = { "" };

	vm->vcpus[0].started = false;
	throttle(t, 99);
	await_sleep(t);
	assert_int_equal(vm__pause(vm, VM_PAUSED), VM_RUNNING);
	pthread_mutex_lock(&vm->run_lock);
	/* The vCPU parks as soon as it is awake; vm__pause() waits for started ones. */
	while (!t->vcpu.parked)
		pthread_cond_wait(&vm->run_cond, &vm->run_lock);
	assert_true(migration_clock__ns() < vm->throttle.until_ns);
	pthread_mutex_unlock(&vm->run_lock);
	assert_int_equal(vm__resume(vm, &err), 0);
	await_sleep(t);
	throttle(t, 0);
}

static void test_exit_ends_it(void **state)
{
	struct test *t = *state;
	struct vm *vm = &t->fake.vm;

	throttle(t, 99);
	await_sleep(t);
	vm__exit(vm, 0);
	pthread_mutex_lock(&vm->run_lock);
	while (t->wakes != t->sleeps)
		pthread_cond_wait(&vm->run_cond, &vm->run_lock);
	assert_true(migration_clock__ns() < vm->throttle.until_ns);
	pthread_mutex_unlock(&vm->run_lock);
	throttle(t, 0);
}

/* The end of the throttle wakes those who sleep. */
static void test_release_wakes(void **state)
{
	struct test *t = *state;
	struct vm *vm = &t->fake.vm;
	uint64_t until;

	throttle(t, 99);
	await_sleep(t);
	pthread_mutex_lock(&vm->run_lock);
	until = vm->throttle.until_ns;
	pthread_mutex_unlock(&vm->run_lock);
	throttle(t, 0);
	pthread_mutex_lock(&vm->run_lock);
	while (t->wakes != t->sleeps)
		pthread_cond_wait(&vm->run_cond, &vm->run_lock);
	pthread_mutex_unlock(&vm->run_lock);
	assert_true(migration_clock__ns() < until);
}

static void test_limit(void **state)
{
	struct test *t = *state;
	struct error err = { "" };

	assert_int_equal(vcpu_throttle__set(&t->fake.vm, 100, &err), -EINVAL);
	assert_string_equal(err.msg, "throttle of 100 percent, at most 99");
	assert_false(t->fake.vm.throttle.started);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sleeps_again_and_again),
		TEST(test_pause_is_not_delayed),
		TEST(test_exit_ends_it),
		TEST(test_release_wakes),
		TEST(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
