// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtio device in a vhost-user back-end, from the driver's registers to the back-end's
 * socket: start, reset, configuration; and back-ends that die, are silent, refuse, send
 * garbage, and come back. The back-end is a thread that answers what it is asked.
 */
#include "unit/vmm_fake_kernel.h"

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_pci.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fdmsg.h"
#include "unit/capture.h"
#include "unit/vmm_fake_slots.h"
#include "vmm/device.h"
#include "vmm/frontend.h"
#include "vmm/virtio.h"

#define WAIT_MS		5000
#define REGION		(3ULL << 20)
#define BAR		(4ULL << 20)
#define QUEUE(q)	(0x4000u + 0x4000u * (q))	/* where the driver has its rings */
#define BIT(n)		(1ULL << (n))
#define MAX_SEEN	128

#define FEATURES	(BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_USER_F_PROTOCOL_FEATURES) | \
			 BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_GPU_F_EDID) | BIT(20))
#define PROTOCOL	(BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | \
			 BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | \
			 BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) | \
			 BIT(VHOST_USER_PROTOCOL_F_CONFIG) | BIT(VHOST_USER_PROTOCOL_F_SHMEM) | \
			 BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) | BIT(VHOST_USER_PROTOCOL_F_STATUS))

enum mood { GOOD, SILENT, REFUSES, GARBAGE, CLOSES };

/* The other process. What is under the lock is written by its thread, or while it waits. */
static struct {
	char dir[32], path[64];
	int listener;
	pthread_t thread;

	pthread_mutex_t lock;
	uint64_t features, protocol, region;
	struct virtio_gpu_config config;
	enum mood mood;
	uint32_t at;			/* request at which it is in that mood */
	int sock, requests;		/* -1: none */
	unsigned int connections;
	unsigned int nr_seen;
	struct vhost_user_msg seen[MAX_SEEN];	/* without their fds but calls' and kicks' */
	int kicks[2], calls[2];
} be = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .listener = -1, .sock = -1, .requests = -1,
	.kicks = { -1, -1 }, .calls = { -1, -1 },
};

static struct fake fake;
static struct device device;
static uint64_t registers;

static void drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int keep_fd(struct vhost_user_msg *msg)
{
	int fd = msg->nfds ? msg->fds[0] : -1;

	msg->fds[0] = -1;
	return fd;
}

/* With the lock; false: no reply of its own. */
static bool own_reply(struct vhost_user_msg *msg)
{
	unsigned int queue = msg->payload.u64 & VHOST_USER_VRING_INDEX_MASK & 1;

	switch (msg->hdr.request) {
	case VHOST_USER_GET_FEATURES:
		msg->payload.u64 = be.features;
		break;
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		msg->payload.u64 = be.protocol;
		break;
	case VHOST_USER_GET_QUEUE_NUM:
		msg->payload.u64 = 2;
		break;
	case VHOST_USER_GET_CONFIG:
		memcpy(msg->payload.config.region, &be.config, sizeof(be.config));
		return true;
	case VHOST_USER_GET_VRING_BASE:
		return true;
	case VHOST_USER_GET_SHMEM_CONFIG:
		memset(&msg->payload, 0, sizeof(msg->payload));
		msg->payload.shmem_config.nregions = 1;
		msg->payload.shmem_config.sizes[FRONTEND_SHMID_HOST_VISIBLE] = be.region;
		msg->hdr.size = sizeof(msg->payload.shmem_config);
		return true;
	case VHOST_USER_SET_BACKEND_REQ_FD:
		be.requests = keep_fd(msg);
		return false;
	case VHOST_USER_SET_VRING_KICK:
		drop(&be.kicks[queue]);
		be.kicks[queue] = keep_fd(msg);
		return false;
	case VHOST_USER_SET_VRING_CALL:
		drop(&be.calls[queue]);
		be.calls[queue] = keep_fd(msg);
		return false;
	default:
		return false;
	}
	msg->hdr.size = sizeof(msg->payload.u64);
	return true;
}

