/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine's folder, made for a test of conformance-report: logs and a trace as the
 * real ones are, with what the test plants in them. Read by test_report_*.c.
 */
#ifndef TESTS_UNIT_REPORT_FOLDER_H
#define TESTS_UNIT_REPORT_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "report/grid.h"
#include "report/machine.h"

#define LEAF_WC		0x8600000005aebb0full	/* frame 0x5aeb000 */
#define LEAF_WC_IGNORE	0x8600000005aebb4full
#define LEAF_UC		0x8600000005aebb07ull
#define LEAF_WB_IGNORE	0x8600000005aebb77ull
#define LEAF_WC_LARGE	0x8600000005a00b8full
#define FRAME		0x5aeb000ull
#define LINEAR		0x400000000000ull
#define PHASE		0x1001ull

struct folder {
	char path[64];
	struct machine machine;
};

static inline FILE *folder_open(const struct folder *folder, const char *name, const char *mode)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	file = fopen(path, mode);
	assert_non_null(file);
	return file;
}

/* Adds @text to a file of the folder. */
static inline void folder_write(const struct folder *folder, const char *name, const char *text)
{
	FILE *file = folder_open(folder, name, "a");

	fputs(text, file);
	fclose(file);
}

static inline void folder_remove(const struct folder *folder, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	assert_int_equal(unlink(path), 0);
}

static inline int folder_setup(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	assert_non_null(folder);
	strcpy(folder->path, "/tmp/dmapat-report-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	*state = folder;
	return 0;
}

static inline int folder_teardown(void **state)
{
	struct folder *folder = *state;
	struct dirent *entry;
	DIR *dir = opendir(folder->path);

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			folder_remove(folder, entry->d_name);
	closedir(dir);
	rmdir(folder->path);
	machine_free(&folder->machine);
	free(folder);
	return 0;
}

static inline const struct machine *folder_read(struct folder *folder)
{
	machine_free(&folder->machine);
	machine_read(&folder->machine, "tigerlake", folder->path);
	return &folder->machine;
}

/* A traced cell of a WC heap's page under dmapat, for a guest that uses WB. */
static inline struct cell folder_cell(void)
{
	return (struct cell){
		.modules = CELL_DMAPAT, .vendor = CELL_INTEL, .host = "wc-heap",
		.memtype = ORACLE_WC, .page = 1, .pat = ORACLE_WB, .moment = "first-touch",
		.want_level = 1, .spte = LEAF_WC, .level = 1, .host_pat = 0x0407050600070106ull,
		.data_ok = true, .phase = PHASE, .linear = LINEAR,
	};
}

/*
 * The cell, and cells for the other types that a guest can use: these fault as they
 * must, and are right whatever the trace has.
 */
static inline void folder_print(FILE *log, const struct cell *cell)
{
	struct cell other = *cell;
	size_t i;

	cell_print(log, cell);
	other.phase = 0;
	other.fault = true;
	other.want_fault = true;
	for (i = 0; i < GRID_PATS; i++) {
		other.pat = grid_pats[i];
		if (other.pat != cell->pat)
			cell_print(log, &other);
	}
}

/* matrix.log with the cell and the five others, and `result`. */
static inline void folder_log(const struct folder *folder, const struct cell *cell)
{
	FILE *log = folder_open(folder, "matrix.log", "w");

	folder_print(log, cell);
	fputs("ok 1 - cells\n1..1\n", log);
	fclose(log);
	log = folder_open(folder, "result", "w");
	fputs("1 0 0\n", log);
	fclose(log);
}

/* One scenario, in which dmapat has no stale read and stock has one. */
static inline void folder_coherence(const struct folder *folder)
{
	const char *name = "coherence.coherence";

	folder_write(folder, name, "scenario guest-writes cpu=tigerlake modules=dmapat host=wc-heap ");
	folder_write(folder, name, "memtype=WC accesses=2 reads=1 stale=0 lost=0 expect=none ok=1\n");
	folder_write(folder, name, "lines wf..\n");
	folder_write(folder, name, "scenario guest-writes cpu=tigerlake modules=stock host=wc-heap ");
	folder_write(folder, name, "memtype=WC accesses=2 reads=1 stale=1 lost=0 expect=stale ok=1\n");
	folder_write(folder, name, "lines wS..\nstale read 2 by device\n");
}

/* trace.log: begins a phase. */
static inline void trace_phase(const struct folder *folder, unsigned long long phase)
{
	FILE *trace = folder_open(folder, "trace.log", "a");

	fputs("Memory-Tracing enabled for CPU0\n", trace);
	fprintf(trace, "[CPU0 WR]: LIN 0x00007ffd28cc0600 PHY 0x000002bde600 (len=8, WB): 0x444D4150 0x%08llX\n",
		phase);
	fclose(trace);
}

/* A walk that reads @leaf at @level. */
static inline void trace_walk(const struct folder *folder, unsigned long long leaf, int level)
{
	FILE *trace = folder_open(folder, "trace.log", "a");

	fputs("[CPU0 RD]: PHY 0x000036ddb000 (len=8, WB): 0x80000000 0x36DDA907\t; EPT PML4E\n", trace);
	fputs("[CPU0 RD]: PHY 0x000036dda020 (len=8, WB): 0x80000000 0x36DD7907\t; EPT PDPTE\n", trace);
	if (level == 1)
		fputs("[CPU0 RD]: PHY 0x000036dd7000 (len=8, WB): 0x80000000 0x36DD6907\t; EPT PDE\n",
		      trace);
	fprintf(trace, "[CPU0 RD]: PHY 0x000036dd6008 (len=8, WB): 0x%08llX 0x%08llX\t; EPT %s\n",
		leaf >> 32, leaf & 0xffffffff, level == 1 ? "PTE" : "PDE");
	fclose(trace);
}

/* An access of 8 bytes; @rw: "RD", "WR"; @type: as Bochs prints it. */
static inline void trace_access(const struct folder *folder, const char *rw,
				unsigned long long linear, const char *type)
{
	FILE *trace = folder_open(folder, "trace.log", "a");

	fprintf(trace, "[CPU0 %s]: LIN 0x%016llx PHY 0x%012llx (len=8, %s): 0x11223344 0x55667788\n",
		rw, linear, FRAME, type);
	fclose(trace);
}

/* The trace of folder_cell(): one store and one load through @leaf. */
static inline void folder_trace(const struct folder *folder, unsigned long long leaf, int level,
				const char *type)
{
	trace_phase(folder, PHASE);
	trace_walk(folder, leaf, level);
	trace_access(folder, "WR", LINEAR, type);
	trace_access(folder, "RD", LINEAR, type);
	folder_write(folder, "trace.log", "Memory-Tracing disabled for CPU0\n");
}

/* @text has @first and @second. */
static inline void expect_both(const char *text, const char *first, const char *second)
{
	if (!strstr(text, first) || !strstr(text, second))
		fail_msg("'%s' has not '%s' and '%s'", text, first, second);
}

#endif /* TESTS_UNIT_REPORT_FOLDER_H */
