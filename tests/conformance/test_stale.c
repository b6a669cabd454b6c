// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A binding that does not hold any more: the vCPU leaves with
 * KVM_EXIT_MEMORY_FAULT, naming the page, until the range is bound again. And the
 * changes that a binding survives.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bind.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/leaf.h"
#include "lib/vm.h"

#define UC	DMABUF_MEMTYPE_UC
#define WC	DMABUF_MEMTYPE_WC
#define WB	DMABUF_MEMTYPE_WB

#define GPA	0x10000000UL
#define GVA	TEST_WINDOW_GVA
#define SIZE	0x10000UL

#define MOVE	(DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY | DMAPAT_MOCK_NEW_PAGES)

static struct test_vm vm;
static uint8_t *window;

/* The guest touches a page of the range and must leave with a memory fault there. */
static void expect_fault(unsigned int page, const char *what)
{
	struct kvm_memtype memtype;

	memset(vm_memory_fault(&vm), 0, sizeof(struct test_memory_fault));
	test_errno(vm_store(&vm, GVA + page * 4096, 0xbad), EFAULT, "%s: KVM_RUN fails", what);
	test_eq(vm.run->exit_reason, KVM_EXIT_MEMORY_FAULT, "%s: exit reason", what);
	test_eq((long long)vm_memory_fault(&vm)->gpa, (long long)(GPA + page * 4096),
		"%s: faulting gpa", what);
	test_eq((long long)vm_memory_fault(&vm)->size, 4096, "%s: size", what);
	test_errno(vm_get_memtype(&vm, GPA, &memtype), 0, "%s: query", what);
	test_eq(memtype.flags & (KVM_MEMTYPE_BOUND | KVM_MEMTYPE_STALE | KVM_MEMTYPE_MAPPED),
		KVM_MEMTYPE_BOUND | KVM_MEMTYPE_STALE, "%s: stale, and not mapped", what);
}

static void expect_store(unsigned int page, int type, const char *what)
{
	test_errno(vm_store(&vm, GVA + page * 4096, 0x600d0000 + page), 0, "%s: the guest stores",
		   what);
	leaf_expect_type(GPA + page * 4096, type, what);
	test_eq(*(volatile uint32_t *)(window + page * 4096), 0x600d0000 + page,
		"%s: and the VMM sees it", what);
}

static void bind_all(int fd)
{
	test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
	test_assert(!vm_store_pages(&vm, GVA, 1, SIZE / 4096));
}

/* After expect_fault(): bind again, and the same instruction goes on. */
static void rebind(int fd, int type, const char *what)
{
	uint32_t memtype;

	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, &memtype), 0, "%s: bind again", what);
	test_eq(memtype, type, "%s: its type", what);
	test_errno(vm_resume(&vm), 0, "%s: the store goes on", what);
	expect_store(3, type, what);
}

static void clear(int fd)
{
	vm_unbind(&vm, GPA, SIZE);
	test_assert(mmap(window, SIZE, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		    MAP_FAILED);
	close(fd);
}

static void vmm_unmaps(void)
{
	int fd = buffer_heap("system-wc", SIZE);
	int other = buffer_heap("system-uc", SIZE);

	buffer_map_at(window, fd, SIZE, 0);
	bind_all(fd);
	munmap(window + 0x8000, 0x1000);
	expect_fault(8, "one page unmapped");
	expect_fault(0, "the rest of that binding");
	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, NULL), EADDRNOTAVAIL, "bind before mapping");
	buffer_map_at(window + 0x8000, fd, 0x1000, 0x8000);
	expect_fault(8, "mapped, not bound");
	rebind(fd, WC, "mapped and bound");

	buffer_map_at(window, other, SIZE, 0);
	expect_fault(0, "another buffer mapped over it");
	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, NULL), EXDEV, "bind the old buffer");
	test_errno(vm_bind(&vm, GPA, SIZE / 2, other, 0, NULL), EEXIST, "bind half of the range");
	rebind(other, UC, "bind the new buffer");

	buffer_map_at(window, other, SIZE, 0);
	expect_fault(0, "the same buffer mapped again");
	rebind(other, UC, "bind the same buffer");

	test_assert(mremap(window, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, window + 4 * SIZE) !=
		    MAP_FAILED);
	expect_fault(0, "moved away");
	test_assert(mremap(window + 4 * SIZE, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, window) !=
		    MAP_FAILED);
	rebind(other, UC, "moved back");

	munmap(window, SIZE);
	expect_fault(0, "all unmapped");
	test_errno(vm_unbind(&vm, GPA, SIZE), 0, "a stale binding can be unbound");
	clear(fd);
	close(other);
}

