/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of the control socket. Called by control.c, in the event loop. */
#ifndef VMM_CONTROL_COMMAND_H
#define VMM_CONTROL_COMMAND_H

#include <stddef.h>

#include <cjson/cJSON.h>

struct vm;

/*
 * Run one line and return the answer, {"return": …} or {"error": {"class",
 * "desc"}}, with the request's id. NULL: out of memory. Error classes:
 *   ParseError		not JSON, or not one object
 *   BadRequest		a member is missing, unknown, or of the wrong type
 *   CommandNotFound
 *   GenericError	the command failed: desc says why
 */
cJSON *control_command__line(struct vm *vm, const char *line, size_t len);

cJSON *control_command__error(const char *class, const char *desc);

#endif /* VMM_CONTROL_COMMAND_H */
