// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * `dmapat-vmm ctl SOCKET COMMAND [ARGS]`: send, wait for the answer with our id,
 * print it. `ctl SOCKET --events [NAME]` prints events instead, up to and including the
 * first of that name, so that scripts need not poll.
 */
#include "vmm/ctl.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "vmm/exit_status.h"

#define CTL_ID		"ctl"
#define CTL_TIMEOUT_S	60	/* for an answer; events may take any time */

static const char ctl__usage[] =
"usage: dmapat-vmm ctl SOCKET COMMAND [JSON-ARGUMENTS]\n"
"       dmapat-vmm ctl SOCKET --events [NAME]\n";

static int ctl__connect(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int ctl__send(int fd, const char *command, const char *args)
{
	cJSON *request = cJSON_CreateObject(), *arguments;
	char *line;
	int r = -EIO;

	cJSON_AddStringToObject(request, "execute", command);
	cJSON_AddStringToObject(request, "id", CTL_ID);
	if (args) {
		arguments = cJSON_Parse(args);
		if (!cJSON_IsObject(arguments)) {
			log_error("%s: not a JSON object", args);
			cJSON_Delete(arguments);
			cJSON_Delete(request);
			return -EINVAL;
		}
		cJSON_AddItemToObject(request, "arguments", arguments);
	}
	line = cJSON_PrintUnformatted(request);
	if (line && dprintf(fd, "%s\n", line) > 0)
		r = 0;
	else
		log_error("send: %s", strerror(errno));
	cJSON_free(line);
	cJSON_Delete(request);
	return r;
}

/* The next line, NUL-terminated; NULL: there is none, and @why says so. */
static char *ctl__line(FILE *in, const char **why)
{
	char *line = NULL;
	size_t size = 0;

	errno = 0;
	if (getline(&line, &size, in) >= 0)
		return line;
	*why = errno == EAGAIN ? "the VM does not answer" : "the VM closed the control socket";
	free(line);
	return NULL;
}

static int ctl__answer(FILE *in)
{
	const struct timeval timeout = { .tv_sec = CTL_TIMEOUT_S };
	const char *id, *why = NULL;
	cJSON *json;
	char *line;
	int status;

	/* On the socket, not by poll(): a line may be in the stream's buffer already. */
	setsockopt(fileno(in), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));

	/* Events come in between; they are not ours to print. */
	while ((line = ctl__line(in, &why))) {
		json = cJSON_Parse(line);
		id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "id"));
		if (id && !strcmp(id, CTL_ID)) {
			status = cJSON_HasObjectItem(json, "error") ? 1 : 0;
			fputs(line, stdout);
			cJSON_Delete(json);
			free(line);
			return status;
		}
		cJSON_Delete(json);
		free(line);
	}
	log_error("%s", why);
	return EXIT_SETUP;
}

static int ctl__events(FILE *in, const char *name)
{
	const char *event, *why = NULL;
	bool last;
	cJSON *json;
	char *line;

	while ((line = ctl__line(in, &why))) {
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
	int fd, status;
	FILE *in;

	if (argc < 3 || argc > 4) {
		fputs(ctl__usage, stderr);
		return EXIT_USAGE;
	}
	fd = ctl__connect(argv[1]);
	if (fd < 0) {
		log_error("%s: %s", argv[1], strerror(errno));
		return EXIT_SETUP;
	}
	in = fdopen(fd, "r+");
	if (!in) {
		log_error("%s: %s", argv[1], strerror(errno));
		close(fd);
		return EXIT_SETUP;
	}
	if (!strcmp(argv[2], "--events"))
		status = ctl__events(in, argc > 3 ? argv[3] : NULL);
	else if (ctl__send(fd, argv[2], argc > 3 ? argv[3] : NULL) < 0)
		status = EXIT_USAGE;
	else
		status = ctl__answer(in);
	fclose(in);
	return status;
}
