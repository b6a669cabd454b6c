// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The timing witness on guest pages whose type the rule decides: it is right or says
 * that it cannot tell, and never wrong. In an emulator it cannot tell.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/leaf.h"
#include "lib/timed.h"
#include "lib/vm.h"
#include "matrix/timing.h"

#define PAGE		4096UL
#define RAM_GPA		0x3f0000UL
#define BUFFER_GPA	0x10000000UL

static struct test_vm vm;
static struct timing_refs refs;

/* Eight stores each line, of the number of lines that are left. */
static bool was_stored(const volatile uint64_t *page)
{
	for (unsigned int i = 0; i < TIMED_STORES; i++)
		if (page[i] != TIMED_LINES - i / 8)
			return false;
	return true;
}

static void check_series(const struct timing_series *series, const char *name, const char *access)
{
	unsigned int unusable = 0;

	test_eq(series->n, TIMING_SAMPLES, "%s: %s", name, access);
	for (unsigned int i = 0; i < series->n; i++)
		if (!(series->ticks[i] > 0))
			unusable++;
	test_eq(unusable, 0, "%s: %s in no time", name, access);
}

static void check_samples(const struct timing_samples *samples, const char *name)
{
	check_series(&samples->loads, name, "samples of loads");
	check_series(&samples->stores, name, "samples of stores");
}

static double fastest(const struct timing_series *series)
{
	double min = series->ticks[0];

	for (unsigned int i = 1; i < series->n; i++)
		if (series->ticks[i] < min)
			min = series->ticks[i];
	return min;
}

/*
 * What an exit costs by far exceeds what is timed; a guest whose RDTSC left to KVM would
 * not compare with anything.
 */
static void check_rdtsc(const char *name, const struct timing_series *loads)
{
	const double guest = fastest(loads), here = fastest(&refs.wb.loads);

	test_ok(guest < 4 * here, "%s: RDTSC does not exit: %.1f ticks a load, the process' WB %.1f",
		name, guest, here);
}

/* @page: where the process has the guest's page */
static void witness(const char *name, uint64_t gpa, const volatile void *page,
		    enum oracle_type effective)
{
	const uint64_t gva = TEST_WINDOW_GVA + gpa;
	struct timing_verdict verdict;
	struct timing_samples samples;
	char text[TIMING_TEXT];

	vm_map(&vm, gva, gpa, PAGE, PAT_WB);
	test_errno(timing_measure(&vm, gva, &samples), 0, "%s: measured", name);
	check_samples(&samples, name);
	if (effective == ORACLE_WB)
		check_rdtsc(name, &samples.loads);
	test_ok(was_stored(page), "%s: the timed stores are in the page", name);

	verdict = timing_judge(&refs, &samples);
	timing_describe(&verdict, text, sizeof(text));
	test_note("%s: %s", name, text);
	test_ok(!timing_contradicts(&verdict, effective), "%s: %s, or cannot tell", name,
		oracle_type_name(effective));
}

/* The two operations are what they are called. */
static void operations(void)
{
	volatile uint64_t *page = (volatile uint64_t *)(vm.ram + RAM_GPA);
	unsigned int changed = 0;
	uint64_t ticks;

	vm_map(&vm, TEST_WINDOW_GVA, RAM_GPA, PAGE, PAT_WB);
	for (unsigned int i = 0; i < TIMED_STORES; i++)
		page[i] = ~0ULL - i;
	test_errno(vm_time_loads(&vm, TEST_WINDOW_GVA, &ticks), 0, "timed loads");
	for (unsigned int i = 0; i < TIMED_STORES; i++)
		if (page[i] != ~0ULL - i)
			changed++;
	test_eq(changed, 0, "timed loads change nothing");
	test_errno(vm_time_stores(&vm, TEST_WINDOW_GVA, &ticks), 0, "timed stores");
	test_ok(was_stored(page), "timed stores fill the page");
}

static void buffer(const char *name, const char *heap, enum oracle_type type)
{
	int fd = buffer_heap(heap, PAGE);
	void *page = buffer_map(fd, PAGE, 0);

	test_assert(!vm_set_slot(&vm, 1, BUFFER_GPA, PAGE, page, 0));
	leaf_watch_clear();
	witness(name, BUFFER_GPA, page, type);
	leaf_expect_type(BUFFER_GPA, type, name);
	test_assert(!vm_set_slot(&vm, 1, BUFFER_GPA, 0, page, 0));
	munmap(page, PAGE);
	close(fd);
}

/* A page that the guest cannot reach ends the measurement with what KVM_RUN says. */
static void unmapped(void)
{
	struct timing_samples samples;
	void *hole = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct timing_verdict verdict;

	test_assert(hole != MAP_FAILED);
	test_assert(!vm_set_slot(&vm, 1, BUFFER_GPA, PAGE, hole, 0));
	vm_map(&vm, TEST_WINDOW_GVA, BUFFER_GPA, PAGE, PAT_WB);
	test_ok(timing_measure(&vm, TEST_WINDOW_GVA, &samples), "a hole: no measurement");
	test_eq(samples.loads.n, 0, "a hole: no sample");
	verdict = timing_judge(&refs, &samples);
	test_eq(verdict.type, ORACLE_INVALID, "a hole: no verdict");
}

int main(void)
{
	vm_create(&vm, 0);
	leaf_watch_start();

	test_errno(timing_references(&refs), 0, "references");
	check_samples(&refs.uc, "UC reference");
	check_samples(&refs.wc, "WC reference");
	check_samples(&refs.wb, "WB reference");

	operations();
	witness("RAM", RAM_GPA, vm.ram + RAM_GPA, ORACLE_WB);
	buffer("wc-heap", "system-wc", ORACLE_WC);
	buffer("uc-heap", "system-uc", ORACLE_UC);
	unmapped();

	leaf_watch_stop();
	vm_destroy(&vm);
	return test_end();
}
