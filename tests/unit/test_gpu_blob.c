// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/gpu_blob.c: blobs of guest and host, and their way into the region. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "blob_guest.h"

/* Guest and host wait for each other in order: nothing is answered before the front-end has. */
static void test_map_and_unmap(void **state)
{
	struct virtio_gpu_resource_unmap_blob unmap = unmap_request(5);
	struct virtio_gpu_resource_map_blob map = map_request(5, 8 * PAGE);
	struct virtio_gpu_resource_create_blob second = blob_request(1, 6, VIRTIO_GPU_HEAP_WB,
								     PAGE);

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WC);
	send(map);
	expect(MAP, 8 * PAGE, 2 * PAGE);
	assert_false(is_answered());
	/* the control queue stands */
	send(second);
	assert_false(is_answered());
	assert_null(gpu_resource_find(&guest.gpu, 6));
	answer(MAP, 0);
	assert_true(is_answered());
	assert_non_null(gpu_resource_find(&guest.gpu, 6));

	send(unmap);
	expect(UNMAP, 8 * PAGE, 2 * PAGE);
	assert_false(is_answered());
	answer(UNMAP, 0);
	assert_ok(guest_answer(QUEUE_CONTROL));
	assert_refused(unmap, INVALID_PARAMETER, "RESOURCE_UNMAP_BLOB: resource 5 is not mapped");
	map_blob(16 * PAGE);
}

/* map_info is the kernel's answer; where it has none, or no word for it, there is no mapping. */
static void test_map_info(void **state)
{
	static const struct {
		int memtype;
		uint32_t map_info;
	} types[] = {
		{ DMABUF_MEMTYPE_WB, VIRTIO_GPU_MAP_CACHE_CACHED },
		{ DMABUF_MEMTYPE_WC, VIRTIO_GPU_MAP_CACHE_WC },
		{ DMABUF_MEMTYPE_UC, VIRTIO_GPU_MAP_CACHE_UNCACHED },
		{ DMABUF_MEMTYPE_UC_MINUS, VIRTIO_GPU_MAP_CACHE_UNCACHED },
	};
	struct virtio_gpu_resource_map_blob map = map_request(5, 0);
	struct virtio_gpu_resource_unmap_blob unmap = unmap_request(5);
	size_t i;

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WB);
	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		fake_memtype = types[i].memtype;
		map_blob(0);
		assert_int_equal(guest.response_size, sizeof(struct virtio_gpu_resp_map_info));
		assert_int_equal(guest.response.map_info.map_info, types[i].map_info);
		send(unmap);
		expect(UNMAP, 0, 2 * PAGE);
		answer(UNMAP, 0);
	}
	fake_memtype = DMABUF_MEMTYPE_WT;
	assert_refused(map, UNSPEC, "resource 5: has memory type WT, of which a guest cannot be told");
	fake_memtype = 99;
	assert_refused(map, UNSPEC, "memory type unknown");
	fake_memtype = -ENODEV;
	assert_refused(map, UNSPEC, "does not tell its memory type: No such device");
	expect_nothing();
}

static void test_bad_creates(void **state)
{
	static const struct {
		struct virtio_gpu_resource_create_blob req;
		uint32_t error;
		const char *text;
	} bad[] = {
		{ { .blob_mem = 0 }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "no blob_mem 0" },
		{ { .blob_mem = 4 }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "no blob_mem 4" },
		{ { .blob_mem = 2, .blob_flags = 8 }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
		  "blob_flags 0x8, only 0x7 are known" },
		{ { .blob_mem = 2, .size = 0 }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
		  "a blob of 0x0 bytes" },
		{ { .blob_mem = 2, .size = 100 }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
		  "a blob of 0x64 bytes, must be pages of 4096" },
		{ { .blob_mem = 1, .size = PAGE + 1 }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
		  "a blob of 0x1001 bytes" },
		{ { .blob_mem = 2, .size = PAGE, .nr_entries = 1 },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
		  "1 entries of guest memory for a blob of the host's" },
		{ { .blob_mem = 1, .size = PAGE }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
		  "0 entries, but 0 bytes" },
		{ { .blob_mem = 1, .size = PAGE, .nr_entries = 1 },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "1 entries, but 0 bytes" },
		{ { .blob_mem = 1, .size = PAGE, .nr_entries = UINT32_MAX },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "4294967295 entries" },
		{ { .hdr.ctx_id = 9, .blob_mem = 2, .size = PAGE },
		  VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID, "there is no context 9" },
		{ { .blob_mem = 2, .size = PAGE, .blob_id = 1 },
		  VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID, "there is no context 0" },
		{ { .hdr.ctx_id = 1, .blob_mem = 2, .size = PAGE, .blob_id = 0 },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "blob_id 0 is no memory type of the mask 0x42" },
		{ { .hdr.ctx_id = 1, .blob_mem = 2, .size = PAGE, .blob_id = 32 + 6 },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "blob_id 38 is no memory type" },
		{ { .hdr.ctx_id = 1, .blob_mem = 2, .size = PAGE, .blob_id = (1ull << 32) + 6 },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "blob_id 4294967302 is no" },
		{ { .hdr.ctx_id = 1, .blob_mem = 2, .size = HEAP_LIMIT, .blob_id = 6 },
		  VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
		  "0x100000 bytes, and 0x2000 are in use: above the limit of 0x100000" },
		{ { .hdr.ctx_id = 1, .blob_mem = 2, .size = -(uint64_t)PAGE, .blob_id = 6 },
		  VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, "above the limit" },
	};
	size_t i;

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WC);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct virtio_gpu_resource_create_blob req = bad[i].req;

		req.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB;
		req.resource_id = 7;
		capture_begin();
		assert_int_equal(ask(req), bad[i].error);
		assert_logged(capture_end(), bad[i].text);
		assert_null(gpu_resource_find(&guest.gpu, 7));
		guest.gpu.complaints = 0;
	}
	assert_int_equal(fake_fds, 1);
}