static void mapping_changes_that_hold(void)
{
	int fd = buffer_heap("system-wc", SIZE);

	buffer_map_at(window, fd, SIZE, 0);
	bind_all(fd);
	test_assert(!mprotect(window, SIZE, PROT_READ));
	test_errno(vm_store(&vm, GVA, 1), ENXIO, "read-only mapping: a store is MMIO");
	test_eq(vm.run->exit_reason, KVM_EXIT_MMIO, "as on stock KVM");
	test_assert(!mprotect(window, SIZE, PROT_READ | PROT_WRITE));
	/* Completes the MMIO, which has no reply. */
	test_assert(!vm_resume(&vm));
	expect_store(0, WC, "writable again");
	test_assert(!madvise(window, SIZE, MADV_DONTFORK));
	expect_store(1, WC, "after madvise");
	clear(fd);
}

/* A read-only fd: its shared mappings are read-only for good. */
static void read_only_buffer(void)
{
	struct dma_heap_allocation_data data = { .len = SIZE, .fd_flags = O_RDONLY | O_CLOEXEC };
	int heap = open("/dev/dma_heap/system-wc", O_RDWR | O_CLOEXEC);
	uint64_t value;

	test_assert(heap >= 0 && !ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data));
	close(heap);
	test_assert(mmap(window, SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, (int)data.fd, 0) ==
		    window);
	test_errno(vm_bind(&vm, GPA, SIZE, (int)data.fd, 0, NULL), 0, "a read-only buffer binds");
	leaf_watch_clear();
	test_errno(vm_load(&vm, GVA, &value), 0, "the guest loads from it");
	leaf_expect_type(GPA, WC, "read-only buffer");
	test_errno(vm_store(&vm, GVA, 1), ENXIO, "a store to it");
	test_eq(vm.run->exit_reason, KVM_EXIT_MMIO, "is MMIO");
	test_assert(!vm_resume(&vm));
	clear((int)data.fd);
}

static void exporter_moves(uint32_t flags, const char *what)
{
	const uint32_t page = 2;
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_DYNAMIC | flags, WC, WC, WC);
	struct dmapat_mock_stats stats;
	uint64_t value;

	test_note("%s", what);
	buffer_map_at(window, fd, SIZE, 0);
	bind_all(fd);
	mock_stats(&stats);
	test_eq((long long)stats.attachments, 1, "attached");
	expect_store(page, WC, "before the move");

	test_errno(mock_change(fd, MOVE, WC, WC, WC), 0, "move to other pages");
	leaf_watch_clear();
	test_errno(vm_load(&vm, GVA + page * 4096, &value), 0, "the guest loads");
	test_eq((long long)value, 0x600d0000 + page, "what it stored before");
	leaf_expect_type(GPA + page * 4096, WC, "after the move");

	test_errno(mock_change(fd, DMAPAT_MOCK_NOTIFY, WC, WC, WC), 0, "a move in place");
	expect_store(page, WC, "after a move in place");

	test_errno(mock_change(fd, MOVE, UC, UC, UC), 0, "move to UC pages");
	expect_fault(page, "type changed");
	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, NULL), 0, "bind again");
	test_errno(vm_resume(&vm), 0, "the store goes on");
	expect_store(page, UC, "bound again");

	test_errno(mock_change(fd, MOVE, WB, WB, WB), 0, "move to WB pages");
	expect_fault(page, "cacheable now");
	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, NULL), 0, "bind again");
	leaf_watch_clear();
	test_errno(vm_resume(&vm), 0, "the store goes on");
	leaf_expect_stock(GPA + page * 4096, "WB has the stock leaf");

	test_errno(vm_unbind(&vm, GPA, SIZE), 0, "unbind");
	mock_stats(&stats);
	test_eq((long long)stats.attachments, 0, "not attached any more");
	clear(fd);
}

