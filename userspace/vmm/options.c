// SPDX-License-Identifier: GPL-2.0-or-later
/* Command line of `dmapat-vmm run`; called by main.c. */
#include "vmm/options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "size.h"
#include "vmm/frontend.h"
#include "vmm/memory.h"
#include "vmm/util.h"

#define MIB		(1ULL << 20)

const char options__usage[] =
"usage: dmapat-vmm run [OPTIONS]\n"
"  --memory SIZE         guest RAM (64M), below 3G\n"
"  --vcpus N             vCPUs (1); all but the first wait for INIT/SIPI\n"
"  --payload FILE        ELF64 or flat image to start in 64-bit mode\n"
"  --kernel FILE         Linux kernel to start: bzImage, or vmlinux with a PVH entry\n"
"  --initrd FILE         its initrd\n"
"  --cmdline STR         text for the payload, or the kernel's command line\n"
"  --device NAME[,KEY=VALUE...]\n"
"                        virtio-blk,file=PATH[,readonly=on]; virtio-rng;\n"
"                        virtio-console,socket=PATH; virtio-net,tap=NAME|fd=N[,mac=MAC];\n"
"                        vhost-user-fs,socket=PATH,tag=TAG; vhost-user-gpu,socket=PATH\n"
"  --window-base GPA     host-visible window (4G); room for the BAR of vhost-user-gpu\n"
"  --window-size SIZE    its size (1G)\n"
"  --gpu-proc SOCKET[,offset=SIZE]\n"
"                        vhost-user GPU back-end; repeatable; offset in the window\n"
"  --gpu-timeout MS      how long a back-end may take to answer (10000)\n"
"  --bind require|off    tie buffers to guest memory by KVM_SET_DMA_BUF (require)\n"
"  --control SOCKET      JSON control socket to create\n"
"  --console FILE|-      serial port's output; - is standard output and input\n"
"  --incoming URI        wait for a migration: unix:PATH or tcp:HOST:PORT\n"
"  --dirty-log auto|ring|bitmap\n"
"                        how KVM logs what vCPUs write (auto: ring where it has one)\n"
"  --dirty-ring N        entries of each vCPU's dirty ring, a power of two (65536)\n"
"  --paused              do not run the guest before cont\n";

enum {
	OPT_MEMORY = 1, OPT_VCPUS, OPT_PAYLOAD, OPT_KERNEL, OPT_INITRD, OPT_CMDLINE, OPT_DEVICE,
	OPT_WINDOW_BASE, OPT_WINDOW_SIZE,
	OPT_GPU_PROC, OPT_GPU_TIMEOUT, OPT_BIND, OPT_CONTROL, OPT_CONSOLE, OPT_INCOMING,
	OPT_DIRTY_LOG, OPT_DIRTY_RING, OPT_PAUSED, OPT_HELP,
};

static const struct option options__long[] = {
	{ "memory",	 required_argument, NULL, OPT_MEMORY },
	{ "vcpus",	 required_argument, NULL, OPT_VCPUS },
	{ "payload",	 required_argument, NULL, OPT_PAYLOAD },
	{ "kernel",	 required_argument, NULL, OPT_KERNEL },
	{ "initrd",	 required_argument, NULL, OPT_INITRD },
	{ "cmdline",	 required_argument, NULL, OPT_CMDLINE },
	{ "device",	 required_argument, NULL, OPT_DEVICE },
	{ "window-base", required_argument, NULL, OPT_WINDOW_BASE },
	{ "window-size", required_argument, NULL, OPT_WINDOW_SIZE },
	{ "gpu-proc",	 required_argument, NULL, OPT_GPU_PROC },
	{ "gpu-timeout", required_argument, NULL, OPT_GPU_TIMEOUT },
	{ "bind",	 required_argument, NULL, OPT_BIND },
	{ "control",	 required_argument, NULL, OPT_CONTROL },
	{ "console",	 required_argument, NULL, OPT_CONSOLE },
	{ "incoming",	 required_argument, NULL, OPT_INCOMING },
	{ "dirty-log",	 required_argument, NULL, OPT_DIRTY_LOG },
	{ "dirty-ring",	 required_argument, NULL, OPT_DIRTY_RING },
	{ "paused",	 no_argument,	    NULL, OPT_PAUSED },
	{ "help",	 no_argument,	    NULL, OPT_HELP },
	{ 0 }
};

