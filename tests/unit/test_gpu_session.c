// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/session.c and shmem.c: the export of buffers, and how a session ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "front_end.h"
#include "gpu-proc/gpu_command.h"

static struct front_end fe;

#define MAP	VHOST_USER_BACKEND_SHMEM_MAP
#define UNMAP	VHOST_USER_BACKEND_SHMEM_UNMAP

static void test_features(void **state)
{
	(void)state;
	fe_start(&fe);
	assert_int_equal(fe_get(&fe, VHOST_USER_GET_FEATURES),
			 BIT(32) | BIT(VHOST_F_LOG_ALL) | BIT(28) | BIT(29) |
			 BIT(VIRTIO_GPU_F_EDID) | BIT(VIRTIO_GPU_F_RESOURCE_BLOB) |
			 BIT(VHOST_USER_F_PROTOCOL_FEATURES));
	assert_int_equal(fe_get(&fe, VHOST_USER_GET_PROTOCOL_FEATURES), FE_ALL_FEATURES);
	fe_negotiate(&fe, FE_ALL_FEATURES);
	assert_int_equal(fe_get(&fe, VHOST_USER_GET_QUEUE_NUM), 2);
	assert_logged(fe_hang_up(&fe, SESSION_CLOSED), "the front-end closed the connection");
}

/* The whole life: mapped in order, unmapped in order when SIGTERM comes. */
static void test_export_and_stop(void **state)
{
	const char *log;
	unsigned int i;

	(void)state;
	fe_start(&fe);
	fe_export(&fe);
	fe_signal(&fe, SIGTERM);
	for (i = 0; i < FE_BUFFERS; i++) {
		struct vhost_user_msg msg;

		fe_recv(fe.backend, &msg);
		assert_int_equal(msg.hdr.request, UNMAP);
		assert_int_equal(msg.hdr.flags, VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY);
		assert_int_equal(msg.nfds, 0);
		assert_int_equal(msg.payload.mmap.shmid, 1);
		assert_int_equal(msg.payload.mmap.shm_offset, fe.specs[i].offset);
		assert_int_equal(msg.payload.mmap.len, FE_BUFFER_SIZE);
		/* the main socket is still served meanwhile */
		fe_get(&fe, VHOST_USER_GET_STATUS);
		fe_answer(&fe, UNMAP, 0);
	}
	log = fe_finish(&fe, SESSION_STOPPED);
	assert_logged(log, "buffer 0 (memfd node): 8 KiB at 0x0, host type ");
	assert_logged(log, "buffer 2 (memfd node): mapped by the front-end");
	assert_logged(log, "buffer 2 (memfd node): unmapped by the front-end");
}

/* GET_SHMEM_CONFIG and SET_BACKEND_REQ_FD may come in either order; nothing is sent before both. */
static void test_export_order(void **state)
{
	unsigned int i;

	(void)state;
	fe_start(&fe);
	fe_negotiate(&fe, FE_ALL_FEATURES);
	fe_give_backend_socket(&fe);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_expect_nothing(&fe);
	fe_ask_shmem(&fe);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	for (i = 0; i < FE_BUFFERS; i++)
		fe_expect_map(&fe, i);
	fe_hang_up(&fe, SESSION_CLOSED);

	fe_start(&fe);
	fe_negotiate(&fe, FE_ALL_FEATURES);
	fe_ask_shmem(&fe);
	fe_give_backend_socket(&fe);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	for (i = 0; i < FE_BUFFERS; i++)
		fe_expect_map(&fe, i);
	/* asked again: nothing is sent twice */
	fe_ask_shmem(&fe);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_expect_nothing(&fe);
	fe_hang_up(&fe, SESSION_CLOSED);
}

static void test_no_reply_ack(void **state)
{
	unsigned int i;

	(void)state;
	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES & ~BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK));
	for (i = 0; i < FE_BUFFERS; i++)
		close(fe_expect(&fe, MAP, i, false));
	fe_signal(&fe, SIGINT);
	/* no answers to wait for */
	fe_join(&fe);
	for (i = 0; i < FE_BUFFERS; i++)
		fe_expect(&fe, UNMAP, i, false);
	fe_finish(&fe, SESSION_STOPPED);
}

