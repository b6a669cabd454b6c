// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranges of ports and memory: who gets an access, and who gets none. */
#include "unit/vmm_fake.h"

#include "vmm/bus.h"

struct seen {
	unsigned int calls;
	uint64_t offset;
	uint32_t len;
	bool write;
};

static void access_seen(void *opaque, uint64_t offset, void *data, uint32_t len, bool write)
{
	struct seen *s = opaque;

	*s = (struct seen) { .calls = s->calls + 1, .offset = offset, .len = len, .write = write };
	if (!write)
		memset(data, 0x5a, len);
}

static void test_access(void **state)
{
	struct seen a = { 0 }, b = { 0 };
	struct bus bus = { .nr_ranges = 0 };
	uint32_t value = 0;

	(void)state;
	assert_int_equal(bus__add(&bus, 0x100, 0x10, access_seen, &a), 0);
	assert_int_equal(bus__add(&bus, 0x110, 0x10, access_seen, &b), 0);
	bus__access(&bus, 0x10c, &value, 4, false);
	assert_int_equal(value, 0x5a5a5a5a);
	assert_int_equal(a.calls, 1);
	assert_int_equal(a.offset, 0xc);
	assert_int_equal(a.len, 4);
	bus__access(&bus, 0x110, &value, 2, true);
	assert_int_equal(b.calls, 1);
	assert_int_equal(b.offset, 0);
	assert_true(b.write);

	/* Over an edge, below, above: all ones, and nobody hears of it. */
	bus__access(&bus, 0x10e, &value, 4, false);
	assert_int_equal(value, 0xffffffff);
	value = 0;
	bus__access(&bus, 0xff, &value, 4, false);
	assert_int_equal(value, 0xffffffff);
	bus__access(&bus, 0x11e, &value, 4, true);
	bus__access(&bus, UINT64_MAX - 1, &value, 4, false);
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 1);
}

static void test_bad_ranges(void **state)
{
	struct bus bus = { .nr_ranges = 0 };
	unsigned int i;

	(void)state;
	assert_int_equal(bus__add(&bus, 0, 0, access_seen, NULL), -EINVAL);
	assert_int_equal(bus__add(&bus, UINT64_MAX, 2, access_seen, NULL), -EINVAL);
	assert_int_equal(bus__add(&bus, 0x100, 0x10, access_seen, NULL), 0);
	assert_int_equal(bus__add(&bus, 0x10f, 1, access_seen, NULL), -EEXIST);
	assert_int_equal(bus__add(&bus, 0xff, 2, access_seen, NULL), -EEXIST);
	assert_int_equal(bus__add(&bus, 0, 0x1000, access_seen, NULL), -EEXIST);
	assert_int_equal(bus__add(&bus, UINT64_MAX, 1, access_seen, NULL), 0);
	for (i = bus.nr_ranges; i < BUS_MAX_RANGES; i++)
		assert_int_equal(bus__add(&bus, 0x1000 * i, 1, access_seen, NULL), 0);
	assert_int_equal(bus__add(&bus, 0x1000 * i, 1, access_seen, NULL), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_bad_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
