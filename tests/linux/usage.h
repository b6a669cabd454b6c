/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a process takes of the machine, by /proc. For tests with Linux guests. */
#ifndef TESTS_LINUX_USAGE_H
#define TESTS_LINUX_USAGE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "lib/ktap.h"

/* The number behind "@key" in a file of lines; the test ends where there is none. */
static inline unsigned long long usage_number(const char *path, const char *key)
{
	unsigned long long value = 0;
	char line[256];
	bool found = false;
	FILE *f;

	f = fopen(path, "r");
	test_assert(f);
	while (!found && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key))) {
			value = strtoull(line + strlen(key), NULL, 10);
			found = true;
		}
	fclose(f);
	test_assert(found);
	return value;
}

/* KiB that it has in memory; shared files and buffers are not counted. */
static inline unsigned long long usage_rss(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return usage_number(path, "RssAnon:");
}

static inline unsigned int usage_entries(pid_t pid, const char *folder)
{
	struct dirent *entry;
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, folder);
	dir = opendir(path);
	test_assert(dir);
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static inline unsigned int usage_fds(pid_t pid)
{
	return usage_entries(pid, "fd");
}

/* Lines of its memory map. */
static inline unsigned int usage_mappings(pid_t pid)
{
	char path[64], line[512];
	unsigned int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "r");
	test_assert(f);
	while (fgets(line, sizeof(line), f))
		n++;
	fclose(f);
	return n;
}

#endif /* TESTS_LINUX_USAGE_H */
