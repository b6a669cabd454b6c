// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A DMA-buf shows itself in /proc/self/fdinfo: only dma-buf.c's show_fdinfo prints
 * exp_name (Documentation/filesystems/proc.rst, "DMA Buffer files"). The name there
 * can be set by whoever holds the fd, so it is only a label here.
 */
#include "vmm/dmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void dmabuf__copy(char *dst, size_t size, const char *src)
{
	size_t i;

	/* Labels go to logs, JSON and the guest: printable ASCII only. */
	for (i = 0; i + 1 < size && src[i]; i++)
		dst[i] = src[i] > ' ' && src[i] < 0x7f ? src[i] : '_';
	dst[i] = '\0';
}

int dmabuf__parse_fdinfo(char *text, struct dmabuf_info *info)
{
	bool exporter = false, size = false;
	char *line, *value, *end, *save = NULL;

	memset(info, 0, sizeof(*info));
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		value = strchr(line, ':');
		if (!value)
			continue;
		*value++ = '\0';
		value += strspn(value, " \t");
		if (!strcmp(line, "size")) {
			info->size = strtoull(value, &end, 10);
			size = end != value && !*end;
		} else if (!strcmp(line, "exp_name")) {
			dmabuf__copy(info->exporter, sizeof(info->exporter), value);
			exporter = true;
		} else if (!strcmp(line, "name")) {
			dmabuf__copy(info->name, sizeof(info->name), value);
		}
	}
	return exporter && size ? 0 : -EBADFD;
}

int dmabuf__inspect(int fd, struct dmabuf_info *info, struct error *err)
{
	char path[64], text[2048], what[128];
	ssize_t n;
	int f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = open(path, O_RDONLY | O_CLOEXEC);
	if (f < 0)
		return error__set(err, errno, "%s: %s", path, strerror(errno));
	n = read(f, text, sizeof(text) - 1);
	close(f);
	if (n < 0)
		return error__set(err, EIO, "%s: cannot be read", path);
	text[n] = '\0';

	if (dmabuf__parse_fdinfo(text, info) < 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, what, sizeof(what) - 1);
		what[n < 0 ? 0 : n] = '\0';
		return error__set(err, EBADFD, "the file descriptor is %s, not a DMA-buf",
				  what[0] ? what : "unreadable");
	}
	return 0;
}
