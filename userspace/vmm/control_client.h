/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end of the control socket: one request at a time, and lines as they
 * come. Called by ctl.c and migrate_command.c.
 */
#ifndef VMM_CONTROL_CLIENT_H
#define VMM_CONTROL_CLIENT_H

#include <stdio.h>

#include <cjson/cJSON.h>

/* Connect. NULL: there is nobody, and the reason is logged. */
FILE *control_client__open(const char *path);

/* Takes @arguments, which may be NULL. -EIO is logged. */
int control_client__send(FILE *vmm, const char *command, cJSON *arguments);

/* The next line, NUL-terminated; NULL: there is none, and @why says so. */
char *control_client__line(FILE *vmm, const char **why);

/*
 * The answer to the request sent last, as an object and, where @text is not NULL, as
 * the line that it came in. Events before it are dropped. NULL: none came within
 * @timeout_s seconds, which is logged.
 */
cJSON *control_client__answer(FILE *vmm, unsigned int timeout_s, char **text);

#endif /* VMM_CONTROL_CLIENT_H */
