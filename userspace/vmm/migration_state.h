/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State of vCPUs and devices, cut into the pieces that STATE records carry: from
 * a stopped VM into the stream, and from the stream, checked and complete, into
 * a fresh VM. Called by migration_vm.c.
 */
#ifndef VMM_MIGRATION_STATE_H
#define VMM_MIGRATION_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/error.h"
#include "vmm/irqchip_state.h"
#include "vmm/serial.h"
#include "vmm/vcpu_state.h"

struct migration_source;
struct vm;

/* Numbers of the stream: never change one. The instance is the vCPU, or 0. */
enum migration_state_id {
	MIGRATION_STATE_REGS = 1,
	MIGRATION_STATE_SREGS,
	MIGRATION_STATE_XCRS,
	MIGRATION_STATE_DEBUGREGS,
	MIGRATION_STATE_EVENTS,
	MIGRATION_STATE_MP_STATE,
	MIGRATION_STATE_LAPIC,
	MIGRATION_STATE_TSC_KHZ,
	MIGRATION_STATE_XSAVE,
	MIGRATION_STATE_MSRS,
	MIGRATION_STATE_CPUID,
	MIGRATION_STATE_IRQCHIP,
	MIGRATION_STATE_SERIAL,
	MIGRATION_STATE_MACHINE,
	MIGRATION_STATE_NR,
};

struct migration_machine_state {
	uint32_t generation;	/* migrations so far, of the source */
};

struct migration_state {
	unsigned int nr_vcpus;
	struct vcpu_state *vcpus;
	uint32_t *seen;		/* by vCPU: bit per id; the VM's own pieces count for vCPU 0 */
	struct irqchip_state irqchip;
	struct serial_state serial;
	struct migration_machine_state machine;
};

int migration_state__init(struct migration_state *state, unsigned int nr_vcpus);
void migration_state__exit(struct migration_state *state);

/* Source: read all of it from a stopped VM; send all of it. */
int migration_state__get(struct migration_state *state, struct vm *vm, struct error *err);
int migration_state__send(const struct migration_state *state, struct migration_source *src,
			  struct error *err);

/*
 * Destination: keep one piece. -EPROTO for an unknown id or instance, a size that
 * is not the piece's, a piece that came before.
 */
int migration_state__take(struct migration_state *state, uint32_t id, uint32_t instance,
			  const uint8_t *data, size_t len, struct error *err);
/* -EPROTO and the first piece that is missing. */
int migration_state__check_complete(const struct migration_state *state, struct error *err);
int migration_state__set(const struct migration_state *state, struct vm *vm, struct error *err);

#endif /* VMM_MIGRATION_STATE_H */