/* With the lock. False: the connection is over. */
static bool serve(struct vhost_user_msg *msg)
{
	bool needs_reply = msg->hdr.flags & VHOST_USER_FLAG_NEED_REPLY;
	enum mood mood = msg->hdr.request == be.at ? be.mood : GOOD;

	if (be.nr_seen < MAX_SEEN)
		be.seen[be.nr_seen++] = *msg;
	if (mood == CLOSES)
		return false;
	if (mood == SILENT)
		return true;
	if (mood == GARBAGE) {
		static const uint8_t garbage[64] = { 0xff, 0xee, 0xdd };

		return send(be.sock, garbage, sizeof(garbage), MSG_NOSIGNAL) > 0;
	}
	if (!own_reply(msg)) {
		if (!needs_reply)
			return true;
		msg->payload.u64 = mood == REFUSES;
		msg->hdr.size = sizeof(msg->payload.u64);
	}
	msg->hdr.flags = VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY;
	fdmsg_close_fds(msg);
	return fdmsg_send(be.sock, msg, WAIT_MS) == FDMSG_OK;
}

static void *backend(void *arg)
{
	struct vhost_user_msg msg;
	bool goes_on;
	int sock;

	(void)arg;
	while ((sock = accept(be.listener, NULL, NULL)) >= 0) {
		pthread_mutex_lock(&be.lock);
		be.sock = sock;
		be.connections++;
		pthread_mutex_unlock(&be.lock);
		do {
			goes_on = fdmsg_recv(sock, &msg, -1) == FDMSG_OK;
			pthread_mutex_lock(&be.lock);
			goes_on = goes_on && serve(&msg);
			if (goes_on)
				fdmsg_close_fds(&msg);
			pthread_mutex_unlock(&be.lock);
		} while (goes_on);
		fdmsg_close_fds(&msg);
		pthread_mutex_lock(&be.lock);
		drop(&be.sock);
		drop(&be.requests);
		pthread_mutex_unlock(&be.lock);
	}
	return NULL;
}

/* As when its process is killed. */
static void kill_backend(void)
{
	pthread_mutex_lock(&be.lock);
	shutdown(be.sock, SHUT_RDWR);
	pthread_mutex_unlock(&be.lock);
}

/* Only of one that is silent the end is waited for. */
static void set_mood(enum mood mood, uint32_t at)
{
	fake.options.gpu_timeout_ms = mood == SILENT ? 60 : 3000;
	pthread_mutex_lock(&be.lock);
	be.mood = mood;
	be.at = at;
	be.nr_seen = 0;
	pthread_mutex_unlock(&be.lock);
}

/* The @n-th request of that kind, or NULL. Its memory is only safe while the back-end waits. */
static const struct vhost_user_msg *seen(uint32_t request, unsigned int n)
{
	const struct vhost_user_msg *found = NULL;
	unsigned int i;

	pthread_mutex_lock(&be.lock);
	for (i = 0; i < be.nr_seen && !found; i++) {
		if (be.seen[i].hdr.request == request && !n--)
			found = &be.seen[i];
	}
	pthread_mutex_unlock(&be.lock);
	return found;
}

/* ---- the guest ---- */

static uint32_t access_32(uint64_t address, uint32_t value, uint32_t len, bool write)
{
	bus__access(&fake.vm.mmio, address, &value, len, write);
	return len < 4 ? value & ((1u << 8 * len) - 1) : value;
}

static uint32_t reg(uint32_t offset, uint32_t len)
{
	return access_32(registers + offset, 0, len, false);
}

static void set_reg(uint32_t offset, uint32_t value, uint32_t len)
{
	access_32(registers + offset, value, len, true);
}

static uint32_t config(uint32_t offset, uint32_t len)
{
	return access_32(PCI_ECAM_BASE + (1 << 15) + offset, 0, len, false);
}

static uint32_t status(void)
{
	return reg(VIRTIO_PCI_COMMON_STATUS, 1);
}

static void turn(void)
{
	int timeout = frontends__timeout_ms(&fake.vm);

	assert_int_equal(loop__run_once(fake.loop, timeout < 0 || timeout > 10 ? 10 : timeout), 0);
	frontends__tick(&fake.vm);
}

#define TURN_UNTIL(condition) do {						\
	unsigned int turns_ = 0;						\
										\
	while (!(condition)) {							\
		turn();								\
		if (++turns_ > WAIT_MS / 10)					\
			fail_msg("never: %s", #condition);			\
	}									\
} while (0)

