// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes the inputs from which the fuzz targets begin: FOLDER/TARGET/NAME, a few bytes
 * each. Run by `make fuzz-corpus`, which keeps them in the tree, and by `make
 * check-fuzz`, which checks that they are what this makes.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>

#include "backend_input.h"
#include "peer.h"
#include "vhost_user.h"
#include "virtqueue_input.h"
#include "vmm/frontend.h"

static const char *folder;
static FILE *out;

static void begin(const char *target, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(folder, 0777);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	out = fopen(path, "w");
	if (!out)
		err(1, "%s", path);
}

static void end(void)
{
	if (fclose(out))
		err(1, "cannot write");
}

static void bytes(const void *data, size_t size)
{
	if (size)
		fwrite(data, size, 1, out);
}

/* Numbers as fuzz_number() takes them. */
static void u8(uint8_t value)
{
	bytes(&value, sizeof(value));
}

static void u16(uint16_t value)
{
	bytes(&value, sizeof(value));
}

/* ---- virtqueue ---- */

#define RING_AVAIL	0x1000u
#define RING_USED	0x2000u
#define RING_DATA	0x4000u

static void ring(const char *name, uint16_t num, uint8_t flags)
{
	begin("virtqueue", name);
	u16(num);
	u16(0);
	u16(RING_AVAIL);
	u16(RING_USED);
	u8(flags);
}

static void store(uint16_t address, const void *data, uint8_t size)
{
	u8(VIRTQUEUE_WRITE);
	u16(address);
	u8(size);
	bytes(data, size);
}

static void desc(uint16_t table, unsigned int i, uint64_t addr, uint32_t len, uint16_t flags,
		 uint16_t next)
{
	const struct vring_desc d = { .addr = addr, .len = len, .flags = flags, .next = next };

	store(table + i * sizeof(d), &d, sizeof(d));
}

/* Flags, index, and the first entries, which are 0, 1, … */
static void available(uint16_t idx)
{
	const uint16_t avail[] = { 0, idx, 0, 1, 2, 3 };

	store(RING_AVAIL, avail, sizeof(avail));
}

static void serve(uint16_t written)
{
	u8(VIRTQUEUE_POP);
	u8(VIRTQUEUE_READ);
	u8(0);
	u16(64);
	u8(VIRTQUEUE_FILL);
	u8(3);
	u16(64);
	u8(VIRTQUEUE_PUSH);
	u16(written);
	u8(VIRTQUEUE_SIGNAL);
}

static void make_virtqueue(void)
{
	ring("chain", 8, 0);
	desc(0, 0, RING_DATA, 24, VRING_DESC_F_NEXT, 1);
	desc(0, 1, RING_DATA + 0x100, 64, VRING_DESC_F_WRITE, 0);
	available(1);
	serve(24);
	u8(VIRTQUEUE_POP);
	end();

	ring("indirect", 8, VIRTQUEUE_INDIRECT);
	desc(0, 0, RING_DATA, 32, VRING_DESC_F_INDIRECT, 0);
	desc(RING_DATA, 0, RING_DATA + 0x100, 24, VRING_DESC_F_NEXT, 1);
	desc(RING_DATA, 1, RING_DATA + 0x200, 64, VRING_DESC_F_WRITE, 0);
	available(1);
	serve(64);
	end();

	ring("indirect-unaligned", 8, VIRTQUEUE_INDIRECT);
	desc(0, 0, RING_DATA + 5, 16, VRING_DESC_F_INDIRECT, 0);
	desc(RING_DATA + 5, 0, RING_DATA + 0x101, 24, 0, 0);
	available(1);
	serve(0);
	end();

	ring("event", 4, VIRTQUEUE_EVENT);
	desc(0, 0, RING_DATA, 24, 0, 0);
	desc(0, 1, RING_DATA, 24, VRING_DESC_F_WRITE, 0);
	available(2);
	u8(VIRTQUEUE_POP);
	u8(VIRTQUEUE_UNPOP);
	serve(0);
	serve(24);
	u8(VIRTQUEUE_POP);
	end();

	ring("loop", 8, VIRTQUEUE_INDIRECT);
	desc(0, 0, RING_DATA, 24, VRING_DESC_F_NEXT, 1);
	desc(0, 1, RING_DATA, 24, VRING_DESC_F_NEXT, 0);
	available(1);
	u8(VIRTQUEUE_POP);
	u8(VIRTQUEUE_POP);
	end();

	ring("nested", 8, VIRTQUEUE_INDIRECT);
	desc(0, 0, RING_DATA, 16, VRING_DESC_F_INDIRECT, 0);
	desc(RING_DATA, 0, RING_DATA, 16, VRING_DESC_F_INDIRECT, 0);
	available(1);
	u8(VIRTQUEUE_POP);
	end();

	/* At the end of memory, behind which there is nothing to be read. */
	begin("virtqueue", "beyond-the-table");
	u16(8);
	u16(VIRTQUEUE_RAM - 8 * 16);
	u16(RING_AVAIL);
	u16(RING_USED);
	u8(0);
	desc(VIRTQUEUE_RAM - 8 * 16, 0, RING_DATA, 24, VRING_DESC_F_NEXT, 8);
	available(1);
	u8(VIRTQUEUE_POP);
	end();

	ring("too-many", 4, 0);
	available(9);
	u8(VIRTQUEUE_POP);
	end();

	ring("no-power-of-two", 12, 0);
	end();
}