/* Without the right to send fds nothing can be exported; the log says why. */
static void test_no_send_fd(void **state)
{
	(void)state;
	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES & ~BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD));
	fe_expect_nothing(&fe);
	assert_logged(fe_hang_up(&fe, SESSION_CLOSED),
		      "are without BACKEND_REQ and BACKEND_SEND_FD: no buffer can be exported");
}

/* A refused buffer is named, with the value; the others live on; the end is a failure. */
static void test_refused(void **state)
{
	const char *log;

	(void)state;
	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	fe_expect_map(&fe, 0);
	fe_expect_map(&fe, 1);
	fe_expect_map(&fe, 2);
	fe_answer(&fe, MAP, 0);
	fe_answer(&fe, MAP, 7);
	fe_answer(&fe, MAP, 0);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_signal(&fe, SIGTERM);
	/* only what is mapped is unmapped */
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_expect(&fe, UNMAP, 0, true);
	fe_expect(&fe, UNMAP, 2, true);
	fe_expect_nothing(&fe);
	fe_answer(&fe, UNMAP, 0);
	fe_answer(&fe, UNMAP, 0);
	log = fe_finish(&fe, SESSION_FAILED);
	assert_logged(log, "buffer 1 (memfd node): the front-end refused SHMEM_MAP of 0x2000 bytes at 0x4000: it answered 7");
}

/* Stopped while the front-end has not answered yet: UNMAP follows MAP all the same. */
static void test_stop_before_answer(void **state)
{
	(void)state;
	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	fe_expect_map(&fe, 0);
	fe_expect_map(&fe, 1);
	fe_expect_map(&fe, 2);
	fe_signal(&fe, SIGTERM);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_expect(&fe, UNMAP, 0, true);
	fe_expect(&fe, UNMAP, 1, true);
	fe_expect(&fe, UNMAP, 2, true);
	fe_answer(&fe, MAP, 0);
	fe_answer(&fe, MAP, 0);
	fe_answer(&fe, MAP, 0);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	/* told twice: nothing is unmapped twice */
	fe_signal(&fe, SIGTERM);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_expect_nothing(&fe);
	fe_answer(&fe, UNMAP, 0);
	fe_answer(&fe, UNMAP, 0);
	fe_answer(&fe, UNMAP, 0);
	fe_finish(&fe, SESSION_STOPPED);
}

/* A front-end that never answers does not hold up the end. */
static void test_stop_unanswered(void **state)
{
	(void)state;
	fe_start(&fe);
	fe_export(&fe);
	fe_signal(&fe, SIGTERM);
	assert_logged(fe_finish(&fe, SESSION_STOPPED), "left 3 requests unanswered for 500 ms");
}

static void test_stop_closed(void **state)
{
	(void)state;
	fe_start(&fe);
	fe_export(&fe);
	fe_signal(&fe, SIGTERM);
	fe_hang_up(&fe, SESSION_CLOSED);

	/* nothing negotiated yet: the end at once */
	fe_start(&fe);
	fe_signal(&fe, SIGTERM);
	fe_finish(&fe, SESSION_STOPPED);
}

/* The front-end forgets its mappings in a reset; they come again. */
static void test_reset(void **state)
{
	unsigned int i;

	(void)state;
	fe_start(&fe);
	fe_export(&fe);
	assert_int_equal(fe_ack(&fe, VHOST_USER_RESET_DEVICE, NULL, 0, -1), 0);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	for (i = 0; i < FE_BUFFERS; i++)
		fe_expect_map(&fe, i);
	fe_expect_nothing(&fe);
	fe_hang_up(&fe, SESSION_CLOSED);
}

/*
 * Reset while requests are under way: what was answered before it is gone and
 * sent again; what was not, the front-end maps after the reset.
 */
static void test_reset_in_flight(void **state)
{
	(void)state;
	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	fe_expect_map(&fe, 0);
	fe_expect_map(&fe, 1);
	fe_expect_map(&fe, 2);
	fe_answer(&fe, MAP, 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_RESET_DEVICE, NULL, 0, -1), 0);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_expect_map(&fe, 0);
	fe_expect_nothing(&fe);
	fe_hang_up(&fe, SESSION_CLOSED);
}

