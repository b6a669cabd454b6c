// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/gpu_context.c, context_heap.c, gpu_fence.c: capsets, contexts, fences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "blob_guest.h"

static void test_config(void **state)
{
	uint64_t features = gpu_features(&guest.gpu);

	(void)state;
	assert_true(features & 1ull << VIRTIO_GPU_F_VIRGL);
	assert_true(features & 1ull << VIRTIO_GPU_F_CONTEXT_INIT);
	assert_true(features & 1ull << VIRTIO_GPU_F_RESOURCE_BLOB);
	assert_false(features & 1ull << VIRTIO_GPU_F_RESOURCE_UUID);
	assert_int_equal(guest.gpu.config.num_capsets, 1);
	gpu_context_disable_all(&guest.gpu);
	features = gpu_features(&guest.gpu);
	assert_false(features & 1ull << VIRTIO_GPU_F_VIRGL);
	assert_false(features & 1ull << VIRTIO_GPU_F_CONTEXT_INIT);
	assert_int_equal(guest.gpu.config.num_capsets, 0);
}

static void test_capset(void **state)
{
	struct virtio_gpu_get_capset_info info = {
		.hdr.type = VIRTIO_GPU_CMD_GET_CAPSET_INFO,
	};
	struct virtio_gpu_get_capset get = {
		.hdr.type = VIRTIO_GPU_CMD_GET_CAPSET, .capset_id = 63,
	};
	struct virtio_gpu_capset_heap capset;

	(void)state;
	assert_int_equal(ask(info), VIRTIO_GPU_RESP_OK_CAPSET_INFO);
	assert_int_equal(guest.response_size, sizeof(struct virtio_gpu_resp_capset_info));
	assert_int_equal(guest.response.capset_info.capset_id, 63);
	assert_int_equal(guest.response.capset_info.capset_max_version, 0);
	assert_int_equal(guest.response.capset_info.capset_max_size, 8);
	info.capset_index = 1;
	assert_refused(info, INVALID_PARAMETER, "capset 1, but there are only 1");

	assert_int_equal(ask(get), VIRTIO_GPU_RESP_OK_CAPSET);
	assert_int_equal(guest.response_size, sizeof(struct virtio_gpu_ctrl_hdr) + 8);
	memcpy(&capset, guest.response.bytes + sizeof(struct virtio_gpu_ctrl_hdr), sizeof(capset));
	assert_int_equal(capset.version, 0);
	assert_int_equal(capset.memtypes, 1 << 1 | 1 << 6);
	get.capset_version = 1;
	assert_refused(get, INVALID_PARAMETER, "capset id 63 has version 0 at most, not 1");
	get.capset_id = 2;
	assert_refused(get, INVALID_PARAMETER, "there is no capset id 2");
}

static void test_create_and_destroy(void **state)
{
	struct virtio_gpu_ctx_create create = ctx_create_request(1, 63);
	struct virtio_gpu_ctx_destroy destroy = {
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_DESTROY, .ctx_id = 1 },
	};

	(void)state;
	assert_refused(destroy, INVALID_CONTEXT_ID, "there is no context 1");
	assert_ok(ask(create));
	assert_string_equal(gpu_context_find(&guest.gpu, 1)->name, "test");
	assert_refused(create, INVALID_CONTEXT_ID, "context 1 is there already");
	create.hdr.ctx_id = 0;
	assert_refused(create, INVALID_CONTEXT_ID, "context 0 is none");
	create.hdr.ctx_id = 2;
	create.context_init = 64;
	assert_refused(create, INVALID_PARAMETER, "context_init 0x40 is no capset id");
	create.context_init = 0x100 + 63;
	assert_refused(create, INVALID_PARAMETER, "context_init 0x13f is no capset id");
	create.context_init = 63;
	create.nlen = 65;
	assert_refused(create, INVALID_PARAMETER, "a name of 65 bytes, there is room for 64");
	create.nlen = 64;
	memset(create.debug_name, '\n', 64);
	assert_ok(ask(create));
	assert_string_equal(gpu_context_find(&guest.gpu, 2)->name,
			    "????????????????????????????????????????????????????????????????");
	guest.gpu.limits.contexts = 2;
	create.hdr.ctx_id = 3;
	assert_refused(create, OUT_OF_MEMORY, "there are 2 contexts, and may not be more");
	assert_ok(ask(destroy));
	assert_ok(ask(create));
	assert_null(gpu_context_find(&guest.gpu, 1));
}

