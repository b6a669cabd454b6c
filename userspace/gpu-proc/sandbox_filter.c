// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The filter of system calls: what session.c and its callees need, and what
 * the C library needs for them. Everything else kills the process. Called by
 * main.c when all that needs more is done.
 */
#include "sandbox.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dmabuf_memtype.h>
#include <linux/udmabuf.h>

#define SIGSETXID	33	/* of the C library, below the first that SIGRTMIN counts */

static const int allowed[] = {
	/* sockets: listener_accept(), fdmsg.c */
	SCMP_SYS(accept4),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(poll),
	SCMP_SYS(clock_gettime),	/* where the vDSO has no clock */
	/* event fds, the signal fd, log lines */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(close),
	/* screenshots, into a file that is open */
	SCMP_SYS(ftruncate),
	SCMP_SYS(pwrite64),
	/* guest memory: the size of what a front-end sent */
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(munmap),
	/* free() and malloc() */
	SCMP_SYS(brk),
	/* the end, and signals that stop and continue */
	SCMP_SYS(exit_group),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigreturn),
};

/* Allow a call whose second argument is this. */
static int allow_second(scmp_filter_ctx ctx, int call, unsigned int value)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, SCMP_A1_32(SCMP_CMP_EQ, value));
}

/* Blobs are made while the guest runs: by blob_memory.c, and memtype.c says of which type. */
static int add_blob_rules(scmp_filter_ctx ctx)
{
	static const unsigned int ioctls[] = {
		DMA_HEAP_IOCTL_ALLOC, UDMABUF_CREATE, DMABUF_MEMTYPE_QUERY,
	};
	size_t i;
	int ret;

	for (i = 0; i < sizeof(ioctls) / sizeof(*ioctls); i++) {
		ret = allow_second(ctx, SCMP_SYS(ioctl), ioctls[i]);
		if (ret < 0)
			return ret;
	}
	ret = allow_second(ctx, SCMP_SYS(fcntl), F_ADD_SEALS);
	if (ret < 0)
		return ret;
	ret = allow_second(ctx, SCMP_SYS(fcntl), F_GET_SEALS);
	if (ret < 0)
		return ret;
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(memfd_create), 0);
}

/*
 * virglrenderer: a thread for each context, and messages to the render server's
 * processes. No new process: of clone() only what makes a thread.
 */
static int add_thread_rules(scmp_filter_ctx ctx)
{
	static const int calls[] = {
		SCMP_SYS(futex), SCMP_SYS(madvise), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
		SCMP_SYS(rt_sigprocmask), SCMP_SYS(exit), SCMP_SYS(eventfd2), SCMP_SYS(lseek),
		SCMP_SYS(getsockopt),
	};
	size_t i;
	int ret;

	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
		if (ret < 0)
			return ret;
	}
	ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			       SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	if (ret < 0)
		return ret;
	ret = allow_second(ctx, SCMP_SYS(fcntl), F_DUPFD_CLOEXEC);
	if (ret < 0)
		return ret;
	/* The C library's own, with its first thread. */
	ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(rt_sigaction), 1,
			       SCMP_A0(SCMP_CMP_EQ, SIGSETXID));
	if (ret < 0)
		return ret;
	/* Its flags are in memory, where a filter cannot look: the C library then uses clone(). */
	ret = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (ret < 0)
		return ret;
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int add_rules(scmp_filter_ctx ctx, const struct sandbox_options *opts)
{
	size_t i;
	int ret;

	for (i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
		if (ret < 0)
			return ret;
	}
	/* No new code. */
	ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			       SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (ret < 0)
		return ret;
	ret = allow_second(ctx, SCMP_SYS(ioctl), DMA_BUF_IOCTL_SYNC);
	if (ret < 0)
		return ret;
	/* Event fds of the front-end are made non-blocking. */
	ret = allow_second(ctx, SCMP_SYS(fcntl), F_GETFL);
	if (ret < 0)
		return ret;
	ret = allow_second(ctx, SCMP_SYS(fcntl), F_SETFL);
	if (ret < 0)
		return ret;
	ret = opts->blobs ? add_blob_rules(ctx) : 0;
	if (ret < 0)
		return ret;
	return opts->threads ? add_thread_rules(ctx) : 0;
}

int sandbox_filter(const struct sandbox_options *opts)
{
	scmp_filter_ctx ctx;
	int ret = -ENOMEM;

	ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (ctx) {
		ret = add_rules(ctx, opts);
		if (!ret)
			ret = seccomp_load(ctx);
		seccomp_release(ctx);
	}
	if (!ret)
		return 0;
	if (opts->mode == SANDBOX_STRICT) {
		log_error("sandbox: cannot load the system call filter: %s (--sandbox=best-effort goes on without)",
			  strerror(-ret));
		return -1;
	}
	log_warn("sandbox: cannot load the system call filter: %s; going on without",
		 strerror(-ret));
	return 0;
}
