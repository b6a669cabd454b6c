// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What KVM says of a bound page before and after its first touch, for every kind of
 * buffer; leaves at the edges of bindings, large ones, and of ordinary RAM. What each
 * guest PAT type makes of a leaf is dmapat-conformance's concern.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bind.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/leaf.h"
#include "lib/vm.h"
#include "../emu/trace.h"

#define UC	DMABUF_MEMTYPE_UC
#define WC	DMABUF_MEMTYPE_WC
#define WT	DMABUF_MEMTYPE_WT
#define WB	DMABUF_MEMTYPE_WB

#define WINDOW_GPA	0x100000000UL
#define WINDOW_SIZE	0x100000000UL	/* 4 GiB, most of it empty */
#define BUF_SIZE	0x10000UL
#define MIB		0x100000UL

static struct test_vm vm;
static uint8_t *window;
static unsigned int phase;

/* One guest store and load at @gva, traced, with what the trace must show. */
static void traced_access(const char *name, uint64_t gva, const char *effective,
			  const char *leaf, int ignore_pat)
{
	uint64_t value;

	phase++;
	trace_begin(phase);
	trace_end();
	vm_mark(&vm, true);
	test_assert(!vm_store(&vm, gva, 0x1122334455667788));
	test_assert(!vm_load(&vm, gva, &value));
	vm_mark(&vm, false);
	if (leaf_is_ept())
		trace_expect_guest(name, phase, gva, 8, "rw", effective, leaf, ignore_pat);
}

struct kind {
	const char *name;
	int fd;
	int type;
};

static void kinds(void)
{
	struct kind kind[] = {
		{ "system-wc heap", buffer_heap("system-wc", BUF_SIZE), WC },
		{ "system-uc heap", buffer_heap("system-uc", BUF_SIZE), UC },
		{ "vgem", buffer_vgem(4 * MIB), WC },
		{ "system heap", buffer_heap("system", BUF_SIZE), WB },
		{ "udmabuf", buffer_udmabuf(BUF_SIZE), WB },
		{ "mock WT", buffer_mock(BUF_SIZE, 0, WB, WT, 0), WT },
		{ "mock UC, lazy", buffer_mock(BUF_SIZE, DMAPAT_MOCK_LAZY, UC, UC, 0), UC },
	};
	const unsigned int n = sizeof(kind) / sizeof(kind[0]);
	struct kvm_memtype memtype;
	uint32_t bound;

	for (unsigned int k = 0; k < n; k++) {
		const uint64_t at = (k + 1) * 64 * MIB;
		const uint64_t gpa = WINDOW_GPA + at, gva = TEST_WINDOW_GVA + k * 16 * MIB;
		const bool honoured = kind[k].type == UC || kind[k].type == WC;
		const int flags = KVM_MEMTYPE_BOUND | (honoured || !leaf_is_ept() ? 0 :
						       KVM_MEMTYPE_IGNORES_GUEST_PAT);
		const int leaf_type = honoured ? kind[k].type : WB;

		buffer_map_at(window + at, kind[k].fd, BUF_SIZE, 0);
		test_errno(vm_bind(&vm, gpa, BUF_SIZE, kind[k].fd, 0, &bound), 0, "%s: binds",
			   kind[k].name);
		test_eq(bound, kind[k].type, "%s: type", kind[k].name);

		test_errno(vm_get_memtype(&vm, gpa, &memtype), 0, "%s: query", kind[k].name);
		test_eq(memtype.host_memtype, kind[k].type, "%s: host type", kind[k].name);
		test_eq(memtype.leaf_memtype, leaf_type, "%s: leaf to come", kind[k].name);
		test_eq(memtype.flags, flags, "%s: flags before the first touch", kind[k].name);

		vm_map(&vm, gva, gpa, 4096, PAT_WB);
		leaf_watch_clear();
		test_errno(vm_store(&vm, gva, 0x1122334455667788), 0, "%s: the guest stores",
			   kind[k].name);
		if (honoured)
			leaf_expect_type(gpa, kind[k].type, kind[k].name);
		else
			leaf_expect_stock(gpa, kind[k].name);

		test_errno(vm_get_memtype(&vm, gpa, &memtype), 0, "%s: query", kind[k].name);
		test_eq(memtype.leaf_memtype, leaf_type, "%s: leaf", kind[k].name);
		test_eq(memtype.flags, flags | KVM_MEMTYPE_MAPPED, "%s: flags after it",
			kind[k].name);
		test_eq((long long)*(volatile uint64_t *)(window + at), 0x1122334455667788,
			"%s: the VMM reads what the guest wrote", kind[k].name);
		test_errno(vm_unbind(&vm, gpa, BUF_SIZE), 0, "%s: unbinds", kind[k].name);
		close(kind[k].fd);
	}
}

static void ram(void)
{
	leaf_watch_clear();
	vm_map(&vm, TEST_WINDOW_GVA + 512 * MIB, 0x3f0000, 4096, PAT_UC);
	/* The page may have been mapped before: make KVM map it anew. */
	test_assert(!madvise(vm.ram + 0x3f0000, 4096, MADV_DONTNEED));
	traced_access("ram", TEST_WINDOW_GVA + 512 * MIB, "WB", "WB", 1);
	leaf_expect_stock(0x3f0000, "ordinary RAM keeps the stock leaf");
}

