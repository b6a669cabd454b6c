// SPDX-License-Identifier: GPL-2.0-or-later
/* userspace/gpu-proc/gpu_resource.c and gpu_2d.c: pictures, their guest memory, their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gpu_guest.h"

#define BGRX	VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM

static struct virtio_gpu_resource_create_2d create_request(uint32_t id, uint32_t format,
							   uint32_t width, uint32_t height)
{
	return (struct virtio_gpu_resource_create_2d){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		.resource_id = id,
		.format = format,
		.width = width,
		.height = height,
	};
}

static struct virtio_gpu_resource_unref unref_request(uint32_t id)
{
	return (struct virtio_gpu_resource_unref){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = id,
	};
}

static void test_numbers(void **state)
{
	struct virtio_gpu_resource_create_2d create = create_request(7, BGRX, 4, 4);
	struct virtio_gpu_resource_unref gone = unref_request(7);
	unsigned int i;

	(void)state;
	assert_ok(ask(create));
	assert_refused(create, INVALID_RESOURCE_ID, "RESOURCE_CREATE_2D: resource 7 is there already");
	assert_ok(unref(7));
	assert_refused(gone, INVALID_RESOURCE_ID, "RESOURCE_UNREF: there is no resource 7");
	assert_ok(ask(create));

	create.resource_id = 0;
	assert_refused(create, INVALID_RESOURCE_ID, "resource 0 is none");
	/* As many in one bucket as there are. */
	for (i = 1; i < 20; i++)
		assert_ok(create_2d(7 + i * GPU_RESOURCE_BUCKETS, BGRX, 1, 1));
	assert_ok(unref(7 + 10 * GPU_RESOURCE_BUCKETS));
	assert_ok(unref(7));
	assert_int_equal(guest.gpu.resources.count, 18);
	assert_null(gpu_resource_find(&guest.gpu, 7));
	assert_non_null(gpu_resource_find(&guest.gpu, 7 + 19 * GPU_RESOURCE_BUCKETS));
}

static void test_create_bad(void **state)
{
	static const struct {
		uint32_t format, width, height;
		const char *text;
	} bad[] = {
		{ 0, 4, 4, "resource 1: format 0 is unknown" },
		{ 5, 4, 4, "resource 1: format 5 is unknown" },
		{ UINT32_MAX, 4, 4, "format 4294967295 is unknown" },
		{ BGRX, 0, 4, "0 x 4 pixels, must be 1 to 16384 each" },
		{ BGRX, 4, 0, "4 x 0 pixels" },
		{ BGRX, 16385, 1, "16385 x 1 pixels" },
		{ BGRX, 1, UINT32_MAX, "1 x 4294967295 pixels" },
		{ BGRX, 0x80000000, 0x80000000, "2147483648 x 2147483648 pixels" },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct virtio_gpu_resource_create_2d req =
			create_request(1, bad[i].format, bad[i].width, bad[i].height);

		assert_refused(req, INVALID_PARAMETER, bad[i].text);
		assert_int_equal(guest.gpu.resources.count, 0);
	}
}

static void test_limits(void **state)
{
	struct virtio_gpu_resource_create_2d create;
	struct attach_one backing;

	(void)state;
	guest.gpu.limits.resources = 3;
	guest.gpu.limits.host_bytes = 1000;
	assert_ok(create_2d(1, BGRX, 10, 10));
	create = create_request(2, BGRX, 151, 1);
	assert_refused(create, OUT_OF_MEMORY, "604 bytes and the 400 of all others are above the limit, 1000");
	assert_ok(create_2d(2, BGRX, 10, 10));
	assert_ok(create_2d(3, BGRX, 46, 1));
	create = create_request(4, BGRX, 1, 1);
	assert_refused(create, OUT_OF_MEMORY, "resource 4: there are 3 resources, and may not be more");
	assert_int_equal(guest.gpu.resources.host_bytes, 984);

	/* The list of a backing counts, too. */
	assert_ok(attach(1, PICTURE, 400));
	backing = attach_request(2, PICTURE, 400);
	assert_refused(backing, OUT_OF_MEMORY, "resource 2: 1 entries are above the limit of memory, 1000");
	assert_ok(unref(1));
	assert_int_equal(guest.gpu.resources.host_bytes, 584);
	assert_ok(ask(backing));
	assert_ok(unref(2));
	assert_ok(unref(3));
	assert_int_equal(guest.gpu.resources.host_bytes, 0);
}

