// SPDX-License-Identifier: GPL-2.0-or-later
/* The comparison of memory types, map_info, and what tells a DMA-buf from other files. */
#include "unit/vmm_fake.h"

#include <linux/kvm_dmabuf.h>

#define NONE	MEMTYPE_NONE

static void test_names(void **state)
{
	static const struct {
		uint32_t type;
		const char *name;
	} names[] = {
		{ 0, "UC" }, { 1, "WC" }, { 4, "WT" }, { 5, "WP" }, { 6, "WB" }, { 7, "UC-" },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(memtype__name(names[i].type), names[i].name);
	assert_string_equal(memtype__name(2), "reserved");
	assert_string_equal(memtype__name(8), "reserved");
	assert_string_equal(memtype__name(NONE), "none");
}

static void test_map_info(void **state)
{
	(void)state;
	assert_int_equal(memtype__map_info(DMABUF_MEMTYPE_WB), 1);
	assert_int_equal(memtype__map_info(DMABUF_MEMTYPE_UC), 2);
	assert_int_equal(memtype__map_info(DMABUF_MEMTYPE_UC_MINUS), 2);
	assert_int_equal(memtype__map_info(DMABUF_MEMTYPE_WC), 3);
	assert_int_equal(memtype__map_info(DMABUF_MEMTYPE_WT), 0);
	assert_int_equal(memtype__map_info(DMABUF_MEMTYPE_WP), 0);
	assert_int_equal(memtype__map_info(2), 0);
	assert_int_equal(memtype__map_info(NONE), 0);
}

static int compare(uint32_t bind, uint32_t host, uint32_t query, uint32_t leaf, uint32_t flags,
		   uint32_t *type, struct error *err)
{
	const struct memtype_answers a = {
		.bind = bind, .host = host, .query = query, .leaf = leaf, .flags = flags,
	};

	memset(err, 0, sizeof(*err));
	return memtype__compare("buf", &a, type, err);
}

static void test_agree(void **state)
{
	uint32_t type = NONE;
	struct error err;

	(void)state;
	assert_int_equal(compare(1, 1, 1, 1, KVM_MEMTYPE_BOUND, &type, &err), 0);
	assert_int_equal(type, DMABUF_MEMTYPE_WC);
	assert_int_equal(compare(0, 7, 0, 0, KVM_MEMTYPE_BOUND, &type, &err), 0);
	assert_int_equal(type, DMABUF_MEMTYPE_UC);	/* UC- on RAM is UC */
	assert_int_equal(compare(6, 6, 6, 6, KVM_MEMTYPE_BOUND | KVM_MEMTYPE_IGNORES_GUEST_PAT,
				 &type, &err), 0);
	assert_int_equal(type, DMABUF_MEMTYPE_WB);	/* WB keeps the stock leaf */
	/* a stock KVM: the query alone answers */
	assert_int_equal(compare(NONE, NONE, 1, NONE, 0, &type, &err), 0);
	assert_int_equal(type, DMABUF_MEMTYPE_WC);
	/* not bound: the leaf is the stock one, and nobody's fault here */
	assert_int_equal(compare(NONE, 1, 1, 6, KVM_MEMTYPE_IGNORES_GUEST_PAT, &type, &err), 0);
}

static void test_disagree(void **state)
{
	static const uint32_t cases[][3] = {
		{ 1, 6, 1 }, { 1, 1, 6 }, { 6, 1, 1 }, { 0, 1, 1 }, { NONE, 6, 1 }, { 1, NONE, 0 },
	};
	uint32_t type = NONE;
	struct error err;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(compare(cases[i][0], cases[i][1], cases[i][2], NONE, 0, &type,
					 &err), -EMEDIUMTYPE);
		/* every value is named */
		assert_non_null(strstr(err.msg, memtype__name(cases[i][0])));
		assert_non_null(strstr(err.msg, memtype__name(cases[i][1])));
		assert_non_null(strstr(err.msg, memtype__name(cases[i][2])));
		assert_non_null(strstr(err.msg, "buf"));
	}
	assert_int_equal(type, NONE);
}

static void test_leaf(void **state)
{
	uint32_t type = NONE;
	struct error err;

	(void)state;
	assert_int_equal(compare(1, 1, 1, 6, KVM_MEMTYPE_BOUND, &type, &err), -EMEDIUMTYPE);
	assert_non_null(strstr(err.msg, "leaf is WB"));
	assert_int_equal(compare(1, 1, 1, 1, KVM_MEMTYPE_BOUND | KVM_MEMTYPE_IGNORES_GUEST_PAT,
				 &type, &err), -EMEDIUMTYPE);
	assert_int_equal(compare(0, 0, 0, 1, KVM_MEMTYPE_BOUND, &type, &err), -EMEDIUMTYPE);
}

static void test_no_answer(void **state)
{
	uint32_t type = NONE;
	struct error err;

	(void)state;
	assert_int_equal(compare(NONE, NONE, NONE, NONE, 0, &type, &err), -ENODATA);
	assert_int_equal(compare(4, 4, 4, 4, 0, &type, &err), -EMEDIUMTYPE);
	assert_non_null(strstr(err.msg, "WT has no map_info"));
	assert_int_equal(compare(3, 3, 3, 3, 0, &type, &err), -EMEDIUMTYPE);
}

static void test_fdinfo(void **state)
{
	char good[] = "pos:\t0\nflags:\t02000002\nmnt_id:\t13\nino:\t7\nsize:\t65536\ncount:\t2\n"
		      "exp_name:\tsystem-wc\nname:\tfront buffer\n";
	char nameless[] = "pos:\t0\nsize:\t4096\ncount:\t1\nexp_name:\tdrm\n";
	char memfd[] = "pos:\t0\nflags:\t02\nmnt_id:\t1\nino:\t1034\n";
	char badsize[] = "size:\tmany\nexp_name:\tdrm\n";
	char longname[] = "size:\t4096\nexp_name:\tdrm\n"
			  "name:\t\x01\x02zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\n";
	char empty[] = "";
	struct dmabuf_info info;

	(void)state;
	assert_int_equal(dmabuf__parse_fdinfo(good, &info), 0);
	assert_int_equal(info.size, 65536);
	assert_string_equal(info.exporter, "system-wc");
	assert_string_equal(info.name, "front_buffer");
	assert_int_equal(dmabuf__parse_fdinfo(nameless, &info), 0);
	assert_string_equal(info.name, "");
	assert_int_equal(dmabuf__parse_fdinfo(memfd, &info), -EBADFD);
	assert_int_equal(dmabuf__parse_fdinfo(badsize, &info), -EBADFD);
	assert_int_equal(dmabuf__parse_fdinfo(empty, &info), -EBADFD);
	assert_int_equal(dmabuf__parse_fdinfo(longname, &info), 0);
	assert_int_equal(strlen(info.name), sizeof(info.name) - 1);
	assert_memory_equal(info.name, "__zz", 4);
}

static void test_not_a_dmabuf(void **state)
{
	struct dmabuf_info info;
	struct error err = { 0 };
	int fd = fake_dmabuf(4096);

	(void)state;
	assert_int_equal(dmabuf__inspect(fd, &info, &err), -EBADFD);
	assert_non_null(strstr(err.msg, "memfd:dmabuf"));
	close(fd);
	memset(&err, 0, sizeof(err));
	assert_int_equal(dmabuf__inspect(fd, &info, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_map_info),
		cmocka_unit_test(test_agree),
		cmocka_unit_test(test_disagree),
		cmocka_unit_test(test_leaf),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_fdinfo),
		cmocka_unit_test(test_not_a_dmabuf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
