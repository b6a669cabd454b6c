// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * userspace/gpu-proc/gpu_command.c, and queue.c beneath it: requests of wrong shapes, in
 * chains of all shapes; fences; answers that come later; and what a hostile driver can do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gpu_guest.h"

#define BGRX	VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM

/* Each with a byte less than its struct has, and with a header alone. */
static void test_short(void **state)
{
	static const struct {
		uint32_t type, size;
		const char *name;
	} commands[] = {
		{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, 40, "RESOURCE_CREATE_2D" },
		{ VIRTIO_GPU_CMD_RESOURCE_UNREF, 32, "RESOURCE_UNREF" },
		{ VIRTIO_GPU_CMD_SET_SCANOUT, 48, "SET_SCANOUT" },
		{ VIRTIO_GPU_CMD_RESOURCE_FLUSH, 48, "RESOURCE_FLUSH" },
		{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, 56, "TRANSFER_TO_HOST_2D" },
		{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, 32, "RESOURCE_ATTACH_BACKING" },
		{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, 32, "RESOURCE_DETACH_BACKING" },
		{ VIRTIO_GPU_CMD_GET_EDID, 32, "GET_EDID" },
		{ VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, 96, "SET_SCANOUT_BLOB" },
	};
	union {
		struct virtio_gpu_ctrl_hdr hdr;
		uint8_t bytes[256];
	} req = { .hdr = { .type = 0 } };
	unsigned int i;
	char text[64];

	(void)state;
	for (i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		req.hdr.type = commands[i].type;
		capture_begin();
		assert_int_equal(guest_ask(&req, commands[i].size - 1),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
		assert_int_equal(guest_ask(&req, sizeof(req.hdr)),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
		snprintf(text, sizeof(text), "%s: %u bytes, must be %u", commands[i].name,
			 commands[i].size - 1, commands[i].size);
		assert_logged(capture_end(), text);
		/* Whole, and with more behind it: whatever is wrong then is something else. */
		capture_begin();
		guest_ask(&req, commands[i].size + 8);
		assert_null(strstr(capture_end(), "bytes, must be"));
	}
}

static void test_unknown(void **state)
{
	static const uint32_t types[] = { 0, 0xff, 0x1ff, 0x302, 0x1100, 0x1200, UINT32_MAX };
	struct virtio_gpu_ctrl_hdr req = { .type = 0 };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		req.type = types[i];
		assert_refused(req, UNSPEC, "is unknown");
	}
}

static void test_wrong_queue(void **state)
{
	struct virtio_gpu_update_cursor cursor = { .hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR };
	struct virtio_gpu_ctrl_hdr info = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };

	(void)state;
	assert_refused(cursor, UNSPEC, "MOVE_CURSOR: came on the control queue");
	capture_begin();
	guest_send(QUEUE_CURSOR, &info, sizeof(info), 1024);
	assert_logged(capture_end(), "GET_DISPLAY_INFO: came on the cursor queue");
	assert_int_equal(guest_answer(QUEUE_CURSOR), VIRTIO_GPU_RESP_ERR_UNSPEC);
}

/* Room for an error, but not for the answer: it is left out, and the queue lives. */
static void test_no_room(void **state)
{
	struct virtio_gpu_ctrl_hdr req = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	static const uint32_t rooms[] = { 1, 23, 24, 407 };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(rooms) / sizeof(*rooms); i++) {
		capture_begin();
		guest_send(QUEUE_CONTROL, &req, sizeof(req), rooms[i]);
		assert_logged(capture_end(), "the response 0x1101 has 408");
		assert_int_equal(guest_answer(QUEUE_CONTROL), 0);
	}
	guest_send(QUEUE_CONTROL, &req, sizeof(req), 0);
	assert_int_equal(guest_answer(QUEUE_CONTROL), 0);
	guest_send(QUEUE_CONTROL, &req, sizeof(req), 408);
	assert_int_equal(guest_answer(QUEUE_CONTROL), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
}

