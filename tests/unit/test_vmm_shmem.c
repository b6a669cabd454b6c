// SPDX-License-Identifier: GPL-2.0-or-later
/* SHMEM_MAP and SHMEM_UNMAP: what comes into the window, what is refused, what is left. */
#include "unit/vmm_backend.h"

#define BUFFER		0x10000ULL

struct request {
	uint32_t request;
	uint32_t flags;		/* besides version and NEED_REPLY */
	uint32_t size;
	struct vhost_user_mmap mmap;
	int fds[2];
	unsigned int nfds;
	bool silent;		/* no NEED_REPLY */
};

/* A good SHMEM_MAP of a fresh buffer, whose fd the caller closes by request_send(). */
static struct request map_request(uint64_t offset, uint64_t len)
{
	return (struct request) {
		.request = VHOST_USER_BACKEND_SHMEM_MAP,
		.size = sizeof(struct vhost_user_mmap),
		.mmap = { .shmid = FRONTEND_SHMID_HOST_VISIBLE, .shm_offset = offset, .len = len,
			  .flags = VHOST_USER_MMAP_RW },
		.fds = { fake_dmabuf(len < (1 << 24) ? len : 4096) },
		.nfds = 1,
	};
}

static struct request unmap_request(uint64_t offset, uint64_t len)
{
	return (struct request) {
		.request = VHOST_USER_BACKEND_SHMEM_UNMAP,
		.size = sizeof(struct vhost_user_mmap),
		.mmap = { .shmid = FRONTEND_SHMID_HOST_VISIBLE, .shm_offset = offset, .len = len },
	};
}

static void request_send(struct backend *b, struct request r)
{
	struct vhost_user_msg msg = {
		.hdr = {
			.request = r.request,
			.flags = VHOST_USER_VERSION | r.flags |
				 (r.silent ? 0 : VHOST_USER_FLAG_NEED_REPLY),
			.size = r.size,
		},
		.payload.mmap = r.mmap,
		.nfds = r.nfds,
	};
	unsigned int i;

	for (i = 0; i < r.nfds; i++)
		msg.fds[i] = r.fds[i];
	assert_int_equal(fdmsg_send(b->requests, &msg, WAIT_MS), FDMSG_OK);
	fdmsg_close_fds(&msg);
}

static uint64_t read_answer(struct backend *b, uint32_t request)
{
	struct vhost_user_msg msg;

	assert_int_equal(fdmsg_recv(b->requests, &msg, WAIT_MS), FDMSG_OK);
	assert_int_equal(msg.hdr.request, request);
	assert_int_equal(msg.hdr.flags, VHOST_USER_VERSION | VHOST_USER_FLAG_REPLY);
	assert_int_equal(msg.hdr.size, 8);
	assert_int_equal(msg.nfds, 0);
	return msg.payload.u64;
}

static uint64_t ask(struct backend *b, struct request r)
{
	request_send(b, r);
	pump_all(b);
	return read_answer(b, r.request);
}

/* Readable memory? Asked of the kernel, so that an empty window does not kill the test. */
static bool accessible(const void *p)
{
	int fds[2];
	bool ok;

	assert_int_equal(pipe(fds), 0);
	ok = write(fds[1], p, 1) == 1;
	close(fds[0]);
	close(fds[1]);
	return ok;
}

static void assert_no_buffer(struct backend *b)
{
	uint64_t offset;

	assert_int_equal(b->fake.vm.window.nr_buffers, 0);
	for (offset = 0; offset < FAKE_WINDOW; offset += 4096 * 16)
		assert_false(accessible(b->fake.vm.window.hva + offset));
}

static int ready_setup(void **state)
{
	if (backend_setup(state) < 0)
		return -1;
	handshake(*state, HANDSHAKE_STEPS);
	return started_result;
}

