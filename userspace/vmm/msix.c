// SPDX-License-Identifier: GPL-2.0-or-later
/* MSI-X; see msix.h. */
#include "vmm/msix.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "vmm/gsi.h"

#define ENTRY_WORDS	(PCI_MSIX_ENTRY_SIZE / 4)
#define TABLE_SIZE	(MSIX_MAX_VECTORS * PCI_MSIX_ENTRY_SIZE)

_Static_assert(TABLE_SIZE <= MSIX_PBA_OFFSET, "the table ends before the pending bits");

int msix__init(struct msix *msix, struct gsi *gsi, uint32_t nr_vectors, struct error *err)
{
	struct msix_vector *v;
	int number;

	*msix = (struct msix) { .gsi = gsi };
	pthread_mutex_init(&msix->lock, NULL);
	for (; msix->nr_vectors < nr_vectors; msix->nr_vectors++) {
		v = &msix->vectors[msix->nr_vectors];
		number = gsi__alloc(gsi);
		if (number < 0) {
			msix__exit(msix);
			return error__set(err, -number, "more than %u interrupt vectors",
					  GSI_MAX - GSI_NR_PINS);
		}
		v->gsi = number;
		v->entry[ENTRY_WORDS - 1] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		v->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (v->fd < 0) {
			int r = error__set(err, errno, "eventfd: %s", strerror(errno));

			msix__exit(msix);
			return r;
		}
	}
	return 0;
}

static int irqfd(struct msix *msix, struct msix_vector *v, uint32_t flags)
{
	struct kvm_irqfd irq = { .fd = v->fd, .gsi = v->gsi, .flags = flags };

	return ioctl(msix->gsi->vm_fd, KVM_IRQFD, &irq) < 0 ? -errno : 0;
}

/* Make KVM do what the guest has said about the vector. With the lock. */
static void update(struct msix *msix, struct msix_vector *v)
{
	bool wanted = msix->enabled && !msix->masked &&
		      !(v->entry[ENTRY_WORDS - 1] & PCI_MSIX_ENTRY_CTRL_MASKBIT);
	int r = 0;

	if (wanted)
		r = gsi__set_msi(msix->gsi, v->gsi, (uint64_t)v->entry[1] << 32 | v->entry[0],
				 v->entry[2]);
	if (!r && wanted != v->attached)
		r = irqfd(msix, v, wanted ? 0 : KVM_IRQFD_FLAG_DEASSIGN);
	if (r < 0) {
		log_error("MSI-X vector with GSI %u: %s", v->gsi, strerror(-r));
		return;
	}
	v->attached = wanted;
}

static void update_all(struct msix *msix)
{
	uint32_t i;

	for (i = 0; i < msix->nr_vectors; i++)
		update(msix, &msix->vectors[i]);
}

void msix__reset(struct msix *msix)
{
	eventfd_t ignored;
	uint32_t i;

	pthread_mutex_lock(&msix->lock);
	msix->enabled = false;
	msix->masked = false;
	for (i = 0; i < msix->nr_vectors; i++) {
		memset(msix->vectors[i].entry, 0, sizeof(msix->vectors[i].entry));
		msix->vectors[i].entry[ENTRY_WORDS - 1] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}
	update_all(msix);
	for (i = 0; i < msix->nr_vectors; i++)
		eventfd_read(msix->vectors[i].fd, &ignored);
	pthread_mutex_unlock(&msix->lock);
}

void msix__exit(struct msix *msix)
{
	if (!msix->gsi)
		return;
	msix__reset(msix);
	while (msix->nr_vectors)
		close(msix->vectors[--msix->nr_vectors].fd);
	pthread_mutex_destroy(&msix->lock);
	msix->gsi = NULL;
}

void msix__capability(const struct msix *msix, uint8_t bar, uint8_t *cap)
{
	memset(cap, 0, MSIX_CAP_SIZE);
	cap[PCI_MSIX_FLAGS] = msix->nr_vectors - 1;
	cap[PCI_MSIX_TABLE] = bar;
	cap[PCI_MSIX_PBA] = bar;
	cap[PCI_MSIX_PBA + 1] = MSIX_PBA_OFFSET >> 8;
}

void msix__set_control(struct msix *msix, uint16_t control)
{
	pthread_mutex_lock(&msix->lock);
	msix->enabled = control & PCI_MSIX_FLAGS_ENABLE;
	msix->masked = control & PCI_MSIX_FLAGS_MASKALL;
	update_all(msix);
	pthread_mutex_unlock(&msix->lock);
}

static uint64_t pending(const struct msix *msix)
{
	struct pollfd p = { .events = POLLIN };
	uint64_t bits = 0;
	uint32_t i;

	for (i = 0; i < msix->nr_vectors; i++) {
		p.fd = msix->vectors[i].fd;
		if (!msix->vectors[i].attached && poll(&p, 1, 0) > 0)
			bits |= 1ULL << i;
	}
	return bits;
}

void msix__access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	struct msix *msix = opaque;
	struct msix_vector *v;
	uint64_t bits;

	pthread_mutex_lock(&msix->lock);
	if (offset >= MSIX_PBA_OFFSET) {
		bits = pending(msix);
		if (!write && offset - MSIX_PBA_OFFSET + len <= sizeof(bits))
			memcpy(data, (uint8_t *)&bits + (offset - MSIX_PBA_OFFSET), len);
	} else if (offset / PCI_MSIX_ENTRY_SIZE < msix->nr_vectors && offset % 4 == 0 &&
		   (len == 4 || (len == 8 && offset % 8 == 0))) {
		v = &msix->vectors[offset / PCI_MSIX_ENTRY_SIZE];
		if (write) {
			memcpy(&v->entry[offset / 4 % ENTRY_WORDS], data, len);
			update(msix, v);
		} else {
			memcpy(data, &v->entry[offset / 4 % ENTRY_WORDS], len);
		}
	}
	pthread_mutex_unlock(&msix->lock);
}

int msix__fd(const struct msix *msix, uint32_t vector)
{
	return vector < msix->nr_vectors ? msix->vectors[vector].fd : -1;
}
