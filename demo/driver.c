// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The demo inside the emulated machine, started by its init:
 *
 *	driver stock	who has which memory type on the stock KVM modules
 *	driver dmapat	the same on dmapat's, then a migration
 *
 * Whatever it wants to know about memory types it has traced: "# observe" lines
 * say where and in which phase (tests/emu/README.md), demo/run lets the oracle
 * read the trace. "# fact" lines carry the figures of the migration, "# step"
 * lines are for whoever watches. The product's programs are as shipped; the magic
 * breaks are in this program and in the guest payload.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

#include "child.h"
#include "control.h"
#include "emu/trace.h"

#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))
/* Every byte that the GPU process writes is a line of the trace. */
#define BUFFER_SIZE	(64 << 10)
#define MIGRATED_SIZE	(1 << 20)
#define BUFFER_STRIDE	(16 << 20)
#define FILL		0x51	/* of the first buffer; each next one has the next byte */

enum phase {
	PHASE_HOST = 1,
	PHASE_GUEST,
	PHASE_GPU_PROC,
	PHASE_VMM,
};

static int allocate_from_heap(const char *node)
{
	struct dma_heap_allocation_data data = {
		.len = BUFFER_SIZE,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	char path[64];
	int heap;

	snprintf(path, sizeof(path), "/dev/dma_heap/%s", node);
	heap = open(path, O_RDONLY | O_CLOEXEC);
	if (heap < 0 || ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) < 0)
		fail("%s: %s", path, strerror(errno));
	close(heap);
	return (int)data.fd;
}

static int allocate_from_drm(const char *node)
{
	uint32_t handle, pitch;
	uint64_t size;
	int card, fd;

	card = open(node, O_RDWR | O_CLOEXEC);
	if (card < 0 || drmModeCreateDumbBuffer(card, BUFFER_SIZE / 4 / 64, 64, 32, 0, &handle,
						&pitch, &size) ||
	    drmPrimeHandleToFD(card, handle, DRM_RDWR | DRM_CLOEXEC, &fd))
		fail("%s: %s", node, strerror(errno));
	close(card);
	return fd;
}

static int allocate_from_udmabuf(const char *node)
{
	struct udmabuf_create create = { .size = BUFFER_SIZE, .flags = UDMABUF_FLAGS_CLOEXEC };
	int device, memfd, fd;

	device = open(node, O_RDWR | O_CLOEXEC);
	memfd = memfd_create("demo", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (device < 0 || memfd < 0 || ftruncate(memfd, BUFFER_SIZE) < 0 ||
	    fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
		fail("%s: %s", node, strerror(errno));
	create.memfd = memfd;
	fd = ioctl(device, UDMABUF_CREATE, &create);
	if (fd < 0)
		fail("%s: %s", node, strerror(errno));
	close(memfd);
	close(device);
	return fd;
}

static const struct {
	const char *name;
	const char *kind;	/* as dmapat-gpu-proc --buffer takes it */
	const char *node;
	int (*allocate)(const char *node);
} buffers[] = {
	{ "wb-udmabuf", "udmabuf", "/dev/udmabuf", allocate_from_udmabuf },
	{ "wc-heap", "heap", "system-wc", allocate_from_heap },
	{ "wc-vgem", "drm", "/dev/dri/card0", allocate_from_drm },
	{ "uc-heap", "heap", "system-uc", allocate_from_heap },
};

static void observe(const char *column, const char *name, enum phase phase, const char *agent,
		    uint64_t linear)
{
	printf("# observe %s:%s phase=0x%x agent=%s linear=0x%" PRIx64 " size=0x%x\n", column, name,
	       trace_phase(phase), agent, linear, BUFFER_SIZE);
}

/* What the exporter gives to any process that maps its buffer. */
static void exporters(void)
{
	volatile uint64_t *map[ARRAY_SIZE(buffers)];
	size_t i, word;
	int fd;

	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		fd = buffers[i].allocate(buffers[i].node);
		map[i] = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map[i] == MAP_FAILED)
			fail("%s: mmap: %s", buffers[i].name, strerror(errno));
		close(fd);
		/* faults are not worth tracing */
		map[i][0] = i;
		observe("host", buffers[i].name, PHASE_HOST, "host", (uintptr_t)map[i]);
	}
	trace_begin(PHASE_HOST);
	for (i = 0; i < ARRAY_SIZE(buffers); i++)
		for (word = 0; word < 8; word++)
			map[i][word] += word;
	trace_end();
	for (i = 0; i < ARRAY_SIZE(buffers); i++)
		munmap((void *)map[i], BUFFER_SIZE);
}