/* A blob outlives the context that made it, and is nothing to others until it is attached. */
static void test_attach(void **state)
{
	struct virtio_gpu_ctx_create second = ctx_create_request(2, 63);
	struct virtio_gpu_ctx_resource req = ctx_request(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 2, 5);
	struct virtio_gpu_ctx_destroy destroy = {
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_DESTROY, .ctx_id = 1 },
	};

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WC);
	assert_refused(req, INVALID_CONTEXT_ID, "there is no context 2");
	assert_ok(ask(second));
	assert_ok(ask(req));
	assert_ok(ask(destroy));
	req.hdr.type = VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE;
	assert_ok(ask(req));
	req.hdr.ctx_id = 1;
	assert_refused(req, INVALID_CONTEXT_ID, "CTX_DETACH_RESOURCE: there is no context 1");
	req.resource_id = 6;
	assert_refused(req, INVALID_RESOURCE_ID, "there is no resource 6");
	map_blob(0);
	/* guest memory is no context's */
	assert_ok(create_2d(6, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 4, 4));
	assert_ok(ask(req));
}

struct submit {
	struct virtio_gpu_cmd_submit cmd;
	uint32_t words[2];
};

/* Capset id 0: what Linux makes for pictures in 2D. They can be attached; no more. */
static void test_plain(void **state)
{
	struct virtio_gpu_ctx_create create = ctx_create_request(1, 0);
	struct virtio_gpu_ctx_resource attached =
		ctx_request(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 1, 6);
	struct submit submit = {
		.cmd = { .hdr = { .type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1 } },
	};
	struct virtio_gpu_resource_create_blob blob = {
		.hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, .ctx_id = 1 },
		.resource_id = 7,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
		.size = 4096,
	};
	struct virtio_gpu_get_capset get = { .hdr.type = VIRTIO_GPU_CMD_GET_CAPSET };

	(void)state;
	assert_ok(ask(create));
	assert_ok(create_2d(6, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 4, 4));
	assert_ok(ask(attached));
	assert_ok(ask(submit));
	submit.cmd.size = 8;
	assert_refused(submit, INVALID_PARAMETER, "8 bytes of commands, capset id 0 has none");
	assert_refused(blob, INVALID_PARAMETER, "a context of capset id 0 has no memory of the host");
	assert_refused(get, INVALID_PARAMETER, "there is no capset id 0");
}

static void test_submit(void **state)
{
	struct submit req = {
		.cmd = { .hdr = { .type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1 } },
	};
	struct virtio_gpu_ctx_create create = ctx_create_request(1, 63);

	(void)state;
	assert_refused(req, INVALID_CONTEXT_ID, "there is no context 1");
	assert_ok(ask(create));
	assert_ok(ask(req));
	req.cmd.size = 8;
	assert_refused(req, INVALID_PARAMETER, "8 bytes of commands, a heap has none");
	req.cmd.size = 6;
	assert_refused(req, INVALID_PARAMETER, "6 bytes of commands, but there are 8; must be a multiple of 4");
	req.cmd.size = 12;
	assert_refused(req, INVALID_PARAMETER, "12 bytes of commands, but there are 8");
	req.cmd.size = UINT32_MAX - 3;
	assert_refused(req, INVALID_PARAMETER, "4294967292 bytes of commands");
}

/* ---- fences: a type whose renderer the test is ---- */

static struct {
	uint32_t ring;
	uint64_t fence;
} asked[64];
static unsigned int nasked;
static bool cannot_fence;
static const struct gpu_context_type *foreign;

