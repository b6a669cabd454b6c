// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * userspace/gpu-proc/queue.c: requests of a driver that the device does not know, hence
 * answered with an error; and broken rings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>

#include "capture.h"
#include "gpu-proc/gpu.h"
#include "gpu-proc/gpu_command.h"
#include "gpu-proc/queue.h"

#define NUM		8u
#define GUEST_SIZE	0x10000u
#define USER_BASE	0x7000000000ull		/* front-end address of guest address 0 */
#define DESC		0x0000u			/* guest addresses */
#define AVAIL		0x1000u
#define USED		0x2000u
#define REQUEST		0x3000u
#define RESPONSE	0x4000u

/* The guest: its memory, and its driver's side of one queue. */
struct guest {
	int fd, kick, call, err;
	char *ram;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct guest_memory memory;
	struct queue queue;
	struct gpu gpu;
};

static int setup(void **state)
{
	static const struct gpu_options options = { .width = 640, .height = 480 };
	static struct guest guest;
	struct vhost_user_memory table = {
		.nregions = 1,
		.regions = { { .size = GUEST_SIZE, .user_addr = USER_BASE } },
	};
	struct vhost_vring_addr addr = {
		.desc_user_addr = USER_BASE + DESC,
		.avail_user_addr = USER_BASE + AVAIL,
		.used_user_addr = USER_BASE + USED,
	};

	memset(&guest, 0, sizeof(guest));
	guest.fd = memfd_create("guest", MFD_CLOEXEC);
	if (guest.fd < 0 || ftruncate(guest.fd, GUEST_SIZE) < 0)
		return -1;
	guest.ram = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, guest.fd, 0);
	guest.desc = (void *)(guest.ram + DESC);
	guest.avail = (void *)(guest.ram + AVAIL);
	guest.used = (void *)(guest.ram + USED);
	guest.kick = eventfd(0, EFD_CLOEXEC);
	guest.call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	guest.err = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	guest_memory_init(&guest.memory);
	queue_init(&guest.queue, "control", &guest.memory, gpu_serve, &guest.gpu);
	if (gpu_init(&guest.gpu, &options) < 0)
		return -1;
	gpu_connect(&guest.gpu, &guest.memory, &guest.queue, NULL);
	if (guest_memory_set(&guest.memory, &table, &guest.fd) < 0 ||
	    queue_set_num(&guest.queue, NUM) < 0 || queue_set_addr(&guest.queue, &addr) < 0 ||
	    queue_set_event(&guest.queue, &guest.queue.kick, dup(guest.kick)) < 0 ||
	    queue_set_event(&guest.queue, &guest.queue.call, dup(guest.call)) < 0 ||
	    queue_set_event(&guest.queue, &guest.queue.err, dup(guest.err)) < 0)
		return -1;
	guest.queue.enabled = true;
	*state = &guest;
	return 0;
}

static int teardown(void **state)
{
	struct guest *guest = *state;

	gpu_disconnect(&guest->gpu);
	queue_reset(&guest->queue);
	guest_memory_clear(&guest->memory);
	munmap(guest->ram, GUEST_SIZE);
	close(guest->fd);
	close(guest->kick);
	close(guest->call);
	close(guest->err);
	return 0;
}

static void describe(struct guest *guest, unsigned int i, uint64_t addr, uint32_t len,
		     uint16_t flags, uint16_t next)
{
	guest->desc[i] = (struct vring_desc){ addr, len, flags, next };
}

static void make_available(struct guest *guest, uint16_t head)
{
	guest->avail->ring[guest->avail->idx % NUM] = head;
	guest->avail->idx++;
}

/* A request and room for its response, in descriptors first and first + 1. */
static void add_request(struct guest *guest, uint16_t first, uint32_t flags, uint64_t fence)
{
	struct virtio_gpu_ctrl_hdr hdr = {
		.type = 0x999,
		.flags = flags,
		.fence_id = fence,
		.ctx_id = 5,
	};

	memcpy(guest->ram + REQUEST, &hdr, sizeof(hdr));
	memset(guest->ram + RESPONSE, 0xff, 256);
	describe(guest, first, REQUEST, sizeof(hdr), VRING_DESC_F_NEXT, first + 1);
	describe(guest, first + 1, RESPONSE, 256, VRING_DESC_F_WRITE, 0);
	make_available(guest, first);
}

static void kick(struct guest *guest)
{
	assert_int_equal(eventfd_write(guest->kick, 1), 0);
	queue_kicked(&guest->queue);
}

