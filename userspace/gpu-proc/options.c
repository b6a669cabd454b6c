// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line. Called by main.c. */
#include "options.h"
#include "buffer_spec.h"
#include "gpu_edid.h"
#include "log.h"
#include "size.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SHMEM_SIZE	(1ull << 30)
#define DEFAULT_WIDTH		1024
#define DEFAULT_HEIGHT		768

enum {
	OPT_SOCKET_PATH = 0x100,
	OPT_FD,
	OPT_PRINT_CAPABILITIES,
	OPT_BUFFER,
	OPT_SHMEM_SIZE,
	OPT_CONTEXT,
	OPT_DISPLAY,
	OPT_SCANOUT_SHM,
	OPT_SCREENSHOT,
	OPT_USER,
	OPT_SANDBOX,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "socket-path", required_argument, NULL, OPT_SOCKET_PATH },
	{ "fd", required_argument, NULL, OPT_FD },
	{ "print-capabilities", no_argument, NULL, OPT_PRINT_CAPABILITIES },
	{ "buffer", required_argument, NULL, OPT_BUFFER },
	{ "shmem-size", required_argument, NULL, OPT_SHMEM_SIZE },
	{ "context", required_argument, NULL, OPT_CONTEXT },
	{ "display", required_argument, NULL, OPT_DISPLAY },
	{ "scanout-shm", required_argument, NULL, OPT_SCANOUT_SHM },
	{ "screenshot", required_argument, NULL, OPT_SCREENSHOT },
	{ "user", required_argument, NULL, OPT_USER },
	{ "sandbox", required_argument, NULL, OPT_SANDBOX },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ }
};

void options_print_help(FILE *out)
{
	const struct gpu_context_type *const *type;
	const struct allocator *const *a;

	fputs("usage: dmapat-gpu-proc --socket-path=PATH | --fd=N [options] [--buffer=...]\n"
	      "\n"
	      "A vhost-user back-end: the virtio-gpu device of one front-end's guest, with one\n"
	      "display. It can also allocate buffers and export them to the guest from the start.\n"
	      "\n"
	      "  --socket-path=PATH     wait for the front-end on this Unix socket\n"
	      "  --fd=N                 the front-end is already connected to descriptor N\n"
	      "  --print-capabilities   print the back-end's type as JSON, ignore all else\n"
	      "  --buffer=KIND=NODE,size=SIZE,offset=SIZE[,fill=BYTE][,name=NAME]\n"
	      "                         export a buffer at offset in the host-visible region, filled\n"
	      "                         with BYTE (0-255, 0x.. for hex); may be repeated\n",
	      out);
	for (a = allocators; *a; a++)
		fprintf(out, "                           %s=%s\n", (*a)->kind, (*a)->node_help);
	fputs("  --shmem-size=SIZE      size of the host-visible region (default 1G)\n"
	      "  --context=TYPE[,...]   offer contexts of this type to the guest; may be repeated:\n",
	      out);
	for (type = gpu_context_types; *type; type++)
		fprintf(out, "                           %s\n", (*type)->help);
	fputs("  --display=WIDTHxHEIGHT best mode of the guest's display (default 1024x768)\n"
	      "  --screenshot=FILE      write what it shows as PNG, at SIGUSR2 and at the end\n"
	      "  --scanout-shm=FILE     keep what it shows in a file that viewers can map\n"
	      "  --user=USER            whose rights to keep if started as root: a name or a\n"
	      "                         number (default nobody)\n"
	      "  --sandbox=strict       fail if any step of the isolation fails (default)\n"
	      "  --sandbox=best-effort  warn of steps that fail, and go on\n"
	      "  --help, --version\n"
	      "\n"
	      "SIZE is a number of bytes, or one with K, M or G behind it.\n"
	      "SIGUSR1 writes the fill bytes again, SIGUSR2 the screenshot; SIGTERM and SIGINT end\n"
	      "the program.\n",
	      out);
}

void options_print_capabilities(FILE *out)
{
	const struct gpu_context_type *const *type;

	fputs("{\n  \"type\": \"gpu\",\n  \"contexts\": [", out);
	for (type = gpu_context_types; *type; type++)
		fprintf(out, "%s\"%s\"", type == gpu_context_types ? " " : ", ", (*type)->name);
	fputs(" ]\n}\n", out);
}

static int parse_fd(const char *arg, int *fd)
{
	char *end;
	long val;

	errno = 0;
	val = strtol(arg, &end, 10);
	if (errno || end == arg || *end || val < 0 || val > INT_MAX) {
		log_error("--fd=%s: not a file descriptor number", arg);
		return -1;
	}
	*fd = val;
	return 0;
}

static int parse_socket_path(const char *arg, const char **path)
{
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

	if (!*arg || strlen(arg) > max) {
		log_error("--socket-path=%s: %zu bytes long, must be 1 to %zu", arg, strlen(arg),
			  max);
		return -1;
	}
	*path = arg;
	return 0;
}

