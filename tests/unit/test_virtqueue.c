// SPDX-License-Identifier: GPL-2.0-or-later
/* The device's side of a virtqueue: chains of all shapes, and drivers that break the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "unit/virtio_driver.h"
#include "virtqueue.h"

#define RAM_SIZE	0x20000u

static uint8_t ram[RAM_SIZE] __attribute__((aligned(4096)));
static uint8_t dirty[RAM_SIZE];
static struct driver drv;
static struct virtqueue vq;
static struct virtqueue_chain chain;

static void *translate(void *opaque, uint64_t gpa, uint64_t len)
{
	assert_ptr_equal(opaque, &vq);
	return gpa <= RAM_SIZE && len <= RAM_SIZE - gpa ? ram + gpa : NULL;
}

static void written(void *opaque, uint64_t gpa, uint64_t len)
{
	assert_ptr_equal(opaque, &vq);
	assert_true(gpa + len <= RAM_SIZE);
	memset(dirty + gpa, 1, len);
}

static int start(uint32_t num, uint64_t desc, uint64_t avail, uint64_t used)
{
	const struct virtqueue_memory memory = {
		.translate = translate, .written = written, .opaque = &vq,
	};

	return virtqueue_init(&vq, &memory, num, desc, avail, used);
}

static int setup(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	memset(dirty, 0, sizeof(dirty));
	driver_init(&drv, ram);
	return start(DRIVER_NUM, DRIVER_DESC, DRIVER_AVAIL, DRIVER_USED);
}

static void assert_broken(const char *why)
{
	assert_int_equal(virtqueue_pop(&vq, &chain), -1);
	if (!vq.broken || !strstr(vq.broken, why))
		fail_msg("broken because '%s', not '%s'", vq.broken ? vq.broken : "it is not", why);
	/* And it stays so, whatever the driver does. */
	driver_desc(drv.desc, 0, DRIVER_DATA, 8, 0, -1);
	driver_offer(&drv, 0);
	assert_int_equal(virtqueue_pop(&vq, &chain), -1);
}

static void test_chain(void **state)
{
	char text[32] = "";

	(void)state;
	assert_int_equal(virtqueue_pop(&vq, &chain), 0);
	driver_desc(drv.desc, 3, DRIVER_DATA, 5, 0, 6);
	driver_desc(drv.desc, 6, DRIVER_DATA + 0x100, 3, 0, 1);
	driver_desc(drv.desc, 1, DRIVER_DATA + 0x200, 4, VRING_DESC_F_WRITE, 0);
	driver_desc(drv.desc, 0, DRIVER_DATA + 0x300, 8, VRING_DESC_F_WRITE, -1);
	strcpy((char *)ram + DRIVER_DATA, "Hello");
	strcpy((char *)ram + DRIVER_DATA + 0x100, "you");
	driver_offer(&drv, 3);

	assert_int_equal(virtqueue_pop(&vq, &chain), 1);
	assert_int_equal(chain.head, 3);
	assert_int_equal(chain.nr_out, 2);
	assert_int_equal(chain.nr_in, 2);
	assert_int_equal(chain.out_len, 8);
	assert_int_equal(chain.in_len, 12);
	assert_int_equal(virtqueue_read(&chain, 0, text, sizeof(text)), 8);
	assert_string_equal(text, "Helloyou");
	memset(text, 0, sizeof(text));
	assert_int_equal(virtqueue_read(&chain, 3, text, 3), 3);
	assert_string_equal(text, "loy");
	assert_int_equal(virtqueue_read(&chain, 8, text, 1), 0);
	assert_int_equal(virtqueue_write(&chain, 2, "abcdef", 6), 6);
	assert_memory_equal(ram + DRIVER_DATA + 0x202, "ab", 2);
	assert_memory_equal(ram + DRIVER_DATA + 0x300, "cdef", 4);
	assert_int_equal(virtqueue_write(&chain, 10, "xyz", 3), 2);

	memset(dirty, 0, sizeof(dirty));
	virtqueue_push(&vq, &chain, 6);
	assert_int_equal(drv.used->idx, 1);
	assert_int_equal(drv.used->ring[0].id, 3);
	assert_int_equal(drv.used->ring[0].len, 6);
	/* What a migration has to send: the bytes of the answer, and the used ring. */
	assert_int_equal(dirty[DRIVER_DATA + 0x200], 1);
	assert_int_equal(dirty[DRIVER_DATA + 0x203], 1);
	assert_int_equal(dirty[DRIVER_DATA + 0x301], 1);
	assert_int_equal(dirty[DRIVER_DATA + 0x302], 0);
	assert_int_equal(dirty[DRIVER_DATA], 0);
	assert_int_equal(dirty[DRIVER_USED + 2], 1);
	assert_int_equal(dirty[DRIVER_USED + 4], 1);
	/* Not more of it than that. */
	assert_int_equal(dirty[DRIVER_USED], 0);
	assert_int_equal(dirty[DRIVER_USED + 4 + sizeof(struct vring_used_elem)], 0);
	assert_int_equal(virtqueue_pop(&vq, &chain), 0);
}

