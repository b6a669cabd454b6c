/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine that the program runs on: what it must have, and which rule is in force.
 * Called by main.c.
 */
#ifndef TESTS_MATRIX_HOST_H
#define TESTS_MATRIX_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "oracle_cell.h"

#define HOST_WHY	256

/*
 * root, /dev/kvm, second-stage paging by the TDP MMU, tracefs and KVM's events. false:
 * @why says what is missing and what to do.
 */
bool host_ready(char why[HOST_WHY]);

/* The rule of the modules that are loaded. false: as above. */
bool host_modules(enum cell_modules *modules, char why[HOST_WHY]);

/*
 * IA32_PAT, from which NPT leaves select: by the mock module, or by /dev/cpu/0/msr. 0 on
 * Intel, where no leaf depends on it. false: as above.
 */
bool host_pat(uint64_t *pat, char why[HOST_WHY]);

/* NULL: a VM can have KVM_X86_QUIRK_IGNORE_GUEST_PAT disabled. Otherwise why not. */
const char *host_quirk_off_missing(void);

/* In a new VM. 0 or errno. */
int host_quirk_off(int vm_fd);

#endif /* TESTS_MATRIX_HOST_H */