static int parse_sandbox(const char *arg, enum sandbox_mode *mode)
{
	if (!strcmp(arg, "strict")) {
		*mode = SANDBOX_STRICT;
	} else if (!strcmp(arg, "best-effort")) {
		*mode = SANDBOX_BEST_EFFORT;
	} else {
		log_error("--sandbox=%s: neither strict nor best-effort", arg);
		return -1;
	}
	return 0;
}

static int parse_shmem_size(const char *arg, uint64_t *size)
{
	long page = sysconf(_SC_PAGESIZE);

	if (size_parse(arg, size) < 0) {
		log_error("--shmem-size=%s: not a size", arg);
		return -1;
	}
	if (!*size || *size % page) {
		log_error("--shmem-size=%s: %llu bytes are not a multiple of the page size, %ld",
			  arg, (unsigned long long)*size, page);
		return -1;
	}
	return 0;
}

/* One side of --display, up to the character end. NULL: it is none that is possible. */
static const char *parse_side(const char *arg, char end, uint32_t *side)
{
	unsigned long val;
	char *stop;

	val = strtoul(arg, &stop, 10);
	if (!isdigit((unsigned char)*arg) || *stop != end || val < GPU_EDID_SIDE_MIN ||
	    val > GPU_EDID_SIDE_MAX)
		return NULL;
	*side = val;
	return stop + 1;
}

static int parse_display(const char *arg, struct gpu_options *gpu)
{
	const char *height = parse_side(arg, 'x', &gpu->width);

	if (!height || !parse_side(height, '\0', &gpu->height)) {
		log_error("--display=%s: not WIDTHxHEIGHT, from %u to %u pixels each", arg,
			  GPU_EDID_SIDE_MIN, GPU_EDID_SIDE_MAX);
		return -1;
	}
	return 0;
}

static int parse_context(struct options *opts, const char *arg)
{
	struct gpu_context_spec spec;
	unsigned int i;

	if (gpu_context_spec_parse(&spec, arg) < 0)
		return -1;
	for (i = 0; i < opts->ncontexts; i++) {
		if (opts->contexts[i].type == spec.type) {
			log_error("--context=%s: %s was given before", arg, spec.type->name);
			return -1;
		}
	}
	/* There are no more types than places. */
	opts->contexts[opts->ncontexts++] = spec;
	opts->sandbox.blobs = true;
	opts->sandbox.threads |= spec.type != &context_heap;
	return 0;
}

static int parse_option(struct options *opts, int opt, const char *arg)
{
	switch (opt) {
	case OPT_SOCKET_PATH:
		return parse_socket_path(arg, &opts->socket_path);
	case OPT_FD:
		return parse_fd(arg, &opts->fd);
	case OPT_BUFFER:
		if (opts->nbuffers == BUFFER_MAX) {
			log_error("--buffer=%s: there may be at most %d buffers", arg, BUFFER_MAX);
			return -1;
		}
		return buffer_spec_parse(&opts->buffers[opts->nbuffers++], arg);
	case OPT_SHMEM_SIZE:
		return parse_shmem_size(arg, &opts->shmem_size);
	case OPT_CONTEXT:
		return parse_context(opts, arg);
	case OPT_DISPLAY:
		return parse_display(arg, &opts->gpu);
	case OPT_SCANOUT_SHM:
		opts->gpu.scanout_shm = arg;
		return 0;
	case OPT_SCREENSHOT:
		opts->gpu.screenshot = arg;
		return 0;
	case OPT_USER:
		opts->sandbox.user = arg;
		return 0;
	case OPT_SANDBOX:
		return parse_sandbox(arg, &opts->sandbox.mode);
	case OPT_HELP:
		opts->action = OPTIONS_HELP;
		return 0;
	case OPT_VERSION:
		opts->action = OPTIONS_VERSION;
		return 0;
	}
	/* getopt has printed what it did not understand */
	return -1;
}

int options_parse(struct options *opts, int argc, char **argv)
{
	int i, opt;

	*opts = (struct options){
		.action = OPTIONS_SERVE,
		.fd = -1,
		.shmem_size = DEFAULT_SHMEM_SIZE,
		.gpu = { .width = DEFAULT_WIDTH, .height = DEFAULT_HEIGHT },
		.sandbox = { .mode = SANDBOX_STRICT, .user = NULL },
	};

	/* By the conventions it overrides everything else, right or wrong. */
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--print-capabilities")) {
			opts->action = OPTIONS_PRINT_CAPABILITIES;
			return 0;
		}
	}

	optind = 0;
	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (parse_option(opts, opt, optarg) < 0)
			return -1;
	if (opts->action != OPTIONS_SERVE)
		return 0;

	if (optind < argc) {
		log_error("unexpected argument '%s'", argv[optind]);
		return -1;
	}
	if (!opts->socket_path && opts->fd < 0) {
		log_error("one of --socket-path and --fd is needed");
		return -1;
	}
	if (opts->socket_path && opts->fd >= 0) {
		log_error("--socket-path=%s and --fd=%d exclude each other", opts->socket_path,
			  opts->fd);
		return -1;
	}
	return buffer_spec_check_layout(opts->buffers, opts->nbuffers, opts->shmem_size);
}
