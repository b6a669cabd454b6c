// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * 10,000 blobs of a Linux guest come, are mapped, used, and go: nothing grows in VMM,
 * gpu-proc and kernel after the first 1,000, and no memslot changes. Then some hundreds
 * at once in one window, of all types, which a process leaves behind when it ends. And
 * a gpu-proc that is killed under them.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <linux/kvm.h>
#include <linux/kvm_dmabuf.h>
#include <time.h>

#include "linux_gpu.h"
#include "usage.h"

#define TRACING		"/sys/kernel/tracing/instances/storm"
#define IOCTLS		TRACING "/events/syscalls/sys_enter_ioctl"
#define BUFFERS		"/sys/kernel/debug/dma_buf/bufinfo"

/* What a kernel keeps for later, and counters by which it keeps it, are not a leak. */
#define SLAB_NOISE_KIB	384		/* 9,000 objects of 44 bytes */
#define RSS_NOISE_KIB	256

struct usage {
	unsigned long long vmm_rss, proc_rss, slab;
	unsigned int vmm_fds, proc_fds, vmm_mappings, proc_mappings;
};

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_TRUNC);

	test_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

/* DMA-bufs in the whole machine. */
static unsigned int count_buffers(void)
{
	unsigned int n = 0;
	char line[512];
	FILE *f;

	f = fopen(BUFFERS, "r");
	test_assert(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "Total %u objects", &n);
	fclose(f);
	return n;
}

/* ---- calls that change memslots ---- */

static void watch_memslots(void)
{
	char filter[256];

	test_assert(mkdir(TRACING, 0700) == 0);
	snprintf(filter, sizeof(filter), "cmd == 0x%lx || cmd == 0x%lx",
		 (unsigned long)KVM_SET_USER_MEMORY_REGION,
		 (unsigned long)KVM_SET_USER_MEMORY_REGION_LIST);
	write_file(IOCTLS "/filter", filter);
	write_file(IOCTLS "/enable", "1");
}

static unsigned int memslot_calls(void)
{
	unsigned int n = 0;
	char line[512];
	FILE *f;

	f = fopen(TRACING "/trace", "r");
	test_assert(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, "sys_ioctl(") ? 1 : 0;
	fclose(f);
	return n;
}

/* ---- what is used ---- */

/* RCU frees some of it after a while: the lowest of a few. */
static unsigned long long slab_kib(void)
{
	const struct timespec pause = { .tv_nsec = 200000000 };
	unsigned long long lowest = ~0ull, now;
	int i;

	for (i = 0; i < 10; i++) {
		write_file("/proc/sys/vm/drop_caches", "3");
		nanosleep(&pause, NULL);
		now = usage_number("/proc/meminfo", "SUnreclaim:");
		if (now < lowest)
			lowest = now;
	}
	return lowest;
}

static struct usage take(const struct linux_gpu *g, const char *when)
{
	struct usage u = {
		.vmm_rss = usage_rss(g->vmm.pid), .proc_rss = usage_rss(g->proc.pid),
		.vmm_fds = usage_fds(g->vmm.pid), .proc_fds = usage_fds(g->proc.pid),
		.vmm_mappings = usage_mappings(g->vmm.pid),
		.proc_mappings = usage_mappings(g->proc.pid),
		.slab = slab_kib(),
	};

	test_note("%s: VMM %llu KiB, %u fds, %u mappings; gpu-proc %llu KiB, %u fds, %u mappings; slab %llu KiB",
		  when, u.vmm_rss, u.vmm_fds, u.vmm_mappings, u.proc_rss, u.proc_fds,
		  u.proc_mappings, u.slab);
	return u;
}

static void compare(const struct usage *before, const struct usage *after)
{
	test_eq(after->vmm_fds, before->vmm_fds, "the VMM's fds");
	test_eq(after->proc_fds, before->proc_fds, "gpu-proc's fds");
	test_eq(after->vmm_mappings, before->vmm_mappings, "the VMM's mappings");
	test_eq(after->proc_mappings, before->proc_mappings, "gpu-proc's mappings");
	test_ok(after->vmm_rss <= before->vmm_rss + RSS_NOISE_KIB, "the VMM's memory");
	test_ok(after->proc_rss <= before->proc_rss + RSS_NOISE_KIB, "gpu-proc's memory");
	test_ok(after->slab <= before->slab + SLAB_NOISE_KIB, "the kernel's slab");
}

