// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * In each ioctl of ours, make the first thing fail that can (an allocation, a copy from or to
 * user space), then the second, and so on until nothing is left that can. Each time: an errno
 * that docs/uapi.md has for it, or success; all as before, or all done; the guest goes on with
 * the right memory types; and the same call then succeeds.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bind.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/vm.h"

#define WINDOW_GPA	0x10000000UL
#define WINDOW_GVA	TEST_WINDOW_GVA
#define WINDOW_SIZE	0x400000UL
#define MEMORY_GPA	0x20000000UL
#define MEMORY_GVA	(TEST_WINDOW_GVA + 0x800000UL)
#define MEMORY_PAGES	256UL
#define MEMORY_SIZE	(MEMORY_PAGES * 4096)
#define MOVED_GPA	0x30000000UL
#define BUF_SIZE	0x8000UL
#define HEAP_SIZE	0x400000UL
#define WRITTEN		3UL			/* the page of the memory that is dirty */
#define LOG		KVM_MEM_LOG_DIRTY_PAGES
#define MAX_N		2000U

static struct test_vm vm;
static uint8_t *window, *memory;
static int wc, dynamic, node, vgem;
static int result_fd;
static uint64_t dirty[MEMORY_PAGES / 64], rest[MEMORY_PAGES / 64];

/* ---- making things fail ---- */

static int fail_fd;

static void set(const char *attr, const char *name, const char *value)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", attr, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		test_note("%s: %s", path, strerror(errno));
	test_assert(fd >= 0 && write(fd, value, strlen(value)) > 0);
	close(fd);
}