static void many_bindings(void)
{
	const unsigned int n = 1000;
	int fd = buffer_heap("system-wc", n * 4096UL);
	unsigned int bad = 0;

	/* Every third page of the buffer, each a binding, spread over the window. */
	for (unsigned int i = 0; i < n; i += 3) {
		const uint64_t at = 1024 * MIB + i * 2 * MIB;

		buffer_map_at(window + at, fd, 4096, i * 4096UL);
		if (vm_bind(&vm, WINDOW_GPA + at, 4096, fd, i * 4096UL, NULL))
			bad++;
	}
	test_eq(bad, 0, "334 bindings in one slot");
	for (unsigned int i = 0; i < n; i += 3) {
		const uint64_t at = 1024 * MIB + i * 2 * MIB;
		struct kvm_memtype memtype;

		if (vm_get_memtype(&vm, WINDOW_GPA + at, &memtype) || memtype.leaf_memtype != WC ||
		    memtype.flags != KVM_MEMTYPE_BOUND)
			bad++;
		vm_map(&vm, TEST_WINDOW_GVA, WINDOW_GPA + at, 4096, PAT_WB);
		leaf_watch_clear();
		if (vm_store(&vm, TEST_WINDOW_GVA, i) ||
		    leaf_last((WINDOW_GPA + at) >> 12).type != WC)
			bad++;
		if (*(volatile uint32_t *)(window + at) != i)
			bad++;
	}
	test_eq(bad, 0, "each has its leaf and its page");
	close(fd);
}

static void large_pages(void)
{
	const uint64_t at = 512 * MIB, gpa = WINDOW_GPA + at, gva = TEST_WINDOW_GVA + 768 * MIB;
	int fd = buffer_heap("system-wc", 6 * MIB);
	struct kvm_memtype memtype;
	struct test_leaf leaf;

	buffer_map_at(window + at, fd, 6 * MIB, 0);
	vm_map_2m(&vm, gva, gpa, 6 * MIB, PAT_WB);

	test_errno(vm_bind(&vm, gpa, 5 * MIB, fd, 0, NULL), 0, "bind 5 MiB of 6");
	leaf_watch_clear();
	traced_access("2m-bound", gva, "WC", "WC", 0);
	leaf = leaf_last(gpa >> 12);
	test_eq(leaf.level, 2, "a 2 MiB leaf");
	leaf_expect_type(gpa, WC, "2 MiB leaf");

	leaf_watch_clear();
	traced_access("2m-edge", gva + 4 * MIB, "WC", "WC", 0);
	test_eq(leaf_last((gpa + 4 * MIB) >> 12).level, 1, "4 KiB leaves where the binding ends");
	leaf_expect_type(gpa + 4 * MIB, WC, "at the edge");

	leaf_watch_clear();
	test_assert(!vm_store(&vm, gva + 5 * MIB, 1));
	test_eq(leaf_last((gpa + 5 * MIB) >> 12).level, 1, "4 KiB leaves beside the binding");

	/*
	 * Dirty logging splits, and gives the pages back whole. The tables of a
	 * split are filled before they are linked, which no tracepoint shows.
	 */
	test_assert(!vm_set_slot(&vm, 1, WINDOW_GPA, WINDOW_SIZE - 2 * MIB, window,
				 KVM_MEM_LOG_DIRTY_PAGES));
	traced_access("2m-logged", gva, "WC", "WC", 0);
	test_errno(vm_get_memtype(&vm, gpa, &memtype), 0, "query while logging");
	test_eq(memtype.leaf_memtype, WC, "logging on");
	test_eq(memtype.flags, KVM_MEMTYPE_BOUND | KVM_MEMTYPE_MAPPED, "and its flags");
	test_assert(!vm_set_slot(&vm, 1, WINDOW_GPA, WINDOW_SIZE - 2 * MIB, window, 0));
	leaf_watch_clear();
	test_assert(!vm_store(&vm, gva + 16, 3));
	leaf_expect_type(gpa, WC, "logging off again");

	test_errno(vm_unbind(&vm, gpa, 5 * MIB), 0, "unbind");
	leaf_watch_clear();
	test_assert(!vm_store(&vm, gva + 24, 4));
	leaf_expect_type(gpa, WC, "unbound, from the host mapping");
	munmap(window + at, 6 * MIB);
	close(fd);
}

int main(void)
{
	vm_create(&vm, 0);
	window = mmap(NULL, WINDOW_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		      -1, 0);
	test_assert(window != MAP_FAILED);
	/* 2 MiB pages want the slot's two addresses to agree below 2 MiB. */
	window = (uint8_t *)(((uintptr_t)window + 2 * MIB - 1) & ~(2 * MIB - 1));
	test_assert(!vm_set_slot(&vm, 1, WINDOW_GPA, WINDOW_SIZE - 2 * MIB, window, 0));
	leaf_watch_start();

	kinds();
	ram();
	many_bindings();
	large_pages();

	leaf_watch_stop();
	vm_destroy(&vm);
	return test_end();
}
