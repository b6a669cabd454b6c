// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM's interrupt routes; see gsi.h. */
#include "vmm/gsi.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define PIC_PINS	8u
#define NR_PINS_ROUTED	(GSI_NR_PINS + 2 * PIC_PINS)

static void add_pin(struct kvm_irq_routing *table, uint32_t gsi, uint32_t chip, uint32_t pin)
{
	table->entries[table->nr++] = (struct kvm_irq_routing_entry) {
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

int gsi__init(struct gsi *gsi, int vm_fd, struct error *err)
{
	uint32_t i;

	*gsi = (struct gsi) { .vm_fd = vm_fd, .next = GSI_NR_PINS };
	pthread_mutex_init(&gsi->lock, NULL);
	gsi->table = calloc(1, sizeof(*gsi->table) + (NR_PINS_ROUTED + GSI_MAX) *
			    sizeof(gsi->table->entries[0]));
	if (!gsi->table)
		return error__set(err, ENOMEM, "out of memory");
	for (i = 0; i < GSI_NR_PINS; i++) {
		if (i < 2 * PIC_PINS)
			add_pin(gsi->table, i, i < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER :
				KVM_IRQCHIP_PIC_SLAVE, i % PIC_PINS);
		add_pin(gsi->table, i, KVM_IRQCHIP_IOAPIC, i);
	}
	return 0;
}

void gsi__exit(struct gsi *gsi)
{
	if (!gsi->table)
		return;
	free(gsi->table);
	gsi->table = NULL;
	pthread_mutex_destroy(&gsi->lock);
}

int gsi__alloc(struct gsi *gsi)
{
	int number = -ENOSPC;

	pthread_mutex_lock(&gsi->lock);
	if (gsi->next < GSI_MAX)
		number = gsi->next++;
	pthread_mutex_unlock(&gsi->lock);
	return number;
}

int gsi__set_msi(struct gsi *gsi, uint32_t number, uint64_t address, uint32_t data)
{
	struct kvm_irq_routing_entry *e;
	uint32_t i;
	int r = 0;

	pthread_mutex_lock(&gsi->lock);
	for (i = NR_PINS_ROUTED; i < gsi->table->nr; i++) {
		if (gsi->table->entries[i].gsi == number)
			break;
	}
	e = &gsi->table->entries[i];
	if (i == gsi->table->nr || e->u.msi.address_lo != (uint32_t)address ||
	    e->u.msi.address_hi != address >> 32 || e->u.msi.data != data) {
		*e = (struct kvm_irq_routing_entry) {
			.gsi = number,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {
				.address_lo = address, .address_hi = address >> 32, .data = data,
			},
		};
		if (i == gsi->table->nr)
			gsi->table->nr++;
		if (ioctl(gsi->vm_fd, KVM_SET_GSI_ROUTING, gsi->table) < 0)
			r = -errno;
	}
	pthread_mutex_unlock(&gsi->lock);
	return r;
}
