/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI transport of virtio 1.x (VIRTIO 1.2, 4.1): no legacy interface, interrupts
 * by MSI-X alone, kicks by ioeventfd.
 */
#ifndef VMM_VIRTIO_PCI_H
#define VMM_VIRTIO_PCI_H

#include <stdint.h>

#include "vmm/error.h"

struct virtio_device;
struct virtio_pci;
struct vm;

/* Put @dev, which stays the caller's, on the VM's PCI bus. */
int virtio_pci__create(struct virtio_pci **out, struct vm *vm, struct virtio_device *dev,
		       struct error *err);
/* Stops the device. */
void virtio_pci__destroy(struct virtio_pci *vp);

/* The device's configuration changed by itself. From any thread. */
void virtio_pci__config_changed(struct virtio_device *dev);

/* The eventfd that sends the vector, for another process; -1: there is none. */
int virtio_pci__vector_fd(const struct virtio_device *dev, uint16_t vector);

/* What ops->begin_stop began is over. From any thread but a vCPU's. */
void virtio_pci__stopped(struct virtio_device *dev);

#endif /* VMM_VIRTIO_PCI_H */
