// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/context_virgl.c: venus with the real render server, inside the filter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "blob_guest.h"
#include "gpu-proc/sandbox.h"

static const struct sandbox_options sandbox = {
	.mode = SANDBOX_STRICT, .blobs = true, .threads = true,
};

static int venus_setup(void **state)
{
	const struct gpu_context_spec spec = { .type = &context_virgl };

	blob_setup(state);
	return gpu_context_enable(&guest.gpu, &spec, &sandbox);
}

static uint32_t create(uint32_t id)
{
	struct virtio_gpu_ctx_create req = ctx_create_request(id, 4);

	return ask(req);
}

static uint32_t create_blob(uint32_t ctx, uint32_t id, uint64_t blob_id)
{
	struct virtio_gpu_resource_create_blob req = blob_request(ctx, id, blob_id, 2 * PAGE);

	return ask(req);
}

static uint32_t destroy(uint32_t id)
{
	struct virtio_gpu_ctx_destroy req = {
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_DESTROY, .ctx_id = id },
	};

	return ask(req);
}

struct submit {
	struct virtio_gpu_cmd_submit cmd;
	uint32_t words[8];
};

static struct submit submit_request(uint32_t ctx, uint32_t size)
{
	struct submit req = {
		.cmd = {
			.hdr = {
				.type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = ctx, .fence_id = 7,
				.flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX,
			},
			.size = size,
		},
	};

	memset(req.words, 0xa5, sizeof(req.words));
	return req;
}

/* Submit with a fence on ring 0, and wait for it. */
static uint32_t submit(uint32_t ctx, uint32_t size)
{
	struct pollfd pfd = { .fd = guest.gpu.fences.event, .events = POLLIN };
	struct submit req = submit_request(ctx, size);

	send(req);
	while (!is_answered()) {
		if (poll(&pfd, 1, 20000) != 1)
			return 0;
		gpu_fence_ready(&guest.gpu);
	}
	return guest_answer(QUEUE_CONTROL);
}

/* All that the main loop does with it, where any other system call would be the end. */
static int in_the_filter(void)
{
	struct virtio_gpu_get_capset get = {
		.hdr.type = VIRTIO_GPU_CMD_GET_CAPSET, .capset_id = 4,
	};
	uint32_t id;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_filter(&sandbox) < 0)
		return 1;
	if (ask(get) != VIRTIO_GPU_RESP_OK_CAPSET ||
	    guest.response_size <= sizeof(struct virtio_gpu_ctrl_hdr) + 32)
		return 2;
	if (create(1) != VIRTIO_GPU_RESP_OK_NODATA || create(2) != VIRTIO_GPU_RESP_OK_NODATA)
		return 3;
	/* blob_id 0: shared memory of the library's */
	if (create_blob(1, 5, 0) != VIRTIO_GPU_RESP_OK_NODATA)
		return 4;
	if (submit(1, 0) != VIRTIO_GPU_RESP_OK_NODATA || guest.response.hdr.fence_id != 7)
		return 5;
	if (destroy(1) != VIRTIO_GPU_RESP_OK_NODATA || unref(5) != VIRTIO_GPU_RESP_OK_NODATA)
		return 6;
	if (create(1) != VIRTIO_GPU_RESP_OK_NODATA || submit(1, 0) != VIRTIO_GPU_RESP_OK_NODATA)
		return 7;
	/* More threads than the C library counts processors for. */
	for (id = 10; id < 30; id++)
		if (create(id) != VIRTIO_GPU_RESP_OK_NODATA ||
		    submit(id, 0) != VIRTIO_GPU_RESP_OK_NODATA)
			return 8;
	gpu_disconnect(&guest.gpu);
	gpu_fini(&guest.gpu);
	return 0;
}

static void test_in_the_filter(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		venus_setup(state);
		_exit(in_the_filter());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A blob that there is not, and commands that are none: errors, and no one else's matter. */
static void test_hostile(void **state)
{
	struct virtio_gpu_resource_create_blob blob = blob_request(1, 5, 1234, PAGE);
	struct virtio_gpu_ctx_resource attach =
		ctx_request(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 2, 6);

	(void)state;
	assert_ok(create(1));
	assert_ok(create(2));
	capture_begin();
	assert_int_equal(ask(blob), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_logged(capture_end(), "virglrenderer has no blob 0x4d2 of 0x1000 bytes");
	blob.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST;
	assert_refused(blob, INVALID_PARAMETER, "0 entries");
	assert_ok(create_blob(1, 6, 0));
	assert_ok(ask(attach));
	/* its process ends: what waits for it is answered, and what comes is refused */
	capture_begin();
	assert_int_not_equal(submit(1, 32), 0);
	assert_int_equal(submit(1, 32), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_logged(capture_end(), "its renderer has failed");
	assert_ok(submit(2, 0));
	assert_ok(create_blob(2, 7, 0));
	assert_ok(destroy(1));
	assert_ok(create(1));
	assert_ok(submit(1, 0));
}

static void test_server_dies(void **state)
{
	struct pollfd pfd = { .fd = context_virgl.poll_fd(), .events = POLLIN };
	struct virtio_gpu_ctx_create again = ctx_create_request(2, 4);
	struct virtio_gpu_ctx_create heap = ctx_create_request(3, VIRTIO_GPU_CAPSET_HEAP);
	struct submit req = submit_request(1, 4);

	(void)state;
	assert_ok(create(1));
	assert_ok(create_blob(1, 5, 0));
	assert_int_equal(pidfd_send_signal(pfd.fd, SIGKILL, NULL, 0), 0);
	assert_int_equal(poll(&pfd, 1, 10000), 1);
	capture_begin();
	context_virgl.poll_ready(&guest.gpu);
	assert_logged(capture_end(), "the render server has ended: no more contexts of type venus");
	assert_int_equal(context_virgl.poll_fd(), -1);
	assert_refused(again, UNSPEC, "context 2: the render server has ended");
	assert_refused(req, UNSPEC, "context 1: its renderer has failed");
	assert_ok(destroy(1));
	assert_ok(unref(5));
	assert_ok(ask(heap));
	assert_int_equal(waitpid(-1, NULL, 0) > 0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_the_filter),
		cmocka_unit_test_setup_teardown(test_hostile, venus_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_server_dies, venus_setup, blob_teardown),
	};

	return cmocka_run_group_tests_name("gpu-proc venus", tests, NULL, NULL);
}
