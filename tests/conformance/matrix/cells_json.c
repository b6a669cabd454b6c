// SPDX-License-Identifier: GPL-2.0-or-later
/* Cells as JSON; see cells_json.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../report/cell_json.h"
#include "cells_json.h"

struct cells_json {
	FILE *out;
	bool any;
	char cpu[128];		/* as /proc/cpuinfo names it */
};

static void cpu_name(char *name, size_t size)
{
	FILE *info = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(name, size, "unknown");
	while (info && fgets(line, sizeof(line), info)) {
		const char *value = strstr(line, ": ");

		if (strncmp(line, "model name", strlen("model name")) || !value)
			continue;
		snprintf(name, size, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
		break;
	}
	if (info)
		fclose(info);
}

struct cells_json *cells_json_open(const char *path)
{
	struct cells_json *json = calloc(1, sizeof(*json));

	if (!json)
		return NULL;
	json->out = fopen(path, "we");
	if (!json->out) {
		free(json);
		return NULL;
	}
	cpu_name(json->cpu, sizeof(json->cpu));
	fputc('[', json->out);
	return json;
}

void cells_json_add(struct cells_json *json, const struct cell *cell)
{
	struct verdict verdict;

	verdict_by_tracepoints(&verdict, cell);
	fputs(json->any ? ",\n" : "\n", json->out);
	cell_json(json->out, json->cpu, &verdict);
	json->any = true;
}

int cells_json_close(struct cells_json *json)
{
	bool bad;

	fputs("\n]\n", json->out);
	bad = ferror(json->out);
	if (fclose(json->out))
		bad = true;
	free(json);
	return bad ? errno ? errno : EIO : 0;
}