/* An answer that is there when the reset comes counts, also if nobody has looked yet. */
static void test_reset_unread_answer(void **state)
{
	struct buffer buffers[2];
	struct shmem shmem;
	unsigned int i;
	int sv[2];

	(void)state;
	for (i = 0; i < 2; i++) {
		fe.specs[i] = (struct buffer_spec){
			.size = FE_BUFFER_SIZE,
			.offset = i * FE_BUFFER_SIZE,
		};
		buffers[i] = (struct buffer){ .spec = &fe.specs[i], .fd = STDIN_FILENO };
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	shmem_init(&shmem, buffers, 2, FE_SHMEM_SIZE);
	assert_int_equal(shmem_set_socket(&shmem, sv[1], FE_ALL_FEATURES), 0);
	assert_int_equal(shmem_map_all(&shmem), 0);
	fe.backend = sv[0];
	fe_answer(&fe, MAP, 0);
	capture_begin();
	assert_int_equal(shmem_reset(&shmem), 0);
	capture_end();
	assert_null(shmem.exports[0]);
	assert_int_equal(shmem.exports[1]->state, SHMEM_MAPPING);
	assert_int_equal(shmem.npending, 1);
	shmem_destroy(&shmem);
	close(sv[0]);
}

/* A refused buffer gets another chance after a reset. Status 0 is no reset. */
static void test_reset_after_refusal(void **state)
{
	(void)state;
	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	fe_expect_map(&fe, 0);
	fe_expect_map(&fe, 1);
	fe_expect_map(&fe, 2);
	fe_answer(&fe, MAP, 0);
	fe_answer(&fe, MAP, 1);
	fe_answer(&fe, MAP, 0);
	fe_send_u64(&fe, VHOST_USER_SET_STATUS, 0, 0);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_expect_nothing(&fe);
	assert_int_equal(fe_ack(&fe, VHOST_USER_RESET_DEVICE, NULL, 0, -1), 0);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_expect_map(&fe, 0);
	fe_expect_map(&fe, 1);
	fe_expect_map(&fe, 2);
	fe_hang_up(&fe, SESSION_FAILED);
}

/* What the guest made, while the session waits for the front-end. */
static void make_resource(void)
{
	struct virtio_gpu_ctrl_hdr hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D };
	struct gpu_request req = { .gpu = &fe.gpu, .cmd = (void *)&hdr, .size = sizeof(hdr) };

	assert_non_null(gpu_resource_create(&req, 1, GPU_RESOURCE_2D, 4096));
}

/* Reset, and the end of the connection, take it away. Status 0 only where there is no reset. */
static void test_reset_resources(void **state)
{
	(void)state;
	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	make_resource();
	fe_send_u64(&fe, VHOST_USER_SET_STATUS, 0, 0);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	assert_int_equal(fe.gpu.resources.count, 1);
	assert_int_equal(fe_ack(&fe, VHOST_USER_RESET_DEVICE, NULL, 0, -1), 0);
	assert_int_equal(fe.gpu.resources.count, 0);
	make_resource();
	fe_close(&fe.sock);
	fe_join(&fe);
	assert_int_equal(fe.gpu.resources.count, 0);
	assert_int_equal(fe.gpu.resources.host_bytes, 0);
	fe_finish(&fe, SESSION_CLOSED);

	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES & ~BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE));
	make_resource();
	fe_send_u64(&fe, VHOST_USER_SET_STATUS, 0, 15);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	assert_int_equal(fe.gpu.resources.count, 1);
	fe_send_u64(&fe, VHOST_USER_SET_STATUS, 0, 0);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	assert_int_equal(fe.gpu.resources.count, 0);
	fe_hang_up(&fe, SESSION_CLOSED);
}

/* A request that waits for something, on a queue that has not been started. */
static void make_pending(unsigned int q)
{
	struct gpu_request *req = calloc(1, sizeof(*req));

	req->gpu = &fe.gpu;
	req->queue = &fe.session.queues[q];
	req->cmd = calloc(1, sizeof(*req->cmd));
	req->next = fe.gpu.pending;
	if (req->next)
		req->next->prev = req;
	fe.gpu.pending = req;
	fe.gpu.pending_bytes += sizeof(*req);
}

