// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules of docs/coherence.md, R1 to R13, one test each or more: which reads the
 * model must call stale, which writes lost, and which not. Written by hand.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "coherence.h"

#define GUEST	COHERENCE_GUEST
#define VMM	COHERENCE_VMM
#define PROCESS	COHERENCE_GPU_PROCESS
#define DEVICE	COHERENCE_DEVICE
#define UC	ORACLE_UC
#define WC	ORACLE_WC
#define WT	ORACLE_WT
#define WP	ORACLE_WP
#define WB	ORACLE_WB

#define A	0x12345000ull

static struct coherence model;

static int setup(void **state)
{
	(void)state;
	return coherence_init(&model, false, false);
}

static int setup_snooping(void **state)
{
	(void)state;
	return coherence_init(&model, true, false);
}

static int setup_self_snoop(void **state)
{
	(void)state;
	return coherence_init(&model, false, true);
}

static int teardown(void **state)
{
	(void)state;
	coherence_destroy(&model);
	return 0;
}

static int access_at(enum coherence_agent agent, bool write, enum oracle_type type,
		     uint64_t address, unsigned int length)
{
	const struct coherence_access access = {
		.agent = agent, .write = write, .type = type, .address = address, .length = length,
	};

	return coherence_access(&model, &access);
}

/* 8 bytes at A */
static void writes(enum coherence_agent agent, enum oracle_type type)
{
	assert_int_equal(access_at(agent, true, type, A, 8), 0);
}

/* Is the read stale? */
static bool stale(enum coherence_agent agent, enum oracle_type type)
{
	const unsigned long before = model.n_stale;

	assert_int_equal(access_at(agent, false, type, A, 8), 0);
	return model.n_stale != before;
}

static bool stale_uc_by_pat(enum coherence_agent agent)
{
	const struct coherence_access access = {
		.agent = agent, .type = UC, .uc_by_pat = true, .address = A, .length = 8,
	};
	const unsigned long before = model.n_stale;

	assert_int_equal(coherence_access(&model, &access), 0);
	return model.n_stale != before;
}

static unsigned long lost_at_end(void)
{
	assert_int_equal(coherence_finish(&model), 0);
	return model.n_lost;
}

/* R1: a read of a cacheable type fills a line, which stays. */
static void test_fill_stays(void **state)
{
	(void)state;
	assert_false(stale(GUEST, WB));
	writes(DEVICE, UC);
	assert_true(stale(GUEST, WB));
	assert_true(stale(GUEST, WB));
	assert_int_equal(model.n_stale, 2);
	/* another line was never read */
	assert_int_equal(access_at(DEVICE, true, UC, A + 64, 8), 0);
	assert_int_equal(access_at(GUEST, false, WB, A + 64, 8), 0);
	assert_int_equal(model.n_stale, 2);
	/* nothing is dirty */
	assert_int_equal(lost_at_end(), 0);
}

/* R1: all of a line comes at once, also bytes that nobody read. */
static void test_fill_is_a_line(void **state)
{
	(void)state;
	assert_int_equal(access_at(GUEST, false, WB, A + 56, 8), 0);
	writes(DEVICE, UC);
	assert_true(stale(GUEST, WB));
}

/* R2: a write of type WB stays in the cache. */
static void test_write_back(void **state)
{
	(void)state;
	writes(GUEST, WB);
	assert_false(stale(GUEST, WB));
	assert_true(stale(DEVICE, UC));
	assert_int_equal(lost_at_end(), 0);
	/* now it is in memory */
	assert_false(stale(DEVICE, UC));
}

/* R2: it fills the line first, with what memory has. */
static void test_write_fills(void **state)
{
	(void)state;
	writes(DEVICE, UC);
	assert_int_equal(access_at(GUEST, true, WB, A + 8, 8), 0);
	assert_false(stale(GUEST, WB));
	assert_int_equal(lost_at_end(), 0);
}

