// SPDX-License-Identifier: GPL-2.0-or-later
/* ACPI tables; see acpi.h. */
#include "vmm/acpi.h"

#include <errno.h>
#include <string.h>

#include "vmm/memory.h"
#include "vmm/pci.h"
#include "vmm/util.h"

/* Made from acpi_dsdt.asl by iasl. */
#include "acpi_dsdt.hex"

#define IOAPIC_GPA	0xfec00000u
#define LAPIC_GPA	0xfee00000u

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

struct acpi_rsdp {
	char signature[8];
	uint8_t checksum;		/* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;	/* of all */
	uint8_t reserved[3];
} __attribute__((packed));

/* Generic address structure */
struct acpi_gas {
	uint8_t space;			/* 1: ports */
	uint8_t bits;
	uint8_t bit_offset;
	uint8_t access;			/* 1: bytes */
	uint64_t address;
} __attribute__((packed));

struct acpi_fadt {
	struct acpi_header header;
	uint8_t unused_36[73];
	uint16_t boot_arch;		/* 109 */
	uint8_t unused_111;
	uint32_t flags;			/* 112 */
	struct acpi_gas reset;		/* 116 */
	uint8_t reset_value;		/* 128 */
	uint16_t arm_boot_arch;
	uint8_t minor;			/* 131 */
	uint64_t unused_132;
	uint64_t dsdt;			/* 140 */
	uint8_t unused_148[96];
	struct acpi_gas sleep_control;	/* 244 */
	struct acpi_gas sleep_status;	/* 256 */
	uint64_t hypervisor;		/* 268 */
} __attribute__((packed));

#define FADT_BOOT_NO_VGA	(1u << 2)
#define FADT_BOOT_NO_RTC	(1u << 5)
#define FADT_WBINVD		(1u << 0)
#define FADT_NO_POWER_BUTTON	(1u << 4)
#define FADT_NO_SLEEP_BUTTON	(1u << 5)
#define FADT_RESET_SUPPORTED	(1u << 10)
#define FADT_HW_REDUCED		(1u << 20)

struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic;
	uint32_t flags;
} __attribute__((packed));

struct acpi_madt_lapic {
	uint8_t type, length;		/* 0, 8 */
	uint8_t uid, apic_id;
	uint32_t flags;			/* 1: enabled */
} __attribute__((packed));

struct acpi_madt_ioapic {
	uint8_t type, length;		/* 1, 12 */
	uint8_t id, reserved;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));

struct acpi_mcfg {
	struct acpi_header header;
	uint64_t reserved;
	uint64_t base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved2;
} __attribute__((packed));

struct acpi_xsdt {
	struct acpi_header header;
	uint64_t tables[3];
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_fadt) == 276, "FADT of ACPI 6.4");

/* Tables go one behind the other. */
struct builder {
	uint8_t *base;
	uint32_t used;
};

static void *place(struct builder *b, uint32_t size, uint64_t *gpa)
{
	void *at = b->base + b->used;

	*gpa = ACPI_GPA + b->used;
	b->used += (size + 15) & ~15u;
	return at;
}

static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return -sum;
}

static void finish(struct acpi_header *h, const char *signature, uint8_t revision, uint32_t length)
{
	memcpy(h->signature, signature, sizeof(h->signature));
	h->length = length;
	h->revision = revision;
	memcpy(h->oem_id, "DMAPAT", sizeof(h->oem_id));
	memcpy(h->oem_table_id, "DMAPATVM", sizeof(h->oem_table_id));
	h->oem_revision = 1;
	memcpy(h->creator_id, "DMAP", sizeof(h->creator_id));
	h->creator_revision = 1;
	h->checksum = 0;
	h->checksum = checksum(h, length);
}

/* AML: a name of four characters, then 0x0e and eight bytes of its value. */
static void patch(uint8_t *aml, size_t len, const char *name, uint64_t value)
{
	uint8_t *at = memmem(aml, len, name, 4);

	memcpy(at + 5, &value, sizeof(value));
}

