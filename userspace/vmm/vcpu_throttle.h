/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the vCPUs sleep a part of their time, so that a guest writes more slowly than
 * a migration sends. A thread kicks them out of KVM_RUN once in a while; they sleep in
 * vcpu.c, where a pause, an exit and the end of the throttle wake them at once.
 */
#ifndef VMM_VCPU_THROTTLE_H
#define VMM_VCPU_THROTTLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/error.h"

struct vm;

#define VCPU_THROTTLE_MAX	99u	/* percent: some progress is always made */

/* Of a VM; all of it is zero where nothing throttles. */
struct vcpu_throttle {
	pthread_t thread;
	bool started;		/* the thread exists: of the caller of set() */
	unsigned int percent;	/* under vm->run_lock; 0: the thread ends */
	uint64_t until_ns;	/* under vm->run_lock: the vCPUs sleep up to then */
};

/*
 * From now on the vCPUs sleep @percent of the time, at most VCPU_THROTTLE_MAX; 0: none of
 * it, and there is no thread any more when it returns. Not from two threads at a time.
 */
int vcpu_throttle__set(struct vm *vm, unsigned int percent, struct error *err);

/* In a vCPU's thread, with vm->run_lock, before KVM_RUN: sleep if it is time to. */
void vcpu_throttle__sleep(struct vm *vm);

#endif /* VMM_VCPU_THROTTLE_H */
