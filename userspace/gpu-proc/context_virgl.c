// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The context type "venus": Vulkan of the host, by virglrenderer and its render server.
 * Each context is rendered for in a process of its own; here are only the ends of its
 * sockets and a thread that waits for its fences. Called through gpu_context.c's table.
 *
 * Where a context's process has died or broken its protocol, the context is given up at
 * once, all that waits for it is answered, and the guest's other contexts go on.
 */
#ifdef HAVE_VIRGLRENDERER
#include "blob_memory.h"
#include "gpu.h"
#include "gpu_context.h"
#include "gpu_fence.h"
#include "gpu_resource.h"
#include "log.h"
#include "render_server.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <virglrenderer.h>

#define CAPSET_VENUS	4u
#define LOG_MAX		100u	/* lines of the library: the guest can cause many */

#define INIT_FLAGS	(VIRGL_RENDERER_VENUS | VIRGL_RENDERER_NO_VIRGL | \
			 VIRGL_RENDERER_RENDER_SERVER | VIRGL_RENDERER_USE_EXTERNAL_BLOB | \
			 VIRGL_RENDERER_THREAD_SYNC | VIRGL_RENDERER_ASYNC_FENCE_CB)

/* The library has one of all this, too. */
static struct render_server server = { .sock = -1, .pidfd = -1 };
static unsigned int log_lines;

/* In a thread of the library's. */
static void on_fence(void *cookie, uint32_t ctx_id, uint32_t ring, uint64_t fence)
{
	(void)cookie;
	gpu_fence_signal(ctx_id, ring, fence);
}

/* The library closes it. */
static int give_server_socket(void *cookie, uint32_t version)
{
	int sock = server.sock;

	(void)cookie;
	if (version != 0)
		return -1;
	server.sock = -1;
	return sock;
}

static struct virgl_renderer_callbacks callbacks = {
	.version = 3,
	.write_context_fence = on_fence,
	.get_server_fd = give_server_socket,
};

/* In any thread. */
static void on_log(enum virgl_log_level_flags level, const char *message, void *data)
{
	unsigned int line;

	(void)data;
	if (level < VIRGL_LOG_LEVEL_WARNING)
		return;
	line = __atomic_add_fetch(&log_lines, 1, __ATOMIC_RELAXED);
	if (line <= LOG_MAX)
		log_warn("virglrenderer: %.*s", (int)strcspn(message, "\n"), message);
	if (line == LOG_MAX)
		log_warn("virglrenderer: more of its messages are not logged");
}

static int venus_open(const struct gpu_context_spec *spec, const struct sandbox_options *sandbox)
{
	uint32_t version, size;
	int ret;

	/* Shared memory of the library's becomes a DMA-buf by udmabuf. */
	if (!(blob_memory_open() & BLOB_MEMORY_WRAPS)) {
		log_error("--context=venus: cannot open /dev/udmabuf: %m");
		return -1;
	}
	if (render_server_start(&server, spec->server ?: RENDER_SERVER_PATH, sandbox) < 0)
		return -1;
	/* For more than a few threads malloc() would count the processors, by files in /sys. */
	mallopt(M_ARENA_MAX, 4);
	virgl_set_log_callback(on_log, NULL, NULL);
	ret = virgl_renderer_init(&server, INIT_FLAGS, &callbacks);
	if (ret) {
		log_error("--context=venus: virglrenderer cannot be initialised (%d)", ret);
		render_server_close(&server);
		return -1;
	}
	virgl_renderer_get_cap_set(CAPSET_VENUS, &version, &size);
	if (size)
		return 0;
	log_error("--context=venus: this virglrenderer was built without venus");
	virgl_renderer_cleanup(&server);
	render_server_close(&server);
	return -1;
}

static void venus_close(void)
{
	virgl_renderer_cleanup(&server);
	render_server_close(&server);
	blob_memory_close();
}

static size_t venus_capset(void *data, size_t len)
{
	uint32_t version, size;

	virgl_renderer_get_cap_set(CAPSET_VENUS, &version, &size);
	if (size > len)
		return 0;
	memset(data, 0, size);
	virgl_renderer_fill_caps(CAPSET_VENUS, version, data);
	return size;
}

static uint32_t venus_create(struct gpu_context *ctx, struct gpu_why *why)
{
	int ret;

	if (server.pidfd < 0)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_UNSPEC,
				       "the render server has ended");
	ret = virgl_renderer_context_create_with_flags(ctx->id, CAPSET_VENUS, strlen(ctx->name),
						       ctx->name);
	if (ret)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_UNSPEC,
				       "virglrenderer cannot make it (%d)", ret);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static void venus_destroy(struct gpu_context *ctx)
{
	if (!ctx->dead)
		virgl_renderer_context_destroy(ctx->id);
	ctx->dead = true;
}

static void venus_attach(struct gpu_context *ctx, struct gpu_resource *res)
{
	if (!ctx->dead)
		virgl_renderer_ctx_attach_resource(ctx->id, res->id);
}

static void venus_detach(struct gpu_context *ctx, struct gpu_resource *res)
{
	if (!ctx->dead)
		virgl_renderer_ctx_detach_resource(ctx->id, res->id);
}

