// SPDX-License-Identifier: GPL-2.0-or-later
/* State of PICs, IOAPIC, PIT and KVM clock; see irqchip_state.h. */
#include "vmm/irqchip_state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/util.h"
#include "vmm/vm.h"

int irqchip_state__get(struct vm *vm, struct irqchip_state *state, struct error *err)
{
	uint32_t i;

	memset(state, 0, sizeof(*state));
	for (i = 0; i < ARRAY_SIZE(state->chips); i++) {
		state->chips[i].chip_id = i;
		if (ioctl(vm->vm_fd, KVM_GET_IRQCHIP, &state->chips[i]) < 0)
			return error__set(err, errno, "KVM_GET_IRQCHIP %" PRIu32 ": %s", i,
					  strerror(errno));
	}
	if (ioctl(vm->vm_fd, KVM_GET_PIT2, &state->pit) < 0)
		return error__set(err, errno, "KVM_GET_PIT2: %s", strerror(errno));
	if (ioctl(vm->vm_fd, KVM_GET_CLOCK, &state->clock) < 0)
		return error__set(err, errno, "KVM_GET_CLOCK: %s", strerror(errno));
	return 0;
}

int irqchip_state__set(struct vm *vm, const struct irqchip_state *state, struct error *err)
{
	/*
	 * The clock alone: with KVM_CLOCK_REALTIME KVM would add the time that
	 * has passed since, by a wall clock which the two hosts may not share.
	 */
	struct kvm_clock_data clock = { .clock = state->clock.clock };
	struct kvm_irqchip chip;
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(state->chips); i++) {
		if (state->chips[i].chip_id != i)
			return error__set(err, EINVAL,
					  "irqchip %" PRIu32 ": state is of chip %" PRIu32, i,
					  state->chips[i].chip_id);
	}
	for (i = 0; i < ARRAY_SIZE(state->chips); i++) {
		chip = state->chips[i];
		if (ioctl(vm->vm_fd, KVM_SET_IRQCHIP, &chip) < 0)
			return error__set(err, errno, "KVM_SET_IRQCHIP %" PRIu32 ": %s", i,
					  strerror(errno));
	}
	if (ioctl(vm->vm_fd, KVM_SET_PIT2, &state->pit) < 0)
		return error__set(err, errno, "KVM_SET_PIT2: %s", strerror(errno));
	if (ioctl(vm->vm_fd, KVM_SET_CLOCK, &clock) < 0)
		return error__set(err, errno, "KVM_SET_CLOCK: %s", strerror(errno));
	return 0;
}