/* As gpu-proc does: all requests on their way before the last reply. */
static void test_buffers_at_start(void **state)
{
	struct backend *b = *state;
	struct window *win = &b->fake.vm.window;

	handshake(b, HANDSHAKE_BUFFERS);
	take(b, VHOST_USER_GET_FEATURES);
	request_send(b, map_request(0x100000, BUFFER));
	request_send(b, map_request(0, BUFFER));
	reply_u64(b, GOOD_FEATURES);
	assert_started();
	assert_int_equal(read_answer(b, VHOST_USER_BACKEND_SHMEM_MAP), 0);
	assert_int_equal(read_answer(b, VHOST_USER_BACKEND_SHMEM_MAP), 0);
	assert_int_equal(win->nr_buffers, 2);
	assert_int_equal(win->buffers[0]->offset, 0);
	assert_int_equal(win->buffers[1]->offset, 0x100000);
	assert_int_equal(win->buffers[0]->memtype, DMABUF_MEMTYPE_WC);
	assert_int_equal(win->buffers[0]->map_info, MAP_INFO_WC);
	assert_false(win->buffers[0]->bound);
	assert_true(accessible(win->hva));
	assert_false(accessible(win->hva + BUFFER));
	assert_true(accessible(win->hva + 0x100000));
	assert_ptr_equal(window__lookup(win, 0xffff), win->buffers[0]);
	assert_null(window__lookup(win, 0x10000));
	assert_ptr_equal(window__lookup(win, 0x10ffff), win->buffers[1]);
}

/* The mapping is the buffer itself, and the region's offset counts. */
static void test_mapping_is_shared(void **state)
{
	struct backend *b = *state;
	struct window *win = &b->fake.vm.window;
	struct request r;
	uint8_t *mine;
	int fd;

	b->fe->offset = 0x400000;
	handshake(b, HANDSHAKE_STEPS);
	assert_started();
	r = map_request(0x1000, BUFFER);
	fd = dup(r.fds[0]);
	r.mmap.fd_offset = 0x2000;
	r.mmap.len = BUFFER - 0x2000;
	assert_int_equal(ask(b, r), 0);
	mine = mmap(NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(mine != MAP_FAILED);
	close(fd);
	mine[0x2000] = 0x5a;
	assert_int_equal(win->hva[0x401000], 0x5a);
	win->hva[0x401001] = 0xa5;
	assert_int_equal(mine[0x2001], 0xa5);
	munmap(mine, BUFFER);
	assert_int_equal(win->buffers[0]->offset, 0x401000);
	assert_int_equal(win->buffers[0]->fd_offset, 0x2000);
}

static void test_names(void **state)
{
	struct backend *b = *state;
	struct window *win = &b->fake.vm.window;

	strcpy(fake_name, "front");
	assert_int_equal(ask(b, map_request(0, BUFFER)), 0);
	assert_int_equal(ask(b, map_request(BUFFER, BUFFER)), 0);
	fake_name[0] = '\0';
	assert_int_equal(ask(b, map_request(0x200000, BUFFER)), 0);
	assert_string_equal(win->buffers[0]->name, "front");
	assert_string_equal(win->buffers[1]->name, "front@10000");
	assert_string_equal(win->buffers[2]->name, "buffer@200000");
	assert_ptr_equal(window__find(win, "front@10000"), win->buffers[1]);
	assert_null(window__find(win, "back"));
}

static void test_unmap(void **state)
{
	struct backend *b = *state;
	struct window *win = &b->fake.vm.window;

	assert_int_equal(ask(b, map_request(0, BUFFER)), 0);
	assert_int_equal(ask(b, map_request(BUFFER, BUFFER)), 0);
	assert_int_equal(ask(b, unmap_request(0, BUFFER)), 0);
	assert_int_equal(win->nr_buffers, 1);
	assert_false(accessible(win->hva));
	assert_true(accessible(win->hva + BUFFER));
	/* the place is free again */
	assert_int_equal(ask(b, map_request(0, BUFFER)), 0);
	assert_int_equal(ask(b, unmap_request(0, BUFFER)), 0);
	assert_int_equal(ask(b, unmap_request(BUFFER, BUFFER)), 0);
	assert_no_buffer(b);
	assert_int_equal(b->fe->state, FRONTEND_READY);
}

static void test_without_reply(void **state)
{
	struct backend *b = *state;
	struct request r = map_request(0, BUFFER);

	r.silent = true;
	request_send(b, r);
	pump_all(b);
	assert_int_equal(b->fake.vm.window.nr_buffers, 1);
	r = unmap_request(BUFFER, BUFFER);
	r.silent = true;
	request_send(b, r);
	/* the next answer is that of the next question */
	assert_int_equal(ask(b, unmap_request(0, BUFFER)), 0);
}

/* Each case changes one thing of a good SHMEM_MAP. */
#define REFUSED(change, errnum, says) do {					\
	struct request r = map_request(0x100000, BUFFER);			\
	const char *log;							\
	uint64_t result;							\
										\
	change;									\
	capture_begin();							\
	result = ask(b, r);							\
	log = capture_end();							\
	assert_int_equal(result, errnum);					\
	assert_logged(log, says);						\
	assert_int_equal(b->fe->state, FRONTEND_READY);				\
	assert_no_buffer(b);							\
} while (0)

