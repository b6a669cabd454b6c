// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands of the control socket, one function each. The names and the form are
 * QMP's; migration.h says what migrate, cont and stop may answer.
 */
#include "vmm/control_command.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm_dmabuf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "vmm/exit_status.h"
#include "vmm/frontend.h"
#include "vmm/migration.h"
#include "vmm/options.h"
#include "vmm/util.h"
#include "vmm/vm.h"

#define SAMPLE_BYTES	8

struct argument {
	const char *name;
	bool (*is)(const cJSON *item);	/* the type that it must have */
	bool required;
};

static bool is_string(const cJSON *item)
{
	return cJSON_IsString(item) && item->valuestring[0];
}

static bool is_bool(const cJSON *item)
{
	return cJSON_IsBool(item);
}

static bool is_u32(const cJSON *item)
{
	return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= UINT32_MAX &&
	       item->valuedouble == (double)(uint32_t)item->valuedouble;
}

/* What a double can say of bytes. */
static bool is_bytes(const cJSON *item)
{
	return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= 1ULL << 53 &&
	       item->valuedouble == (double)(uint64_t)item->valuedouble;
}

cJSON *control_command__error(const char *class, const char *desc)
{
	cJSON *answer = cJSON_CreateObject();
	cJSON *error = cJSON_AddObjectToObject(answer, "error");

	cJSON_AddStringToObject(error, "class", class);
	cJSON_AddStringToObject(error, "desc", desc);
	return answer;
}

static int control_command__query_status(struct vm *vm, const cJSON *args, cJSON *out,
					 struct error *err)
{
	enum vm_status status = vm__status(vm);

	(void)args;
	(void)err;
	cJSON_AddStringToObject(out, "status", vm__status_name(status));
	cJSON_AddBoolToObject(out, "running", status == VM_RUNNING);
	cJSON_AddBoolToObject(out, "launched", vm->launched);
	cJSON_AddNumberToObject(out, "generation", vm->generation);
	return 0;
}

static void control_command__add_type(cJSON *out, const char *name, uint32_t memtype)
{
	if (memtype == MEMTYPE_NONE)
		cJSON_AddNullToObject(out, name);
	else
		cJSON_AddStringToObject(out, name, memtype__name(memtype));
}

static void control_command__add_flags(cJSON *out, uint32_t flags)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ KVM_MEMTYPE_BOUND, "bound" },
		{ KVM_MEMTYPE_FROM_HOST, "from-host" },
		{ KVM_MEMTYPE_IGNORES_GUEST_PAT, "ignores-guest-pat" },
		{ KVM_MEMTYPE_MAPPED, "mapped" },
		{ KVM_MEMTYPE_STALE, "stale" },
	};
	cJSON *array = cJSON_AddArrayToObject(out, "flags");
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (flags & names[i].bit)
			cJSON_AddItemToArray(array, cJSON_CreateString(names[i].name));
	}
}