/* A queue that is stopped has its requests back first, and no other's. */
static void test_stop_pending(void **state)
{
	struct vhost_vring_state control = { .index = 0 };
	struct vhost_user_msg msg;

	(void)state;
	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	make_pending(1);
	make_pending(0);
	make_pending(0);
	fe_send(fe.sock, VHOST_USER_GET_VRING_BASE, 0, &control, sizeof(control), -1);
	fe_reply(&fe, VHOST_USER_GET_VRING_BASE, &msg);
	assert_non_null(fe.gpu.pending);
	assert_ptr_equal(fe.gpu.pending->queue, &fe.session.queues[1]);
	assert_null(fe.gpu.pending->next);
	make_pending(0);
	fe_send_u64(&fe, VHOST_USER_SET_STATUS, 0, 0);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	assert_null(fe.gpu.pending);
	make_pending(0);
	make_pending(1);
	assert_int_equal(fe_ack(&fe, VHOST_USER_RESET_DEVICE, NULL, 0, -1), 0);
	assert_null(fe.gpu.pending);
	assert_int_equal(fe.gpu.pending_bytes, 0);
	make_pending(0);
	fe_hang_up(&fe, SESSION_CLOSED);
	assert_null(fe.gpu.pending);
}

/* SIGUSR2, which the session serves as it goes on. */
static void test_screenshot(void **state)
{
	(void)state;
	fe_start(&fe);
	fe_signal(&fe, SIGUSR2);
	fe_get(&fe, VHOST_USER_GET_FEATURES);
	fe_get(&fe, VHOST_USER_GET_FEATURES);
	assert_logged(fe_hang_up(&fe, SESSION_CLOSED),
		      "no screenshot: --screenshot=FILE was not given");
}

static void assert_bytes(const unsigned char *bytes, int value)
{
	unsigned int i;

	for (i = 0; i < FE_BUFFER_SIZE; i++)
		if (bytes[i] != value)
			fail_msg("byte %u is 0x%x, must be 0x%x", i, bytes[i], value);
}

