// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * userspace/gpu-proc's display: gpu_scanout.c, gpu_cursor.c, gpu_edid.c, frame.c and
 * screenshot.c. What it shows is judged by the PNG file, decoded, byte for byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <png.h>
#include <sys/stat.h>

#include "gpu_guest.h"
#include "gpu-proc/gpu_edid.h"

#define BGRX	VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM
#define BGRA	VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM

static char png_path[64], shm_path[64];
static png_image shot;			/* the last screenshot */
static uint8_t shot_pixels[4 * DISPLAY_WIDTH * DISPLAY_HEIGHT];

static int setup(void **state)
{
	struct gpu_options options = {
		.width = DISPLAY_WIDTH,
		.height = DISPLAY_HEIGHT,
		.screenshot = png_path,
		.scanout_shm = shm_path,
	};

	(void)state;
	snprintf(png_path, sizeof(png_path), "/tmp/dmapat-test-%d.png", getpid());
	snprintf(shm_path, sizeof(shm_path), "/tmp/dmapat-test-%d.shm", getpid());
	guest_start(&options);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	guest_stop();
	unlink(png_path);
	unlink(shm_path);
	return 0;
}

/* Take one and decode it: red, green, blue. The file has no alpha to begin with. */
static void take_screenshot(void)
{
	const char *log;

	capture_begin();
	gpu_screenshot(&guest.gpu);
	log = capture_end();
	assert_logged(log, "screenshot: ");
	memset(&shot, 0, sizeof(shot));
	shot.version = PNG_IMAGE_VERSION;
	assert_true(png_image_begin_read_from_file(&shot, png_path));
	assert_int_equal(shot.format, PNG_FORMAT_RGB);
	assert_true(PNG_IMAGE_SIZE(shot) <= sizeof(shot_pixels));
	assert_true(png_image_finish_read(&shot, NULL, shot_pixels, 0, NULL));
}

static uint32_t shot_at(uint32_t x, uint32_t y)
{
	const uint8_t *p = shot_pixels + 3 * ((size_t)y * shot.width + x);

	assert_true(x < shot.width && y < shot.height);
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

/* The colour that the tests draw at a place: another one at each. */
static uint32_t colour_at(uint32_t x, uint32_t y)
{
	return (x * 7 + 1) % 256 << 16 | (y * 11 + 2) % 256 << 8 | (x + y * 3 + 3) % 256;
}

#define assert_shot(x, y, want) do {							\
	if (shot_at(x, y) != (want))							\
		fail_msg("pixel %u, %u is %06x, must be %06x", x, y, shot_at(x, y), want);	\
} while (0)

static struct virtio_gpu_set_scanout scanout_request(uint32_t id, uint32_t x, uint32_t y,
						     uint32_t width, uint32_t height)
{
	return (struct virtio_gpu_set_scanout){
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT,
		.r = { .x = x, .y = y, .width = width, .height = height },
		.resource_id = id,
	};
}

static uint32_t set_scanout(uint32_t id, uint32_t width, uint32_t height)
{
	struct virtio_gpu_set_scanout req = scanout_request(id, 0, 0, width, height);

	return ask(req);
}

static struct virtio_gpu_resource_flush flush_request(uint32_t id, uint32_t x, uint32_t y,
						      uint32_t width, uint32_t height)
{
	return (struct virtio_gpu_resource_flush){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH,
		.r = { .x = x, .y = y, .width = width, .height = height },
		.resource_id = id,
	};
}

static uint32_t flush(uint32_t id, uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	struct virtio_gpu_resource_flush req = flush_request(id, x, y, width, height);

	return ask(req);
}

/* Bytes of a pixel in the order of a format's name; A and X are 0x5a. */
static void put_pixel(uint8_t *to, const char *order, uint32_t colour)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		if (order[i] == 'R')
			to[i] = colour >> 16;
		else if (order[i] == 'G')
			to[i] = colour >> 8;
		else
			to[i] = order[i] == 'B' ? colour : 0x5a;
	}
}

/* Draw in guest memory, and transfer it. */
static void draw(uint32_t id, const char *order, uint32_t width, uint32_t height)
{
	struct virtio_gpu_transfer_to_host_2d req = transfer_request(id, 0, 0, width, height, 0);
	uint32_t x, y;

	for (y = 0; y < height; y++)
		for (x = 0; x < width; x++)
			put_pixel((uint8_t *)guest.ram + PICTURE + 4 * (y * width + x), order,
				  colour_at(x, y));
	assert_ok(ask(req));
}

