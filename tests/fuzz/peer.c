// SPDX-License-Identifier: GPL-2.0-or-later
/* The other side of a session; see peer.h. */
#include "peer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>

#include "gpu-proc/session.h"
#include "wire.h"

#define MAX_IDLE_WAITS	64	/* of a session whose front-end has gone */
#define SHMEM_SIZE	(1ull << 20)

static int memfd_alloc(const char *node, uint64_t size)
{
	int fd = memfd_create(node, MFD_CLOEXEC);

	fuzz_assert(fd >= 0 && ftruncate(fd, size) == 0);
	return fd;
}

static int memfd_cpu_access(int fd, bool start)
{
	(void)fd;
	(void)start;
	return 0;
}

static const struct allocator memfd_allocator = {
	.kind = "memfd", .alloc = memfd_alloc, .cpu_access = memfd_cpu_access,
};

/* As --buffer gives them: mapped as soon as the front-end can take them. */
static const struct buffer_spec buffer_specs[] = {
	{ .allocator = &memfd_allocator, .size = 0x2000, .offset = 0x80000, .fill = 1 },
	{ .allocator = &memfd_allocator, .size = 0x1000, .offset = 0x90000, .fill = BUFFER_NO_FILL },
};

#define NR_BUFFERS	(sizeof(buffer_specs) / sizeof(buffer_specs[0]))

static struct peer {
	int main, channel;		/* our ends; channel -1: none */
	int kick[PEER_QUEUES];
	uint16_t avail[PEER_QUEUES];
	int ram_fd, small_fd, sealed_fd, frame_fd, null_fd;
	uint8_t *ram;
	struct buffer buffers[NR_BUFFERS];
	struct gpu gpu;			/* it outlives its front-ends */
	struct fuzz_input in;
	bool closed;
	unsigned int idle_waits;
} peer;

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __real_epoll_wait(int epoll, struct epoll_event *events, int n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int n, int timeout);

/* ---- messages ---- */

static void ask(uint32_t request, const void *payload, uint32_t size, const int *fd)
{
	const struct vhost_user_header hdr = {
		.request = request, .flags = VHOST_USER_VERSION, .size = size,
	};

	wire_send(peer.main, &hdr, payload, size, fd, fd ? 1 : 0);
}

static void ask_u64(uint32_t request, uint64_t value)
{
	ask(request, &value, sizeof(value), NULL);
}

static int make_fd(unsigned int kind)
{
	int fds[2] = { -1, -1 };

	switch ((enum peer_fd)kind) {
	case PEER_FD_RAM:
		return dup(peer.ram_fd);
	case PEER_FD_SMALL:
		return dup(peer.small_fd);
	case PEER_FD_EVENT:
		return eventfd(1, EFD_CLOEXEC);
	case PEER_FD_SOCKET:
		fuzz_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
		close(fds[0]);
		return fds[1];
	case PEER_FD_NULL:
		return dup(peer.null_fd);
	case PEER_FD_PIPE:
		fuzz_assert(pipe(fds) == 0);
		close(fds[0]);
		return fds[1];
	case PEER_FD_SEALED:
		return dup(peer.sealed_fd);
	case PEER_FDS:
		break;
	}
	return -1;
}

/* ---- what a front-end does ---- */

/* All of the memory in one region, or parts of it with gaps between them. */
static void set_table(unsigned int n)
{
	struct vhost_user_memory table = { .nregions = n };
	int fds[VHOST_USER_MAX_REGIONS];
	const struct vhost_user_header hdr = {
		.request = VHOST_USER_SET_MEM_TABLE, .flags = VHOST_USER_VERSION,
		.size = 8 + n * sizeof(table.regions[0]),
	};
	uint64_t size = PEER_RAM / n;
	unsigned int i;

	for (i = 0; i < n; i++) {
		table.regions[i] = (struct vhost_user_region) {
			.guest_phys_addr = i * size, .size = n > 1 ? size - 0x1000 : size,
			.user_addr = PEER_USER + i * size, .mmap_offset = i * size,
		};
		fds[i] = peer.ram_fd;
	}
	wire_send(peer.main, &hdr, &table, hdr.size, fds, n);
}

