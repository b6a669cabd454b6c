// SPDX-License-Identifier: GPL-2.0-or-later
/* Run state, CPUID, saved state: what of them needs no KVM. */
#include "unit/vmm_fake.h"

#include <sys/epoll.h>

#include "vmm/cpuid.h"
#include "vmm/irqchip_state.h"
#include "vmm/vcpu.h"
#include "vmm/vcpu_state.h"

static int setup(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	fake_create(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fake_destroy(*state);
	free(*state);
	return 0;
}

static void test_status(void **state)
{
	static const enum vm_status may_run[] = { VM_PRELAUNCH, VM_PAUSED, VM_INMIGRATE,
						  VM_FINISH_MIGRATE, VM_RUNNING };
	static const enum vm_status may_not[] = { VM_POSTMIGRATE, VM_INTERNAL_ERROR, VM_SHUTDOWN };
	struct fake *f = *state;
	struct error err;
	unsigned int i;

	for (i = 0; i < sizeof(may_run) / sizeof(may_run[0]); i++) {
		vm__set_status(&f->vm, may_run[i]);
		assert_int_equal(vm__resume(&f->vm, NULL), 0);
		assert_int_equal(vm__status(&f->vm), VM_RUNNING);
	}
	for (i = 0; i < sizeof(may_not) / sizeof(may_not[0]); i++) {
		memset(&err, 0, sizeof(err));
		vm__set_status(&f->vm, may_not[i]);
		assert_int_equal(vm__resume(&f->vm, &err), -EPERM);
		assert_non_null(strstr(err.msg, vm__status_name(may_not[i])));
		assert_int_equal(vm__status(&f->vm), may_not[i]);
	}
}

static void test_pause(void **state)
{
	struct fake *f = *state;

	assert_int_equal(vm__resume(&f->vm, NULL), 0);
	assert_int_equal(vm__pause(&f->vm, VM_FINISH_MIGRATE), VM_RUNNING);
	assert_int_equal(vm__status(&f->vm), VM_FINISH_MIGRATE);
	assert_int_equal(vm__pause(&f->vm, VM_POSTMIGRATE), VM_FINISH_MIGRATE);
	assert_int_equal(vm__status(&f->vm), VM_POSTMIGRATE);
}

/* A vCPU's own stop does not undo what a pause has decided meanwhile. */
static void test_stop_from_vcpu(void **state)
{
	struct fake *f = *state;

	vm__resume(&f->vm, NULL);
	vm__stop_from_vcpu(&f->vm, VM_PAUSED);
	assert_int_equal(vm__status(&f->vm), VM_PAUSED);
	vm__set_status(&f->vm, VM_POSTMIGRATE);
	vm__stop_from_vcpu(&f->vm, VM_PAUSED);
	assert_int_equal(vm__status(&f->vm), VM_POSTMIGRATE);
}

static void test_exit(void **state)
{
	struct fake *f = *state;

	vm__exit(&f->vm, 5);
	vm__exit(&f->vm, 7);
	assert_true(f->vm.exiting);
	assert_int_equal(f->vm.exit_status, 5);
	assert_int_equal(loop__run_once(f->loop, 0), 0);
}

static void test_cpuid(void **state)
{
	struct kvm_cpuid_entry2 entries[] = {
		{ .function = 0, .eax = 0x1f, .ebx = 1, .edx = 2 },
		{ .function = 1, .ebx = 0x00010800, .edx = 0xbfebfbff },
		{ .function = 0xb, .index = 0, .edx = 99 },
		{ .function = 0xb, .index = 1, .edx = 99 },
		{ .function = 0x1f, .edx = 99 },
		{ .function = 0x8000001e, .eax = 99, .ebx = 5 },
	};

	(void)state;
	cpuid__adjust(entries, sizeof(entries) / sizeof(entries[0]), 3);
	assert_int_equal(entries[0].edx, 2);
	assert_int_equal(entries[1].ebx, 0x03010800);
	assert_int_equal(entries[1].edx, 0xbfebfbff);
	assert_int_equal(entries[2].edx, 3);
	assert_int_equal(entries[3].edx, 3);
	assert_int_equal(entries[4].edx, 3);
	assert_int_equal(entries[5].eax, 3);
	assert_int_equal(entries[5].ebx, 5);
}

/* Counts that do not fit are refused before KVM is asked for anything. */
static void test_bad_vcpu_state(void **state)
{
	struct vcpu_state *s = calloc(1, sizeof(*s));
	struct fake *f = *state;
	struct vcpu vcpu = { .vm = &f->vm, .fd = -1 };
	struct error err = { 0 };

	assert_non_null(s);
	s->xsave_size = sizeof(struct kvm_xsave);
	s->nr_msrs = VCPU_STATE_MAX_MSRS + 1;
	assert_int_equal(vcpu_state__set(&vcpu, s, &err), -E2BIG);
	assert_non_null(strstr(err.msg, "513 MSRs"));
	s->nr_msrs = 0;
	s->nr_cpuid = VCPU_STATE_MAX_CPUID + 1;
	assert_int_equal(vcpu_state__set(&vcpu, s, &err), -E2BIG);
	s->nr_cpuid = UINT32_MAX;
	assert_int_equal(vcpu_state__set(&vcpu, s, &err), -E2BIG);
	s->nr_cpuid = 0;
	s->xsave_size = VCPU_STATE_MAX_XSAVE + 1;
	assert_int_equal(vcpu_state__set(&vcpu, s, &err), -E2BIG);
	s->xsave_size = sizeof(struct kvm_xsave) - 1;
	memset(&err, 0, sizeof(err));
	assert_int_equal(vcpu_state__set(&vcpu, s, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "4095 bytes, at least 4096"));
	s->xsave_size = sizeof(struct kvm_xsave);
	memset(&err, 0, sizeof(err));
	assert_int_equal(vcpu_state__set(&vcpu, s, &err), -EBADF);
	assert_non_null(strstr(err.msg, "KVM_SET_CPUID2"));
	free(s);
}

static void test_bad_irqchip_state(void **state)
{
	struct irqchip_state *s = calloc(1, sizeof(*s));
	struct error err = { 0 };
	struct fake *f = *state;

	assert_non_null(s);
	s->chips[1].chip_id = 1;
	assert_int_equal(irqchip_state__set(&f->vm, s, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "irqchip 2: state is of chip 0"));
	s->chips[2].chip_id = 2;
	memset(&err, 0, sizeof(err));
	assert_int_equal(irqchip_state__set(&f->vm, s, &err), -EBADF);
	free(s);
}

/* ---- the event loop ---- */

static unsigned int order[8], nr_order;

static void note(void *arg)
{
	order[nr_order++] = (uintptr_t)arg;
}

static void *post_two(void *arg)
{
	assert_int_equal(loop__post(arg, note, (void *)3), 0);
	assert_int_equal(loop__post(arg, note, (void *)4), 0);
	return NULL;
}

static void test_post(void **state)
{
	struct fake *f = *state;
	pthread_t thread;

	nr_order = 0;
	assert_int_equal(loop__post(f->loop, note, (void *)1), 0);
	assert_int_equal(loop__post(f->loop, note, (void *)2), 0);
	assert_int_equal(pthread_create(&thread, NULL, post_two, f->loop), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(nr_order, 0);
	assert_int_equal(loop__run_once(f->loop, 1000), 0);
	assert_int_equal(nr_order, 4);
	assert_int_equal(order[0], 1);
	assert_int_equal(order[1], 2);
	assert_int_equal(order[2], 3);
	assert_int_equal(order[3], 4);
}

struct two {
	struct loop *loop;
	struct loop_handler h[2];
	unsigned int calls;
};

static struct two two;

/* Whichever comes first removes both: the other must not be called any more. */
static void remove_both(struct loop_handler *h, uint32_t events)
{
	(void)h;
	(void)events;
	two.calls++;
	loop__del(two.loop, &two.h[0]);
	loop__del(two.loop, &two.h[1]);
}

static void test_del_in_round(void **state)
{
	struct fake *f = *state;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	two = (struct two) { .loop = f->loop };
	two.h[0] = (struct loop_handler) { .fd = fds[0], .ready = remove_both };
	two.h[1] = (struct loop_handler) { .fd = fds[1], .ready = remove_both };
	assert_int_equal(loop__add(f->loop, &two.h[0], EPOLLIN), 0);
	assert_int_equal(loop__add(f->loop, &two.h[1], EPOLLOUT), 0);
	assert_int_equal(loop__run_once(f->loop, 1000), 0);
	assert_int_equal(two.calls, 1);
	close(fds[0]);
	close(fds[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_status),
		TEST(test_pause),
		TEST(test_stop_from_vcpu),
		TEST(test_exit),
		TEST(test_cpuid),
		TEST(test_bad_vcpu_state),
		TEST(test_bad_irqchip_state),
		TEST(test_post),
		TEST(test_del_in_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
