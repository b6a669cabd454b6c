// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bindings over the life of slots, VMs and processes, and pages that have no
 * references of their own: everything works, and nothing is left behind.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/bind.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/leaf.h"
#include "lib/vm.h"

#define WC	DMABUF_MEMTYPE_WC
#define UC	DMABUF_MEMTYPE_UC

#define MOVE	(DMAPAT_MOCK_ZAP | DMAPAT_MOCK_NOTIFY | DMAPAT_MOCK_NEW_PAGES)

#define GPA	0x10000000UL
#define GVA	TEST_WINDOW_GVA
#define SIZE	0x40000UL

static uint8_t *window;

static void expect_no_buffers(const char *what)
{
	struct dmapat_mock_stats stats;

	mock_stats(&stats);
	test_eq((long long)stats.buffers, 0, "%s: no buffer left", what);
	test_eq((long long)stats.attachments, 0, "%s: no attachment left", what);
}

static void start(struct test_vm *vm)
{
	vm_create(vm, 0);
	test_assert(!vm_set_slot(vm, 1, GPA, SIZE, window, 0));
	vm_map(vm, GVA, GPA, SIZE, PAT_WC);
}

static int mock_wc(uint32_t flags)
{
	int fd = buffer_mock(SIZE, flags, WC, WC, WC);

	buffer_map_at(window, fd, SIZE, 0);
	return fd;
}

static void unmap(void)
{
	test_assert(mmap(window, SIZE, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		    MAP_FAILED);
}

static void slot_deleted(void)
{
	struct kvm_memtype memtype;
	struct test_vm vm;
	int fd = mock_wc(DMAPAT_MOCK_DYNAMIC);

	start(&vm);
	test_assert(!vm_bind(&vm, GPA, SIZE / 2, fd, 0, NULL));
	test_assert(!vm_bind(&vm, GPA + SIZE / 2, SIZE / 2, fd, SIZE / 2, NULL));
	test_assert(!vm_store_pages(&vm, GVA, 7, SIZE / 4096));
	test_errno(vm_set_slot(&vm, 1, 0, 0, NULL, 0), 0, "delete the slot");
	unmap();
	close(fd);
	expect_no_buffers("slot deleted");

	fd = mock_wc(0);
	test_assert(!vm_set_slot(&vm, 1, GPA, SIZE, window, 0));
	test_errno(vm_get_memtype(&vm, GPA, &memtype), 0, "query in a new slot");
	test_eq(memtype.flags & KVM_MEMTYPE_BOUND, 0, "is not bound");
	test_errno(vm_unbind(&vm, GPA, SIZE / 2), ENOENT, "nothing to unbind");
	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, NULL), 0, "can be bound");
	vm_destroy(&vm);
	unmap();
	close(fd);
	expect_no_buffers("VM destroyed");
}

static void slot_moved(void)
{
	const uint64_t to = GPA + 0x1000000;
	struct kvm_memtype memtype;
	struct test_vm vm;
	int fd = mock_wc(DMAPAT_MOCK_TAILS);
	uint64_t value;

	start(&vm);
	test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
	test_assert(!vm_store(&vm, GVA, 0x4d4f5645));
	test_errno(vm_set_slot(&vm, 1, to, SIZE, window, 0), 0, "move the slot");
	test_errno(vm_get_memtype(&vm, GPA, &memtype), ENXIO, "nothing at the old place");
	test_errno(vm_get_memtype(&vm, to, &memtype), 0, "query at the new place");
	test_ok(memtype.flags & KVM_MEMTYPE_BOUND, "the binding came along");
	vm_map(&vm, GVA, to, SIZE, PAT_WB);
	leaf_watch_clear();
	test_errno(vm_load(&vm, GVA, &value), 0, "the guest loads there");
	test_eq((long long)value, 0x4d4f5645, "what it stored at the old place");
	leaf_expect_type(to, WC, "at the new place");
	test_errno(vm_unbind(&vm, to, SIZE), 0, "unbind at the new place");
	vm_destroy(&vm);
	unmap();
	close(fd);
	expect_no_buffers("slot moved");
}

static unsigned int dirty_bits(struct test_vm *vm, uint8_t *bitmap)
{
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };
	unsigned int n = 0;

	memset(bitmap, 0, SIZE / 4096 / 8);
	test_assert(!ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log));
	for (unsigned int i = 0; i < SIZE / 4096; i++)
		n += bitmap[i / 8] >> i % 8 & 1;
	return n;
}

