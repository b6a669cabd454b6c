// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Contexts of the guest's driver: what all types have in common, from the table of types
 * to the requests. Called by gpu_command.c's table, options.c, main.c and gpu.c.
 */
#include "gpu_context.h"
#include "gpu.h"
#include "gpu_command.h"
#include "gpu_fence.h"
#include "log.h"
#include "size.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LIMIT	(256ull << 20)

const struct gpu_context_type *const gpu_context_types[] = {
	&context_heap,
#ifdef HAVE_VIRGLRENDERER
	&context_virgl,
#endif
	NULL,
};

static const struct gpu_context_type *find_type(const char *name, size_t len)
{
	const struct gpu_context_type *const *type;

	for (type = gpu_context_types; *type; type++)
		if (strlen((*type)->name) == len && !memcmp((*type)->name, name, len))
			return *type;
	return NULL;
}

int gpu_context_spec_parse(struct gpu_context_spec *spec, const char *arg)
{
	const char *rest = strchrnul(arg, ','), *value;
	size_t len;

	*spec = (struct gpu_context_spec){ .limit = DEFAULT_LIMIT };
	spec->type = find_type(arg, rest - arg);
	if (!spec->type) {
		log_error("--context=%s: there is no type '%.*s' in this build (see --help)", arg,
			  (int)(rest - arg), arg);
		return -1;
	}
	if (!*rest)
		return 0;
	value = strchr(++rest, '=');
	len = value ? value++ - rest : 0;
	if (spec->type == &context_heap && len == strlen("limit") &&
	    !memcmp(rest, "limit", len)) {
		if (size_parse(value, &spec->limit) == 0 && spec->limit)
			return 0;
		log_error("--context=%s: limit=%s is not a size above 0", arg, value);
	} else if (spec->type != &context_heap && len == strlen("server") &&
		   !memcmp(rest, "server", len)) {
		if (*value == '/') {
			spec->server = value;
			return 0;
		}
		log_error("--context=%s: server=%s is not an absolute path", arg, value);
	} else {
		log_error("--context=%s: '%s' is no option of %s (see --help)", arg, rest,
			  spec->type->name);
	}
	return -1;
}

int gpu_context_enable(struct gpu *gpu, const struct gpu_context_spec *spec,
		       const struct sandbox_options *sandbox)
{
	struct gpu_context_table *table = &gpu->contexts;

	if (gpu_fence_open(gpu) < 0 || spec->type->open(spec, sandbox) < 0)
		return -1;
	table->types[table->ntypes++] = spec->type;
	gpu->config.num_capsets = table->ntypes;
	return 0;
}

void gpu_context_disable_all(struct gpu *gpu)
{
	struct gpu_context_table *table = &gpu->contexts;

	while (table->ntypes)
		table->types[--table->ntypes]->close();
	gpu->config.num_capsets = 0;
	gpu_fence_close(gpu);
}

int gpu_context_poll_fd(const struct gpu *gpu, unsigned int type)
{
	const struct gpu_context_table *table = &gpu->contexts;

	return type < table->ntypes && table->types[type]->poll_fd ? table->types[type]->poll_fd() :
								     -1;
}

uint32_t gpu_context_why(struct gpu_why *why, uint32_t type, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return type;
}

struct gpu_context *gpu_context_find(const struct gpu *gpu, uint32_t id)
{
	struct gpu_context *ctx = gpu->contexts.first;

	while (ctx && ctx->id != id)
		ctx = ctx->next;
	return ctx;
}

static const struct gpu_context_type *find_capset(const struct gpu *gpu, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < gpu->contexts.ntypes; i++)
		if (gpu->contexts.types[i]->capset_id == id)
			return gpu->contexts.types[i];
	return NULL;
}

enum gpu_outcome gpu_context_get_capset_info(struct gpu_request *req)
{
	const struct gpu_context_table *table = &req->gpu->contexts;
	struct virtio_gpu_resp_capset_info *info = &req->response.capset_info;
	uint32_t index = req->cmd->get_capset_info.capset_index;
	uint8_t data[GPU_RESPONSE_MAX - sizeof(info->hdr)];

	if (index >= table->ntypes)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "capset %u, but there are only %u", index, table->ntypes);
	info->capset_id = table->types[index]->capset_id;
	info->capset_max_version = table->types[index]->capset_version;
	info->capset_max_size = table->types[index]->capset(data, sizeof(data));
	return gpu_respond_with(req, VIRTIO_GPU_RESP_OK_CAPSET_INFO, sizeof(*info));
}

enum gpu_outcome gpu_context_get_capset(struct gpu_request *req)
{
	const struct virtio_gpu_get_capset *cmd = &req->cmd->get_capset;
	const struct gpu_context_type *type = find_capset(req->gpu, cmd->capset_id);
	const size_t header = sizeof(req->response.hdr);
	size_t size;

	if (!type)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "there is no capset id %u", cmd->capset_id);
	if (cmd->capset_version > type->capset_version)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "capset id %u has version %u at most, not %u", cmd->capset_id,
				  type->capset_version, cmd->capset_version);
	size = type->capset(req->response.bytes + header, sizeof(req->response) - header);
	return gpu_respond_with(req, VIRTIO_GPU_RESP_OK_CAPSET, header + size);
}