static void show(uint32_t id, uint32_t format, const char *order, uint32_t width, uint32_t height)
{
	assert_ok(create_2d(id, format, width, height));
	assert_ok(attach(id, PICTURE, 4 * width * height));
	draw(id, order, width, height);
	assert_ok(set_scanout(id, width, height));
	assert_ok(flush(id, 0, 0, width, height));
}

static void test_display_info(void **state)
{
	const struct virtio_gpu_resp_display_info *info = &guest.response.display_info;
	struct virtio_gpu_ctrl_hdr req = { .type = VIRTIO_GPU_CMD_GET_DISPLAY_INFO };
	unsigned int i;

	(void)state;
	assert_int_equal(ask(req), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_int_equal(guest.response_size, 24 + 16 * 24);
	assert_int_equal(info->pmodes[0].r.x, 0);
	assert_int_equal(info->pmodes[0].r.y, 0);
	assert_int_equal(info->pmodes[0].r.width, DISPLAY_WIDTH);
	assert_int_equal(info->pmodes[0].r.height, DISPLAY_HEIGHT);
	assert_int_equal(info->pmodes[0].enabled, 1);
	for (i = 1; i < 16; i++)
		assert_int_equal(info->pmodes[i].enabled, 0);
}

static void test_edid_answer(void **state)
{
	const struct virtio_gpu_resp_edid *resp = &guest.response.edid;
	struct virtio_gpu_cmd_get_edid req = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
	uint8_t want[GPU_EDID_SIZE];

	(void)state;
	assert_int_equal(ask(req), VIRTIO_GPU_RESP_OK_EDID);
	assert_int_equal(guest.response_size, 24 + 8 + 1024);
	assert_int_equal(resp->size, 128);
	gpu_edid_make(want, DISPLAY_WIDTH, DISPLAY_HEIGHT);
	assert_memory_equal(resp->edid, want, sizeof(want));
	req.scanout = 1;
	assert_refused(req, INVALID_SCANOUT_ID, "GET_EDID: there is no scanout 1");
}

/* Header, sum and the one mode, of every size there may be; its clock within what there is. */
static void test_edid(void **state)
{
	static const uint8_t header[] = { 0, 255, 255, 255, 255, 255, 255, 0 };
	static const uint32_t sides[] = { 480, 511, 512, 640, 768, 1024, 1080, 1920, 2160, 3840, 4095 };
	unsigned int i, j, k;

	(void)state;
	for (i = 0; i < sizeof(sides) / sizeof(*sides); i++) {
		for (j = 0; j < sizeof(sides) / sizeof(*sides); j++) {
			uint32_t clock, hblank, vblank, total, refresh;
			uint8_t e[GPU_EDID_SIZE], sum = 0;

			gpu_edid_make(e, sides[i], sides[j]);
			assert_memory_equal(e, header, sizeof(header));
			for (k = 0; k < sizeof(e); k++)
				sum += e[k];
			assert_int_equal(sum, 0);
			assert_int_equal(e[126], 0);
			assert_int_equal(e[56] | (e[58] >> 4) << 8, sides[i]);
			assert_int_equal(e[59] | (e[61] >> 4) << 8, sides[j]);
			hblank = e[57] | (e[58] & 15) << 8;
			vblank = e[60] | (e[61] & 15) << 8;
			assert_int_equal(hblank, 160);
			assert_true(vblank >= 19);
			clock = (e[54] | e[55] << 8) * 10000u;
			total = (sides[i] + hblank) * (sides[j] + vblank);
			/* 60 Hz; less where the field for the clock cannot hold it. */
			refresh = (clock + 10000) / total;
			assert_in_range(clock, total * refresh - 9999, total * refresh);
			assert_true(refresh <= 60 && refresh >= 30);
			if (refresh < 60)
				assert_true((refresh + 1) * (uint64_t)total > 655350000);
		}
	}
}

/* Every format is as its name says, and the fourth byte is of no account. */
static void test_formats(void **state)
{
	static const struct {
		uint32_t format;
		const char *order;
	} formats[] = {
		{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, "BGRA" },
		{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, "BGRX" },
		{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, "ARGB" },
		{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, "XRGB" },
		{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, "RGBA" },
		{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, "XBGR" },
		{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, "ABGR" },
		{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, "RGBX" },
	};
	uint32_t i, x, y;

	(void)state;
	for (i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		show(i + 1, formats[i].format, formats[i].order, 37, 23);
		take_screenshot();
		assert_int_equal(shot.width, 37);
		assert_int_equal(shot.height, 23);
		for (y = 0; y < 23; y++)
			for (x = 0; x < 37; x++)
				assert_shot(x, y, colour_at(x, y));
	}
}

/* Only what is flushed is shown, and only as far as the scanout has it. */
static void test_flush(void **state)
{
	uint32_t x, y;

	(void)state;
	assert_ok(create_2d(1, BGRX, 64, 48));
	assert_ok(attach(1, PICTURE, 64 * 48 * 4));
	assert_ok(set_scanout(1, 64, 48));
	draw(1, "BGRX", 64, 48);
	assert_ok(flush(1, 10, 20, 30, 5));
	take_screenshot();
	for (y = 0; y < 48; y++)
		for (x = 0; x < 64; x++)
			assert_shot(x, y, x >= 10 && x < 40 && y >= 20 && y < 25 ? colour_at(x, y) : 0);

	/* Set anew, to a part: all of that is shown at once; then a flush across its edges. */
	assert_ok(ask(((struct virtio_gpu_set_scanout[]){ scanout_request(1, 5, 6, 20, 10) })[0]));
	take_screenshot();
	assert_int_equal(shot.width, 20);
	assert_int_equal(shot.height, 10);
	for (y = 0; y < 10; y++)
		for (x = 0; x < 20; x++)
			assert_shot(x, y, colour_at(x + 5, y + 6));
	memset(guest.ram + PICTURE, 0, 64 * 48 * 4);
	assert_ok(ask(((struct virtio_gpu_transfer_to_host_2d[]){
		transfer_request(1, 0, 0, 64, 48, 0) })[0]));
	guest.gpu.frame.pixels[20 * 10 + 18] = 0x123456;
	assert_ok(flush(1, 0, 0, 10, 8));
	assert_ok(flush(1, 23, 14, 41, 34));
	assert_ok(flush(1, 30, 0, 10, 48));
	take_screenshot();
	for (y = 0; y < 10; y++)
		for (x = 0; x < 20; x++)
			assert_shot(x, y, (x < 5 && y < 2) || (x >= 18 && y >= 8) ? 0 :
				    colour_at(x + 5, y + 6));
	/* Nothing below the last row. */
	assert_int_equal(guest.gpu.frame.pixels[20 * 10 + 18], 0x123456);

	/* What changes in a resource that is not shown is not shown, nor is the other read. */
	draw(1, "BGRX", 64, 48);
	assert_ok(create_2d(2, BGRX, 64, 48));
	assert_ok(flush(2, 0, 0, 64, 48));
	take_screenshot();
	assert_shot(0, 0, 0);
}

static void test_scanout_bad(void **state)
{
	struct virtio_gpu_set_scanout req = scanout_request(1, 0, 0, 20, 10);
	static const struct virtio_gpu_rect bad[] = {
		{ 0, 0, 0, 10 }, { 0, 0, 20, 0 }, { 1, 0, 20, 10 }, { 0, 1, 20, 10 },
		{ 0, 0, 21, 10 }, { 0, 0, 20, 11 }, { 2, 0, UINT32_MAX, 10 },
		{ 0, UINT32_MAX, 20, 2 },
	};
	struct virtio_gpu_resource_flush flushed;
	unsigned int i;

	(void)state;
	assert_refused(req, INVALID_RESOURCE_ID, "SET_SCANOUT: there is no resource 1");
	flushed = flush_request(1, 0, 0, 1, 1);
	assert_refused(flushed, INVALID_RESOURCE_ID, "RESOURCE_FLUSH: there is no resource 1");
	assert_ok(create_2d(1, BGRX, 20, 10));
	req.scanout_id = 1;
	assert_refused(req, INVALID_SCANOUT_ID, "there is no scanout 1");
	req.scanout_id = UINT32_MAX;
	assert_refused(req, INVALID_SCANOUT_ID, "there is no scanout 4294967295");
	req.scanout_id = 0;
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		req.r = bad[i];
		assert_refused(req, INVALID_PARAMETER, "of resource 1, which shows 20 x 10");
		flushed.r = bad[i];
		assert_refused(flushed, INVALID_PARAMETER, "of resource 1, which has 20 x 10");
	}
	assert_null(guest.gpu.scanout.res);
	/* Larger than a display may be. */
	assert_ok(create_2d(2, BGRX, 8193, 1));
	req = scanout_request(2, 0, 0, 8193, 1);
	assert_refused(req, INVALID_PARAMETER, "8193 x 1 pixels at 0, 0 of resource 2");
	assert_ok(set_scanout(2, 8192, 1));
	assert_ok(create_2d(3, BGRX, 7681, 4320));
	req = scanout_request(3, 0, 0, 7681, 4320);
	assert_refused(req, INVALID_PARAMETER, "7681 x 4320 pixels");
	assert_ok(set_scanout(3, 7680, 4320));
	assert_ok(flush(3, 0, 0, 7681, 4320));
}

