/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a vCPU's exits from the guest lead to. Called by the vCPU's thread. */
#ifndef VMM_VCPU_EXIT_H
#define VMM_VCPU_EXIT_H

struct vcpu;

/* KVM_RUN returned 0: vcpu->run says why. */
void vcpu_exit__handle(struct vcpu *vcpu);

/* KVM_RUN failed with @errnum, other than EINTR and EAGAIN. */
void vcpu_exit__error(struct vcpu *vcpu, int errnum);

#endif /* VMM_VCPU_EXIT_H */
