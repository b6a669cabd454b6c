// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The VM ioctls of linux/kvm_dmabuf.h from a 32-bit caller: int 0x80 enters the kernel
 * as one, from a 64-bit program, too. All it hands over lies below 4 GiB.
 */
#include <errno.h>
#include <linux/kvm_dmabuf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/vm.h"

#define IA32_IOCTL	54

#define GPA		0x10000000UL
#define GVA		TEST_WINDOW_GVA
#define PAGES		64UL			/* as a bitmap has bits */
#define SIZE		(PAGES * 4096)
#define SLOT		1

/* What the ioctls read and write, in memory that a 32-bit program can have */
struct low {
	struct kvm_dirty_log log;
	struct kvm_dma_buf bind;
	struct kvm_memtype type;
	struct kvm_user_memory_region_op op;
	struct kvm_user_memory_region_list list;
	uint64_t bitmap;
};

static struct test_vm vm;

/* 0 or errno */
static int ioctl32(unsigned int request, void *arg)
{
	long r = IA32_IOCTL;

	__asm__ volatile("int $0x80"
			 : "+a"(r)
			 : "b"((long)vm.fd), "c"((long)request), "d"(arg)
			 : "r8", "r9", "r10", "r11", "memory", "cc");
	return -(int)r;
}

static void *map_low(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	test_assert(p != MAP_FAILED);
	return p;
}

int main(void)
{
	const int fd = buffer_heap("system-wc", SIZE);
	uint8_t *const memory = buffer_map(fd, SIZE, 0);
	struct low *const low = map_low(sizeof(*low));

	vm_create(&vm, 0);
	test_assert(!vm_set_slot(&vm, SLOT, GPA, SIZE, memory, 0));
	vm_map(&vm, GVA, GPA, SIZE, PAT_WB);

	low->bind = (struct kvm_dma_buf){ .guest_phys_addr = GPA, .size = SIZE, .dmabuf_fd = fd };
	test_errno(ioctl32(KVM_SET_DMA_BUF, &low->bind), 0, "KVM_SET_DMA_BUF");
	test_eq(low->bind.memtype, 1, "it is WC");
	low->bind.flags = 1;
	test_errno(ioctl32(KVM_SET_DMA_BUF, &low->bind), EINVAL, "KVM_SET_DMA_BUF: flags");
	low->type = (struct kvm_memtype){ .guest_phys_addr = GPA };
	test_errno(ioctl32(KVM_GET_MEMTYPE, &low->type), 0, "KVM_GET_MEMTYPE");
	test_eq(low->type.leaf_memtype, 1, "it says WC");

	low->op = (struct kvm_user_memory_region_op){
		.op = KVM_REGION_FLAGS, .slot = SLOT, .flags = KVM_MEM_LOG_DIRTY_PAGES,
		.guest_phys_addr = GPA, .memory_size = SIZE, .userspace_addr = (uintptr_t)memory,
	};
	low->list = (struct kvm_user_memory_region_list){
		.nent = 1, .entries = (uintptr_t)&low->op,
	};
	test_errno(ioctl32(KVM_SET_USER_MEMORY_REGION_LIST, &low->list), 0,
		   "KVM_SET_USER_MEMORY_REGION_LIST");
	test_errno(ioctl32(KVM_SET_USER_MEMORY_REGION_LIST, &low->list), ESTALE,
		   "the same again: the slot is so already");
	test_errno(ioctl32(KVM_WRITE_PROTECT_ALL_MEM, NULL), 0, "KVM_WRITE_PROTECT_ALL_MEM");

	/* Beside a 32-bit pointer, a 32-bit program leaves what was there. */
	test_assert(!vm_store_pages(&vm, GVA, 1, 3));
	low->log = (struct kvm_dirty_log){ .slot = SLOT };
	low->log.padding2 = 0xdeadbeef00000000 | (uintptr_t)&low->bitmap;
	test_errno(ioctl32(KVM_GET_DIRTY_LOG, &low->log), 0, "KVM_GET_DIRTY_LOG");
	test_eq((long long)low->bitmap, 7, "three pages are written");
	low->bitmap = 0;
	test_errno(ioctl32(KVM_GET_MAPPED_LOG, &low->log), 0, "KVM_GET_MAPPED_LOG");
	test_eq((long long)low->bitmap, 7, "three pages are mapped");
	test_errno(ioctl32(KVM_GET_MAPPED_LOG, NULL), EFAULT, "KVM_GET_MAPPED_LOG: no argument");

	vm_destroy(&vm);
	munmap(low, sizeof(*low));
	munmap(memory, SIZE);
	close(fd);
	return test_end();
}
