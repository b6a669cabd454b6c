// SPDX-License-Identifier: GPL-2.0-or-later
/* The two ends of a migration; see side.h. */
#include "lib/side.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/ktap.h"

#define VMM		"/t/dmapat-vmm"
#define GPU_PROC	"/t/dmapat-gpu-proc"

const char *side_options[5];

const char *side_path(const struct side *s, const char *what)
{
	static char names[4][64];
	static unsigned int next;
	char *out = names[next++ % 4];

	snprintf(out, sizeof(names[0]), "/run/%s.%s", s->name, what);
	return out;
}

void side_start_gpu(struct side *s, const char *const buffers[4])
{
	char sock[80];
	const char *argv[8] = { GPU_PROC, sock, "--shmem-size=16M" };
	int i;

	snprintf(sock, sizeof(sock), "--socket-path=%s", side_path(s, "gpu"));
	for (i = 0; i < 4 && buffers[i]; i++)
		argv[3 + i] = buffers[i];
	process_start(&s->gpu, argv);
	test_assert(process_says(&s->gpu, "ready"));
}

void side_start_vmm(struct side *s, const char *memory, const char *const more[4])
{
	const char *argv[24] = {
		VMM, "run", "--memory", memory, "--console", "-", "--control",
		side_path(s, "ctl"),
	};
	int i, n = 8;

	if (s->gpu.pid) {
		argv[n++] = "--gpu-proc";
		argv[n++] = side_path(s, "gpu");
	}
	for (i = 0; i < 4 && more[i]; i++)
		argv[n++] = more[i];
	for (i = 0; side_options[i]; i++)
		argv[n++] = side_options[i];
	process_start(&s->vmm, argv);
	control_connect(&s->ctl, side_path(s, "ctl"));
	control_connect(&s->events, side_path(s, "ctl"));
}

void side_stop(struct side *s)
{
	if (s->vmm.pid) {
		kill(s->vmm.pid, SIGKILL);
		process_end(&s->vmm);
	}
	control_close(&s->ctl);
	control_close(&s->events);
	unlink(side_path(s, "ctl"));
	/* It ends with its front-end. */
	process_end(&s->gpu);
	unlink(side_path(s, "gpu"));
}

bool side_has_status(struct side *s, const char *status)
{
	char text[64];

	snprintf(text, sizeof(text), "\"status\":\"%s\"", status);
	return strstr(control_command(&s->ctl, "\"execute\":\"query-status\""), text);
}

void side_migrate(struct side *src, const char *uri, const char *more)
{
	char json[256], timeout[32] = "";

	if (!strstr(more, "\"timeout-ms\""))
		snprintf(timeout, sizeof(timeout), ",\"timeout-ms\":%d", process_timeout_ms() / 6);
	snprintf(json, sizeof(json),
		 "\"execute\":\"migrate\",\"arguments\":{\"uri\":\"%s\"%s%s}", uri, more,
		 timeout);
	if (!strstr(control_command(&src->ctl, json), "\"return\"")) {
		test_note("%s", src->ctl.line);
		test_assert(!"migrate is accepted");
	}
}

bool side_migrated(struct side *src)
{
	bool ok;

	/* "active" and the like end otherwise; an error's words do not look like this. */
	do {
		test_assert(control_wait(&src->events, "\"event\":\"MIGRATION\""));
		ok = strstr(src->events.line, "\"status\":\"completed\"");
	} while (!ok && !strstr(src->events.line, "\"status\":\"failed\"") &&
		 !strstr(src->events.line, "\"status\":\"cancelled\""));
	return ok;
}
