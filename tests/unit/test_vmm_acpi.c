// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ACPI tables as a guest walks them: from the RSDP to the last table, with every
 * checksum. Offsets are those of the ACPI 6.4 specification.
 */
#include "unit/vmm_fake.h"

#include "vmm/acpi.h"

#define RAM_SIZE	(2ULL << 20)
#define WINDOW_GPA	0x140000000ULL
#define WINDOW_SIZE	0x20000000ULL
#define VCPUS		3u

static struct memory ram;

static int setup(void **state)
{
	struct error err = { 0 };

	(void)state;
	if (memory__init(&ram, RAM_SIZE, &err))
		return -1;
	return acpi__write(&ram, VCPUS, WINDOW_GPA, WINDOW_SIZE, &err);
}

static int teardown(void **state)
{
	(void)state;
	memory__exit(&ram);
	return 0;
}

static uint64_t get(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	memcpy(&v, p, bytes);
	return v;
}

static void assert_sum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	assert_int_equal(sum, 0);
}

static const uint8_t *at(uint64_t gpa)
{
	const uint8_t *p = memory__hva(&ram, gpa, 36);

	assert_non_null(p);
	assert_true(gpa >= ACPI_GPA && gpa < ACPI_GPA + ACPI_SIZE);
	return p;
}

/* The table that the XSDT has by that name, its checksum right. */
static const uint8_t *table(const char *signature)
{
	const uint8_t *rsdp = at(ACPI_GPA), *xsdt, *t;
	uint32_t i, n;

	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_sum(rsdp, 20);
	assert_int_equal(get(rsdp + 20, 4), 36);
	assert_sum(rsdp, 36);
	xsdt = at(get(rsdp + 24, 8));
	assert_memory_equal(xsdt, "XSDT", 4);
	assert_sum(xsdt, get(xsdt + 4, 4));
	n = (get(xsdt + 4, 4) - 36) / 8;
	for (i = 0; i < n; i++) {
		t = at(get(xsdt + 36 + 8 * i, 8));
		assert_sum(t, get(t + 4, 4));
		if (!memcmp(t, signature, 4))
			return t;
	}
	fail_msg("no table %s", signature);
	return NULL;
}

static void test_fadt(void **state)
{
	const uint8_t *fadt = table("FACP");
	const uint8_t *dsdt = at(get(fadt + 140, 8));

	(void)state;
	assert_int_equal(get(fadt + 4, 4), 276);
	/* HW_REDUCED_ACPI, RESET_REG_SUP */
	assert_int_equal(get(fadt + 112, 4) & (1 << 20 | 1 << 10), 1 << 20 | 1 << 10);
	assert_int_equal(fadt[116], 1);
	assert_int_equal(get(fadt + 120, 8), ACPI_PORT_RESET);
	assert_int_equal(fadt[128], ACPI_RESET_VALUE);
	assert_int_equal(get(fadt + 248, 8), ACPI_PORT_SLEEP);
	assert_int_equal(get(fadt + 260, 8), ACPI_PORT_SLEEP_STATUS);
	assert_memory_equal(dsdt, "DSDT", 4);
	assert_sum(dsdt, get(dsdt + 4, 4));
}

static void test_madt(void **state)
{
	const uint8_t *madt = table("APIC"), *p = madt + 44;
	unsigned int i;

	(void)state;
	assert_int_equal(get(madt + 36, 4), 0xfee00000);
	for (i = 0; i < VCPUS; i++, p += 8) {
		assert_int_equal(p[0], 0);
		assert_int_equal(p[1], 8);
		assert_int_equal(p[3], i);
		assert_int_equal(get(p + 4, 4), 1);
	}
	assert_int_equal(p[0], 1);
	assert_int_equal(p[1], 12);
	assert_int_equal(get(p + 4, 4), 0xfec00000);
	assert_ptr_equal(p + 12, madt + get(madt + 4, 4));
}

static void test_mcfg(void **state)
{
	const uint8_t *mcfg = table("MCFG");

	(void)state;
	assert_int_equal(get(mcfg + 4, 4), 60);
	assert_int_equal(get(mcfg + 44, 8), 0xe0000000);
	assert_int_equal(mcfg[54], 0);
	assert_int_equal(mcfg[55], 0);
}

/* AML: NameOp, four characters, QWordPrefix, value. */
static void test_window(void **state)
{
	const uint8_t *dsdt = at(get(table("FACP") + 140, 8));
	size_t len = get(dsdt + 4, 4);
	const uint8_t *p;

	(void)state;
	p = memmem(dsdt, len, "\x08WBAS\x0e", 6);
	assert_non_null(p);
	assert_int_equal(get(p + 6, 8), WINDOW_GPA);
	p = memmem(dsdt, len, "\x08WSIZ\x0e", 6);
	assert_non_null(p);
	assert_int_equal(get(p + 6, 8), WINDOW_SIZE);
}

static void test_small_ram(void **state)
{
	struct memory small;
	struct error err = { 0 };

	(void)state;
	assert_int_equal(memory__init(&small, ACPI_GPA + ACPI_SIZE - 4096, &err), 0);
	assert_int_equal(acpi__write(&small, 1, WINDOW_GPA, WINDOW_SIZE, &err), -ERANGE);
	assert_non_null(strstr(err.msg, "0xff000"));
	memory__exit(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fadt),
		cmocka_unit_test(test_madt),
		cmocka_unit_test(test_mcfg),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_small_ram),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