static void set_queue(unsigned int queue)
{
	uint64_t base = PEER_USER + queue * PEER_RING;
	struct vhost_vring_state state = { .index = queue, .num = PEER_NUM };
	const struct vhost_vring_addr addr = {
		.index = queue, .desc_user_addr = base,
		.avail_user_addr = base + PEER_RING_AVAIL, .used_user_addr = base + PEER_RING_USED,
	};
	uint64_t index = queue;
	int call;

	ask(VHOST_USER_SET_VRING_NUM, &state, sizeof(state), NULL);
	state.num = peer.avail[queue];
	ask(VHOST_USER_SET_VRING_BASE, &state, sizeof(state), NULL);
	ask(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), NULL);
	ask(VHOST_USER_SET_VRING_KICK, &index, sizeof(index), &peer.kick[queue]);
	call = make_fd(PEER_FD_EVENT);
	ask(VHOST_USER_SET_VRING_CALL, &index, sizeof(index), &call);
	close(call);
	state.num = 1;
	ask(VHOST_USER_SET_VRING_ENABLE, &state, sizeof(state), NULL);
}

static void set_channel(void)
{
	int fds[2];

	if (peer.channel >= 0)
		close(peer.channel);
	fuzz_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	peer.channel = fds[0];
	ask(VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &fds[1]);
	close(fds[1]);
}

static void send_reply(uint32_t request, uint32_t flags, uint64_t value)
{
	const struct vhost_user_header hdr = {
		.request = request, .flags = flags, .size = sizeof(value),
	};

	if (peer.channel >= 0)
		wire_send(peer.channel, &hdr, &value, sizeof(value), NULL, 0);
}

/* A back-end that talks nonsense is a finding. */
static void answer(uint64_t value)
{
	struct vhost_user_msg msg;
	const struct vhost_user_mmap *mmap = &msg.payload.mmap;
	int fd, r;

	if (peer.channel < 0)
		return;
	r = wire_receive(peer.channel, &msg, &fd);
	fuzz_assert(r >= 0);
	if (!r)
		return;
	fuzz_assert(msg.hdr.size == sizeof(*mmap));
	fuzz_assert(msg.hdr.request == VHOST_USER_BACKEND_SHMEM_MAP ||
		    msg.hdr.request == VHOST_USER_BACKEND_SHMEM_UNMAP);
	fuzz_assert(mmap->shm_offset <= SHMEM_SIZE && mmap->len <= SHMEM_SIZE - mmap->shm_offset);
	fuzz_assert((fd >= 0) == (msg.hdr.request == VHOST_USER_BACKEND_SHMEM_MAP));
	if (fd >= 0)
		close(fd);
	if (msg.hdr.flags & VHOST_USER_FLAG_NEED_REPLY)
		send_reply(msg.hdr.request, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY, value);
}

/* ---- what a driver does ---- */

static void kick(unsigned int queue)
{
	eventfd_write(peer.kick[queue], 1);
}

static void write_desc(uint8_t *to, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	const struct vring_desc desc = { .addr = addr, .len = len, .flags = flags, .next = next };

	memcpy(to, &desc, sizeof(desc));
}

static void command(void)
{
	struct virtio_gpu_ctrl_hdr hdr = { 0 };
	uint8_t how, payload[PEER_REQUEST_SIZE - sizeof(hdr)];
	unsigned int queue, slot;
	uint64_t request, response;
	uint16_t room, head, len;
	uint8_t *ring;

	how = fuzz_number(&peer.in, 1);
	queue = how % PEER_QUEUES;
	hdr.type = peer_commands[fuzz_number(&peer.in, 1) % peer_nr_commands];
	hdr.flags = fuzz_number(&peer.in, 1);
	hdr.fence_id = fuzz_number(&peer.in, 1);
	hdr.ctx_id = fuzz_number(&peer.in, 1);
	hdr.ring_idx = fuzz_number(&peer.in, 1);
	room = fuzz_number(&peer.in, 2);
	len = fuzz_bytes(&peer.in, payload, fuzz_number(&peer.in, 1));

	slot = peer.avail[queue] % (PEER_NUM / 2) + queue * PEER_NUM / 2;
	request = PEER_REQUESTS + slot * PEER_REQUEST_SIZE;
	response = PEER_RESPONSES + slot * PEER_RESPONSE_SIZE;
	memcpy(peer.ram + request, &hdr, sizeof(hdr));
	memcpy(peer.ram + request + sizeof(hdr), payload, len);
	len += sizeof(hdr);

	ring = peer.ram + queue * PEER_RING;
	head = peer.avail[queue] % (PEER_NUM / 2) * 2;
	if (how & 0x80) {
		/* The table stands where the response goes: it is read before that is written. */
		write_desc(peer.ram + response, request, len, VRING_DESC_F_NEXT, 1);
		write_desc(peer.ram + response + 16, response, room, VRING_DESC_F_WRITE, 0);
		write_desc(ring + head * 16, response, 32, VRING_DESC_F_INDIRECT, 0);
	} else {
		write_desc(ring + head * 16, request, len, VRING_DESC_F_NEXT, head + 1);
		write_desc(ring + (head + 1) * 16, response, room, VRING_DESC_F_WRITE, 0);
	}
	memcpy(ring + PEER_RING_AVAIL + 4 + 2 * (peer.avail[queue] % PEER_NUM), &head, 2);
	peer.avail[queue]++;
	memcpy(ring + PEER_RING_AVAIL + 2, &peer.avail[queue], 2);
	kick(queue);
}

