// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a guest, its VMM and a GPU do to a buffer that they share, access by access,
 * for coherence-check: it replays the trace of this in Bochs with the caches that an
 * emulator does not have. Here the values are checked, which the emulator always
 * keeps right.
 *
 * There is no GPU: a second mapping of the DMA-buf makes the device's accesses, and a
 * third the GPU process'. The log says whose an address range is in which phase:
 *
 *	# scenario NAME modules=stock|dmapat host=EXPORTER memtype=WC size=0x1000
 *		snoop=0|1 accesses=N expect=stale|none		(one line)
 *	# agent role=guest phase=0x1001 linear=0x400000000000 size=0x1000 offset=0x0 [pat=UC-]
 *	# refill phase=0x1002
 *
 * docs/coherence.md describes them, and the scenarios.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bind.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/vm.h"
#include "lib/witness.h"
#include "../emu/trace.h"

#define SIZE		0x4000UL	/* of a buffer */
#define PAGE		4096UL		/* of it, the one that all use: */
#define PAGE_AT		0x1000UL
#define LINE		64U
#define LINES		(PAGE / LINE)

#define GPA		0x10000000UL
#define GVA		TEST_WINDOW_GVA

/* One word in every line, in every second, in every third */
#define EACH		LINE
#define SECOND		(2 * LINE)
#define THIRD		(3 * LINE)

#define MAX_TURNS	8
#define MAX_BUFFERS	64

static int open_wc_heap(void)
{
	return buffer_heap("system-wc", SIZE);
}

static int open_uc_heap(void)
{
	return buffer_heap("system-uc", SIZE);
}

static int open_vgem(void)
{
	return buffer_vgem(SIZE);
}

static int open_udmabuf(void)
{
	return buffer_udmabuf(SIZE);
}

/* An exporter, and what a driver makes of its buffers. */
struct kind {
	const char *host;
	int (*open)(void);
	int memtype;
	const char *memtype_name;
	enum test_pat pat;	/* what a guest's GPU driver asks for */
	bool snoop;		/* WB buffers are for devices that snoop */
};

static const struct kind kinds[] = {
	{ "wc-heap", open_wc_heap, DMABUF_MEMTYPE_WC, "WC", PAT_WC, false },
	{ "wc-vgem", open_vgem, DMABUF_MEMTYPE_WC, "WC", PAT_WC, false },
	{ "uc-heap", open_uc_heap, DMABUF_MEMTYPE_UC, "UC", PAT_UC_MINUS, false },
	{ "wb-udmabuf", open_udmabuf, DMABUF_MEMTYPE_WB, "WB", PAT_WB, true },
};

/* A buffer and who has it mapped. */
struct shared {
	int fd;
	uint8_t *vmm;
	uint8_t *device;
	uint8_t *process;
};

struct turn {
	const char *role;
	unsigned int phase;
	uint64_t linear;
};

struct scenario {
	const struct kind *kind;
	const char *name;
	enum test_pat pat;		/* the guests' */
	unsigned int accesses;
	struct turn turns[MAX_TURNS];
	unsigned int n_turns;
	unsigned int refill_phase;
	uint64_t words[LINES];		/* what the first word of each line should be */
};

static struct test_vm vms[2];
static bool stock;
static unsigned int phase;
static uint64_t stored;

/* ---- turns ---- */

static unsigned int words_at(unsigned int stride)
{
	return (unsigned int)((PAGE + stride - 1) / stride);
}

static unsigned int begin_turn(struct scenario *s, const char *role, uint64_t linear,
			       unsigned int stride)
{
	test_assert(s->n_turns < MAX_TURNS);
	phase++;
	s->turns[s->n_turns++] = (struct turn){ role, phase, linear };
	s->accesses += words_at(stride);
	return words_at(stride);
}

/* The values of a write: none comes twice. */
static uint64_t new_values(struct scenario *s, unsigned int stride)
{
	const uint64_t first = 0xc0de000000000000 + stored;

	for (unsigned int i = 0; i < words_at(stride); i++)
		s->words[i * stride / LINE] = first + i;
	stored += 0x100;
	return first;
}

static uint64_t sum_of(const struct scenario *s, unsigned int stride)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < words_at(stride); i++)
		sum += s->words[i * stride / LINE];
	return sum;
}

static void guest_writes(struct scenario *s, struct test_vm *vm, unsigned int stride)
{
	const unsigned int n = begin_turn(s, vm == vms ? "guest" : "guest2", GVA, stride);
	const uint64_t first = new_values(s, stride);

	trace_begin(phase);
	trace_end();
	vm_mark(vm, true);
	test_assert(!vm_store_strided(vm, GVA, stride, n, first));
	vm_mark(vm, false);
}

static void guest_reads(struct scenario *s, struct test_vm *vm, unsigned int stride)
{
	const unsigned int n = begin_turn(s, vm == vms ? "guest" : "guest2", GVA, stride);
	uint64_t sum;

	trace_begin(phase);
	trace_end();
	vm_mark(vm, true);
	test_assert(!vm_load_strided(vm, GVA, stride, n, &sum));
	vm_mark(vm, false);
	test_ok(sum == sum_of(s, stride), "%s, %s: the guest reads what was written", s->name,
		s->kind->host);
}

