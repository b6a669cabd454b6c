// SPDX-License-Identifier: GPL-2.0-or-later
/* Client of dmapat-vmm's control socket; see control.h. */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "child.h"

#define RETRY_MS	20

/* The VMM was started a moment ago: its socket appears when it appears. */
void control_connect(struct control *control, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int waited;

	memset(control, 0, sizeof(*control));
	control->path = path;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (control->fd < 0)
		fail("%s: %s", path, strerror(errno));
	for (waited = 0;
	     connect(control->fd, (struct sockaddr *)&address, sizeof(address)) < 0;
	     waited += RETRY_MS) {
		if (waited > DEMO_TIMEOUT_MS)
			fail("%s: %s", path, strerror(errno));
		poll(NULL, 0, RETRY_MS);
	}
}

void control_close(struct control *control)
{
	close(control->fd);
}

void control_send(struct control *control, const char *command, const char *arguments)
{
	char line[512];
	int n;

	n = snprintf(line, sizeof(line), "{\"execute\":\"%s\",\"arguments\":%s,\"id\":1}\n",
		     command, arguments ? arguments : "{}");
	if (n >= (int)sizeof(line) || send(control->fd, line, n, MSG_NOSIGNAL) != n)
		fail("%s: %s: cannot send: %s", control->path, command, strerror(errno));
}

/* Reads the next line; the text before it is used up. */
static cJSON *next_object(struct control *control)
{
	struct pollfd pfd = { .fd = control->fd, .events = POLLIN };
	cJSON *json;
	char *end;
	ssize_t n;

	while (!(end = memchr(control->text, '\n', control->length))) {
		if (poll(&pfd, 1, DEMO_TIMEOUT_MS) <= 0)
			fail("%s: no answer", control->path);
		n = recv(control->fd, control->text + control->length,
			 sizeof(control->text) - control->length, 0);
		if (n <= 0)
			fail("%s: closed, or an answer of more than %zu bytes", control->path,
			     sizeof(control->text));
		control->length += n;
	}
	*end++ = '\0';
	json = cJSON_Parse(control->text);
	if (!json)
		fail("%s: not JSON: %s", control->path, control->text);
	control->length -= end - control->text;
	memmove(control->text, end, control->length);
	return json;
}

cJSON *control_answer(struct control *control)
{
	cJSON *json, *result, *error;

	while (true) {
		json = next_object(control);
		error = cJSON_GetObjectItem(json, "error");
		if (error)
			fail("%s: %s", control->path,
			     cJSON_GetStringValue(cJSON_GetObjectItem(error, "desc")));
		result = cJSON_DetachItemFromObject(json, "return");
		cJSON_Delete(json);
		if (result)
			return result;
	}
}

cJSON *control_call(struct control *control, const char *command, const char *arguments)
{
	control_send(control, command, arguments);
	return control_answer(control);
}

void control_wait_launched(struct control *control)
{
	bool launched = false;
	cJSON *status;
	int waited;

	for (waited = 0; !launched; waited += RETRY_MS) {
		if (waited > DEMO_TIMEOUT_MS)
			fail("%s: the VM is not set up after %d ms", control->path, waited);
		status = control_call(control, "query-status", NULL);
		launched = cJSON_IsTrue(cJSON_GetObjectItem(status, "launched"));
		cJSON_Delete(status);
		if (!launched)
			poll(NULL, 0, RETRY_MS);
	}
}
