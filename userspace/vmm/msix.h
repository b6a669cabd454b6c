/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSI-X of a PCI function (PCI Local Bus 3.0, 6.8.2): the table and the pending bits
 * in a BAR, and an eventfd for each vector, which KVM turns into the vector's message
 * while it is not masked. What is signalled while it is masked stays in the eventfd:
 * that is the pending bit. Used by virtio_pci.c.
 */
#ifndef VMM_MSIX_H
#define VMM_MSIX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/error.h"

struct gsi;

#define MSIX_MAX_VECTORS	32u
#define MSIX_PBA_OFFSET		0x800u	/* of the BAR; the table is at 0 */
#define MSIX_BAR_SIZE		0x1000u
#define MSIX_CAP_SIZE		12u

struct msix_vector {
	uint32_t entry[4];	/* address low, high, data, control: as the guest wrote them */
	int fd;			/* eventfd: readable is an interrupt to be sent */
	uint32_t gsi;
	bool attached;		/* KVM takes what the eventfd gets */
};

struct msix {
	struct gsi *gsi;
	pthread_mutex_t lock;
	bool enabled;
	bool masked;		/* the whole function */
	uint32_t nr_vectors;
	struct msix_vector vectors[MSIX_MAX_VECTORS];
};

/* @nr_vectors: 1 to MSIX_MAX_VECTORS. */
int msix__init(struct msix *msix, struct gsi *gsi, uint32_t nr_vectors, struct error *err);
void msix__exit(struct msix *msix);
void msix__reset(struct msix *msix);

/* The capability's bytes, without id and next; @bar holds table and pending bits. */
void msix__capability(const struct msix *msix, uint8_t bar, uint8_t *cap);
/* The guest wrote the message control word. */
void msix__set_control(struct msix *msix, uint16_t control);

/* An access to the BAR; struct bus's function. */
void msix__access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write);

/* The eventfd that sends @vector; -1 where there is no such vector. */
int msix__fd(const struct msix *msix, uint32_t vector);

#endif /* VMM_MSIX_H */
