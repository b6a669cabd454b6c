/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For unit tests of gpu-proc's virtio-gpu device: a guest with memory, and its driver's
 * side of both queues, without a front-end in between.
 */
#ifndef UNIT_GPU_GUEST_H
#define UNIT_GPU_GUEST_H

#include <sys/eventfd.h>

#include <linux/virtio_gpu.h>

#include "capture.h"
#include "gpu-proc/gpu.h"
#include "gpu-proc/gpu_command.h"
#include "unit/virtio_driver.h"

#define GUEST_SIZE	0x400000u
#define USER_BASE	0x7000000000ull		/* front-end address of guest address 0 */
#define RINGS(q)	(0x20000u * (q))	/* guest addresses */
#define REQUEST		0x40000u
#define RESPONSE	0x80000u
#define PICTURE		0x100000u		/* for backings */

#define DISPLAY_WIDTH	640u
#define DISPLAY_HEIGHT	480u

struct guest {
	int fd, kick[QUEUE_COUNT], call[QUEUE_COUNT];
	char *ram;
	struct driver drv[QUEUE_COUNT];
	struct guest_memory memory;
	struct queue queues[QUEUE_COUNT];
	struct gpu gpu;
	union gpu_response response;		/* to the last request */
	uint32_t response_size;
};

static struct guest guest;

static inline void guest_set_memory(uint64_t size)
{
	struct vhost_user_memory table = {
		.nregions = 1,
		.regions = { { .size = size, .user_addr = USER_BASE } },
	};

	assert_int_equal(guest_memory_set(&guest.memory, &table, &guest.fd), 0);
}

static inline void guest_start_queue(unsigned int q)
{
	static const char *const names[] = { "control", "cursor" };
	struct queue *queue = &guest.queues[q];
	struct vhost_vring_addr addr = {
		.desc_user_addr = USER_BASE + RINGS(q) + DRIVER_DESC,
		.avail_user_addr = USER_BASE + RINGS(q) + DRIVER_AVAIL,
		.used_user_addr = USER_BASE + RINGS(q) + DRIVER_USED,
	};

	driver_init(&guest.drv[q], guest.ram + RINGS(q));
	guest.kick[q] = eventfd(0, EFD_CLOEXEC);
	guest.call[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue_init(queue, names[q], &guest.memory, gpu_serve, &guest.gpu);
	assert_int_equal(queue_set_num(queue, DRIVER_NUM), 0);
	assert_int_equal(queue_set_addr(queue, &addr), 0);
	assert_int_equal(queue_set_event(queue, &queue->kick, dup(guest.kick[q])), 0);
	assert_int_equal(queue_set_event(queue, &queue->call, dup(guest.call[q])), 0);
	queue->enabled = true;
}

static inline void guest_start(const struct gpu_options *options)
{
	unsigned int q;

	memset(&guest, 0, sizeof(guest));
	guest.fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(guest.fd, GUEST_SIZE), 0);
	guest.ram = mmap(NULL, GUEST_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, guest.fd, 0);
	guest_memory_init(&guest.memory);
	guest_set_memory(GUEST_SIZE);
	assert_int_equal(gpu_init(&guest.gpu, options), 0);
	for (q = 0; q < QUEUE_COUNT; q++)
		guest_start_queue(q);
	gpu_connect(&guest.gpu, &guest.memory, guest.queues, NULL);
}

static inline void guest_stop(void)
{
	unsigned int q;

	gpu_disconnect(&guest.gpu);
	assert_int_equal(guest.gpu.resources.count, 0);
	assert_int_equal(guest.gpu.resources.host_bytes, 0);
	assert_int_equal(guest.gpu.pending_bytes, 0);
	gpu_fini(&guest.gpu);
	for (q = 0; q < QUEUE_COUNT; q++) {
		queue_reset(&guest.queues[q]);
		close(guest.kick[q]);
		close(guest.call[q]);
	}
	guest_memory_clear(&guest.memory);
	munmap(guest.ram, GUEST_SIZE);
	close(guest.fd);
}

/* Of tests to which the display does not matter. */
static inline int guest_setup(void **state)
{
	static const struct gpu_options options = {
		.width = DISPLAY_WIDTH, .height = DISPLAY_HEIGHT,
	};

	(void)state;
	guest_start(&options);
	return 0;
}