/* What a logged slot reports for bound pages, with pages that have no references. */
static void dirty_bitmap(uint32_t flags, const char *what)
{
	uint8_t bitmap[SIZE / 4096 / 8];
	struct test_vm vm;
	int fd = mock_wc(flags);

	start(&vm);
	test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
	test_assert(!vm_store_pages(&vm, GVA, 1, SIZE / 4096));
	test_assert(!vm_set_slot(&vm, 1, GPA, SIZE, window, KVM_MEM_LOG_DIRTY_PAGES));
	test_eq(dirty_bits(&vm, bitmap), 0, "%s: log on: clean", what);
	test_assert(!vm_store(&vm, GVA + 5 * 4096, 2));
	test_assert(!vm_store(&vm, GVA + 9 * 4096, 2));
	test_eq(dirty_bits(&vm, bitmap), 2, "%s: two pages written", what);
	test_ok(bitmap[0] == 1 << 5 && bitmap[1] == 1 << 1, "%s: the right two", what);
	test_assert(!vm_store(&vm, GVA + 5 * 4096, 3));
	test_eq(dirty_bits(&vm, bitmap), 1, "%s: one of them again", what);

	/* A move under the log, and a rebind: the bits are the slot's, they stay. */
	test_assert(!vm_store(&vm, GVA + 7 * 4096, 4));
	test_assert(!vm_unbind(&vm, GPA, SIZE));
	test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
	test_eq(dirty_bits(&vm, bitmap), 1, "%s: written before an unbind: not lost", what);
	leaf_watch_clear();
	test_assert(!vm_store(&vm, GVA, 5));
	leaf_expect_type(GPA, WC, "logged and bound again");
	test_assert(!vm_set_slot(&vm, 1, GPA, SIZE, window, 0));
	test_assert(!vm_store(&vm, GVA, 6));
	test_eq(*(volatile uint32_t *)window, 6, "%s: log off: the guest writes on", what);
	vm_destroy(&vm);
	unmap();
	close(fd);
	expect_no_buffers(what);
}

static void dirty_ring(void)
{
	struct test_vm vm;
	unsigned int n = 0;
	uint64_t seen = 0;
	int fd = mock_wc(DMAPAT_MOCK_TAILS);

	vm_create(&vm, 65536);
	test_assert(!vm_set_slot(&vm, 1, GPA, SIZE, window, KVM_MEM_LOG_DIRTY_PAGES));
	vm_map(&vm, GVA, GPA, SIZE, PAT_WC);
	test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
	test_assert(!vm_store_pages(&vm, GVA, 1, SIZE / 4096));
	for (struct kvm_dirty_gfn *gfn = vm.ring;
	     n < vm.ring_entries && gfn->flags & KVM_DIRTY_GFN_F_DIRTY; gfn++, n++)
		if (gfn->slot == 1 && gfn->offset < 64)
			seen |= 1ULL << gfn->offset;
	test_eq((long long)seen, (long long)UINT64_MAX, "the dirty ring has each of the 64 pages");
	vm_destroy(&vm);
	unmap();
	close(fd);
	expect_no_buffers("dirty ring");
}

static void two_vms(void)
{
	struct test_vm a, b;
	uint64_t value;
	int fd = mock_wc(DMAPAT_MOCK_DYNAMIC | DMAPAT_MOCK_TAILS);

	start(&a);
	start(&b);
	test_errno(vm_bind(&a, GPA, SIZE, fd, 0, NULL), 0, "first VM binds");
	test_errno(vm_bind(&b, GPA, SIZE, fd, 0, NULL), 0, "second VM binds the same buffer");
	test_assert(!vm_store(&a, GVA, 0xa));
	test_assert(!vm_load(&b, GVA, &value));
	test_eq((long long)value, 0xa, "one stores, the other loads");
	test_errno(mock_change(fd, MOVE, WC, WC, WC), 0, "the buffer moves");
	test_assert(!vm_store(&b, GVA, 0xb));
	test_assert(!vm_load(&a, GVA, &value));
	test_eq((long long)value, 0xb, "both follow it");
	vm_destroy(&a);
	test_assert(!vm_load(&b, GVA, &value));
	test_eq((long long)value, 0xb, "one VM ends, the other goes on");
	vm_destroy(&b);
	unmap();
	close(fd);
	expect_no_buffers("two VMs");
}

