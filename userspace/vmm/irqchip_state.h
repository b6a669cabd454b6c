/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State of the devices inside KVM that belong to the VM and not to a vCPU.
 * Called by the migration, with the VM paused.
 */
#ifndef VMM_IRQCHIP_STATE_H
#define VMM_IRQCHIP_STATE_H

#include <linux/kvm.h>

#include "vmm/error.h"

struct vm;

struct irqchip_state {
	struct kvm_irqchip chips[3];	/* PIC master, PIC slave, IOAPIC, by chip_id */
	struct kvm_pit_state2 pit;
	struct kvm_clock_data clock;
};

int irqchip_state__get(struct vm *vm, struct irqchip_state *state, struct error *err);
/* -EINVAL where chip_id is not the index. */
int irqchip_state__set(struct vm *vm, const struct irqchip_state *state, struct error *err);

#endif /* VMM_IRQCHIP_STATE_H */
