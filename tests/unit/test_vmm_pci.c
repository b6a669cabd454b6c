// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration space by both ways, BARs that are sized, moved and switched off. */
#include "unit/vmm_fake.h"

#include <linux/pci_regs.h>

#include "vmm/pci.h"

#define BAR0_SIZE	0x4000u
#define BAR2_SIZE	0x1000u
#define CAP_ID		0x09

static struct bus ports, mmio;
static struct pci pci;
static struct pci_device dev;
static struct {
	uint64_t offset;
	unsigned int accesses, changes, config_writes;
} seen;

static void bar_access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	assert_ptr_equal(opaque, &dev);
	seen.offset = offset;
	seen.accesses++;
	if (!write)
		memset(data, 0x11, len);
}

static void bar_changed(struct pci_device *d, unsigned int bar)
{
	assert_ptr_equal(d, &dev);
	assert_true(bar == 0 || bar == 2);
	seen.changes++;
}

static void config_written(struct pci_device *d, uint32_t offset, uint32_t len)
{
	assert_ptr_equal(d, &dev);
	assert_true(offset + len > 0x40);
	seen.config_writes++;
}

static const struct pci_device_ops ops = {
	.bar_changed = bar_changed, .config_written = config_written,
};

static int setup(void **state)
{
	static const uint8_t body[] = { 1, 2, 3, 4, 5, 6 };
	struct error err = { 0 };

	(void)state;
	memset(&seen, 0, sizeof(seen));
	ports = (struct bus) { .nr_ranges = 0 };
	mmio = (struct bus) { .nr_ranges = 0 };
	if (pci__init(&pci, &ports, &mmio, &err))
		return -1;
	pci_device__init(&dev, &ops, 0x1af4, 0x1042, 0x018000, 0x1af4, 2);
	pci_device__set_bar(&dev, 0, BAR0_SIZE, false, bar_access, &dev);
	pci_device__set_bar(&dev, 2, BAR2_SIZE, false, bar_access, &dev);
	assert_int_equal(pci_device__add_capability(&dev, CAP_ID, body, 8), 0x40);
	assert_int_equal(pci_device__add_capability(&dev, CAP_ID, body, 5), 0x48);
	return pci__add(&pci, &dev, &err);
}

static int teardown(void **state)
{
	(void)state;
	pci__exit(&pci);
	return 0;
}

static uint32_t ecam_read(uint32_t slot, uint32_t offset, uint32_t len)
{
	uint32_t value = 0;

	bus__access(&mmio, PCI_ECAM_BASE + (slot << 15) + offset, &value, len, false);
	return value;
}

static void ecam_write(uint32_t slot, uint32_t offset, uint32_t value, uint32_t len)
{
	bus__access(&mmio, PCI_ECAM_BASE + (slot << 15) + offset, &value, len, true);
}

static uint32_t port_read(uint32_t address, uint32_t offset, uint32_t len)
{
	uint32_t value = 0;

	bus__access(&ports, 0xcf8, &address, 4, true);
	bus__access(&ports, 0xcfc + offset, &value, len, false);
	return value;
}