static uint32_t fenced_submit(struct gpu_context *ctx, void *data, uint32_t size,
			      struct gpu_why *why)
{
	(void)ctx;
	(void)data;
	if (size)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_UNSPEC, "no");
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static int fenced_fence(struct gpu_context *ctx, uint32_t ring, uint64_t fence)
{
	assert_ptr_equal(ctx->type, foreign);
	if (cannot_fence)
		return -1;
	asked[nasked].ring = ring;
	asked[nasked++].fence = fence;
	return 0;
}

static void fenced_close(void)
{
}

static const struct gpu_context_type fenced = {
	.name = "fenced", .capset_id = 7, .submit = fenced_submit, .fence = fenced_fence,
	.close = fenced_close,
};

static int fence_setup(void **state)
{
	struct virtio_gpu_ctx_create create = ctx_create_request(1, 7);

	blob_setup(state);
	foreign = &fenced;
	nasked = 0;
	cannot_fence = false;
	guest.gpu.contexts.types[guest.gpu.contexts.ntypes++] = &fenced;
	assert_ok(ask(create));
	create.hdr.ctx_id = 2;
	assert_ok(ask(create));
	return 0;
}

/* Submit with a fence; answers go to a place of their own. */
static void submit(uint32_t ctx, uint8_t ring, uint64_t id)
{
	struct virtio_gpu_cmd_submit req = {
		.hdr = {
			.type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = ctx, .ring_idx = ring,
			.flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX,
			.fence_id = id,
		},
	};

	guest_send(QUEUE_CONTROL, &req, sizeof(req), sizeof(req.hdr));
}

static uint16_t answered(void)
{
	return guest.drv[QUEUE_CONTROL].used->idx;
}

static void signal_ring(uint32_t ctx, uint32_t ring, uint64_t fence)
{
	gpu_fence_signal(ctx, ring, fence);
	gpu_fence_ready(&guest.gpu);
}

