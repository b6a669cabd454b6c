// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Both halves of a back-end's dirty log: a gpu-proc's session in a process of its own
 * answers requests in guest RAM, and the VMM learns which pages it wrote. The guest's
 * driver, and what a VMM tells of its queue, is the test.
 */
#include "unit/vmm_fake_kernel.h"

#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "fdmsg.h"
/* Each program has a struct buffer of its own. */
#define buffer gpu_proc_buffer
#include "gpu-proc/session.h"
#undef buffer
#include "vmm/dirty_source.h"
#include "vmm/dirty_vhost.h"
#include "vmm/frontend.h"
#include "vmm/gpu_proc.h"

#define NUM		8u
#define PAGES		(FAKE_RAM / 4096)
#define DESC		0x10000u	/* guest addresses */
#define AVAIL		0x11000u
#define USED		0x12000u
#define REQUEST		0x13000u
#define RESPONSE	0x24000u	/* and a page more for each further request */
#define WAIT_MS		10000

struct world {
	struct fake fake;
	struct frontend *fe;
	struct frontend *gpus[1];
	struct frontend_client client;
	struct dirty_source *s;
	pid_t gpu;
	int kick;
	uint16_t nr_requests;
};

static bool started, reported[PAGES];
static unsigned int nr_reported;

static void on_started(struct frontend *fe, int result, const struct error *err)
{
	(void)fe;
	if (result)
		fail_msg("%s", err->msg);
	started = true;
}

static void take_page(const struct dirty_sink *sink, uint32_t slot, uint64_t page)
{
	(void)sink;
	assert_true(slot == VM_SLOT_RAM && page < PAGES);
	nr_reported += !reported[page];
	reported[page] = true;
}

static const struct dirty_sink sink = { .page = take_page };

static void run_gpu_proc(int sock)
{
	static struct session session;
	static const struct gpu_options options = { .width = 640, .height = 480 };
	static struct gpu gpu;
	int signals[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pipe(signals) < 0)
		_exit(1);
	if (gpu_init(&gpu, &options) < 0)
		_exit(1);
	session_init(&session, sock, signals[0], NULL, 0, 1 << 20, &gpu);
	_exit(session_run(&session) == SESSION_CLOSED ? 0 : 2);
}

static void tell(struct world *w, uint32_t request, const void *payload, uint32_t size, int fd)
{
	struct vhost_user_msg msg = {
		.hdr = { .request = request, .flags = VHOST_USER_VERSION, .size = size },
		.fds = { fd }, .nfds = fd >= 0,
	};

	memcpy(&msg.payload, payload, size);
	assert_int_equal(fdmsg_send(w->fe->main.fd, &msg, WAIT_MS), FDMSG_OK);
}

