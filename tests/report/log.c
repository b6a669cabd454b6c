// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A test's output; see log.h.
 */
#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The results of one log, to see whether its end is missing. */
struct results {
	bool of_interest;	/* the log has cells, or what else belongs in the report */
	bool planned;
	unsigned long plan;
	unsigned long reported;
	bool cut_off;
};

static bool begins(const char *line, const char *prefix)
{
	return !strncmp(line, prefix, strlen(prefix));
}

static bool add_cell(struct log *log, const char *line)
{
	log->cells = grow(log->cells, log->n_cells, sizeof(*log->cells));
	if (cell_parse(line, &log->cells[log->n_cells]))
		return false;
	log->n_cells++;
	return true;
}

static bool add_no_cell(struct machine *machine, const char *text)
{
	machine->no_cells = grow(machine->no_cells, machine->n_no_cells,
				 sizeof(*machine->no_cells));
	if (!no_cell_parse(text, &machine->no_cells[machine->n_no_cells]))
		return false;
	machine->n_no_cells++;
	return true;
}

static bool add_agreement(struct machine *machine, const char *text)
{
	machine->agreements = grow(machine->agreements, machine->n_agreements,
				   sizeof(*machine->agreements));
	if (!agreement_parse(text, &machine->agreements[machine->n_agreements]))
		return false;
	machine->n_agreements++;
	return true;
}

static void count_result(struct results *results, const char *line)
{
	char *end;

	if (begins(line, "ok ") || begins(line, "not ok ")) {
		results->reported++;
	} else if (begins(line, "1..") && isdigit((unsigned char)line[3])) {
		results->plan = strtoul(line + 3, &end, 10);
		results->planned = true;
	}
}

static void take_line(struct log *log, struct results *results, const char *line, const char *name)
{
	bool good;

	if (begins(line, "# cell "))
		good = add_cell(log, line);
	else if (begins(line, "# no-cell "))
		good = add_no_cell(log->machine, line + strlen("# no-cell "));
	else if (begins(line, "# agree "))
		good = add_agreement(log->machine, line + strlen("# agree "));
	else
		return count_result(results, line);
	results->of_interest = true;
	if (!good)
		texts_add(&log->machine->problems, "%s: not understood: %.*s", name,
			  (int)strcspn(line, "\r\n"), line);
}

void log_read(struct log *log, const char *path, const char *name)
{
	struct results results = { 0 };
	char *line = NULL;
	size_t size = 0;
	ssize_t length;
	FILE *file;

	file = fopen(path, "r");
	if (!file) {
		texts_add(&log->machine->problems, "%s: %s", name, strerror(errno));
		return;
	}
	while ((length = getline(&line, &size, file)) >= 0) {
		results.cut_off = line[length - 1] != '\n';
		take_line(log, &results, line, name);
	}
	free(line);
	fclose(file);
	if (!results.of_interest)
		return;
	if (results.cut_off)
		texts_add(&log->machine->problems, "%s: its last line has no end", name);
	if (!results.planned)
		texts_add(&log->machine->problems, "%s: no plan, %lu results", name,
			  results.reported);
	else if (results.plan != results.reported)
		texts_add(&log->machine->problems, "%s: %lu results planned, %lu reported", name,
			  results.plan, results.reported);
}
