/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM's interrupt routes: the pins of PIC and IOAPIC as KVM has them by itself, and
 * behind them one route for each MSI-X vector. KVM_SET_GSI_ROUTING replaces all of
 * them, so the table is kept here. Used by msix.c, from vCPU threads.
 */
#ifndef VMM_GSI_H
#define VMM_GSI_H

#include <pthread.h>
#include <stdint.h>

#include "vmm/error.h"

struct kvm_irq_routing;

#define GSI_NR_PINS	24u	/* of the IOAPIC; the first 16 are the PICs' as well */
#define GSI_MAX		1024u

struct gsi {
	int vm_fd;
	pthread_mutex_t lock;
	struct kvm_irq_routing *table;
	uint32_t next;		/* number not given out yet */
};

int gsi__init(struct gsi *gsi, int vm_fd, struct error *err);
void gsi__exit(struct gsi *gsi);

/* A number for a message. -ENOSPC */
int gsi__alloc(struct gsi *gsi);
/* What message @number sends: address and data as in the vector's table entry. */
int gsi__set_msi(struct gsi *gsi, uint32_t number, uint64_t address, uint32_t data);

#endif /* VMM_GSI_H */
