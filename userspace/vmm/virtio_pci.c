// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio over PCI; see virtio_pci.h. vp->lock guards what the driver sets. The
 * device's thread never takes it, because a reset waits for that thread with the lock
 * held.
 */
#include "vmm/virtio_pci.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "log.h"
#include "vmm/msix.h"
#include "vmm/pci.h"
#include "vmm/util.h"
#include "vmm/virtio.h"
#include "vmm/vm.h"

#define VENDOR_VIRTIO		0x1af4
#define DEVICE_VIRTIO_BASE	0x1040

/* The BAR of the registers, and the places in it; the BARs of MSI-X and shared memory. */
#define BAR_REGISTERS		0
#define BAR_MSIX		2
#define BAR_SHARED_MEMORY	4
#define COMMON_OFFSET		0x0000u
#define ISR_OFFSET		0x1000u
#define CONFIG_OFFSET		0x2000u
#define NOTIFY_OFFSET		0x3000u
#define PART_SIZE		0x1000u
#define REGISTERS_SIZE		0x4000u
#define NOTIFY_MULTIPLIER	4u

struct virtio_pci {
	struct pci_device pci;
	struct virtio_device *dev;
	struct vm *vm;
	struct msix msix;
	uint32_t msix_cap;		/* offsets in configuration space */
	uint32_t cfg_cap;

	pthread_mutex_t lock;
	uint8_t status;
	bool started;
	bool stopping;			/* a reset waits for virtio_pci__stopped() */
	bool needs_reset;		/* atomic: set by the device's thread */
	uint8_t generation;		/* atomic: of the device's configuration */
	uint16_t config_vector;		/* atomic */
	uint32_t feature_select, driver_feature_select;
	uint64_t driver_features;
	uint16_t queue_select;
	uint64_t notify_address;	/* where ioeventfds are; 0: nowhere */
};

static struct virtio_pci *transport(struct virtio_device *dev)
{
	return dev->transport;
}

int virtio_pci__vector_fd(const struct virtio_device *dev, uint16_t vector)
{
	return msix__fd(&dev->transport->msix, vector);
}

static void send_vector(struct virtio_device *dev, uint16_t vector)
{
	int fd = virtio_pci__vector_fd(dev, vector);

	if (fd >= 0)
		eventfd_write(fd, 1);
}

static void send_config(struct virtio_pci *vp)
{
	send_vector(vp->dev, __atomic_load_n(&vp->config_vector, __ATOMIC_RELAXED));
}

void virtio_pci__config_changed(struct virtio_device *dev)
{
	struct virtio_pci *vp = transport(dev);

	__atomic_add_fetch(&vp->generation, 1, __ATOMIC_RELEASE);
	send_config(vp);
}

/* VIRTIO 1.2, 2.1.2: say so, and stand still until the driver resets. */
static void broken(struct virtio_device *dev, const char *why)
{
	struct virtio_pci *vp = transport(dev);

	log_error("%s: %s; the device stands still until its driver resets it", dev->ops->name,
		  why);
	__atomic_store_n(&vp->needs_reset, true, __ATOMIC_RELEASE);
	send_config(vp);
}

static void forget_driver(struct virtio_pci *vp)
{
	struct virtio_device *dev = vp->dev;
	struct virtio_queue *q;
	eventfd_t ignored;

	vp->started = false;
	vp->status = 0;
	vp->feature_select = 0;
	vp->driver_feature_select = 0;
	vp->driver_features = 0;
	vp->queue_select = 0;
	dev->features = 0;
	__atomic_store_n(&vp->needs_reset, false, __ATOMIC_RELAXED);
	__atomic_store_n(&vp->config_vector, VIRTIO_NO_VECTOR, __ATOMIC_RELAXED);
	for (q = dev->queues; q < dev->queues + dev->nr_queues; q++) {
		q->size = q->size_max;
		q->enabled = false;
		q->desc = 0;
		q->avail = 0;
		q->used = 0;
		q->vector = VIRTIO_NO_VECTOR;
		eventfd_read(q->kick_fd, &ignored);
	}
}

