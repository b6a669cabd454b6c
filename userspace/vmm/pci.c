// SPDX-License-Identifier: GPL-2.0-or-later
/* PCI bus 0; see pci.h. Registers: PCI Local Bus 3.0, chapter 6. */
#include "vmm/pci.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#define VENDOR_REDHAT		0x1b36	/* generic PCIe host bridge, 0x0008 */
#define DEVICE_HOST_BRIDGE	0x0008
#define CLASS_HOST_BRIDGE	0x060000
#define FIRST_CAPABILITY	0x40

#define CONFIG_ENABLE		0x80000000u	/* port 0xcf8: accesses to 0xcfc mean the device */

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v;
	p[1] = v >> 8;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

static uint32_t get32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

void pci_device__init(struct pci_device *dev, const struct pci_device_ops *ops, uint16_t vendor,
		      uint16_t device, uint32_t class_code, uint16_t subsystem_vendor,
		      uint16_t subsystem)
{
	*dev = (struct pci_device) { .ops = ops, .next_cap = FIRST_CAPABILITY };
	put16(dev->config + PCI_VENDOR_ID, vendor);
	put16(dev->config + PCI_DEVICE_ID, device);
	put32(dev->config + PCI_CLASS_REVISION, class_code << 8 | 1);
	put16(dev->config + PCI_SUBSYSTEM_VENDOR_ID, subsystem_vendor);
	put16(dev->config + PCI_SUBSYSTEM_ID, subsystem);
	put16(dev->writable + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
	      PCI_COMMAND_INTX_DISABLE);
	dev->writable[PCI_INTERRUPT_LINE] = 0xff;
	dev->writable[PCI_CACHE_LINE_SIZE] = 0xff;
}

uint32_t pci_device__add_capability(struct pci_device *dev, uint8_t id, const uint8_t *body,
				    uint32_t len)
{
	uint32_t at = dev->next_cap;

	dev->config[at + PCI_CAP_LIST_ID] = id;
	memcpy(dev->config + at + PCI_CAP_FLAGS, body, len - PCI_CAP_FLAGS);
	if (dev->last_cap) {
		dev->config[dev->last_cap + PCI_CAP_LIST_NEXT] = at;
	} else {
		dev->config[PCI_CAPABILITY_LIST] = at;
		dev->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	}
	dev->last_cap = at;
	dev->next_cap = at + ((len + 3) & ~3u);
	return at;
}

void pci_device__set_bar(struct pci_device *dev, unsigned int bar, uint64_t size, bool is_64,
			 bus_access *access, void *opaque)
{
	dev->bars[bar] = (struct pci_bar) {
		.size = size, .is_64 = is_64, .access = access, .opaque = opaque,
	};
}

static uint32_t bar_register(unsigned int bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * bar;
}

/* The registers say what the BAR's address is. */
static void show_bar(struct pci_device *dev, unsigned int bar)
{
	const struct pci_bar *b = &dev->bars[bar];

	put32(dev->config + bar_register(bar), (uint32_t)b->address |
	      (b->is_64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH : 0));
	put32(dev->writable + bar_register(bar), ~(uint32_t)(b->size - 1));
	if (!b->is_64)
		return;
	put32(dev->config + bar_register(bar + 1), b->address >> 32);
	put32(dev->writable + bar_register(bar + 1), ~(b->size - 1) >> 32);
}

static void read_bar(struct pci_device *dev, unsigned int bar, bool decoded)
{
	struct pci_bar *b = &dev->bars[bar];
	uint64_t address;

	address = get32(dev->config + bar_register(bar)) & PCI_BASE_ADDRESS_MEM_MASK;
	if (b->is_64)
		address |= (uint64_t)get32(dev->config + bar_register(bar + 1)) << 32;
	if (address == b->address && decoded == b->decoded)
		return;
	b->address = address;
	b->decoded = decoded;
	if (dev->ops && dev->ops->bar_changed)
		dev->ops->bar_changed(dev, bar);
}

static void config_write(struct pci_device *dev, uint32_t offset, const uint8_t *data, uint32_t len)
{
	uint8_t *writable = dev->writable + offset;
	unsigned int bar;
	bool decoded;
	uint32_t i;

	for (i = 0; i < len; i++)
		dev->config[offset + i] = (dev->config[offset + i] & ~writable[i]) |
					  (data[i] & writable[i]);

	decoded = dev->config[PCI_COMMAND] & PCI_COMMAND_MEMORY;
	for (bar = 0; bar < PCI_NR_BARS; bar++) {
		if (dev->bars[bar].size)
			read_bar(dev, bar, decoded);
	}
	if (offset + len > FIRST_CAPABILITY && dev->ops && dev->ops->config_written)
		dev->ops->config_written(dev, offset, len);
}