/* R3: WB caches of CPUs agree with each other. */
static void test_cpus_agree(void **state)
{
	(void)state;
	assert_false(stale(VMM, WB));
	assert_false(stale(PROCESS, WB));
	writes(GUEST, WB);
	assert_false(stale(VMM, WB));
	assert_false(stale(PROCESS, WT));
	writes(PROCESS, WB);
	assert_false(stale(GUEST, WB));
	assert_false(stale(VMM, WP));
	writes(VMM, WT);
	assert_false(stale(GUEST, WB));
	writes(VMM, WP);
	assert_false(stale(GUEST, WB));
	assert_false(stale(VMM, WB));
	assert_int_equal(lost_at_end(), 0);
	assert_int_equal(model.n_stale, 0);
}

/* R3: a modified line that another CPU reads is not in memory by that. */
static void test_shared_modified(void **state)
{
	(void)state;
	writes(GUEST, WB);
	assert_false(stale(VMM, WB));
	assert_true(stale(DEVICE, UC));
	assert_int_equal(lost_at_end(), 0);
	assert_false(stale(DEVICE, UC));
}

/* R3: a line comes from another cache, even if memory has newer bytes. */
static void test_supplied_by_cache(void **state)
{
	(void)state;
	assert_false(stale(GUEST, WB));
	writes(DEVICE, UC);
	assert_true(stale(VMM, WB));
}

/* R4: WT writes reach memory at once, and the line. */
static void test_write_through(void **state)
{
	(void)state;
	assert_false(stale(GUEST, WT));
	writes(GUEST, WT);
	assert_false(stale(DEVICE, UC));
	writes(DEVICE, UC);
	assert_true(stale(GUEST, WT));
	assert_int_equal(model.findings[0].got, 1);
	assert_int_equal(lost_at_end(), 0);
}

/* R4: a WT write to a line that is not there does not fetch it. */
static void test_write_through_miss(void **state)
{
	(void)state;
	writes(GUEST, WT);
	writes(DEVICE, UC);
	assert_false(stale(GUEST, WT));
}

/* R5: WP reads are cached; a WP write goes to memory and every cache drops the line. */
static void test_write_protected(void **state)
{
	(void)state;
	assert_false(stale(GUEST, WP));
	writes(DEVICE, UC);
	assert_true(stale(GUEST, WP));
	writes(GUEST, WP);
	assert_false(stale(DEVICE, UC));
	writes(DEVICE, UC);
	assert_false(stale(GUEST, WP));
	assert_int_equal(lost_at_end(), 0);
}

/* R4, R5: what another CPU modified in the line is not dropped with it. */
static void test_write_through_keeps_modified(void **state)
{
	(void)state;
	assert_int_equal(access_at(VMM, true, WB, A + 8, 8), 0);
	writes(GUEST, WT);
	assert_int_equal(access_at(DEVICE, false, UC, A, 16), 0);
	assert_int_equal(access_at(VMM, true, WB, A + 8, 8), 0);
	writes(GUEST, WP);
	assert_int_equal(access_at(DEVICE, false, UC, A, 16), 0);
	assert_int_equal(model.n_stale, 0);
}

/* R6: UC and WC reads do not see a line that a cache holds modified. */
static void test_uncached_reads(void **state)
{
	(void)state;
	writes(GUEST, WB);
	assert_true(stale(VMM, WC));
	assert_true(stale(VMM, UC));
	assert_true(stale(GUEST, WC));
	assert_true(stale(GUEST, UC));
	assert_int_equal(model.findings[0].got, 0);
	assert_int_equal(model.findings[0].missed, 1);
}

/* R6: UC and WC writes leave cached lines as they are. */
static void test_uncached_writes(void **state)
{
	(void)state;
	assert_false(stale(GUEST, WB));
	writes(VMM, UC);
	assert_true(stale(GUEST, WB));
	writes(VMM, WC);
	coherence_drain(&model, VMM);
	assert_false(stale(DEVICE, UC));
	assert_true(stale(GUEST, WB));
	assert_int_equal(lost_at_end(), 0);
}

/* R7: UC that the page tables chose looks into caches, for reads and writes. */
static void test_uc_by_pat(void **state)
{
	const struct coherence_access write = {
		.agent = VMM, .write = true, .type = UC, .uc_by_pat = true, .address = A,
		.length = 4,
	};

	(void)state;
	writes(GUEST, WB);
	assert_false(stale_uc_by_pat(VMM));
	assert_false(stale(DEVICE, UC));
	writes(GUEST, WB);
	assert_int_equal(coherence_access(&model, &write), 0);
	assert_false(stale(GUEST, WB));
	assert_false(stale(DEVICE, UC));
	/* the device does what it does, all the same */
	writes(DEVICE, UC);
	assert_true(stale(GUEST, WB));
	assert_int_equal(lost_at_end(), 0);
}