/* Faults the page in outside of a bracket: a fault in one is 10,000s of trace lines. */
static void touch(const uint8_t *page)
{
	(void)*(const volatile uint64_t *)page;
}

static void host_writes(struct scenario *s, const char *role, uint8_t *page, unsigned int stride)
{
	const unsigned int n = begin_turn(s, role, (uintptr_t)page, stride);
	const uint64_t first = new_values(s, stride);

	touch(page);
	trace_begin(phase);
	for (unsigned int i = 0; i < n; i++)
		*(volatile uint64_t *)(page + (size_t)i * stride) = first + i;
	/* As before any hand-over: what is in write-combining buffers leaves them. */
	__asm__ volatile("sfence" ::: "memory");
	trace_end();
}

static void host_reads(struct scenario *s, const char *role, uint8_t *page, unsigned int stride)
{
	const unsigned int n = begin_turn(s, role, (uintptr_t)page, stride);
	uint64_t sum = 0;

	touch(page);
	trace_begin(phase);
	for (unsigned int i = 0; i < n; i++)
		sum += *(volatile uint64_t *)(page + (size_t)i * stride);
	trace_end();
	test_ok(sum == sum_of(s, stride), "%s, %s: the %s reads what was written", s->name,
		s->kind->host, role);
}

/* ---- the buffer comes and goes ---- */

static void share(struct shared *b, const struct kind *kind)
{
	b->fd = kind->open();
	b->device = buffer_map(b->fd, SIZE, 0);
	b->process = buffer_map(b->fd, SIZE, 0);
	b->vmm = NULL;
}

static void unshare(struct shared *b)
{
	munmap(b->device, SIZE);
	munmap(b->process, SIZE);
	close(b->fd);
}

/* Into the guest, its page @page at GVA, bound where that is possible. */
static void give(const struct scenario *s, struct test_vm *vm, struct shared *b, bool bind,
		 uint64_t page)
{
	const struct kind *kind = s->kind;
	uint32_t memtype = 0;
	uint64_t value;

	b->vmm = buffer_map(b->fd, SIZE, 0);
	test_assert(!vm_set_slot(vm, 1, GPA, SIZE, b->vmm, 0));
	if (bind && !stock) {
		test_errno(vm_bind(vm, GPA, SIZE, b->fd, 0, &memtype), 0, "%s: binds", kind->host);
		test_eq(memtype, kind->memtype, "%s: type", kind->host);
	}
	vm_map(vm, GVA, GPA + page, PAGE, s->pat);
	test_assert(!vm_load(vm, GVA, &value));
}

static void take_back(struct test_vm *vm, struct shared *b, bool bind)
{
	if (bind && !stock)
		test_assert(!vm_unbind(vm, GPA, SIZE));
	test_assert(!vm_set_slot(vm, 1, 0, 0, NULL, 0));
	munmap(b->vmm, SIZE);
}

static uint64_t frame_of(const uint8_t *page)
{
	struct dmapat_mock_entry entry;

	touch(page);
	test_assert(!witness_entry(page, &entry));
	return entry.pfn;
}

/*
 * Allocates until a buffer has the frame that was freed: the allocator gives the last
 * freed pages first. Returns where in the buffer, or SIZE.
 */
static uint64_t allocate_frame(struct shared *b, const struct kind *kind, uint64_t frame)
{
	struct shared others[MAX_BUFFERS];
	unsigned int n = 0;
	uint64_t at = SIZE;

	while (n < MAX_BUFFERS) {
		share(b, kind);
		for (at = 0; at < SIZE && frame_of(b->device + at) != frame; at += PAGE)
			;
		if (at < SIZE)
			break;
		others[n++] = *b;
	}
	while (n--)
		unshare(&others[n]);
	return at;
}

/* ---- declarations ---- */

static void declare(const struct scenario *s, bool stale)
{
	printf("# scenario %s modules=%s host=%s memtype=%s size=0x%lx snoop=%d accesses=%u expect=%s\n",
	       s->name, stock ? "stock" : "dmapat", s->kind->host, s->kind->memtype_name, PAGE,
	       s->kind->snoop, s->accesses, stock && stale ? "stale" : "none");
	for (unsigned int i = 0; i < s->n_turns; i++) {
		const struct turn *t = &s->turns[i];
		const bool guest = !strncmp(t->role, "guest", 5);

		printf("# agent role=%s phase=0x%x linear=0x%llx size=0x%lx offset=0x0%s\n",
		       t->role, trace_phase(t->phase), (unsigned long long)t->linear, PAGE,
		       guest && s->pat == PAT_UC_MINUS ? " pat=UC-" : "");
	}
	if (s->refill_phase)
		printf("# refill phase=0x%x\n", trace_phase(s->refill_phase));
}

static bool is_uncached(const struct kind *kind)
{
	return kind->memtype != DMABUF_MEMTYPE_WB;
}

