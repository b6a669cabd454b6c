// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A Linux guest with a virtio GPU that has nothing to do: nobody turns in circles. In
 * some seconds, gpu-proc and the VMM use less than a hundredth of a processor each.
 */
#include <time.h>

#include "linux_gpu.h"
#include "usage.h"

#define SECONDS		10

struct work {
	double cpu, vcpu;		/* seconds; of vCPUs */
	unsigned long long switches;	/* how often it waited */
};

/* /proc/PID/task/TID/stat, fields 14 and 15. */
static double cpu_seconds(pid_t pid, int tid)
{
	unsigned long user, kernel;
	char path[64], line[1024], *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	f = fopen(path, "r");
	test_assert(f && fgets(line, sizeof(line), f));
	fclose(f);
	at = strrchr(line, ')');
	test_assert(at && sscanf(at + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
				 &user, &kernel) == 2);
	return (double)(user + kernel) / sysconf(_SC_CLK_TCK);
}

/* What a vCPU does is the guest's doing: its kernel's timers, each of which costs here. */
static bool is_vcpu(pid_t pid, int tid)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", pid, tid);
	f = fopen(path, "r");
	test_assert(f && fgets(name, sizeof(name), f));
	fclose(f);
	return !strncmp(name, "vcpu", 4);
}

/* All of its threads. */
static struct work measure(pid_t pid)
{
	struct work work = { 0 };
	struct dirent *entry;
	char path[64];
	DIR *dir;
	int tid;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	test_assert(dir);
	while ((entry = readdir(dir))) {
		tid = (int)strtol(entry->d_name, NULL, 10);
		if (!tid)
			continue;
		if (is_vcpu(pid, tid)) {
			work.vcpu += cpu_seconds(pid, tid);
			continue;
		}
		work.cpu += cpu_seconds(pid, tid);
		snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
		work.switches += usage_number(path, "voluntary_ctxt_switches:");
	}
	closedir(dir);
	return work;
}

static void judge(const char *name, const struct work *from, const struct work *to)
{
	double cpu = to->cpu - from->cpu;

	test_note("%s: %.2f s of processor, waited %llu times, in %d s; its vCPUs %.2f s", name,
		  cpu, to->switches - from->switches, SECONDS, to->vcpu - from->vcpu);
	test_ok(cpu < SECONDS * 0.01, "%s uses less than 1 %% of a processor", name);
}

int main(void)
{
	const struct timespec interval = { .tv_sec = SECONDS };
	struct work vmm[2], proc[2];
	struct linux_gpu g;

	signal(SIGPIPE, SIG_IGN);
	/* A cursor that blinks is work. */
	linux_gpu__start(&g, "idle", "vt.global_cursor_default=0", "require");
	linux_vm__says(&g.vmm, "guest: up", "boot");
	/* What boot has left to be done in the background. */
	nanosleep(&interval, NULL);
	vmm[0] = measure(g.vmm.pid);
	proc[0] = measure(g.proc.pid);
	nanosleep(&interval, NULL);
	vmm[1] = measure(g.vmm.pid);
	proc[1] = measure(g.proc.pid);
	judge("dmapat-vmm", &vmm[0], &vmm[1]);
	judge("dmapat-gpu-proc", &proc[0], &proc[1]);
	linux_gpu__go_on(&g);
	linux_gpu__end(&g);
	return test_end();
}