static void test_numbers_and_limits(void **state)
{
	struct virtio_gpu_resource_create_blob blob = blob_request(1, 5, VIRTIO_GPU_HEAP_WC, PAGE);

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WC);
	assert_refused(blob, INVALID_RESOURCE_ID, "resource 5 is there already");
	blob.resource_id = 0;
	assert_refused(blob, INVALID_RESOURCE_ID, "resource 0 is none");
	blob.resource_id = 6;
	blob.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST;
	assert_refused(blob, INVALID_PARAMETER, "0 entries");
	blob.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D;
	fake_alloc_errno = ENOMEM;
	assert_refused(blob, OUT_OF_MEMORY, "0x1000 bytes of WC memory: Cannot allocate memory");
	fake_alloc_errno = 0;
	guest.gpu.limits.resources = 1;
	assert_refused(blob, OUT_OF_MEMORY, "there are 1 resources");
	guest.gpu.limits.resources = 100;
	/* what is given back can be had again */
	blob.size = HEAP_LIMIT - 2 * PAGE;
	assert_ok(ask(blob));
	blob.resource_id = 7;
	blob.size = PAGE;
	assert_refused(blob, OUT_OF_MEMORY, "above the limit");
	assert_ok(unref(5));
	assert_ok(ask(blob));
}

struct blob_with_entry {
	struct virtio_gpu_resource_create_blob cmd;
	struct virtio_gpu_mem_entry entry;
};

static void test_guest_memory(void **state)
{
	struct blob_with_entry blob = {
		.cmd = blob_request(0, 3, 0, 2 * PAGE),
		.entry = { .addr = PICTURE, .length = 2 * PAGE },
	};
	struct virtio_gpu_resource_map_blob map = map_request(3, 0);
	char byte;

	(void)state;
	blob.cmd.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST;
	blob.cmd.nr_entries = 1;
	blob.entry.length = PAGE;
	assert_refused(blob, INVALID_PARAMETER, "a blob of 0x2000 bytes has 0x1000 of guest memory");
	blob.entry.length = 2 * PAGE;
	blob.entry.addr = GUEST_SIZE;
	assert_refused(blob, INVALID_PARAMETER, "is not in the guest's memory");
	blob.entry.addr = PICTURE;
	assert_ok(ask(blob));
	guest.ram[PICTURE + PAGE] = 0x5a;
	assert_int_equal(gpu_resource_read(&guest.gpu, gpu_resource_find(&guest.gpu, 3), PAGE,
					   &byte, 1), 0);
	assert_int_equal(byte, 0x5a);
	assert_refused(map, INVALID_PARAMETER, "resource 3 is no mappable blob of the host's");
	assert_int_equal(fake_fds, 0);
}

static void test_host_memory_read(void **state)
{
	struct gpu_resource *res;
	char bytes[4];

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WB);
	res = gpu_resource_find(&guest.gpu, 5);
	assert_int_equal(pwrite(res->blob.fd, "abcd", 4, PAGE), 4);
	assert_int_equal(gpu_resource_read(&guest.gpu, res, PAGE, bytes, 4), 0);
	assert_memory_equal(bytes, "abcd", 4);
	assert_int_equal(gpu_resource_read(&guest.gpu, res, 2 * PAGE - 3, bytes, 4), -1);
	assert_int_equal(gpu_resource_read(&guest.gpu, res, UINT64_MAX, bytes, 4), -1);
}

