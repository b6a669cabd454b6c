// SPDX-License-Identifier: GPL-2.0-or-later
/* The ports of the machine; see ports.h and vm.h. Called from vCPU threads. */
#include "vmm/ports.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <string.h>

#include "log.h"
#include "vmm/acpi.h"
#include "vmm/control.h"
#include "vmm/exit_status.h"
#include "vmm/vm.h"

static void guest_end(struct vm *vm, uint32_t value)
{
	cJSON *data = cJSON_CreateObject();

	if (value > EXIT_GUEST_MAX) {
		log_warn("guest exit status %" PRIu32 " is reported as %d", value, EXIT_GUEST_MAX);
		value = EXIT_GUEST_MAX;
	}
	cJSON_AddNumberToObject(data, "status", value);
	vm__stop_from_vcpu(vm, VM_SHUTDOWN);
	control__event(vm->control, "SHUTDOWN", data);
	vm__exit(vm, value);
}

static void exit_access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	uint32_t value = 0;

	if (!write || offset)
		return;
	memcpy(&value, data, len);
	guest_end(opaque, value);
}

static void generation_access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	struct vm *vm = opaque;

	if (!write && !offset && len == sizeof(vm->generation))
		memcpy(data, &vm->generation, len);
}

/* A reset ends the VM, too: whoever started it decides whether there is another. */
static void acpi_access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	uint8_t value = *(uint8_t *)data;

	if (!write) {
		memset(data, 0, len);
		return;
	}
	if ((offset == ACPI_PORT_SLEEP - ACPI_PORT_SLEEP && value == ACPI_SLEEP_S5) ||
	    (offset == ACPI_PORT_RESET - ACPI_PORT_SLEEP && value == ACPI_RESET_VALUE))
		guest_end(opaque, EXIT_GUEST_OK);
}

static void serial_access(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	uint8_t *byte = data;

	if (len != 1)
		return;
	if (write)
		serial__write(opaque, offset, *byte);
	else
		*byte = serial__read(opaque, offset);
}

int ports__init(struct vm *vm, struct error *err)
{
	int r;

	r = bus__add(&vm->ports, SERIAL_PORT, SERIAL_NR_PORTS, serial_access, &vm->serial);
	if (!r)
		r = bus__add(&vm->ports, VM_PORT_GENERATION, 4, generation_access, vm);
	if (!r)
		r = bus__add(&vm->ports, VM_PORT_EXIT, 4, exit_access, vm);
	if (!r)
		r = bus__add(&vm->ports, ACPI_PORT_SLEEP, ACPI_NR_PORTS, acpi_access, vm);
	return r < 0 ? error__set(err, -r, "ports: %s", strerror(-r)) : 0;
}