/* Switched off, or its resource gone: the last picture stays. Nothing shown yet: black. */
static void test_off(void **state)
{
	struct virtio_gpu_set_scanout off = scanout_request(0, 0, 0, 0, 0);
	struct stat before, after;

	(void)state;
	take_screenshot();
	assert_int_equal(shot.width, DISPLAY_WIDTH);
	assert_int_equal(shot.height, DISPLAY_HEIGHT);
	assert_shot(0, 0, 0);
	assert_shot(DISPLAY_WIDTH - 1, DISPLAY_HEIGHT - 1, 0);

	show(1, BGRX, "BGRX", 37, 23);
	assert_ok(ask(off));
	assert_null(guest.gpu.scanout.res);
	assert_ok(flush(1, 0, 0, 37, 23));
	take_screenshot();
	assert_int_equal(shot.width, 37);
	assert_shot(36, 22, colour_at(36, 22));

	assert_ok(set_scanout(1, 37, 23));
	assert_ok(unref(1));
	assert_null(guest.gpu.scanout.res);
	take_screenshot();
	assert_shot(36, 22, colour_at(36, 22));

	/* Nothing of a longer file is left. */
	assert_int_equal(stat(png_path, &before), 0);
	show(2, BGRX, "BGRX", 2, 2);
	take_screenshot();
	assert_int_equal(shot.width, 2);
	assert_int_equal(stat(png_path, &after), 0);
	assert_true(after.st_size < before.st_size);
	gpu_reset(&guest.gpu);
	assert_null(guest.gpu.scanout.res);
	take_screenshot();
	assert_shot(1, 1, colour_at(1, 1));
}