static uint64_t event_count(int fd)
{
	eventfd_t count;

	return eventfd_read(fd, &count) == 0 ? count : 0;
}

static void assert_response(struct guest *guest, uint16_t flags, uint64_t fence, uint32_t ctx)
{
	struct virtio_gpu_ctrl_hdr hdr;

	memcpy(&hdr, guest->ram + RESPONSE, sizeof(hdr));
	assert_int_equal(hdr.type, VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(hdr.flags, flags);
	assert_int_equal(hdr.fence_id, fence);
	assert_int_equal(hdr.ctx_id, ctx);
}

static void test_answered(void **state)
{
	struct guest *guest = *state;

	add_request(guest, 2, 0, 0);
	kick(guest);
	assert_int_equal(guest->used->idx, 1);
	assert_int_equal(guest->used->ring[0].id, 2);
	assert_int_equal(guest->used->ring[0].len, sizeof(struct virtio_gpu_ctrl_hdr));
	assert_response(guest, 0, 0, 0);
	/* not a byte more than the header */
	assert_int_equal((unsigned char)guest->ram[RESPONSE + 24], 0xff);
	assert_int_equal(event_count(guest->call), 1);
	assert_int_equal(event_count(guest->err), 0);
	/* kicked for nothing */
	kick(guest);
	assert_int_equal(guest->used->idx, 1);
	assert_int_equal(event_count(guest->call), 0);
}

static void test_fence(void **state)
{
	struct guest *guest = *state;

	add_request(guest, 0, VIRTIO_GPU_FLAG_FENCE, 0x1122334455667788);
	kick(guest);
	assert_response(guest, VIRTIO_GPU_FLAG_FENCE, 0x1122334455667788, 5);
}

/* Round and round, over the end of the ring and of the 16-bit index. */
static void test_many(void **state)
{
	struct guest *guest = *state;
	unsigned int i;

	guest->avail->idx = 65530;
	guest->used->idx = 65530;
	assert_int_equal(queue_set_base(&guest->queue, 65530), 0);
	for (i = 0; i < 40; i++) {
		add_request(guest, 0, 0, 0);
		add_request(guest, 4, 0, 0);
		kick(guest);
		assert_int_equal(guest->used->idx, (uint16_t)(65530 + 2 * (i + 1)));
		assert_int_equal(guest->used->ring[(guest->used->idx - 2) & (NUM - 1)].id, 0);
		assert_int_equal(guest->used->ring[(guest->used->idx - 1) & (NUM - 1)].id, 4);
		assert_int_equal(event_count(guest->call), 1);
	}
	assert_int_equal(queue_stop(&guest->queue), (uint16_t)(65530 + 80));
}

/* The header may come, and go, in pieces. */
static void test_scattered(void **state)
{
	struct guest *guest = *state;
	struct virtio_gpu_ctrl_hdr hdr = { .flags = VIRTIO_GPU_FLAG_FENCE, .fence_id = 9 };

	memcpy(guest->ram + REQUEST, &hdr, sizeof(hdr));
	describe(guest, 0, REQUEST, 3, VRING_DESC_F_NEXT, 7);
	describe(guest, 7, REQUEST + 3, 500, VRING_DESC_F_NEXT, 1);
	describe(guest, 1, RESPONSE, 1, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 6);
	describe(guest, 6, RESPONSE + 1, 0, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2);
	describe(guest, 2, RESPONSE + 1, 500, VRING_DESC_F_WRITE, 0);
	make_available(guest, 0);
	kick(guest);
	assert_response(guest, VIRTIO_GPU_FLAG_FENCE, 9, 0);
	assert_int_equal(guest->used->ring[0].len, 24);
}

/* Cursor commands have no response; one that does not fit is left out; short ones have no fence. */
static void test_short(void **state)
{
	struct guest *guest = *state;

	describe(guest, 0, REQUEST, 56, 0, 0);
	make_available(guest, 0);
	kick(guest);
	assert_int_equal(guest->used->idx, 1);
	assert_int_equal(guest->used->ring[0].len, 0);

	add_request(guest, 2, VIRTIO_GPU_FLAG_FENCE, 3);
	guest->desc[2].len = 23;
	guest->desc[3].len = 4;
	kick(guest);
	assert_int_equal(guest->used->idx, 2);
	assert_int_equal(guest->used->ring[1].len, 0);
	assert_int_equal((unsigned char)guest->ram[RESPONSE], 0xff);

	/* 24 bytes are too few for a header, and room for it. */
	add_request(guest, 4, VIRTIO_GPU_FLAG_FENCE, 3);
	guest->desc[4].len = 23;
	guest->desc[5].len = 24;
	kick(guest);
	assert_int_equal(guest->used->ring[2].len, 24);
	assert_response(guest, 0, 0, 0);
}

static void test_no_interrupt(void **state)
{
	struct guest *guest = *state;

	guest->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	add_request(guest, 0, 0, 0);
	kick(guest);
	assert_int_equal(guest->used->idx, 1);
	assert_int_equal(event_count(guest->call), 0);
}

/* Nothing happens before the kick, or while the ring is disabled or stopped. */
static void test_states(void **state)
{
	struct guest *guest = *state;

	add_request(guest, 0, 0, 0);
	queue_process(&guest->queue);
	assert_int_equal(guest->used->idx, 0);

	guest->queue.enabled = false;
	kick(guest);
	assert_int_equal(guest->used->idx, 0);

	guest->queue.enabled = true;
	queue_process(&guest->queue);
	assert_int_equal(guest->used->idx, 1);

	add_request(guest, 0, 0, 0);
	assert_int_equal(queue_stop(&guest->queue), 1);
	queue_process(&guest->queue);
	assert_int_equal(guest->used->idx, 1);
	assert_int_equal(guest->queue.kick, -1);
	assert_int_equal(guest->queue.call, -1);
}

/* The queue gives up: it says so on the error fd, and touches nothing any more. */
static void assert_broken(struct guest *guest, const char *text)
{
	uint16_t used = guest->used->idx;
	const char *log;

	capture_begin();
	kick(guest);
	log = capture_end();
	assert_logged(log, text);
	assert_false(guest->queue.started);
	assert_int_equal(guest->queue.kick, -1);
	assert_int_equal(event_count(guest->err), 1);
	assert_int_equal(guest->used->idx, used);
}

/* The log of the guest's 16 pages, and of as many behind them. */
static uint32_t read_log(int fd)
{
	uint32_t log;

	assert_int_equal(pread(fd, &log, sizeof(log), 0), sizeof(log));
	return log;
}

static int start_log(struct guest *guest, uint64_t used_addr, uint64_t bytes)
{
	struct vhost_user_log desc = { .mmap_size = bytes };
	struct vhost_vring_addr addr = guest->queue.addr;
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(guest_memory_set_log(&guest->memory, &desc, fd), 0);
	guest->memory.log.on = true;
	addr.flags = 1u << VHOST_VRING_F_LOG;
	addr.log_guest_addr = used_addr;
	assert_int_equal(queue_set_addr(&guest->queue, &addr), 0);
	return fd;
}

/* What is written to is logged: responses by their pages, the used ring where it is said. */
static void test_log(void **state)
{
	struct guest *guest = *state;
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), fd;
	struct vhost_vring_addr addr;

	fd = start_log(guest, 0x1f000, 4);
	guest_memory_set_log_event(&guest->memory, dup(event));
	kick(guest);
	assert_int_equal(read_log(fd), 0);
	assert_int_equal(event_count(event), 0);
	add_request(guest, 2, 0, 0);
	kick(guest);
	assert_int_equal(read_log(fd), 1u << 4 | 1u << 31);
	assert_int_equal(event_count(event), 1);

	/* Over the edge of a page; and a ring that is not to be logged. */
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	addr = guest->queue.addr;
	addr.flags = 0;
	assert_int_equal(queue_set_addr(&guest->queue, &addr), 0);
	add_request(guest, 0, 0, 0);
	guest->desc[1].addr = RESPONSE + 4096 - 5;
	kick(guest);
	assert_int_equal(read_log(fd), 3u << 4);

	guest->memory.log.on = false;
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	add_request(guest, 0, 0, 0);
	kick(guest);
	assert_int_equal(guest->used->idx, 3);
	assert_int_equal(read_log(fd), 0);
	close(fd);
	close(event);
}