/* The name is for logs and debuggers of the host: no control characters. */
static void take_name(struct gpu_context *ctx, const struct virtio_gpu_ctx_create *cmd)
{
	uint32_t i;

	for (i = 0; i < cmd->nlen && cmd->debug_name[i]; i++)
		ctx->name[i] = isprint((unsigned char)cmd->debug_name[i]) ? cmd->debug_name[i] :
									    '?';
}

enum gpu_outcome gpu_context_create(struct gpu_request *req)
{
	const struct virtio_gpu_ctx_create *cmd = &req->cmd->ctx_create;
	uint32_t id = cmd->hdr.ctx_id, capset = cmd->context_init, type;
	const struct gpu_context_type *kind = capset ? find_capset(req->gpu, capset) : &context_plain;
	struct gpu_context_table *table = &req->gpu->contexts;
	struct gpu_why why = { "" };
	struct gpu_context *ctx;

	if (!id || gpu_context_find(req->gpu, id))
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID,
				  "context %u is %s", id, id ? "there already" : "none");
	if (cmd->nlen > sizeof(cmd->debug_name))
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "context %u: a name of %u bytes, there is room for %zu", id,
				  cmd->nlen, sizeof(cmd->debug_name));
	if (!kind)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "context %u: context_init 0x%x is no capset id of this device", id,
				  capset);
	if (table->count >= req->gpu->limits.contexts)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
				  "context %u: there are %u contexts, and may not be more", id,
				  table->count);
	ctx = calloc(1, sizeof(*ctx));
	if (!ctx)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
				  "context %u: no memory", id);
	ctx->gpu = req->gpu;
	ctx->id = id;
	ctx->type = kind;
	take_name(ctx, cmd);
	type = ctx->type->create ? ctx->type->create(ctx, &why) : VIRTIO_GPU_RESP_OK_NODATA;
	if (type != VIRTIO_GPU_RESP_OK_NODATA) {
		free(ctx);
		return gpu_refuse(req, type, "context %u: %s", id, why.text);
	}
	ctx->next = table->first;
	table->first = ctx;
	table->count++;
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}

static void destroy(struct gpu *gpu, struct gpu_context *ctx)
{
	struct gpu_context **p = &gpu->contexts.first;

	while (*p != ctx)
		p = &(*p)->next;
	*p = ctx->next;
	gpu->contexts.count--;
	if (ctx->type->destroy)
		ctx->type->destroy(ctx);
	/* Nobody signals these any more. */
	gpu_fence_abandon(gpu, ctx);
	free(ctx);
}

void gpu_context_destroy_all(struct gpu *gpu)
{
	while (gpu->contexts.first)
		destroy(gpu, gpu->contexts.first);
}

/* The context that the header names, or NULL after it has answered the request. */
static struct gpu_context *find(struct gpu_request *req)
{
	struct gpu_context *ctx = gpu_context_find(req->gpu, req->cmd->hdr.ctx_id);

	if (!ctx)
		gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID, "there is no context %u",
			   req->cmd->hdr.ctx_id);
	return ctx;
}

enum gpu_outcome gpu_context_destroy(struct gpu_request *req)
{
	struct gpu_context *ctx = find(req);

	if (!ctx)
		return GPU_DONE;
	destroy(req->gpu, ctx);
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}

/*
 * A resource of the host belongs to contexts, each of which must have been given it. Others
 * are guest memory, and no context has anything to do with them. Linux attaches those,
 * too, even to contexts that it has not made yet: to no effect.
 */
static enum gpu_outcome attach_or_detach(struct gpu_request *req, bool attach)
{
	uint32_t id = req->cmd->ctx_resource.resource_id;
	struct gpu_resource *res = gpu_resource_get(req, id);
	struct gpu_context *ctx;
	void (*op)(struct gpu_context *ctx, struct gpu_resource *res);

	if (!res)
		return GPU_DONE;
	if (!res->blob.type)
		return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
	ctx = find(req);
	if (!ctx)
		return GPU_DONE;
	op = attach ? ctx->type->attach : ctx->type->detach;
	if (ctx->type != res->blob.type)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "resource %u is of type %s, context %u of type %s", id,
				  res->blob.type->name, ctx->id, ctx->type->name);
	if (op)
		op(ctx, res);
	return gpu_respond(req, VIRTIO_GPU_RESP_OK_NODATA);
}

enum gpu_outcome gpu_context_attach_resource(struct gpu_request *req)
{
	return attach_or_detach(req, true);
}

enum gpu_outcome gpu_context_detach_resource(struct gpu_request *req)
{
	return attach_or_detach(req, false);
}

enum gpu_outcome gpu_context_submit(struct gpu_request *req)
{
	const struct virtio_gpu_cmd_submit *cmd = &req->cmd->submit;
	struct gpu_context *ctx = find(req);
	struct gpu_why why = { "" };
	uint32_t type;

	if (!ctx)
		return GPU_DONE;
	if (cmd->size > req->size - sizeof(*cmd) || cmd->size % 4)
		return gpu_refuse(req, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				  "context %u: %u bytes of commands, but there are %zu; must be a multiple of 4",
				  ctx->id, cmd->size, req->size - sizeof(*cmd));
	type = ctx->type->submit(ctx, (char *)req->cmd + sizeof(*cmd),
				 cmd->size, &why);
	if (type != VIRTIO_GPU_RESP_OK_NODATA)
		return gpu_refuse(req, type, "context %u: %s", ctx->id, why.text);
	return gpu_respond(req, type);
}