static uint32_t offered(uint32_t half)
{
	set_reg(VIRTIO_PCI_COMMON_DFSELECT, half, 4);
	return reg(VIRTIO_PCI_COMMON_DF, 4);
}

/* Everything that a driver does, up to DRIVER_OK. */
static void driver_ready(void)
{
	unsigned int half, q;

	set_reg(VIRTIO_PCI_COMMON_STATUS, 3, 1);
	for (half = 0; half < 2; half++) {
		set_reg(VIRTIO_PCI_COMMON_GFSELECT, half, 4);
		set_reg(VIRTIO_PCI_COMMON_GF, offered(half), 4);
	}
	set_reg(VIRTIO_PCI_COMMON_STATUS, 11, 1);
	for (q = 0; q < 2; q++) {
		set_reg(VIRTIO_PCI_COMMON_Q_SELECT, q, 2);
		set_reg(VIRTIO_PCI_COMMON_Q_SIZE, 64 >> q, 2);
		set_reg(VIRTIO_PCI_COMMON_Q_MSIX, 1 + q, 2);
		set_reg(VIRTIO_PCI_COMMON_Q_DESCLO, QUEUE(q), 4);
		set_reg(VIRTIO_PCI_COMMON_Q_AVAILLO, QUEUE(q) + 0x1000, 4);
		set_reg(VIRTIO_PCI_COMMON_Q_USEDLO, QUEUE(q) + 0x2000, 4);
		set_reg(VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	}
	set_reg(VIRTIO_PCI_COMMON_STATUS, 15, 1);
}

static void driver_reset(void)
{
	set_reg(VIRTIO_PCI_COMMON_STATUS, 0, 1);
	TURN_UNTIL(status() == 0);
}

static bool needs_reset(void)
{
	return status() & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static bool runs(void)
{
	const struct vhost_user_msg *msg = seen(VHOST_USER_SET_STATUS, 0);

	return msg && msg->payload.u64 == 15;
}

static int create(struct error *err)
{
	struct device_option opt;
	char text[128];
	int r;

	snprintf(text, sizeof(text), "vhost-user-gpu,socket=%s", be.path);
	assert_int_equal(device_option__parse(&opt, text, err), 0);
	r = device__create(&device, &fake.vm, &opt, err);
	device_option__free(&opt);
	return r;
}

static int setup_machine(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct memory_transaction t;
	struct error err = { 0 };

	(void)state;
	memset(&kvm, 0, sizeof(kvm));
	be.features = FEATURES;
	be.protocol = PROTOCOL;
	be.region = REGION;
	be.config = (struct virtio_gpu_config) { .num_scanouts = 1, .num_capsets = 2 };
	be.connections = 0;
	strcpy(be.dir, "/tmp/dmapat-test-XXXXXX");
	assert_non_null(mkdtemp(be.dir));
	snprintf(be.path, sizeof(be.path), "%s/sock", be.dir);
	strcpy(addr.sun_path, be.path);
	be.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(be.listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(be.listener, 1), 0);
	assert_int_equal(pthread_create(&be.thread, NULL, backend, NULL), 0);

	fake_create(&fake);
	set_mood(GOOD, 0);
	memory_map__init(&fake.vm.memory_map, -1, NULL, NULL);
	assert_int_equal(memory_transaction__begin(&t, &fake.vm.memory_map, &err), 0);
	assert_int_equal(memory_transaction__add(&t, fake.vm.window.gpa, fake.vm.window.size,
						 fake.vm.window.hva, 0, &err), 0);
	assert_int_equal(memory_transaction__commit(&t, NULL, NULL, &err), 0);
	assert_int_equal(gsi__init(&fake.vm.gsi, -1, &err), 0);
	assert_int_equal(pci__init(&fake.vm.pci, &fake.vm.ports, &fake.vm.mmio, &err), 0);
	capture_begin();
	return 0;
}

static int setup(void **state)
{
	struct error err = { 0 };

	setup_machine(state);
	if (create(&err) < 0)
		fail_msg("%s", err.msg);
	registers = config(PCI_BASE_ADDRESS_0, 4);
	access_32(PCI_ECAM_BASE + (1 << 15) + PCI_COMMAND, PCI_COMMAND_MEMORY, 2, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (device.pci)
		device__destroy(&device);
	capture_end();
	shutdown(be.listener, SHUT_RDWR);
	kill_backend();
	pthread_join(be.thread, NULL);
	drop(&be.listener);
	drop(&be.kicks[0]);
	drop(&be.kicks[1]);
	drop(&be.calls[0]);
	drop(&be.calls[1]);
	unlink(be.path);
	rmdir(be.dir);
	assert_null(fake.vm.frontends);
	assert_int_equal(fake.vm.window.nr_buffers, 0);
	pci__exit(&fake.vm.pci);
	gsi__exit(&fake.vm.gsi);
	memory_map__exit(&fake.vm.memory_map);
	fake_destroy(&fake);
	return 0;
}

/* What a back-end asks, and the front-end's answer. */
static uint64_t ask(uint32_t request, uint64_t offset, uint64_t len, int fd)
{
	struct vhost_user_msg msg = {
		.hdr = {
			.request = request, .flags = VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY,
			.size = len ? sizeof(msg.payload.mmap) : 0,
		},
		.payload.mmap = { .shmid = FRONTEND_SHMID_HOST_VISIBLE, .shm_offset = offset,
				  .len = len, .flags = VHOST_USER_MMAP_RW },
		.fds = { fd }, .nfds = fd >= 0,
	};
	struct pollfd pfd = { .fd = be.requests, .events = POLLIN };

	assert_int_equal(fdmsg_send(be.requests, &msg, WAIT_MS), FDMSG_OK);
	fdmsg_close_fds(&msg);
	TURN_UNTIL(poll(&pfd, 1, 0) > 0);
	assert_int_equal(fdmsg_recv(be.requests, &msg, WAIT_MS), FDMSG_OK);
	return msg.payload.u64;
}

static uint64_t map(uint64_t offset)
{
	return ask(VHOST_USER_BACKEND_SHMEM_MAP, offset, 4096, fake_dmabuf(4096));
}

/* What the guest finds before it does anything. */
static void test_found(void **state)
{
	uint32_t at, lengths = 0;

	(void)state;
	assert_int_equal(config(PCI_CLASS_REVISION, 4) >> 8, 0x038000);
	/* What the back-end has and the VMM knows: not the indirect descriptors, not bit 20. */
	assert_int_equal(offered(0), BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_GPU_F_EDID));
	assert_int_equal(offered(1), 1);
	assert_int_equal(reg(0x2000 + 8, 4), 1);
	assert_int_equal(reg(0x2000 + 12, 4), 2);

	/* A 64-bit prefetchable BAR, a power of two, where the window is; the region in it. */
	assert_int_equal(config(PCI_BASE_ADDRESS_4, 4), (uint32_t)FAKE_WINDOW_GPA | 0xc);
	assert_int_equal(config(PCI_BASE_ADDRESS_5, 4), FAKE_WINDOW_GPA >> 32);
	assert_int_equal(kvm.gpa, FAKE_WINDOW_GPA);
	assert_int_equal(kvm.size, BAR);
	for (at = config(PCI_CAPABILITY_LIST, 1); at; at = config(at + 1, 1)) {
		if (config(at, 1) != PCI_CAP_ID_VNDR || config(at + 3, 1) != 8)
			continue;
		assert_int_equal(config(at + 4, 1), 4);
		assert_int_equal(config(at + 5, 1), FRONTEND_SHMID_HOST_VISIBLE);
		lengths += config(at + 12, 4);
	}
	assert_int_equal(lengths, REGION);
}

static void test_start_and_reset(void **state)
{
	const struct vhost_vring_addr *addr;
	eventfd_t count;
	unsigned int q;

	(void)state;
	set_mood(GOOD, 0);
	driver_ready();
	assert_int_equal(status(), 15);
	TURN_UNTIL(runs());
	assert_true(seen(VHOST_USER_SET_FEATURES, 0)->payload.u64 ==
		    (FEATURES & ~BIT(20)));
	for (q = 0; q < 2; q++) {
		assert_int_equal(seen(VHOST_USER_SET_VRING_NUM, q)->payload.vring_state.index, q);
		assert_int_equal(seen(VHOST_USER_SET_VRING_NUM, q)->payload.vring_state.num,
				 64 >> q);
		assert_int_equal(seen(VHOST_USER_SET_VRING_ENABLE, q)->payload.vring_state.num, 1);
		addr = &seen(VHOST_USER_SET_VRING_ADDR, q)->payload.vring_addr;
		assert_int_equal(addr->index, q);
		assert_ptr_equal((void *)addr->desc_user_addr, fake.vm.ram.hva + QUEUE(q));
		assert_ptr_equal((void *)addr->avail_user_addr,
				 fake.vm.ram.hva + QUEUE(q) + 0x1000);
		assert_ptr_equal((void *)addr->used_user_addr,
				 fake.vm.ram.hva + QUEUE(q) + 0x2000);
		/* The driver's kick arrives there; its interrupts are the vectors 1 and 2. */
		set_reg(0x3000 + 4 * q, q, 2);
		assert_int_equal(eventfd_read(be.kicks[q], &count), 0);
		assert_int_equal(eventfd_write(be.calls[q], 1), 0);
		assert_true(access_32(config(PCI_BASE_ADDRESS_2, 4) + 0x800, 0, 4, false) &
			    1u << (1 + q));
	}

	/* A reset: over when the status reads 0, and the guest's buffers are gone then. */
	assert_int_equal(map(0), 0);
	set_mood(GOOD, 0);
	set_reg(VIRTIO_PCI_COMMON_STATUS, 0, 1);
	assert_int_equal(status(), 15);
	assert_int_equal(fake.vm.window.nr_buffers, 1);
	TURN_UNTIL(status() == 0);
	assert_int_equal(fake.vm.window.nr_buffers, 0);
	assert_non_null(seen(VHOST_USER_GET_VRING_BASE, 1));
	assert_non_null(seen(VHOST_USER_RESET_DEVICE, 0));
	assert_null(seen(VHOST_USER_SET_STATUS, 0));

	/* And again, over the same connection. */
	driver_ready();
	TURN_UNTIL(runs());
	assert_int_equal(be.connections, 1);
}

/* A ring that is not in RAM is the driver's fault: nothing of it reaches the back-end. */
static void test_bad_ring(void **state)
{
	(void)state;
	set_mood(GOOD, 0);
	set_reg(VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	set_reg(VIRTIO_PCI_COMMON_Q_DESCHI, 1, 4);
	driver_ready();
	assert_true(needs_reset());
	turn();
	assert_null(seen(VHOST_USER_SET_VRING_ADDR, 0));
	driver_reset();
	driver_ready();
	TURN_UNTIL(runs());
}

static void test_killed(void **state)
{
	(void)state;
	driver_ready();
	TURN_UNTIL(runs());
	assert_int_equal(map(0), 0);
	kill_backend();
	TURN_UNTIL(needs_reset());
	assert_int_equal(fake.vm.window.nr_buffers, 1);

	/* Until the reset nothing comes back; then the next start connects. */
	turn();
	assert_int_equal(be.connections, 1);
	driver_reset();
	assert_int_equal(fake.vm.window.nr_buffers, 0);
	set_mood(GOOD, 0);
	driver_ready();
	TURN_UNTIL(runs());
	assert_int_equal(be.connections, 2);
	assert_int_equal(status(), 15);
	assert_int_equal(map(0), 0);
}

/* No driver has seen that it went: what it had mapped goes when the next one is started. */
static void test_killed_without_driver(void **state)
{
	(void)state;
	assert_int_equal(map(0), 0);
	kill_backend();
	TURN_UNTIL(frontends__timeout_ms(&fake.vm) < 0 && fake.vm.frontends->state == FRONTEND_DEAD);
	assert_int_equal(fake.vm.window.nr_buffers, 1);
	set_mood(GOOD, 0);
	driver_ready();
	TURN_UNTIL(runs());
	assert_int_equal(fake.vm.window.nr_buffers, 0);
	assert_int_equal(map(0), 0);
}

/* Reset and set up again while it is connecting anew. */
static void test_reset_while_connecting(void **state)
{
	unsigned int i;

	(void)state;
	driver_ready();
	TURN_UNTIL(runs());
	kill_backend();
	TURN_UNTIL(needs_reset());
	driver_reset();
	set_mood(GOOD, 0);
	for (i = 0; i < 3; i++) {
		driver_ready();
		turn();
		driver_reset();
	}
	driver_ready();
	TURN_UNTIL(runs());
	assert_int_equal(status(), 15);
}

/* At each request of a start and a reset, in each way: the device asks for a reset, and recovers. */
static void test_bad_moods(void **state)
{
	static const uint32_t requests[] = {
		VHOST_USER_SET_FEATURES, VHOST_USER_SET_VRING_NUM, VHOST_USER_SET_VRING_ADDR,
		VHOST_USER_SET_VRING_KICK, VHOST_USER_SET_STATUS,
	};
	static const enum mood moods[] = { SILENT, REFUSES, GARBAGE, CLOSES };
	unsigned int i, m;

	(void)state;
	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		for (m = 0; m < sizeof(moods) / sizeof(moods[0]); m++) {
			set_mood(moods[m], requests[i]);
			driver_ready();
			TURN_UNTIL(needs_reset());
			set_mood(GOOD, 0);
			driver_reset();
			driver_ready();
			TURN_UNTIL(runs());
			driver_reset();
		}
	}
	/* A reset that is not answered ends with the connection. */
	for (m = 0; m < sizeof(moods) / sizeof(moods[0]); m++) {
		set_mood(GOOD, 0);
		driver_ready();
		TURN_UNTIL(runs());
		set_mood(moods[m], VHOST_USER_RESET_DEVICE);
		driver_reset();
		assert_false(needs_reset());
	}
}

/* A back-end that came back as another one. */
static void test_comes_back_changed(void **state)
{
	(void)state;
	driver_ready();
	TURN_UNTIL(runs());
	pthread_mutex_lock(&be.lock);
	be.features &= ~BIT(VIRTIO_GPU_F_EDID);
	pthread_mutex_unlock(&be.lock);
	kill_backend();
	TURN_UNTIL(needs_reset());
	driver_reset();
	driver_ready();
	TURN_UNTIL(needs_reset());
	driver_reset();

	pthread_mutex_lock(&be.lock);
	be.features = FEATURES;
	be.region = 2 * REGION;
	pthread_mutex_unlock(&be.lock);
	kill_backend();
	turn();
	driver_ready();
	TURN_UNTIL(needs_reset());
	driver_reset();

	pthread_mutex_lock(&be.lock);
	be.region = REGION;
	pthread_mutex_unlock(&be.lock);
	set_mood(GOOD, 0);
	driver_ready();
	TURN_UNTIL(runs());
}

static void test_config(void **state)
{
	const struct vhost_user_config *written;
	uint32_t generation;
	unsigned int i;

	(void)state;
	driver_ready();
	TURN_UNTIL(runs());
	generation = reg(VIRTIO_PCI_COMMON_CFGGENERATION, 1);
	pthread_mutex_lock(&be.lock);
	be.config.events_read = 1;
	pthread_mutex_unlock(&be.lock);
	assert_int_equal(ask(VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, 0, 0, -1), 0);
	TURN_UNTIL(reg(0x2000, 4) == 1);
	assert_int_not_equal(reg(VIRTIO_PCI_COMMON_CFGGENERATION, 1), generation);

	/* However often the driver writes: the last value arrives, and few requests. */
	set_mood(GOOD, 0);
	for (i = 0; i < 1000; i++)
		set_reg(0x2000 + 4, i, 4);
	TURN_UNTIL(seen(VHOST_USER_GET_CONFIG, 0));
	written = &seen(VHOST_USER_SET_CONFIG, 0)->payload.config;
	assert_int_equal(written->offset, 4);
	assert_int_equal(written->size, 4);
	assert_int_equal(written->flags, VHOST_USER_CONFIG_WRITABLE);
	memcpy(&i, written->region, sizeof(i));
	assert_int_equal(i, 999);
	turn();
	assert_null(seen(VHOST_USER_SET_CONFIG, 1));

	/* Without a back-end nothing happens; with the next one it works again. */
	kill_backend();
	TURN_UNTIL(needs_reset());
	set_reg(0x2000 + 4, 1, 4);
	turn();
	driver_reset();
	set_mood(GOOD, 0);
	driver_ready();
	TURN_UNTIL(runs());
	set_reg(0x2000 + 4, 7, 4);
	TURN_UNTIL(seen(VHOST_USER_SET_CONFIG, 0));
}

static void test_bad_maps(void **state)
{
	int pipes[2], i;

	(void)state;
	driver_ready();
	TURN_UNTIL(runs());
	assert_int_equal(pipe(pipes), 0);
	close(pipes[1]);
	assert_int_equal(ask(VHOST_USER_BACKEND_SHMEM_MAP, 0, 4096, pipes[0]), EBADFD);
	assert_int_equal(ask(VHOST_USER_BACKEND_SHMEM_MAP, 0, 8192, fake_dmabuf(4096)), ERANGE);
	assert_int_equal(ask(VHOST_USER_BACKEND_SHMEM_MAP, REGION, 4096, fake_dmabuf(4096)),
			 ERANGE);
	assert_int_equal(ask(VHOST_USER_BACKEND_SHMEM_MAP, 0, 4096, -1), EPROTO);
	fake_answers.host = DMABUF_MEMTYPE_WB;
	assert_int_equal(map(0), EMEDIUMTYPE);
	fake_answers.host = DMABUF_MEMTYPE_WC;
	for (i = 0; i < 100; i++)
		assert_int_equal(map(i * 4096), 0);
	assert_int_equal(map(0), EEXIST);
	/* The guest switches its BAR off: nowhere to map to. */
	access_32(PCI_ECAM_BASE + (1 << 15) + PCI_COMMAND, 0, 2, true);
	assert_int_equal(map(REGION - 4096), ENXIO);
	access_32(PCI_ECAM_BASE + (1 << 15) + PCI_COMMAND, PCI_COMMAND_MEMORY, 2, true);
	assert_int_equal(map(REGION - 4096), 0);
	assert_int_equal(status(), 15);
	driver_reset();
	assert_int_equal(fake.vm.window.nr_buffers, 0);
}

/* What a device is not made of. */
static void test_not_created(void **state)
{
	static const struct {
		uint64_t features, protocol, region;
		enum mood mood;
		const char *says;
	} cases[] = {
		{ BIT(VIRTIO_F_VERSION_1), PROTOCOL, REGION, GOOD, "offers features 0x100000000" },
		{ FEATURES, PROTOCOL & ~BIT(VHOST_USER_PROTOCOL_F_CONFIG), REGION, GOOD,
		  "it has no CONFIG" },
		{ FEATURES, PROTOCOL & ~BIT(VHOST_USER_PROTOCOL_F_SHMEM), REGION, GOOD,
		  "it has no SHMEM" },
		{ FEATURES, PROTOCOL, FAKE_WINDOW + 4096, GOOD, "is beyond the window" },
		{ FEATURES, PROTOCOL, 0, GOOD, "gives the size of 0" },
		{ FEATURES, PROTOCOL, REGION, SILENT, "no answer to SET_MEM_TABLE for 60 ms" },
		{ FEATURES, PROTOCOL, REGION, REFUSES, "SET_MEM_TABLE: refused with 1" },
		{ FEATURES, PROTOCOL, REGION, CLOSES, "closed the connection" },
	};
	struct error err = { "" };
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		be.features = cases[i].features;
		be.protocol = cases[i].protocol;
		be.region = cases[i].region;
		set_mood(cases[i].mood, VHOST_USER_SET_MEM_TABLE);
		err.msg[0] = '\0';
		assert_true(create(&err) < 0);
		if (!strstr(err.msg, cases[i].says) || !strstr(err.msg, be.path)) {
			capture_end();
			fail_msg("case %u says '%s', not '%s'", i, err.msg, cases[i].says);
		}
		assert_null(fake.vm.frontends);
	}
	unlink(be.path);
	err.msg[0] = '\0';
	assert_int_equal(create(&err), -ENOENT);
	assert_non_null(strstr(err.msg, "connect: No such file"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_found),
		TEST(test_start_and_reset),
		TEST(test_bad_ring),
		TEST(test_killed),
		TEST(test_killed_without_driver),
		TEST(test_reset_while_connecting),
		TEST(test_bad_moods),
		TEST(test_comes_back_changed),
		TEST(test_config),
		TEST(test_bad_maps),
		cmocka_unit_test_setup_teardown(test_not_created, setup_machine, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