/* The indices are 16 bits and go round; the ring does so more often. */
static void test_wrap(void **state)
{
	unsigned int i;

	(void)state;
	drv.avail->idx = 0xfffd;
	drv.used->idx = 0xfffd;
	assert_int_equal(start(DRIVER_NUM, DRIVER_DESC, DRIVER_AVAIL, DRIVER_USED), 0);
	vq.next_avail = 0xfffd;
	for (i = 0; i < 20; i++) {
		driver_desc(drv.desc, i % DRIVER_NUM, DRIVER_DATA + i, 1, 0, -1);
		ram[DRIVER_DATA + i] = 'a' + i;
		driver_offer(&drv, i % DRIVER_NUM);
		assert_int_equal(virtqueue_pop(&vq, &chain), 1);
		assert_int_equal(*(char *)chain.iov[0].iov_base, 'a' + i);
		virtqueue_push(&vq, &chain, 0);
		assert_int_equal(drv.used->idx, (uint16_t)(0xfffe + i));
		assert_int_equal(drv.used->ring[(0xfffd + i) % DRIVER_NUM].id, i % DRIVER_NUM);
	}
}

static void test_unpop(void **state)
{
	(void)state;
	driver_desc(drv.desc, 2, DRIVER_DATA, 8, VRING_DESC_F_WRITE, -1);
	driver_offer(&drv, 2);
	assert_int_equal(virtqueue_pop(&vq, &chain), 1);
	virtqueue_unpop(&vq);
	assert_int_equal(virtqueue_pop(&vq, &chain), 1);
	assert_int_equal(chain.head, 2);
	assert_int_equal(virtqueue_pop(&vq, &chain), 0);
}

static void test_indirect(void **state)
{
	struct vring_desc *table = (void *)(ram + DRIVER_TABLE);

	(void)state;
	driver_desc(drv.desc, 0, DRIVER_TABLE, 3 * sizeof(*table), VRING_DESC_F_INDIRECT, -1);
	driver_desc(table, 0, DRIVER_DATA, 4, 0, 2);
	driver_desc(table, 2, DRIVER_DATA + 16, 4, VRING_DESC_F_WRITE, -1);
	vq.indirect = true;
	driver_offer(&drv, 0);
	assert_int_equal(virtqueue_pop(&vq, &chain), 1);
	assert_int_equal(chain.head, 0);
	assert_int_equal(chain.nr_out, 1);
	assert_int_equal(chain.nr_in, 1);
	assert_ptr_equal(chain.iov[1].iov_base, ram + DRIVER_DATA + 16);

	/* A table of its own may not lead to another. */
	table[2].flags = VRING_DESC_F_INDIRECT;
	driver_offer(&drv, 0);
	assert_broken("an indirect descriptor where none may be");
}

static void test_indirect_not_negotiated(void **state)
{
	(void)state;
	driver_desc(drv.desc, 0, DRIVER_TABLE, 16, VRING_DESC_F_INDIRECT, -1);
	driver_offer(&drv, 0);
	assert_broken("an indirect descriptor where none may be");
}

