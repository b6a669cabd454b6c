// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The HELLO record: what it says arrives, what makes no sense is refused, and two
 * machines that differ are told apart with both values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/dmabuf_memtype.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/migration_cpu.h"
#include "vmm/migration_machine.h"

static const struct migration_terms terms = {
	.timeout_ms = 5000, .hash_seed = 0x1234567890ULL, .channels = 8, .join_id = 0x9876543210ULL,
};

static struct migration_machine good(void)
{
	static struct migration_machine m = {
		.nr_vcpus = 2,
		.bind = true,
		.window_gpa = 0x100000000,
		.window_size = 0x40000000,
		.nr_regions = 3,
		.regions = {
			{ .name = "RAM", .kind = MIGRATION_RAM, .memtype = DMABUF_MEMTYPE_WB,
			  .gpa = 0, .size = 64 << 20 },
			{ .name = "heap", .kind = MIGRATION_BUFFER, .memtype = DMABUF_MEMTYPE_WC,
			  .gpa = 0x100000000, .size = 4 << 20 },
			{ .name = "vgem", .kind = MIGRATION_BUFFER, .memtype = DMABUF_MEMTYPE_WC,
			  .gpa = 0x100400000, .size = 4 << 20 },
		},
		.cpu_vendor = "GenuineIntel",
		.nr_cpu_words = 2,
		.cpu_words = {
			{ 0x1, 0, MIGRATION_ECX, 0xf0 },
			{ 0x7, 0, MIGRATION_EBX, 0x219c07ab },
		},
	};

	return m;
}

static int decode(const uint8_t *payload, uint32_t len, struct error *err)
{
	struct migration_machine m;
	struct migration_terms t;

	return migration_machine__decode(&m, &t, payload, len, err);
}

static void test_round_trip(void **state)
{
	struct migration_machine m = good(), out;
	struct migration_terms t;
	struct error err = { "" };
	uint8_t *payload;
	uint32_t len;

	(void)state;
	payload = migration_machine__encode(&m, &terms, &len);
	assert_int_equal(migration_machine__decode(&out, &t, payload, len, &err), 0);
	assert_int_equal(t.timeout_ms, terms.timeout_ms);
	assert_int_equal(t.hash_seed, terms.hash_seed);
	assert_int_equal(t.channels, 8);
	assert_int_equal(t.join_id, terms.join_id);
	assert_int_equal(out.nr_vcpus, 2);
	assert_true(out.bind);
	assert_int_equal(out.window_gpa, m.window_gpa);
	assert_int_equal(out.window_size, m.window_size);
	assert_string_equal(out.cpu_vendor, "GenuineIntel");
	assert_int_equal(out.nr_regions, 3);
	assert_string_equal(out.regions[2].name, "vgem");
	assert_int_equal(out.regions[2].kind, MIGRATION_BUFFER);
	assert_int_equal(out.regions[2].memtype, DMABUF_MEMTYPE_WC);
	assert_int_equal(out.regions[2].gpa, 0x100400000);
	assert_int_equal(out.regions[2].size, 4 << 20);
	assert_int_equal(out.cpu_words[1].value, 0x219c07ab);
	assert_int_equal(migration_machine__compare(&out, &m, &err), 0);
	assert_int_equal(migration_machine__compare(&m, &out, &err), 0);
	free(payload);
}

static void test_lengths(void **state)
{
	struct migration_machine m = good();
	struct error err;
	uint8_t *payload, *longer;
	uint32_t len, n;

	(void)state;
	payload = migration_machine__encode(&m, &terms, &len);
	for (n = 0; n < len; n++) {
		err.msg[0] = '\0';
		assert_int_equal(decode(payload, n, &err), -EPROTO);
		assert_true(err.msg[0]);
	}
	longer = calloc(1, len + 1);
	assert_non_null(longer);
	memcpy(longer, payload, len);
	err.msg[0] = '\0';
	assert_int_equal(decode(longer, len + 1, &err), -EPROTO);
	free(longer);
	free(payload);
}

