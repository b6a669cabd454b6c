/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of `dmapat-vmm run`, checked as far as they can be by themselves. */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/boot_info.h"
#include "vmm/device.h"
#include "vmm/error.h"

#define OPTIONS_MAX_GPUS	8
#define OPTIONS_MAX_VCPUS	16

enum bind_mode {
	BIND_REQUIRE,		/* KVM_SET_DMA_BUF, or the VM does not start */
	BIND_OFF,		/* no binding: what a VMM on a stock KVM does */
};

enum dirty_log_mode {
	DIRTY_LOG_AUTO,		/* rings where KVM has them */
	DIRTY_LOG_RING,
	DIRTY_LOG_BITMAP,
};

struct gpu_option {
	char *socket;		/* path */
	uint64_t offset;	/* of its shared memory region in the window, or FRONTEND_OFFSET_AUTO */
};

struct options {
	uint64_t memory;
	uint64_t window_base;
	uint64_t window_size;
	unsigned int vcpus;
	enum dirty_log_mode dirty_log;
	unsigned int dirty_ring;	/* entries a vCPU */
	unsigned int gpu_timeout_ms;
	enum bind_mode bind;
	const char *payload;		/* this, */
	const char *kernel;		/* this, or incoming */
	const char *initrd;		/* NULL: none */
	const char *control;		/* NULL: none */
	const char *console;		/* path, "-", or NULL: dropped */
	const char *cmdline;
	const char *incoming;		/* URI or NULL */
	bool paused;			/* wait for cont */
	struct gpu_option gpus[OPTIONS_MAX_GPUS];
	unsigned int nr_gpus;
	struct device_option devices[DEVICE_MAX];
	unsigned int nr_devices;
};

enum options_result {
	OPTIONS_OK,
	OPTIONS_HELP,		/* --help: usage is wanted, nothing else */
	OPTIONS_BAD,		/* @err says why */
};

enum options_result options__parse(struct options *opts, int argc, char **argv, struct error *err);
void options__free(struct options *opts);
extern const char options__usage[];

#endif /* VMM_OPTIONS_H */
