// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target: what a vhost-user back-end says to dmapat-vmm: replies, requests, fds
 * of any kind, silence, ends. The VM is the unit tests' (tests/unit/vmm_fake.h): no KVM,
 * and a memfd stands for a DMA-buf. Input: enum backend_operation.
 */
#include "fuzz_input.h"

#include "unit/vmm_fake_kernel.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "backend_input.h"
#include "vmm/frontend.h"
#include "wire.h"

#define PAGE		0x1000u
#define CONFIG_SIZE	16u
#define BIT(n)		(1ull << (n))
#define FEATURES	(BIT(32) | BIT(VHOST_USER_F_PROTOCOL_FEATURES) | BIT(VHOST_F_LOG_ALL))
#define NEEDED		(BIT(VHOST_USER_PROTOCOL_F_SHMEM) | BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | \
			 BIT(VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD) | \
			 BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_USER_PROTOCOL_F_CONFIG))
#define WANTED		(NEEDED | BIT(VHOST_USER_PROTOCOL_F_MQ) | \
			 BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD) | \
			 BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) | \
			 BIT(VHOST_USER_PROTOCOL_F_STATUS))

#define NR_SCRIPTS	(FRONTEND_SCRIPT_WRITE_CONFIG + 1)

static struct {
	struct fake fake;
	struct frontend *fe;
	int main, requests;		/* the back-end's ends, or -1 */
	int kick, call;
	struct frontend_job jobs[NR_SCRIPTS];
	unsigned int wanted, done;	/* of them */
	unsigned int starts;		/* that are not over */
	struct fuzz_input in;
} t;

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

/* The back-end does nothing while the front-end waits for the rest of a message. */
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int ready = __real_poll(fds, n, 0);

	fuzz_assert(ready || timeout >= 0);
	if (!ready)
		wire_clock_pass(timeout);
	return ready;
}

/* ---- the device whose back-end it is ---- */

static void on_started(struct frontend *fe, int result, const struct error *err)
{
	fuzz_assert(t.starts == 1);
	fuzz_assert(!result == (fe->state == FRONTEND_READY));
	fuzz_assert(!result || (err && err->msg[0]));
	t.starts--;
}

static void on_gone(struct frontend *fe, const struct error *err)
{
	fuzz_assert(fe->state == FRONTEND_DEAD && err->msg[0]);
}

static void on_config_changed(struct frontend *fe)
{
	fuzz_assert(fe->state == FRONTEND_READY);
}

static void on_done(struct frontend *fe, struct frontend_job *job, int result,
		    const struct error *err)
{
	(void)fe;
	fuzz_assert(!job->queued);
	fuzz_assert(!result || (err && err->msg[0]));
	t.done++;
}

static const struct frontend_client client = {
	.name = "fuzz", .nr_queues = 2, .protocol_needed = NEEDED, .protocol_wanted = WANTED,
	.config_size = CONFIG_SIZE, .gone_event = "GONE", .refused_event = "REFUSED",
	.started = on_started, .gone = on_gone, .config_changed = on_config_changed,
};

static void want(enum frontend_script script)
{
	struct frontend_job *job = &t.jobs[script];

	if (job->queued || script == FRONTEND_SCRIPT_HANDSHAKE)
		return;
	*job = (struct frontend_job) { .script = script, .done = on_done };
	t.wanted++;
	frontend__run(t.fe, job);
}

/* ---- the back-end ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void answer_u64(const struct vhost_user_msg *request, uint64_t value)
{
	const struct vhost_user_header hdr = {
		.request = request->hdr.request, .size = sizeof(value),
		.flags = VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY,
	};

	wire_send(t.main, &hdr, &value, sizeof(value), NULL, 0);
}

static void answer_payload(const struct vhost_user_msg *request, const void *payload, uint32_t size)
{
	const struct vhost_user_header hdr = {
		.request = request->hdr.request, .size = size,
		.flags = VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY,
	};

	wire_send(t.main, &hdr, payload, size, NULL, 0);
}

/* The front-end's oldest request; false: there is none. */
static bool take(struct vhost_user_msg *msg)
{
	int fd, r;

	if (t.main < 0)
		return false;
	r = wire_receive(t.main, msg, &fd);
	/* A front-end that talks nonsense is a finding. */
	fuzz_assert(r >= 0);
	if (r && msg->hdr.request == VHOST_USER_SET_BACKEND_REQ_FD) {
		fuzz_assert(fd >= 0);
		close_fd(&t.requests);
		t.requests = fd;
	} else if (r && fd >= 0) {
		close(fd);
	}
	return r;
}

