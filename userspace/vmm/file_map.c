// SPDX-License-Identifier: GPL-2.0-or-later
/* A whole file, mapped for reading; see file_map.h. */
#include "vmm/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int file_map__open(struct file_map *map, const char *what, const char *path, struct error *err)
{
	struct stat st;
	void *data;
	int fd, r = 0;

	*map = (struct file_map) { .data = NULL };
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error__set(err, errno, "%s %s: %s", what, path, strerror(errno));
	if (fstat(fd, &st) < 0) {
		r = error__set(err, errno, "%s %s: %s", what, path, strerror(errno));
	} else if (!S_ISREG(st.st_mode) || !st.st_size) {
		r = error__set(err, ENOEXEC, "%s %s: empty, or not a regular file", what, path);
	} else {
		data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED)
			r = error__set(err, errno, "%s %s: mmap: %s", what, path, strerror(errno));
		else
			*map = (struct file_map) { .data = data, .size = st.st_size };
	}
	close(fd);
	return r;
}

void file_map__close(struct file_map *map)
{
	if (map->data)
		munmap((void *)map->data, map->size);
	map->data = NULL;
}
