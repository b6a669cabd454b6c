/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole file, mapped for reading: payloads, kernels, initrds. */
#ifndef VMM_FILE_MAP_H
#define VMM_FILE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/error.h"

struct file_map {
	const uint8_t *data;
	size_t size;
};

/* @what begins each message. -ENOEXEC empty, or not a regular file. */
int file_map__open(struct file_map *map, const char *what, const char *path, struct error *err);
void file_map__close(struct file_map *map);

#endif /* VMM_FILE_MAP_H */
