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
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <linux/dma-buf.h>

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

static int add_rules(scmp_filter_ctx ctx)
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
	ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			       SCMP_A1_32(SCMP_CMP_EQ, DMA_BUF_IOCTL_SYNC));
	if (ret < 0)
		return ret;
	/* Event fds of the front-end are made non-blocking. */
	ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
			       SCMP_A1_32(SCMP_CMP_EQ, F_GETFL));
	if (ret < 0)
		return ret;
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				SCMP_A1_32(SCMP_CMP_EQ, F_SETFL));
}

int sandbox_filter(const struct sandbox_options *opts)
{
	scmp_filter_ctx ctx;
	int ret = -ENOMEM;

	ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (ctx) {
		ret = add_rules(ctx);
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