/* ---- scenarios ---- */

static void guest_writes_gpu_reads(const struct kind *kind, const char *name, enum test_pat pat,
				   bool bind)
{
	struct scenario s = { .kind = kind, .name = name, .pat = pat };
	struct shared b;

	share(&b, kind);
	give(&s, vms, &b, bind, PAGE_AT);
	guest_writes(&s, vms, THIRD);
	host_reads(&s, "device", b.device + PAGE_AT, SECOND);
	take_back(vms, &b, bind);
	unshare(&b);
	declare(&s, is_uncached(kind));
}

static void gpu_writes_guest_reads(const struct kind *kind)
{
	struct scenario s = { .kind = kind, .name = "gpu-writes-guest-reads", .pat = kind->pat };
	struct shared b;

	share(&b, kind);
	give(&s, vms, &b, true, PAGE_AT);
	guest_reads(&s, vms, SECOND);
	host_writes(&s, "device", b.device + PAGE_AT, THIRD);
	guest_reads(&s, vms, EACH);
	take_back(vms, &b, true);
	unshare(&b);
	declare(&s, is_uncached(kind));
}

/*
 * UC in the VMM's page tables has the processor look into the caches, so the stock
 * module does no harm to a UC buffer here.
 */
static void guest_writes_migration_reads(const struct kind *kind)
{
	struct scenario s = { .kind = kind, .name = "guest-writes-migration-reads", .pat = kind->pat };
	struct shared b;

	share(&b, kind);
	give(&s, vms, &b, true, PAGE_AT);
	guest_writes(&s, vms, THIRD);
	host_reads(&s, "migration", b.vmm + PAGE_AT, EACH);
	take_back(vms, &b, true);
	unshare(&b);
	declare(&s, kind->memtype == DMABUF_MEMTYPE_WC);
}

/*
 * A driver that keeps freed buffers, in their type, for the next one who asks, as
 * TTM's pools and Mesa's caches do: nobody flushes.
 */
static void reuse_kept(const struct kind *kind)
{
	struct scenario s = { .kind = kind, .name = "reuse-kept", .pat = kind->pat };
	struct shared b;

	share(&b, kind);
	give(&s, &vms[0], &b, true, PAGE_AT);
	guest_writes(&s, &vms[0], THIRD);
	take_back(&vms[0], &b, true);
	host_writes(&s, "device", b.device + PAGE_AT, EACH);
	host_reads(&s, "gpu-process", b.process + PAGE_AT, THIRD);
	give(&s, &vms[1], &b, true, PAGE_AT);
	guest_reads(&s, &vms[1], SECOND);
	take_back(&vms[1], &b, true);
	unshare(&b);
	declare(&s, is_uncached(kind));
}

/*
 * The buffer is freed and its frame comes back in another. The kernel zeroes it, and
 * flushes it when it gets its type.
 */
static void reuse_freed(const struct kind *kind)
{
	struct scenario s = { .kind = kind, .name = "reuse-freed", .pat = kind->pat };
	struct shared b;
	uint64_t frame, at;

	share(&b, kind);
	frame = frame_of(b.device + PAGE_AT);
	give(&s, &vms[0], &b, true, PAGE_AT);
	guest_writes(&s, &vms[0], THIRD);
	take_back(&vms[0], &b, true);
	unshare(&b);

	at = allocate_frame(&b, kind, frame);
	test_ok(at < SIZE, "%s, %s: the frame comes back", s.name, kind->host);
	if (at == SIZE)
		return;
	memset(s.words, 0, sizeof(s.words));
	s.refill_phase = phase + 1;
	host_reads(&s, "gpu-process", b.process + at, SECOND);
	host_writes(&s, "device", b.device + at, THIRD);
	give(&s, &vms[1], &b, true, at);
	guest_reads(&s, &vms[1], EACH);
	take_back(&vms[1], &b, true);
	unshare(&b);
	declare(&s, false);
}

int main(int argc, char **argv)
{
	vm_create(&vms[0], 0);
	vm_create(&vms[1], 0);
	stock = ioctl(vms[0].fd, KVM_CHECK_EXTENSION, KVM_CAP_DMA_BUF) <= 0;
	if (argc > 1)
		test_eq(stock, !strcmp(argv[1], "stock"), "the modules are %s", argv[1]);

	for (unsigned int k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const struct kind *kind = &kinds[k];

		guest_writes_gpu_reads(kind, "guest-writes-gpu-reads", kind->pat, true);
		/* A guest that knows nothing of the buffer's type: the leaf is the floor. */
		if (is_uncached(kind))
			guest_writes_gpu_reads(kind, "guest-writes-as-wb-gpu-reads", PAT_WB, true);
		gpu_writes_guest_reads(kind);
		guest_writes_migration_reads(kind);
		reuse_kept(kind);
		reuse_freed(kind);
	}
	guest_writes_gpu_reads(&kinds[0], "guest-writes-gpu-reads-unbound", kinds[0].pat, false);

	vm_destroy(&vms[0]);
	vm_destroy(&vms[1]);
	return test_end();
}