/* The front-end sees the pattern, and again after SIGUSR1, written within CPU access windows. */
static void test_fill(void **state)
{
	unsigned char *map;
	int fd;

	(void)state;
	fe_start(&fe);
	assert_int_equal(memfd_cpu_windows, FE_BUFFERS);
	fe_handshake(&fe, FE_ALL_FEATURES);
	fe_expect_map(&fe, 0);
	fd = fe_expect(&fe, MAP, 1, true);
	map = mmap(NULL, FE_BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	close(fd);
	assert_bytes(map, 0x11);
	memset(map, 0xee, FE_BUFFER_SIZE);
	fe_signal(&fe, SIGUSR1);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	assert_bytes(map, 0x11);
	assert_int_equal(memfd_cpu_windows, 2 * FE_BUFFERS);
	munmap(map, FE_BUFFER_SIZE);
	fe_expect_map(&fe, 2);
	fe_hang_up(&fe, SESSION_CLOSED);
}

/* The peer closes after every step of the handshake. */
static void test_closed_everywhere(void **state)
{
	unsigned int steps;

	(void)state;
	for (steps = 0; steps < 10; steps++) {
		fe_start(&fe);
		if (steps > 0)
			fe_get(&fe, VHOST_USER_GET_FEATURES);
		if (steps > 1)
			fe_get(&fe, VHOST_USER_GET_PROTOCOL_FEATURES);
		if (steps > 2)
			fe_send_u64(&fe, VHOST_USER_SET_PROTOCOL_FEATURES, 0, FE_ALL_FEATURES);
		if (steps > 3)
			fe_give_backend_socket(&fe);
		if (steps > 4)
			fe_ask_shmem(&fe);
		if (steps > 5)
			fe_get(&fe, VHOST_USER_GET_STATUS);
		if (steps > 6)
			fe_expect_map(&fe, 0);
		if (steps > 7)
			fe_answer(&fe, MAP, 0);
		if (steps > 8)
			fe_close(&fe.backend);
		fe_hang_up(&fe, SESSION_CLOSED);
	}
}

/* Only the back-end socket closes: the device lives on, and a new socket may come. */
static void test_backend_socket_closed(void **state)
{
	unsigned int i;

	(void)state;
	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	fe_expect_map(&fe, 0);
	fe_answer(&fe, MAP, 0);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_expect_map(&fe, 1);
	fe_expect_map(&fe, 2);
	fe_close(&fe.backend);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	/* 0 is mapped; of 1 and 2 nothing is known but that nobody will answer */
	fe_give_backend_socket(&fe);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	for (i = 1; i < FE_BUFFERS; i++)
		fe_expect_map(&fe, i);
	fe_expect_nothing(&fe);
	assert_logged(fe_hang_up(&fe, SESSION_CLOSED), "the front-end closed the back-end socket");
}

static void test_backend_socket_replaced(void **state)
{
	int old, sv[2];

	(void)state;
	fe_start(&fe);
	fe_export(&fe);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	old = fe.backend;
	fe_give_backend_socket(&fe);
	fe_get(&fe, VHOST_USER_GET_STATUS);
	fe_expect_nothing(&fe);
	close(old);
	fe_hang_up(&fe, SESSION_CLOSED);

	/* not while requests are under way on the old one */
	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(fe_ack(&fe, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, sv[1]), 1);
	close(sv[0]);
	close(sv[1]);
	assert_logged(fe_hang_up(&fe, SESSION_CLOSED), "while 3 requests on it are unanswered");
}

/* Answers that are none. Each ends the session: what is mapped is not known any more. */
static void test_bad_answers(void **state)
{
	uint64_t zero = 0;

	(void)state;
	fe_start(&fe);
	fe_export(&fe);
	fe_answer(&fe, MAP, 0);
	assert_logged(fe_finish(&fe, SESSION_FAILED),
		      "a reply to request 9, but no request is unanswered");

	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	fe_answer(&fe, UNMAP, 0);
	assert_logged(fe_finish(&fe, SESSION_FAILED),
		      "a reply to request 10, but the oldest unanswered one is 9");

	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	fe_send(fe.backend, MAP, VHOST_USER_FLAG_REPLY, &zero, 4, -1);
	assert_logged(fe_finish(&fe, SESSION_FAILED), "a reply of 4 bytes, must be 8");

	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	fe_send(fe.backend, MAP, VHOST_USER_FLAG_REPLY, &zero, 8, 0);
	assert_logged(fe_finish(&fe, SESSION_FAILED), "a reply with 1 file descriptors");

	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	fe_send(fe.backend, MAP, 0, &zero, 8, -1);
	assert_logged(fe_finish(&fe, SESSION_FAILED), "message 9 is not a reply (flags 0x1)");

	fe_start(&fe);
	fe_handshake(&fe, FE_ALL_FEATURES);
	assert_int_equal(write(fe.backend, "123", 3), 3);
	fe_close(&fe.backend);
	assert_logged(fe_finish(&fe, SESSION_FAILED),
		      "back-end socket: the peer closed the connection inside a header");
}

/* The main socket breaks inside a message. */
static void test_broken_stream(void **state)
{
	(void)state;
	fe_start(&fe);
	assert_int_equal(write(fe.sock, "12345", 5), 5);
	assert_logged(fe_hang_up(&fe, SESSION_FAILED),
		      "front-end socket: the peer closed the connection inside a header");

	fe_start(&fe);
	assert_int_equal(write(fe.sock, "123456789012", 12), 12);
	assert_logged(fe_finish(&fe, SESSION_FAILED), "front-end socket: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_export_and_stop),
		cmocka_unit_test(test_export_order),
		cmocka_unit_test(test_no_reply_ack),
		cmocka_unit_test(test_no_send_fd),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_stop_before_answer),
		cmocka_unit_test(test_stop_unanswered),
		cmocka_unit_test(test_stop_closed),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_reset_in_flight),
		cmocka_unit_test(test_reset_unread_answer),
		cmocka_unit_test(test_reset_after_refusal),
		cmocka_unit_test(test_reset_resources),
		cmocka_unit_test(test_stop_pending),
		cmocka_unit_test(test_screenshot),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_closed_everywhere),
		cmocka_unit_test(test_backend_socket_closed),
		cmocka_unit_test(test_backend_socket_replaced),
		cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_broken_stream),
	};

	return cmocka_run_group_tests_name("gpu-proc session", tests, NULL, NULL);
}
