/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control socket: JSON, one object a line, in the manner of QMP. Several
 * clients; each gets every event. Runs in the event loop.
 */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include <cjson/cJSON.h>

#include "vmm/error.h"

struct control;
struct loop;
struct vm;

#define CONTROL_MAX_LINE	65536	/* bytes; a longer line ends the connection */
#define CONTROL_MAX_CLIENTS	16

/* @path is created, and removed by control__destroy(). */
int control__create(struct control **out, struct loop *loop, struct vm *vm, const char *path,
		    struct error *err);
void control__destroy(struct control *control);

/*
 * Send {"event": @name, "data": @data} to all clients. From any thread; @data
 * (may be NULL) is consumed. A no-op without a control socket.
 */
void control__event(struct control *control, const char *name, cJSON *data);

#endif /* VMM_CONTROL_H */
