// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * userspace/gpu-proc/sandbox.c and sandbox_filter.c: what is left of a process
 * that has entered the sandbox. Each test enters it in a child.
 *
 * What can be isolated depends on where the tests run: as root, as a user, in a
 * container. So a child first tries whether namespaces can be had at all; then
 * the strict sandbox must work, or else fail and say why.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include <pthread.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dmabuf_memtype.h>
#include <linux/udmabuf.h>

#include "capture.h"
#include "fdmsg.h"
#include "gpu-proc/gpu.h"
#include "gpu-proc/sandbox.h"

#define PASS		0
#define NOT_ENTERED	42

static const struct sandbox_options strict = { .mode = SANDBOX_STRICT };
static const struct sandbox_options best_effort = { .mode = SANDBOX_BEST_EFFORT };

/* Run in a child; returns its wait status. */
static int in_child(int (*work)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(work());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void assert_exit(int status, int code)
{
	if (!WIFEXITED(status))
		fail_msg("the child was killed by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static int can_unshare(void)
{
	int flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

	return unshare(flags) == 0 || unshare(CLONE_NEWUSER | flags) == 0 ? PASS : 1;
}

static bool namespaces_work(void)
{
	int status = in_child(can_unshare);

	return WIFEXITED(status) && WEXITSTATUS(status) == PASS;
}

/* 0, or the number of the first thing that is not as it should be. */
static int isolated(void)
{
	bool root = geteuid() == 0;
	struct rlimit limit;
	struct stat st;

	if (sandbox_isolate(&strict) < 0)
		return NOT_ENTERED;
	/* no file system: an empty, read-only directory */
	if (open("/etc/passwd", O_RDONLY) >= 0 || errno != ENOENT)
		return 1;
	if (open("/proc/self/status", O_RDONLY) >= 0 || errno != ENOENT)
		return 2;
	if (open("/file", O_CREAT | O_RDWR, 0600) >= 0)
		return 3;
	if (chdir("..") < 0 || stat(".", &st) < 0 || stat("etc", &st) == 0)
		return 4;
	/* no identity, no capabilities, no way to get any */
	if (!getuid() || !geteuid() || !getgid() || !getegid())
		return 5;
	if (root && getgroups(0, NULL))
		return 6;
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() < 0 ||
	    capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return 7;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 8;
	if (setuid(0) == 0 || chroot("/") == 0 || unshare(CLONE_NEWNS) == 0)
		return 9;
	/* nobody looks in */
	if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
		return 10;
	/* limits */
	if (getrlimit(RLIMIT_NPROC, &limit) < 0 || limit.rlim_max)
		return 11;
	if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_max)
		return 12;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max > 1024)
		return 13;
	return PASS;
}

static void test_isolated(void **state)
{
	const char *log;
	int status;

	(void)state;
	capture_begin();
	status = in_child(isolated);
	log = capture_end();
	if (namespaces_work()) {
		assert_exit(status, PASS);
		assert_string_equal(log, "");
	} else {
		assert_exit(status, NOT_ENTERED);
		assert_logged(log, "sandbox: cannot make namespaces");
		assert_logged(log, "--sandbox=best-effort goes on without");
	}
}

/* Under RLIMIT_NPROC 0 and no user namespaces left, as a user: namespaces cannot be had. */
static int without_namespaces(const struct sandbox_options *opts)
{
	if (geteuid() == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			return 1;
	}
	/* A process in a foreign root directory may not make user namespaces. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && chroot("/proc/self/fdinfo") < 0)
		return 2;
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return 3;
	return sandbox_isolate(opts) < 0 ? NOT_ENTERED : PASS;
}

static int strict_without_namespaces(void)
{
	return without_namespaces(&strict);
}

static int best_effort_without_namespaces(void)
{
	return without_namespaces(&best_effort);
}

static void test_no_namespaces(void **state)
{
	const char *log;
	int status;

	(void)state;
	capture_begin();
	status = in_child(strict_without_namespaces);
	log = capture_end();
	assert_exit(status, NOT_ENTERED);
	assert_logged(log, "error: sandbox: cannot make namespaces");

	capture_begin();
	status = in_child(best_effort_without_namespaces);
	log = capture_end();
	assert_exit(status, PASS);
	assert_logged(log, "warning: sandbox: cannot make namespaces");
	assert_logged(log, "going on without");
}

static int unknown_user(void)
{
	struct sandbox_options opts = { .mode = SANDBOX_BEST_EFFORT, .user = "no such user" };

	return sandbox_isolate(&opts) < 0 ? NOT_ENTERED : PASS;
}

static int root_as_user(void)
{
	struct sandbox_options opts = { .mode = SANDBOX_BEST_EFFORT, .user = "0" };

	return sandbox_isolate(&opts) < 0 ? NOT_ENTERED : PASS;
}

/* --user matters to root alone; then it must be one, and not root. */
static void test_user(void **state)
{
	const char *log;
	int status;

	(void)state;
	capture_begin();
	status = in_child(unknown_user);
	log = capture_end();
	if (geteuid()) {
		assert_exit(status, PASS);
		return;
	}
	assert_exit(status, NOT_ENTERED);
	assert_logged(log, "--user=no such user: neither a user's name nor a number");
	capture_begin();
	status = in_child(root_as_user);
	log = capture_end();
	assert_exit(status, NOT_ENTERED);
	assert_logged(log, "--user=0: has uid 0, gid 0: root's rights cannot be given up so");
}

/* ---- the filter alone: it works everywhere ---- */

static int filtered(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_filter(&strict) < 0 ?
	       NOT_ENTERED : PASS;
}

/* What the filter must kill. */
#define FORBIDDEN(name, call) static void name(void) { (void)(call); }

FORBIDDEN(do_open, open("/dev/null", O_RDONLY))
FORBIDDEN(do_socket, socket(AF_INET, SOCK_STREAM, 0))
FORBIDDEN(do_ptrace, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
FORBIDDEN(do_execve, execl("/bin/true", "true", NULL))
FORBIDDEN(do_fork, syscall(SYS_fork))
FORBIDDEN(do_clone, fork())
FORBIDDEN(do_kill, kill(getppid(), 0))
FORBIDDEN(do_connect, syscall(SYS_connect, 0, NULL, 0))
FORBIDDEN(do_unshare, unshare(CLONE_NEWUSER))
FORBIDDEN(do_prctl, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
FORBIDDEN(do_mprotect, syscall(SYS_mprotect, 0, 0, PROT_READ | PROT_EXEC))
FORBIDDEN(do_mmap_exec, mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0))
FORBIDDEN(do_mmap_wx, mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
FORBIDDEN(do_ioctl, ioctl(0, FIONREAD, &(int){ 0 }))
FORBIDDEN(do_ioctl_kvm, ioctl(0, 0xae01, 0))
FORBIDDEN(do_ioctl_heap, ioctl(0, DMA_HEAP_IOCTL_ALLOC, 0))
FORBIDDEN(do_ioctl_memtype, ioctl(0, DMABUF_MEMTYPE_QUERY, 0))
FORBIDDEN(do_memfd, memfd_create("test", 0))
FORBIDDEN(do_dup, fcntl(0, F_DUPFD, 10))
FORBIDDEN(do_setown, fcntl(0, F_SETOWN, 1))
FORBIDDEN(do_userfaultfd, syscall(SYS_userfaultfd, 0))
FORBIDDEN(do_process_vm, syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0))
FORBIDDEN(do_io_uring, syscall(SYS_io_uring_setup, 1, NULL))
FORBIDDEN(do_bpf, syscall(SYS_bpf, 0, NULL, 0))
FORBIDDEN(do_x32, syscall(0x40000000 | SYS_getpid))

static void (*forbidden)(void);

/* A child that goes on after the call ends with PASS, which no test wants to see. */
static int try_forbidden(void)
{
	int ret = filtered();

	if (ret == PASS)
		forbidden();
	return ret;
}

static void test_forbidden(void **state)
{
	static const struct {
		void (*call)(void);
		const char *name;
	} calls[] = {
		{ do_open, "open" }, { do_socket, "socket" }, { do_ptrace, "ptrace" },
		{ do_execve, "execve" }, { do_fork, "fork" }, { do_clone, "clone" },
		{ do_kill, "kill" }, { do_connect, "connect" }, { do_unshare, "unshare" },
		{ do_prctl, "prctl" }, { do_mprotect, "mprotect" },
		{ do_mmap_exec, "mmap PROT_EXEC" }, { do_mmap_wx, "mmap PROT_WRITE|PROT_EXEC" },
		{ do_ioctl, "ioctl FIONREAD" }, { do_ioctl_kvm, "ioctl KVM_CREATE_VM" },
		{ do_ioctl_heap, "ioctl DMA_HEAP_IOCTL_ALLOC" },
		{ do_ioctl_memtype, "ioctl DMABUF_MEMTYPE_QUERY" },
		{ do_memfd, "memfd_create" }, { do_dup, "fcntl F_DUPFD" }, { do_setown, "fcntl F_SETOWN" },
		{ do_userfaultfd, "userfaultfd" },
		{ do_process_vm, "process_vm_readv" }, { do_io_uring, "io_uring_setup" },
		{ do_bpf, "bpf" }, { do_x32, "x32 getpid" },
	};
	size_t i;
	int status;

	(void)state;
	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		forbidden = calls[i].call;
		status = in_child(try_forbidden);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: wait status 0x%x, must be killed by SIGSYS", calls[i].name,
				 status);
	}
}

/* All that the main loop does, inside the filter. */
static int main_loop(void)
{
	struct vhost_user_msg msg = { .hdr = { .flags = VHOST_USER_VERSION, .size = 8 } };
	int memfd = memfd_create("test", 0), event = eventfd(0, EFD_NONBLOCK), sv[2];
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START };
	struct timespec ts;
	struct stat st;
	void *big[64], *map;
	size_t i;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0 || ftruncate(memfd, 4096) < 0)
		return 1;
	if (filtered() != PASS)
		return NOT_ENTERED;
	msg.fds[0] = memfd;
	msg.nfds = 1;
	if (fdmsg_send(sv[0], &msg, 1000) != FDMSG_OK || fdmsg_recv(sv[1], &msg, 1000) != FDMSG_OK)
		return 2;
	if (fstat(msg.fds[0], &st) < 0 || st.st_size != 4096)
		return 3;
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, msg.fds[0], 0);
	if (map == MAP_FAILED || munmap(map, 4096) < 0)
		return 4;
	if (fcntl(event, F_SETFL, fcntl(event, F_GETFL) | O_NONBLOCK) < 0 ||
	    eventfd_write(event, 1) < 0 || eventfd_read(event, &(eventfd_t){ 0 }) < 0)
		return 5;
	/* not a DMA-buf, but the kernel is asked */
	if (ioctl(memfd, DMA_BUF_IOCTL_SYNC, &sync) == 0 || errno != ENOTTY)
		return 6;
	if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts) < 0)
		return 7;
	for (i = 0; i < 64; i++) {
		big[i] = malloc(5000 << (i % 8));
		if (!big[i])
			return 8;
	}
	for (i = 0; i < 64; i++)
		free(big[i]);
	if (accept4(sv[0], NULL, NULL, 0) >= 0)
		return 9;
	close(event);
	fdmsg_close_fds(&msg);
	return PASS;
}