/* R8: a WC write stays in its agent's buffer, unseen by the others, until drained. */
static void test_combining(void **state)
{
	(void)state;
	writes(GUEST, WC);
	assert_true(stale(DEVICE, UC));
	assert_true(stale(VMM, WC));
	coherence_drain(&model, VMM);
	assert_true(stale(DEVICE, UC));
	coherence_drain(&model, GUEST);
	assert_false(stale(DEVICE, UC));
	assert_false(stale(VMM, WC));
}

/* R8: a buffer holds the bytes that were written, no line. */
static void test_combining_bytes(void **state)
{
	(void)state;
	writes(GUEST, WC);
	assert_int_equal(access_at(DEVICE, true, UC, A + 8, 56), 0);
	coherence_drain(&model, GUEST);
	assert_int_equal(access_at(DEVICE, false, UC, A, 64), 0);
	assert_int_equal(model.n_stale, 0);
	assert_int_equal(lost_at_end(), 0);
}

/* R8: the agent's own read of the line, of type WC, drains it. */
static void test_combining_own_read(void **state)
{
	(void)state;
	writes(GUEST, WC);
	assert_int_equal(access_at(GUEST, true, WC, A + 64, 8), 0);
	assert_false(stale(GUEST, WC));
	assert_false(stale(DEVICE, UC));
	assert_int_equal(access_at(DEVICE, false, UC, A + 64, 8), 0);
	assert_int_equal(model.n_stale, 1);
}

/* R9: an access of type UC drains all buffers of its agent, and no other's. */
static void test_combining_uc(void **state)
{
	(void)state;
	writes(GUEST, WC);
	assert_int_equal(access_at(VMM, false, UC, A + 128, 8), 0);
	assert_true(stale(DEVICE, UC));
	assert_int_equal(access_at(GUEST, true, UC, A + 128, 8), 0);
	assert_false(stale(DEVICE, UC));
}

/* R10: a modified line is written back whole, over what is newer in memory. */
static void test_lost_write(void **state)
{
	(void)state;
	assert_int_equal(access_at(GUEST, true, WB, A + 32, 8), 0);
	writes(DEVICE, UC);
	assert_false(stale(DEVICE, UC));
	assert_int_equal(lost_at_end(), 1);
	assert_int_equal(model.n_findings, 1);
	assert_int_equal(model.findings[0].kind, COHERENCE_LOST);
	assert_int_equal(model.findings[0].agent, GUEST);
	assert_int_equal(model.findings[0].address, A);
	assert_int_equal(model.findings[0].length, 8);
	assert_int_equal(model.findings[0].got, 0);
	assert_int_equal(model.findings[0].missed, 2);
	assert_int_equal(model.writes[2].agent, DEVICE);
	assert_true(stale(DEVICE, UC));
}

/* R10: older bytes of the same place, and from a write-combining buffer. */
static void test_lost_to_buffer(void **state)
{
	(void)state;
	writes(GUEST, WC);
	writes(VMM, UC);
	assert_int_equal(lost_at_end(), 1);
	assert_int_equal(model.findings[0].got, 1);
	assert_int_equal(model.findings[0].missed, 2);
}

/* R10: the newer write is the cached one. */
static void test_nothing_lost(void **state)
{
	(void)state;
	writes(DEVICE, UC);
	writes(GUEST, WB);
	assert_int_equal(lost_at_end(), 0);
	assert_false(stale(DEVICE, UC));
}