static void no_fd(struct request *r)
{
	close(r->fds[0]);
	r->nfds = 0;
}

static void other_fd(struct request *r, int fd)
{
	close(r->fds[0]);
	r->fds[0] = fd;
}

static int pipe_end(void)
{
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	close(fds[1]);
	return fds[0];
}

static void test_bad_map(void **state)
{
	struct backend *b = *state;

	REFUSED(r.size = 32, EPROTO, "32 bytes of payload, 40 wanted");
	REFUSED(r.size = 48, EPROTO, "48 bytes of payload, 40 wanted");
	REFUSED(no_fd(&r), EPROTO, "0 file descriptors, 1 wanted");
	REFUSED((r.fds[1] = fake_dmabuf(4096), r.nfds = 2), EPROTO, "2 file descriptors");
	REFUSED(r.mmap.shmid = 0, EINVAL, "shmid 0");
	REFUSED(r.mmap.shmid = 255, EINVAL, "shmid 255");
	REFUSED(r.mmap.flags = 0, EOPNOTSUPP, "flags 0x0");
	REFUSED(r.mmap.flags = 3, EOPNOTSUPP, "flags 0x3");
	REFUSED(r.mmap.shm_offset = 0x800, EINVAL, "not page aligned");
	REFUSED(r.mmap.len = 0, EINVAL, "or empty");
	REFUSED(r.mmap.len = 0x800, EINVAL, "not page aligned");
	REFUSED(r.mmap.fd_offset = 0x10, EINVAL, "not page aligned");
	REFUSED(r.mmap.shm_offset = REGION, ERANGE, "beyond its shared memory region");
	REFUSED(r.mmap.shm_offset = REGION - 4096, ERANGE, "beyond its shared memory region");
	REFUSED(r.mmap.shm_offset = UINT64_MAX - 4095, ERANGE, "beyond its shared memory region");
	REFUSED(r.mmap.len = UINT64_MAX - 4095, ERANGE, "beyond its shared memory region");
	REFUSED(r.mmap.len = BUFFER + 4096, ERANGE, "beyond the DMA-buf of 0x10000 bytes");
	REFUSED(r.mmap.fd_offset = 4096, ERANGE, "beyond the DMA-buf");
	REFUSED(r.mmap.fd_offset = UINT64_MAX - 4095, ERANGE, "beyond the DMA-buf");
	REFUSED(other_fd(&r, pipe_end()), EBADFD, "not a DMA-buf");
	REFUSED((r.request = VHOST_USER_BACKEND_VRING_CALL), EOPNOTSUPP, "4 is not supported");
	REFUSED((r.request = 77), EOPNOTSUPP, "77 is not supported");
}

static void test_overlap(void **state)
{
	static const uint64_t offsets[] = { 0x100000, 0xf1000, 0x10f000, 0x101000 };
	struct backend *b = *state;
	const char *log;
	unsigned int i;
	uint64_t result;

	assert_int_equal(ask(b, map_request(0x100000, BUFFER)), 0);
	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		capture_begin();
		result = ask(b, map_request(offsets[i], BUFFER));
		log = capture_end();
		assert_int_equal(result, EEXIST);
		assert_logged(log, "overlaps buffer");
		assert_logged(log, "[0x100000, +0x10000)");
	}
	assert_int_equal(ask(b, map_request(0xf0000, BUFFER)), 0);
	assert_int_equal(ask(b, map_request(0x110000, BUFFER)), 0);
	assert_int_equal(b->fake.vm.window.nr_buffers, 3);
}