/* Linux gives a blob back some time after its program closed it. */
static void no_buffers(struct linux_gpu *g, const char *when)
{
	const int64_t deadline = process_now_ms() + process_timeout_ms();
	const struct timespec step = { .tv_nsec = 10000000 };

	while (!strstr(linux_gpu__query_memtype(g), "\"buffers\":[]") &&
	       process_now_ms() < deadline)
		nanosleep(&step, NULL);
	if (!test_ok(strstr(g->control.line, "\"buffers\":[]"), "%s: no buffer is left", when))
		test_note("%s", g->control.line);
}

static void storm(void)
{
	struct usage before, after;
	struct linux_gpu g;

	watch_memslots();
	linux_gpu__start(&g, "storm 1000 10000", "", "require");
	linux_vm__says(&g.vmm, "blob: 1000 came and went", "storm");
	test_ok(memslot_calls() > 0, "memslots were made at the start, and seen");
	write_file(TRACING "/trace", "");
	no_buffers(&g, "after 1,000");
	before = take(&g, "after 1,000");
	linux_gpu__go_on(&g);
	linux_vm__says(&g.vmm, "blob: 10000 came and went", "storm");
	test_eq(memslot_calls(), 0, "calls that change memslots, in 9,000 turns");
	no_buffers(&g, "after 10,000");
	after = take(&g, "after 10,000");
	compare(&before, &after);
	linux_gpu__go_on(&g);
	linux_vm__says(&g.vmm, "guest: blob_test ended with 0", "blob_test");
	linux_gpu__end(&g);
	write_file(IOCTLS "/enable", "0");
	test_assert(rmdir(TRACING) == 0);
}

static void many(void)
{
	struct linux_gpu g;
	const char *at;
	unsigned int n = 0;

	linux_gpu__start(&g, "many 300", "", "require");
	linux_vm__says(&g.vmm, "blob: 300 at once: as written", "many");
	for (at = linux_gpu__query_memtype(&g); (at = strstr(at, "\"sample\"")); at++)
		n++;
	test_eq(n, 300, "buffers in the window");
	linux_gpu__go_on(&g);
	linux_vm__says(&g.vmm, "guest: blob_test ended with 0", "blob_test");
	linux_gpu__end(&g);
}

/* gpu-proc is killed while the guest uses its blobs: they stay, and so does the guest. */
static void killed(void)
{
	struct linux_gpu g;

	linux_gpu__start(&g, "types", "", "require");
	linux_vm__says(&g.vmm, "blob: all are there", "types");
	kill(g.proc.pid, SIGKILL);
	test_eq(process_end(&g.proc), 128 + SIGKILL, "gpu-proc killed");
	test_ok(control_wait(&g.control, "DEVICE_DISCONNECTED"), "event: %s", g.control.line);
	linux_gpu__query_memtype(&g);
	if (!test_ok(strstr(g.control.line, "\"sample\":\"1111111111111111\"") &&
		     strstr(g.control.line, "\"sample\":\"7777777777777777\""),
		     "killed: its buffers stay"))
		test_note("%s", g.control.line);
	linux_gpu__go_on(&g);
	linux_vm__says(&g.vmm, "guest: blob_test ended with 0", "killed: the guest goes on");
	control_command(&g.control, "\"execute\":\"quit\"");
	control_close(&g.control);
	if (!test_eq(process_end(&g.vmm), 0, "killed: exit status after quit"))
		process_show(&g.vmm);
}

int main(void)
{
	unsigned int buffers = count_buffers();

	signal(SIGPIPE, SIG_IGN);
	storm();
	many();
	killed();
	test_eq(count_buffers(), buffers, "DMA-bufs in the machine afterwards");
	return test_end();
}