/* ---- messages of a front-end ---- */

static void message_fd(uint8_t request, const void *payload, uint16_t size, unsigned int nfds,
		       enum peer_fd kind)
{
	unsigned int i;

	u8(PEER_MESSAGE);
	u8(request);
	u8(VHOST_USER_FLAG_NEED_REPLY);
	u8(nfds);
	for (i = 0; i < nfds; i++)
		u8(kind);
	u16(size);
	bytes(payload, size);
}

static void message(uint8_t request, const void *payload, uint16_t size)
{
	message_fd(request, payload, size, 0, PEER_FD_RAM);
}

static void message_u64(uint8_t request, uint64_t value)
{
	message(request, &value, sizeof(value));
}

static void message_state(uint8_t request, uint32_t index, uint32_t num)
{
	const struct vhost_vring_state state = { .index = index, .num = num };

	message(request, &state, sizeof(state));
}

static void operation(enum peer_operation what, uint8_t operand)
{
	u8(what);
	u8(operand);
}

static void negotiate(void)
{
	message(VHOST_USER_GET_FEATURES, NULL, 0);
	message(VHOST_USER_GET_PROTOCOL_FEATURES, NULL, 0);
	message_u64(VHOST_USER_SET_PROTOCOL_FEATURES,
		    1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_LOG_SHMFD |
		    1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |
		    1ull << VHOST_USER_PROTOCOL_F_BACKEND_REQ |
		    1ull << VHOST_USER_PROTOCOL_F_CONFIG |
		    1ull << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD |
		    1ull << VHOST_USER_PROTOCOL_F_RESET_DEVICE |
		    1ull << VHOST_USER_PROTOCOL_F_STATUS | 1ull << VHOST_USER_PROTOCOL_F_SHMEM);
	message(VHOST_USER_SET_OWNER, NULL, 0);
}