static void start_gpu_proc(struct child *child, const char *name, const char *socket, int size)
{
	static char specs[ARRAY_SIZE(buffers)][160];
	char path[80], line[256];
	const char *argv[ARRAY_SIZE(buffers) + 3] = { "dmapat-gpu-proc", path };
	size_t i;

	snprintf(path, sizeof(path), "--socket-path=%s", socket);
	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		snprintf(specs[i], sizeof(specs[i]),
			 "--buffer=%s=%s,size=%d,offset=%zu,fill=%zu,name=%s",
			 buffers[i].kind, buffers[i].node,
			 size, i * BUFFER_STRIDE, FILL + i, buffers[i].name);
		argv[i + 2] = specs[i];
	}
	child_start(child, name, argv);
	child_wait_line(child, "ready", line, sizeof(line));
}

struct vmm_options {
	const char *name;
	const char *gpu_socket;
	const char *control;
	const char *cmdline;
	const char *bind;
	const char *incoming;	/* in place of a payload */
	bool paused;
};

static void start_vmm(struct child *child, const struct vmm_options *options)
{
	const char *argv[24] = { "dmapat-vmm", "run", "--memory", "32M", "--console", "-" };
	int n = 6;

	argv[n++] = "--gpu-proc";
	argv[n++] = options->gpu_socket;
	argv[n++] = "--control";
	argv[n++] = options->control;
	argv[n++] = "--bind";
	argv[n++] = options->bind;
	if (options->incoming) {
		argv[n++] = "--incoming";
		argv[n++] = options->incoming;
	} else {
		argv[n++] = "--payload";
		argv[n++] = "/t/payload.elf";
		argv[n++] = "--cmdline";
		argv[n++] = options->cmdline;
	}
	if (options->paused)
		argv[n++] = "--paused";
	child_start(child, options->name, argv);
}

/*
 * The payload says where it touches each buffer; its accesses bear the phase that
 * was named last.
 */
static void guest_touches(struct child *vmm, const char *column)
{
	unsigned long long gpa;
	char line[512], *at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		child_wait_line(vmm, " gpa 0x", line, sizeof(line));
		at = strstr(line, " gpa ");
		if (!strstr(line, buffers[i].name) || !at || sscanf(at, " gpa %llx", &gpa) != 1)
			fail("the payload touches %s in place of %s", line, buffers[i].name);
		if (!strstr(line, "wrong 0"))
			fail("the guest read other words than it wrote: %s", line);
		observe(column, buffers[i].name, PHASE_GUEST, "guest", gpa);
	}
}

static void stock(void)
{
	const struct vmm_options options = {
		.name = "vmm", .gpu_socket = "/run/gpu.sock", .control = "/run/vmm.sock",
		.cmdline = "mode=touch mark", .bind = "off",
	};
	struct child gpu, vmm;

	printf("# step exporters: map one buffer of each and touch it\n");
	exporters();
	printf("# step stock KVM: the guest touches the buffers\n");
	start_gpu_proc(&gpu, "gpu-proc", options.gpu_socket, BUFFER_SIZE);
	trace_begin(PHASE_GUEST);
	trace_end();
	start_vmm(&vmm, &options);
	guest_touches(&vmm, "guest_stock");
	child_wait_exit(&vmm, 0);
	child_stop(&gpu);
}

static void gpu_process_writes(struct child *gpu)
{
	char line[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(buffers); i++)
		observe("gpu_proc", buffers[i].name, PHASE_GPU_PROC, "host",
			child_find_mapping(gpu, buffers[i].name, BUFFER_SIZE));
	fflush(stdout);
	trace_begin(PHASE_GPU_PROC);
	kill(gpu->pid, SIGUSR1);
	child_wait_line(gpu, "filled", line, sizeof(line));
	trace_end();
}

/* The VMM reads the start of each buffer, and finds what the GPU process wrote. */
static void vmm_reads(const struct child *vmm, struct control *control)
{
	char expected[17];
	const cJSON *list, *sample;
	cJSON *answer;
	size_t i;
	int j;

	for (i = 0; i < ARRAY_SIZE(buffers); i++)
		observe("vmm", buffers[i].name, PHASE_VMM, "host",
			child_find_mapping(vmm, buffers[i].name, BUFFER_SIZE));
	fflush(stdout);
	cJSON_Delete(control_call(control, "query-memtype", NULL));	/* faults */
	trace_begin(PHASE_VMM);
	answer = control_call(control, "query-memtype", NULL);
	trace_end();
	list = cJSON_GetObjectItem(answer, "buffers");
	if (cJSON_GetArraySize(list) != (int)ARRAY_SIZE(buffers))
		fail("the VMM has %d buffers", cJSON_GetArraySize(list));
	for (i = 0; i < ARRAY_SIZE(buffers); i++) {
		sample = cJSON_GetObjectItem(cJSON_GetArrayItem(list, (int)i), "sample");
		for (j = 0; j < 8; j++)
			snprintf(expected + 2 * j, 3, "%02zx", FILL + i);
		if (!cJSON_IsString(sample) || strcmp(sample->valuestring, expected))
			fail("%s: the VMM reads %s, the GPU process wrote %s", buffers[i].name,
			     cJSON_IsString(sample) ? sample->valuestring : "nothing", expected);
	}
	cJSON_Delete(answer);
}

