// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The PCI transport as a driver sees it through configuration space and BARs, and a
 * driver that writes what it must not. Offsets are VIRTIO 1.2's, 4.1.4.3.
 */
#include "unit/vmm_fake.h"

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "unit/capture.h"
#include "vmm/virtio.h"
#include "vmm/virtio_pci.h"

#define FEATURE_OWN	(1ULL << 5)
#define QUEUE_MAX	64
#define NR_QUEUES	2

static struct fake fake;
static struct virtio_device dev;
static struct virtio_pci *vp;
static struct {
	unsigned int starts, stops;
	int start_result;
	uint64_t features;
} seen;
static uint64_t registers;	/* where the BAR is */

static void config_read(struct virtio_device *d, uint32_t offset, void *data, uint32_t len)
{
	assert_ptr_equal(d, &dev);
	assert_true(offset + len <= 8);
	memset(data, 0x42, len);
}

static int start(struct virtio_device *d, struct error *err)
{
	seen.starts++;
	seen.features = d->features;
	return seen.start_result < 0 ? error__set(err, -seen.start_result, "start fails") : 0;
}

static void stop(struct virtio_device *d)
{
	(void)d;
	seen.stops++;
}

static const struct virtio_device_ops ops = {
	.name = "virtio-test", .id = 4, .class_code = 0xff0000, .features = FEATURE_OWN,
	.config_size = 8, .config_read = config_read, .start = start, .stop = stop,
};

static uint32_t config(uint32_t offset, uint32_t len)
{
	uint32_t value = 0;

	bus__access(&fake.vm.mmio, PCI_ECAM_BASE + (1 << 15) + offset, &value, len, false);
	return value;
}

static void set_config(uint32_t offset, uint32_t value, uint32_t len)
{
	bus__access(&fake.vm.mmio, PCI_ECAM_BASE + (1 << 15) + offset, &value, len, true);
}

static uint32_t reg(uint32_t offset, uint32_t len)
{
	uint32_t value = 0;

	bus__access(&fake.vm.mmio, registers + offset, &value, len, false);
	return value;
}

static void set_reg(uint32_t offset, uint32_t value, uint32_t len)
{
	bus__access(&fake.vm.mmio, registers + offset, &value, len, true);
}

