// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/gpu_transfer.c: blobs of the guest's and the host's memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>

#include "blob_guest.h"

/* Blob 4: its pages in the guest are two pieces, the second first. */
#define FIRST	(PICTURE + 8 * PAGE)
#define SECOND	PICTURE

struct blob_of_both {
	struct virtio_gpu_resource_create_blob cmd;
	struct virtio_gpu_mem_entry entries[2];
};

static struct blob_of_both both_request(void)
{
	struct blob_of_both blob = {
		.cmd = blob_request(1, 4, VIRTIO_GPU_HEAP_WC, 2 * PAGE),
		.entries = {
			{ .addr = FIRST, .length = PAGE }, { .addr = SECOND, .length = PAGE },
		},
	};

	blob.cmd.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D_GUEST;
	blob.cmd.nr_entries = 2;
	return blob;
}

static struct virtio_gpu_transfer_host_3d bytes_request(uint32_t type, uint64_t offset,
							uint32_t x, uint32_t w)
{
	return (struct virtio_gpu_transfer_host_3d){
		.hdr = { .type = type, .ctx_id = 1 },
		.box = { .x = x, .w = w, .h = 1, .d = 1 },
		.offset = offset, .resource_id = 4,
	};
}

#define TO_HOST		VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D
#define FROM_HOST	VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D

static int host_fd(void)
{
	return gpu_resource_find(&guest.gpu, 4)->blob.fd;
}

static int transfer_setup(void **state)
{
	struct virtio_gpu_ctx_create ctx = ctx_create_request(1, VIRTIO_GPU_CAPSET_HEAP);
	struct blob_of_both blob = both_request();

	blob_setup(state);
	assert_ok(ask(ctx));
	assert_ok(ask(blob));
	return 0;
}

static void test_to_host(void **state)
{
	struct virtio_gpu_transfer_host_3d to = bytes_request(TO_HOST, PAGE - 2, 100, 4);
	struct gpu_resource *res = gpu_resource_find(&guest.gpu, 4);
	char bytes[6];

	(void)state;
	memcpy(guest.ram + FIRST + PAGE - 2, "ab", 2);
	memcpy(guest.ram + SECOND, "cd", 2);
	assert_ok(ask(to));
	assert_int_equal(pread(host_fd(), bytes, 6, 99), 6);
	assert_memory_equal(bytes, "\0abcd\0", 6);
	/* what it shows is the host's */
	assert_int_equal(gpu_resource_read(&guest.gpu, res, 100, bytes, 4), 0);
	assert_memory_equal(bytes, "abcd", 4);
	/* all of it, and once more from the start */
	to = bytes_request(TO_HOST, 0, 0, 2 * PAGE);
	assert_ok(ask(to));
	assert_int_equal(pread(host_fd(), bytes, 4, PAGE - 2), 4);
	assert_memory_equal(bytes, "abcd", 4);
}