static void refuse_hello(struct migration_machine m, struct migration_terms t, const char *words)
{
	struct error err = { "" };
	uint8_t *payload;
	uint32_t len;

	payload = migration_machine__encode(&m, &t, &len);
	assert_int_equal(decode(payload, len, &err), -EPROTO);
	if (!strstr(err.msg, words))
		fail_msg("\"%s\" has no \"%s\"", err.msg, words);
	free(payload);
}

#define WITH(change) ({ struct migration_machine m = good(); change; m; })

static void test_nonsense(void **state)
{
	(void)state;
	refuse_hello(WITH(m.regions[1].size = 0), terms, "region 1 (heap)");
	refuse_hello(WITH(m.regions[1].size = 4095), terms, "not whole pages");
	refuse_hello(WITH(m.regions[1].gpa += 1), terms, "not whole pages");
	refuse_hello(WITH(m.regions[2].gpa = UINT64_MAX - 4095), terms, "wraps");
	refuse_hello(WITH(m.regions[2].gpa -= 4096), terms,
		     "region 2 (vgem) at 0x1003ff000 begins before 0x100400000");
	refuse_hello(WITH(m.regions[2].kind = 2), terms, "unknown kind 2");
	refuse_hello(WITH(m.regions[2].name[0] = '\0'), terms, "no printable name");
	refuse_hello(WITH(m.regions[2].name[0] = '\n'), terms, "no printable name");
	refuse_hello(WITH(m.nr_regions = 0), terms, "0 regions");
	refuse_hello(WITH(m.cpu_words[0].reg = 4), terms, "CPUID word 0 names register 4");
	refuse_hello(good(), (struct migration_terms) { .timeout_ms = 0 }, "timeout of 0 ms");
	refuse_hello(good(), (struct migration_terms) { .timeout_ms = 3600001 }, "3600001");
	refuse_hello(good(), (struct migration_terms) { .timeout_ms = 1 }, "0 channels");
	refuse_hello(good(), (struct migration_terms) { .timeout_ms = 1, .channels = 9 },
		     "9 channels and reserved bits 0x0, 1 to 8 channels expected");
}

/* Counts far beyond the payload, and a name without an end. */
static void test_raw_fields(void **state)
{
	struct migration_machine m = good();
	struct error err = { "" };
	uint8_t *payload;
	uint32_t len;

	(void)state;
	payload = migration_machine__encode(&m, &terms, &len);
	memset(payload + 40, 0xff, 4);			/* nr_regions */
	assert_int_equal(decode(payload, len, &err), -EPROTO);
	free(payload);
	payload = migration_machine__encode(&m, &terms, &len);
	memset(payload + 44, 0xff, 4);			/* nr_cpu_words */
	assert_int_equal(decode(payload, len, &err), -EPROTO);
	free(payload);
	payload = migration_machine__encode(&m, &terms, &len);
	memset(payload + 80, 'n', MIGRATION_NAME_MAX);	/* first name */
	assert_int_equal(decode(payload, len, &err), -EPROTO);
	free(payload);
	payload = migration_machine__encode(&m, &terms, &len);
	payload[76] = 1;				/* reserved */
	assert_int_equal(decode(payload, len, &err), -EPROTO);
	free(payload);
	payload = migration_machine__encode(&m, &terms, &len);
	payload[0] = 1;					/* page size */
	err.msg[0] = '\0';
	assert_int_equal(decode(payload, len, &err), -EPROTO);
	assert_non_null(strstr(err.msg, "page size: source 4097, destination 4096"));
	free(payload);
}

static void differ(struct migration_machine dst, const char *words)
{
	struct migration_machine src = good();
	struct error err = { "" };

	assert_int_equal(migration_machine__compare(&src, &dst, &err), -EXDEV);
	if (strcmp(err.msg, words))
		fail_msg("\"%s\" is not \"%s\"", err.msg, words);
}