/* R10: one write of two lines is one lost write, with findings for each line. */
static void test_lost_twice(void **state)
{
	(void)state;
	assert_int_equal(access_at(GUEST, true, WB, A, 1), 0);
	assert_int_equal(access_at(GUEST, true, WB, A + 64, 1), 0);
	assert_int_equal(access_at(DEVICE, true, UC, A + 32, 64), 0);
	assert_int_equal(lost_at_end(), 1);
	assert_int_equal(model.n_findings, 3);
	assert_int_equal(model.findings[0].address, A + 32);
	assert_int_equal(model.findings[0].length, 32);
	assert_int_equal(model.findings[0].got, 0);
	assert_int_equal(model.findings[1].address, A + 64);
	assert_int_equal(model.findings[1].length, 1);
	assert_int_equal(model.findings[1].got, 2);
	assert_int_equal(model.findings[2].address, A + 65);
	assert_int_equal(model.findings[2].length, 31);
}

/* R11: the device that snoops: reads find modified lines, writes drop lines. */
static void test_snooping_device(void **state)
{
	(void)state;
	writes(GUEST, WB);
	assert_false(stale(DEVICE, UC));
	writes(DEVICE, UC);
	assert_false(stale(GUEST, WB));
	/* the other bytes of a line that was modified */
	assert_int_equal(access_at(GUEST, true, WB, A + 8, 8), 0);
	writes(DEVICE, UC);
	assert_int_equal(access_at(GUEST, false, WB, A, 64), 0);
	assert_int_equal(access_at(DEVICE, false, UC, A, 64), 0);
	assert_int_equal(model.n_stale, 0);
	assert_int_equal(lost_at_end(), 0);
}

/* R11: write-combining buffers are not snooped. */
static void test_snooping_device_buffers(void **state)
{
	(void)state;
	writes(GUEST, WC);
	assert_true(stale(DEVICE, UC));
}

/* R12: a flush writes back and drops, whoever has the line. */
static void test_flush(void **state)
{
	(void)state;
	writes(GUEST, WB);
	coherence_flush(&model, A + 40);
	assert_false(stale(DEVICE, UC));
	writes(DEVICE, UC);
	assert_false(stale(GUEST, WB));
	assert_int_equal(lost_at_end(), 0);
	/* a line that nobody knows */
	coherence_flush(&model, A + 4096);
}

/* R12: too late a flush loses what the device wrote. */
static void test_flush_too_late(void **state)
{
	(void)state;
	writes(GUEST, WB);
	writes(DEVICE, UC);
	coherence_flush(&model, A);
	assert_int_equal(model.n_lost, 1);
	assert_true(stale(DEVICE, UC));
}

/* R13: with self-snoop, UC and WC accesses of CPUs look into all caches. */
static void test_self_snoop(void **state)
{
	(void)state;
	writes(GUEST, WB);
	assert_false(stale(VMM, WC));
	writes(GUEST, WB);
	assert_false(stale(VMM, UC));
	assert_false(stale(GUEST, WB));
	writes(VMM, UC);
	assert_false(stale(GUEST, WB));
	writes(VMM, WC);
	coherence_drain(&model, VMM);
	assert_false(stale(GUEST, WB));
	assert_false(stale(DEVICE, UC));
	assert_int_equal(lost_at_end(), 0);
}

/* R13: write-combining buffers stay what they are, and so does the device. */
static void test_self_snoop_device(void **state)
{
	(void)state;
	writes(VMM, WC);
	assert_true(stale(GUEST, WC));
	coherence_drain(&model, VMM);
	writes(GUEST, WB);
	assert_true(stale(DEVICE, UC));
	assert_int_equal(access_at(DEVICE, true, UC, A + 8, 8), 0);
	assert_int_equal(access_at(GUEST, false, WB, A + 8, 8), 0);
	assert_int_equal(model.n_stale, 3);
	assert_int_equal(lost_at_end(), 1);
}

/* A read gets bytes of several writes: one finding for each run of bytes. */
static void test_findings(void **state)
{
	(void)state;
	writes(DEVICE, UC);
	writes(GUEST, WB);
	assert_int_equal(access_at(GUEST, true, WB, A + 4, 4), 0);
	assert_int_equal(access_at(DEVICE, false, UC, A, 16), 0);
	assert_int_equal(model.n_stale, 1);
	assert_int_equal(model.n_findings, 2);
	assert_int_equal(model.findings[0].address, A);
	assert_int_equal(model.findings[0].length, 4);
	assert_int_equal(model.findings[0].got, 1);
	assert_int_equal(model.findings[0].missed, 2);
	assert_int_equal(model.findings[0].order, 4);
	assert_int_equal(model.findings[0].agent, DEVICE);
	assert_int_equal(model.findings[1].address, A + 4);
	assert_int_equal(model.findings[1].missed, 3);
	assert_int_equal(model.writes[3].order, 3);
	assert_int_equal(model.writes[3].address, A + 4);
	assert_int_equal(model.writes[3].length, 4);
	assert_int_equal(model.n_accesses, 4);
	assert_int_equal(model.n_reads, 1);
}

