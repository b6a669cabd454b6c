// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests to a control socket and what comes back; see control_client.h. */
#include "vmm/control_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

#define REQUEST_ID	"ctl"

static int connect_to(const char *path)
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

FILE *control_client__open(const char *path)
{
	int fd = connect_to(path);
	FILE *vmm = fd < 0 ? NULL : fdopen(fd, "r+");

	if (vmm)
		return vmm;
	log_error("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return NULL;
}

int control_client__send(FILE *vmm, const char *command, cJSON *arguments)
{
	cJSON *request = cJSON_CreateObject();
	char *line;
	int r = -EIO;

	cJSON_AddStringToObject(request, "execute", command);
	cJSON_AddStringToObject(request, "id", REQUEST_ID);
	if (arguments)
		cJSON_AddItemToObject(request, "arguments", arguments);
	line = cJSON_PrintUnformatted(request);
	if (line && dprintf(fileno(vmm), "%s\n", line) > 0)
		r = 0;
	else
		log_error("send: %s", strerror(errno));
	cJSON_free(line);
	cJSON_Delete(request);
	return r;
}

char *control_client__line(FILE *vmm, const char **why)
{
	char *line = NULL;
	size_t size = 0;

	errno = 0;
	if (getline(&line, &size, vmm) >= 0)
		return line;
	*why = errno == EAGAIN ? "the VM does not answer" : "the VM closed the control socket";
	free(line);
	return NULL;
}

cJSON *control_client__answer(FILE *vmm, unsigned int timeout_s, char **text)
{
	const struct timeval timeout = { .tv_sec = timeout_s };
	const char *id, *why = NULL;
	cJSON *json;
	char *line;

	/* On the socket, not by poll(): a line may be in the stream's buffer already. */
	setsockopt(fileno(vmm), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));

	while ((line = control_client__line(vmm, &why))) {
		json = cJSON_Parse(line);
		id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "id"));
		if (id && !strcmp(id, REQUEST_ID)) {
			if (text)
				*text = line;
			else
				free(line);
			return json;
		}
		cJSON_Delete(json);
		free(line);
	}
	log_error("%s", why);
	return NULL;
}