/* Each: how descriptor 0, indirect, is wrong. */
static void bad_table(uint64_t gpa, uint32_t len, uint16_t flags, const char *why)
{
	setup(NULL);
	vq.indirect = true;
	driver_desc(drv.desc, 0, gpa, len, VRING_DESC_F_INDIRECT | flags, -1);
	driver_offer(&drv, 0);
	assert_broken(why);
}

static void test_bad_tables(void **state)
{
	(void)state;
	bad_table(DRIVER_TABLE, 0, 0, "malformed");
	bad_table(DRIVER_TABLE, 15, 0, "malformed");
	bad_table(DRIVER_TABLE, 16 * (DRIVER_NUM + 1), 0, "malformed");
	bad_table(DRIVER_TABLE, 0xfffffff0, 0, "malformed");
	bad_table(DRIVER_TABLE, 16, VRING_DESC_F_NEXT, "malformed");
	bad_table(RAM_SIZE - 8, 16, 0, "not in the guest's memory");
	bad_table(UINT64_MAX - 8, 16, 0, "not in the guest's memory");
}

static void test_bad_chains(void **state)
{
	(void)state;
	/* A loop */
	driver_desc(drv.desc, 0, DRIVER_DATA, 8, 0, 1);
	driver_desc(drv.desc, 1, DRIVER_DATA, 8, 0, 0);
	driver_offer(&drv, 0);
	assert_broken("a loop");

	setup(NULL);
	driver_offer(&drv, DRIVER_NUM);
	assert_broken("beyond its table");

	setup(NULL);
	driver_desc(drv.desc, 0, DRIVER_DATA, 8, 0, 0xffff);
	driver_offer(&drv, 0);
	assert_broken("beyond its table");

	setup(NULL);
	driver_desc(drv.desc, 0, RAM_SIZE - 4, 8, 0, -1);
	driver_offer(&drv, 0);
	assert_broken("not in the guest's memory");

	setup(NULL);
	driver_desc(drv.desc, 0, UINT64_MAX, 8, 0, -1);
	driver_offer(&drv, 0);
	assert_broken("not in the guest's memory");

	setup(NULL);
	driver_desc(drv.desc, 0, DRIVER_DATA, 8, VRING_DESC_F_WRITE, 1);
	driver_desc(drv.desc, 1, DRIVER_DATA, 8, 0, -1);
	driver_offer(&drv, 0);
	assert_broken("behind one to be written");

	setup(NULL);
	drv.avail->idx = DRIVER_NUM + 1;
	assert_broken("more requests are available");
}

static void test_bad_rings(void **state)
{
	(void)state;
	assert_int_equal(start(0, DRIVER_DESC, DRIVER_AVAIL, DRIVER_USED), -1);
	assert_int_equal(start(3, DRIVER_DESC, DRIVER_AVAIL, DRIVER_USED), -1);
	assert_int_equal(start(2048, DRIVER_DESC, DRIVER_AVAIL, DRIVER_USED), -1);
	assert_non_null(strstr(vq.broken, "power of two"));
	assert_int_equal(start(8, DRIVER_DESC + 8, DRIVER_AVAIL, DRIVER_USED), -1);
	assert_int_equal(start(8, DRIVER_DESC, DRIVER_AVAIL + 1, DRIVER_USED), -1);
	assert_int_equal(start(8, DRIVER_DESC, DRIVER_AVAIL, DRIVER_USED + 2), -1);
	assert_non_null(strstr(vq.broken, "aligned"));
	assert_int_equal(start(8, RAM_SIZE - 16, DRIVER_AVAIL, DRIVER_USED), -1);
	assert_int_equal(start(8, DRIVER_DESC, RAM_SIZE - 2, DRIVER_USED), -1);
	assert_int_equal(start(8, DRIVER_DESC, DRIVER_AVAIL, ~3ULL), -1);
	assert_non_null(strstr(vq.broken, "memory"));
	/* The last bytes of the rings are the event indices. */
	assert_int_equal(start(8, DRIVER_DESC, RAM_SIZE - 20, DRIVER_USED), -1);
	assert_int_equal(start(8, DRIVER_DESC, RAM_SIZE - 22, DRIVER_USED), 0);
}