static void answer(void)
{
	struct vhost_user_shmem_config shmem = { .nregions = 1 };
	struct vhost_user_config config = { .size = CONFIG_SIZE };
	struct vhost_vring_state state = { 0 };
	struct vhost_user_msg msg;

	if (!take(&msg))
		return;
	switch (msg.hdr.request) {
	case VHOST_USER_GET_FEATURES:
		answer_u64(&msg, FEATURES);
		break;
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		answer_u64(&msg, WANTED);
		break;
	case VHOST_USER_GET_QUEUE_NUM:
		answer_u64(&msg, client.nr_queues);
		break;
	case VHOST_USER_GET_SHMEM_CONFIG:
		shmem.sizes[FRONTEND_SHMID_HOST_VISIBLE] = BACKEND_REGION;
		answer_payload(&msg, &shmem, sizeof(shmem));
		break;
	case VHOST_USER_GET_CONFIG:
		answer_payload(&msg, &config, VHOST_USER_CONFIG_HEADER + CONFIG_SIZE);
		break;
	case VHOST_USER_GET_VRING_BASE:
		answer_payload(&msg, &state, sizeof(state));
		break;
	case VHOST_USER_SET_LOG_BASE:
	case VHOST_USER_GET_STATUS:
		answer_u64(&msg, 0);
		break;
	default:
		if (msg.hdr.flags & VHOST_USER_FLAG_NEED_REPLY)
			answer_u64(&msg, 0);
		break;
	}
}

static void reply(void)
{
	uint8_t payload[sizeof(union vhost_user_payload)];
	struct vhost_user_msg msg = { 0 };
	struct vhost_user_header hdr;
	size_t size;

	if (t.main < 0)
		return;
	take(&msg);
	hdr.request = msg.hdr.request;
	hdr.flags = VHOST_USER_VERSION | (VHOST_USER_FLAG_REPLY ^ fuzz_number(&t.in, 1));
	hdr.size = fuzz_number(&t.in, 2);
	size = fuzz_bytes(&t.in, payload, hdr.size < sizeof(payload) ? hdr.size : sizeof(payload));
	wire_send(t.main, &hdr, payload, size, NULL, 0);
}

static int make_fd(unsigned int kind)
{
	int fds[2];

	switch ((enum backend_fd)kind) {
	case BACKEND_FD_BUFFER:
		return fake_dmabuf(16 * PAGE);
	case BACKEND_FD_SMALL:
		return fake_dmabuf(PAGE);
	case BACKEND_FD_EMPTY:
		return fake_dmabuf(0);
	case BACKEND_FD_EVENT:
		return eventfd(0, EFD_CLOEXEC);
	case BACKEND_FD_NULL:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case BACKEND_FD_SOCKET:
		fuzz_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
		close(fds[0]);
		return fds[1];
	case BACKEND_FDS:
		break;
	}
	return -1;
}

static void shmem_request(uint32_t request)
{
	const struct vhost_user_header hdr = {
		.request = request, .flags = VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY,
		.size = sizeof(struct vhost_user_mmap),
	};
	struct vhost_user_mmap mmap = { .shmid = FRONTEND_SHMID_HOST_VISIBLE };
	bool map = request == VHOST_USER_BACKEND_SHMEM_MAP;
	int fd = -1;

	if (map) {
		fd = make_fd(fuzz_number(&t.in, 1) % BACKEND_FDS);
		mmap.fd_offset = fuzz_number(&t.in, 1) * PAGE;
	}
	mmap.shm_offset = fuzz_number(&t.in, 1) * PAGE;
	mmap.len = fuzz_number(&t.in, 1) * PAGE;
	if (map)
		mmap.flags = VHOST_USER_MMAP_RW ^ fuzz_number(&t.in, 1);
	if (t.requests >= 0)
		wire_send(t.requests, &hdr, &mmap, sizeof(mmap), &fd, map);
	close_fd(&fd);
}

