// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A VMM that knows nothing of dmapat: it makes what it has mapped a memslot, by the
 * stock KVM interface alone. With the argument "stock" every leaf must be what
 * the stock module gives (run on it, and with memtype_from_host=0).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/leaf.h"
#include "lib/vm.h"
#include "../emu/trace.h"
#include "../oracle/oracle_types.h"

#define GPA	0x10000000UL
#define GVA	TEST_WINDOW_GVA
#define SIZE	0x400000UL

static struct test_vm vm;
static bool stock;

/* A slot over @size bytes at @hva; stores and loads at its second page. */
static void plain(const char *name, void *hva, size_t size, int type, const char *effective_wb,
		  const char *effective_wc)
{
	static unsigned int phase;
	const uint64_t gpa = GPA + 4096, gva = GVA + 4096;
	const char *type_name = type == ORACLE_UC ? "UC" : type == ORACLE_WC ? "WC" : "WB";
	const bool like_stock = stock || type == ORACLE_WB;
	uint64_t value;

	leaf_watch_clear();
	test_assert(!vm_set_slot(&vm, 1, GPA, size, hva, 0));
	for (int wc = 0; wc < 2; wc++) {
		char line[64];

		snprintf(line, sizeof(line), "%s,guest-%s", name, wc ? "WC" : "WB");
		vm_map(&vm, gva + (uint64_t)wc * 4096, gpa + (uint64_t)wc * 4096, 4096,
		       wc ? PAT_WC : PAT_WB);
		phase++;
		trace_begin(phase);
		trace_end();
		vm_mark(&vm, true);
		test_errno(vm_store(&vm, gva + (uint64_t)wc * 4096, 0x5a5a), 0, "%s: stores", line);
		test_errno(vm_load(&vm, gva + (uint64_t)wc * 4096, &value), 0, "%s: loads", line);
		vm_mark(&vm, false);
		test_eq((long long)value, 0x5a5a, "%s: the same", line);
		if (like_stock)
			leaf_expect_stock(gpa + (uint64_t)wc * 4096, line);
		else
			leaf_expect_type(gpa + (uint64_t)wc * 4096, type, line);
		if (leaf_is_ept())
			trace_expect_guest(line, phase, gva + (uint64_t)wc * 4096, 8, "rw",
					   like_stock ? "WB" : wc ? effective_wc : effective_wb,
					   like_stock ? "WB" : type_name, like_stock);
	}
	test_assert(!vm_set_slot(&vm, 1, 0, 0, NULL, 0));
}

static void plain_buffer(const char *name, int fd, size_t size, int type,
			 const char *effective_wb, const char *effective_wc)
{
	void *hva = buffer_map(fd, size, 0);

	plain(name, hva, size, type, effective_wb, effective_wc);
	munmap(hva, size);
	close(fd);
}

/*
 * Device registers as VFIO maps them: a PCI BAR, not cacheable in the host. KVM
 * gives them the stock leaf, also where the host maps them WC.
 */
static void device_registers(const char *file)
{
	struct dirent *entry;
	DIR *dir = opendir("/sys/bus/pci/devices");
	unsigned int found = 0;

	test_assert(dir);
	while (!found && (entry = readdir(dir))) {
		char path[512];
		struct stat st;
		uint64_t value;
		void *hva;
		int fd;

		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", entry->d_name, file);
		/* The frame buffer: memory that a test may read. */
		if (stat(path, &st) || st.st_size < 0x400000)
			continue;
		fd = open(path, O_RDWR | O_CLOEXEC);
		test_assert(fd >= 0);
		hva = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		test_assert(hva != MAP_FAILED);
		test_assert(!vm_set_slot(&vm, 1, GPA, 0x10000, hva, 0));
		vm_map(&vm, GVA, GPA, 4096, PAT_WB);
		leaf_watch_clear();
		test_errno(vm_load(&vm, GVA, &value), 0, "%s: the guest loads", file);
		leaf_expect_stock_mmio(GPA, file);
		test_assert(!vm_set_slot(&vm, 1, 0, 0, NULL, 0));
		munmap(hva, 0x10000);
		close(fd);
		found++;
	}
	closedir(dir);
	test_eq(found, 1, "%s: the machine has such a BAR", file);
}

int main(int argc, char **argv)
{
	void *ram = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	stock = argc > 1 && !strcmp(argv[1], "stock");
	test_assert(ram != MAP_FAILED);
	vm_create(&vm, 0);
	leaf_watch_start();

	/* Effective types: SDM vol. 3A, "Effective Page-Level Memory Types" */
	plain_buffer("system-wc-heap", buffer_heap("system-wc", SIZE), SIZE, ORACLE_WC, "WC", "WC");
	plain_buffer("system-uc-heap", buffer_heap("system-uc", SIZE), SIZE, ORACLE_UC, "UC", "WC");
	plain_buffer("vgem", buffer_vgem(SIZE), SIZE, ORACLE_WC, "WC", "WC");
	/* Larger ones have pages without references, which stock KVM cannot map. */
	plain_buffer("system-heap", buffer_heap("system", 0x8000), 0x8000, ORACLE_WB, "WB", "WB");
	plain_buffer("udmabuf", buffer_udmabuf(SIZE), SIZE, ORACLE_WB, "WB", "WB");
	plain("ram", ram, SIZE, ORACLE_WB, "WB", "WB");
	device_registers("resource0");
	device_registers("resource0_wc");

	leaf_watch_stop();
	vm_destroy(&vm);
	return test_end();
}
