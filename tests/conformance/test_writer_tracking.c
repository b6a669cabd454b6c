// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a guest writes to a tracked buffer, by bound and unbound ranges: the tracker
 * reports the pages, a load reports none, the leaf keeps its type and the binding
 * holds. Tracking write-protects the VMM's mapping: a store that KVM took for one to
 * read-only memory would be emulated, and install no leaf.
 *
 *	test_writer_tracking [no-tdp]	no-tdp: KVM has neither EPT nor NPT
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bind.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/leaf.h"
#include "lib/track.h"
#include "lib/vm.h"
#include "lib/witness.h"

#define GPA	0x10000000UL
#define GVA	TEST_WINDOW_GVA
#define PAGES	16UL
#define SIZE	(PAGES * 4096)
#define SLOT	1

static struct test_vm vm;
static struct track t;
static uint8_t *window;
static const char *kind;
static bool tdp = true;			/* else there are no leaves to look at */

static void store(unsigned int page, uint64_t value)
{
	test_errno(vm_store(&vm, GVA + page * 4096, value), 0, "%s: the guest stores to page %u",
		   kind, page);
	test_eq((long long)*(volatile uint64_t *)(window + page * 4096), (long long)value,
		"%s: and the VMM sees it", kind);
}

static void store_anew(unsigned int page, uint64_t value, int type)
{
	if (tdp)
		leaf_watch_clear();
	store(page, value);
	if (tdp)
		leaf_expect_type(GPA + page * 4096, type, kind);
}

static void expect(uint64_t pages, const char *what)
{
	test_errno(track_take(&t), 0, "%s: %s: asked", kind, what);
	test_eq((long long)t.bits[0], (long long)pages, "%s: %s: pages", kind, what);
}

static uint64_t logged(void)
{
	uint64_t bits = 0;
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = &bits };

	test_assert(!ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
	return bits;
}

static void guest(const char *name, int type, const char *heap, bool bound, uint32_t flags)
{
	int fd = buffer_heap(heap, SIZE);
	struct kvm_memtype memtype;
	uint64_t sum;

	kind = name;
	buffer_map_at(window, fd, SIZE, 0);
	test_assert(!vm_set_slot(&vm, SLOT, GPA, SIZE, window, flags));
	if (bound)
		test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
	test_assert(!vm_store_pages(&vm, GVA, 1, PAGES));
	test_assert(!track_start(fd, &t));
	expect(0, "written before");

	test_errno(vm_load_strided(&vm, GVA, 4096, PAGES, &sum), 0, "%s: the guest loads", kind);
	expect(0, "loads");
	store_anew(3, 0x333, type);
	expect(1 << 3, "a store");
	expect(0, "no more stores");
	store(3, 0x3333);
	expect(1 << 3, "a store to the same page");
	test_errno(vm_load_strided(&vm, GVA, 4096, PAGES, &sum), 0, "%s: the guest loads", kind);
	store_anew(4, 0x444, type);
	window[5 * 4096] = 5;
	store(6, 0x666);
	store(6, 0x6666);
	expect(7 << 4, "stores of the guest and of the VMM");
	test_errno(vm_store_pages(&vm, GVA, 2, PAGES), 0, "%s: the guest writes all", kind);
	expect((1 << PAGES) - 1, "all");
	if (flags & KVM_MEM_LOG_DIRTY_PAGES) {
		logged();
		store(9, 0x999);
		test_eq((long long)logged(), 1 << 9, "%s: KVM's log of a store", kind);
		store(9, 0x9999);
		test_eq((long long)logged(), 1 << 9, "%s: KVM's log, once more", kind);
		expect(1 << 9, "both stores");
		store(9, 0x99999);
		expect(1 << 9, "logged or not");
	}

	if (bound) {
		test_errno(vm_get_memtype(&vm, GPA, &memtype), 0, "%s: query", kind);
		test_eq(memtype.flags & (KVM_MEMTYPE_BOUND | KVM_MEMTYPE_STALE), KVM_MEMTYPE_BOUND,
			"%s: the binding holds", kind);
	}
	track_stop(&t);
	store(7, 0x777);

	test_assert(!mprotect(window, SIZE, PROT_READ));
	test_assert(!vm_load(&vm, GVA, &sum));
	test_errno(vm_store(&vm, GVA, 1), ENXIO, "%s: a store to a read-only mapping", kind);
	test_eq(vm.run->exit_reason, KVM_EXIT_MMIO, "%s: is MMIO, as ever", kind);
	test_assert(!vm_resume(&vm));

	test_assert(!vm_set_slot(&vm, SLOT, 0, 0, NULL, 0));
	test_assert(mmap(window, SIZE, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		    window);
	close(fd);
}

int main(int argc, char **argv)
{
	tdp = argc < 2 || strcmp(argv[1], "no-tdp") != 0;
	window = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(window != MAP_FAILED);
	vm_create(&vm, 0);
	vm_map(&vm, GVA, GPA, SIZE, PAT_WC);
	if (tdp) {
		leaf_watch_start();
		guest("bound", TYPE_WC, "system-wc", true, 0);
		guest("bound, UC", TYPE_UC, "system-uc", true, 0);
		guest("bound, logged", TYPE_WC, "system-wc", true, KVM_MEM_LOG_DIRTY_PAGES);
	}
	guest("unbound", TYPE_WC, "system-wc", false, 0);
	guest("unbound, logged", TYPE_WC, "system-wc", false, KVM_MEM_LOG_DIRTY_PAGES);
	if (tdp)
		leaf_watch_stop();
	vm_destroy(&vm);
	return test_end();
}