static int options__number(const char *name, const char *text, uint64_t min, uint64_t max,
			   uint64_t *value, struct error *err)
{
	if (size_parse(text, value) < 0)
		return error__set(err, EINVAL, "--%s %s: not a number or a size", name, text);
	if (*value < min || *value > max)
		return error__set(err, EINVAL, "--%s %s: not between %" PRIu64 " and %" PRIu64,
				  name, text, min, max);
	return 0;
}

static int options__gpu(struct options *opts, const char *arg, struct error *err)
{
	struct gpu_option *gpu = &opts->gpus[opts->nr_gpus];
	const char *comma = strchr(arg, ',');
	size_t len = comma ? (size_t)(comma - arg) : strlen(arg);

	if (opts->nr_gpus == OPTIONS_MAX_GPUS)
		return error__set(err, EINVAL, "--gpu-proc: more than %d", OPTIONS_MAX_GPUS);
	if (!len)
		return error__set(err, EINVAL, "--gpu-proc %s: no socket", arg);

	gpu->offset = FRONTEND_OFFSET_AUTO;
	if (comma) {
		if (strncmp(comma, ",offset=", 8) ||
		    size_parse(comma + 8, &gpu->offset) < 0)
			return error__set(err, EINVAL,
					  "--gpu-proc %s: after the socket only ,offset=SIZE may come",
					  arg);
		if (gpu->offset % VMM_PAGE_SIZE)
			return error__set(err, EINVAL,
					  "--gpu-proc %s: offset 0x%" PRIx64 " is not page aligned",
					  arg, gpu->offset);
	}
	gpu->socket = strndup(arg, len);
	if (!gpu->socket)
		return error__set(err, ENOMEM, "out of memory");
	opts->nr_gpus++;
	return 0;
}

static int options__one(struct options *opts, int opt, const char *arg, struct error *err)
{
	uint64_t v = 0;
	int r = 0;

	switch (opt) {
	case OPT_MEMORY:
		return options__number("memory", arg, MIB, MEMORY_HOLE_START, &opts->memory, err);
	case OPT_VCPUS:
		r = options__number("vcpus", arg, 1, OPTIONS_MAX_VCPUS, &v, err);
		opts->vcpus = v;
		return r;
	case OPT_WINDOW_BASE:
		return options__number("window-base", arg, MIB, 1ULL << 45, &opts->window_base,
				       err);
	case OPT_WINDOW_SIZE:
		return options__number("window-size", arg, VMM_PAGE_SIZE, 1ULL << 42,
				       &opts->window_size, err);
	case OPT_GPU_TIMEOUT:
		r = options__number("gpu-timeout", arg, 1, 3600000, &v, err);
		opts->gpu_timeout_ms = v;
		return r;
	case OPT_DIRTY_LOG:
		if (!strcmp(arg, "auto"))
			opts->dirty_log = DIRTY_LOG_AUTO;
		else if (!strcmp(arg, "ring"))
			opts->dirty_log = DIRTY_LOG_RING;
		else if (!strcmp(arg, "bitmap"))
			opts->dirty_log = DIRTY_LOG_BITMAP;
		else
			return error__set(err, EINVAL,
					  "--dirty-log %s: neither auto nor ring nor bitmap", arg);
		return 0;
	case OPT_DIRTY_RING:
		r = options__number("dirty-ring", arg, 1024, 65536, &v, err);
		if (!r && (v & (v - 1)))
			return error__set(err, EINVAL, "--dirty-ring %s: not a power of two", arg);
		opts->dirty_ring = v;
		return r;
	case OPT_BIND:
		if (!strcmp(arg, "require"))
			opts->bind = BIND_REQUIRE;
		else if (!strcmp(arg, "off"))
			opts->bind = BIND_OFF;
		else
			return error__set(err, EINVAL, "--bind %s: neither require nor off", arg);
		return 0;
	case OPT_GPU_PROC:
		return options__gpu(opts, arg, err);
	case OPT_PAYLOAD:
		opts->payload = arg;
		return 0;
	case OPT_KERNEL:
		opts->kernel = arg;
		return 0;
	case OPT_INITRD:
		opts->initrd = arg;
		return 0;
	case OPT_DEVICE:
		if (opts->nr_devices == DEVICE_MAX)
			return error__set(err, EINVAL, "--device: more than %d", DEVICE_MAX);
		r = device_option__parse(&opts->devices[opts->nr_devices], arg, err);
		opts->nr_devices += !r;
		return r;
	case OPT_CMDLINE:
		if (strlen(arg) >= BOOT_INFO_CMDLINE_MAX)
			return error__set(err, EINVAL, "--cmdline: %zu bytes, at most %d fit",
					  strlen(arg), BOOT_INFO_CMDLINE_MAX - 1);
		opts->cmdline = arg;
		return 0;
	case OPT_CONTROL:
		opts->control = arg;
		return 0;
	case OPT_CONSOLE:
		opts->console = arg;
		return 0;
	case OPT_INCOMING:
		opts->incoming = arg;
		return 0;
	case OPT_PAUSED:
		opts->paused = true;
		return 0;
	}
	return error__set(err, EINVAL, "unknown option");
}

