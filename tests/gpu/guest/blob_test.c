// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Guest program: host-visible blobs of each memory type, by the ioctls of Linux'
 * virtio-gpu driver alone. Static, so that it runs in any guest. Prints a line for what
 * it did; a test on the host reads them on the guest's console. Ends with 1 at the first
 * thing that is wrong.
 *
 *	blob_test types		one of each with memory of guest and host, there and back; then one
 *				of each, mapped at once; in Bochs the accesses to
 *				them are traced (tests/emu/trace.h), phase 1 + memory type; it waits for
 *				a line of input before they go
 *	blob_test many N	N of different types and sizes at once, of which some come and
 *				go; it waits, and leaves them to the end of the process
 *	blob_test storm N...	make, map, use and give back, up to N in all; then it waits
 *				for a line of input
 */
#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emu/trace.h"
#include "gpu/guest/virtgpu.h"
#include "virtio_gpu_heap.h"

#define NODE		"/dev/dri/renderD128"
#define PAGE		4096u
#define TYPES_SIZE	(16 * PAGE)
/* No program on the host has anything there, so that a trace tells them apart. */
#define TYPES_ADDRESS	0x400000000000ull
#define TYPES_STRIDE	0x10000000ull

struct blob {
	uint32_t handle;
	size_t size;
	volatile uint64_t *words;
};

static const struct memtype {
	const char *name;
	unsigned int number;
} memtypes[] = {
	{ "UC", VIRTIO_GPU_HEAP_UC }, { "WC", VIRTIO_GPU_HEAP_WC }, { "WB", VIRTIO_GPU_HEAP_WB },
};

#define NR_MEMTYPES	(sizeof(memtypes) / sizeof(memtypes[0]))

static int gpu;

static void open_gpu(void)
{
	struct drm_virtgpu_context_set_param param = {
		.param = VIRTGPU_CONTEXT_PARAM_CAPSET_ID, .value = VIRTIO_GPU_CAPSET_HEAP,
	};
	struct drm_virtgpu_context_init init = {
		.num_params = 1, .ctx_set_params = (uintptr_t)&param,
	};
	struct virtio_gpu_capset_heap heap = { 0 };
	struct drm_virtgpu_get_caps caps = {
		.cap_set_id = VIRTIO_GPU_CAPSET_HEAP, .addr = (uintptr_t)&heap,
		.size = sizeof(heap),
	};

	gpu = open(NODE, O_RDWR | O_CLOEXEC);
	if (gpu < 0)
		err(1, NODE);
	if (ioctl(gpu, DRM_IOCTL_VIRTGPU_GET_CAPS, &caps) < 0)
		err(1, "capset %u", VIRTIO_GPU_CAPSET_HEAP);
	printf("blob: capset of version %u, memory types 0x%x\n", heap.version, heap.memtypes);
	if (ioctl(gpu, DRM_IOCTL_VIRTGPU_CONTEXT_INIT, &init) < 0)
		err(1, "context of capset %u", VIRTIO_GPU_CAPSET_HEAP);
}

/* Mapped at @address, or anywhere for NULL. */
static void create(struct blob *blob, uint32_t mem, const struct memtype *type, size_t size,
		   void *address)
{
	struct drm_virtgpu_resource_create_blob args = {
		.blob_mem = mem,
		.blob_flags = VIRTGPU_BLOB_FLAG_USE_MAPPABLE,
		.size = size, .blob_id = type->number,
	};
	struct drm_virtgpu_map map = { 0 };
	void *p;

	if (ioctl(gpu, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, &args) < 0)
		err(1, "%s blob of %zu bytes", type->name, size);
	map.handle = args.bo_handle;
	if (ioctl(gpu, DRM_IOCTL_VIRTGPU_MAP, &map) < 0)
		err(1, "%s blob of %zu bytes: where it is to be mapped", type->name, size);
	p = mmap(address, size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | (address ? MAP_FIXED_NOREPLACE : 0), gpu, map.offset);
	if (p == MAP_FAILED)
		err(1, "%s blob of %zu bytes: mmap", type->name, size);
	*blob = (struct blob) { .handle = args.bo_handle, .size = size, .words = p };
}

static void destroy(struct blob *blob)
{
	struct drm_gem_close args = { .handle = blob->handle };

	munmap((void *)blob->words, blob->size);
	if (ioctl(gpu, DRM_IOCTL_GEM_CLOSE, &args) < 0)
		err(1, "close");
	*blob = (struct blob) { 0 };
}

static uint64_t word(uint64_t seed, size_t i)
{
	return (seed << 32 | i) * 0x9e3779b97f4a7c15ull;
}

static void fill(struct blob *blob, uint64_t seed, size_t step)
{
	size_t i;

	for (i = 0; i < blob->size / sizeof(uint64_t); i += step)
		blob->words[i] = word(seed, i);
}

static void check(const struct blob *blob, uint64_t seed, size_t step)
{
	uint64_t found;
	size_t i;

	for (i = 0; i < blob->size / sizeof(uint64_t); i += step) {
		found = blob->words[i];
		if (found != word(seed, i))
			errx(1, "blob %llu, word %zu: 0x%llx, written was 0x%llx",
			     (unsigned long long)seed, i, (unsigned long long)found,
			     (unsigned long long)word(seed, i));
	}
}

/*
 * One store and one load, traced. The pages have been touched, so that there is nothing
 * else in it; but their translations are looked up again, so that it has the leaf.
 */