static uint64_t write_dsdt(struct builder *b, uint64_t window_gpa, uint64_t window_size)
{
	struct acpi_header *h;
	uint64_t gpa;

	h = place(b, sizeof(acpi_dsdt_aml_code), &gpa);
	memcpy(h, acpi_dsdt_aml_code, sizeof(acpi_dsdt_aml_code));
	patch((uint8_t *)h, h->length, "WBAS", window_gpa);
	patch((uint8_t *)h, h->length, "WSIZ", window_size);
	h->checksum = 0;
	h->checksum = checksum(h, h->length);
	return gpa;
}

static struct acpi_gas port(uint16_t address)
{
	return (struct acpi_gas) { .space = 1, .bits = 8, .access = 1, .address = address };
}

static uint64_t write_fadt(struct builder *b, uint64_t dsdt)
{
	struct acpi_fadt *t;
	uint64_t gpa;

	t = place(b, sizeof(*t), &gpa);
	t->boot_arch = FADT_BOOT_NO_VGA | FADT_BOOT_NO_RTC;
	t->flags = FADT_WBINVD | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON |
		   FADT_RESET_SUPPORTED | FADT_HW_REDUCED;
	t->reset = port(ACPI_PORT_RESET);
	t->reset_value = ACPI_RESET_VALUE;
	t->minor = 4;
	t->dsdt = dsdt;
	t->sleep_control = port(ACPI_PORT_SLEEP);
	t->sleep_status = port(ACPI_PORT_SLEEP_STATUS);
	finish(&t->header, "FACP", 6, sizeof(*t));
	return gpa;
}

static uint64_t write_madt(struct builder *b, unsigned int nr_vcpus)
{
	uint32_t size = sizeof(struct acpi_madt) + nr_vcpus * sizeof(struct acpi_madt_lapic) +
			sizeof(struct acpi_madt_ioapic);
	struct acpi_madt_ioapic *ioapic;
	struct acpi_madt_lapic *lapic;
	struct acpi_madt *t;
	unsigned int i;
	uint64_t gpa;

	t = place(b, size, &gpa);
	t->lapic = LAPIC_GPA;
	lapic = (struct acpi_madt_lapic *)(t + 1);
	for (i = 0; i < nr_vcpus; i++)
		lapic[i] = (struct acpi_madt_lapic) {
			.type = 0, .length = sizeof(*lapic), .uid = i, .apic_id = i, .flags = 1,
		};
	ioapic = (struct acpi_madt_ioapic *)&lapic[nr_vcpus];
	*ioapic = (struct acpi_madt_ioapic) {
		.type = 1, .length = sizeof(*ioapic), .address = IOAPIC_GPA,
	};
	finish(&t->header, "APIC", 5, size);
	return gpa;
}

static uint64_t write_mcfg(struct builder *b)
{
	struct acpi_mcfg *t;
	uint64_t gpa;

	t = place(b, sizeof(*t), &gpa);
	t->base = PCI_ECAM_BASE;
	t->last_bus = 0;
	finish(&t->header, "MCFG", 1, sizeof(*t));
	return gpa;
}

int acpi__write(const struct memory *ram, unsigned int nr_vcpus, uint64_t window_gpa,
		uint64_t window_size, struct error *err)
{
	struct builder b = { .base = memory__hva(ram, ACPI_GPA, ACPI_SIZE) };
	struct acpi_rsdp *rsdp;
	struct acpi_xsdt *xsdt;
	uint64_t gpa, xsdt_gpa;

	if (!b.base)
		return error__set(err, ERANGE, "RAM of 0x%" PRIx64 " bytes has no room for ACPI tables",
				  ram->size);
	memset(b.base, 0, ACPI_SIZE);
	rsdp = place(&b, sizeof(*rsdp), &gpa);
	xsdt = place(&b, sizeof(*xsdt), &xsdt_gpa);
	xsdt->tables[0] = write_fadt(&b, write_dsdt(&b, window_gpa, window_size));
	xsdt->tables[1] = write_madt(&b, nr_vcpus);
	xsdt->tables[2] = write_mcfg(&b);
	finish(&xsdt->header, "XSDT", 1, sizeof(*xsdt));

	*rsdp = (struct acpi_rsdp) { .revision = 2, .length = sizeof(*rsdp), .xsdt = xsdt_gpa };
	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, "DMAPAT", sizeof(rsdp->oem_id));
	rsdp->checksum = checksum(rsdp, 20);
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
	return 0;
}
