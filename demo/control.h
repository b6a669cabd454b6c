/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Client of dmapat-vmm's control socket. Called by driver.c. */
#ifndef DEMO_CONTROL_H
#define DEMO_CONTROL_H

#include <cjson/cJSON.h>

struct control {
	const char *path;
	int fd;
	char text[65536];
	size_t length;
};

/* All of these end the driver with a message if something goes wrong. */
void control_connect(struct control *control, const char *path);
void control_close(struct control *control);
void control_send(struct control *control, const char *command, const char *arguments);
/* The answer's "return"; events before it are dropped. The caller frees it. */
cJSON *control_answer(struct control *control);
cJSON *control_call(struct control *control, const char *command, const char *arguments);
/* Until the VM has its buffers and is ready to run or to receive. */
void control_wait_launched(struct control *control);

#endif /* DEMO_CONTROL_H */