static void test_index_jump(void **state)
{
	struct guest *guest = *state;

	guest->avail->idx = NUM + 1;
	assert_broken(guest, "control queue: more requests are available than the queue holds");
}

/* The last byte of the used ring's place is behind the log's end. */
static void test_used_beyond_log(void **state)
{
	struct guest *guest = *state;
	int fd = start_log(guest, 0x20000 - 4, 4);

	add_request(guest, 0, 0, 0);
	assert_broken(guest, "its used ring, 0x46 bytes to be logged at guest 0x1fffc, is beyond the dirty log");
	assert_int_equal(read_log(fd), 0);
	close(fd);
}

static void test_bad_head(void **state)
{
	make_available(*state, NUM);
	assert_broken(*state, "control queue: a descriptor's number is beyond its table");
}

static void test_bad_next(void **state)
{
	struct guest *guest = *state;

	describe(guest, 0, REQUEST, 24, VRING_DESC_F_NEXT, 0xffff);
	make_available(guest, 0);
	assert_broken(guest, "control queue: a descriptor's number is beyond its table");
}

static void test_loop(void **state)
{
	struct guest *guest = *state;

	describe(guest, 0, REQUEST, 24, VRING_DESC_F_NEXT, 1);
	describe(guest, 1, REQUEST, 24, VRING_DESC_F_NEXT, 0);
	make_available(guest, 0);
	assert_broken(guest, "control queue: a chain is longer than its table: a loop");
}