/* A blob of guest pages, from PICTURE on. */
static void make_blob(uint32_t id, uint32_t size)
{
	struct {
		struct virtio_gpu_resource_create_blob cmd;
		struct virtio_gpu_mem_entry entry;
	} req = {
		.cmd = {
			.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
			.resource_id = id,
			.blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
			.nr_entries = 1,
			.size = size,
		},
		.entry = { .addr = PICTURE, .length = size },
	};

	assert_ok(ask(req));
}

#define BLOB_SIZE	4096u
#define BLOB_OFFSET	(BLOB_SIZE - 7 * 100 - 64)	/* the last pixel is the blob's last */

static void test_blob(void **state)
{
	struct virtio_gpu_set_scanout_blob req = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT_BLOB,
		.r = { .x = 2, .y = 1, .width = 10, .height = 5 },
		.resource_id = 1,
		.width = 16,
		.height = 8,
		.format = VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM,
		.strides = { 100 },
		.offsets = { BLOB_OFFSET },
	}, bad;
	struct virtio_gpu_resource_flush flushed;
	uint32_t x, y;

	(void)state;
	assert_refused(req, INVALID_RESOURCE_ID, "SET_SCANOUT_BLOB: there is no resource 1");
	assert_ok(create_2d(9, BGRX, 20, 10));
	bad = req;
	bad.resource_id = 9;
	assert_refused(bad, INVALID_PARAMETER, "resource 9 is no blob");
	make_blob(1, BLOB_SIZE);
	for (y = 0; y < 8; y++)
		for (x = 0; x < 16; x++)
			put_pixel((uint8_t *)guest.ram + PICTURE + BLOB_OFFSET + 100 * y + 4 * x, "RGBA",
				  colour_at(x, y));
	assert_ok(ask(req));
	take_screenshot();
	assert_int_equal(shot.width, 10);
	assert_int_equal(shot.height, 5);
	for (y = 0; y < 5; y++)
		for (x = 0; x < 10; x++)
			assert_shot(x, y, colour_at(x + 2, y + 1));
	/* What the guest writes is there with the flush; a transfer does nothing, and is no error. */
	assert_ok(ask(((struct virtio_gpu_transfer_to_host_2d[]){
		transfer_request(1, 0, 0, 16, 8, 0) })[0]));
	memset(guest.ram + PICTURE + BLOB_OFFSET + 100, 0xff, 64);
	assert_ok(flush(1, 0, 0, 16, 1));
	take_screenshot();
	assert_shot(3, 0, colour_at(5, 1));
	assert_ok(flush(1, 0, 1, 16, 1));
	take_screenshot();
	assert_shot(3, 0, 0xffffff);
	assert_shot(3, 1, colour_at(5, 2));

	flushed = flush_request(1, 0, 0, 17, 1);
	assert_refused(flushed, INVALID_PARAMETER, "of resource 1, which has 16 x 8");
	bad = req;
	bad.scanout_id = 1;
	assert_refused(bad, INVALID_SCANOUT_ID, "there is no scanout 1");
	bad = req;
	bad.format = 3000;
	assert_refused(bad, INVALID_PARAMETER, "resource 1: format 3000 is unknown");
	bad = req;
	bad.strides[0] = 63;
	assert_refused(bad, INVALID_PARAMETER, "8 rows of 63 bytes for 16 pixels");
	bad = req;
	bad.height = 0;
	assert_refused(bad, INVALID_PARAMETER, "0 rows of 100 bytes for 16 pixels");
	bad = req;
	bad.width = 0x40000001;
	assert_refused(bad, INVALID_PARAMETER, "for 1073741825 pixels");
	bad = req;
	bad.height = UINT32_MAX;
	bad.strides[0] = UINT32_MAX;
	assert_refused(bad, INVALID_PARAMETER, "4294967295 rows of 4294967295 bytes");
	bad = req;
	bad.offsets[0]++;
	assert_refused(bad, INVALID_PARAMETER, "a picture that ends at 4097 of resource 1, which has 4096 bytes");
	bad = req;
	bad.r.x = 7;
	assert_refused(bad, INVALID_PARAMETER, "10 x 5 pixels at 7, 1 of resource 1, which shows 16 x 8");
	/* The guest's pages are gone: it is still to be shown, but cannot be. */
	guest_set_memory(PICTURE);
	flushed = flush_request(1, 0, 0, 16, 8);
	assert_refused(flushed, UNSPEC, "RESOURCE_FLUSH: resource 1 cannot be read");
	assert_refused(req, UNSPEC, "SET_SCANOUT_BLOB: resource 1 cannot be read");
	/* Of another size then, it is black: no old picture in new rows. */
	bad = req;
	bad.r.width = 5;
	assert_refused(bad, UNSPEC, "SET_SCANOUT_BLOB: resource 1 cannot be read");
	take_screenshot();
	assert_int_equal(shot.width, 5);
	assert_shot(3, 1, 0);
	guest_set_memory(GUEST_SIZE);
	assert_ok(ask(req));
	bad = req;
	bad.resource_id = 0;
	assert_ok(ask(bad));
	assert_null(guest.gpu.scanout.res);
	/* Not shown: it has no size in pixels to be judged by. */
	assert_ok(flush(1, 0, 0, 100, 100));
}

