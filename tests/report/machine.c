// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine's folder; see machine.h.
 */
#include "machine.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "complete.h"
#include "judge.h"
#include "log.h"
#include "totals.h"

#define BOOT	"@boot "

static char *path_of(const char *folder, const char *name)
{
	char *path = malloc(strlen(folder) + strlen(name) + 2);

	if (!path) {
		fputs("conformance-report: out of memory\n", stderr);
		exit(2);
	}
	sprintf(path, "%s/%s", folder, name);
	return path;
}

static bool ends_in(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);

	return length > tail && !strcmp(name + length - tail, suffix);
}

/* Logs of tests; the others in the folder are the machine's own. */
static bool is_test_log(const char *name)
{
	static const char *const others[] = { "serial.log", "boot.log", "trace.log", "rmmod.log" };
	size_t i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(name, others[i]))
			return false;
	return ends_in(name, ".log");
}

/* "@boot 6.12.117+deb12-amd64  Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz" */
static void take_boot_line(struct machine *machine, char *line)
{
	char *model;

	line[strcspn(line, "\r\n")] = '\0';
	line += strlen(BOOT);
	model = line + strcspn(line, " ");
	if (*model)
		*model++ = '\0';
	free(machine->kernel);
	free(machine->model);
	machine->kernel = copy_text(line);
	machine->model = copy_text(model + strspn(model, " "));
}

static void read_serial(struct machine *machine, const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return;		/* real hosts have no serial console */
	while (getline(&line, &size, file) >= 0)
		if (!strncmp(line, BOOT, strlen(BOOT)))
			take_boot_line(machine, line);
	free(line);
	fclose(file);
}

/* "passed failed skipped" */
static void read_result(struct machine *machine, const char *path)
{
	unsigned long passed, failed, skipped;
	FILE *file = fopen(path, "r");
	char line[64] = "";
	char *at, *end;

	if (!file) {
		texts_add(&machine->problems, "result: %s: the machine did not end",
			  strerror(errno));
		return;
	}
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	passed = strtoul(line, &at, 10);
	failed = strtoul(at, &end, 10);
	skipped = strtoul(end, &at, 10);
	if (end == line || at == end || *at != '\n') {
		line[strcspn(line, "\r\n")] = '\0';
		texts_add(&machine->problems, "result: '%s', expected 'passed failed skipped'",
			  line);
	} else if (failed) {
		texts_add(&machine->problems,
			  "result: %lu passed, %lu failed, %lu skipped: see the logs", passed,
			  failed, skipped);
	}
}

static void add_block(void *arg, const struct coherence_block *block)
{
	struct machine *machine = arg;

	machine->blocks = grow(machine->blocks, machine->n_blocks, sizeof(*machine->blocks));
	machine->blocks[machine->n_blocks] = *block;
	coherence_judge(&machine->blocks[machine->n_blocks++]);
}

static void bad_block_line(void *arg, const char *line)
{
	struct machine *machine = arg;

	texts_add(&machine->problems, "coherence: not understood: %s", line);
}

static void read_coherence(struct machine *machine, const char *path, const char *name)
{
	FILE *file = fopen(path, "r");

	if (!file) {
		texts_add(&machine->problems, "%s: %s", name, strerror(errno));
		return;
	}
	coherence_read(file, add_block, bad_block_line, machine);
	fclose(file);
}

/* The matrix before agreement: a report begins with what happens to a buffer first. */
static int descending(const struct dirent **a, const struct dirent **b)
{
	return alphasort(b, a);
}

/* Reads every file of the folder but the trace. */
static void read_folder(struct machine *machine, struct log *log, const char *folder)
{
	struct dirent **entries;
	int n, i;

	n = scandir(folder, &entries, NULL, descending);
	if (n < 0) {
		texts_add(&machine->problems, "%s: %s", folder, strerror(errno));
		return;
	}
	for (i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		char *path = path_of(folder, name);

		if (is_test_log(name))
			log_read(log, path, name);
		else if (ends_in(name, ".coherence"))
			read_coherence(machine, path, name);
		else if (!strcmp(name, "serial.log"))
			read_serial(machine, path);
		free(path);
		free(entries[i]);
	}
	free(entries);
}

static void read_trace(struct machine *machine, const struct log *log, struct traced *traced,
		       const char *path)
{
	size_t i;
	int ret;

	for (i = 0; i < log->n_cells; i++)
		if (log->cells[i].phase)
			traced_want(traced, log->cells[i].phase, log->cells[i].linear, false);
	for (i = 0; i < machine->n_agreements; i++)
		agreement_want(&machine->agreements[i], traced);
	ret = traced_read(traced, path);
	if (ret)
		texts_add(&machine->problems, "trace.log: %s", strerror(-ret));
	if (traced->damaged)
		texts_add(&machine->problems, "trace.log: %lu lines are damaged", traced->damaged);
}

static void judge(struct machine *machine, const struct log *log, const struct traced *traced)
{
	size_t i;

	for (i = 0; i < log->n_cells; i++) {
		machine->verdicts = grow(machine->verdicts, machine->n_verdicts,
					 sizeof(*machine->verdicts));
		judge_cell(&machine->verdicts[machine->n_verdicts++], &log->cells[i], traced);
	}
	for (i = 0; i < machine->n_agreements; i++)
		agreement_judge(&machine->agreements[i], traced);
}

/* Where there is a trace, both module sets must have been replayed, and must differ. */
static void check_coherence(struct machine *machine)
{
	struct totals totals = { 0 };
	size_t i, dmapat = 0;

	if (!machine->n_blocks) {
		texts_add(&machine->problems, "a trace, but no coherence-check output on it");
		return;
	}
	for (i = 0; i < machine->n_blocks; i++)
		dmapat += machine->blocks[i].dmapat;
	if (!dmapat)
		texts_add(&machine->problems, "coherence: no scenario ran with dmapat's modules");
	totals_add(&totals, machine);
	if (!totals.stale_stock)
		texts_add(&machine->problems,
			  "coherence: no stale read of a UC or WC buffer with stock modules: the scenarios prove nothing");
}

void machine_read(struct machine *machine, const char *cpu, const char *path)
{
	struct log log = { .machine = machine };
	struct traced traced = { 0 };
	char *trace, *result;

	memset(machine, 0, sizeof(*machine));
	machine->cpu = copy_text(cpu);
	read_folder(machine, &log, path);
	trace = path_of(path, "trace.log");
	machine->traced = !access(trace, F_OK);
	if (machine->traced)
		read_trace(machine, &log, &traced, trace);
	judge(machine, &log, machine->traced ? &traced : NULL);
	complete_check(machine);
	result = path_of(path, "result");
	read_result(machine, result);
	if (!machine->n_verdicts)
		texts_add(&machine->problems, "no cells: nothing was tested");
	if (machine->traced)
		check_coherence(machine);
	free(result);
	free(trace);
	free(log.cells);
	traced_destroy(&traced);
}

void machine_free(struct machine *machine)
{
	size_t i;

	for (i = 0; i < machine->n_no_cells; i++)
		free(machine->no_cells[i].why);
	for (i = 0; i < machine->n_blocks; i++)
		coherence_free(&machine->blocks[i]);
	free(machine->no_cells);
	free(machine->blocks);
	free(machine->verdicts);
	free(machine->agreements);
	texts_free(&machine->problems);
	free(machine->cpu);
	free(machine->kernel);
	free(machine->model);
	memset(machine, 0, sizeof(*machine));
}