static void make_session(void)
{
	struct vhost_user_config config = { .size = 16, .flags = VHOST_USER_CONFIG_WRITABLE };
	const struct vhost_user_log log = { .mmap_size = 0x1000 };
	const struct vhost_vring_addr addr = { .desc_user_addr = PEER_USER + 8 };

	begin("session", "start");
	negotiate();
	message(VHOST_USER_GET_QUEUE_NUM, NULL, 0);
	message(VHOST_USER_GET_SHMEM_CONFIG, NULL, 0);
	message_u64(VHOST_USER_SET_FEATURES, 1ull << 32 | 1ull << VHOST_USER_F_PROTOCOL_FEATURES);
	operation(PEER_TABLE, 0);
	u8(PEER_CHANNEL);
	operation(PEER_QUEUE, 0);
	operation(PEER_QUEUE, 1);
	message_u64(VHOST_USER_SET_STATUS, 15);
	operation(PEER_KICK, 0);
	message_state(VHOST_USER_GET_VRING_BASE, 0, 0);
	message(VHOST_USER_GET_STATUS, NULL, 0);
	message(VHOST_USER_RESET_DEVICE, NULL, 0);
	end();

	begin("session", "config");
	negotiate();
	message(VHOST_USER_GET_CONFIG, &config, VHOST_USER_CONFIG_HEADER + 16);
	config.offset = 4;
	config.size = 4;
	message(VHOST_USER_SET_CONFIG, &config, VHOST_USER_CONFIG_HEADER + 4);
	message(VHOST_USER_GET_CONFIG, &config, VHOST_USER_CONFIG_HEADER);
	end();

	begin("session", "log");
	negotiate();
	operation(PEER_TABLE, 3);
	message_fd(VHOST_USER_SET_LOG_BASE, &log, sizeof(log), 1, PEER_FD_RAM);
	message_fd(VHOST_USER_SET_LOG_FD, NULL, 0, 1, PEER_FD_EVENT);
	message_u64(VHOST_USER_SET_FEATURES, 1ull << 32 | 1ull << VHOST_F_LOG_ALL);
	operation(PEER_QUEUE, 0);
	operation(PEER_KICK, 0);
	end();

	begin("session", "wrong-fds");
	negotiate();
	message_fd(VHOST_USER_SET_LOG_BASE, &log, sizeof(log), 1, PEER_FD_SEALED);
	message_fd(VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, 1, PEER_FD_NULL);
	message_fd(VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, 8, PEER_FD_SOCKET);
	message_fd(VHOST_USER_SET_VRING_KICK, &(uint64_t) { 0 }, 8, 1, PEER_FD_PIPE);
	message_fd(VHOST_USER_SET_OWNER, NULL, 0, 9, PEER_FD_SMALL);
	end();

	begin("session", "wrong-values");
	negotiate();
	message_state(VHOST_USER_SET_VRING_NUM, 0, 3);
	message_state(VHOST_USER_SET_VRING_ENABLE, 7, 1);
	message_state(VHOST_USER_SET_VRING_BASE, 1, 0x10000);
	message(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr));
	message_u64(VHOST_USER_SET_FEATURES, ~0ull);
	message(200, NULL, 0);
	end();

	begin("session", "half-a-message");
	operation(PEER_BYTES, 14);
	bytes("\x02\0\0\0\x01\0\0\0\x08\0\0\0\x00\x40", 14);
	end();

	begin("session", "unasked-reply");
	negotiate();
	u8(PEER_CHANNEL);
	u8(PEER_REPLY);
	u8(VHOST_USER_BACKEND_SHMEM_MAP);
	u8(VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY);
	bytes(&(uint64_t) { 0 }, 8);
	u8(PEER_HANG_UP);
	message(VHOST_USER_GET_STATUS, NULL, 0);
	end();
}

/* ---- requests of a driver ---- */

static uint8_t command_index(uint32_t type)
{
	uint8_t i;

	for (i = 0; i < peer_nr_commands; i++)
		if (peer_commands[i] == type)
			return i;
	errx(1, "peer_commands has no 0x%x", type);
}

/* @request: the command's struct, whose header is left out. */
static void command_for(uint8_t queue, uint8_t context, uint32_t type, const void *request,
			size_t size)
{
	size_t header = sizeof(struct virtio_gpu_ctrl_hdr);

	u8(PEER_COMMAND);
	u8(queue);
	u8(command_index(type));
	u8(VIRTIO_GPU_FLAG_FENCE);
	u8(1);
	u8(context);
	u8(0);
	u16(PEER_RESPONSE_SIZE);
	u8(size - header);
	if (size > header)
		bytes((const uint8_t *)request + header, size - header);
}

static void command(uint32_t type, const void *request, size_t size)
{
	command_for(0, 0, type, request, size);
}