/* The fence comes back with success and with errors; its ring where it has one. */
static void test_fences(void **state)
{
	struct virtio_gpu_resource_create_2d req = {
		.hdr = {
			.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
			.flags = VIRTIO_GPU_FLAG_FENCE,
			.fence_id = 0x1122334455667788,
			.ctx_id = 9,
			.ring_idx = 3,
		},
		.resource_id = 1, .format = BGRX, .width = 1, .height = 1,
	};
	const struct virtio_gpu_ctrl_hdr *hdr = &guest.response.hdr;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		uint32_t type = ask(req);

		assert_int_equal(type, i ? VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID :
				       VIRTIO_GPU_RESP_OK_NODATA);
		assert_int_equal(hdr->flags, VIRTIO_GPU_FLAG_FENCE);
		assert_int_equal(hdr->fence_id, req.hdr.fence_id);
		assert_int_equal(hdr->ctx_id, 9);
		assert_int_equal(hdr->ring_idx, 0);
	}
	req.hdr.flags |= VIRTIO_GPU_FLAG_INFO_RING_IDX | 0x80;
	ask(req);
	assert_int_equal(hdr->flags, VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
	assert_int_equal(hdr->ring_idx, 3);
	/* No fence: nothing of it. */
	req.hdr.flags = VIRTIO_GPU_FLAG_INFO_RING_IDX;
	ask(req);
	assert_int_equal(hdr->flags, 0);
	assert_int_equal(hdr->fence_id, 0);
	assert_int_equal(hdr->ctx_id, 0);
	assert_int_equal(hdr->ring_idx, 0);
}