/* With contexts also what makes blobs. */
static int make_blobs(void)
{
	const struct sandbox_options options = { .mode = SANDBOX_STRICT, .blobs = true };
	int memfd;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_filter(&options) < 0)
		return NOT_ENTERED;
	memfd = memfd_create("test", MFD_ALLOW_SEALING);
	if (memfd < 0 || ftruncate(memfd, 4096) < 0 || fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		return 1;
	/* no such nodes, but the kernel is asked */
	if (ioctl(memfd, DMA_HEAP_IOCTL_ALLOC, 0) == 0 || errno != ENOTTY ||
	    ioctl(memfd, UDMABUF_CREATE, 0) == 0 || errno != ENOTTY ||
	    ioctl(memfd, DMABUF_MEMTYPE_QUERY, 0) == 0 || errno != ENOTTY)
		return 2;
	return PASS;
}

static void test_blobs(void **state)
{
	(void)state;
	assert_exit(in_child(make_blobs), PASS);
}

static void *run_thread(void *arg)
{
	return arg;
}

/* With virglrenderer threads, but no processes. */
static int make_threads(void)
{
	const struct sandbox_options options = { .mode = SANDBOX_STRICT, .threads = true };
	static int token;
	pthread_t thread;
	void *result;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_filter(&options) < 0)
		return NOT_ENTERED;
	if (pthread_create(&thread, NULL, run_thread, &token) ||
	    pthread_join(thread, &result) || result != &token)
		return 1;
	fork();
	return PASS;
}