/* Only the exporter knows: its mappings stay as they are. */
static void exporter_changes_its_word(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_DYNAMIC | DMAPAT_MOCK_REGISTERED, WC, WC, WC);

	buffer_map_at(window, fd, SIZE, 0);
	bind_all(fd);
	test_errno(mock_change(fd, DMAPAT_MOCK_NOTIFY, WC, WC, UC), 0, "the exporter says UC now");
	expect_fault(0, "exporter and mapping disagree");
	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, NULL), EMEDIUMTYPE, "not bound like that");
	test_errno(mock_change(fd, 0, WC, WC, WC), 0, "the exporter says WC again");
	expect_fault(0, "stale for good");
	rebind(fd, WC, "until it is bound");
	clear(fd);
}

/* A static exporter zaps its mappings, and the fault finds another type there. */
static void static_exporter_zaps(void)
{
	int fd = buffer_mock(SIZE, 0, WC, WC, 0);

	buffer_map_at(window, fd, SIZE, 0);
	bind_all(fd);
	test_errno(mock_change(fd, DMAPAT_MOCK_ZAP, WC, WC, 0), 0, "zap");
	expect_store(0, WC, "the same type: it goes on");
	test_errno(mock_change(fd, DMAPAT_MOCK_ZAP, WC, UC, 0), 0, "zap, and map UC from now on");
	expect_fault(0, "another type");
	rebind(fd, UC, "as UC");
	clear(fd);
}

/* One page tells that the type has changed: all others go, too. */
static void one_page_tells(void)
{
	int fd = buffer_mock(SIZE, 0, WC, WC, 0);
	struct kvm_memtype memtype;

	buffer_map_at(window, fd, SIZE, 0);
	test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
	expect_store(0, WC, "the first page");
	test_errno(mock_change(fd, 0, WC, UC, 0), 0, "map UC from now on, zap nothing");
	expect_fault(1, "the second page is UC");
	test_errno(vm_get_memtype(&vm, GPA, &memtype), 0, "query the first page");
	test_eq(memtype.flags & KVM_MEMTYPE_MAPPED, 0, "is not mapped any more");
	expect_fault(0, "the first page");
	clear(fd);
}

/* An exporter that takes KVM for a device out of its reach: the mapping still tells. */
static void exporter_refuses_to_attach(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_DYNAMIC, WC, WC, 0);
	struct dmapat_mock_stats stats;

	buffer_map_at(window, fd, SIZE, 0);
	test_assert(!mock_fail(fd, DMAPAT_MOCK_OP_ATTACH, 0, EOPNOTSUPP));
	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, NULL), 0, "binds without an attachment");
	mock_stats(&stats);
	test_eq((long long)stats.attachments, 0, "there is none");
	expect_store(0, WC, "before the move");
	test_errno(mock_change(fd, MOVE, UC, UC, 0), 0, "move to UC pages");
	expect_fault(0, "type changed");
	clear(fd);
}

/* A rebind that fails leaves a range that faults, not an unbound one. */
static void failed_rebind(void)
{
	int fd = buffer_heap("system-wc", SIZE);

	buffer_map_at(window, fd, SIZE, 0);
	bind_all(fd);
	buffer_map_at(window, fd, SIZE, 0);
	expect_fault(0, "mapped again");
	munmap(window + SIZE - 4096, 4096);
	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, NULL), EADDRNOTAVAIL, "a rebind that fails");
	expect_fault(0, "after it");
	clear(fd);
}

