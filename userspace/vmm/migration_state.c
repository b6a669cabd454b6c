// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vCPU and device state in pieces. A piece is KVM's own struct (ABI, little-endian
 * like the stream), so that this file only knows where it lies and how long it is.
 */
#include "vmm/migration_state.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/migration_send.h"
#include "vmm/util.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/*
 * Where a piece lies in struct vcpu_state (@of_vm: in struct migration_state), and
 * its size; for a list the largest one, with the element's size and where its
 * number of elements is kept.
 */
struct piece {
	const char *name;
	size_t offset;
	size_t size;
	size_t element;
	size_t count_offset;
	bool of_vm;
};

#define PIECE(id, member) \
	[MIGRATION_STATE_##id] = { \
		.name = #id, \
		.offset = offsetof(struct vcpu_state, member), \
		.size = sizeof(((struct vcpu_state *)0)->member), \
	}
#define LIST(id, member, count) \
	[MIGRATION_STATE_##id] = { \
		.name = #id, \
		.offset = offsetof(struct vcpu_state, member), \
		.size = sizeof(((struct vcpu_state *)0)->member), \
		.element = sizeof(((struct vcpu_state *)0)->member[0]), \
		.count_offset = offsetof(struct vcpu_state, count), \
	}
#define VM_PIECE(id, member) \
	[MIGRATION_STATE_##id] = { \
		.name = #id, \
		.offset = offsetof(struct migration_state, member), \
		.size = sizeof(((struct migration_state *)0)->member), \
		.of_vm = true, \
	}

static const struct piece pieces[MIGRATION_STATE_NR] = {
	PIECE(REGS, regs),
	PIECE(SREGS, sregs),
	PIECE(XCRS, xcrs),
	PIECE(DEBUGREGS, debugregs),
	PIECE(EVENTS, events),
	PIECE(MP_STATE, mp_state),
	PIECE(LAPIC, lapic),
	PIECE(TSC_KHZ, tsc_khz),
	LIST(XSAVE, xsave, xsave_size),
	LIST(MSRS, msrs, nr_msrs),
	LIST(CPUID, cpuid, nr_cpuid),
	VM_PIECE(IRQCHIP, irqchip),
	VM_PIECE(SERIAL, serial),
	VM_PIECE(MACHINE, machine),
};

int migration_state__init(struct migration_state *state, unsigned int nr_vcpus)
{
	memset(state, 0, sizeof(*state));
	state->nr_vcpus = nr_vcpus;
	/* struct vcpu_state is aligned for XSAVE. */
	state->vcpus = aligned_alloc(_Alignof(struct vcpu_state),
				     nr_vcpus * sizeof(*state->vcpus));
	state->seen = calloc(nr_vcpus, sizeof(*state->seen));
	if (!state->vcpus || !state->seen) {
		migration_state__exit(state);
		return -ENOMEM;
	}
	memset(state->vcpus, 0, nr_vcpus * sizeof(*state->vcpus));
	return 0;
}

void migration_state__exit(struct migration_state *state)
{
	free(state->vcpus);
	free(state->seen);
	memset(state, 0, sizeof(*state));
}

int migration_state__get(struct migration_state *state, struct vm *vm, struct error *err)
{
	unsigned int i;
	int ret;

	for (i = 0; i < state->nr_vcpus; i++) {
		ret = vcpu_state__get(&vm->vcpus[i], &state->vcpus[i], err);
		if (ret)
			return ret;
	}
	ret = irqchip_state__get(vm, &state->irqchip, err);
	if (ret)
		return ret;
	serial__get_state(&vm->serial, &state->serial);
	state->machine.generation = vm->generation;
	return 0;
}

int migration_state__set(const struct migration_state *state, struct vm *vm, struct error *err)
{
	unsigned int i;
	int ret;

	/* The clock goes with the irqchip, and the vCPUs' clock MSRs refer to it. */
	ret = irqchip_state__set(vm, &state->irqchip, err);
	if (ret)
		return ret;
	for (i = 0; i < state->nr_vcpus; i++) {
		ret = vcpu_state__set(&vm->vcpus[i], &state->vcpus[i], err);
		if (ret)
			return ret;
	}
	ret = serial__set_state(&vm->serial, &state->serial);
	if (ret)
		return error__set(err, -ret, "serial port: the state received is not a 16550's");
	vm->generation = state->machine.generation + 1;
	return 0;
}

/* Only the first "vCPU" carries the VM's own pieces. */
static bool has_piece(uint32_t id, uint32_t instance)
{
	return pieces[id].name && !(pieces[id].of_vm && instance);
}

static uint8_t *piece_data(const struct migration_state *state, const struct piece *p,
			   uint32_t instance)
{
	return p->of_vm ? (uint8_t *)state + p->offset :
	       (uint8_t *)&state->vcpus[instance] + p->offset;
}

static uint32_t *piece_count(const struct migration_state *state, const struct piece *p,
			     uint32_t instance)
{
	return (uint32_t *)((uint8_t *)&state->vcpus[instance] + p->count_offset);
}

int migration_state__send(const struct migration_state *state, struct migration_source *src,
			  struct error *err)
{
	const struct piece *p;
	uint32_t id, i;
	size_t len;
	int ret;

	for (i = 0; i < state->nr_vcpus; i++) {
		for (id = 0; id < MIGRATION_STATE_NR; id++) {
			if (!has_piece(id, i))
				continue;
			p = &pieces[id];
			len = p->element ? *piece_count(state, p, i) * p->element : p->size;
			ret = migration_source__put_state(src, id, i, piece_data(state, p, i), len,
							  err);
			if (ret)
				return ret;
		}
	}
	return 0;
}

int migration_state__take(struct migration_state *state, uint32_t id, uint32_t instance,
			  const uint8_t *data, size_t len, struct error *err)
{
	const struct piece *p;

	if (id >= MIGRATION_STATE_NR || instance >= state->nr_vcpus || !has_piece(id, instance))
		return error__set(err, EPROTO, "state %u of vCPU %u is unknown; there are %u vCPUs", id,
				  instance, state->nr_vcpus);
	p = &pieces[id];
	if (p->element ? len > p->size || len % p->element : len != p->size)
		return error__set(err, EPROTO,
				  "state %s of vCPU %u has %zu bytes, %s%zu in elements of %zu expected",
				  p->name, instance, len, p->element ? "at most " : "", p->size,
				  p->element ? p->element : p->size);
	if (state->seen[instance] & 1u << id)
		return error__set(err, EPROTO, "state %s of vCPU %u came twice", p->name, instance);
	state->seen[instance] |= 1u << id;
	memcpy(piece_data(state, p, instance), data, len);
	if (p->element)
		*piece_count(state, p, instance) = len / p->element;
	return 0;
}

int migration_state__check_complete(const struct migration_state *state, struct error *err)
{
	uint32_t id, i;

	for (i = 0; i < state->nr_vcpus; i++)
		for (id = 0; id < MIGRATION_STATE_NR; id++)
			if (has_piece(id, i) && !(state->seen[i] & 1u << id))
				return error__set(err, EPROTO, "state %s of vCPU %u did not come",
						  pieces[id].name, i);
	return 0;
}