/* A table of descriptors elsewhere, of which the answer has two. */
static void test_indirect(void **state)
{
	struct virtio_gpu_ctrl_hdr req = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct vring_desc *table = (void *)(guest.ram + DRIVER_TABLE);
	struct driver *d = &guest.drv[QUEUE_CONTROL];

	(void)state;
	queue_set_features(&guest.queues[QUEUE_CONTROL], 1ull << VIRTIO_RING_F_INDIRECT_DESC);
	memcpy(guest.ram + REQUEST, &req, sizeof(req));
	memset(guest.ram + RESPONSE, 0xee, 1024);
	driver_desc(table, 0, REQUEST, 5, 0, 2);
	driver_desc(table, 2, REQUEST + 5, 19, 0, 1);
	driver_desc(table, 1, RESPONSE, 10, VRING_DESC_F_WRITE, 3);
	driver_desc(table, 3, RESPONSE + 10, 500, VRING_DESC_F_WRITE, -1);
	driver_desc(d->desc, 6, DRIVER_TABLE, 4 * sizeof(*table), VRING_DESC_F_INDIRECT, -1);
	driver_offer(d, 6);
	guest_kick(QUEUE_CONTROL);
	assert_int_equal(guest_answer(QUEUE_CONTROL), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_int_equal(guest.response_size, 408);
	assert_int_equal(guest.response.display_info.pmodes[0].r.width, DISPLAY_WIDTH);

	/* One that leads to itself: the queue is broken, the process lives. */
	driver_desc(table, 0, DRIVER_TABLE, 4 * sizeof(*table), VRING_DESC_F_INDIRECT, -1);
	driver_offer(d, 6);
	capture_begin();
	guest_kick(QUEUE_CONTROL);
	assert_logged(capture_end(), "control queue: an indirect descriptor where none may be");
	assert_false(guest.queues[QUEUE_CONTROL].started);
}

/* The guest's memory many times over, as one request: refused by its length alone. */
static void test_endless(void **state)
{
	struct driver *d = &guest.drv[QUEUE_CONTROL];
	unsigned int i;

	(void)state;
	for (i = 0; i < 6; i++)
		driver_desc(d->desc, i, 0, GUEST_SIZE, 0, i + 1);
	driver_desc(d->desc, 6, RESPONSE, 4096, VRING_DESC_F_WRITE, -1);
	driver_offer(d, 0);
	capture_begin();
	guest_kick(QUEUE_CONTROL);
	assert_logged(capture_end(), "a request of 25165824 bytes is too long");
	assert_int_equal(d->used->idx, 1);
	assert_int_equal(d->used->ring[0].len, 0);
	/* As much room as four gigabytes do not hold: fine, for little is written. */
	for (i = 1; i < DRIVER_NUM; i++)
		driver_desc(d->desc, i, 0, GUEST_SIZE, VRING_DESC_F_WRITE,
			    i + 1 < DRIVER_NUM ? (int)i + 1 : -1);
	driver_desc(d->desc, 0, REQUEST, 24, 0, 1);
	driver_offer(d, 0);
	guest_kick(QUEUE_CONTROL);
	assert_int_equal(d->used->ring[1].len, 24);
}

/* The driver is told once for each batch, and with an event index only if it asked. */
static void test_event_index(void **state)
{
	struct virtio_gpu_ctrl_hdr req = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct driver *d = &guest.drv[QUEUE_CONTROL];
	uint16_t *used_event = &d->avail->ring[DRIVER_NUM];
	uint16_t *avail_event = (uint16_t *)&d->used->ring[DRIVER_NUM];
	eventfd_t count;

	(void)state;
	queue_set_features(&guest.queues[QUEUE_CONTROL], 1ull << VIRTIO_RING_F_EVENT_IDX);
	*used_event = 0;
	guest_ask(&req, sizeof(req));
	assert_int_equal(eventfd_read(guest.call[0], &count), 0);
	/* Kick for the one after it. */
	assert_int_equal(*avail_event, 1);
	*used_event = 2;
	guest_ask(&req, sizeof(req));
	assert_int_equal(eventfd_read(guest.call[0], &count), -1);
	assert_int_equal(*avail_event, 2);
	guest_ask(&req, sizeof(req));
	assert_int_equal(eventfd_read(guest.call[0], &count), 0);
	assert_int_equal(*avail_event, 3);
}

/* Held, requests wait in the ring; an answer given then is seen; released, they are served. */
static void test_hold(void **state)
{
	struct virtio_gpu_ctrl_hdr req = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct queue *queue = &guest.queues[QUEUE_CONTROL];
	const struct queue_segment in = { .gpa = RESPONSE, .len = 16 };
	eventfd_t count;

	(void)state;
	guest_ask(&req, sizeof(req));
	assert_int_equal(eventfd_read(guest.call[0], &count), 0);
	queue_hold(queue);
	guest_send(QUEUE_CONTROL, &req, sizeof(req), 1024);
	assert_int_equal(guest.drv[0].used->idx, 1);
	queue_answer(queue, 5, &in, 1, "hello, guest", 12);
	assert_int_equal(guest.drv[0].used->idx, 2);
	assert_int_equal(guest.drv[0].used->ring[1].id, 5);
	assert_int_equal(guest.drv[0].used->ring[1].len, 12);
	assert_memory_equal(guest.ram + RESPONSE, "hello, guest", 12);
	assert_int_equal(eventfd_read(guest.call[0], &count), 0);
	queue_release(queue);
	assert_int_equal(guest.drv[0].used->idx, 3);
	assert_int_equal(eventfd_read(guest.call[0], &count), 0);

	/* The room went meanwhile: the answer is left out. */
	guest_set_memory(RESPONSE);
	capture_begin();
	queue_answer(queue, 5, &in, 1, "hello, guest", 12);
	assert_logged(capture_end(), "the memory map has no room for the answer any more");
	assert_int_equal(guest.drv[0].used->ring[3].len, 0);
	/* Stopped: nothing is written. */
	guest_set_memory(GUEST_SIZE);
	queue_stop(queue);
	queue_answer(queue, 5, &in, 1, "hello, guest", 12);
	assert_int_equal(guest.drv[0].used->idx, 4);
}

/* A driver that fills the ring for ever gets one round of it, then the others have a turn. */
static void test_rounds(void **state)
{
	struct driver *d = &guest.drv[QUEUE_CONTROL];
	struct queue *queue = &guest.queues[QUEUE_CONTROL];
	uint32_t i;

	(void)state;
	memset(guest.ram + REQUEST, 0, 64);
	driver_desc(d->desc, 0, REQUEST, 24, 0, 1);
	driver_desc(d->desc, 1, RESPONSE, 64, VRING_DESC_F_WRITE, -1);
	for (i = 0; i < DRIVER_NUM; i++)
		driver_offer(d, 0);
	guest_kick(QUEUE_CONTROL);
	assert_int_equal(d->used->idx, DRIVER_NUM);
	/* It has kicked itself: there may be more. */
	driver_offer(d, 0);
	queue_kicked(queue);
	assert_int_equal(d->used->idx, DRIVER_NUM + 1);
}

/* Requests wait for an answer, and a driver offers more and more of them. */
static void test_pending(void **state)
{
	struct virtio_gpu_ctrl_hdr info = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	uint8_t large[8192] = { 0 };

	(void)state;
	memcpy(large, &info, sizeof(info));
	guest.gpu.limits.pending_bytes = sizeof(struct gpu_request) + 4096;
	assert_int_equal(guest_ask(large, 4000), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_int_equal(guest.gpu.pending_bytes, 0);
	capture_begin();
	assert_int_equal(guest_ask(large, 4200), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_logged(capture_end(), "GET_DISPLAY_INFO: ");
	assert_logged(capture_text, "bytes of requests are not answered yet");
	assert_int_equal(guest.gpu.pending_bytes, 0);
	/* One is under way: there is room for no other. */
	guest.gpu.pending_bytes = 4096;
	assert_int_equal(ask(info), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	guest.gpu.pending_bytes = 0;
	assert_int_equal(ask(info), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
}

/* The queue is about to stop: what is under way is answered, with its fence, as an error. */
static void test_abort(void **state)
{
	struct virtio_gpu_ctrl_hdr info = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	struct gpu_request *req = calloc(1, sizeof(*req));
	const struct vring_used *used = guest.drv[0].used;

	(void)state;
	ask(info);
	req->gpu = &guest.gpu;
	req->queue = &guest.queues[0];
	req->head = 6;
	req->nr_in = 1;
	req->in = calloc(1, sizeof(*req->in));
	*req->in = (struct queue_segment){ .gpa = RESPONSE, .len = 64 };
	req->in_len = 64;
	req->cmd = calloc(1, sizeof(*req->cmd));
	req->size = sizeof(req->cmd->hdr);
	req->cmd->hdr = (struct virtio_gpu_ctrl_hdr){
		.flags = VIRTIO_GPU_FLAG_FENCE, .fence_id = 77,
	};
	guest.gpu.pending = req;
	guest.gpu.pending_bytes = sizeof(*req) + sizeof(*req->in) + req->size;
	gpu_abort(&guest.gpu, &guest.queues[1]);
	assert_int_equal(used->idx, 1);
	gpu_abort(&guest.gpu, &guest.queues[0]);
	assert_int_equal(used->idx, 2);
	assert_int_equal(used->ring[1].id, 6);
	assert_int_equal(used->ring[1].len, sizeof(info));
	memcpy(&info, guest.ram + RESPONSE, sizeof(info));
	assert_int_equal(info.type, VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(info.fence_id, 77);
	assert_null(guest.gpu.pending);
}

/* A guest makes as many errors as it likes; the log has an end. */
static void test_complaints(void **state)
{
	struct virtio_gpu_ctrl_hdr req = { .type = 0x777 };
	unsigned int i, lines = 0;
	const char *log;

	(void)state;
	capture_begin();
	for (i = 0; i < 1000; i++)
		assert_int_equal(ask(req), VIRTIO_GPU_RESP_ERR_UNSPEC);
	log = capture_end();
	assert_logged(log, "guest: more of its errors are not logged");
	for (; *log; log++)
		lines += *log == '\n';
	assert_int_equal(lines, 101);
	/* A reset is no new start for that. */
	gpu_reset(&guest.gpu);
	capture_begin();
	ask(req);
	assert_string_equal(capture_end(), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, guest_setup, guest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_short),
		TEST(test_unknown),
		TEST(test_wrong_queue),
		TEST(test_no_room),
		TEST(test_fences),
		TEST(test_indirect),
		TEST(test_endless),
		TEST(test_event_index),
		TEST(test_hold),
		TEST(test_rounds),
		TEST(test_pending),
		TEST(test_abort),
		TEST(test_complaints),
	};

	return cmocka_run_group_tests_name("gpu-proc commands", tests, NULL, NULL);
}