static void test_fence(void **state)
{
	uint16_t before = answered();
	const struct virtio_gpu_ctrl_hdr *hdr = (const void *)(guest.ram + RESPONSE);

	(void)state;
	submit(1, 3, 0x1234567890);
	assert_int_equal(answered(), before);
	assert_int_equal(nasked, 1);
	assert_int_equal(asked[0].ring, 3);
	/* others' signals are nothing to it */
	signal_ring(2, 3, asked[0].fence);
	signal_ring(1, 2, asked[0].fence);
	signal_ring(1, 3, asked[0].fence - 1);
	signal_ring(9, 3, asked[0].fence);
	assert_int_equal(answered(), before);
	signal_ring(1, 3, asked[0].fence);
	assert_int_equal(answered(), before + 1);
	assert_int_equal(hdr->type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(hdr->flags, VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
	assert_int_equal(hdr->fence_id, 0x1234567890);
	assert_int_equal(hdr->ctx_id, 1);
	assert_int_equal(hdr->ring_idx, 3);
	/* and a second time it is nothing at all */
	signal_ring(1, 3, asked[0].fence);
	assert_int_equal(answered(), before + 1);
}

/* The guest's ids may go backwards or be the same: order is that of the ring. */
static void test_fences_out_of_order(void **state)
{
	static const uint64_t ids[] = { 9, 5, 5, 0, UINT64_MAX, 1 };
	uint16_t before = answered(), i;
	struct vring_used *used = guest.drv[QUEUE_CONTROL].used;
	uint16_t heads[6];

	(void)state;
	for (i = 0; i < 6; i++) {
		heads[i] = guest.drv[QUEUE_CONTROL].next_desc;
		submit(1, i % 2, ids[i]);
	}
	assert_int_equal(nasked, 6);
	/* ring 1 first, up to its second */
	signal_ring(1, 1, asked[3].fence);
	assert_int_equal(answered(), before + 2);
	assert_int_equal(used->ring[before % DRIVER_NUM].id, heads[1]);
	assert_int_equal(used->ring[(before + 1) % DRIVER_NUM].id, heads[3]);
	/* two signals, the later one of which came first */
	gpu_fence_signal(1, 0, asked[4].fence);
	gpu_fence_signal(1, 0, asked[0].fence);
	gpu_fence_ready(&guest.gpu);
	assert_int_equal(answered(), before + 5);
	assert_int_equal(used->ring[(before + 2) % DRIVER_NUM].id, heads[0]);
	assert_int_equal(used->ring[(before + 3) % DRIVER_NUM].id, heads[2]);
	assert_int_equal(used->ring[(before + 4) % DRIVER_NUM].id, heads[4]);
	signal_ring(1, 1, UINT64_MAX);
	assert_int_equal(answered(), before + 6);
}

/* Done at once: without a ring, without such a context, and where the renderer cannot. */
static void test_no_fence(void **state)
{
	struct submit req = {
		.cmd = {
			.hdr = {
				.type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1, .fence_id = 77,
				.flags = VIRTIO_GPU_FLAG_FENCE,
			},
		},
	};
	struct virtio_gpu_ctx_create heap_ctx = ctx_create_request(5, 63);

	(void)state;
	assert_ok(ask(req));
	assert_int_equal(guest.response.hdr.fence_id, 77);
	assert_int_equal(guest.response.hdr.flags, VIRTIO_GPU_FLAG_FENCE);
	req.cmd.hdr.flags |= VIRTIO_GPU_FLAG_INFO_RING_IDX;
	req.cmd.hdr.ring_idx = 64;
	assert_refused(req, INVALID_PARAMETER, "context 1: ring 64, must be below 64");
	assert_int_equal(guest.response.hdr.fence_id, 77);
	req.cmd.hdr.ring_idx = 63;
	cannot_fence = true;
	assert_refused(req, UNSPEC, "context 1: no fence on ring 63");
	req.cmd.hdr.ctx_id = 9;
	assert_refused(req, INVALID_CONTEXT_ID, "there is no context 9");
	assert_ok(ask(heap_ctx));
	req.cmd.hdr.ctx_id = 5;
	assert_ok(ask(req));
	assert_int_equal(nasked, 0);
}

/* An error waits, too: answered at once, it would tell the guest of all fences before it. */
static void test_fence_of_an_error(void **state)
{
	struct submit req = {
		.cmd = {
			.hdr = {
				.type = VIRTIO_GPU_CMD_SUBMIT_3D, .ctx_id = 1,
				.flags = VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX,
			},
			.size = 8,
		},
	};
	uint16_t before = answered();

	(void)state;
	capture_begin();
	send(req);
	assert_logged(capture_end(), "context 1: no");
	assert_int_equal(answered(), before);
	signal_ring(1, 0, asked[0].fence);
	assert_int_equal(guest_answer(QUEUE_CONTROL), VIRTIO_GPU_RESP_ERR_UNSPEC);
}

/* Destroying a context answers what waits for it, in order; a reset forgets it. */
static void test_context_goes(void **state)
{
	struct virtio_gpu_ctx_destroy destroy = {
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_DESTROY, .ctx_id = 1 },
	};
	struct virtio_gpu_ctx_create create = ctx_create_request(1, 7);
	uint16_t before = answered();

	(void)state;
	submit(1, 0, 1);
	submit(2, 0, 2);
	submit(1, 1, 3);
	send(destroy);
	assert_int_equal(answered(), before + 3);
	/* what is signalled late is not its successor's */
	send(create);
	submit(1, 0, 4);
	signal_ring(1, 0, asked[0].fence);
	signal_ring(1, 1, asked[2].fence);
	assert_int_equal(answered(), before + 4);
	signal_ring(1, 0, asked[3].fence);
	assert_int_equal(answered(), before + 5);
	gpu_reset(&guest.gpu);
	assert_null(guest.gpu.pending);
	signal_ring(2, 0, asked[1].fence);
	assert_int_equal(answered(), before + 5);
}

/* A ring that stops: its requests are answered, and signals come too late. */
static void test_ring_stops(void **state)
{
	uint16_t before = answered();

	(void)state;
	submit(1, 0, 1);
	gpu_abort(&guest.gpu, &guest.queues[QUEUE_CONTROL]);
	assert_int_equal(answered(), before + 1);
	assert_null(guest.gpu.pending);
	signal_ring(1, 0, asked[0].fence);
	assert_int_equal(answered(), before + 1);
}

static void *renderer(void *arg)
{
	uint32_t ring = (uintptr_t)arg;
	unsigned int i;

	for (i = 0; i < nasked; i++)
		if (asked[i].ring == ring)
			gpu_fence_signal(1, ring, asked[i].fence);
	return NULL;
}

/* Threads signal while the main loop waits for the event fd. */
static void test_threads(void **state)
{
	uint16_t before = answered();
	pthread_t threads[4];
	uintptr_t i;
	eventfd_t count;

	(void)state;
	for (i = 0; i < 32; i++)
		submit(1, i % 4, i);
	for (i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, renderer, (void *)i), 0);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	gpu_fence_ready(&guest.gpu);
	assert_int_equal(answered(), before + 32);
	/* nothing is left to be read: no busy main loop */
	assert_int_equal(eventfd_read(guest.gpu.fences.event, &count), -1);
	/* what the end finds in the list is freed */
	gpu_fence_signal(1, 0, 1);
}