static inline int guest_teardown(void **state)
{
	(void)state;
	guest_stop();
	return 0;
}

static inline void guest_kick(unsigned int q)
{
	assert_int_equal(eventfd_write(guest.kick[q], 1), 0);
	queue_kicked(&guest.queues[q]);
}

/* Put size bytes into a queue as a request with that much room, and kick; nothing else. */
static inline void guest_send(unsigned int q, const void *req, uint32_t size, uint32_t room)
{
	struct driver *d = &guest.drv[q];
	uint16_t head = d->next_desc;

	memcpy(guest.ram + REQUEST, req, size);
	memset(guest.ram + RESPONSE, 0xee, room + 64);
	driver_desc(d->desc, head, REQUEST, size, 0, room ? head + 1 : -1);
	driver_desc(d->desc, head + 1, RESPONSE, room, VRING_DESC_F_WRITE, -1);
	d->next_desc = (head + 2) % DRIVER_NUM;
	driver_offer(d, head);
	guest_kick(q);
}

/* The answer to the last request: its type, or 0 if it is empty. */
static inline uint32_t guest_answer(unsigned int q)
{
	struct vring_used *used = guest.drv[q].used;

	assert_int_equal(used->idx, guest.drv[q].avail->idx);
	guest.response_size = used->ring[(uint16_t)(used->idx - 1) % DRIVER_NUM].len;
	assert_true(guest.response_size <= sizeof(guest.response));
	memset(&guest.response, 0, sizeof(guest.response));
	memcpy(&guest.response, guest.ram + RESPONSE, guest.response_size);
	/* Not a byte more. */
	assert_int_equal((uint8_t)guest.ram[RESPONSE + guest.response_size], 0xee);
	return guest.response.hdr.type;
}

static inline uint32_t guest_ask(const void *req, uint32_t size)
{
	guest_send(QUEUE_CONTROL, req, size, GPU_RESPONSE_MAX);
	return guest_answer(QUEUE_CONTROL);
}

#define ask(req) guest_ask(&(req), sizeof(req))

#define assert_ok(type) assert_int_equal(type, VIRTIO_GPU_RESP_OK_NODATA)

/* The request is refused so, and the log says why. */
#define assert_refused(req, error, text) do {						\
	capture_begin();								\
	assert_int_equal(ask(req), VIRTIO_GPU_RESP_ERR_##error);			\
	assert_logged(capture_end(), text);						\
	assert_int_equal(guest.response_size, sizeof(struct virtio_gpu_ctrl_hdr));	\
	guest.gpu.complaints = 0;							\
} while (0)

/* What most tests begin with. */
static inline uint32_t create_2d(uint32_t id, uint32_t format, uint32_t width, uint32_t height)
{
	struct virtio_gpu_resource_create_2d req = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D,
		.resource_id = id,
		.format = format,
		.width = width,
		.height = height,
	};

	return ask(req);
}

struct attach_one {
	struct virtio_gpu_resource_attach_backing cmd;
	struct virtio_gpu_mem_entry entry;
};

static inline struct attach_one attach_request(uint32_t id, uint64_t gpa, uint32_t len)
{
	return (struct attach_one){
		.cmd = {
			.hdr.type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
			.resource_id = id,
			.nr_entries = 1,
		},
		.entry = { .addr = gpa, .length = len },
	};
}

static inline uint32_t attach(uint32_t id, uint64_t gpa, uint32_t len)
{
	struct attach_one req = attach_request(id, gpa, len);

	return ask(req);
}

static inline uint32_t unref(uint32_t id)
{
	struct virtio_gpu_resource_unref req = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF,
		.resource_id = id,
	};

	return ask(req);
}

static inline struct virtio_gpu_transfer_to_host_2d
transfer_request(uint32_t id, uint32_t x, uint32_t y, uint32_t width, uint32_t height,
		 uint64_t offset)
{
	return (struct virtio_gpu_transfer_to_host_2d){
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D,
		.r = { .x = x, .y = y, .width = width, .height = height },
		.offset = offset,
		.resource_id = id,
	};
}

#endif /* UNIT_GPU_GUEST_H */