/*
 * VIRTIO 1.2, 4.1.4.3.2: the driver waits until it reads a status of 0. So a reset that
 * takes another process holds up no vCPU.
 */
static void reset(struct virtio_pci *vp)
{
	struct virtio_device *dev = vp->dev;

	if (vp->started && dev->ops->begin_stop) {
		vp->stopping = true;
		dev->ops->begin_stop(dev);
		return;
	}
	if (vp->started)
		dev->ops->stop(dev);
	forget_driver(vp);
}

void virtio_pci__stopped(struct virtio_device *dev)
{
	struct virtio_pci *vp = transport(dev);

	pthread_mutex_lock(&vp->lock);
	vp->stopping = false;
	forget_driver(vp);
	pthread_mutex_unlock(&vp->lock);
}

static void start(struct virtio_pci *vp)
{
	struct virtio_device *dev = vp->dev;
	struct error err = { "" };

	dev->features = vp->driver_features;
	if (dev->ops->start(dev, &err) < 0) {
		if (!dev->ops->begin_stop)
			dev->ops->stop(dev);
		broken(dev, err.msg);
		return;
	}
	vp->started = true;
}

static void set_status(struct virtio_pci *vp, uint8_t status)
{
	if (!status) {
		reset(vp);
		return;
	}
	if (status & VIRTIO_CONFIG_S_FEATURES_OK && !(vp->status & VIRTIO_CONFIG_S_FEATURES_OK) &&
	    (vp->driver_features & ~vp->dev->offered ||
	     !(vp->driver_features & 1ULL << VIRTIO_F_VERSION_1))) {
		log_warn("%s: driver wants features 0x%" PRIx64 ", offered are 0x%" PRIx64,
			 vp->dev->ops->name, vp->driver_features, vp->dev->offered);
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	}
	vp->status = status;
	if (status & VIRTIO_CONFIG_S_DRIVER_OK && status & VIRTIO_CONFIG_S_FEATURES_OK &&
	    !vp->started && !__atomic_load_n(&vp->needs_reset, __ATOMIC_ACQUIRE))
		start(vp);
}

static struct virtio_queue *selected(struct virtio_pci *vp)
{
	return vp->queue_select < vp->dev->nr_queues ? &vp->dev->queues[vp->queue_select] : NULL;
}

static uint32_t half(uint64_t value, uint32_t select)
{
	return select > 1 ? 0 : value >> 32 * select;
}

static void common_read(struct virtio_pci *vp, uint64_t offset, void *data, uint32_t len)
{
	const struct virtio_queue *q = selected(vp);
	struct virtio_pci_common_cfg cfg = {
		.device_feature_select = vp->feature_select,
		.device_feature = half(vp->dev->offered, vp->feature_select),
		.guest_feature_select = vp->driver_feature_select,
		.guest_feature = half(vp->driver_features, vp->driver_feature_select),
		.msix_config = vp->config_vector,
		.num_queues = vp->dev->nr_queues,
		.device_status = vp->status,
		.config_generation = __atomic_load_n(&vp->generation, __ATOMIC_ACQUIRE),
		.queue_select = vp->queue_select,
		.queue_msix_vector = VIRTIO_NO_VECTOR,
	};

	if (__atomic_load_n(&vp->needs_reset, __ATOMIC_ACQUIRE))
		cfg.device_status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (q) {
		cfg.queue_size = q->size;
		cfg.queue_msix_vector = q->vector;
		cfg.queue_enable = q->enabled;
		cfg.queue_notify_off = vp->queue_select;
		cfg.queue_desc_lo = q->desc;
		cfg.queue_desc_hi = q->desc >> 32;
		cfg.queue_avail_lo = q->avail;
		cfg.queue_avail_hi = q->avail >> 32;
		cfg.queue_used_lo = q->used;
		cfg.queue_used_hi = q->used >> 32;
	}
	if (offset + len <= sizeof(cfg))
		memcpy(data, (uint8_t *)&cfg + offset, len);
}

