/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU that goes on as a nested guest: what it has run as a guest (L1) it runs as a
 * guest's guest (L2) from here on, behind second-stage tables of the guest's own, SVM's
 * or VT-x's, which map the first 2 GiB one to one. There is no hypervisor in the guest:
 * what it would have set up is loaded with KVM_SET_NESTED_STATE, and nothing that the
 * nested guest does leaves to it. Uses the stock KVM interface alone.
 */
#ifndef TESTS_CONFORMANCE_NESTED_H
#define TESTS_CONFORMANCE_NESTED_H

#include <stdbool.h>
#include <stdint.h>

#define NESTED_BYTES	0x6000U		/* what the guest gives for it */

/*
 * @vcpu stands in 64-bit mode and does not run. @ram: guest memory as mapped here, from
 * guest-physical 0 on, with NESTED_BYTES to spare at @gpa.
 */
void vcpu_nest(int vcpu, uint8_t *ram, uint64_t gpa);

/* Is it in the nested guest? */
bool vcpu_is_nested(int vcpu);

#endif /* TESTS_CONFORMANCE_NESTED_H */