/* What the library exported, as a DMA-buf in res->blob.fd. */
static uint32_t take_memory(struct gpu_resource *res, uint32_t type, int fd, struct gpu_why *why)
{
	off_t size;

	switch (type) {
	case VIRGL_RENDERER_BLOB_FD_TYPE_DMABUF:
		res->blob.fd = fd;
		break;
	case VIRGL_RENDERER_BLOB_FD_TYPE_SHM:
		res->blob.fd = blob_memory_of(fd, res->size);
		close(fd);
		if (res->blob.fd < 0)
			return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
					       "0x%llx bytes of shared memory do not become a DMA-buf: %m",
					       (unsigned long long)res->size);
		break;
	default:
		close(fd);
		/* Of no use to a CPU, but to the GPU. */
		if (!(res->blob.flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE))
			return VIRTIO_GPU_RESP_OK_NODATA;
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_UNSPEC,
				       "the driver's memory is no DMA-buf: it cannot be mapped");
	}
	size = lseek(res->blob.fd, 0, SEEK_END);
	if (size < 0 || (uint64_t)size < res->size)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				       "0x%llx bytes, but the memory has 0x%llx",
				       (unsigned long long)res->size, (unsigned long long)size);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t venus_blob_create(struct gpu_context *ctx, struct gpu_resource *res,
				  uint64_t blob_id, struct gpu_why *why)
{
	const struct virgl_renderer_resource_create_blob_args args = {
		.res_handle = res->id,
		.ctx_id = ctx->id,
		.blob_mem = res->blob.mem,
		.blob_flags = res->blob.flags,
		.blob_id = blob_id,
		.size = res->size,
	};
	uint32_t fd_type, type;
	int fd, ret;

	if (res->blob.mem != VIRTIO_GPU_BLOB_MEM_HOST3D)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
				       "blob_mem %u, venus has memory of the host only (%u)",
				       res->blob.mem, VIRTIO_GPU_BLOB_MEM_HOST3D);
	if (ctx->dead)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_UNSPEC, "its renderer has failed");
	ret = virgl_renderer_resource_create_blob(&args);
	if (ret)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_UNSPEC,
				       "virglrenderer has no blob 0x%llx of 0x%llx bytes (%d)",
				       (unsigned long long)blob_id,
				       (unsigned long long)res->size, ret);
	ret = virgl_renderer_resource_export_blob(res->id, &fd_type, &fd);
	if (ret)
		type = gpu_context_why(why, VIRTIO_GPU_RESP_ERR_UNSPEC,
				       "virglrenderer does not export it (%d)", ret);
	else
		type = take_memory(res, fd_type, fd, why);
	if (type != VIRTIO_GPU_RESP_OK_NODATA)
		virgl_renderer_resource_unref(res->id);
	return type;
}

static void venus_blob_destroy(struct gpu_resource *res)
{
	virgl_renderer_resource_unref(res->id);
}

/* Its process does not serve it any more. */
static void give_up(struct gpu_context *ctx)
{
	gpu_complain(ctx->gpu, "context %u (%s): its renderer has failed", ctx->id, ctx->name);
	venus_destroy(ctx);
	gpu_fence_abandon(ctx->gpu, ctx);
}

static uint32_t venus_submit(struct gpu_context *ctx, void *data, uint32_t size,
			     struct gpu_why *why)
{
	int ret;

	if (ctx->dead)
		return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_UNSPEC, "its renderer has failed");
	if (!size)
		return VIRTIO_GPU_RESP_OK_NODATA;
	ret = virgl_renderer_submit_cmd(data, ctx->id, size / 4);
	if (!ret)
		return VIRTIO_GPU_RESP_OK_NODATA;
	give_up(ctx);
	return gpu_context_why(why, VIRTIO_GPU_RESP_ERR_UNSPEC,
			       "virglrenderer does not take %u bytes of commands (%d)", size, ret);
}

static int venus_fence(struct gpu_context *ctx, uint32_t ring, uint64_t fence)
{
	if (ctx->dead)
		return -1;
	if (virgl_renderer_context_create_fence(ctx->id, VIRGL_RENDERER_FENCE_FLAG_MERGEABLE, ring,
						fence) == 0)
		return 0;
	give_up(ctx);
	return -1;
}

static int venus_poll_fd(void)
{
	return server.pidfd;
}

/* The render server has ended, and with it what it started. */
static void venus_poll_ready(struct gpu *gpu)
{
	struct gpu_context *ctx;

	log_error("the render server has ended: no more contexts of type venus");
	render_server_close(&server);
	for (ctx = gpu->contexts.first; ctx; ctx = ctx->next)
		if (ctx->type == &context_virgl && !ctx->dead)
			give_up(ctx);
}

const struct gpu_context_type context_virgl = {
	.name = "venus",
	.help = "venus[,server=PATH]   Vulkan, by virglrenderer and its render server\n"
		"                           (default " RENDER_SERVER_PATH ")",
	.capset_id = CAPSET_VENUS,
	.open = venus_open,
	.close = venus_close,
	.capset = venus_capset,
	.create = venus_create,
	.destroy = venus_destroy,
	.attach = venus_attach,
	.detach = venus_detach,
	.blob_create = venus_blob_create,
	.blob_destroy = venus_blob_destroy,
	.submit = venus_submit,
	.fence = venus_fence,
	.poll_fd = venus_poll_fd,
	.poll_ready = venus_poll_ready,
};
#endif /* HAVE_VIRGLRENDERER */