#define COMMAND(type, name, ...) \
	command(type, &(struct virtio_gpu_##name) { __VA_ARGS__ }, sizeof(struct virtio_gpu_##name))

#define ENTRIES	8u

static void fill_entries(struct virtio_gpu_mem_entry *entries, uint64_t addr, uint32_t length)
{
	unsigned int i;

	for (i = 0; i < ENTRIES; i++)
		entries[i] = (struct virtio_gpu_mem_entry) {
			.addr = addr + i * (length / ENTRIES), .length = length / ENTRIES,
		};
}

/* A command whose array follows it: ENTRIES of them, whatever it says. */
static void attach_entries(uint32_t resource, uint64_t addr, uint32_t length, uint32_t entries)
{
	struct {
		struct virtio_gpu_resource_attach_backing attach;
		struct virtio_gpu_mem_entry entries[ENTRIES];
	} request = { .attach = { .resource_id = resource, .nr_entries = entries } };

	fill_entries(request.entries, addr, length);
	command(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, &request, sizeof(request));
}

static void attach(uint32_t resource, uint64_t addr, uint32_t length)
{
	attach_entries(resource, addr, length, ENTRIES);
}

#define WIDTH	64
#define HEIGHT	32
#define AREA	.r = { .width = WIDTH, .height = HEIGHT }

static void make_2d(void)
{
	begin("gpu", "display");
	command(VIRTIO_GPU_CMD_GET_DISPLAY_INFO, NULL, sizeof(struct virtio_gpu_ctrl_hdr));
	COMMAND(VIRTIO_GPU_CMD_GET_EDID, cmd_get_edid, .scanout = 0);
	COMMAND(VIRTIO_GPU_CMD_GET_CAPSET_INFO, get_capset_info, .capset_index = 0);
	COMMAND(VIRTIO_GPU_CMD_GET_CAPSET, get_capset, .capset_id = 63);
	end();

	begin("gpu", "2d");
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, resource_create_2d, .resource_id = 1,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .width = WIDTH, .height = HEIGHT);
	attach(1, PEER_BACKING, WIDTH * HEIGHT * 4);
	COMMAND(VIRTIO_GPU_CMD_SET_SCANOUT, set_scanout, .resource_id = 1, AREA);
	COMMAND(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, transfer_to_host_2d, .resource_id = 1, AREA);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_FLUSH, resource_flush, .resource_id = 1, AREA);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, resource_detach_backing, .resource_id = 1);
	COMMAND(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, transfer_to_host_2d, .resource_id = 1, AREA);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_UNREF, resource_unref, .resource_id = 1);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_FLUSH, resource_flush, .resource_id = 1, AREA);
	end();

	begin("gpu", "2d-outside");
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, resource_create_2d, .resource_id = 1,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .width = WIDTH, .height = HEIGHT);
	attach_entries(1, PEER_BACKING, WIDTH * HEIGHT * 4, ENTRIES + 1);
	attach_entries(1, PEER_BACKING, WIDTH * HEIGHT * 4, ENTRIES + 2);
	attach_entries(1, PEER_BACKING, WIDTH * HEIGHT * 4, 0x10000001);
	attach(1, PEER_BACKING, WIDTH * HEIGHT * 4);
	attach(1, PEER_BACKING, WIDTH * HEIGHT * 4);
	COMMAND(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, transfer_to_host_2d, .resource_id = 1,
		.r = { .x = 1, .width = WIDTH, .height = HEIGHT });
	COMMAND(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, transfer_to_host_2d, .resource_id = 1,
		.r = { .y = ~0u, .width = 1, .height = 2 });
	COMMAND(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, transfer_to_host_2d, .resource_id = 1, AREA,
		.offset = 4);
	COMMAND(VIRTIO_GPU_CMD_SET_SCANOUT, set_scanout, .resource_id = 1,
		.r = { .x = WIDTH, .width = WIDTH, .height = HEIGHT });
	COMMAND(VIRTIO_GPU_CMD_SET_SCANOUT, set_scanout, .resource_id = 1, AREA, .scanout_id = 16);
	COMMAND(VIRTIO_GPU_CMD_SET_SCANOUT, set_scanout, .resource_id = 1, AREA);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_FLUSH, resource_flush, .resource_id = 1,
		.r = { .x = 1, .y = 1, .width = WIDTH, .height = HEIGHT });
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_UNREF, resource_unref, .resource_id = 1);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_UNREF, resource_unref, .resource_id = 1);
	end();

	begin("gpu", "cursor");
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, resource_create_2d, .resource_id = 2,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, .width = 64, .height = 64);
	command_for(1, 0, VIRTIO_GPU_CMD_UPDATE_CURSOR,
		    &(struct virtio_gpu_update_cursor) { .resource_id = 2, .hot_x = 1 },
		    sizeof(struct virtio_gpu_update_cursor));
	command_for(0x81, 0, VIRTIO_GPU_CMD_MOVE_CURSOR,
		    &(struct virtio_gpu_update_cursor) { .pos.x = 5 },
		    sizeof(struct virtio_gpu_update_cursor));
	end();

	begin("gpu", "table-changes");
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, resource_create_2d, .resource_id = 3,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .width = WIDTH, .height = HEIGHT);
	attach(3, PEER_RAM - 0x2000, 0x2000);
	operation(PEER_TABLE, 1);
	COMMAND(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, transfer_to_host_2d, .resource_id = 3, AREA);
	message(VHOST_USER_RESET_DEVICE, NULL, 0);
	end();

	begin("gpu", "too-big");
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, resource_create_2d, .resource_id = 4,
		.format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, .width = ~0u, .height = ~0u);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, resource_create_blob, .resource_id = 5,
		.blob_mem = VIRTIO_GPU_BLOB_MEM_HOST3D, .size = ~0ull);
	end();
}