static void test_threads(void **state)
{
	int status;

	(void)state;
	status = in_child(make_threads);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		fail_msg("wait status 0x%x, fork() must be killed by SIGSYS", status);
}

static void test_main_loop(void **state)
{
	(void)state;
	assert_exit(in_child(main_loop), PASS);
}

static char png_path[64];

/* A screenshot of a large display, into a file that was opened before. */
static int take_screenshot(void)
{
	struct gpu_options options = { .width = 4095, .height = 4095, .screenshot = png_path };
	struct gpu gpu;

	if (gpu_init(&gpu, &options) < 0)
		return 1;
	if (filtered() != PASS)
		return NOT_ENTERED;
	gpu_screenshot(&gpu);
	gpu_screenshot(&gpu);
	gpu_fini(&gpu);
	return PASS;
}

static void test_screenshot(void **state)
{
	uint8_t start[8];
	int fd;

	(void)state;
	snprintf(png_path, sizeof(png_path), "/tmp/dmapat-test-%d.png", getpid());
	capture_begin();
	assert_exit(in_child(take_screenshot), PASS);
	assert_logged(capture_end(), "screenshot: 4095 x 4095 pixels, nothing was shown yet");
	fd = open(png_path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, start, sizeof(start)), sizeof(start));
	assert_memory_equal(start, "\x89PNG\r\n\x1a\n", sizeof(start));
	close(fd);
	unlink(png_path);
}