static void cursor_command(uint32_t type, uint32_t id, int32_t x, int32_t y)
{
	struct virtio_gpu_update_cursor req = {
		.hdr.type = type,
		.pos = { .x = x, .y = y },
		.resource_id = id,
		.hot_x = 5,
		.hot_y = 6,
	};

	guest_send(QUEUE_CURSOR, &req, sizeof(req), 0);
	guest_answer(QUEUE_CURSOR);
	assert_int_equal(guest.response_size, 0);
}

#define update_cursor(id, x, y)	cursor_command(VIRTIO_GPU_CMD_UPDATE_CURSOR, id, x, y)
#define move_cursor(x, y)	cursor_command(VIRTIO_GPU_CMD_MOVE_CURSOR, 0, x, y)

/* A cursor: opaque red, half green (premultiplied), and nothing, in columns. */
static void make_cursor(uint32_t id, uint32_t format, const char *order)
{
	struct virtio_gpu_transfer_to_host_2d req = transfer_request(id, 0, 0, 64, 64, 0);
	uint32_t i;

	assert_ok(create_2d(id, format, 64, 64));
	assert_ok(attach(id, PICTURE, 64 * 64 * 4));
	for (i = 0; i < 64 * 64; i++) {
		uint8_t *p = (uint8_t *)guest.ram + PICTURE + 4 * i;
		uint32_t x = i % 64;

		put_pixel(p, order, x < 8 ? 0xff0000 : x < 16 ? 0x008000 : 0);
		*(uint8_t *)memchr(p, 0x5a, 4) = x < 8 ? 255 : x < 16 ? 128 : 0;
	}
	assert_ok(ask(req));
}