static void test_indirect(void **state)
{
	struct guest *guest = *state;

	describe(guest, 0, REQUEST, 32, VRING_DESC_F_INDIRECT, 0);
	make_available(guest, 0);
	assert_broken(guest, "control queue: an indirect descriptor where none may be");
}

static void test_outside(void **state)
{
	struct guest *guest = *state;

	describe(guest, 0, GUEST_SIZE - 8, 24, 0, 0);
	make_available(guest, 0);
	assert_broken(guest, "control queue: a descriptor is not in the guest's memory");
}

static void test_readable_behind_writable(void **state)
{
	struct guest *guest = *state;

	describe(guest, 0, RESPONSE, 24, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1);
	describe(guest, 1, REQUEST, 24, 0, 0);
	make_available(guest, 0);
	assert_broken(guest, "control queue: a descriptor to be read stands behind one to be written");
}

static void test_rings_outside(void **state)
{
	struct guest *guest = *state;
	struct vhost_vring_addr addr = guest->queue.addr;

	addr.used_user_addr = USER_BASE + GUEST_SIZE - 64;
	assert_int_equal(queue_set_addr(&guest->queue, &addr), 0);
	add_request(guest, 0, 0, 0);
	assert_broken(guest, "its 8 descriptors at 0x7000000000, available ring at 0x7000001000, used ring at 0x700000ffc0 are not in the guest's memory");
}

static void test_never_set_up(void **state)
{
	struct guest *guest = *state;

	guest->queue.num = 0;
	assert_broken(guest, "kicked, but its 0 descriptors");
}

/* The memory goes away under a ring that runs. */
static void test_memory_gone(void **state)
{
	struct guest *guest = *state;

	add_request(guest, 0, 0, 0);
	kick(guest);
	assert_int_equal(event_count(guest->call), 1);
	guest_memory_clear(&guest->memory);
	add_request(guest, 0, 0, 0);
	assert_broken(guest, "are not in the guest's memory");
}

static void test_kick_no_eventfd(void **state)
{
	struct guest *guest = *state;
	const char *log;
	int pipefd[2];

	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(queue_set_event(&guest->queue, &guest->queue.kick, pipefd[0]), 0);
	assert_int_equal(write(pipefd[1], "abc", 3), 3);
	capture_begin();
	queue_kicked(&guest->queue);
	log = capture_end();
	assert_logged(log, "its kick fd is not an event fd");
	assert_int_equal(guest->queue.kick, -1);
	close(pipefd[1]);
}

/* A full or empty event fd must not hold the process up, also if it came blocking. */
static void test_events_do_not_block(void **state)
{
	struct guest *guest = *state;

	assert_true(fcntl(guest->kick, F_GETFL) & O_NONBLOCK);
	queue_kicked(&guest->queue);
	assert_false(guest->queue.started);
	assert_int_equal(eventfd_write(guest->call, UINT64_MAX - 1), 0);
	add_request(guest, 0, 0, 0);
	kick(guest);
	assert_int_equal(guest->used->idx, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answered),
		TEST(test_fence),
		TEST(test_many),
		TEST(test_scattered),
		TEST(test_short),
		TEST(test_no_interrupt),
		TEST(test_states),
		TEST(test_log),
		TEST(test_index_jump),
		TEST(test_used_beyond_log),
		TEST(test_bad_head),
		TEST(test_bad_next),
		TEST(test_loop),
		TEST(test_indirect),
		TEST(test_outside),
		TEST(test_readable_behind_writable),
		TEST(test_rings_outside),
		TEST(test_never_set_up),
		TEST(test_memory_gone),
		TEST(test_kick_no_eventfd),
		TEST(test_events_do_not_block),
	};

	return cmocka_run_group_tests_name("gpu-proc queue", tests, NULL, NULL);
}