static void any_bytes(void)
{
	int sock = fuzz_number(&t.in, 1) ? t.requests : t.main;
	uint8_t bytes[255];
	size_t n = fuzz_bytes(&t.in, bytes, fuzz_number(&t.in, 1));

	if (sock >= 0)
		send(sock, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* ---- both ---- */

static void attach(void)
{
	int fds[2];

	fuzz_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	close_fd(&t.main);
	close_fd(&t.requests);
	t.main = fds[0];
	t.starts++;
	frontend__attach(t.fe, fds[1]);
}

static void close_or_come(unsigned int what)
{
	if (what == 0)
		close_fd(&t.main);
	else if (what == 1)
		close_fd(&t.requests);
	else if (t.fe->state == FRONTEND_DEAD)
		attach();
}

static void time_passes(void)
{
	int timeout = frontend__timeout_ms(t.fe);

	if (timeout < 0)
		return;
	wire_clock_pass(timeout + 1);
	frontend__tick(t.fe);
}

static void operate(void)
{
	unsigned int n;

	switch ((enum backend_operation)(fuzz_number(&t.in, 1) % BACKEND_OPERATIONS)) {
	case BACKEND_ANSWER:
		for (n = fuzz_number(&t.in, 1) % 32; n; n--) {
			answer();
			loop__run_once(t.fake.loop, 0);
		}
		break;
	case BACKEND_REPLY:
		reply();
		break;
	case BACKEND_MAP:
		shmem_request(VHOST_USER_BACKEND_SHMEM_MAP);
		break;
	case BACKEND_UNMAP:
		shmem_request(VHOST_USER_BACKEND_SHMEM_UNMAP);
		break;
	case BACKEND_REQUEST:
		wire_send_any(t.requests, &t.in, make_fd, BACKEND_FDS);
		break;
	case BACKEND_BYTES:
		any_bytes();
		break;
	case BACKEND_RUN:
		want(fuzz_number(&t.in, 1) % NR_SCRIPTS);
		break;
	case BACKEND_CLOSE:
		close_or_come(fuzz_number(&t.in, 1) % 3);
		break;
	case BACKEND_WAIT:
		time_passes();
		break;
	case BACKEND_OPERATIONS:
		break;
	}
}

/* Turn the loop until nothing is ready; the back-end's answers do not fill the socket. */
static void turn(void)
{
	uint8_t junk[4096];
	int i;

	for (i = 0; i < 8; i++)
		loop__run_once(t.fake.loop, 0);
	while (t.requests >= 0 && recv(t.requests, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
}

static void create(void)
{
	struct frontend_queue *queue;
	unsigned int i;

	fake_create(&t.fake);
	t.fake.vm.options = &t.fake.options;
	fuzz_assert(frontend__create(&t.fe, &t.fake.vm, t.fake.loop, &client, "fuzz",
				     FRONTEND_OFFSET_AUTO, NULL) == 0);
	t.kick = eventfd(0, EFD_CLOEXEC);
	t.call = eventfd(0, EFD_CLOEXEC);
	t.fe->log_fd = fake_dmabuf(PAGE);
	t.fe->log_size = PAGE;
	t.fe->driver_features = FEATURES;
	for (i = 0; i < client.nr_queues; i++) {
		queue = &t.fe->queues[i];
		*queue = (struct frontend_queue) {
			.used = true, .size = 16, .kick_fd = t.kick, .call_fd = i ? -1 : t.call,
			.desc = (uintptr_t)t.fake.vm.ram.hva, .avail = queue->desc + PAGE,
			.used_ring = queue->desc + 2ul * PAGE,
		};
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned int before;

	before = wire_open_fds();
	t.in = (struct fuzz_input) { .data = data, .left = size };
	t.main = -1;
	t.requests = -1;
	t.wanted = 0;
	t.done = 0;
	t.starts = 0;
	memset(t.jobs, 0, sizeof(t.jobs));
	wire_clock_reset();
	create();
	attach();
	while (t.in.left) {
		operate();
		turn();
	}
	close_fd(&t.main);
	close_fd(&t.requests);
	turn();
	frontend__destroy(t.fe);
	fake_destroy(&t.fake);
	close(t.kick);
	close(t.call);
	fuzz_assert(t.done == t.wanted && !t.starts);
	fuzz_assert(wire_open_fds() == before);
	return 0;
}
