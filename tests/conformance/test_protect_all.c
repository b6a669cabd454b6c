// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM_WRITE_PROTECT_ALL_MEM: after each call, exactly the pages that the guest
 * writes are logged, by every kind of log, with 4 KiB and 2 MiB leaves, for RAM and
 * for a bound buffer, in SMM's address space; slots without a log are not hurt.
 *
 *	test_protect_all [nested | gigantic]
 *
 * nested: a nested guest writes. (Not in SMM: that is not what it is about.)
 * gigantic: a leaf of 1 GiB, which takes a machine that has such a page to give.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm_dmabuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bind.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/nested.h"
#include "lib/vm.h"

#define GPA		0x10000000UL
#define GVA		TEST_WINDOW_GVA
#define PAGES		2048UL			/* 8 MiB: four 2 MiB regions */
#define SIZE		(PAGES * 4096)
#define SLOT		1
#define PLAIN_SLOT	2			/* never logged */
#define PLAIN_GPA	(GPA + SIZE)
#define PLAIN_GVA	(GVA + SIZE)
#define RING_BYTES	0x20000U		/* 8,192 entries */
#define GIB		0x40000000UL
#define KPF_DIRTY	4
#define NESTED_GPA	0x300000UL		/* in slot 0, behind vm_map()'s tables */

enum how { BITMAP, MANUAL, INITIALLY_SET, RING };

struct variant {
	const char *name;
	enum how how;
	bool huge;
	bool buffer;		/* a bound WC buffer, not RAM */
	bool late;		/* the log is switched on after the first call */
};

static const struct variant variants[] = {
	{ "bitmap, 4 KiB",		BITMAP,		false,	false,	false },
	{ "bitmap, 4 KiB, late",	BITMAP,		false,	false,	true },
	{ "bitmap, 2 MiB",		BITMAP,		true,	false,	false },
	{ "bitmap, 2 MiB, late",	BITMAP,		true,	false,	true },
	{ "manual, 4 KiB",		MANUAL,		false,	false,	false },
	{ "initially set, 4 KiB",	INITIALLY_SET,	false,	false,	false },
	{ "initially set, 2 MiB, late",	INITIALLY_SET,	true,	false,	true },
	{ "ring, 4 KiB",		RING,		false,	false,	false },
	{ "ring, 2 MiB, late",		RING,		true,	false,	true },
	{ "bitmap, buffer",		BITMAP,		false,	true,	false },
	{ "ring, buffer, late",		RING,		false,	true,	true },
};

static struct test_vm vm;
static bool nested;
static const struct variant *now;
static uint8_t *memory, *plain;
static uint64_t bitmap[PAGES / 64];
static unsigned int ring_next, entries;

static void protect_all(void)
{
	test_assert(!ioctl(vm.fd, KVM_WRITE_PROTECT_ALL_MEM, 0));
}

static void take_ring(void)
{
	struct kvm_dirty_gfn *entry = &vm.ring[ring_next];

	for (; entry->flags & KVM_DIRTY_GFN_F_DIRTY; entry = &vm.ring[ring_next]) {
		entries++;
		if (entry->slot == SLOT)
			bitmap[entry->offset / 64] |= 1ULL << entry->offset % 64;
		entry->flags = KVM_DIRTY_GFN_F_RESET;
		ring_next = (ring_next + 1) % vm.ring_entries;
	}
	test_assert(ioctl(vm.fd, KVM_RESET_DIRTY_RINGS, 0) >= 0);
}

/* What was logged since the last time. */
static void take_log(void)
{
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bitmap };
	struct kvm_clear_dirty_log clear = {
		.slot = SLOT, .num_pages = PAGES, .dirty_bitmap = bitmap,
	};

	memset(bitmap, 0, sizeof(bitmap));
	if (now->how == RING) {
		take_ring();
		return;
	}
	test_assert(!ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
	if (now->how != BITMAP)
		test_assert(!ioctl(vm.fd, KVM_CLEAR_DIRTY_LOG, &clear));
}