/* What a driver in the guest would have the VMM do. */
static void set_up_queue(struct world *w)
{
	uint64_t base = (uintptr_t)w->fake.vm.ram.hva, index = 0;
	struct vhost_vring_state num = { .num = NUM }, zero = { 0 }, one = { .num = 1 };
	struct vhost_vring_addr addr = {
		.flags = 1u << VHOST_VRING_F_LOG,
		.desc_user_addr = base + DESC,
		.avail_user_addr = base + AVAIL,
		.used_user_addr = base + USED,
		.log_guest_addr = USED,
	};

	w->kick = eventfd(0, EFD_CLOEXEC);
	tell(w, VHOST_USER_SET_VRING_NUM, &num, sizeof(num), -1);
	tell(w, VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
	tell(w, VHOST_USER_SET_VRING_BASE, &zero, sizeof(zero), -1);
	tell(w, VHOST_USER_SET_VRING_KICK, &index, sizeof(index), w->kick);
	tell(w, VHOST_USER_SET_VRING_ENABLE, &one, sizeof(one), -1);
}

/* A request whose response goes to a page of its own. */
static void request(struct world *w)
{
	uint8_t *ram = w->fake.vm.ram.hva;
	struct vring_desc *desc = (void *)(ram + DESC);
	struct vring_avail *avail = (void *)(ram + AVAIL);
	uint16_t first = 2 * w->nr_requests % NUM;

	desc[first] = (struct vring_desc) {
		REQUEST, sizeof(struct virtio_gpu_ctrl_hdr), VRING_DESC_F_NEXT, first + 1,
	};
	desc[first + 1] = (struct vring_desc) {
		RESPONSE + w->nr_requests * 4096u, 256, VRING_DESC_F_WRITE, 0,
	};
	avail->ring[w->nr_requests % NUM] = first;
	__atomic_store_n(&avail->idx, ++w->nr_requests, __ATOMIC_RELEASE);
	assert_int_equal(eventfd_write(w->kick, 1), 0);
}

/* The migration's thread, while the test turns the loop. */
enum what { START, SYNC, LAST_SYNC };

struct call {
	struct dirty_source *s;
	enum what what;
	int ret;
	struct error err;
	bool done;
};

static void *call_thread(void *arg)
{
	struct call *c = arg;

	if (c->what == START)
		c->ret = c->s->ops->start(c->s, &sink, &c->err);
	else
		c->ret = c->s->ops->sync(c->s, c->what == LAST_SYNC, &c->err);
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static void call(struct world *w, enum what what)
{
	struct call c = { .s = w->s, .what = what };
	pthread_t thread;
	int i;

	nr_reported = 0;
	memset(reported, 0, sizeof(reported));
	assert_int_equal(pthread_create(&thread, NULL, call_thread, &c), 0);
	for (i = 0; i < WAIT_MS && !__atomic_load_n(&c.done, __ATOMIC_ACQUIRE); i++)
		assert_int_equal(loop__run_once(w->fake.loop, 1), 0);
	pthread_join(thread, NULL);
	if (c.ret)
		fail_msg("%s", c.err.msg);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int sv[2], i;

	if (!w)
		return -1;
	started = false;
	fake_create(&w->fake);
	gpu_proc__client(&w->client, on_started);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	w->gpu = fork();
	assert_true(w->gpu >= 0);
	if (!w->gpu) {
		close(sv[0]);
		run_gpu_proc(sv[1]);
	}
	close(sv[1]);
	assert_int_equal(frontend__create(&w->fe, &w->fake.vm, w->fake.loop, &w->client, "test",
					  FRONTEND_OFFSET_AUTO, NULL), 0);
	w->gpus[0] = w->fe;
	w->fake.vm.gpus = w->gpus;
	w->fake.vm.nr_gpus = 1;
	frontend__attach(w->fe, sv[0]);
	for (i = 0; i < WAIT_MS && !started; i++)
		assert_int_equal(loop__run_once(w->fake.loop, 1), 0);
	assert_true(started);
	set_up_queue(w);
	w->s = dirty_vhost__create(w->fe);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	int status;

	w->s->ops->free(w->s);
	frontend__destroy(w->fe);
	close(w->kick);
	if (w->gpu)
		waitpid(w->gpu, &status, 0);
	fake_destroy(&w->fake);
	free(w);
	return 0;
}

static uint16_t used(struct world *w)
{
	const struct vring_used *ring = (const void *)(w->fake.vm.ram.hva + USED);

	return __atomic_load_n(&ring->idx, __ATOMIC_ACQUIRE);
}

/* Each pass has what was written since the one before; the last one all of it. */
static void test_writes_arrive(void **state)
{
	struct world *w = *state;
	uint32_t type;
	int i;

	request(w);				/* nobody logs yet */
	for (i = 0; i < WAIT_MS && used(w) != 1; i++)
		poll(NULL, 0, 1);
	assert_int_equal(used(w), 1);
	call(w, START);
	call(w, SYNC);
	assert_int_equal(nr_reported, 0);

	request(w);
	for (i = 0; i < WAIT_MS && used(w) != 2; i++)
		poll(NULL, 0, 1);
	/* The log follows the write: ask until both are there. */
	for (i = 0; i < WAIT_MS && !(reported[USED / 4096] && reported[RESPONSE / 4096 + 1]); i++) {
		bool before_used = reported[USED / 4096];
		bool before_response = reported[RESPONSE / 4096 + 1];

		call(w, SYNC);
		reported[USED / 4096] |= before_used;
		reported[RESPONSE / 4096 + 1] |= before_response;
	}
	assert_true(reported[USED / 4096] && reported[RESPONSE / 4096 + 1]);
	assert_false(reported[RESPONSE / 4096]);

	/* Under way when the guest stops: in the last pass for certain. */
	request(w);
	request(w);
	call(w, LAST_SYNC);
	assert_int_equal(used(w), 4);
	assert_int_equal(nr_reported, 3);
	assert_true(reported[USED / 4096] && reported[RESPONSE / 4096 + 2] &&
		    reported[RESPONSE / 4096 + 3]);
	memcpy(&type, w->fake.vm.ram.hva + RESPONSE + 3 * 4096, sizeof(type));
	assert_int_equal(type, VIRTIO_GPU_RESP_ERR_UNSPEC);
	w->s->ops->stop(w->s);
}

/* Killed while it has the log mapped: the log is the VMM's, and what is in it counts. */
static void test_killed(void **state)
{
	struct world *w = *state;
	int i;

	call(w, START);
	request(w);
	for (i = 0; i < WAIT_MS && used(w) != 1; i++)
		poll(NULL, 0, 1);
	/* It has stopped behind the write when it answers. */
	call(w, LAST_SYNC);
	assert_true(reported[USED / 4096] && reported[RESPONSE / 4096]);
	kill(w->gpu, SIGKILL);
	waitpid(w->gpu, NULL, 0);
	w->gpu = 0;
	for (i = 0; i < WAIT_MS && w->fe->state != FRONTEND_DEAD; i++)
		assert_int_equal(loop__run_once(w->fake.loop, 1), 0);
	call(w, LAST_SYNC);
	assert_int_equal(nr_reported, 0);
	w->s->ops->stop(w->s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_writes_arrive),
		TEST(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