static void test_mismatches(void **state)
{
	(void)state;
	differ(WITH(m.bind = false),
	       "destination has no dmapat modules, or runs with --bind off: source binds DMA-bufs (KVM_CAP_DMA_BUF), destination does not");
	differ(WITH(m.nr_vcpus = 1), "vCPUs: source 2, destination 1");
	differ(WITH(m.window_gpa = 0x80000000),
	       "window: source 0x40000000 bytes at 0x100000000, destination 0x40000000 at 0x80000000");
	differ(WITH(m.window_size /= 2),
	       "window: source 0x40000000 bytes at 0x100000000, destination 0x20000000 at 0x100000000");
	differ(WITH(m.regions[0].size *= 2),
	       "memory at 0x0: source 0x4000000 bytes, destination 0x8000000");
	differ(WITH(m.regions[2].memtype = DMABUF_MEMTYPE_WB),
	       "buffer 1 (vgem): source WC, destination WB");
	differ(WITH(m.regions[2].memtype = DMABUF_MEMTYPE_UC),
	       "buffer 1 (vgem): source WC, destination UC");
	differ(WITH(m.regions[2].size /= 2),
	       "buffer 1 (vgem): source 0x400000 bytes, destination 0x200000");
	differ(WITH(strcpy(m.regions[2].name, "i915")),
	       "buffer 1 at 0x400000: source vgem, destination i915");
	differ(WITH(m.regions[2].gpa += 0x1000),
	       "destination has no buffer at 0x400000: source has buffer 1 (vgem) of 0x400000 bytes there");
	differ(WITH(m.nr_regions = 2),
	       "destination has no buffer at 0x400000: source has buffer 1 (vgem) of 0x400000 bytes there");
	differ(WITH(m.regions[m.nr_regions] = m.regions[2];
		    m.regions[m.nr_regions++].gpa += 0x400000),
	       "source has no buffer at 0x800000: destination has vgem of 0x400000 bytes there");
	differ(WITH(strcpy(m.cpu_vendor, "AuthenticAMD")),
	       "CPU vendor: source GenuineIntel, destination AuthenticAMD");
	differ(WITH(m.cpu_words[1].value = 0x219c0703),
	       "CPUID 0x7.0 EBX: source 0x219c07ab, destination 0x219c0703, which lacks 0x000000a8");
	differ(WITH(m.nr_cpu_words = 1),
	       "CPUID 0x7.0 EBX: source 0x219c07ab, destination 0x00000000, which lacks 0x219c07ab");
}

/* More features, or a KVM that can bind when the source's could not, do no harm. */
static void test_more_is_fine(void **state)
{
	struct migration_machine src = good(), dst = good();
	struct error err = { "" };

	(void)state;
	dst.cpu_words[0].value = 0xff;
	src.bind = false;
	assert_int_equal(migration_machine__compare(&src, &dst, &err), 0);
}

static void test_cpu_words(void **state)
{
	const struct kvm_cpuid_entry2 entries[] = {
		{ .function = 0, .ebx = 0x756e6547, .edx = 0x49656e69, .ecx = 0x6c65746e },
		{ .function = 1, .ecx = 1u << 27 | 1, .edx = 1u << 9 | 2 },
		{ .function = 7, .index = 1, .eax = 0x10 },
	};
	struct migration_machine m = { 0 };
	unsigned int i, found = 0;

	(void)state;
	migration_cpu__words(&m, entries, 3);
	assert_string_equal(m.cpu_vendor, "GenuineIntel");
	for (i = 0; i < m.nr_cpu_words; i++) {
		const struct migration_cpu_word *w = &m.cpu_words[i];

		/* What the guest switched on is no feature of the CPU. */
		if (w->leaf == 1 && w->reg == MIGRATION_ECX) {
			assert_int_equal(w->value, 1);
			found++;
		} else if (w->leaf == 1 && w->reg == MIGRATION_EDX) {
			assert_int_equal(w->value, 2);
			found++;
		} else if (w->leaf == 7 && w->subleaf == 1 && w->reg == MIGRATION_EAX) {
			assert_int_equal(w->value, 0x10);
			found++;
		} else {
			assert_int_equal(w->value, 0);
		}
	}
	assert_int_equal(found, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_raw_fields),
		cmocka_unit_test(test_mismatches),
		cmocka_unit_test(test_more_is_fine),
		cmocka_unit_test(test_cpu_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
