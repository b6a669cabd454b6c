// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pieces of vCPU and device state: all of them are taken once, in their size, and
 * none is missing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/migration_state.h"

#define NR_VCPUS	2u

static struct migration_state st;
static uint8_t data[sizeof(struct vcpu_state)];

static int setup(void **state)
{
	(void)state;
	return migration_state__init(&st, NR_VCPUS);
}

static int teardown(void **state)
{
	(void)state;
	migration_state__exit(&st);
	return 0;
}

static int take(uint32_t id, uint32_t instance, size_t len, struct error *err)
{
	err->msg[0] = '\0';
	return migration_state__take(&st, id, instance, data, len, err);
}

static void refuse(uint32_t id, uint32_t instance, size_t len, const char *words)
{
	struct error err;

	assert_int_equal(take(id, instance, len, &err), -EPROTO);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" has no \"%s\"", err.msg, words);
}

static void test_sizes(void **state)
{
	struct error err;

	(void)state;
	refuse(MIGRATION_STATE_REGS, 0, sizeof(struct kvm_regs) - 1, "REGS of vCPU 0 has 143 bytes");
	refuse(MIGRATION_STATE_REGS, 0, sizeof(struct kvm_regs) + 1, "145");
	refuse(MIGRATION_STATE_REGS, 0, 0, "0 bytes");
	/* Lists: whole elements, and not more than there is room for. */
	refuse(MIGRATION_STATE_MSRS, 0, sizeof(struct kvm_msr_entry) + 1, "17 bytes");
	refuse(MIGRATION_STATE_MSRS, 0, (VCPU_STATE_MAX_MSRS + 1) * sizeof(struct kvm_msr_entry),
	       "at most 8192 in elements of 16");
	refuse(MIGRATION_STATE_XSAVE, 0, VCPU_STATE_MAX_XSAVE + 1, "at most 16384");
	refuse(MIGRATION_STATE_CPUID, 0,
	       (VCPU_STATE_MAX_CPUID + 1) * sizeof(struct kvm_cpuid_entry2), "at most");
	refuse(MIGRATION_STATE_SERIAL, 0, sizeof(struct serial_state) + 1, "SERIAL");
	assert_int_equal(take(MIGRATION_STATE_MSRS, 0, 3 * sizeof(struct kvm_msr_entry), &err), 0);
	assert_int_equal(st.vcpus[0].nr_msrs, 3);
	assert_int_equal(take(MIGRATION_STATE_XSAVE, 1, 4096, &err), 0);
	assert_int_equal(st.vcpus[1].xsave_size, 4096);
	assert_int_equal(st.vcpus[0].xsave_size, 0);
}

static void test_names(void **state)
{
	(void)state;
	refuse(0, 0, 8, "state 0 of vCPU 0 is unknown");
	refuse(MIGRATION_STATE_NR, 0, 8, "is unknown");
	refuse(UINT32_MAX, 0, 8, "is unknown");
	refuse(MIGRATION_STATE_REGS, NR_VCPUS, sizeof(struct kvm_regs),
	       "state 1 of vCPU 2 is unknown; there are 2 vCPUs");
	/* The VM has one irqchip, whichever vCPU claims it. */
	refuse(MIGRATION_STATE_IRQCHIP, 1, sizeof(struct irqchip_state), "is unknown");
}

static void test_twice(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(take(MIGRATION_STATE_REGS, 1, sizeof(struct kvm_regs), &err), 0);
	refuse(MIGRATION_STATE_REGS, 1, sizeof(struct kvm_regs), "REGS of vCPU 1 came twice");
	assert_int_equal(take(MIGRATION_STATE_REGS, 0, sizeof(struct kvm_regs), &err), 0);
}

static size_t size_of(uint32_t id)
{
	switch (id) {
	case MIGRATION_STATE_REGS:
		return sizeof(struct kvm_regs);
	case MIGRATION_STATE_SREGS:
		return sizeof(struct kvm_sregs);
	case MIGRATION_STATE_XCRS:
		return sizeof(struct kvm_xcrs);
	case MIGRATION_STATE_DEBUGREGS:
		return sizeof(struct kvm_debugregs);
	case MIGRATION_STATE_EVENTS:
		return sizeof(struct kvm_vcpu_events);
	case MIGRATION_STATE_MP_STATE:
		return sizeof(struct kvm_mp_state);
	case MIGRATION_STATE_LAPIC:
		return sizeof(struct kvm_lapic_state);
	case MIGRATION_STATE_TSC_KHZ:
		return 4;
	case MIGRATION_STATE_XSAVE:
		return 4096;
	case MIGRATION_STATE_MSRS:
		return 10 * sizeof(struct kvm_msr_entry);
	case MIGRATION_STATE_CPUID:
		return 20 * sizeof(struct kvm_cpuid_entry2);
	case MIGRATION_STATE_IRQCHIP:
		return sizeof(struct irqchip_state);
	case MIGRATION_STATE_SERIAL:
		return sizeof(struct serial_state);
	case MIGRATION_STATE_MACHINE:
		return sizeof(struct migration_machine_state);
	}
	return 0;
}

static bool of_vm(uint32_t id)
{
	return id == MIGRATION_STATE_IRQCHIP || id == MIGRATION_STATE_SERIAL ||
	       id == MIGRATION_STATE_MACHINE;
}

/* With any one piece missing it is not complete, and the piece is named. */
static void test_each_is_needed(void **state)
{
	uint32_t missing, id, vcpu;
	struct error err;
	char words[64];

	for (missing = 1; missing < MIGRATION_STATE_NR; missing++) {
		for (vcpu = 0; vcpu < NR_VCPUS; vcpu++) {
			for (id = 1; id < MIGRATION_STATE_NR; id++) {
				if ((vcpu && of_vm(id)) ||
				    (id == missing && vcpu == (of_vm(missing) ? 0 : 1)))
					continue;
				memset(data, id + vcpu, size_of(id));
				assert_int_equal(take(id, vcpu, size_of(id), &err), 0);
			}
		}
		err.msg[0] = '\0';
		assert_int_equal(migration_state__check_complete(&st, &err), -EPROTO);
		snprintf(words, sizeof(words), "of vCPU %u did not come", of_vm(missing) ? 0u : 1u);
		assert_non_null(strstr(err.msg, words));
		assert_int_equal(take(missing, of_vm(missing) ? 0 : 1, size_of(missing), &err), 0);
		assert_int_equal(migration_state__check_complete(&st, &err), 0);
		/* Each lies where it belongs. */
		assert_int_equal(((uint8_t *)&st.vcpus[0].sregs)[0], MIGRATION_STATE_SREGS);
		assert_int_equal(st.serial.rx[0], missing == MIGRATION_STATE_SERIAL ?
				 data[0] : MIGRATION_STATE_SERIAL);
		teardown(state);
		setup(state);
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_sizes),
		T(test_names),
		T(test_twice),
		T(test_each_is_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