/* Of those who want the window for themselves, and --gpu-procs, which share one. */
static unsigned int options__nr_windows(const struct options *opts)
{
	unsigned int i, n = opts->nr_gpus ? 1 : 0;

	for (i = 0; i < opts->nr_devices; i++)
		n += !strcmp(opts->devices[i].name, "vhost-user-gpu");
	return n;
}

static int options__check(const struct options *opts, struct error *err)
{
	uint64_t base = opts->window_base, size = opts->window_size;

	if (!opts->payload + !opts->kernel + !opts->incoming != 2)
		return error__set(err, EINVAL,
				  "one of --payload, --kernel and --incoming is needed, and no two of them");
	if (opts->initrd && !opts->kernel)
		return error__set(err, EINVAL, "--initrd without --kernel");
	if (options__nr_windows(opts) > 1)
		return error__set(err, EINVAL,
				  "--device vhost-user-gpu: the window is the BAR of one; no second, and no --gpu-proc");
	if (opts->nr_devices && opts->incoming)
		return error__set(err, EINVAL,
				  "--device and --incoming: virtio devices do not migrate yet");
	if (opts->paused && opts->incoming)
		return error__set(err, EINVAL,
				  "--paused and --incoming: the source's state decides whether the guest runs");
	if (opts->memory % VMM_PAGE_SIZE)
		return error__set(err, EINVAL, "--memory: 0x%" PRIx64 " is not a multiple of 4K",
				  opts->memory);
	if (base % VMM_PAGE_SIZE || size % VMM_PAGE_SIZE)
		return error__set(err, EINVAL,
				  "window: base 0x%" PRIx64 ", size 0x%" PRIx64 ": not page aligned",
				  base, size);
	if (base < opts->memory)
		return error__set(err, EINVAL,
				  "window at 0x%" PRIx64 " overlaps RAM [0, 0x%" PRIx64 ")", base,
				  opts->memory);
	if (base < MEMORY_HOLE_END && base + size > MEMORY_HOLE_START)
		return error__set(err, EINVAL,
				  "window [0x%" PRIx64 ", 0x%" PRIx64 ") overlaps the APICs' hole [0x%llx, 0x%llx)",
				  base, base + size, MEMORY_HOLE_START, MEMORY_HOLE_END);
	return 0;
}

enum options_result options__parse(struct options *opts, int argc, char **argv, struct error *err)
{
	int opt;

	*opts = (struct options) {
		.memory = 64 * MIB,
		.window_base = 4ULL << 30,
		.window_size = 1ULL << 30,
		.vcpus = 1,
		.dirty_ring = 65536,
		.gpu_timeout_ms = 10000,
		.bind = BIND_REQUIRE,
		.cmdline = "",
	};

	optind = 0;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", options__long, NULL)) != -1) {
		if (opt == OPT_HELP) {
			options__free(opts);
			return OPTIONS_HELP;
		}
		if (opt == '?' || opt == ':') {
			error__set(err, EINVAL, "%s: %s", argv[optind - 1],
				   opt == ':' ? "wants a value" : "unknown option");
			goto bad;
		}
		if (options__one(opts, opt, optarg, err) < 0)
			goto bad;
	}
	if (optind < argc) {
		error__set(err, EINVAL, "%s: not an option", argv[optind]);
		goto bad;
	}
	if (options__check(opts, err) < 0)
		goto bad;
	return OPTIONS_OK;
bad:
	options__free(opts);
	return OPTIONS_BAD;
}

void options__free(struct options *opts)
{
	unsigned int i;

	for (i = 0; i < opts->nr_gpus; i++)
		free(opts->gpus[i].socket);
	opts->nr_gpus = 0;
	for (i = 0; i < opts->nr_devices; i++)
		device_option__free(&opts->devices[i]);
	opts->nr_devices = 0;
}