/* What is memory of one type is none of another's. */
static void test_foreign_resource(void **state)
{
	struct virtio_gpu_ctx_create heap_ctx = ctx_create_request(5, 63);
	struct virtio_gpu_resource_create_blob blob = blob_request(5, 5, VIRTIO_GPU_HEAP_WC, PAGE);
	struct virtio_gpu_ctx_resource attach =
		ctx_request(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, 1, 5);

	(void)state;
	assert_ok(ask(heap_ctx));
	assert_ok(ask(blob));
	assert_refused(attach, INVALID_PARAMETER,
		       "resource 5 is of type heap, context 1 of type fenced");
	attach.hdr.ctx_id = 5;
	assert_ok(ask(attach));
}

static void parse_refused(const char *arg, const char *text)
{
	struct gpu_context_spec spec;

	capture_begin();
	assert_int_equal(gpu_context_spec_parse(&spec, arg), -1);
	assert_logged(capture_end(), text);
}

static void test_option(void **state)
{
	struct gpu_context_spec spec;

	(void)state;
	assert_int_equal(gpu_context_spec_parse(&spec, "heap"), 0);
	assert_ptr_equal(spec.type, &context_heap);
	assert_int_equal(spec.limit, 256 << 20);
	assert_int_equal(gpu_context_spec_parse(&spec, "heap,limit=2M"), 0);
	assert_int_equal(spec.limit, 2 << 20);
	parse_refused("", "there is no type '' in this build");
	parse_refused("hea", "there is no type 'hea' in this build");
	parse_refused("virgl,x=1", "there is no type 'virgl' in this build");
	parse_refused("heap,", "'' is no option of heap");
	parse_refused("heap,limit", "'limit' is no option of heap");
	parse_refused("heap,size=1", "'size=1' is no option of heap");
	parse_refused("heap,server=/bin/true", "'server=/bin/true' is no option of heap");
	parse_refused("heap,limit=", "limit= is not a size above 0");
	parse_refused("heap,limit=0", "limit=0 is not a size above 0");
	parse_refused("heap,limit=1M,limit=2M", "limit=1M,limit=2M is not a size above 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_config, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_capset, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_create_and_destroy, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_attach, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_plain, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_submit, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_fence, fence_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_fences_out_of_order, fence_setup,
						blob_teardown),
		cmocka_unit_test_setup_teardown(test_no_fence, fence_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_fence_of_an_error, fence_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_context_goes, fence_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_ring_stops, fence_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_threads, fence_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_foreign_resource, fence_setup, blob_teardown),
		cmocka_unit_test(test_option),
	};

	return cmocka_run_group_tests_name("gpu-proc contexts", tests, NULL, NULL);
}