static void set_half(uint64_t *value, bool high, uint32_t half_value)
{
	*value = high ? (uint32_t)*value | (uint64_t)half_value << 32 :
			(*value & ~0xffffffffULL) | half_value;
}

static uint16_t check_vector(const struct virtio_pci *vp, uint32_t vector)
{
	return vector < vp->msix.nr_vectors ? vector : VIRTIO_NO_VECTOR;
}

/* A queue that is enabled, or a device that runs, does not change. */
static void queue_write(struct virtio_pci *vp, struct virtio_queue *q, uint64_t offset,
			uint32_t value)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_MSIX:
		q->vector = check_vector(vp, value);
		return;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (value == 1 && !vp->started)
			q->enabled = true;
		return;
	}
	if (q->enabled)
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		if (value && value <= q->size_max && !(value & (value - 1)))
			q->size = value;
		return;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		set_half(&q->desc, offset == VIRTIO_PCI_COMMON_Q_DESCHI, value);
		return;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		set_half(&q->avail, offset == VIRTIO_PCI_COMMON_Q_AVAILHI, value);
		return;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		set_half(&q->used, offset == VIRTIO_PCI_COMMON_Q_USEDHI, value);
		return;
	}
}

static void common_write(struct virtio_pci *vp, uint64_t offset, const void *data, uint32_t len)
{
	uint32_t value = 0;

	if (len > sizeof(value) || vp->stopping)
		return;
	memcpy(&value, data, len);
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		vp->feature_select = value;
		return;
	case VIRTIO_PCI_COMMON_GFSELECT:
		vp->driver_feature_select = value;
		return;
	case VIRTIO_PCI_COMMON_GF:
		if (vp->driver_feature_select < 2 && !(vp->status & VIRTIO_CONFIG_S_FEATURES_OK))
			set_half(&vp->driver_features, vp->driver_feature_select, value);
		return;
	case VIRTIO_PCI_COMMON_MSIX:
		__atomic_store_n(&vp->config_vector, check_vector(vp, value), __ATOMIC_RELAXED);
		return;
	case VIRTIO_PCI_COMMON_STATUS:
		set_status(vp, value);
		return;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		vp->queue_select = value;
		return;
	}
	if (selected(vp))
		queue_write(vp, selected(vp), offset, value);
}

static void config_access(struct virtio_pci *vp, uint64_t offset, void *data, uint32_t len,
			  bool write)
{
	const struct virtio_device_ops *ops = vp->dev->ops;

	if (offset >= ops->config_size || len > ops->config_size - offset)
		return;
	if (!write && ops->config_read)
		ops->config_read(vp->dev, offset, data, len);
	else if (write && ops->config_write)
		ops->config_write(vp->dev, offset, data, len);
}

/* A kick that KVM did not take: the guest reached the register by configuration space. */
static void notify(struct virtio_pci *vp, uint64_t offset)
{
	uint64_t q = offset / NOTIFY_MULTIPLIER;

	if (q < vp->dev->nr_queues)
		eventfd_write(vp->dev->queues[q].kick_fd, 1);
}

static void registers_access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	struct virtio_pci *vp = opaque;
	uint64_t at = offset % PART_SIZE;

	if (offset >= NOTIFY_OFFSET) {
		if (write)
			notify(vp, at);
		return;
	}
	pthread_mutex_lock(&vp->lock);
	if (offset >= CONFIG_OFFSET)
		config_access(vp, at, data, len, write);
	else if (offset >= ISR_OFFSET && !write)
		memset(data, 0, len);	/* MSI-X tells which */
	else if (offset < ISR_OFFSET && write)
		common_write(vp, at, data, len);
	else if (offset < ISR_OFFSET)
		common_read(vp, at, data, len);
	pthread_mutex_unlock(&vp->lock);
}