static unsigned int logged(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PAGES / 64; i++)
		n += (unsigned int)__builtin_popcountll(bitmap[i]);
	return n;
}

/* The guest stores to @n pages, @step apart; just they must be logged, and hold it. */
static void round_of(unsigned int n, unsigned int step, const char *what)
{
	static uint64_t value = 0x1000;
	unsigned int missing = 0, wrong = 0;

	take_log();
	protect_all();
	test_assert(!vm_store_strided(&vm, GVA, step * 4096UL, n, value));
	test_assert(!vm_store_strided(&vm, PLAIN_GVA, step * 4096UL, n, value));
	entries = 0;
	take_log();
	test_note("%u entries for %u pages", entries, n);
	for (unsigned int i = 0; i < n; i++) {
		const unsigned int page = i * step;

		missing += !(bitmap[page / 64] >> page % 64 & 1);
		wrong += *(volatile uint64_t *)(memory + page * 4096UL) != value + i;
		wrong += *(volatile uint64_t *)(plain + page * 4096UL) != value + i;
	}
	value += 0x1000;
	test_eq(missing, 0, "%s: %s: no written page is missing", now->name, what);
	test_eq(logged(), n, "%s: %s: no other page is logged", now->name, what);
	test_eq(wrong, 0, "%s: %s: the pages hold what was stored", now->name, what);
}