static void dmapat(void)
{
	const struct vmm_options options = {
		.name = "vmm", .gpu_socket = "/run/gpu.sock", .control = "/run/vmm.sock",
		.cmdline = "mode=touch mark", .bind = "require", .paused = true,
	};
	struct control control;
	struct child gpu, vmm;

	printf("# step dmapat's KVM: every buffer bound\n");
	start_gpu_proc(&gpu, "gpu-proc", options.gpu_socket, BUFFER_SIZE);
	start_vmm(&vmm, &options);
	control_connect(&control, options.control);
	control_wait_launched(&control);
	printf("# step the GPU process writes the buffers\n");
	gpu_process_writes(&gpu);
	printf("# step the VMM reads them\n");
	vmm_reads(&vmm, &control);
	printf("# step the guest touches them\n");
	fflush(stdout);
	trace_begin(PHASE_GUEST);
	trace_end();
	cJSON_Delete(control_call(&control, "cont", NULL));
	guest_touches(&vmm, "guest");
	child_wait_exit(&vmm, 0);
	control_close(&control);
	child_stop(&gpu);
}

static void print_fact(const cJSON *answer, const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(answer, name);

	if (!cJSON_IsNumber(item))
		fail("query-migrate says nothing of %s", name);
	printf("# fact %s=%.0f\n", name, item->valuedouble);
}

static void wait_migration(struct control *control)
{
	const char *status;
	cJSON *answer;
	bool done;

	do {
		answer = control_call(control, "query-migrate", NULL);
		status = cJSON_GetStringValue(cJSON_GetObjectItem(answer, "status"));
		done = status && !strcmp(status, "completed");
		if (!status || !strcmp(status, "failed") || !strcmp(status, "cancelled") ||
		    !strcmp(status, "none"))
			fail("migration: %s", cJSON_PrintUnformatted(answer));
		if (done) {
			print_fact(answer, "rounds");
			print_fact(answer, "pages_sent");
			print_fact(answer, "downtime_ms");
		}
		cJSON_Delete(answer);
		if (!done)
			usleep(20000);
	} while (!done);
}

/* Little downtime, so that there is more than one round; the guest never stops to write. */
static const char migrate_arguments[] =
	"{\"uri\":\"unix:/run/migration.sock\",\"downtime-limit-ms\":10,\"max-rounds\":3}";

static void migration(void)
{
	const struct vmm_options from = {
		.name = "source", .gpu_socket = "/run/gpu1.sock", .control = "/run/source.sock",
		.cmdline = "mode=write ram=4M", .bind = "require",
	};
	const struct vmm_options to = {
		.name = "destination", .gpu_socket = "/run/gpu2.sock",
		.control = "/run/destination.sock", .bind = "require",
		.incoming = "unix:/run/migration.sock",
	};
	struct child gpu1, gpu2, source, destination;
	struct control control1, control2;
	unsigned long long bytes, mismatches;
	char line[512], *at;

	printf("# step a second VMM with a GPU process of its own waits for the guest\n");
	start_gpu_proc(&gpu1, "gpu-proc-1", from.gpu_socket, MIGRATED_SIZE);
	start_gpu_proc(&gpu2, "gpu-proc-2", to.gpu_socket, MIGRATED_SIZE);
	start_vmm(&destination, &to);
	control_connect(&control2, to.control);
	control_wait_launched(&control2);
	start_vmm(&source, &from);
	control_connect(&control1, from.control);
	child_wait_line(&source, "writing ", line, sizeof(line));
	printf("# step the guest writes; migrating\n");
	fflush(stdout);
	cJSON_Delete(control_call(&control1, "migrate", migrate_arguments));
	wait_migration(&control1);
	printf("# step migrated; the guest verifies its memory\n");
	fflush(stdout);
	child_wait_line(&destination, "verified ", line, sizeof(line));
	at = strstr(line, "verified ");
	if (sscanf(at, "verified %llu mismatches %llu", &bytes, &mismatches) != 2)
		fail("not understood: %s", line);
	printf("# fact bytes_verified=%llu\n# fact mismatches=%llu\n", bytes, mismatches);
	control_close(&control1);
	control_close(&control2);
	child_stop(&source);
	child_stop(&destination);
	child_stop(&gpu1);
	child_stop(&gpu2);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..1\n");
	if (argc == 2 && !strcmp(argv[1], "stock")) {
		stock();
	} else if (argc == 2 && !strcmp(argv[1], "dmapat")) {
		dmapat();
		migration();
	} else {
		fprintf(stderr, "usage: driver stock | dmapat\n");
		return 2;
	}
	printf("ok 1 %s\n", argv[1]);
	return 0;
}