static int setup(void **state)
{
	struct error err = { 0 };

	(void)state;
	fake_create(&fake);
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(gsi__init(&fake.vm.gsi, -1, &err), 0);
	assert_int_equal(pci__init(&fake.vm.pci, &fake.vm.ports, &fake.vm.mmio, &err), 0);
	memset(&dev, 0, sizeof(dev));
	assert_int_equal(virtio__init(&dev, &ops, &fake.vm, NR_QUEUES, QUEUE_MAX, &err), 0);
	assert_int_equal(virtio_pci__create(&vp, &fake.vm, &dev, &err), 0);
	registers = config(PCI_BASE_ADDRESS_0, 4);
	/* There is no KVM that could take the ioeventfds. */
	capture_begin();
	set_config(PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_logged(capture_end(), "KVM_IOEVENTFD");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	virtio_pci__destroy(vp);
	virtio__exit(&dev);
	pci__exit(&fake.vm.pci);
	gsi__exit(&fake.vm.gsi);
	fake_destroy(&fake);
	return 0;
}

/* Offset of the capability of that kind; 0: there is none. */
static uint32_t find_cap(uint8_t id, uint8_t type)
{
	uint32_t at = config(PCI_CAPABILITY_LIST, 1), n;

	for (n = 0; at && n < 48; n++, at = config(at + 1, 1)) {
		if (config(at, 1) == id && (id != PCI_CAP_ID_VNDR || config(at + 3, 1) == type))
			return at;
	}
	return 0;
}

static void test_capabilities(void **state)
{
	static const uint32_t lengths[] = { [1] = 56, [2] = 8, [3] = 1, [4] = 8 };
	uint32_t at, type;

	(void)state;
	assert_int_equal(config(0, 4), 0x10441af4);
	for (type = 1; type <= 4; type++) {
		at = find_cap(PCI_CAP_ID_VNDR, type);
		assert_int_not_equal(at, 0);
		assert_int_equal(config(at + 4, 1), 0);
		assert_int_equal(config(at + 12, 4), lengths[type]);
		assert_true(config(at + 8, 4) + lengths[type] <= 0x4000);
	}
	assert_int_equal(config(find_cap(PCI_CAP_ID_VNDR, 2) + 16, 4), 4);
	assert_int_not_equal(find_cap(PCI_CAP_ID_VNDR, 5), 0);
	at = find_cap(PCI_CAP_ID_MSIX, 0);
	assert_int_not_equal(at, 0);
	/* One vector for the configuration, one a queue */
	assert_int_equal(config(at + 2, 2) & 0x7ff, NR_QUEUES);
}

static void negotiate(uint64_t features)
{
	set_reg(8, 0, 4);
	set_reg(12, features, 4);
	set_reg(8, 1, 4);
	set_reg(12, features >> 32, 4);
	set_reg(20, 1 | 2, 1);
	set_reg(20, 1 | 2 | 8, 1);
}

static void test_negotiation(void **state)
{
	uint64_t offered;

	(void)state;
	set_reg(0, 0, 4);
	offered = reg(4, 4);
	set_reg(0, 1, 4);
	offered |= (uint64_t)reg(4, 4) << 32;
	set_reg(0, 2, 4);
	assert_int_equal(reg(4, 4), 0);
	assert_int_equal(offered, FEATURE_OWN | 1ULL << VIRTIO_F_VERSION_1 |
			 1ULL << VIRTIO_RING_F_EVENT_IDX | 1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	assert_int_equal(reg(18, 2), NR_QUEUES);

	negotiate(FEATURE_OWN | 1ULL << VIRTIO_F_VERSION_1);
	assert_int_equal(reg(20, 1), 1 | 2 | 8);
	set_reg(20, 1 | 2 | 8 | 4, 1);
	assert_int_equal(seen.starts, 1);
	assert_int_equal(seen.features, FEATURE_OWN | 1ULL << VIRTIO_F_VERSION_1);
	/* Again is not twice. */
	set_reg(20, 1 | 2 | 8 | 4, 1);
	assert_int_equal(seen.starts, 1);
	set_reg(20, 0, 1);
	assert_int_equal(seen.stops, 1);
	assert_int_equal(reg(20, 1), 0);
	set_reg(8, 0, 4);
	assert_int_equal(reg(12, 4), 0);
}

static void test_bad_features(void **state)
{
	(void)state;
	capture_begin();
	negotiate(1ULL << 6 | 1ULL << VIRTIO_F_VERSION_1);
	assert_int_equal(reg(20, 1), 1 | 2);
	assert_logged(capture_end(), "0x100000040");
	/* Without VIRTIO 1 there is no talking. */
	set_reg(20, 0, 1);
	capture_begin();
	negotiate(FEATURE_OWN);
	assert_int_equal(reg(20, 1), 1 | 2);
	set_reg(20, 1 | 2 | 4, 1);
	capture_end();
	assert_int_equal(seen.starts, 0);
}

static void test_queue(void **state)
{
	const struct virtio_queue *q = &dev.queues[1];

	(void)state;
	set_reg(22, 1, 2);
	assert_int_equal(reg(24, 2), QUEUE_MAX);
	assert_int_equal(reg(26, 2), 0xffff);
	set_reg(24, 16, 2);
	set_reg(26, 2, 2);
	set_reg(32, 0x1000, 4);
	set_reg(36, 0x1, 4);
	set_reg(40, 0x2000, 4);
	set_reg(48, 0x3000, 4);
	set_reg(52, 0xdead, 4);
	set_reg(28, 1, 2);
	assert_int_equal(q->size, 16);
	assert_int_equal(q->desc, 0x100001000);
	assert_int_equal(q->avail, 0x2000);
	assert_int_equal(q->used, 0xdead00003000);
	assert_int_equal(q->vector, 2);
	assert_true(q->enabled);
	assert_false(dev.queues[0].enabled);
	assert_int_equal(reg(30, 2), 1);
	assert_int_equal(reg(36, 4), 1);

	/* Enabled, it stays as it is until a reset. */
	set_reg(24, 32, 2);
	set_reg(32, 0x5000, 4);
	set_reg(28, 0, 2);
	assert_int_equal(q->size, 16);
	assert_int_equal(q->desc, 0x100001000);
	assert_true(q->enabled);
	set_reg(20, 0, 1);
	assert_false(q->enabled);
	assert_int_equal(q->size, QUEUE_MAX);
}

static void test_bad_queue(void **state)
{
	(void)state;
	set_reg(22, 0, 2);
	set_reg(24, 0, 2);
	assert_int_equal(reg(24, 2), QUEUE_MAX);
	set_reg(24, 48, 2);
	assert_int_equal(reg(24, 2), QUEUE_MAX);
	set_reg(24, 2 * QUEUE_MAX, 2);
	assert_int_equal(reg(24, 2), QUEUE_MAX);
	set_reg(26, NR_QUEUES + 1, 2);
	assert_int_equal(reg(26, 2), 0xffff);
	set_reg(16, 100, 2);
	assert_int_equal(reg(16, 2), 0xffff);
	set_reg(28, 2, 2);
	assert_int_equal(reg(28, 2), 0);
	/* A queue that is not there has size 0, and takes nothing. */
	set_reg(22, NR_QUEUES, 2);
	assert_int_equal(reg(24, 2), 0);
	set_reg(28, 1, 2);
	set_reg(22, 0xffff, 2);
	assert_int_equal(reg(24, 2), 0);
	set_reg(32, 1, 4);
	assert_false(dev.queues[0].enabled || dev.queues[1].enabled);
}

static void test_start_fails(void **state)
{
	(void)state;
	seen.start_result = -EINVAL;
	capture_begin();
	negotiate(1ULL << VIRTIO_F_VERSION_1);
	set_reg(20, 1 | 2 | 8 | 4, 1);
	assert_logged(capture_end(), "start fails");
	assert_int_equal(reg(20, 1) & VIRTIO_CONFIG_S_NEEDS_RESET, VIRTIO_CONFIG_S_NEEDS_RESET);
	/* No second try without a reset */
	set_reg(20, 1 | 2 | 8 | 4, 1);
	assert_int_equal(seen.starts, 1);
	seen.start_result = 0;
	set_reg(20, 0, 1);
	negotiate(1ULL << VIRTIO_F_VERSION_1);
	set_reg(20, 1 | 2 | 8 | 4, 1);
	assert_int_equal(seen.starts, 2);
	assert_int_equal(reg(20, 1), 1 | 2 | 8 | 4);

	capture_begin();
	dev.broken(&dev, "a bad ring");
	assert_logged(capture_end(), "a bad ring");
	assert_int_equal(reg(20, 1), 1 | 2 | 8 | 4 | VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void test_device_config(void **state)
{
	uint8_t generation = reg(21, 1);

	(void)state;
	assert_int_equal(reg(0x2000, 4), 0x42424242);
	assert_int_equal(reg(0x2006, 2), 0x4242);
	assert_int_equal(reg(0x2006, 4), 0xffffffff);
	assert_int_equal(reg(0x2008, 1), 0xff);
	set_reg(0x2000, 0, 4);
	virtio_pci__config_changed(&dev);
	assert_int_equal(reg(21, 1), (uint8_t)(generation + 1));
}

/* The registers by way of configuration space. */
static void test_cfg_window(void **state)
{
	uint32_t at = find_cap(PCI_CAP_ID_VNDR, VIRTIO_PCI_CAP_PCI_CFG);
	eventfd_t kicks = 0;

	(void)state;
	set_config(at + 4, 0, 1);
	set_config(at + 8, 18, 4);
	set_config(at + 12, 2, 4);
	assert_int_equal(config(at + 16, 2), NR_QUEUES);
	set_config(at + 8, 22, 4);
	set_config(at + 16, 1, 2);
	assert_int_equal(reg(22, 2), 1);
	/* A kick */
	set_config(at + 8, 0x3004, 4);
	set_config(at + 16, 1, 2);
	assert_int_equal(eventfd_read(dev.queues[1].kick_fd, &kicks), 0);
	assert_int_equal(kicks, 1);
	/* Nonsense reaches nothing. */
	set_config(at + 8, 0xfffffff0, 4);
	set_config(at + 16, 1, 2);
	set_config(at + 8, 1, 4);
	set_config(at + 12, 4, 4);
	set_config(at + 16, 1, 4);
	set_config(at + 12, 0x10000, 4);
	set_config(at + 8, 0, 4);
	config(at + 16, 4);
	set_config(at + 4, 5, 1);
	set_config(at + 12, 4, 4);
	set_config(at + 16, 1, 4);
	assert_int_equal(reg(0, 4), 0);
}

/* Whatever a driver writes wherever: the device stays in its states. */
static void test_noise(void **state)
{
	unsigned int i;

	(void)state;
	srand(7);
	capture_begin();
	for (i = 0; i < 200000; i++) {
		set_reg(rand() % 64, rand() % 16 ? rand() % 8 : rand(), 1 << rand() % 3);
		if (i % 64 == 0)
			set_reg(20, 0, 1);
		assert_true(seen.starts - seen.stops <= 1);
		assert_true(dev.queues[0].size && dev.queues[0].size <= QUEUE_MAX);
		assert_true(dev.queues[1].vector <= NR_QUEUES ||
			    dev.queues[1].vector == VIRTIO_NO_VECTOR);
	}
	capture_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_negotiation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_features, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_device_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cfg_window, setup, teardown),
		cmocka_unit_test_setup_teardown(test_noise, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