/* The first bytes as this process' own mapping gives them. */
static void control_command__add_sample(cJSON *out, const struct buffer *buf)
{
	char hex[2 * SAMPLE_BYTES + 1];
	uint8_t bytes[SAMPLE_BYTES];
	uint64_t word;
	unsigned int i;

	/* One aligned load: the buffer may be uncached, and the guest writes it. */
	word = *(const volatile uint64_t *)buf->hva;
	memcpy(bytes, &word, sizeof(bytes));
	for (i = 0; i < SAMPLE_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	cJSON_AddStringToObject(out, "sample", hex);
}

static cJSON *control_command__buffer(struct vm *vm, const struct buffer *buf, unsigned int index)
{
	struct memtype_answers now = { .bind = buf->types.bind };
	cJSON *out = cJSON_CreateObject();

	memtype__ask(vm, buf, &now);
	cJSON_AddStringToObject(out, "name", buf->name);
	cJSON_AddNumberToObject(out, "index", index);
	cJSON_AddStringToObject(out, "exporter", buf->exporter);
	cJSON_AddStringToObject(out, "gpu-proc", buf->owner->socket);
	cJSON_AddNumberToObject(out, "gpa", vm->window.gpa + buf->offset);
	cJSON_AddNumberToObject(out, "offset", buf->offset);
	cJSON_AddNumberToObject(out, "size", buf->size);
	cJSON_AddBoolToObject(out, "bound", buf->bound);
	control_command__add_type(out, "bind", now.bind);
	control_command__add_type(out, "host", now.host);
	control_command__add_type(out, "leaf", now.leaf);
	control_command__add_flags(out, now.flags);
	control_command__add_type(out, "query", now.query);
	cJSON_AddStringToObject(out, "source",
				now.source == DMABUF_MEMTYPE_SOURCE_EXPORTER ? "exporter" :
				now.source == DMABUF_MEMTYPE_SOURCE_MAPPING ? "mapping" : "none");
	control_command__add_type(out, "memtype", buf->memtype);
	cJSON_AddNumberToObject(out, "map_info", buf->map_info);
	cJSON_AddStringToObject(out, "map_info_name", memtype__map_info_name(buf->map_info));
	control_command__add_sample(out, buf);
	return out;
}

static int control_command__query_memtype(struct vm *vm, const cJSON *args, cJSON *out,
					  struct error *err)
{
	struct window *win = &vm->window;
	cJSON *array;
	unsigned int i;

	(void)args;
	(void)err;
	cJSON_AddNumberToObject(out, "window-gpa", win->gpa);
	cJSON_AddNumberToObject(out, "window-size", win->size);
	array = cJSON_AddArrayToObject(out, "buffers");
	pthread_mutex_lock(&win->lock);
	for (i = 0; i < win->nr_buffers; i++)
		cJSON_AddItemToArray(array, control_command__buffer(vm, win->buffers[i], i));
	pthread_mutex_unlock(&win->lock);
	return 0;
}

static int control_command__launched(struct vm *vm, struct error *err)
{
	if (!vm->launched)
		return error__set(err, EAGAIN,
				  "the VM is not set up yet: a gpu-proc has not delivered its buffers");
	return 0;
}

static int control_command__stop(struct vm *vm, const cJSON *args, cJSON *out, struct error *err)
{
	int r = control_command__launched(vm, err);

	(void)args;
	(void)out;
	return r ? r : migration__stop(vm, err);
}

static int control_command__cont(struct vm *vm, const cJSON *args, cJSON *out, struct error *err)
{
	bool force = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(args, "force"));
	int r = control_command__launched(vm, err);

	(void)out;
	/* What a memory fault stopped for may have been mended since. */
	if (!r && vm__status(vm) == VM_PAUSED)
		r = window__refresh(vm, err);
	return r ? r : migration__cont(vm, force, err);
}

static int control_command__quit(struct vm *vm, const cJSON *args, cJSON *out, struct error *err)
{
	(void)args;
	(void)out;
	(void)err;
	vm__exit(vm, EXIT_GUEST_OK);
	return 0;
}

static uint64_t control_command__number(const cJSON *args, const char *name, uint64_t absent)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(args, name);

	return item ? (uint64_t)item->valuedouble : absent;
}

static int control_command__migrate(struct vm *vm, const cJSON *args, cJSON *out,
				    struct error *err)
{
	const struct migration_params params = {
		.timeout_ms = control_command__number(args, "timeout-ms", 0),
		.downtime_limit_ms = control_command__number(args, "downtime-limit-ms", 0),
		.max_rounds = control_command__number(args, "max-rounds", 0),
		.channels = control_command__number(args, "channels", 0),
		.compression_level = control_command__number(args, "compression-level",
							     MIGRATION_COMPRESSION_LEVEL),
		.bandwidth = control_command__number(args, "bandwidth", 0),
		.auto_converge = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(args,
									       "auto-converge")),
	};
	int r = control_command__launched(vm, err);

	(void)out;
	if (r)
		return r;
	return migration__start(vm, cJSON_GetObjectItemCaseSensitive(args, "uri")->valuestring,
				&params, err);
}

static int control_command__query_migrate(struct vm *vm, const cJSON *args, cJSON *out,
					  struct error *err)
{
	(void)args;
	(void)err;
	migration__query(vm, out);
	return 0;
}

static int control_command__migrate_cancel(struct vm *vm, const cJSON *args, cJSON *out,
					   struct error *err)
{
	(void)args;
	(void)out;
	return migration__cancel(vm, err);
}

#define COMMAND_MAX_ARGS	8