static void trace(const struct blob *blob, const struct memtype *type)
{
	/* By which the test on the host knows it: 0x11…, 0x22…, 0x77… */
	uint64_t stored = 0x1111111111111111ull * (1 + type->number), value;
	volatile uint64_t *at = blob->words;

	if (mprotect((void *)at, blob->size, PROT_READ) < 0 ||
	    mprotect((void *)at, blob->size, PROT_READ | PROT_WRITE) < 0)
		err(1, "mprotect");
	trace_begin(1 + type->number);
	*at = stored;
	value = *at;
	trace_end();
	if (value != stored)
		errx(1, "%s: stored and loaded is not the same", type->name);
}

static void transferred(const struct blob *blob, const char *what, int ret)
{
	struct drm_virtgpu_3d_wait wait = { .handle = blob->handle };

	if (ret < 0 || ioctl(gpu, DRM_IOCTL_VIRTGPU_WAIT, &wait) < 0)
		err(1, "transfer %s the host", what);
}

/* The guest maps its own memory; what it has written to the host's comes back from there. */
static void test_both(const struct memtype *type)
{
	const struct drm_virtgpu_3d_box all = { .w = TYPES_SIZE, .h = 1, .d = 1 };
	struct drm_virtgpu_3d_transfer_to_host to = { .box = all };
	struct drm_virtgpu_3d_transfer_from_host from = { .box = all };
	struct blob blob;

	create(&blob, VIRTGPU_BLOB_MEM_HOST3D_GUEST, type, TYPES_SIZE, NULL);
	fill(&blob, 100 + type->number, 1);
	to.bo_handle = blob.handle;
	transferred(&blob, "to", ioctl(gpu, DRM_IOCTL_VIRTGPU_TRANSFER_TO_HOST, &to));
	memset((void *)blob.words, 0, blob.size);
	from.bo_handle = blob.handle;
	transferred(&blob, "from", ioctl(gpu, DRM_IOCTL_VIRTGPU_TRANSFER_FROM_HOST, &from));
	check(&blob, 100 + type->number, 1);
	printf("blob: %s of guest and host: there and back\n", type->name);
	destroy(&blob);
}

static void test_types(void)
{
	struct blob blobs[NR_MEMTYPES];
	void *address;
	unsigned int i;

	for (i = 0; i < NR_MEMTYPES; i++)
		test_both(&memtypes[i]);
	for (i = 0; i < NR_MEMTYPES; i++) {
		address = (void *)(uintptr_t)(TYPES_ADDRESS + i * TYPES_STRIDE);
		create(&blobs[i], VIRTGPU_BLOB_MEM_HOST3D, &memtypes[i], TYPES_SIZE, address);
		fill(&blobs[i], i, 1);
	}
	for (i = 0; i < NR_MEMTYPES; i++) {
		check(&blobs[i], i, 1);
		trace(&blobs[i], &memtypes[i]);
		printf("blob: %s, %zu bytes at %p: as written\n", memtypes[i].name, blobs[i].size,
		       (void *)blobs[i].words);
	}
	puts("blob: all are there");
	getchar();
	for (i = 0; i < NR_MEMTYPES; i++)
		destroy(&blobs[i]);
}

static size_t some_size(unsigned int i)
{
	return (1 + i * 7 % 16) * PAGE;
}

static void test_many(unsigned int n)
{
	struct blob *blobs = calloc(n, sizeof(*blobs));
	unsigned int i, round;

	if (!blobs)
		err(1, "%u blobs", n);
	for (i = 0; i < n; i++) {
		create(&blobs[i], VIRTGPU_BLOB_MEM_HOST3D, &memtypes[i % NR_MEMTYPES],
		       some_size(i), NULL);
		fill(&blobs[i], i, 64);
	}
	/* Then each second one is another, of another type. */
	for (round = 0; round < 2; round++) {
		for (i = 0; i < n; i++)
			check(&blobs[i], i, 64);
		for (i = round; i < n; i += 2) {
			destroy(&blobs[i]);
			create(&blobs[i], VIRTGPU_BLOB_MEM_HOST3D,
			       &memtypes[(i + 1) % NR_MEMTYPES], some_size(i + 1), NULL);
			fill(&blobs[i], i, 64);
		}
	}
	for (i = 0; i < n; i++)
		check(&blobs[i], i, 64);
	printf("blob: %u at once: as written\n", n);
	getchar();
	/* All of them are left to the end of the process. */
	free(blobs);
}

static void test_storm(unsigned int from, unsigned int to)
{
	struct blob blob;
	unsigned int i;

	for (i = from; i < to; i++) {
		create(&blob, VIRTGPU_BLOB_MEM_HOST3D, &memtypes[i % NR_MEMTYPES], some_size(i),
		       NULL);
		fill(&blob, i, PAGE / sizeof(uint64_t));
		check(&blob, i, PAGE / sizeof(uint64_t));
		destroy(&blob);
	}
	printf("blob: %u came and went\n", to);
	getchar();
}

static unsigned int number(const char *text)
{
	return strtoul(text, NULL, 0);
}

int main(int argc, char **argv)
{
	unsigned int done = 0;
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2)
		errx(2, "usage: blob_test types | many N | storm N...");
	open_gpu();
	if (!strcmp(argv[1], "types"))
		test_types();
	else if (!strcmp(argv[1], "many") && argc == 3)
		test_many(number(argv[2]));
	else if (!strcmp(argv[1], "storm"))
		for (i = 2; i < argc; i++) {
			test_storm(done, number(argv[i]));
			done = number(argv[i]);
		}
	else
		errx(2, "blob_test: %s: unknown", argv[1]);
	puts("blob: done");
	return 0;
}
