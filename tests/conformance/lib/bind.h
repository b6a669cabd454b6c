/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dmapat's own VM ioctls, for the tests. Each returns 0 or errno. */
#ifndef TESTS_CONFORMANCE_BIND_H
#define TESTS_CONFORMANCE_BIND_H

#include <linux/dmabuf_memtype.h>
#include <linux/kvm_dmabuf.h>
#include <stdint.h>

#include "vm.h"

/* @memtype: out, may be NULL */
int vm_bind(struct test_vm *vm, uint64_t gpa, uint64_t size, int fd, uint64_t offset,
	    uint32_t *memtype);
int vm_unbind(struct test_vm *vm, uint64_t gpa, uint64_t size);
int vm_get_memtype(struct test_vm *vm, uint64_t gpa, struct kvm_memtype *memtype);

#endif /* TESTS_CONFORMANCE_BIND_H */
