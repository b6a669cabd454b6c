// SPDX-License-Identifier: GPL-2.0-or-later
/* The virtual machine and the buffer that cells are made of; see stage.h. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/bind.h"
#include "../lib/buffer.h"
#include "../lib/ktap.h"
#include "../lib/leaf.h"
#include "stage.h"

#define SIZE_2M		0x200000UL
#define BUFFER_AT	SIZE_2M		/* in the slot */
#define BUFFER_PAGES	(STAGE_PAGES + 2)

/* SDM vol. 4, "IA-32 Architectural MSRs" */
#define MSR_MTRR_PHYS_BASE(n)	(0x200 + 2 * (n))
#define MSR_MTRR_PHYS_MASK(n)	(0x201 + 2 * (n))
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLED		(1ULL << 11)	/* in both */
/* Every CPU with 64-bit mode has 36 address bits; higher ones are not compared. */
#define MTRR_ADDRESS_MASK	0xffffff000ULL

static const enum test_pat pats[STAGE_PAGES] = {
	PAT_UC, PAT_UC_MINUS, PAT_WC, PAT_WT, PAT_WP, PAT_WB
};

static uint64_t page_size(const struct stage *stage)
{
	return oracle_level_size(stage->exporter->page);
}

static uint64_t offset_of(const struct stage *stage, unsigned int buffer_page)
{
	return BUFFER_AT + buffer_page * page_size(stage);
}

uint64_t stage_offset(const struct stage *stage, unsigned int page)
{
	return offset_of(stage, page + 1) +
	       (page == STAGE_PAGES - 1 ? page_size(stage) - 4096 : 0);
}

uint64_t stage_gva(const struct stage *stage, unsigned int page)
{
	return TEST_WINDOW_GVA + stage_offset(stage, page);
}

volatile uint64_t *stage_host(const struct stage *stage, unsigned int page)
{
	return (volatile uint64_t *)(stage->hva + stage_offset(stage, page));
}

uint64_t stage_gfn(const struct stage *stage, unsigned int page)
{
	return (stage->gpa + stage_offset(stage, page)) >> 12;
}

enum oracle_type stage_guest_type(const struct stage *stage, unsigned int page)
{
	return oracle_pat_entry(stage->pat_msr, (unsigned int)pats[page]);
}

uint64_t stage_value(struct stage *stage)
{
	return 0x6d61747269780000ULL | ++stage->values;
}

/* The gfns that leaves of the cells can have, at both places of the slot. */
static void watch(void)
{
	static const uint64_t places[] = { STAGE_HOME, STAGE_ELSEWHERE };
	const struct exporter small = { .page = 1 }, large = { .page = 2 };
	uint64_t gfns[2 * (2 * STAGE_PAGES + 1)];
	size_t n = 0;

	for (unsigned int i = 0; i < 2; i++) {
		struct stage at = { .gpa = places[i], .exporter = &small };

		for (unsigned int page = 0; page < STAGE_PAGES; page++)
			gfns[n++] = stage_gfn(&at, page);
		at.exporter = &large;
		for (unsigned int page = 0; page < STAGE_PAGES; page++)
			gfns[n++] = stage_gfn(&at, page);
		/* The last page is not looked at where its 2 MiB leaf begins. */
		gfns[n++] = stage_gfn(&at, STAGE_PAGES - 1) & ~0x1ffULL;
	}
	leaf_watch_start();
	leaf_watch_only(gfns, n);
}