/* Over the picture of the tests, with the cursor's corner there. */
static void assert_cursor(int32_t left, int32_t top)
{
	int32_t x, y;

	take_screenshot();
	for (y = 0; y < (int32_t)shot.height; y++) {
		for (x = 0; x < (int32_t)shot.width; x++) {
			uint32_t want = colour_at(x, y);
			bool inside = y >= top && y < top + 64;

			if (inside && x >= left && x < left + 8)
				want = 0xff0000;
			else if (inside && x >= left + 8 && x < left + 16)
				want = (want >> 16) * 127 / 255 << 16 |
				       ((want >> 8 & 255) * 127 / 255 + 128) << 8 |
				       (want & 255) * 127 / 255;
			assert_shot(x, y, want);
		}
	}
}

static void test_cursor(void **state)
{
	(void)state;
	make_cursor(5, BGRA, "BGRA");
	show(1, BGRX, "BGRX", 100, 90);
	update_cursor(5, 10, 20);
	assert_cursor(10, 20);
	move_cursor(30, 80);
	assert_cursor(30, 80);
	move_cursor(-4, -10);
	assert_cursor(-4, -10);
	move_cursor(-100, 0);
	assert_cursor(-100, 0);
	/* Its picture was copied: the resource may go. */
	assert_ok(unref(5));
	move_cursor(1, 2);
	assert_cursor(1, 2);
	update_cursor(0, 1, 2);
	assert_cursor(1000, 0);
	make_cursor(6, VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, "ARGB");
	draw(1, "BGRX", 100, 90);
	update_cursor(6, 3, 4);
	assert_cursor(3, 4);
	gpu_reset(&guest.gpu);
	assert_cursor(1000, 0);
}

static void cursor_refused(uint32_t type, uint32_t id, uint32_t scanout, const char *text)
{
	struct virtio_gpu_update_cursor req = {
		.hdr.type = type,
		.pos.scanout_id = scanout,
		.resource_id = id,
	};

	capture_begin();
	guest_send(QUEUE_CURSOR, &req, sizeof(req), 64);
	assert_logged(capture_end(), text);
	assert_true(guest_answer(QUEUE_CURSOR) >= VIRTIO_GPU_RESP_ERR_UNSPEC);
	guest.gpu.complaints = 0;
}

static void test_cursor_bad(void **state)
{
	(void)state;
	cursor_refused(VIRTIO_GPU_CMD_UPDATE_CURSOR, 1, 0, "UPDATE_CURSOR: there is no resource 1");
	cursor_refused(VIRTIO_GPU_CMD_UPDATE_CURSOR, 1, 1, "UPDATE_CURSOR: there is no scanout 1");
	cursor_refused(VIRTIO_GPU_CMD_MOVE_CURSOR, 1, 2, "MOVE_CURSOR: there is no scanout 2");
	assert_ok(create_2d(1, BGRA, 64, 63));
	cursor_refused(VIRTIO_GPU_CMD_UPDATE_CURSOR, 1, 0,
		       "resource 1 has 64 x 63 pixels, a cursor has 64 x 64");
	make_blob(2, 3 * 4096);
	cursor_refused(VIRTIO_GPU_CMD_UPDATE_CURSOR, 2, 0, "resource 2 has no 16384 bytes of a cursor");
	assert_false(guest.gpu.cursor.visible);
}

