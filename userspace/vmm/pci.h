/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI bus 0: configuration space by ECAM and by ports 0xcf8/0xcfc, BARs, capability
 * lists. One function a device. Devices are added while the machine is built; the VMM
 * places their BARs, and the guest may move them. Accesses come from vCPU threads.
 */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/bus.h"
#include "vmm/error.h"

/* acpi_dsdt.asl states the same addresses. */
#define PCI_MMIO_BASE		0xc0000000u	/* BARs below 4 GiB */
#define PCI_MMIO_SIZE		0x20000000u
#define PCI_ECAM_BASE		0xe0000000u	/* one bus */
#define PCI_ECAM_SIZE		0x00100000u
#define PCI_PORT_CONFIG		0xcf8u
#define PCI_PORT_CONFIG_SIZE	8u

#define PCI_MAX_DEVICES		32u
#define PCI_CONFIG_SIZE		256u
#define PCI_NR_BARS		6u

struct pci_device;

struct pci_bar {
	uint64_t size;		/* power of two; 0: no BAR */
	uint64_t address;	/* as the guest sees it now */
	bool is_64;		/* takes the next BAR's register, too; prefetchable */
	bool decoded;		/* memory decoding is on */
	bus_access *access;	/* NULL: a memslot is behind it */
	void *opaque;
};

struct pci_device_ops {
	/* Registers [offset, offset+len) of the device's own capabilities were written. */
	void (*config_written)(struct pci_device *dev, uint32_t offset, uint32_t len);
	/* Are about to be read: bring config[] up to date. May be NULL. */
	void (*config_read)(struct pci_device *dev, uint32_t offset, uint32_t len);
	/* A BAR's address or its decoding changed. May be NULL. */
	void (*bar_changed)(struct pci_device *dev, unsigned int bar);
};

struct pci_device {
	const struct pci_device_ops *ops;
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t writable[PCI_CONFIG_SIZE];	/* bits that the guest may change */
	struct pci_bar bars[PCI_NR_BARS];
	uint32_t next_cap;			/* where the next capability goes */
	uint32_t last_cap;			/* whose next pointer is to be set */
};

struct pci {
	pthread_mutex_t lock;		/* all configuration and BARs */
	uint32_t address;		/* port 0xcf8 */
	uint64_t next_mmio;
	struct pci_device host;		/* 00:00.0 */
	struct pci_device *devices[PCI_MAX_DEVICES];
};

/* Registers ECAM, ports and BAR window with the buses. */
int pci__init(struct pci *pci, struct bus *ports, struct bus *mmio, struct error *err);
void pci__exit(struct pci *pci);

/* Header of a new device. @class_code: 24 bits. */
void pci_device__init(struct pci_device *dev, const struct pci_device_ops *ops, uint16_t vendor,
		      uint16_t device, uint32_t class_code, uint16_t subsystem_vendor,
		      uint16_t subsystem);
/*
 * A capability of @len bytes with the id, after which @body of @len - 2 bytes goes.
 * Returns its offset.
 */
uint32_t pci_device__add_capability(struct pci_device *dev, uint8_t id, const uint8_t *body,
				    uint32_t len);
void pci_device__set_bar(struct pci_device *dev, unsigned int bar, uint64_t size, bool is_64,
			 bus_access *access, void *opaque);

/*
 * Give the device a slot and its BARs addresses; one with an address already keeps it.
 * -ENOSPC no slot or no room below 4 GiB.
 */
int pci__add(struct pci *pci, struct pci_device *dev, struct error *err);

#endif /* VMM_PCI_H */