/* Every allocation may fail, and what fails so says nothing in the kernel's log. */
static void fail_init(void)
{
	static const char *const attrs[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

	for (unsigned int i = 0; i < 3; i++)
		set(attrs[i], "verbose", "0");
	set("failslab", "ignore-gfp-wait", "N");
	set("fail_page_alloc", "ignore-gfp-wait", "N");
	set("fail_page_alloc", "ignore-gfp-highmem", "N");
	set("fail_page_alloc", "min-order", "0");
	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	test_assert(fail_fd >= 0);
}

static void fail_arm(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	test_assert(pwrite(fail_fd, text, (size_t)len, 0) == len);
}

/* Did it? These calls can be made to fail, too: then it had not. */
static bool fail_disarm(void)
{
	char text[16] = "";
	bool failed;
	int tries;

	failed = pread(fail_fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) == 0;
	for (tries = 0; tries < 3 && pwrite(fail_fd, "0", 1, 0) != 1; tries++)
		;
	test_assert(tries < 3);
	return failed;
}

/* ---- what a call must leave as it was ---- */

/* Without padding: it is compared as a whole. */
struct state {
	struct kvm_memtype type[3];		/* window, memory, where it moves to */
	int64_t type_error[3];
	int logged[8];				/* errno of KVM_GET_DIRTY_LOG by slot */
	int mapped[8];				/* errno of KVM_GET_MAPPED_LOG by slot */
	struct dmapat_mock_stats mock;
	int64_t fds;
};

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	test_assert(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int slot_ioctl(unsigned long request, uint32_t slot, uint64_t *bits)
{
	struct kvm_dirty_log log = { .slot = slot, .dirty_bitmap = bits };

	return ioctl(vm.fd, request, &log) ? errno : 0;
}

static void state_get(struct state *s)
{
	static const uint64_t gpa[3] = { WINDOW_GPA, MEMORY_GPA, MOVED_GPA };
	static uint64_t bits[WINDOW_SIZE / 4096 / 64];

	memset(s, 0, sizeof(*s));
	for (unsigned int i = 0; i < 3; i++) {
		s->type_error[i] = vm_get_memtype(&vm, gpa[i], &s->type[i]);
		/* That a leaf went is no change. */
		s->type[i].flags &= ~(uint32_t)KVM_MEMTYPE_MAPPED;
	}
	for (uint32_t slot = 0; slot < 8; slot++) {
		/* Slot 4's log is looked at by itself: reading it takes its bits. */
		if (slot != 4)
			s->logged[slot] = slot_ioctl(KVM_GET_DIRTY_LOG, slot, bits);
		s->mapped[slot] = slot_ioctl(KVM_GET_MAPPED_LOG, slot, bits);
	}
	mock_stats(&s->mock);
	/* Pages are the calls' own; how often the mock was told of a move is not looked at. */
	s->mock.move_notifies = 0;
	s->fds = count_fds();
}

/* ---- the calls ---- */

struct call {
	const char *name;
	void (*prepare)(void);
	int (*call)(void);			/* 0 or errno */
	void (*back)(bool done);		/* to before prepare() */
	bool (*done)(void);			/* after success: nothing is lost; may be NULL */
	bool late_efault;			/* EFAULT may come with all done */
	bool nothing;				/* there is nothing in it that can fail */
};

static int buffer;

static void map_window(int fd)
{
	buffer = fd;
	buffer_map_at(window, fd, BUF_SIZE, 0);
}

static void clear_window(void)
{
	test_assert(mmap(window, BUF_SIZE, PROT_NONE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_NORESERVE, -1, 0) == window);
}

static int call_bind(void)
{
	return vm_bind(&vm, WINDOW_GPA, BUF_SIZE, buffer, 0, NULL);
}

static int call_unbind(void)
{
	return vm_unbind(&vm, WINDOW_GPA, BUF_SIZE);
}

static void prepare_heap(void)
{
	map_window(wc);
}

static void prepare_dynamic(void)
{
	map_window(dynamic);
}

static void prepare_node(void)
{
	map_window(node);
}

static void prepare_vgem(void)
{
	map_window(vgem);
}

static void prepare_bound(void)
{
	uint64_t value;

	map_window(wc);
	test_assert(!call_bind());
	test_assert(!vm_load(&vm, WINDOW_GVA, &value));
}

static void prepare_bound_dynamic(void)
{
	map_window(dynamic);
	test_assert(!call_bind());
}

static void prepare_stale(void)
{
	prepare_bound();
	clear_window();
	map_window(wc);
}

static void back_bound(bool done)
{
	if (done)
		test_assert(!call_unbind());
	clear_window();
}

static void back_unbound(bool done)
{
	if (!done)
		test_assert(!call_unbind());
	clear_window();
}

static void back_stale(bool done)
{
	(void)done;
	test_assert(!call_unbind());
	clear_window();
}

static int call_get_memtype(void)
{
	struct kvm_memtype memtype;
	int r = vm_get_memtype(&vm, WINDOW_GPA, &memtype);

	return r ? r : memtype.leaf_memtype == DMABUF_MEMTYPE_WC ? 0 : EBADMSG;
}

static int set_list(const struct kvm_user_memory_region_op *ops, uint32_t n)
{
	struct kvm_user_memory_region_list list = { .nent = n, .entries = (uintptr_t)ops };

	return ioctl(vm.fd, KVM_SET_USER_MEMORY_REGION_LIST, &list) ? errno : 0;
}

static struct kvm_user_memory_region_op entry(uint32_t op, uint32_t slot, uint64_t gpa,
					      unsigned long page, unsigned long pages, uint32_t flags)
{
	return (struct kvm_user_memory_region_op){
		.op = op,
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa + page * 4096,
		.memory_size = pages * 4096,
		.userspace_addr = (uintptr_t)memory + page * 4096,
	};
}

static struct kvm_user_memory_region_op delete(uint32_t slot)
{
	return (struct kvm_user_memory_region_op){
		.op = KVM_REGION_DELETE, .slot = slot,
		.dirty_bitmap = slot == 4 ? (uintptr_t)rest : 0,
	};
}

static bool is_dirty(const uint64_t *bits)
{
	return bits[WRITTEN / 64] >> WRITTEN % 64 & 1;
}

static void prepare_memory(uint32_t flags)
{
	memset(rest, 0, sizeof(rest));
	test_assert(!vm_set_slot(&vm, 4, MEMORY_GPA, MEMORY_SIZE, memory, flags));
	test_assert(!vm_store(&vm, MEMORY_GVA + WRITTEN * 4096, 0x5678));
}

static void prepare_none(void)
{
}

static void prepare_plain(void)
{
	prepare_memory(0);
}

static void prepare_logged(void)
{
	prepare_memory(LOG);
}

/* What was written before a list that failed is still in the log. */
static void back_memory(bool done)
{
	if (!done && !slot_ioctl(KVM_GET_DIRTY_LOG, 4, dirty) && !is_dirty(dirty))
		test_ok(false, "a list that failed has lost a dirty bit");
	for (uint32_t slot = 4; slot < 8; slot++)
		vm_set_slot(&vm, slot, 0, 0, NULL, 0);
}

static int call_create(void)
{
	const struct kvm_user_memory_region_op ops[] = {
		entry(KVM_REGION_CREATE, 4, MEMORY_GPA, 0, MEMORY_PAGES / 2, LOG),
		entry(KVM_REGION_CREATE, 5, MEMORY_GPA, MEMORY_PAGES / 2, MEMORY_PAGES / 2, 0),
	};

	return set_list(ops, 2);
}

static int call_delete(void)
{
	const struct kvm_user_memory_region_op op = delete(4);

	return set_list(&op, 1);
}

static bool delete_done(void)
{
	return is_dirty(rest);
}

static int call_move(void)
{
	const struct kvm_user_memory_region_op op =
		entry(KVM_REGION_MOVE, 4, MOVED_GPA, 0, MEMORY_PAGES, LOG);

	return set_list(&op, 1);
}

static int call_flags(void)
{
	const struct kvm_user_memory_region_op op =
		entry(KVM_REGION_FLAGS, 4, MEMORY_GPA, 0, MEMORY_PAGES, LOG);

	return set_list(&op, 1);
}

static int call_cut(void)
{
	const struct kvm_user_memory_region_op ops[] = {
		delete(4),
		entry(KVM_REGION_CREATE, 5, MEMORY_GPA, 0, 64, LOG),
		entry(KVM_REGION_CREATE, 6, MEMORY_GPA, 64, 64, 0),
		entry(KVM_REGION_CREATE, 7, MEMORY_GPA, 128, MEMORY_PAGES - 128, LOG),
	};

	return set_list(ops, 4);
}

/* The bit is in the slot that has the page now. */
static bool cut_done(void)
{
	return !slot_ioctl(KVM_GET_DIRTY_LOG, 5, dirty) && is_dirty(dirty) && !is_dirty(rest);
}

static int call_protect_all(void)
{
	return ioctl(vm.fd, KVM_WRITE_PROTECT_ALL_MEM, 0) ? errno : 0;
}

static int call_mapped_log(void)
{
	return slot_ioctl(KVM_GET_MAPPED_LOG, 4, dirty);
}

static int call_query(void)
{
	struct dmabuf_memtype_query query = { .fd = buffer };
	int node_fd = open("/dev/dmabuf-memtype", O_RDWR | O_CLOEXEC);
	int r;

	if (node_fd < 0)
		return errno;
	r = ioctl(node_fd, DMABUF_MEMTYPE_QUERY, &query) ? errno : 0;
	close(node_fd);
	return r ? r : query.memtype == DMABUF_MEMTYPE_WC ? 0 : EBADMSG;
}

static void back_query(bool done)
{
	(void)done;
	clear_window();
}

static int call_track(void)
{
	struct dmabuf_memtype_track track = { .fd = buffer };
	int node_fd = open("/dev/dmabuf-memtype", O_RDWR | O_CLOEXEC);
	int r;

	if (node_fd < 0)
		return errno;
	r = ioctl(node_fd, DMABUF_MEMTYPE_TRACK, &track) ? errno : 0;
	close(node_fd);
	result_fd = r ? -1 : track.tracker;
	return r;
}

static void back_track(bool done)
{
	if (done)
		close(result_fd);
	clear_window();
}

/* Tracked, and one page of it written. */
static void prepare_written(void)
{
	map_window(wc);
	test_assert(!call_track());
	memset(rest, 0, sizeof(rest));
	*(volatile uint8_t *)(window + WRITTEN * 4096) = 1;
}

static int call_written(void)
{
	struct dmabuf_memtype_written get = {
		.nr_pages = BUF_SIZE / 4096, .bitmap = (uintptr_t)rest,
	};

	return ioctl(result_fd, DMABUF_MEMTYPE_GET_WRITTEN, &get) ? errno : 0;
}

static void back_written(bool done)
{
	if (done && !is_dirty(rest))
		test_ok(false, "GET_WRITTEN has forgotten a page");
	close(result_fd);
	clear_window();
}

static int heap_alloc(const char *path)
{
	struct dma_heap_allocation_data data = { .len = HEAP_SIZE, .fd_flags = O_RDWR | O_CLOEXEC };
	int fd = open(path, O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		return errno;
	r = ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &data) ? errno : 0;
	close(fd);
	result_fd = r ? -1 : (int)data.fd;
	return r;
}

static int call_heap_wc(void)
{
	return heap_alloc("/dev/dma_heap/system-wc");
}

static int call_heap_uc(void)
{
	return heap_alloc("/dev/dma_heap/system-uc");
}

static void back_fd(bool done)
{
	if (done)
		close(result_fd);
}

static const struct call calls[] = {
	{ "bind: heap", prepare_heap, call_bind, back_bound, NULL, false, false },
	{ "bind: buffer that moves", prepare_dynamic, call_bind, back_bound, NULL, false, false },
	{ "bind: device offset", prepare_node, call_bind, back_bound, NULL, false, false },
	{ "bind: vgem", prepare_vgem, call_bind, back_bound, NULL, false, false },
	{ "bind: stale binding", prepare_stale, call_bind, back_stale, NULL, false, false },
	{ "unbind", prepare_bound, call_unbind, back_unbound, NULL, false, false },
	{ "unbind: buffer that moves", prepare_bound_dynamic, call_unbind, back_unbound, NULL, false,
	  false },
	{ "memory type", prepare_bound, call_get_memtype, back_stale, NULL, false, false },
	{ "list: create", prepare_none, call_create, back_memory, NULL, false, false },
	{ "list: delete", prepare_logged, call_delete, back_memory, delete_done, true, false },
	{ "list: move", prepare_logged, call_move, back_memory, NULL, false, false },
	{ "list: flags", prepare_plain, call_flags, back_memory, NULL, false, false },
	{ "list: cut", prepare_logged, call_cut, back_memory, cut_done, true, false },
	{ "write-protect all", prepare_logged, call_protect_all, back_memory, NULL, false, true },
	{ "mapped log", prepare_logged, call_mapped_log, back_memory, NULL, false, false },
	{ "query: exporter", prepare_heap, call_query, back_query, NULL, false, false },
	{ "query: mapping", prepare_vgem, call_query, back_query, NULL, false, false },
	{ "track", prepare_heap, call_track, back_track, NULL, false, false },
	{ "what was written", prepare_written, call_written, back_written, NULL, false, false },
	{ "heap: WC", prepare_none, call_heap_wc, back_fd, NULL, false, false },
	{ "heap: UC", prepare_none, call_heap_uc, back_fd, NULL, false, false },
};

/* ---- judging ---- */

/* An allocation failed, or a copy. */
static bool allowed(int r)
{
	return !r || r == ENOMEM || r == EFAULT;
}

/* The guest's operation that did not end goes on; another one works. */
static bool guest_goes_on(void)
{
	static uint64_t value;
	uint64_t seen;

	if (vm.interrupted && vm_resume(&vm))
		return false;
	value++;
	return !vm_store(&vm, WINDOW_GVA + BUF_SIZE * 2, value) &&
	       !vm_load(&vm, WINDOW_GVA + BUF_SIZE * 2, &seen) && seen == value &&
	       *(uint64_t *)(window + BUF_SIZE * 2) == value;
}

/* One time around; returns whether something failed. */
static bool once(const struct call *c, unsigned int n, unsigned int *bad)
{
	struct state before, after;
	bool failed, same;
	int r, again;

	c->prepare();
	state_get(&before);
	fail_arm(n);
	r = c->call();
	failed = fail_disarm();
	if (!r && c->done && !c->done()) {
		(*bad)++;
		test_note("%s: %u: success, but something was lost", c->name, n);
	}
	state_get(&after);
	if (!guest_goes_on()) {
		(*bad)++;
		test_note("%s: %u: the guest does not go on: exit reason %u", c->name, n,
			  vm.run->exit_reason);
	}
	if (!allowed(r) || (!failed && r)) {
		(*bad)++;
		test_note("%s: %u: %s", c->name, n, strerrorname_np(r));
	}
	if (r) {
		same = !memcmp(&before, &after, sizeof(before));
		if (!same && !(r == EFAULT && c->late_efault)) {
			(*bad)++;
			test_note("%s: %u: %s, but something has changed", c->name, n,
				  strerrorname_np(r));
		}
		again = same ? c->call() : 0;
		if (again) {
			(*bad)++;
			test_note("%s: %u: after %s, the same call gives %s", c->name, n,
				  strerrorname_np(r), strerrorname_np(again));
		}
		r = again;
	}
	c->back(!r);
	return failed;
}

static void fail_each(const struct call *c)
{
	unsigned int n = 1, bad = 0;

	/* What is allocated once and kept is not what is tested. */
	c->prepare();
	test_assert(!c->call());
	c->back(true);
	while (n < MAX_N && once(c, n, &bad))
		n++;
	test_ok(!bad && (n == 1) == c->nothing && n < MAX_N, "%s: %u failures", c->name, n - 1);
}

int main(void)
{
	const uint32_t types = DMABUF_MEMTYPE_WC;

	vm_create(&vm, 0);
	window = mmap(NULL, WINDOW_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		      0);
	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	test_assert(window != MAP_FAILED && memory != MAP_FAILED);
	test_assert(mmap(window + BUF_SIZE * 2, 4096, PROT_READ | PROT_WRITE,
			 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	memset(memory, 0, MEMORY_SIZE);
	test_assert(!vm_set_slot(&vm, 1, WINDOW_GPA, WINDOW_SIZE, window, 0));
	vm_map(&vm, WINDOW_GVA, WINDOW_GPA, WINDOW_SIZE, PAT_WB);
	vm_map(&vm, MEMORY_GVA, MEMORY_GPA, MEMORY_SIZE, PAT_WB);

	wc = buffer_heap("system-wc", BUF_SIZE);
	dynamic = buffer_mock(BUF_SIZE, DMAPAT_MOCK_DYNAMIC | DMAPAT_MOCK_REGISTERED, types, types,
			      DMABUF_MEMTYPE_WC);
	node = buffer_mock(BUF_SIZE, DMAPAT_MOCK_NODE, types, types, 0);
	vgem = buffer_vgem(0x100000);

	fail_init();
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		fail_each(&calls[i]);
	vm_destroy(&vm);
	return test_end();
}