static void create_heap_context(void)
{
	const struct virtio_gpu_ctx_create create = { .context_init = 63, .debug_name = "fuzz" };

	command_for(0, 1, VIRTIO_GPU_CMD_CTX_CREATE, &create, sizeof(create));
}

static void create_blob(uint32_t resource, uint32_t mem, uint64_t id, uint64_t size)
{
	const struct virtio_gpu_resource_create_blob create = {
		.resource_id = resource, .blob_mem = mem,
		.blob_flags = VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE, .blob_id = id, .size = size,
	};

	command_for(0, 1, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, &create, sizeof(create));
}

static void make_blobs(void)
{
	struct {
		struct virtio_gpu_resource_create_blob create;
		struct virtio_gpu_mem_entry entries[ENTRIES];
	} guest = {
		.create = {
			.resource_id = 1, .blob_mem = VIRTIO_GPU_BLOB_MEM_GUEST,
			.size = WIDTH * HEIGHT * 4, .nr_entries = ENTRIES,
		},
	};

	begin("gpu", "blob");
	create_heap_context();
	create_blob(1, VIRTIO_GPU_BLOB_MEM_HOST3D, 1, 0x4000);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, resource_map_blob, .resource_id = 1,
		.offset = 0x10000);
	operation(PEER_ANSWER, 0);
	command_for(0, 1, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE,
		    &(struct virtio_gpu_ctx_resource) { .resource_id = 1 },
		    sizeof(struct virtio_gpu_ctx_resource));
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, resource_unmap_blob, .resource_id = 1);
	operation(PEER_ANSWER, 0);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_UNREF, resource_unref, .resource_id = 1);
	command_for(0, 1, VIRTIO_GPU_CMD_CTX_DESTROY, NULL, sizeof(struct virtio_gpu_ctrl_hdr));
	end();

	begin("gpu", "blob-mapped-destroyed");
	create_heap_context();
	create_blob(1, VIRTIO_GPU_BLOB_MEM_HOST3D, 0, 0x1000);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, resource_map_blob, .resource_id = 1);
	operation(PEER_ANSWER, 0);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_UNREF, resource_unref, .resource_id = 1);
	operation(PEER_ANSWER, 0);
	create_blob(1, VIRTIO_GPU_BLOB_MEM_HOST3D, 6, 0x1000);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, resource_map_blob, .resource_id = 1);
	operation(PEER_ANSWER, 22);
	end();

	begin("gpu", "blob-overlap");
	create_heap_context();
	create_blob(1, VIRTIO_GPU_BLOB_MEM_HOST3D, 6, 0x2000);
	create_blob(2, VIRTIO_GPU_BLOB_MEM_HOST3D, 6, 0x2000);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, resource_map_blob, .resource_id = 1);
	operation(PEER_ANSWER, 0);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, resource_map_blob, .resource_id = 2,
		.offset = 0x1000);
	operation(PEER_ANSWER, 0);
	message(VHOST_USER_RESET_DEVICE, NULL, 0);
	end();

	begin("gpu", "blob-silent");
	create_heap_context();
	create_blob(1, VIRTIO_GPU_BLOB_MEM_HOST3D, 1, 0x1000);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, resource_map_blob, .resource_id = 1);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, resource_map_blob, .resource_id = 1);
	u8(PEER_HANG_UP);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, resource_unmap_blob, .resource_id = 1);
	end();

	begin("gpu", "guest-blob");
	fill_entries(guest.entries, PEER_BACKING, WIDTH * HEIGHT * 4);
	command(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, &guest, sizeof(guest));
	COMMAND(VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, set_scanout_blob, .resource_id = 1, AREA,
		.width = WIDTH, .height = HEIGHT, .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.strides = { WIDTH * 4 });
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_FLUSH, resource_flush, .resource_id = 1, AREA);
	COMMAND(VIRTIO_GPU_CMD_RESOURCE_UNREF, resource_unref, .resource_id = 1);
	end();
}

/* ---- messages of a back-end ---- */

static void answers(uint8_t n)
{
	u8(BACKEND_ANSWER);
	u8(n);
}

/* The handshake, and everything behind it until nothing is asked any more. */
static void come_up(const char *name)
{
	begin("frontend", name);
	answers(31);
}

