/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For unit tests: what the code under test logs, and what it left open or
 * mapped. Logs go to standard error, so that is what is captured.
 */
#ifndef UNIT_CAPTURE_H
#define UNIT_CAPTURE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int capture_file = -1, capture_saved = -1;
static char capture_text[65536];

static inline void capture_begin(void)
{
	fflush(stderr);
	capture_file = memfd_create("stderr", MFD_CLOEXEC);
	capture_saved = dup(STDERR_FILENO);
	if (capture_file < 0 || capture_saved < 0 || dup2(capture_file, STDERR_FILENO) < 0)
		abort();
}

/* What was written since capture_begin(). */
static inline const char *capture_end(void)
{
	ssize_t len;

	fflush(stderr);
	len = pread(capture_file, capture_text, sizeof(capture_text) - 1, 0);
	capture_text[len > 0 ? len : 0] = '\0';
	dup2(capture_saved, STDERR_FILENO);
	close(capture_saved);
	close(capture_file);
	capture_saved = -1;
	capture_file = -1;
	return capture_text;
}

#define assert_logged(log, text) do {							\
	const char *logged_ = (log), *wanted_ = (text);					\
											\
	if (!strstr(logged_, wanted_))							\
		fail_msg("the log has no \"%s\": %s", wanted_, logged_);		\
} while (0)

static inline int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	if (!dir)
		abort();
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* How many mappings there are of files with this in their names. */
static inline unsigned int count_maps(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	char line[512];

	if (!maps)
		abort();
	while (fgets(line, sizeof(line), maps))
		count += !!strstr(line, name);
	fclose(maps);
	return count;
}

#endif /* UNIT_CAPTURE_H */