static void test_backing_bad(void **state)
{
	struct virtio_gpu_resource_detach_backing detach = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING,
		.resource_id = 1,
	};
	struct attach_one req = attach_request(1, PICTURE, 64);

	(void)state;
	assert_refused(req, INVALID_RESOURCE_ID, "RESOURCE_ATTACH_BACKING: there is no resource 1");
	assert_refused(detach, INVALID_RESOURCE_ID, "RESOURCE_DETACH_BACKING: there is no resource 1");
	assert_ok(create_2d(1, BGRX, 4, 4));
	assert_refused(detach, UNSPEC, "resource 1 has no backing");

	req.cmd.nr_entries = 0;
	assert_refused(req, INVALID_PARAMETER, "resource 1: 0 entries, but 16 bytes of them");
	req.cmd.nr_entries = 2;
	assert_refused(req, INVALID_PARAMETER, "2 entries, but 16 bytes");
	req.cmd.nr_entries = UINT32_MAX;
	assert_refused(req, INVALID_PARAMETER, "4294967295 entries, but 16 bytes");
	/* 16 times this is 0 in 32 bits */
	req.cmd.nr_entries = 0x10000000;
	assert_refused(req, INVALID_PARAMETER, "268435456 entries, but 16 bytes");

	req = attach_request(1, PICTURE, 0);
	assert_refused(req, INVALID_PARAMETER, "entry 0, 0x0 bytes at 0x100000, is not in the guest's memory");
	req = attach_request(1, GUEST_SIZE - 63, 64);
	assert_refused(req, INVALID_PARAMETER, "entry 0, 0x40 bytes at 0x3fffc1, is not in");
	req = attach_request(1, UINT64_MAX - 3, 64);
	assert_refused(req, INVALID_PARAMETER, "at 0xfffffffffffffffc, is not in");
	req = attach_request(1, GUEST_SIZE - 64, 64);
	assert_ok(ask(req));
	assert_refused(req, UNSPEC, "resource 1 has a backing already");
	assert_ok(ask(detach));
	assert_refused(detach, UNSPEC, "resource 1 has no backing");
	assert_ok(ask(req));
}

/* Each byte of a rectangle comes from its place, and none around it changes. */
static void assert_pixels(uint32_t id, unsigned int left, unsigned int top, unsigned int width,
			  unsigned int height, const uint8_t *from, uint8_t around)
{
	const struct gpu_image *image = &gpu_resource_find(&guest.gpu, id)->image;
	unsigned int x, y;

	for (y = 0; y < image->height; y++) {
		for (x = 0; x < 4 * image->width; x++) {
			bool inside = y >= top && y < top + height && x >= 4 * left &&
				      x < 4 * (left + width);
			uint8_t want = around;

			if (inside)
				want = from[(y - top) * image->stride + x - 4 * left];
			if (image->pixels[y * image->stride + x] != want)
				fail_msg("byte %u of row %u is 0x%x, must be 0x%x", x, y,
					 image->pixels[y * image->stride + x], want);
		}
	}
}

static void fill_picture(unsigned int bytes)
{
	unsigned int i;

	for (i = 0; i < bytes; i++)
		guest.ram[PICTURE + i] = i * 7 + (i >> 8) + 1;
}

static void test_transfer(void **state)
{
	struct virtio_gpu_transfer_to_host_2d req;
	const uint8_t *picture = (const uint8_t *)guest.ram + PICTURE;

	(void)state;
	fill_picture(0x1000);
	assert_ok(create_2d(1, BGRX, 20, 10));
	assert_ok(attach(1, PICTURE, 20 * 10 * 4));
	assert_pixels(1, 0, 0, 0, 0, NULL, 0);

	req = transfer_request(1, 0, 0, 20, 10, 0);
	assert_ok(ask(req));
	assert_pixels(1, 0, 0, 20, 10, picture, 0);

	/* A part, from the place that it has in the backing; or from any other. */
	assert_ok(unref(1));
	assert_ok(create_2d(1, BGRX, 20, 10));
	assert_ok(attach(1, PICTURE, 20 * 10 * 4));
	req = transfer_request(1, 3, 2, 5, 4, (2 * 20 + 3) * 4);
	assert_ok(ask(req));
	assert_pixels(1, 3, 2, 5, 4, picture + (2 * 20 + 3) * 4, 0);
	req.offset = 0x11;
	assert_ok(ask(req));
	assert_pixels(1, 3, 2, 5, 4, picture + 0x11, 0);
	/* The last pixel of both. */
	req = transfer_request(1, 19, 9, 1, 1, 20 * 10 * 4 - 4);
	assert_ok(ask(req));
}

/* Entries of all sizes, that pixels and rows lie across, in no order. */
static void test_scattered(void **state)
{
	static const uint32_t sizes[] = { 1, 3, 79, 81, 160, 2, 400, 74 };
	struct {
		struct virtio_gpu_resource_attach_backing cmd;
		struct virtio_gpu_mem_entry entries[8];
	} req = {
		.cmd = {
			.hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			.resource_id = 1,
			.nr_entries = 8,
		},
	};
	struct virtio_gpu_transfer_to_host_2d transfer = transfer_request(1, 0, 0, 20, 10, 0);
	uint32_t i, done = 0;
	uint8_t whole[800];

	(void)state;
	for (i = 0; i < sizeof(whole); i++)
		whole[i] = i * 13 + 5;
	for (i = 0; i < 8; i++) {
		req.entries[i].addr = PICTURE + (8 - i) * 0x1001;
		req.entries[i].length = sizes[i];
		memcpy(guest.ram + req.entries[i].addr, whole + done, sizes[i]);
		done += sizes[i];
	}
	assert_int_equal(done, sizeof(whole));
	assert_ok(create_2d(1, BGRX, 20, 10));
	assert_ok(ask(req));
	assert_ok(ask(transfer));
	assert_pixels(1, 0, 0, 20, 10, whole, 0);
	/* Backwards, and again: where the last one ended does not matter. */
	for (i = 10; i-- > 0;) {
		memset(gpu_resource_find(&guest.gpu, 1)->image.pixels, 0, 800);
		transfer = transfer_request(1, 2, i, 18, 1, (i * 20 + 2) * 4);
		assert_ok(ask(transfer));
		assert_pixels(1, 2, i, 18, 1, whole + (i * 20 + 2) * 4, 0);
	}
}