static void map(enum backend_fd kind, uint8_t page_in_fd, uint8_t page, uint8_t pages)
{
	u8(BACKEND_MAP);
	u8(kind);
	u8(page_in_fd);
	u8(page);
	u8(pages);
	u8(0);
}

static void unmap(uint8_t page, uint8_t pages)
{
	u8(BACKEND_UNMAP);
	u8(page);
	u8(pages);
}

static void want(enum frontend_script script)
{
	u8(BACKEND_RUN);
	u8(script);
}

static void reply(const void *payload, uint16_t size)
{
	u8(BACKEND_REPLY);
	u8(0);
	u16(size);
	bytes(payload, size);
}

static void make_frontend(void)
{
	const uint64_t everything = ~0ull;
	enum frontend_script script;

	come_up("device");
	map(BACKEND_FD_BUFFER, 0, 0, 16);
	want(FRONTEND_SCRIPT_START);
	answers(31);
	map(BACKEND_FD_SMALL, 0, 32, 1);
	unmap(0, 16);
	want(FRONTEND_SCRIPT_RESET);
	answers(31);
	map(BACKEND_FD_SMALL, 0, 32, 1);
	end();

	come_up("every-script");
	for (script = FRONTEND_SCRIPT_LOG_ON; script <= FRONTEND_SCRIPT_WRITE_CONFIG; script++) {
		want(script);
		answers(31);
	}
	end();

	come_up("scripts-in-a-row");
	for (script = FRONTEND_SCRIPT_LOG_ON; script <= FRONTEND_SCRIPT_WRITE_CONFIG; script++)
		want(script);
	answers(31);
	answers(31);
	end();

	come_up("wrong-fds");
	map(BACKEND_FD_EVENT, 0, 0, 1);
	map(BACKEND_FD_NULL, 0, 0, 1);
	map(BACKEND_FD_SOCKET, 0, 0, 1);
	map(BACKEND_FD_EMPTY, 0, 0, 1);
	map(BACKEND_FD_SMALL, 1, 0, 1);
	map(BACKEND_FD_SMALL, 0, 0, 2);
	u8(BACKEND_REQUEST);
	u8(VHOST_USER_BACKEND_SHMEM_MAP);
	u8(VHOST_USER_FLAG_NEED_REPLY);
	u8(8);
	bytes("\0\0\0\0\0\0\0\0", 8);
	u16(sizeof(struct vhost_user_mmap));
	bytes(&(struct vhost_user_mmap) { .shmid = 1, .len = 0x1000, .flags = 1 },
	      sizeof(struct vhost_user_mmap));
	end();

	come_up("wrong-ranges");
	map(BACKEND_FD_BUFFER, 0, 0, 16);
	map(BACKEND_FD_BUFFER, 0, 15, 16);
	map(BACKEND_FD_BUFFER, 0, 0, 0);
	map(BACKEND_FD_BUFFER, 0, 255, 16);
	unmap(0, 15);
	unmap(0, 16);
	unmap(0, 16);
	end();

	begin("frontend", "wrong-replies");
	reply(&everything, sizeof(everything));
	reply(&everything, sizeof(everything));
	answers(4);
	reply(&everything, 2);
	u8(BACKEND_CLOSE);
	u8(2);
	answers(31);
	end();

	begin("frontend", "dies-in-the-handshake");
	answers(3);
	u8(BACKEND_CLOSE);
	u8(0);
	u8(BACKEND_CLOSE);
	u8(2);
	answers(31);
	map(BACKEND_FD_BUFFER, 0, 0, 16);
	u8(BACKEND_CLOSE);
	u8(1);
	u8(BACKEND_CLOSE);
	u8(2);
	answers(31);
	end();

	begin("frontend", "silent");
	answers(5);
	u8(BACKEND_WAIT);
	u8(BACKEND_CLOSE);
	u8(2);
	answers(31);
	want(FRONTEND_SCRIPT_STOP_QUEUES);
	u8(BACKEND_WAIT);
	end();

	begin("frontend", "half-a-reply");
	u8(BACKEND_BYTES);
	u8(0);
	u8(14);
	bytes("\x01\0\0\0\x05\0\0\0\x08\0\0\0\0\x40", 14);
	end();
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: corpus FOLDER");
	folder = argv[1];
	make_virtqueue();
	make_frontend();
	make_session();
	make_2d();
	make_blobs();
	return 0;
}