static void ioeventfds(struct virtio_pci *vp, uint32_t flags)
{
	struct virtio_device *dev = vp->dev;
	struct kvm_ioeventfd io;
	unsigned int i;

	for (i = 0; i < dev->nr_queues; i++) {
		io = (struct kvm_ioeventfd) {
			.addr = vp->notify_address + i * NOTIFY_MULTIPLIER,
			.fd = dev->queues[i].kick_fd,
			.flags = flags,
		};
		if (ioctl(vp->vm->vm_fd, KVM_IOEVENTFD, &io) < 0)
			log_error("%s: KVM_IOEVENTFD at 0x%llx: %s", dev->ops->name,
				  (unsigned long long)io.addr, strerror(errno));
	}
}

static void bar_changed(struct pci_device *pci, unsigned int bar)
{
	struct virtio_pci *vp = container_of(pci, struct virtio_pci, pci);
	const struct pci_bar *b = &pci->bars[bar];
	uint64_t address = b->decoded ? b->address + NOTIFY_OFFSET : 0;
	struct error err = { "" };

	if (bar == BAR_SHARED_MEMORY && window__place(vp->vm, b->decoded, b->address, &err) < 0)
		log_error("%s: shared memory at 0x%llx: %s", vp->dev->ops->name,
			  (unsigned long long)b->address, err.msg);
	if (bar != BAR_REGISTERS || address == vp->notify_address)
		return;
	if (vp->notify_address)
		ioeventfds(vp, KVM_IOEVENTFD_FLAG_DEASSIGN);
	vp->notify_address = address;
	if (address)
		ioeventfds(vp, 0);
}

/* VIRTIO 1.2, 4.1.4.9: the registers by way of configuration space. */
static void cfg_window(struct virtio_pci *vp, bool write)
{
	uint8_t *cap = vp->pci.config + vp->cfg_cap;
	struct virtio_pci_cap where;

	memcpy(&where, cap, sizeof(where));
	if (where.bar != BAR_REGISTERS || where.offset >= REGISTERS_SIZE ||
	    (where.length != 1 && where.length != 2 && where.length != 4) ||
	    where.offset % where.length)
		return;
	registers_access(vp, where.offset, cap + sizeof(where), where.length, write);
}

static bool touches_cfg_data(const struct virtio_pci *vp, uint32_t offset, uint32_t len)
{
	uint32_t data = vp->cfg_cap + sizeof(struct virtio_pci_cap);

	return offset < data + 4 && data < offset + len;
}

static void config_written(struct pci_device *pci, uint32_t offset, uint32_t len)
{
	struct virtio_pci *vp = container_of(pci, struct virtio_pci, pci);
	uint16_t control;

	if (offset < vp->msix_cap + PCI_MSIX_TABLE && vp->msix_cap + PCI_MSIX_FLAGS < offset + len) {
		memcpy(&control, pci->config + vp->msix_cap + PCI_MSIX_FLAGS, sizeof(control));
		msix__set_control(&vp->msix, control);
	}
	if (touches_cfg_data(vp, offset, len))
		cfg_window(vp, true);
}

static void config_read(struct pci_device *pci, uint32_t offset, uint32_t len)
{
	struct virtio_pci *vp = container_of(pci, struct virtio_pci, pci);

	if (touches_cfg_data(vp, offset, len))
		cfg_window(vp, false);
}

static const struct pci_device_ops virtio_pci__pci_ops = {
	.config_written = config_written,
	.config_read = config_read,
	.bar_changed = bar_changed,
};

static uint32_t add_part(struct virtio_pci *vp, uint8_t type, uint32_t offset, uint32_t length,
			 uint32_t extra_len, uint32_t extra)
{
	struct {
		struct virtio_pci_cap cap;
		uint32_t extra;
	} c = {
		.cap = {
			.cap_len = sizeof(c.cap) + extra_len, .cfg_type = type,
			.bar = BAR_REGISTERS, .offset = offset, .length = length,
		},
		.extra = extra,
	};

	return pci_device__add_capability(&vp->pci, PCI_CAP_ID_VNDR, &c.cap.cap_len,
					  sizeof(c.cap) + extra_len);
}