/* The file for viewers: header, pixels, and a number that is even and rises. */
static void test_shm(void **state)
{
	const struct scanout_shm *shm;
	uint64_t sequence;
	uint32_t x, y;
	char *map;
	int fd;

	(void)state;
	fd = open(shm_path, O_RDONLY);
	map = mmap(NULL, SCANOUT_SHM_PIXELS + 37 * 23 * 4, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	close(fd);
	shm = (const void *)map;
	assert_int_equal(shm->magic, SCANOUT_SHM_MAGIC);
	assert_int_equal(shm->version, SCANOUT_SHM_VERSION);
	assert_int_equal(shm->width, 0);
	assert_int_equal(shm->on, 0);
	show(1, BGRX, "BGRX", 37, 23);
	assert_int_equal(shm->width, 37);
	assert_int_equal(shm->height, 23);
	assert_int_equal(shm->stride, 37 * 4);
	assert_int_equal(shm->on, 1);
	sequence = shm->sequence;
	assert_int_equal(sequence % 2, 0);
	for (y = 0; y < 23; y++)
		for (x = 0; x < 37; x++)
			assert_int_equal(*(uint32_t *)(map + SCANOUT_SHM_PIXELS + shm->stride * y + 4 * x),
					 colour_at(x, y));
	assert_ok(flush(1, 0, 0, 1, 1));
	assert_int_equal(shm->sequence, sequence + 2);
	assert_ok(unref(1));
	assert_int_equal(shm->on, 0);
	assert_int_equal(shm->width, 37);
	munmap(map, SCANOUT_SHM_PIXELS + 37 * 23 * 4);
}

/* A viewer that writes to the header misleads other viewers, and nobody else. */
static void test_shm_hostile(void **state)
{
	struct scanout_shm *shm;
	int fd;

	(void)state;
	fd = open(shm_path, O_RDWR);
	shm = mmap(NULL, sizeof(*shm), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(shm, MAP_FAILED);
	close(fd);
	show(1, BGRX, "BGRX", 37, 23);
	memset(shm, 0xff, sizeof(*shm));
	assert_ok(flush(1, 0, 0, 37, 23));
	take_screenshot();
	assert_int_equal(shot.width, 37);
	assert_shot(36, 22, colour_at(36, 22));
	munmap(shm, sizeof(*shm));
}

/* Files that cannot be opened, or written to. */
static void test_files_bad(void **state)
{
	struct gpu_options options = { .width = 640, .height = 480 };
	struct gpu gpu;
	int fds = count_fds();

	(void)state;
	capture_begin();
	options.screenshot = "/nowhere/a.png";
	assert_int_equal(gpu_init(&gpu, &options), -1);
	options.screenshot = NULL;
	options.scanout_shm = "/nowhere/a.shm";
	assert_int_equal(gpu_init(&gpu, &options), -1);
	options.scanout_shm = "/dev/full";
	assert_int_equal(gpu_init(&gpu, &options), -1);
	assert_logged(capture_end(), "--scanout-shm=/dev/full: cannot make it");
	assert_logged(capture_text, "--screenshot=/nowhere/a.png: cannot open it: No such file");
	assert_logged(capture_text, "--scanout-shm=/nowhere/a.shm: cannot open it: No such file");
	assert_int_equal(count_fds(), fds);

	options.scanout_shm = NULL;
	options.screenshot = "/dev/full";
	assert_int_equal(gpu_init(&gpu, &options), 0);
	capture_begin();
	gpu_screenshot(&gpu);
	assert_logged(capture_end(), "screenshot: cannot write");
	gpu_fini(&gpu);
	assert_int_equal(count_fds(), fds);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_display_info),
		TEST(test_edid_answer),
		TEST(test_edid),
		TEST(test_formats),
		TEST(test_flush),
		TEST(test_scanout_bad),
		TEST(test_off),
		TEST(test_blob),
		TEST(test_cursor),
		TEST(test_cursor_bad),
		TEST(test_shm),
		TEST(test_shm_hostile),
		TEST(test_files_bad),
	};

	return cmocka_run_group_tests_name("gpu-proc display", tests, NULL, NULL);
}