void stage_open(struct stage *stage, enum cell_modules modules, uint64_t host_pat)
{
	uint8_t *space;

	*stage = (struct stage){
		.modules = modules,
		.vendor = leaf_is_ept() ? CELL_INTEL : CELL_AMD,
		.host_pat = host_pat,
		.gpa = STAGE_HOME,
		.pat_msr = TEST_PAT_MSR,
		.fd = -1,
	};
	vm_create(&stage->vm, 0);
	space = mmap(NULL, STAGE_SLOT_SIZE + SIZE_2M, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	test_assert(space != MAP_FAILED);
	stage->hva = (uint8_t *)(((uintptr_t)space + SIZE_2M - 1) & ~(SIZE_2M - 1));
	test_assert(!stage_slot(stage, STAGE_HOME, 0));
	watch();
}

void stage_close(struct stage *stage)
{
	leaf_watch_stop();
	vm_destroy(&stage->vm);
	test_assert(!munmap(stage->hva, STAGE_SLOT_SIZE));
}

void stage_take(struct stage *stage, const struct exporter *exporter)
{
	stage->exporter = exporter;
	stage->fd = exporter->source->allocate(exporter, BUFFER_PAGES * page_size(stage));
}

int stage_map(struct stage *stage)
{
	void *at = stage->hva + BUFFER_AT;

	return mmap(at, BUFFER_PAGES * page_size(stage), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, stage->fd, 0) == at ? 0 : errno;
}

void stage_witness(struct stage *stage)
{
	test_assert(!stage_map(stage));
	exporter_witness(stage->exporter, cell_modules_name(stage->modules),
			 stage->hva + BUFFER_AT, BUFFER_PAGES * page_size(stage));
}

/* @buffer_page, @n: of the eight */
static int bind_pages(struct stage *stage, unsigned int buffer_page, unsigned int n, bool bind)
{
	const uint64_t gpa = stage->gpa + offset_of(stage, buffer_page);
	const uint64_t size = n * page_size(stage);
	uint32_t memtype;
	int r;

	if (!bind)
		return vm_unbind(&stage->vm, gpa, size);
	r = vm_bind(&stage->vm, gpa, size, stage->fd, buffer_page * page_size(stage), &memtype);
	if (!r && memtype != (uint32_t)stage->exporter->memtype) {
		test_note("%s: bound as %s, expected %s", stage->exporter->name,
			  oracle_type_name((enum oracle_type)memtype),
			  oracle_type_name(stage->exporter->memtype));
		return EMEDIUMTYPE;
	}
	return r;
}

int stage_bind(struct stage *stage)
{
	int r = bind_pages(stage, 1, STAGE_PAGES, true);

	if (!r)
		stage->bound = true;
	return r;
}

int stage_unbind(struct stage *stage)
{
	int r = bind_pages(stage, 1, STAGE_PAGES, false);

	if (!r)
		stage->bound = false;
	return r;
}

int stage_bind_beside(struct stage *stage)
{
	int r = bind_pages(stage, 0, 1, true);

	if (r)
		return r;
	r = bind_pages(stage, STAGE_PAGES + 1, 1, true);
	if (r)
		bind_pages(stage, 0, 1, false);
	else
		stage->bound_beside = true;
	return r;
}

static int unbind_beside(struct stage *stage)
{
	int first = bind_pages(stage, 0, 1, false);
	int last = bind_pages(stage, STAGE_PAGES + 1, 1, false);

	stage->bound_beside = false;
	return first ? first : last;
}

static void map_guest(struct stage *stage)
{
	for (unsigned int page = 0; page < STAGE_PAGES; page++) {
		const uint64_t offset = offset_of(stage, page + 1);

		if (stage->exporter->page == 2)
			vm_map_2m(&stage->vm, TEST_WINDOW_GVA + offset, stage->gpa + offset,
				  SIZE_2M, pats[page]);
		else
			vm_map(&stage->vm, TEST_WINDOW_GVA + offset, stage->gpa + offset, 4096,
			       pats[page]);
	}
}

int stage_slot(struct stage *stage, uint64_t gpa, uint32_t flags)
{
	int r = vm_set_slot(&stage->vm, STAGE_SLOT, gpa, STAGE_SLOT_SIZE, stage->hva, flags);

	if (r)
		return r;
	stage->gpa = gpa;
	stage->slot_flags = flags;
	if (stage->exporter)
		map_guest(stage);
	return 0;
}

/* The guest writes an MSR, and KVM has it. 0 or errno. */
static int write_msr(struct stage *stage, uint32_t msr, uint64_t value)
{
	union {
		struct kvm_msrs list;
		uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} have = { .room = { 0 } };
	int r = vm_wrmsr(&stage->vm, msr, value);

	if (r)
		return r;
	have.list.nmsrs = 1;
	have.list.entries[0].index = msr;
	if (ioctl(stage->vm.vcpu, KVM_GET_MSRS, &have) != 1)
		return EIO;
	if (have.list.entries[0].data != value) {
		test_note("MSR 0x%x: KVM has 0x%llx, the guest wrote 0x%llx", msr,
			  (unsigned long long)have.list.entries[0].data,
			  (unsigned long long)value);
		return EIO;
	}
	return 0;
}

int stage_pat(struct stage *stage, uint64_t pat_msr)
{
	int r = write_msr(stage, TEST_MSR_PAT, pat_msr);

	if (!r)
		stage->pat_msr = pat_msr;
	return r;
}

/*
 * A variable range over each page, of another type from page to page and from exporter to
 * exporter, and a default type that differs from exporter to exporter; or all off.
 */
int stage_mtrrs(struct stage *stage, bool set)
{
	static const enum oracle_type types[] = {
		ORACLE_UC, ORACLE_WC, ORACLE_WT, ORACLE_WP, ORACLE_WB
	};
	const uint64_t size_mask = MTRR_ADDRESS_MASK & ~(page_size(stage) - 1);
	const unsigned int row = (unsigned int)(stage->exporter - exporters);
	int r;

	for (unsigned int page = 0; page < STAGE_PAGES; page++) {
		const uint64_t base = stage->gpa + offset_of(stage, page + 1);

		r = write_msr(stage, MSR_MTRR_PHYS_BASE(page),
			      set ? base | types[(page + row) % 5] : 0);
		if (!r)
			r = write_msr(stage, MSR_MTRR_PHYS_MASK(page),
				      set ? size_mask | MTRR_ENABLED : 0);
		if (r)
			return r;
	}
	r = write_msr(stage, MSR_MTRR_DEF_TYPE, set ? MTRR_ENABLED | types[row % 5] : 0);
	if (!r)
		stage->mtrrs_set = set;
	return r;
}

/* What moments have done, but for the buffer's mapping. */
static int undo(struct stage *stage)
{
	int r = 0;

	if (stage->bound)
		r = stage_unbind(stage);
	if (!r && stage->bound_beside)
		r = unbind_beside(stage);
	/* First the flags, then the place: both at once is refused. */
	if (!r && stage->slot_flags)
		r = stage_slot(stage, stage->gpa, 0);
	if (!r && stage->gpa != STAGE_HOME)
		r = stage_slot(stage, STAGE_HOME, 0);
	if (!r && stage->pat_msr != TEST_PAT_MSR)
		r = stage_pat(stage, TEST_PAT_MSR);
	if (!r && stage->mtrrs_set)
		r = stage_mtrrs(stage, false);
	return r;
}

void stage_drop(struct stage *stage)
{
	int r;

	/* A signal ends the vCPU's run; what is undone stays so. */
	do {
		r = undo(stage);
	} while (r == EINTR);
	if (r)
		test_note("%s: the last state is not undone: %s", stage->exporter->name, strerror(r));
	test_assert(!r);
	test_assert(mmap(stage->hva, STAGE_SLOT_SIZE, PROT_NONE, MAP_FIXED | MAP_PRIVATE |
			 MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == stage->hva);
	close(stage->fd);
	stage->fd = -1;
	stage->exporter = NULL;
}

bool stage_reset(struct stage *stage, bool bound)
{
	uint64_t spte;
	int r = undo(stage);

	map_guest(stage);
	if (!r)
		r = stage_map(stage);
	if (!r && bound)
		r = stage_bind(stage);
	if (r) {
		test_note("%s: the first state is not reached: %s", stage->exporter->name,
			  strerror(r));
		return false;
	}
	/* A leaf from before would be taken for the moment's. */
	for (unsigned int page = 0; page < STAGE_PAGES; page++)
		if (leaf_now(stage_gfn(stage, page), &spte)) {
			test_note("%s: gfn 0x%llx has still leaf 0x%llx after its host mapping went",
				  stage->exporter->name,
				  (unsigned long long)stage_gfn(stage, page),
				  (unsigned long long)spte);
			return false;
		}
	return true;
}

int stage_touch(struct stage *stage, unsigned int first, unsigned int n,
		bool data_ok[STAGE_PAGES])
{
	struct test_access accesses[STAGE_PAGES];
	uint64_t by_host[STAGE_PAGES];
	int r;

	test_assert(first + n <= STAGE_PAGES);
	for (unsigned int i = 0; i < n; i++) {
		by_host[i] = stage_value(stage);
		*stage_host(stage, first + i) = by_host[i];
		accesses[i] = (struct test_access){
			.gva = stage_gva(stage, first + i),
			.value = stage_value(stage),
		};
	}
	/* A WC buffer of this CPU holds it back from the guest no longer. */
	__asm__ volatile("mfence" ::: "memory");
	r = vm_sweep(&stage->vm, accesses, n);
	for (unsigned int i = 0; i < n; i++)
		data_ok[first + i] = !r && accesses[i].before == by_host[i] &&
				     accesses[i].after == accesses[i].value &&
				     *stage_host(stage, first + i) == accesses[i].value;
	return r;
}