static void test_from_host(void **state)
{
	struct virtio_gpu_transfer_host_3d from = bytes_request(FROM_HOST, PAGE - 2, 2 * PAGE - 4,
								4);
	const struct vhost_user_log log = { .mmap_size = GUEST_SIZE / PAGE / 8 };
	int fd = memfd_create("log", MFD_CLOEXEC);
	uint8_t *dirty;
	uint64_t i;

	(void)state;
	assert_int_equal(ftruncate(fd, log.mmap_size), 0);
	assert_int_equal(guest_memory_set_log(&guest.memory, &log, fd), 0);
	guest.memory.log.on = true;
	dirty = mmap(NULL, log.mmap_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(dirty, MAP_FAILED);
	assert_int_equal(pwrite(host_fd(), "wxyz", 4, 2 * PAGE - 4), 4);
	assert_ok(ask(from));
	assert_memory_equal(guest.ram + FIRST + PAGE - 2, "wx", 2);
	assert_memory_equal(guest.ram + SECOND, "yz", 2);
	assert_int_equal(guest.ram[SECOND + 2], 0);
	/* both pages are in the dirty log, and not the one between */
	i = FIRST / PAGE;
	assert_true(dirty[i / 8] & 1 << i % 8);
	i = SECOND / PAGE;
	assert_true(dirty[i / 8] & 1 << i % 8);
	i++;
	assert_false(dirty[i / 8] & 1 << i % 8);
	munmap(dirty, log.mmap_size);
	close(fd);
}

static void test_bad_transfers(void **state)
{
	static const struct {
		struct virtio_gpu_transfer_host_3d req;
		uint32_t error;
		const char *text;
	} bad[] = {
		{ { .hdr.ctx_id = 2, .resource_id = 4 }, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID,
		  "there is no context 2" },
		{ { .hdr.ctx_id = 1, .resource_id = 9 }, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID,
		  "there is no resource 9" },
		{ { .hdr.ctx_id = 3, .resource_id = 4 }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
		  "resource 4 is of type heap, context 3 of type" },
		{ { .hdr.ctx_id = 1, .resource_id = 5 }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
		  "resource 5 is no blob of the guest's and the host's memory" },
		{ { .hdr.ctx_id = 1, .resource_id = 6 }, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
		  "resource 6 is no blob" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .w = 0, .h = 1, .d = 1 } },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "a box of 0 x 1 x 1" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .w = 4, .h = 2, .d = 1 } },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "a box of 4 x 2 x 1" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .w = 4, .h = 1, .d = 0 } },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "a box of 4 x 1 x 0" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .y = 1, .w = 4, .h = 1, .d = 1 } },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "at 0, 1, 0" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .z = 1, .w = 4, .h = 1, .d = 1 } },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "at 0, 0, 1" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .w = 4, .h = 1, .d = 1 },
		    .level = 1 },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "level 1" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .w = 4, .h = 1, .d = 1 },
		    .stride = 64 },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "strides 64 and 0" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .w = 4, .h = 1, .d = 1 },
		    .layer_stride = 64 },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "strides 0 and 64" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .x = 1, .w = 2 * PAGE, .h = 1, .d = 1 } },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "8192 bytes at 0x1 of 0x2000" },
		{ { .hdr.ctx_id = 1, .resource_id = 4,
		    .box = { .x = UINT32_MAX, .w = 1, .h = 1, .d = 1 } },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "1 bytes at 0xffffffff of 0x2000" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .w = 2, .h = 1, .d = 1 },
		    .offset = 2 * PAGE - 1 },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "2 bytes at 0x1fff of the backing's 0x2000" },
		{ { .hdr.ctx_id = 1, .resource_id = 4, .box = { .w = 2, .h = 1, .d = 1 },
		    .offset = UINT64_MAX },
		  VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, "2 bytes at 0xffffffffffffffff of" },
	};
	static const uint32_t types[] = { TO_HOST, FROM_HOST };
	struct virtio_gpu_resource_create_blob host = blob_request(1, 5, VIRTIO_GPU_HEAP_WC, PAGE);
	struct virtio_gpu_ctx_create plain = ctx_create_request(3, 0);
	struct virtio_gpu_resource_create_2d picture = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = 6,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, .width = 8, .height = 8,
	};
	size_t i, t;

	(void)state;
	assert_ok(ask(plain));
	assert_ok(ask(host));
	assert_ok(ask(picture));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		for (t = 0; t < 2; t++) {
			struct virtio_gpu_transfer_host_3d req = bad[i].req;

			req.hdr.type = types[t];
			capture_begin();
			assert_int_equal(ask(req), bad[i].error);
			assert_logged(capture_end(), bad[i].text);
			guest.gpu.complaints = 0;
		}
	}
}

static void test_memory_goes(void **state)
{
	struct virtio_gpu_transfer_host_3d from = bytes_request(FROM_HOST, 0, 0, 8);
	struct virtio_gpu_resource_detach_backing detach = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, .resource_id = 4,
	};
	struct virtio_gpu_resource_map_blob map = map_request(4, 0);
	struct virtio_gpu_resource_unref unref = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF, .resource_id = 4,
	};

	(void)state;
	/* the guest maps its own */
	assert_refused(map, INVALID_PARAMETER, "resource 4 is no mappable blob of the host's");
	assert_ok(ask(from));
	assert_ok(ask(detach));
	assert_refused(from, UNSPEC, "resource 4 has no backing");
	assert_ok(ask(unref));
	assert_refused(from, INVALID_RESOURCE_ID, "there is no resource 4");
}

static void test_no_memory(void **state)
{
	struct blob_of_both blob = both_request();

	(void)state;
	blob.cmd.resource_id = 7;
	blob.cmd.size = 3 * PAGE;
	assert_refused(blob, INVALID_PARAMETER, "a blob of 0x3000 bytes has 0x2000 of guest memory");
	blob.cmd.size = 2 * PAGE;
	fake_alloc_errno = ENOMEM;
	assert_refused(blob, OUT_OF_MEMORY, "0x2000 bytes of WC memory");
	assert_null(gpu_resource_find(&guest.gpu, 7));
	assert_int_equal(guest.gpu.resources.host_bytes, 2 * sizeof(struct virtio_gpu_mem_entry));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_to_host, transfer_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_from_host, transfer_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_bad_transfers, transfer_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_memory_goes, transfer_setup, blob_teardown),
		cmocka_unit_test_setup_teardown(test_no_memory, transfer_setup, blob_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