static void answer_one(void)
{
	driver_desc(drv.desc, 0, DRIVER_DATA, 8, 0, -1);
	driver_offer(&drv, 0);
	assert_int_equal(virtqueue_pop(&vq, &chain), 1);
	virtqueue_push(&vq, &chain, 0);
}

static void test_signals(void **state)
{
	(void)state;
	answer_one();
	assert_true(virtqueue_wants_signal(&vq));
	drv.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	answer_one();
	assert_false(virtqueue_wants_signal(&vq));
}

static void test_event_index(void **state)
{
	uint16_t *used_event = &drv.avail->ring[DRIVER_NUM];
	const uint16_t *avail_event = (const uint16_t *)&drv.used->ring[DRIVER_NUM];

	(void)state;
	vq.event_idx = true;
	drv.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;	/* means nothing then */
	*used_event = 0;
	answer_one();
	assert_true(virtqueue_wants_signal(&vq));
	*used_event = 2;
	answer_one();
	assert_false(virtqueue_wants_signal(&vq));
	answer_one();
	assert_true(virtqueue_wants_signal(&vq));
	/* Passed within a batch counts. */
	*used_event = 4;
	answer_one();
	answer_one();
	answer_one();
	assert_true(virtqueue_wants_signal(&vq));
	/* Nothing left: kick for the next one. */
	memset(dirty, 0, sizeof(dirty));
	assert_int_equal(virtqueue_pop(&vq, &chain), 0);
	assert_int_equal(*avail_event, drv.avail->idx);
	assert_int_equal(dirty[DRIVER_USED + offsetof(struct vring_used, ring[DRIVER_NUM])], 1);
}

/* Rings of noise: an error or a chain in the guest's memory, never anything else. */
static void test_noise(void **state)
{
	unsigned int round, i, k;
	uint8_t *base;

	(void)state;
	srand(1);
	for (round = 0; round < 20000; round++) {
		setup(NULL);
		vq.indirect = round & 1;
		vq.event_idx = round & 2;
		for (i = 0; i < DRIVER_NUM; i++) {
			drv.desc[i] = (struct vring_desc) {
				.addr = (uint32_t)rand() % (RAM_SIZE + 64), .len = rand() % 4096,
				.flags = rand() % 8, .next = rand() % (DRIVER_NUM + 1),
			};
			drv.avail->ring[i] = rand() % (DRIVER_NUM + 1);
		}
		drv.avail->idx = rand() % (DRIVER_NUM + 2);
		for (i = 0; i <= DRIVER_NUM && virtqueue_pop(&vq, &chain) > 0; i++) {
			assert_true(chain.nr_out + chain.nr_in <= 2 * DRIVER_NUM);
			for (k = 0; k < chain.nr_out + chain.nr_in; k++) {
				base = chain.iov[k].iov_base;
				assert_true(base >= ram);
				assert_true(base + chain.iov[k].iov_len <= ram + RAM_SIZE);
			}
			virtqueue_push(&vq, &chain, 0);
		}
		assert_true(i <= DRIVER_NUM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_chain, setup),
		cmocka_unit_test_setup(test_wrap, setup),
		cmocka_unit_test_setup(test_unpop, setup),
		cmocka_unit_test_setup(test_indirect, setup),
		cmocka_unit_test_setup(test_indirect_not_negotiated, setup),
		cmocka_unit_test_setup(test_bad_tables, setup),
		cmocka_unit_test_setup(test_bad_chains, setup),
		cmocka_unit_test_setup(test_bad_rings, setup),
		cmocka_unit_test_setup(test_signals, setup),
		cmocka_unit_test_setup(test_event_index, setup),
		cmocka_unit_test_setup(test_noise, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
