/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For unit tests of gpu-proc's blobs and contexts: gpu_guest.h's guest with a region, and
 * the front-end's end of the socket. Memory of blobs is a memfd here, and its type is
 * what fake_memtype says: the functions take the place of blob_memory.c and memtype.c at
 * link time.
 */
#ifndef UNIT_BLOB_GUEST_H
#define UNIT_BLOB_GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <linux/dmabuf_memtype.h>

#include "fdmsg.h"
#include "gpu-proc/blob_memory.h"
#include "gpu-proc/memtype.h"
#include "gpu_guest.h"
#include "virtio_gpu_heap.h"

#define PAGE		4096u
#define REGION		(64ull << 20)
#define BUFFER_AT	(1ull << 20)
#define MAP		VHOST_USER_BACKEND_SHMEM_MAP
#define UNMAP		VHOST_USER_BACKEND_SHMEM_UNMAP

static int fake_memtype;	/* DMABUF_MEMTYPE_*, or -errno */
static int fake_alloc_errno;	/* 0: it works */
static int fake_fds;		/* DMA-bufs that were made */

uint32_t blob_memory_open(void)
{
	return 1u << DMABUF_MEMTYPE_WC | 1u << DMABUF_MEMTYPE_WB;
}

void blob_memory_close(void)
{
}

int blob_memory_new(uint32_t memtype, uint64_t size)
{
	int fd;

	if (fake_alloc_errno) {
		errno = fake_alloc_errno;
		return -1;
	}
	fd = memfd_create("blob", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, size), 0);
	fake_memtype = memtype;
	fake_fds++;
	return fd;
}

int blob_memory_of(int memfd, uint64_t size)
{
	(void)size;
	return fcntl(memfd, F_DUPFD_CLOEXEC, 3);
}

void memtype_open(void)
{
}

void memtype_close(void)
{
}

int memtype_ask(int dmabuf, uint32_t *memtype)
{
	assert_true(fcntl(dmabuf, F_GETFD) >= 0);
	if (fake_memtype < 0) {
		errno = -fake_memtype;
		return -1;
	}
	*memtype = fake_memtype;
	return 0;
}

void memtype_describe(int dmabuf, char *buf, size_t len)
{
	(void)dmabuf;
	snprintf(buf, len, "fake");
}

static struct shmem shmem;
static struct buffer_spec static_spec = { .size = PAGE, .offset = BUFFER_AT };
static struct buffer static_buffer = { .spec = &static_spec, .label = "buffer 0", .fd = 0 };
static int front_end, fds_before;

#define HEAP_LIMIT	(256u * PAGE)

static inline int blob_setup(void **state)
{
	const struct gpu_context_spec spec = { .type = &context_heap, .limit = HEAP_LIMIT };
	int sv[2];

	fds_before = count_fds();
	fake_alloc_errno = 0;
	fake_fds = 0;
	guest_setup(state);
	capture_begin();
	assert_int_equal(gpu_context_enable(&guest.gpu, &spec, NULL), 0);
	assert_logged(capture_end(), "no UC memory to be had");
	shmem_init(&shmem, &static_buffer, 1, REGION);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	front_end = sv[0];
	assert_int_equal(shmem_set_socket(&shmem, sv[1], ~0ull), 0);
	gpu_connect(&guest.gpu, &guest.memory, guest.queues, &shmem);
	return 0;
}

static inline int blob_teardown(void **state)
{
	shmem.failed = true;
	guest_teardown(state);
	shmem_destroy(&shmem);
	close(front_end);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

/* ---- requests ---- */

static inline struct virtio_gpu_ctx_create ctx_create_request(uint32_t id, uint32_t capset)
{
	return (struct virtio_gpu_ctx_create){
		.hdr = { .type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = id },
		.nlen = 4, .context_init = capset, .debug_name = "test",
	};
}

static inline struct virtio_gpu_ctx_resource ctx_request(uint32_t type, uint32_t id, uint32_t res)
{
	return (struct virtio_gpu_ctx_resource){
		.hdr = { .type = type, .ctx_id = id }, .resource_id = res,
	};
}

static inline struct virtio_gpu_resource_create_blob blob_request(uint32_t ctx, uint32_t id,
								  uint64_t memtype, uint64_t size)
{
	return (struct virtio_gpu_resource_create_blob){
		.hdr = { .type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, .ctx_id = ctx },
		.resource_id = id,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D,
		.blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
		.blob_id = memtype,
		.size = size,
	};
}

static inline struct virtio_gpu_resource_map_blob map_request(uint32_t id, uint64_t offset)
{
	return (struct virtio_gpu_resource_map_blob){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB,
		.resource_id = id, .offset = offset,
	};
}

static inline struct virtio_gpu_resource_unmap_blob unmap_request(uint32_t id)
{
	return (struct virtio_gpu_resource_unmap_blob){
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, .resource_id = id,
	};
}

static inline void send_request(const void *req, uint32_t size)
{
	guest_send(QUEUE_CONTROL, req, size, GPU_RESPONSE_MAX);
}

#define send(req) send_request(&(req), sizeof(req))

/* A heap context 1 with blob 5 of two pages, WC unless said otherwise. */
static inline void make_blob(uint64_t memtype)
{
	struct virtio_gpu_ctx_create ctx = ctx_create_request(1, VIRTIO_GPU_CAPSET_HEAP);
	struct virtio_gpu_resource_create_blob blob = blob_request(1, 5, memtype, 2 * PAGE);

	assert_ok(ask(ctx));
	assert_ok(ask(blob));
}

/* ---- the front-end ---- */

static inline void expect(uint32_t request, uint64_t offset, uint64_t len)
{
	struct vhost_user_msg msg;

	assert_int_equal(fdmsg_recv(front_end, &msg, 0), FDMSG_OK);
	assert_int_equal(msg.hdr.request, request);
	assert_true(msg.hdr.flags & VHOST_USER_FLAG_NEED_REPLY);
	assert_int_equal(msg.payload.mmap.shmid, VIRTIO_GPU_SHM_ID_HOST_VISIBLE);
	assert_int_equal(msg.payload.mmap.shm_offset, offset);
	assert_int_equal(msg.payload.mmap.len, len);
	assert_int_equal(msg.nfds, request == MAP);
	fdmsg_close_fds(&msg);
}

static inline void expect_nothing(void)
{
	struct vhost_user_msg msg;

	assert_int_equal(fdmsg_recv(front_end, &msg, 0), FDMSG_TIMEOUT);
}

static inline void answer(uint32_t request, uint64_t value)
{
	struct vhost_user_msg msg = {
		.hdr = { request, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, sizeof(value) },
		.payload.u64 = value,
	};

	assert_int_equal(fdmsg_send(front_end, &msg, 1000), FDMSG_OK);
	assert_int_equal(shmem_read_replies(&shmem), 0);
}

static inline bool is_answered(void)
{
	return guest.drv[QUEUE_CONTROL].used->idx == guest.drv[QUEUE_CONTROL].avail->idx;
}

/* Map blob 5 at an offset, to the end. */
static inline void map_blob(uint64_t offset)
{
	struct virtio_gpu_resource_map_blob map = map_request(5, offset);

	send(map);
	expect(MAP, offset, 2 * PAGE);
	answer(MAP, 0);
	assert_int_equal(guest_answer(QUEUE_CONTROL), VIRTIO_GPU_RESP_OK_MAP_INFO);
}

#endif /* UNIT_BLOB_GUEST_H */