static void test_transfer_bad(void **state)
{
	static const struct {
		uint32_t x, y, width, height;
		uint64_t offset;
		const char *text;
	} bad[] = {
		{ 0, 0, 0, 1, 0, "0 x 1 pixels at 0, 0 of resource 1, which has 20 x 10" },
		{ 0, 0, 1, 0, 0, "1 x 0 pixels at 0, 0" },
		{ 0, 0, 21, 1, 0, "21 x 1 pixels at 0, 0" },
		{ 0, 0, 1, 11, 0, "1 x 11 pixels at 0, 0" },
		{ 20, 0, 1, 1, 0, "1 x 1 pixels at 20, 0" },
		{ 0, 10, 1, 1, 0, "1 x 1 pixels at 0, 10" },
		{ 1, 0, UINT32_MAX, 1, 0, "4294967295 x 1 pixels at 1, 0" },
		{ 0, 2, 1, UINT32_MAX - 1, 0, "1 x 4294967294 pixels at 0, 2" },
		{ UINT32_MAX, UINT32_MAX, 2, 2, 0, "2 x 2 pixels at 4294967295, 4294967295" },
		{ 0, 0, 20, 10, 1, "800 bytes at 0x1 of the backing of resource 1, which has 800" },
		{ 0, 0, 1, 1, 797, "4 bytes at 0x31d of the backing" },
		{ 0, 0, 1, 1, UINT64_MAX, "4 bytes at 0xffffffffffffffff of the backing" },
		{ 0, 0, 1, 2, 720, "84 bytes at 0x2d0 of the backing" },
	};
	struct virtio_gpu_transfer_to_host_2d req = transfer_request(1, 0, 0, 1, 1, 0);
	unsigned int i;

	(void)state;
	assert_refused(req, INVALID_RESOURCE_ID, "TRANSFER_TO_HOST_2D: there is no resource 1");
	assert_ok(create_2d(1, BGRX, 20, 10));
	assert_refused(req, UNSPEC, "resource 1 has no backing");
	assert_ok(attach(1, PICTURE, 800));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		req = transfer_request(1, bad[i].x, bad[i].y, bad[i].width, bad[i].height,
				       bad[i].offset);
		assert_refused(req, INVALID_PARAMETER, bad[i].text);
	}
	assert_pixels(1, 0, 0, 0, 0, NULL, 0);

	/* A backing that is smaller than the picture. */
	assert_ok(create_2d(2, BGRX, 20, 10));
	assert_ok(attach(2, PICTURE, 10));
	req = transfer_request(2, 0, 0, 20, 10, 0);
	assert_refused(req, INVALID_PARAMETER, "800 bytes at 0x0 of the backing of resource 2, which has 10");
}

/* The memory map changes: what was attached is somewhere else, or nowhere. */
static void test_memory_changes(void **state)
{
	struct virtio_gpu_transfer_to_host_2d req = transfer_request(1, 0, 0, 20, 10, 0);
	const uint8_t *picture = (const uint8_t *)guest.ram + PICTURE;

	(void)state;
	fill_picture(0x1000);
	assert_ok(create_2d(1, BGRX, 20, 10));
	assert_ok(attach(1, PICTURE, 800));
	guest_set_memory(GUEST_SIZE);
	assert_ok(ask(req));
	assert_pixels(1, 0, 0, 20, 10, picture, 0);
	guest_set_memory(PICTURE + 400);
	assert_refused(req, UNSPEC, "the backing of resource 1 is not in the guest's memory any more");
	guest_set_memory(GUEST_SIZE);
	assert_ok(ask(req));
}

/* In the midst of all: everything goes, and the same driver may start again. */
static void test_reset(void **state)
{
	(void)state;
	assert_ok(create_2d(1, BGRX, 20, 10));
	assert_ok(attach(1, PICTURE, 800));
	assert_ok(create_2d(2, BGRX, 20, 10));
	gpu_reset(&guest.gpu);
	assert_int_equal(guest.gpu.resources.count, 0);
	assert_int_equal(guest.gpu.resources.host_bytes, 0);
	assert_ok(create_2d(1, BGRX, 20, 10));
	assert_ok(attach(1, PICTURE, 800));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, guest_setup, guest_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_numbers),
		TEST(test_create_bad),
		TEST(test_limits),
		TEST(test_backing_bad),
		TEST(test_transfer),
		TEST(test_scattered),
		TEST(test_transfer_bad),
		TEST(test_memory_changes),
		TEST(test_reset),
	};

	return cmocka_run_group_tests_name("gpu-proc resources", tests, NULL, NULL);
}