static void test_bad_maps(void **state)
{
	struct virtio_gpu_resource_map_blob map = map_request(9, 0);
	struct virtio_gpu_resource_create_blob other = blob_request(1, 6, VIRTIO_GPU_HEAP_WC, PAGE);
	struct virtio_gpu_resource_unmap_blob unmap = unmap_request(9);
	static const uint64_t places[] = {
		1, PAGE - 1,			/* not a page's start */
		REGION, REGION - PAGE,		/* beyond the end */
		-(uint64_t)PAGE, -2ull * PAGE,
		BUFFER_AT, BUFFER_AT - PAGE,	/* the static buffer's */
		8 * PAGE, 9 * PAGE, 7 * PAGE,	/* blob 5's */
	};
	size_t i;

	(void)state;
	assert_refused(map, INVALID_RESOURCE_ID, "there is no resource 9");
	assert_refused(unmap, INVALID_RESOURCE_ID, "there is no resource 9");
	assert_ok(create_2d(9, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 4, 4));
	assert_refused(map, INVALID_PARAMETER, "resource 9 is no mappable blob of the host's");
	assert_refused(unmap, INVALID_PARAMETER, "resource 9 is not mapped");
	make_blob(VIRTIO_GPU_HEAP_WC);
	other.blob_flags = 0;
	assert_ok(ask(other));
	map.resource_id = 6;
	assert_refused(map, INVALID_PARAMETER, "resource 6 is no mappable blob of the host's");
	assert_ok(unref(6));

	map_blob(8 * PAGE);
	other = blob_request(1, 6, VIRTIO_GPU_HEAP_WC, 2 * PAGE);
	assert_ok(ask(other));
	for (i = 0; i < sizeof(places) / sizeof(*places); i++) {
		map.offset = places[i];
		assert_refused(map, INVALID_PARAMETER, "are not free pages of the region's 0x4000000");
	}
	map.resource_id = 5;
	map.offset = 32 * PAGE;
	assert_refused(map, INVALID_PARAMETER, "resource 5 is mapped already, at 0x8000");
	expect_nothing();
}

static void test_refused_by_the_front_end(void **state)
{
	struct virtio_gpu_resource_map_blob map = map_request(5, 0);
	struct virtio_gpu_resource_unmap_blob unmap = unmap_request(5);

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WC);
	send(map);
	capture_begin();
	answer(MAP, 22);
	assert_logged(capture_end(), "blob 5: the front-end refused SHMEM_MAP of 0x2000 bytes at 0x0: it answered 22");
	assert_int_equal(guest_answer(QUEUE_CONTROL), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_refused(unmap, INVALID_PARAMETER, "resource 5 is not mapped");
	expect(MAP, 0, 2 * PAGE);

	map_blob(0);
	send(unmap);
	capture_begin();
	answer(UNMAP, 1);
	capture_end();
	assert_int_equal(guest_answer(QUEUE_CONTROL), VIRTIO_GPU_RESP_ERR_UNSPEC);
}

/* Destroyed while mapped: unmapped first. The reset of the guest's driver comes to the same. */
static void test_destroy_mapped(void **state)
{
	struct virtio_gpu_resource_unref gone = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF, .resource_id = 5,
	};
	struct virtio_gpu_resource_create_blob again = blob_request(1, 5, VIRTIO_GPU_HEAP_WC,
								    2 * PAGE);

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WC);
	map_blob(0);
	send(gone);
	expect(UNMAP, 0, 2 * PAGE);
	assert_false(is_answered());
	answer(UNMAP, 0);
	assert_ok(guest_answer(QUEUE_CONTROL));
	assert_null(gpu_resource_find(&guest.gpu, 5));

	/* also where the front-end will not unmap it */
	assert_ok(ask(again));
	map_blob(0);
	send(gone);
	capture_begin();
	answer(UNMAP, 1);
	capture_end();
	assert_ok(guest_answer(QUEUE_CONTROL));
	expect(UNMAP, 0, 2 * PAGE);

	assert_ok(ask(again));
	map_blob(0);
	gpu_reset(&guest.gpu);
	expect(UNMAP, 0, 2 * PAGE);
	assert_int_equal(guest.gpu.resources.count, 0);
	answer(UNMAP, 0);
}

/* The front-end is silent: the guest resets, or the ring is stopped, and all goes on. */
static void test_silent_front_end(void **state)
{
	struct virtio_gpu_resource_map_blob map = map_request(5, 0);

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WC);
	send(map);
	gpu_reset(&guest.gpu);
	queue_stop(&guest.queues[QUEUE_CONTROL]);
	expect(MAP, 0, 2 * PAGE);
	expect(UNMAP, 0, 2 * PAGE);
	answer(MAP, 0);
	answer(UNMAP, 0);
	assert_int_equal(shmem.npending, 0);
}