static void test_header(void **state)
{
	(void)state;
	assert_int_equal(ecam_read(0, PCI_CLASS_REVISION, 4) >> 8, 0x060000);
	assert_int_equal(ecam_read(1, PCI_VENDOR_ID, 4), 0x10421af4);
	assert_int_equal(ecam_read(1, PCI_DEVICE_ID, 2), 0x1042);
	assert_int_equal(ecam_read(1, PCI_CLASS_REVISION, 4) >> 8, 0x018000);
	assert_int_equal(ecam_read(1, PCI_CAPABILITY_LIST, 1), 0x40);
	assert_int_equal(ecam_read(1, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST, PCI_STATUS_CAP_LIST);
	assert_int_equal(ecam_read(1, 0x40, 4), 0x02014809);
	assert_int_equal(ecam_read(1, 0x48, 4), 0x02010009);
	assert_int_equal(ecam_read(1, 0x4c, 1), 3);
	/* The vendor does not change because the guest writes to it. */
	ecam_write(1, PCI_VENDOR_ID, 0, 4);
	assert_int_equal(ecam_read(1, PCI_VENDOR_ID, 4), 0x10421af4);
}

static void test_ports(void **state)
{
	uint32_t value = 0;

	(void)state;
	assert_int_equal(port_read(0x80000800, 0, 4), 0x10421af4);
	assert_int_equal(port_read(0x80000800, 2, 2), 0x1042);
	assert_int_equal(port_read(0x80000808, 3, 1), 0x01);
	/* Not enabled, another bus, another function, nobody there: nobody answers. */
	assert_int_equal(port_read(0x00000800, 0, 4), 0xffffffff);
	assert_int_equal(port_read(0x80010800, 0, 4), 0xffffffff);
	assert_int_equal(port_read(0x80000900, 0, 4), 0xffffffff);
	assert_int_equal(port_read(0x80001000, 0, 4), 0xffffffff);
	bus__access(&ports, 0xcf8, &value, 4, false);
	assert_int_equal(value, 0x80001000);
}

static void test_nobody(void **state)
{
	(void)state;
	assert_int_equal(ecam_read(2, 0, 4), 0xffffffff);
	assert_int_equal(ecam_read(31, 0, 4), 0xffffffff);
	/* Function 1, extended space, unaligned, too wide */
	assert_int_equal(ecam_read(1, 0x1000, 4), 0xffffffff);
	assert_int_equal(ecam_read(1, 0x100, 4), 0xffffffff);
	assert_int_equal(ecam_read(1, 0x02, 4), 0xffffffff);
	ecam_write(1, 0x3e, 0xffffffff, 4);
	assert_int_equal(seen.config_writes, 0);
}

static uint64_t bar(unsigned int n)
{
	return ecam_read(1, PCI_BASE_ADDRESS_0 + 4 * n, 4);
}

static uint32_t peek(uint64_t address)
{
	uint32_t value = 0;

	bus__access(&mmio, address, &value, 4, false);
	return value;
}

static void test_bars(void **state)
{
	uint64_t first = bar(0);

	(void)state;
	assert_int_equal(first % BAR0_SIZE, 0);
	assert_true(first >= PCI_MMIO_BASE);
	assert_int_equal(bar(2) % BAR2_SIZE, 0);
	assert_true(bar(2) >= first + BAR0_SIZE || bar(2) + BAR2_SIZE <= first);
	assert_int_equal(bar(1), 0);

	/* Decoding is off at first. */
	assert_int_equal(peek(first), 0xffffffff);
	ecam_write(1, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_int_equal(seen.changes, 2);
	assert_int_equal(peek(first + 0x10), 0x11111111);
	assert_int_equal(seen.offset, 0x10);
	assert_int_equal(peek(first + BAR0_SIZE - 2), 0xffffffff);

	/* Sized, and put elsewhere */
	ecam_write(1, PCI_BASE_ADDRESS_0, 0xffffffff, 4);
	assert_int_equal(bar(0), ~(BAR0_SIZE - 1));
	ecam_write(1, PCI_BASE_ADDRESS_0, 0xd0000000, 4);
	assert_int_equal(peek(first), 0xffffffff);
	assert_int_equal(peek(0xd0003ffc), 0x11111111);
	assert_int_equal(seen.offset, 0x3ffc);
	ecam_write(1, PCI_COMMAND, 0, 2);
	assert_int_equal(peek(0xd0000000), 0xffffffff);
}

/* A BAR in the window above 4 GiB has its address, and keeps it. */
static void test_wide_bar(void **state)
{
	static struct pci_device wide;
	struct error err = { 0 };

	(void)state;
	pci_device__init(&wide, NULL, 1, 2, 3, 4, 5);
	pci_device__set_bar(&wide, 4, 1ULL << 30, true, NULL, NULL);
	wide.bars[4].address = 5ULL << 30;
	assert_int_equal(pci__add(&pci, &wide, &err), 0);
	assert_int_equal(ecam_read(2, PCI_BASE_ADDRESS_4, 4), 0x4000000c);
	assert_int_equal(ecam_read(2, PCI_BASE_ADDRESS_5, 4), 1);
	ecam_write(2, PCI_BASE_ADDRESS_4, 0xffffffff, 4);
	ecam_write(2, PCI_BASE_ADDRESS_5, 0xffffffff, 4);
	assert_int_equal(ecam_read(2, PCI_BASE_ADDRESS_4, 4), 0xc000000c);
	assert_int_equal(ecam_read(2, PCI_BASE_ADDRESS_5, 4), 0xffffffff);
}

static void test_no_room(void **state)
{
	static struct pci_device many[PCI_MAX_DEVICES], big;
	struct error err = { 0 };
	unsigned int i;

	(void)state;
	pci_device__init(&big, NULL, 1, 2, 3, 4, 5);
	pci_device__set_bar(&big, 0, 2ULL * PCI_MMIO_SIZE, false, bar_access, &big);
	assert_int_equal(pci__add(&pci, &big, &err), -ENOSPC);
	assert_non_null(strstr(err.msg, "0x40000000"));
	for (i = 2; i < PCI_MAX_DEVICES; i++) {
		pci_device__init(&many[i], NULL, 1, 2, 3, 4, 5);
		assert_int_equal(pci__add(&pci, &many[i], &err), 0);
	}
	pci_device__init(&many[0], NULL, 1, 2, 3, 4, 5);
	assert_int_equal(pci__add(&pci, &many[0], &err), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bars, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wide_bar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