static void config_access(struct pci *pci, uint32_t slot, uint32_t offset, void *data,
			  uint32_t len, bool write)
{
	struct pci_device *dev = slot < PCI_MAX_DEVICES ? pci->devices[slot] : NULL;

	if (!dev || offset >= PCI_CONFIG_SIZE || len > 4 || offset % 4 + len > 4)
		return;
	if (write) {
		config_write(dev, offset, data, len);
		return;
	}
	if (dev->ops && dev->ops->config_read)
		dev->ops->config_read(dev, offset, len);
	memcpy(data, dev->config + offset, len);
}

/* ECAM: bus 27:20, device 19:15, function 14:12, register 11:0. */
static void ecam_access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	struct pci *pci = opaque;

	if (offset >> 12 & 7)
		return;
	pthread_mutex_lock(&pci->lock);
	config_access(pci, offset >> 15, offset & 0xfff, data, len, write);
	pthread_mutex_unlock(&pci->lock);
}

/* Ports: bus 23:16, device 15:11, function 10:8, register 7:2. */
static void port_access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	struct pci *pci = opaque;

	pthread_mutex_lock(&pci->lock);
	if (offset == 0 && len == 4) {
		if (write)
			memcpy(&pci->address, data, len);
		else
			memcpy(data, &pci->address, len);
	} else if (offset >= 4 && pci->address & CONFIG_ENABLE && !(pci->address & 0xff0700)) {
		config_access(pci, pci->address >> 11 & 0x1f,
			      (pci->address & 0xfc) + (offset - 4), data, len, write);
	}
	pthread_mutex_unlock(&pci->lock);
}

static struct pci_bar *find_bar(struct pci *pci, uint64_t address, uint32_t len)
{
	struct pci_bar *b;
	unsigned int i, bar;

	for (i = 0; i < PCI_MAX_DEVICES; i++) {
		for (bar = 0; pci->devices[i] && bar < PCI_NR_BARS; bar++) {
			b = &pci->devices[i]->bars[bar];
			if (b->size && b->decoded && b->access && address >= b->address &&
			    address - b->address < b->size &&
			    len <= b->size - (address - b->address))
				return b;
		}
	}
	return NULL;
}

/* A device may change other devices' BARs in no access, so the handler runs without the lock. */
static void mmio_access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	uint64_t address = PCI_MMIO_BASE + offset;
	struct pci *pci = opaque;
	struct pci_bar bar;
	struct pci_bar *b;

	pthread_mutex_lock(&pci->lock);
	b = find_bar(pci, address, len);
	if (b)
		bar = *b;
	pthread_mutex_unlock(&pci->lock);
	if (b)
		bar.access(bar.opaque, address - bar.address, data, len, write);
}

static int place_bar(struct pci *pci, struct pci_bar *bar, struct error *err)
{
	uint64_t address = (pci->next_mmio + bar->size - 1) & ~(bar->size - 1);

	if (address + bar->size > PCI_MMIO_BASE + (uint64_t)PCI_MMIO_SIZE)
		return error__set(err, ENOSPC,
				  "no room for a PCI BAR of 0x%llx bytes below 0x%llx",
				  (unsigned long long)bar->size,
				  PCI_MMIO_BASE + (unsigned long long)PCI_MMIO_SIZE);
	bar->address = address;
	pci->next_mmio = address + bar->size;
	return 0;
}

int pci__add(struct pci *pci, struct pci_device *dev, struct error *err)
{
	unsigned int slot, bar;
	int r;

	for (slot = 0; slot < PCI_MAX_DEVICES && pci->devices[slot]; slot++)
		;
	if (slot == PCI_MAX_DEVICES)
		return error__set(err, ENOSPC, "more than %u PCI devices", PCI_MAX_DEVICES - 1);
	for (bar = 0; bar < PCI_NR_BARS; bar++) {
		if (!dev->bars[bar].size)
			continue;
		if (!dev->bars[bar].address) {
			r = place_bar(pci, &dev->bars[bar], err);
			if (r < 0)
				return r;
		}
		show_bar(dev, bar);
	}
	pci->devices[slot] = dev;
	return 0;
}

int pci__init(struct pci *pci, struct bus *ports, struct bus *mmio, struct error *err)
{
	int r;

	*pci = (struct pci) { .next_mmio = PCI_MMIO_BASE };
	pthread_mutex_init(&pci->lock, NULL);
	pci_device__init(&pci->host, NULL, VENDOR_REDHAT, DEVICE_HOST_BRIDGE, CLASS_HOST_BRIDGE,
			 VENDOR_REDHAT, 0);
	pci->devices[0] = &pci->host;

	r = bus__add(ports, PCI_PORT_CONFIG, PCI_PORT_CONFIG_SIZE, port_access, pci);
	if (!r)
		r = bus__add(mmio, PCI_ECAM_BASE, PCI_ECAM_SIZE, ecam_access, pci);
	if (!r)
		r = bus__add(mmio, PCI_MMIO_BASE, PCI_MMIO_SIZE, mmio_access, pci);
	return r < 0 ? error__set(err, -r, "PCI host bridge: %s", strerror(-r)) : 0;
}

void pci__exit(struct pci *pci)
{
	pthread_mutex_destroy(&pci->lock);
}