static void test_bad_unmap(void **state)
{
	struct backend *b = *state;
	struct request r;

	assert_int_equal(ask(b, unmap_request(0, BUFFER)), ENOENT);
	assert_int_equal(ask(b, map_request(0, BUFFER)), 0);
	assert_int_equal(ask(b, unmap_request(0, BUFFER / 2)), ENOENT);
	assert_int_equal(ask(b, unmap_request(4096, BUFFER - 4096)), ENOENT);
	assert_int_equal(ask(b, unmap_request(0, BUFFER * 2)), ENOENT);
	r = unmap_request(0, BUFFER);
	r.mmap.shmid = 2;
	assert_int_equal(ask(b, r), EINVAL);
	r = unmap_request(0, BUFFER);
	r.fds[0] = fake_dmabuf(4096);
	r.nfds = 1;
	assert_int_equal(ask(b, r), EPROTO);
	/* another gpu-proc's buffer is none of ours */
	b->fake.vm.window.buffers[0]->owner = NULL;
	assert_int_equal(ask(b, unmap_request(0, BUFFER)), ENOENT);
	assert_int_equal(b->fake.vm.window.nr_buffers, 1);
}

static void test_types_disagree(void **state)
{
	struct backend *b = *state;

	REFUSED(fake_answers.host = DMABUF_MEMTYPE_WB, EMEDIUMTYPE,
		"bind says none, KVM's view of this mapping is WB, DMABUF_MEMTYPE_QUERY says WC");
	fake_answers.host = MEMTYPE_NONE;
	REFUSED(fake_answers.query = MEMTYPE_NONE, ENODATA, "nobody knows its memory type");
	REFUSED(fake_answers.query = DMABUF_MEMTYPE_WT, EMEDIUMTYPE, "WT has no map_info");
}

/* A disagreement before the guest runs: refused, and the start is over. */
static void test_types_disagree_at_start(void **state)
{
	struct backend *b = *state;

	fake_answers.host = DMABUF_MEMTYPE_UC;
	handshake(b, HANDSHAKE_BUFFERS);
	request_send(b, map_request(0, BUFFER));
	pump_all(b);
	assert_int_equal(read_answer(b, VHOST_USER_BACKEND_SHMEM_MAP), EMEDIUMTYPE);
	assert_failed(EMEDIUMTYPE, "mapping is UC, DMABUF_MEMTYPE_QUERY says WC");
	assert_int_equal(b->fe->state, FRONTEND_DEAD);
	assert_no_buffer(b);
}

static void test_frozen(void **state)
{
	struct backend *b = *state;

	assert_int_equal(ask(b, map_request(0, BUFFER)), 0);
	window__freeze(&b->fake.vm.window);
	window__freeze(&b->fake.vm.window);
	assert_int_equal(ask(b, map_request(0x100000, BUFFER)), EBUSY);
	assert_int_equal(ask(b, unmap_request(0, BUFFER)), EBUSY);
	window__thaw(&b->fake.vm.window);
	assert_int_equal(ask(b, unmap_request(0, BUFFER)), EBUSY);
	window__thaw(&b->fake.vm.window);
	assert_int_equal(ask(b, unmap_request(0, BUFFER)), 0);
}

/* The peer's death does not take the buffers from a running guest. */
static void test_dead_after_start(void **state)
{
	struct backend *b = *state;
	const char *log;

	assert_int_equal(ask(b, map_request(0, BUFFER)), 0);
	capture_begin();
	close(b->main);
	b->main = -1;
	close(b->requests);
	b->requests = -1;
	pump_all(b);
	log = capture_end();
	assert_logged(log, "its buffers stay mapped");
	assert_int_equal(b->fe->state, FRONTEND_DEAD);
	assert_int_equal(b->fake.vm.window.nr_buffers, 1);
	assert_true(accessible(b->fake.vm.window.hva));
	assert_int_equal(started_calls, 1);
}

static void test_reply_on_request_channel(void **state)
{
	struct backend *b = *state;
	struct request r = map_request(0, BUFFER);

	r.flags = VHOST_USER_FLAG_REPLY;
	request_send(b, r);
	pump_all(b);
	assert_int_equal(b->fe->state, FRONTEND_DEAD);
	assert_no_buffer(b);
}

static void test_cut_message(void **state)
{
	struct vhost_user_header hdr = { VHOST_USER_BACKEND_SHMEM_MAP, VHOST_USER_VERSION, 40 };
	struct backend *b = *state;

	assert_int_equal(send(b->requests, &hdr, sizeof(hdr), 0), sizeof(hdr));
	assert_int_equal(shutdown(b->requests, SHUT_WR), 0);
	pump_all(b);
	assert_int_equal(b->fe->state, FRONTEND_DEAD);
}