/* VIRTIO 1.2, 4.1.4.7; the BAR's offset is 0. */
static void add_shared_memory(struct virtio_pci *vp)
{
	const struct virtio_device *dev = vp->dev;
	struct virtio_pci_cap64 c = {
		.cap = {
			.cap_len = sizeof(c), .cfg_type = VIRTIO_PCI_CAP_SHARED_MEMORY_CFG,
			.bar = BAR_SHARED_MEMORY, .id = dev->shm_id, .length = dev->shm_size,
		},
		.length_hi = dev->shm_size >> 32,
	};

	pci_device__add_capability(&vp->pci, PCI_CAP_ID_VNDR, &c.cap.cap_len, sizeof(c));
}

static void add_capabilities(struct virtio_pci *vp)
{
	uint8_t body[MSIX_CAP_SIZE];

	add_part(vp, VIRTIO_PCI_CAP_COMMON_CFG, COMMON_OFFSET,
		 sizeof(struct virtio_pci_common_cfg), 0, 0);
	add_part(vp, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY_OFFSET,
		 vp->dev->nr_queues * NOTIFY_MULTIPLIER, 4, NOTIFY_MULTIPLIER);
	add_part(vp, VIRTIO_PCI_CAP_ISR_CFG, ISR_OFFSET, 1, 0, 0);
	if (vp->dev->ops->config_size)
		add_part(vp, VIRTIO_PCI_CAP_DEVICE_CFG, CONFIG_OFFSET, vp->dev->ops->config_size,
			 0, 0);
	vp->cfg_cap = add_part(vp, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 4, 0);
	vp->pci.writable[vp->cfg_cap + VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(vp->pci.writable + vp->cfg_cap + VIRTIO_PCI_CAP_OFFSET, 0xff, 3 * 4);

	if (vp->dev->shm_size)
		add_shared_memory(vp);

	msix__capability(&vp->msix, BAR_MSIX, body);
	vp->msix_cap = pci_device__add_capability(&vp->pci, PCI_CAP_ID_MSIX,
						  body + PCI_CAP_FLAGS, MSIX_CAP_SIZE);
	vp->pci.writable[vp->msix_cap + PCI_MSIX_FLAGS + 1] =
		(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8;
}

int virtio_pci__create(struct virtio_pci **out, struct vm *vm, struct virtio_device *dev,
		       struct error *err)
{
	const struct virtio_device_ops *ops = dev->ops;
	struct virtio_pci *vp;
	int r;

	vp = calloc(1, sizeof(*vp));
	if (!vp)
		return error__set(err, ENOMEM, "out of memory");
	vp->vm = vm;
	vp->dev = dev;
	dev->transport = vp;
	dev->send = send_vector;
	dev->broken = broken;
	pthread_mutex_init(&vp->lock, NULL);
	reset(vp);
	pci_device__init(&vp->pci, &virtio_pci__pci_ops, VENDOR_VIRTIO, DEVICE_VIRTIO_BASE + ops->id,
			 ops->class_code, VENDOR_VIRTIO, ops->id);
	/* One for the configuration, one for each queue. */
	r = msix__init(&vp->msix, &vm->gsi, dev->nr_queues + 1, err);
	if (!r) {
		pci_device__set_bar(&vp->pci, BAR_REGISTERS, REGISTERS_SIZE, false,
				    registers_access, vp);
		pci_device__set_bar(&vp->pci, BAR_MSIX, MSIX_BAR_SIZE, false, msix__access,
				    &vp->msix);
		if (dev->shm_size) {
			pci_device__set_bar(&vp->pci, BAR_SHARED_MEMORY, vm->window.size, true,
					    NULL, NULL);
			vp->pci.bars[BAR_SHARED_MEMORY].address = vm->window.gpa;
		}
		add_capabilities(vp);
		r = pci__add(&vm->pci, &vp->pci, err);
	}
	if (r < 0) {
		virtio_pci__destroy(vp);
		return r;
	}
	*out = vp;
	return 0;
}

void virtio_pci__destroy(struct virtio_pci *vp)
{
	if (!vp)
		return;
	if (vp->dev->ops->begin_stop || vp->started)
		vp->dev->ops->stop(vp->dev);
	msix__exit(&vp->msix);
	pthread_mutex_destroy(&vp->lock);
	free(vp);
}