/* An access over the end of a line touches both. */
static void test_crossing(void **state)
{
	(void)state;
	assert_int_equal(access_at(GUEST, true, WB, A + 60, 8), 0);
	assert_int_equal(access_at(DEVICE, false, UC, A + 63, 1), 0);
	assert_int_equal(access_at(DEVICE, false, UC, A + 64, 1), 0);
	assert_int_equal(model.n_stale, 2);
	assert_int_equal(access_at(DEVICE, false, UC, A + 1, 59), 0);
	assert_int_equal(access_at(DEVICE, false, UC, A + 68, 60), 0);
	assert_int_equal(model.n_stale, 2);
	assert_int_equal(access_at(DEVICE, false, UC, A + 32, 64), 0);
	assert_int_equal(model.n_stale, 3);
	assert_int_equal(model.n_findings, 4);
}

static void test_bad_accesses(void **state)
{
	(void)state;
	assert_int_equal(access_at(GUEST, true, WB, A, 0), -EINVAL);
	assert_int_equal(access_at(GUEST, true, WB, A, 65), -EINVAL);
	assert_int_equal(access_at(GUEST, true, ORACLE_INVALID, A, 8), -EINVAL);
	assert_int_equal(access_at(GUEST, false, (enum oracle_type)2, A, 8), -EINVAL);
	assert_int_equal(access_at(COHERENCE_DEVICE + 1, true, WB, A, 8), -EINVAL);
	assert_int_equal(access_at(DEVICE, true, UC, UINT64_MAX - 3, 8), -EINVAL);
	assert_int_equal(model.n_accesses, 0);
	assert_int_equal(model.n_writes, 1);
	assert_int_equal(access_at(DEVICE, true, ORACLE_INVALID, A, 64), 0);
}

static void test_names(void **state)
{
	int agent;

	(void)state;
	for (agent = 0; agent <= COHERENCE_DEVICE; agent++)
		assert_int_equal(coherence_agent_parse(coherence_agent_name(agent)), agent);
	assert_int_equal(coherence_agent_parse("gpu"), -1);
	assert_string_equal(coherence_agent_name(COHERENCE_DEVICE + 1), "nobody");
}

#define RULE(test)		cmocka_unit_test_setup_teardown(test, setup, teardown)
#define SELF_SNOOP(test)	cmocka_unit_test_setup_teardown(test, setup_self_snoop, teardown)
#define SNOOPING(test)		cmocka_unit_test_setup_teardown(test, setup_snooping, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULE(test_fill_stays),
		RULE(test_fill_is_a_line),
		RULE(test_write_back),
		RULE(test_write_fills),
		RULE(test_cpus_agree),
		RULE(test_shared_modified),
		RULE(test_supplied_by_cache),
		RULE(test_write_through),
		RULE(test_write_through_miss),
		RULE(test_write_protected),
		RULE(test_write_through_keeps_modified),
		RULE(test_uncached_reads),
		RULE(test_uncached_writes),
		RULE(test_uc_by_pat),
		RULE(test_combining),
		RULE(test_combining_bytes),
		RULE(test_combining_own_read),
		RULE(test_combining_uc),
		RULE(test_lost_write),
		RULE(test_lost_to_buffer),
		RULE(test_nothing_lost),
		RULE(test_lost_twice),
		SNOOPING(test_snooping_device),
		SNOOPING(test_snooping_device_buffers),
		RULE(test_flush),
		RULE(test_flush_too_late),
		SELF_SNOOP(test_self_snoop),
		SELF_SNOOP(test_self_snoop_device),
		RULE(test_findings),
		RULE(test_crossing),
		RULE(test_bad_accesses),
		RULE(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