/* ---- inherited descriptors ---- */

static int close_inherited(void)
{
	int keep, i;

	for (i = 0; i < 20; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			return 1;
	keep = open("/dev/zero", O_RDONLY);
	if (fcntl(keep, F_DUPFD, 500) < 0)
		return 2;
	close(STDIN_FILENO);
	if (sandbox_close_inherited(keep) < 0)
		return 3;
	for (i = 0; i < 1000; i++)
		if ((fcntl(i, F_GETFD) >= 0) != (i <= STDERR_FILENO || i == keep))
			return 4;
	if (sandbox_close_inherited(-1) < 0 || fcntl(keep, F_GETFD) >= 0)
		return 5;
	/* next to the standard ones, and one of them */
	if (dup2(0, 3) < 0 || dup2(0, 4) < 0 || sandbox_close_inherited(3) < 0 ||
	    fcntl(3, F_GETFD) < 0 || fcntl(4, F_GETFD) >= 0)
		return 6;
	if (sandbox_close_inherited(1) < 0 || fcntl(1, F_GETFD) < 0 || fcntl(3, F_GETFD) >= 0)
		return 7;
	return PASS;
}

static void test_close_inherited(void **state)
{
	(void)state;
	assert_exit(in_child(close_inherited), PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_isolated),
		cmocka_unit_test(test_no_namespaces),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_main_loop),
		cmocka_unit_test(test_blobs),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_screenshot),
		cmocka_unit_test(test_close_inherited),
	};

	return cmocka_run_group_tests_name("gpu-proc sandbox", tests, NULL, NULL);
}