static void write_ram(void)
{
	uint32_t address = fuzz_number(&peer.in, 2) * 4;
	uint8_t bytes[255];
	size_t n = fuzz_bytes(&peer.in, bytes, fuzz_number(&peer.in, 1));

	if (n > PEER_RAM - address)
		n = PEER_RAM - address;
	memcpy(peer.ram + address, bytes, n);
}

static void operate(void)
{
	uint8_t bytes[255], request, flags;

	switch ((enum peer_operation)(fuzz_number(&peer.in, 1) % PEER_OPERATIONS)) {
	case PEER_COMMAND:
		command();
		break;
	case PEER_WRITE:
		write_ram();
		break;
	case PEER_KICK:
		kick(fuzz_number(&peer.in, 1) % PEER_QUEUES);
		break;
	case PEER_ANSWER:
		answer(fuzz_number(&peer.in, 1));
		break;
	case PEER_MESSAGE:
		wire_send_any(peer.main, &peer.in, make_fd, PEER_FDS);
		break;
	case PEER_TABLE:
		set_table(1 + fuzz_number(&peer.in, 1) % VHOST_USER_MAX_REGIONS);
		break;
	case PEER_QUEUE:
		set_queue(fuzz_number(&peer.in, 1) % PEER_QUEUES);
		break;
	case PEER_CHANNEL:
		set_channel();
		break;
	case PEER_REPLY:
		request = fuzz_number(&peer.in, 1);
		flags = fuzz_number(&peer.in, 1);
		send_reply(request, flags, fuzz_number(&peer.in, 8));
		break;
	case PEER_BYTES:
		send(peer.main, bytes,
		     fuzz_bytes(&peer.in, bytes, fuzz_number(&peer.in, 1)),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case PEER_HANG_UP:
		if (peer.channel >= 0)
			close(peer.channel);
		peer.channel = -1;
		break;
	case PEER_OPERATIONS:
		break;
	}
}

/* ---- the session waits ---- */

/* False: there is nothing more to come. */
static bool step(void)
{
	char replies[4096];

	while (recv(peer.main, replies, sizeof(replies), MSG_DONTWAIT) > 0)
		;
	if (peer.in.left) {
		operate();
		return true;
	}
	if (!peer.closed) {
		peer.closed = true;
		shutdown(peer.main, SHUT_WR);
		return true;
	}
	return false;
}

/* Nothing is ready: time passes. A session without a front-end has nothing to wait for. */
static void time_passes(int timeout)
{
	fuzz_assert(timeout >= 0);
	wire_clock_pass(timeout ? timeout : 1);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int ready;

	while (!(ready = __real_poll(fds, n, 0)) && timeout && step())
		;
	fuzz_assert(!peer.closed || peer.idle_waits++ < MAX_IDLE_WAITS);
	if (!ready)
		time_passes(timeout);
	return ready;
}

int __wrap_epoll_wait(int epoll, struct epoll_event *events, int n, int timeout)
{
	int ready;

	while (!(ready = __real_epoll_wait(epoll, events, n, 0)) && timeout && step())
		;
	fuzz_assert(!peer.closed || peer.idle_waits++ < MAX_IDLE_WAITS);
	if (!ready)
		time_passes(timeout);
	return ready;
}

/* With a frame, so that pictures are composed. */
static void make_gpu(void)
{
	char frame[32];
	const struct gpu_options options = { .width = 64, .height = 64, .scanout_shm = frame };
	const struct gpu_context_spec heap = { .type = &context_heap, .limit = 1u << 20 };

	snprintf(frame, sizeof(frame), "/proc/self/fd/%d", peer.frame_fd);
	fuzz_assert(gpu_init(&peer.gpu, &options) == 0);
	fuzz_assert(gpu_context_enable(&peer.gpu, &heap, NULL) == 0);
	/* Low, or what is beyond them is never tried. */
	peer.gpu.limits.resources = 16;
	peer.gpu.limits.contexts = 4;
	peer.gpu.limits.host_bytes = 1u << 20;
}

/* Once for all inputs. */
static void open_files(void)
{
	if (peer.ram)
		return;
	peer.ram_fd = memfd_create("ram", MFD_CLOEXEC);
	peer.small_fd = memfd_create("small", MFD_CLOEXEC);
	peer.sealed_fd = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	peer.frame_fd = memfd_create("frame", MFD_CLOEXEC);
	peer.null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	fuzz_assert(ftruncate(peer.ram_fd, PEER_RAM) == 0);
	fuzz_assert(ftruncate(peer.small_fd, 0x1000) == 0);
	fuzz_assert(ftruncate(peer.sealed_fd, 0x1000) == 0);
	fuzz_assert(fcntl(peer.sealed_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK) == 0);
	peer.ram = mmap(NULL, PEER_RAM, PROT_READ | PROT_WRITE, MAP_SHARED, peer.ram_fd, 0);
	fuzz_assert(peer.ram != MAP_FAILED);
	make_gpu();
	fuzz_assert(buffer_create_all(peer.buffers, buffer_specs, NR_BUFFERS) == 0);
}

static void make_ready(const struct gpu *gpu)
{
	unsigned int queue;

	ask_u64(VHOST_USER_SET_FEATURES, gpu_features(gpu) | 1ull << VIRTIO_F_VERSION_1 |
		1ull << VIRTIO_RING_F_INDIRECT_DESC | 1ull << VHOST_USER_F_PROTOCOL_FEATURES);
	ask_u64(VHOST_USER_SET_PROTOCOL_FEATURES,
		1ull << VHOST_USER_PROTOCOL_F_MQ | 1ull << VHOST_USER_PROTOCOL_F_REPLY_ACK |
		1ull << VHOST_USER_PROTOCOL_F_BACKEND_REQ | 1ull << VHOST_USER_PROTOCOL_F_CONFIG |
		1ull << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD |
		1ull << VHOST_USER_PROTOCOL_F_RESET_DEVICE |
		1ull << VHOST_USER_PROTOCOL_F_STATUS | 1ull << VHOST_USER_PROTOCOL_F_SHMEM);
	ask(VHOST_USER_GET_SHMEM_CONFIG, NULL, 0, NULL);
	set_table(1);
	set_channel();
	for (queue = 0; queue < PEER_QUEUES; queue++)
		set_queue(queue);
}

void peer_run(const uint8_t *data, size_t size, bool ready)
{
	static struct session session;
	int fds[2], signals[2];
	unsigned int before, i;

	/* As signals_open() has it: an fd for an eventfd may be a pipe that nobody reads. */
	signal(SIGPIPE, SIG_IGN);
	open_files();
	before = wire_open_fds();
	memset(peer.ram, 0, PEER_RAM);
	memset(peer.avail, 0, sizeof(peer.avail));
	peer.in = (struct fuzz_input) { .data = data, .left = size };
	peer.closed = false;
	peer.idle_waits = 0;
	wire_clock_reset();
	peer.channel = -1;
	for (i = 0; i < PEER_QUEUES; i++)
		peer.kick[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fuzz_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	fuzz_assert(pipe(signals) == 0);
	peer.main = fds[0];
	peer.gpu.complaints = 0;
	if (ready)
		make_ready(&peer.gpu);

	session_init(&session, fds[1], signals[0], peer.buffers,
		     ready ? 0 : NR_BUFFERS, SHMEM_SIZE, &peer.gpu);
	session_run(&session);
	session_close(&session);
	fuzz_assert(!peer.gpu.resources.count && !peer.gpu.resources.host_bytes);
	fuzz_assert(!peer.gpu.contexts.count && !peer.gpu.pending);

	close(peer.main);
	if (peer.channel >= 0)
		close(peer.channel);
	close(signals[0]);
	close(signals[1]);
	for (i = 0; i < PEER_QUEUES; i++)
		close(peer.kick[i]);
	fuzz_assert(wire_open_fds() == before);
}