static unsigned int worked;

static void work(void *arg)
{
	(void)arg;
	worked++;
}

/* However much a back-end sends, the loop does its other work between two messages. */
static void test_flood(void **state)
{
	struct backend *b = *state;
	unsigned int i, n;

	worked = 0;
	capture_begin();
	for (i = 0; i < 20; i++) {
		for (n = 0; n < 20; n++)
			request_send(b, unmap_request(0, BUFFER));
		for (n = 0; n < 20; n++) {
			assert_int_equal(loop__post(b->fake.loop, work, NULL), 0);
			pump(b);
			assert_int_equal(worked, 20 * i + n + 1);
		}
		pump_all(b);
		for (n = 0; n < 20; n++)
			assert_int_equal(read_answer(b, VHOST_USER_BACKEND_SHMEM_UNMAP), ENOENT);
	}
	capture_end();
	assert_int_equal(b->fe->state, FRONTEND_READY);
}

/* Nobody reads the answers: that back-end is dropped, the VMM goes on. */
static void test_answers_not_read(void **state)
{
	struct backend *b = *state;
	unsigned int i;
	int size = 1;

	assert_int_equal(setsockopt(b->fe->backend.fd, SOL_SOCKET, SO_SNDBUF, &size,
				    sizeof(size)), 0);
	capture_begin();
	for (i = 0; i < 2000 && b->fe->state == FRONTEND_READY; i++) {
		request_send(b, unmap_request(0, BUFFER));
		pump(b);
	}
	capture_end();
	assert_int_equal(b->fe->state, FRONTEND_DEAD);
}

/* Maps and unmaps for as long as the other side takes it; reads no answer. */
static void *flood(void *arg)
{
	struct backend *b = arg;
	struct vhost_user_msg msg = {
		.hdr = { .flags = VHOST_USER_VERSION, .size = sizeof(struct vhost_user_mmap) },
		.payload.mmap = { .shmid = FRONTEND_SHMID_HOST_VISIBLE, .len = 4096,
				  .flags = VHOST_USER_MMAP_RW },
		.fds = { memfd_create("dmabuf", MFD_CLOEXEC) },
	};
	uintptr_t sent = 0;

	if (ftruncate(msg.fds[0], 4096) == 0) {
		do {
			msg.nfds = !(sent & 1);
			msg.hdr.request = msg.nfds ? VHOST_USER_BACKEND_SHMEM_MAP :
						     VHOST_USER_BACKEND_SHMEM_UNMAP;
		} while (fdmsg_send(b->requests, &msg, WAIT_MS) == FDMSG_OK && ++sent);
	}
	close(msg.fds[0]);
	return (void *)sent;
}

/* A back-end that never stops asking does not keep the guest from starting for ever. */
static void test_flood_at_start(void **state)
{
	struct backend *b = *state;
	pthread_t thread;
	void *sent;

	handshake(b, HANDSHAKE_BUFFERS);
	capture_begin();
	assert_int_equal(pthread_create(&thread, NULL, flood, b), 0);
	while (!started_calls)
		assert_int_equal(loop__run_once(b->fake.loop, WAIT_MS), 0);
	capture_end();
	assert_int_equal(pthread_join(thread, &sent), 0);
	assert_true((uintptr_t)sent > FRONTEND_START_REQUESTS);
	assert_failed(EPROTO, "requests at start");
	assert_int_equal(b->fe->state, FRONTEND_DEAD);
}

#define START(f) cmocka_unit_test_setup_teardown(f, backend_setup, backend_teardown)
#define READY(f) cmocka_unit_test_setup_teardown(f, ready_setup, backend_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		START(test_buffers_at_start),
		START(test_mapping_is_shared),
		READY(test_names),
		READY(test_unmap),
		READY(test_without_reply),
		READY(test_bad_map),
		READY(test_overlap),
		READY(test_bad_unmap),
		READY(test_types_disagree),
		START(test_types_disagree_at_start),
		READY(test_frozen),
		READY(test_dead_after_start),
		READY(test_reply_on_request_channel),
		READY(test_cut_message),
		READY(test_flood),
		READY(test_answers_not_read),
		START(test_flood_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
