// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * coherence-check: would the traced accesses have been coherent on a processor with
 * caches? Run by tests/conformance/run.
 *
 *	coherence-check CPU TRACE LOG
 *
 * LOG: output of test_coherence, which declares scenarios; TRACE: Bochs' trace of the
 * same machine; CPU: its name, for the output. stdout: a block for each scenario.
 * Leaves with 0 if each is as declared, 1 if not, 2 if trace and declarations do not
 * fit each other.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "block.h"
#include "replay.h"
#include "scenario.h"

static FILE *open_file(const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		fprintf(stderr, "coherence-check: %s: %s\n", path, strerror(errno));
	return file;
}

static int check(const char *cpu, FILE *trace, FILE *log)
{
	struct scenario_list list;
	size_t i;
	int ret, status = 0;

	ret = scenario_read(&list, log);
	if (!ret)
		ret = replay(&list, trace);
	if (ret == -ENOMEM)
		fprintf(stderr, "coherence-check: %s\n", strerror(ENOMEM));
	for (i = 0; !ret && i < list.n; i++) {
		block_print(stdout, cpu, &list.scenarios[i]);
		if (list.scenarios[i].n_errors)
			status = 2;
		else if (!replay_ok(&list.scenarios[i]) && !status)
			status = 1;
	}
	scenario_free(&list);
	return ret ? 2 : status;
}

int main(int argc, char **argv)
{
	FILE *trace, *log;
	int status = 2;

	if (argc != 4) {
		fprintf(stderr, "usage: coherence-check CPU TRACE LOG\n");
		return 2;
	}
	trace = open_file(argv[2]);
	log = open_file(argv[3]);
	if (trace && log)
		status = check(argv[1], trace, log);
	if (trace)
		fclose(trace);
	if (log)
		fclose(log);
	if (fflush(stdout)) {
		fprintf(stderr, "coherence-check: %s\n", strerror(errno));
		status = 2;
	}
	return status;
}