/* A mapping that comes when its request was answered with an error is taken back. */
static void test_ring_stopped(void **state)
{
	struct virtio_gpu_resource_map_blob map = map_request(5, 0);

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WC);
	send(map);
	gpu_abort(&guest.gpu, &guest.queues[QUEUE_CONTROL]);
	assert_int_equal(guest_answer(QUEUE_CONTROL), VIRTIO_GPU_RESP_ERR_UNSPEC);
	queue_stop(&guest.queues[QUEUE_CONTROL]);
	expect(MAP, 0, 2 * PAGE);
	answer(MAP, 0);
	expect(UNMAP, 0, 2 * PAGE);
	assert_null(gpu_resource_find(&guest.gpu, 5)->blob.mapping);
	answer(UNMAP, 0);
}

static void test_front_end_cannot_map(void **state)
{
	struct virtio_gpu_resource_map_blob map = map_request(5, 0);
	struct virtio_gpu_resource_unmap_blob unmap = unmap_request(5);

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WC);
	shmem.reply_ack = false;
	assert_refused(map, UNSPEC, "the front-end has not negotiated that it maps blobs");
	shmem.reply_ack = true;
	shmem.send_fd = false;
	assert_refused(map, UNSPEC, "the front-end has not negotiated that it maps blobs");
	shmem.send_fd = true;
	map_blob(0);
	capture_begin();
	close(front_end);
	assert_int_equal(shmem_read_replies(&shmem), 0);
	capture_end();
	assert_refused(unmap, UNSPEC, "the front-end has closed its socket");
	assert_ok(unref(5));
	front_end = dup(STDIN_FILENO);
}

/* The front-end goes while the guest waits. */
static void test_front_end_goes(void **state)
{
	struct virtio_gpu_resource_map_blob map = map_request(5, 0);

	(void)state;
	make_blob(VIRTIO_GPU_HEAP_WC);
	send(map);
	close(front_end);
	capture_begin();
	assert_int_equal(shmem_read_replies(&shmem), 0);
	capture_end();
	assert_int_equal(guest_answer(QUEUE_CONTROL), VIRTIO_GPU_RESP_ERR_UNSPEC);
	front_end = dup(STDIN_FILENO);
}

/* Many, with different types, in one window; a reset leaves nothing of them. */
static void test_many(void **state)
{
	struct virtio_gpu_ctx_create ctx = ctx_create_request(1, VIRTIO_GPU_CAPSET_HEAP);
	int before, i;

	(void)state;
	assert_ok(ask(ctx));
	before = count_fds();
	for (i = 0; i < 200; i++) {
		struct virtio_gpu_resource_create_blob blob =
			blob_request(1, 100 + i, i % 2 ? VIRTIO_GPU_HEAP_WC : VIRTIO_GPU_HEAP_WB,
				     PAGE);
		struct virtio_gpu_resource_map_blob map = map_request(100 + i, i * PAGE);

		assert_ok(ask(blob));
		send(map);
		answer(MAP, 0);
		expect(MAP, i * PAGE, PAGE);
		assert_int_equal(guest_answer(QUEUE_CONTROL), VIRTIO_GPU_RESP_OK_MAP_INFO);
		assert_int_equal(guest.response.map_info.map_info,
				 i % 2 ? VIRTIO_GPU_MAP_CACHE_WC : VIRTIO_GPU_MAP_CACHE_CACHED);
	}
	assert_int_equal(count_fds(), before + 200);
	gpu_reset(&guest.gpu);
	assert_int_equal(count_fds(), before);
	for (i = 0; i < 200; i++) {
		expect(UNMAP, i * PAGE, PAGE);
		answer(UNMAP, 0);
	}
	assert_int_equal(shmem.npending, 0);
	assert_null(shmem.ranges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_map_and_unmap, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_map_info, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_bad_creates, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_numbers_and_limits, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_guest_memory, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_host_memory_read, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_bad_maps, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_refused_by_the_front_end, blob_setup,
						blob_teardown),
		cmocka_unit_test_setup_teardown(test_destroy_mapped, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_silent_front_end, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_ring_stopped, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_front_end_cannot_map, blob_setup,
						blob_teardown),
		cmocka_unit_test_setup_teardown(test_front_end_goes, blob_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_many, blob_setup, blob_teardown),
	};

	return cmocka_run_group_tests_name("gpu-proc blobs", tests, NULL, NULL);
}
