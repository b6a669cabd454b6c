// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `dmapat-vmm ctl SOCKET COMMAND [ARGS]`: send, wait for the answer with our id,
 * print it. `ctl SOCKET --events [NAME]` prints events instead, up to and including the
 * first of that name, so that scripts need not poll.
 */
#include "vmm/ctl.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "vmm/control_client.h"
#include "vmm/exit_status.h"

#define CTL_TIMEOUT_S	60	/* for an answer; events may take any time */

static const char ctl__usage[] =
"usage: dmapat-vmm ctl SOCKET COMMAND [JSON-ARGUMENTS]\n"
"       dmapat-vmm ctl SOCKET --events [NAME]\n";

static int ctl__command(FILE *vmm, const char *command, const char *args)
{
	cJSON *arguments = args ? cJSON_Parse(args) : NULL, *answer;
	int status;
	char *line;

	if (args && !cJSON_IsObject(arguments)) {
		log_error("%s: not a JSON object", args);
		cJSON_Delete(arguments);
		return EXIT_USAGE;
	}
	if (control_client__send(vmm, command, arguments) < 0)
		return EXIT_SETUP;
	answer = control_client__answer(vmm, CTL_TIMEOUT_S, &line);
	if (!answer)
		return EXIT_SETUP;
	fputs(line, stdout);
	status = cJSON_HasObjectItem(answer, "error") ? 1 : 0;
	cJSON_Delete(answer);
	free(line);
	return status;
}

static int ctl__events(FILE *vmm, const char *name)
{
	const char *event, *why = NULL;
	bool last;
	cJSON *json;
	char *line;

	while ((line = control_client__line(vmm, &why))) {
		json = cJSON_Parse(line);
		event = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "event"));
		last = event && name && !strcmp(event, name);
		if (event) {
			fputs(line, stdout);
			fflush(stdout);
		}
		cJSON_Delete(json);
		free(line);
		if (last)
			return EXIT_GUEST_OK;
	}
	if (!name)
		return EXIT_GUEST_OK;
	log_error("%s, and sent no event %s", why, name);
	return EXIT_SETUP;
}

int ctl__main(int argc, char **argv)
{
	int status;
	FILE *vmm;

	if (argc < 3 || argc > 4) {
		fputs(ctl__usage, stderr);
		return EXIT_USAGE;
	}
	vmm = control_client__open(argv[1]);
	if (!vmm)
		return EXIT_SETUP;
	if (!strcmp(argv[2], "--events"))
		status = ctl__events(vmm, argc > 3 ? argv[3] : NULL);
	else
		status = ctl__command(vmm, argv[2], argc > 3 ? argv[3] : NULL);
	fclose(vmm);
	return status;
}
