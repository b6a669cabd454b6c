/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU features that a guest counts on, or that a host can give, as words of
 * CPUID bits to compare. Called by migration_vm.c.
 */
#ifndef VMM_MIGRATION_CPU_H
#define VMM_MIGRATION_CPU_H

#include <linux/kvm.h>

#include "vmm/error.h"
#include "vmm/migration_machine.h"

/* Fill @m's cpu_vendor and cpu_words from CPUID entries. */
void migration_cpu__words(struct migration_machine *m, const struct kvm_cpuid_entry2 *entries,
			  uint32_t n);

/* The same, of all that KVM can give a guest on this host. */
int migration_cpu__host_words(struct migration_machine *m, int sys_fd, struct error *err);

#endif /* VMM_MIGRATION_CPU_H */