static void forked(void)
{
	struct test_vm vm;
	int go[2], status;
	char c = 0;
	pid_t pid;
	int fd = mock_wc(DMAPAT_MOCK_DYNAMIC | DMAPAT_MOCK_TAILS);

	start(&vm);
	test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
	test_assert(!vm_store(&vm, GVA, 1));
	test_assert(!pipe(go));
	pid = fork();
	if (!pid) {
		/* The child has the mapping, the VM's fds, and no business with the VM. */
		*(volatile uint32_t *)window = 0xc41d;
		munmap(window, SIZE);
		close(go[1]);
		_exit(read(go[0], &c, 1) == 1 ? 0 : 1);
	}
	test_assert(pid > 0);
	leaf_watch_clear();
	test_errno(vm_store(&vm, GVA + 4096, 2), 0, "the parent's guest goes on after fork");
	leaf_expect_type(GPA + 4096, WC, "after fork");
	vm_destroy(&vm);
	unmap();
	close(fd);
	test_assert(write(go[1], &c, 1) == 1);
	test_assert(waitpid(pid, &status, 0) == pid);
	test_ok(WIFEXITED(status) && !WEXITSTATUS(status), "the child ends well");
	close(go[0]);
	close(go[1]);
	expect_no_buffers("forked VMM");
}

/* A process that is killed with everything in force. */
static void killed(void)
{
	int ready[2], status;
	char c = 0;
	pid_t pid;

	test_assert(!pipe(ready));
	pid = fork();
	if (!pid) {
		struct test_vm vm;
		int fd = mock_wc(DMAPAT_MOCK_DYNAMIC | DMAPAT_MOCK_TAILS);

		start(&vm);
		test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
		test_assert(!vm_store_pages(&vm, GVA, 1, SIZE / 4096));
		test_assert(write(ready[1], &c, 1) == 1);
		for (;;)
			pause();
	}
	test_assert(pid > 0);
	test_assert(read(ready[0], &c, 1) == 1);
	kill(pid, SIGKILL);
	test_assert(waitpid(pid, &status, 0) == pid);
	close(ready[0]);
	close(ready[1]);
	expect_no_buffers("killed VMM");
}

/* On stock KVM, and unbound, these pages end in EFAULT. */
static void no_references(void)
{
	struct test_vm vm;
	unsigned int good = 0;
	int fd = mock_wc(DMAPAT_MOCK_TAILS);

	start(&vm);
	test_errno(vm_store(&vm, GVA + 4096, 1), EFAULT, "a page without a reference, unbound");
	test_errno(vm_bind(&vm, GPA, SIZE, fd, 0, NULL), 0, "bind");
	test_errno(vm_resume(&vm), 0, "bound, the same store goes on");
	for (int round = 0; round < 3; round++) {
		if (!vm_store_pages(&vm, GVA, (unsigned int)round, SIZE / 4096))
			good++;
		/* Zaps leaves with dirty and accessed bits set. */
		test_assert(!mock_change(fd, DMAPAT_MOCK_ZAP, WC, WC, WC));
	}
	test_eq(good, 3, "every page, mapped and zapped three times");
	vm_destroy(&vm);
	unmap();
	close(fd);
	expect_no_buffers("pages without references");
}

static void many_cycles(void)
{
	struct test_vm vm;
	unsigned int bad = 0;
	int fd = mock_wc(DMAPAT_MOCK_DYNAMIC | DMAPAT_MOCK_REGISTERED);
	struct dmapat_mock_stats stats;

	start(&vm);
	for (int i = 0; i < 1000; i++)
		bad += vm_bind(&vm, GPA, SIZE, fd, 0, NULL) || vm_store(&vm, GVA, 1) ||
		       vm_unbind(&vm, GPA, SIZE);
	test_eq(bad, 0, "1,000 times bind, store, unbind");
	mock_stats(&stats);
	test_eq((long long)stats.attachments, 0, "no attachment left");
	vm_destroy(&vm);
	unmap();
	close(fd);
	expect_no_buffers("many cycles");
}

int main(void)
{
	window = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(window != MAP_FAILED);
	leaf_watch_start();

	slot_deleted();
	slot_moved();
	dirty_bitmap(0, "dirty bitmap");
	dirty_bitmap(DMAPAT_MOCK_TAILS, "dirty bitmap, no references");
	dirty_ring();
	two_vms();
	forked();
	killed();
	no_references();
	many_cycles();

	leaf_watch_stop();
	return test_end();
}