static const struct command {
	const char *name;
	int (*run)(struct vm *vm, const cJSON *args, cJSON *out, struct error *err);
	struct argument args[COMMAND_MAX_ARGS];
} control_command__commands[] = {
	{ .name = "query-status", .run = control_command__query_status },
	{ .name = "query-memtype", .run = control_command__query_memtype },
	{ .name = "stop", .run = control_command__stop },
	{ .name = "cont", .run = control_command__cont, .args = { { "force", is_bool, false } } },
	{ .name = "quit", .run = control_command__quit },
	{ .name = "migrate", .run = control_command__migrate, .args = {
		{ "uri", is_string, true },
		{ "timeout-ms", is_u32, false },
		{ "downtime-limit-ms", is_u32, false },
		{ "max-rounds", is_u32, false },
		{ "bandwidth", is_bytes, false },
		{ "compression-level", is_u32, false },
		{ "auto-converge", is_bool, false },
		{ "channels", is_u32, false },
	} },
	{ .name = "query-migrate", .run = control_command__query_migrate },
	{ .name = "migrate_cancel", .run = control_command__migrate_cancel },
};

static const struct command *control_command__find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(control_command__commands); i++) {
		if (!strcmp(control_command__commands[i].name, name))
			return &control_command__commands[i];
	}
	return NULL;
}

static const struct argument *control_command__argument(const struct command *command,
							const char *name)
{
	unsigned int i;

	for (i = 0; i < COMMAND_MAX_ARGS && command->args[i].name; i++) {
		if (!strcmp(command->args[i].name, name))
			return &command->args[i];
	}
	return NULL;
}

static int control_command__check_args(const struct command *command, const cJSON *args,
				       struct error *err)
{
	const struct argument *arg;
	const cJSON *item;
	unsigned int i;

	cJSON_ArrayForEach(item, args) {
		arg = control_command__argument(command, item->string);
		if (!arg)
			return error__set(err, EINVAL, "%s has no argument '%s'", command->name,
					  item->string);
		if (!arg->is(item))
			return error__set(err, EINVAL,
					  "argument '%s' of %s has the wrong type or value",
					  arg->name, command->name);
	}
	for (i = 0; i < COMMAND_MAX_ARGS && command->args[i].name; i++) {
		if (command->args[i].required &&
		    !cJSON_GetObjectItemCaseSensitive(args, command->args[i].name))
			return error__set(err, EINVAL, "argument '%s' of %s is missing",
					  command->args[i].name, command->name);
	}
	return 0;
}

/* The request's own form: "execute", "arguments", "id", nothing else. */
static int control_command__check_request(const cJSON *request, struct error *err)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, request) {
		if (!strcmp(item->string, "execute")) {
			if (!is_string(item))
				return error__set(err, EINVAL, "'execute' must be a command's name");
		} else if (!strcmp(item->string, "arguments")) {
			if (!cJSON_IsObject(item))
				return error__set(err, EINVAL, "'arguments' must be an object");
		} else if (strcmp(item->string, "id")) {
			return error__set(err, EINVAL, "a request has no member '%s'",
					  item->string);
		}
	}
	if (!cJSON_GetObjectItemCaseSensitive(request, "execute"))
		return error__set(err, EINVAL, "'execute' is missing");
	return 0;
}

static cJSON *control_command__run(struct vm *vm, const cJSON *request)
{
	const cJSON *args = cJSON_GetObjectItemCaseSensitive(request, "arguments");
	const struct command *command;
	struct error err = { 0 };
	cJSON *answer, *out;
	const char *name;

	if (control_command__check_request(request, &err) < 0)
		return control_command__error("BadRequest", err.msg);
	name = cJSON_GetObjectItemCaseSensitive(request, "execute")->valuestring;
	command = control_command__find(name);
	if (!command)
		return control_command__error("CommandNotFound", "there is no such command");
	if (control_command__check_args(command, args, &err) < 0)
		return control_command__error("BadRequest", err.msg);

	answer = cJSON_CreateObject();
	out = cJSON_AddObjectToObject(answer, "return");
	if (command->run(vm, args, out, &err) < 0) {
		cJSON_Delete(answer);
		return control_command__error("GenericError", err.msg);
	}
	return answer;
}

cJSON *control_command__line(struct vm *vm, const char *line, size_t len)
{
	const char *end = NULL;
	cJSON *request, *answer, *id;

	/* cJSON takes a NUL for white space. */
	request = memchr(line, '\0', len) ? NULL :
		  cJSON_ParseWithLengthOpts(line, len, &end, false);
	while (request && end < line + len && strchr(" \t\r", *end))
		end++;
	if (!cJSON_IsObject(request) || end < line + len) {
		cJSON_Delete(request);
		return control_command__error("ParseError", "the line is not one JSON object");
	}
	answer = control_command__run(vm, request);
	id = cJSON_DetachItemFromObjectCaseSensitive(request, "id");
	if (id)
		cJSON_AddItemToObject(answer, "id", id);
	cJSON_Delete(request);
	return answer;
}
