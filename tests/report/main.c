// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conformance-report: what the machines of a conformance run showed, judged and put
 * together. Run by tests/conformance/run.
 *
 *	conformance-report OUT-DIR [CPU=]MACHINE-DIR...
 *
 * MACHINE-DIR: as tests/emu/machine left it, with coherence-check's output; see
 * machine.h. CPU: its name in the report; the folder's if it is not given. stdout:
 * KTAP. OUT-DIR: conformance.json, agreement.json, coherence.json, index.html. Leaves
 * with 0 if all is right, 1 if something is not, 2 if there is no report.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ktap.h"
#include "machine.h"
#include "page.h"
#include "report_json.h"
#include "totals.h"

static const struct {
	const char *name;
	void (*print)(FILE *out, const struct machine *machines, size_t n);
} files[] = {
	{ "conformance.json", report_json_cells },
	{ "agreement.json", report_json_agreements },
	{ "coherence.json", report_json_coherence },
	{ "index.html", page_print },
};

static int write_file(const char *folder, size_t i, const struct machine *machines, size_t n)
{
	char path[4096];
	FILE *out;
	int bad;

	if (snprintf(path, sizeof(path), "%s/%s", folder, files[i].name) >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	out = fopen(path, "w");
	if (!out)
		return -1;
	files[i].print(out, machines, n);
	bad = ferror(out);
	return fclose(out) || bad ? -1 : 0;
}

/* "CPU=folder" or "folder" */
static void read_argument(struct machine *machine, const char *argument)
{
	const char *folder = strchr(argument, '=');
	char *name, *end;

	if (folder && !memchr(argument, '/', (size_t)(folder - argument))) {
		name = strndup(argument, (size_t)(folder - argument));
		folder++;
	} else {
		folder = argument;
		name = strdup(argument);
		while (name && (end = strrchr(name, '/')) && !end[1])
			*end = '\0';
	}
	if (!name) {
		fputs("conformance-report: out of memory\n", stderr);
		exit(2);
	}
	end = strrchr(name, '/');
	machine_read(machine, end ? end + 1 : name, folder);
	free(name);
}

int main(int argc, char **argv)
{
	struct totals totals = { 0 };
	struct machine *machines;
	size_t i, n;
	int status;

	if (argc < 3) {
		fputs("usage: conformance-report OUT-DIR [CPU=]MACHINE-DIR...\n", stderr);
		return 2;
	}
	n = (size_t)argc - 2;
	machines = calloc(n, sizeof(*machines));
	if (!machines) {
		fputs("conformance-report: out of memory\n", stderr);
		return 2;
	}
	for (i = 0; i < n; i++) {
		read_argument(&machines[i], argv[i + 2]);
		totals_add(&totals, &machines[i]);
	}
	status = totals_ok(&totals) ? 0 : 1;
	if (mkdir(argv[1], 0777) && errno != EEXIST) {
		fprintf(stderr, "conformance-report: %s: %s\n", argv[1], strerror(errno));
		status = 2;
	}
	for (i = 0; status != 2 && i < sizeof(files) / sizeof(files[0]); i++)
		if (write_file(argv[1], i, machines, n)) {
			fprintf(stderr, "conformance-report: %s/%s: %s\n", argv[1], files[i].name,
				strerror(errno));
			status = 2;
		}
	ktap_print(stdout, machines, n);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "conformance-report: standard output: %s\n", strerror(errno));
		status = 2;
	}
	for (i = 0; i < n; i++)
		machine_free(&machines[i]);
	free(machines);
	return status;
}
