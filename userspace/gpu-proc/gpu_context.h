/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contexts of the guest's virtio-gpu driver, and the types that there are. */
#ifndef GPU_PROC_GPU_CONTEXT_H
#define GPU_PROC_GPU_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_gpu.h>

#include "gpu_outcome.h"

#define GPU_CONTEXT_TYPES_MAX	2u
#define GPU_CONTEXT_NAME_MAX	64u	/* bytes, as in CTX_CREATE */
#define GPU_CONTEXT_RINGS	64u	/* timelines of fences */

struct gpu;
struct gpu_context;
struct gpu_context_spec;
struct gpu_request;
struct gpu_resource;
struct sandbox_options;

/*
 * What a context can do. Functions that return a uint32_t return the response to the
 * guest, VIRTIO_GPU_RESP_*; if it is an error, they have put the reason into why.
 */
struct gpu_why {
	char text[128];
};

struct gpu_context_type {
	const char *name;		/* as in --context=NAME */
	const char *help;		/* its options, and what it is, for --help */
	uint32_t capset_id, capset_version;

	/* Before the sandbox: all that needs rights. 0, or -1 after a log line. */
	int (*open)(const struct gpu_context_spec *spec, const struct sandbox_options *sandbox);
	void (*close)(void);

	/* Fill the capset in, up to len bytes; returns its size. */
	size_t (*capset)(void *data, size_t len);

	/* NULL: nothing is to be done */
	uint32_t (*create)(struct gpu_context *ctx, struct gpu_why *why);
	void (*destroy)(struct gpu_context *ctx);
	void (*attach)(struct gpu_context *ctx, struct gpu_resource *res);
	void (*detach)(struct gpu_context *ctx, struct gpu_resource *res);

	/*
	 * Memory for a blob resource whose id, size, flags and backing are filled in: sets
	 * res->blob.fd to a DMA-buf, or leaves it -1 for one that no CPU can map.
	 */
	uint32_t (*blob_create)(struct gpu_context *ctx, struct gpu_resource *res,
				uint64_t blob_id, struct gpu_why *why);
	void (*blob_destroy)(struct gpu_resource *res);

	/* size is a multiple of 4. The bytes are a copy of the guest's, 8-byte aligned. */
	uint32_t (*submit)(struct gpu_context *ctx, void *data, uint32_t size,
			   struct gpu_why *why);

	/*
	 * Have gpu_fence_signal() called when what was submitted to this ring is done.
	 * 0, or -1: it never will be. NULL: everything is done at once.
	 */
	int (*fence)(struct gpu_context *ctx, uint32_t ring, uint64_t fence);

	/*
	 * Something to wait for with poll(), besides fences, and what to do when it is
	 * readable; -1: nothing.
	 */
	int (*poll_fd)(void);
	void (*poll_ready)(struct gpu *gpu);
};

/* What --context asks for. */
struct gpu_context_spec {
	const struct gpu_context_type *type;
	uint64_t limit;			/* bytes of memory for blobs */
	const char *server;		/* path of a program, or NULL: the usual one */
};

struct gpu_context {
	struct gpu_context *next;
	struct gpu *gpu;
	uint32_t id;
	const struct gpu_context_type *type;
	char name[GPU_CONTEXT_NAME_MAX + 1];
	bool dead;			/* its renderer failed: the guest may only destroy it */
};

struct gpu_context_table {
	const struct gpu_context_type *types[GPU_CONTEXT_TYPES_MAX];	/* that --context named */
	unsigned int ntypes;
	struct gpu_context *first;
	unsigned int count;
};

extern const struct gpu_context_type context_heap;
extern const struct gpu_context_type context_virgl;	/* where HAVE_VIRGLRENDERER is defined */

/* What every device has beside those. */
extern const struct gpu_context_type context_plain;

/* All that were compiled in, in the order of --help; NULL ends the table. */
extern const struct gpu_context_type *const gpu_context_types[];

/* The argument of --context: 0, or -1 after a log line. Its strings are used on. */
int gpu_context_spec_parse(struct gpu_context_spec *spec, const char *arg);

/* Before the sandbox: offer this type to the guest. 0, or -1 after a log line. */
int gpu_context_enable(struct gpu *gpu, const struct gpu_context_spec *spec,
		       const struct sandbox_options *sandbox);
/* What they opened. */
void gpu_context_disable_all(struct gpu *gpu);

/* The poll_fd() of a type, by its number; -1: none. */
int gpu_context_poll_fd(const struct gpu *gpu, unsigned int type);

struct gpu_context *gpu_context_find(const struct gpu *gpu, uint32_t id);
void gpu_context_destroy_all(struct gpu *gpu);

/* Say why, for why->text. Returns type. */
uint32_t gpu_context_why(struct gpu_why *why, uint32_t type, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Handlers of requests. */
enum gpu_outcome gpu_context_get_capset_info(struct gpu_request *req);
enum gpu_outcome gpu_context_get_capset(struct gpu_request *req);
enum gpu_outcome gpu_context_create(struct gpu_request *req);
enum gpu_outcome gpu_context_destroy(struct gpu_request *req);
enum gpu_outcome gpu_context_attach_resource(struct gpu_request *req);
enum gpu_outcome gpu_context_detach_resource(struct gpu_request *req);
enum gpu_outcome gpu_context_submit(struct gpu_request *req);

#endif /* GPU_PROC_GPU_CONTEXT_H */