static void *map_ram(bool huge)
{
	uint8_t *p = mmap(NULL, SIZE + (2 << 20), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	test_assert(p != MAP_FAILED);
	p = (uint8_t *)(((uintptr_t)p + 0x1fffff) & ~0x1fffffUL);
	test_assert(!madvise(p, SIZE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
	memset(p, 1, SIZE);
	return p;
}

static void log_on(void)
{
	test_assert(!vm_set_slot(&vm, SLOT, GPA, SIZE, memory, KVM_MEM_LOG_DIRTY_PAGES));
}

static void try_variant(const struct variant *variant)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 };
	int fd = -1;

	now = variant;
	ring_next = 0;
	vm_create(&vm, now->how == RING ? RING_BYTES : 0);
	cap.args[0] = now->how == MANUAL ? KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE :
		      now->how == INITIALLY_SET ? KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |
						  KVM_DIRTY_LOG_INITIALLY_SET : 0;
	if (cap.args[0])
		test_assert(!ioctl(vm.fd, KVM_ENABLE_CAP, &cap));

	if (now->buffer) {
		fd = buffer_heap("system-wc", SIZE);
		memory = buffer_map(fd, SIZE, 0);
	} else {
		memory = map_ram(now->huge);
	}
	plain = map_ram(now->huge);
	test_assert(!vm_set_slot(&vm, SLOT, GPA, SIZE, memory, 0));
	test_assert(!vm_set_slot(&vm, PLAIN_SLOT, PLAIN_GPA, SIZE, plain, 0));
	if (now->buffer)
		test_assert(!vm_bind(&vm, GPA, SIZE, fd, 0, NULL));
	vm_map(&vm, GVA, GPA, 2 * SIZE, PAT_WB);
	if (nested)
		vcpu_nest(vm.vcpu, vm.ram, NESTED_GPA);
	if (!now->late)
		log_on();
	test_assert(!vm_store_pages(&vm, GVA, 1, 2 * PAGES));
	if (now->late) {
		protect_all();
		log_on();
	}

	round_of(1, 1, "one page");
	round_of(31, 66, "scattered pages");
	round_of(100, 1, "neighbours");
	round_of(PAGES, 1, "all pages");
	round_of(4, 512, "one page of each region");
	take_log();
	protect_all();
	protect_all();
	take_log();
	test_eq(logged(), 0, "%s: nobody writes, nothing is logged", now->name);

	/* The log is off, then on again: what is written without one must not matter. */
	test_assert(!vm_set_slot(&vm, SLOT, GPA, SIZE, memory, 0));
	test_assert(!vm_store_pages(&vm, GVA, 1, PAGES));
	log_on();
	round_of(31, 66, "log switched off and on");
	if (nested)
		test_ok(vcpu_is_nested(vm.vcpu), "%s: all in the nested guest", now->name);

	vm_destroy(&vm);
	munmap(memory, SIZE);
	munmap(plain, SIZE);
	if (fd >= 0)
		close(fd);
}

/*
 * SMM has an address space of its own, and so roots of its own. The handler stores
 * to a page of a slot that is logged there.
 */
static void smm(void)
{
	/* mov $0x5000, %ax; mov %ax, %ds; incw (0); rsm: 16-bit code */
	static const uint8_t handler[] = {
		0xb8, 0x00, 0x50, 0x8e, 0xd8, 0xff, 0x06, 0x00, 0x00, 0x0f, 0xaa,
	};
	struct kvm_dirty_log log = { .slot = 1 << 16 | 1 };
	const uint64_t smram_gpa = 0x30000, page_gpa = 0x50000;
	uint64_t word = 0;
	uint8_t *smram;

	log.dirty_bitmap = &word;
	vm_create(&vm, 0);
	smram = map_ram(false);
	memset(smram, 0, SIZE);
	memcpy(smram + 0x8000, handler, sizeof(handler));
	test_assert(!vm_set_slot(&vm, 1 << 16, smram_gpa, 0x10000, smram, 0));
	test_assert(!vm_set_slot(&vm, 1 << 16 | 1, page_gpa, 0x4000, smram + 0x10000,
				 KVM_MEM_LOG_DIRTY_PAGES));
	for (unsigned int i = 1; i <= 3; i++) {
		test_assert(!ioctl(vm.vcpu, KVM_SMI, 0));
		test_assert(!vm_store(&vm, 0x8000, 1));
		test_eq(*(volatile uint16_t *)(smram + 0x10000), i, "SMM: handler %u ran", i);
		test_assert(!ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
		test_eq((long long)word, 1, "SMM: its store is logged");
		protect_all();
		test_assert(!ioctl(vm.fd, KVM_GET_DIRTY_LOG, &log));
		test_eq((long long)word, 0, "SMM: nothing is logged after it");
	}
	vm_destroy(&vm);
}

/* A u64 of a file that has one for each page */
static uint64_t page_word(const char *path, uint64_t page)
{
	const int fd = open(path, O_RDONLY);
	uint64_t word;

	test_assert(fd >= 0 && pread(fd, &word, sizeof(word), (off_t)(page * 8)) == sizeof(word));
	close(fd);
	return word;
}

/* Does the kernel know that the page at @p must be written out before it is reclaimed? */
static bool is_dirty(const volatile uint8_t *p)
{
	const uint64_t pagemap = page_word("/proc/self/pagemap", (uintptr_t)p / 4096);

	test_assert(pagemap >> 63);
	return page_word("/proc/kpageflags", pagemap & ((1ULL << 55) - 1)) >> KPF_DIRTY & 1;
}

/*
 * What the guest alone has written is dirty to the host, too, after protection that was
 * pushed down has cleared the dirty bit of its leaf.
 */
static void host_dirty(void)
{
	const int fd = memfd_create("pages", MFD_CLOEXEC);
	volatile uint8_t *p;

	test_assert(fd >= 0 && !ftruncate(fd, (off_t)SIZE));
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	test_assert(p != MAP_FAILED);
	/* Mapped writable, but only read: the host's own page tables say that it is clean. */
	test_eq(p[0] + p[4096], 0, "new pages are zero");
	test_ok(!is_dirty(p), "and clean");

	vm_create(&vm, 0);
	test_assert(!vm_set_slot(&vm, SLOT, GPA, SIZE, (void *)p, KVM_MEM_LOG_DIRTY_PAGES));
	vm_map(&vm, GVA, GPA, SIZE, PAT_WB);
	test_assert(!vm_store_pages(&vm, GVA, 1, 2));
	protect_all();
	test_assert(!vm_store(&vm, GVA + 4096, 2));
	test_assert(!vm_set_slot(&vm, SLOT, GPA, 0, NULL, 0));
	test_ok(is_dirty(p), "a page that the guest wrote before the last protection is dirty");
	vm_destroy(&vm);
	munmap((void *)p, SIZE);
	close(fd);
}

/* How many pages of 1 GiB the machine keeps for who asks for them */
static void keep_gigantic(const char *n)
{
	const int fd = open("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", O_WRONLY);

	test_assert(fd >= 0 && write(fd, n, strlen(n)) == (ssize_t)strlen(n));
	close(fd);
}

/* How many pages of the slot an ioctl's bitmap names; @bits: room for 1 GiB */
static unsigned int count_pages(unsigned long request, uint64_t *bits)
{
	struct kvm_dirty_log log = { .slot = SLOT, .dirty_bitmap = bits };
	unsigned int n = 0;

	test_assert(!ioctl(vm.fd, request, &log));
	for (unsigned int i = 0; i < GIB / 4096 / 64; i++)
		n += (unsigned int)__builtin_popcountll(bits[i]);
	return n;
}

static void gigantic(void)
{
	static uint64_t bits[GIB / 4096 / 64];
	const unsigned int step = 4099, n = 60;
	unsigned int missing;
	uint8_t *page;

	keep_gigantic("1");
	page = mmap(NULL, GIB, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | 30 << MAP_HUGE_SHIFT, -1, 0);
	test_assert(page != MAP_FAILED);
	vm_create(&vm, 0);
	test_assert(!vm_set_slot(&vm, SLOT, GIB, GIB, page, 0));
	vm_map(&vm, GVA, GIB, GIB, PAT_WB);
	test_assert(!vm_store(&vm, GVA, 1));
	test_eq(count_pages(KVM_GET_MAPPED_LOG, bits), GIB / 4096, "one leaf maps 1 GiB");
	protect_all();
	test_assert(!vm_store(&vm, GVA, 2));
	test_eq(count_pages(KVM_GET_MAPPED_LOG, bits), GIB / 4096, "not logged: it stays");

	/* The first protection meets the large leaf, the others what it was split into. */
	test_assert(!vm_set_slot(&vm, SLOT, GIB, GIB, page, KVM_MEM_LOG_DIRTY_PAGES));
	for (unsigned int round = 0; round < 3; round++) {
		test_eq(count_pages(KVM_GET_DIRTY_LOG, bits), 0, "nothing is logged");
		test_assert(!vm_store_strided(&vm, GVA, step * 4096UL, n, 0x1000 * round));
		test_eq(count_pages(KVM_GET_DIRTY_LOG, bits), n, "as many pages as were written");
		missing = 0;
		for (unsigned int i = 0; i < n; i++)
			missing += !(bits[i * step / 64] >> i * step % 64 & 1) ||
				   *(volatile uint64_t *)(page + i * step * 4096UL) !=
					   0x1000 * round + i;
		test_eq(missing, 0, "just these, and they hold what was written");
		protect_all();
	}
	vm_destroy(&vm);
	munmap(page, GIB);
	keep_gigantic("0");
}

int main(int argc, char **argv)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	nested = argc > 1 && !strcmp(argv[1], "nested");
	test_ok(ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF) & KVM_DMA_BUF_HAS_WRITE_PROTECT_ALL,
		"KVM_CAP_DMA_BUF has KVM_DMA_BUF_HAS_WRITE_PROTECT_ALL");
	close(kvm);
	if (argc > 1 && !strcmp(argv[1], "gigantic")) {
		gigantic();
		return test_end();
	}
	for (unsigned int i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		try_variant(&variants[i]);
	if (!nested) {
		smm();
		host_dirty();
	}
	return test_end();
}
