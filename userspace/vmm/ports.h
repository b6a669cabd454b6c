/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ports of the machine that are no device's: the guest's end, switching off. */
#ifndef VMM_PORTS_H
#define VMM_PORTS_H

#include "vmm/error.h"

struct vm;

/* Register all ports of the VM, the serial port's too. Called by vm.c. */
int ports__init(struct vm *vm, struct error *err);

#endif /* VMM_PORTS_H */
