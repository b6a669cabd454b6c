// SPDX-License-Identifier: GPL-2.0-or-later
/* vCPUs that sleep a part of their time; see vcpu_throttle.h. */
#include "vmm/vcpu_throttle.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "vmm/migration_clock.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* What the vCPUs run at a time; the sleep between is as long as the percentage wants. */
#define RUN_NS		10000000ULL

/* Wait for the VM's run state to change, but not beyond @until_ns. */
static void wait_until(struct vm *vm, uint64_t until_ns)
{
	struct timespec ts = {
		.tv_sec = until_ns / 1000000000, .tv_nsec = until_ns % 1000000000,
	};

	pthread_cond_clockwait(&vm->run_cond, &vm->run_lock, CLOCK_MONOTONIC, &ts);
}

static bool in_force(const struct vm *vm)
{
	return vm->throttle.percent && !vm->exiting;
}

static void *throttle_thread(void *arg)
{
	struct vcpu_throttle *t;
	struct vm *vm = arg;
	uint64_t run_until;
	unsigned int i;

	t = &vm->throttle;
	pthread_mutex_lock(&vm->run_lock);
	while (in_force(vm)) {
		run_until = migration_clock__ns() + RUN_NS;
		while (in_force(vm) && migration_clock__ns() < run_until)
			wait_until(vm, run_until);
		if (!in_force(vm))
			break;
		t->until_ns = migration_clock__ns() + RUN_NS * t->percent / (100 - t->percent);
		for (i = 0; vm->status == VM_RUNNING && i < vm->nr_vcpus; i++)
			vcpu__kick(&vm->vcpus[i]);
		while (in_force(vm) && migration_clock__ns() < t->until_ns)
			wait_until(vm, t->until_ns);
	}
	pthread_mutex_unlock(&vm->run_lock);
	return NULL;
}

int vcpu_throttle__set(struct vm *vm, unsigned int percent, struct error *err)
{
	struct vcpu_throttle *t = &vm->throttle;
	int ret;

	if (percent > VCPU_THROTTLE_MAX)
		return error__set(err, EINVAL, "throttle of %u percent, at most %u", percent,
				  VCPU_THROTTLE_MAX);
	pthread_mutex_lock(&vm->run_lock);
	t->percent = percent;
	if (!percent)
		t->until_ns = 0;
	pthread_cond_broadcast(&vm->run_cond);
	pthread_mutex_unlock(&vm->run_lock);

	if (!percent && t->started) {
		pthread_join(t->thread, NULL);
		t->started = false;
	}
	if (!percent || t->started)
		return 0;
	ret = pthread_create(&t->thread, NULL, throttle_thread, vm);
	if (ret)
		return error__set(err, ret, "throttle thread: %s", strerror(ret));
	t->started = true;
	return 0;
}

void vcpu_throttle__sleep(struct vm *vm)
{
	while (vm->throttle.until_ns && vm->status == VM_RUNNING && !vm->exiting &&
	       migration_clock__ns() < vm->throttle.until_ns)
		wait_until(vm, vm->throttle.until_ns);
}
