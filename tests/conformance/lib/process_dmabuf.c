// SPDX-License-Identifier: GPL-2.0-or-later
/* DMA-bufs of other processes; see process_dmabuf.h. */
#include "lib/process_dmabuf.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/ktap.h"

/* A mapping's file is called /dmabuf:NAME (dma-buf.c, dmabuffs_dname()). */
uint64_t process_dmabuf_mapping(pid_t pid, const char *name, uint64_t size)
{
	char path[64], line[512], file[64];
	uint64_t start, end, found = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	snprintf(file, sizeof(file), " /dmabuf:%s\n", name);
	maps = fopen(path, "re");
	test_assert(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (strlen(line) < strlen(file) ||
		    strcmp(line + strlen(line) - strlen(file), file))
			continue;
		test_assert(sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2);
		if (found || end - start != size)
			test_note("process %d maps %s: 0x%" PRIx64 " bytes at 0x%" PRIx64
				  ", and at 0x%" PRIx64 ": one mapping of 0x%" PRIx64 " is wanted",
				  pid, name, end - start, start, found, size);
		test_assert(!found && end - start == size);
		found = start;
	}
	fclose(maps);
	return found;
}

/* Documentation/filesystems/proc.rst, "DMA Buffer files" */
static bool is_named(pid_t pid, const char *fd, const char *name)
{
	char path[320], line[128], want[64];
	bool found = false;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%s", pid, fd);
	snprintf(want, sizeof(want), "name:\t%s\n", name);
	info = fopen(path, "re");
	if (!info)
		return false;
	while (!found && fgets(line, sizeof(line), info))
		found = !strcmp(line, want);
	fclose(info);
	return found;
}

int process_dmabuf_fd(pid_t pid, const char *name)
{
	int pidfd, fd = -1;
	struct dirent *d;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	dir = opendir(path);
	test_assert(dir);
	while (fd < 0 && (d = readdir(dir))) {
		if (!is_named(pid, d->d_name, name))
			continue;
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		test_assert(pidfd >= 0);
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(d->d_name), 0);
		test_assert(fd >= 0);
		close(pidfd);
	}
	closedir(dir);
	return fd;
}
