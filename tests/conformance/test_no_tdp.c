// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Without EPT and NPT (kvm_intel.ept=0, kvm_amd.npt=0) there is no leaf to give a
 * type to: a distinct error, and everything else works as ever.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/bind.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/vm.h"

#define GPA	0x10000000UL
#define SIZE	0x10000UL

int main(void)
{
	struct kvm_memtype memtype;
	struct test_vm vm;
	void *hva;
	uint64_t value;
	int fd;

	vm_create(&vm, 0);
	fd = buffer_heap("system-wc", SIZE);
	hva = buffer_map(fd, SIZE, 0);
	test_assert(!vm_set_slot(&vm, 1, GPA, SIZE, hva, 0));
	vm_map(&vm, TEST_WINDOW_GVA, GPA, SIZE, PAT_WC);

	test_eq(ioctl(vm.fd, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF), 0, "no capability");
	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, NULL), EOPNOTSUPP, "bind");
	test_errno(vm_unbind(&vm, GPA, SIZE), EOPNOTSUPP, "unbind");
	test_errno(vm_get_memtype(&vm, GPA, &memtype), EOPNOTSUPP, "query");
	test_errno(vm_store(&vm, TEST_WINDOW_GVA, 0x1d1d), 0, "the guest stores");
	test_errno(vm_load(&vm, TEST_WINDOW_GVA, &value), 0, "and loads");
	test_eq((long long)value, 0x1d1d, "the same");

	vm_destroy(&vm);
	close(fd);
	return test_end();
}
