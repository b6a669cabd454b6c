// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the guest's display shows, as a PNG file that was opened before the sandbox was
 * entered. Called by gpu.c.
 */
#include "screenshot.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <stdlib.h>
#include <unistd.h>

int screenshot_open(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		log_error("--screenshot=%s: cannot open it: %m", path);
	return fd;
}

/* Red, green, blue: what is behind a display has no alpha. */
static void fill_row(uint8_t *rgb, const struct frame *frame, const struct gpu_cursor *cursor,
		     uint32_t y)
{
	const uint32_t *row = frame->pixels + (size_t)y * frame->width;
	uint32_t x, pixel;

	for (x = 0; x < frame->width; x++, rgb += 3) {
		pixel = gpu_cursor_blend(cursor, x, y, row[x]);
		rgb[0] = pixel >> 16;
		rgb[1] = pixel >> 8;
		rgb[2] = pixel;
	}
}

static int write_file(int fd, const uint8_t *data, size_t size)
{
	size_t done = 0;
	ssize_t ret;

	if (ftruncate(fd, 0) < 0)
		return -1;
	while (done < size) {
		ret = pwrite(fd, data + done, size - done, done);
		if (ret < 0 && errno != EINTR)
			return -1;
		if (ret > 0)
			done += ret;
	}
	return 0;
}

static int encode(int fd, png_image *image, const uint8_t *rgb)
{
	png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(*image);
	void *data = malloc(size);
	int ret = -1;

	if (!data) {
		log_error("screenshot: no memory for %zu bytes", (size_t)size);
		return -1;
	}
	if (!png_image_write_to_memory(image, data, &size, 0, rgb, 0, NULL))
		log_error("screenshot: %s", image->message);
	else if (write_file(fd, data, size) < 0)
		log_error("screenshot: cannot write %zu bytes: %m", (size_t)size);
	else
		ret = 0;
	free(data);
	return ret;
}

int screenshot_write(int fd, const struct frame *frame, const struct gpu_cursor *cursor,
		     uint32_t width, uint32_t height)
{
	png_image image = {
		.version = PNG_IMAGE_VERSION,
		.width = frame->width ? frame->width : width,
		.height = frame->height ? frame->height : height,
		.format = PNG_FORMAT_RGB,
	};
	uint8_t *rgb = calloc(image.height, (size_t)image.width * 3);
	uint32_t y;
	int ret;

	if (!rgb) {
		log_error("screenshot: no memory for %u x %u pixels", image.width, image.height);
		return -1;
	}
	for (y = 0; y < frame->height; y++)
		fill_row(rgb + (size_t)y * frame->width * 3, frame, cursor, y);
	ret = encode(fd, &image, rgb);
	if (ret == 0)
		log_info("screenshot: %u x %u pixels%s", image.width, image.height,
			 frame->width ? "" : ", nothing was shown yet");
	free(rgb);
	return ret;
}