/* A slot that the guest only reads, and pages that nobody has touched. */
static void query_before_touch(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_LAZY, WC, WC, 0);
	int vgem = buffer_vgem(4 << 20);
	struct kvm_memtype memtype;

	buffer_map_at(window, fd, SIZE, 0);
	test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
	test_errno(vm_get_memtype(&vm, GPA + 0x8000, &memtype), 0, "bound, only the entry has the type");
	test_eq(memtype.host_memtype, WC, "host type");
	test_eq(memtype.leaf_memtype, WC, "leaf");
	clear(fd);

	test_assert(!vm_set_slot(&vm, 1, 0, 0, NULL, 0));
	test_assert(!vm_set_slot(&vm, 1, GPA, SIZE, window, KVM_MEM_READONLY));
	buffer_map_at(window, vgem, SIZE, 0);
	test_errno(vm_get_memtype(&vm, GPA + 0x8000, &memtype), 0, "unbound, in a read-only slot");
	test_eq(memtype.host_memtype, WC, "host type");
	test_eq(memtype.leaf_memtype, WC, "leaf to come");
	test_eq(memtype.flags, KVM_MEMTYPE_FROM_HOST, "flags");
	test_errno(vm_bind(&vm, GPA, SIZE, vgem, 0, NULL), 0, "bound, in a read-only slot");
	test_errno(vm_store(&vm, GVA, 1), ENXIO, "a store to it");
	test_eq(vm.run->exit_reason, KVM_EXIT_MMIO, "is MMIO");
	test_assert(!vm_resume(&vm));
	clear(vgem);
	test_assert(!vm_set_slot(&vm, 1, 0, 0, NULL, 0));
	test_assert(!vm_set_slot(&vm, 1, GPA, SIZE, window, 0));
}

static void exporter_fails(void)
{
	int fd = buffer_mock(SIZE, DMAPAT_MOCK_DYNAMIC | DMAPAT_MOCK_REGISTERED, WC, WC, WC);
	struct kvm_memtype memtype;

	buffer_map_at(window, fd, SIZE, 0);
	bind_all(fd);
	test_errno(mock_change(fd, MOVE, WC, WC, WC), 0, "move");
	test_assert(!mock_fail(fd, DMAPAT_MOCK_OP_FAULT, 0, EIO));
	test_errno(vm_store(&vm, GVA, 1), EFAULT, "the exporter's fault handler fails");
	test_eq(vm.run->exit_reason, KVM_EXIT_MEMORY_FAULT, "exit reason");
	test_errno(vm_get_memtype(&vm, GPA, &memtype), 0, "query");
	test_ok(!(memtype.flags & KVM_MEMTYPE_STALE), "the binding holds");
	test_errno(vm_resume(&vm), 0, "the next try goes on");

	test_errno(mock_change(fd, MOVE, WC, WC, WC), 0, "move");
	test_assert(!mock_fail(fd, DMAPAT_MOCK_OP_FAULT, 0, ENOMEM));
	test_errno(vm_store(&vm, GVA, 1), EFAULT, "the exporter is out of memory");
	test_errno(vm_resume(&vm), 0, "the next try goes on");

	test_errno(mock_change(fd, MOVE, WC, WC, WC), 0, "move");
	test_assert(!mock_fail(fd, DMAPAT_MOCK_OP_MEMTYPE, 0, EIO));
	test_errno(vm_store(&vm, GVA, 1), EFAULT, "the exporter cannot state a type");
	test_eq(vm.run->exit_reason, KVM_EXIT_MEMORY_FAULT, "exit reason");
	test_errno(vm_resume(&vm), 0, "the next try goes on");
	expect_store(0, WC, "after both");
	clear(fd);
}

int main(void)
{
	struct dmapat_mock_stats stats;

	vm_create(&vm, 0);
	window = mmap(NULL, 8 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(window != MAP_FAILED);
	test_assert(!vm_set_slot(&vm, 1, GPA, SIZE, window, 0));
	vm_map(&vm, GVA, GPA, SIZE, PAT_WC);
	leaf_watch_start();

	vmm_unmaps();
	mapping_changes_that_hold();
	read_only_buffer();
	exporter_moves(0, "an exporter that did not register");
	exporter_moves(DMAPAT_MOCK_REGISTERED, "an exporter that did");
	exporter_moves(DMAPAT_MOCK_TAILS, "pages without references");
	exporter_changes_its_word();
	static_exporter_zaps();
	exporter_fails();
	one_page_tells();
	exporter_refuses_to_attach();
	failed_rebind();
	query_before_touch();

	leaf_watch_stop();
	vm_destroy(&vm);
	mock_stats(&stats);
	test_eq((long long)stats.buffers, 0, "no buffer leaked");
	test_eq((long long)stats.attachments, 0, "no attachment leaked");
	return test_end();
}
