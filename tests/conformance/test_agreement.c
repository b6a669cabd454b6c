// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The product as a whole, before and after a migration, bound and unbound: do KVM,
 * the GPU process' mapping, the VMM's mapping, the guest and what its driver was told
 * agree on each buffer's memory type? And what do the guest's accesses with every PAT
 * type do on the new host?
 *
 * The GPU process of the mock exporter's buffers is this program. In Bochs, the three
 * parties' accesses are traced: "# agree" and "# cell" lines say where, for
 * conformance-report.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/dma-buf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emu/trace.h"
#include "guest/pattern.h"
#include "lib/agree.h"
#include "lib/backend.h"
#include "lib/buffer.h"
#include "lib/ktap.h"
#include "lib/leaf.h"
#include "lib/process.h"
#include "lib/process_dmabuf.h"

#define VMM		"/t/dmapat-vmm"
#define GPU_PROC	"/t/dmapat-gpu-proc"
#define PAYLOAD		"/t/payload.elf"
#define INCOMING	"unix:/run/migration.sock"
#define MOMENT		"after-migration"
#define EXIT_SETUP	69	/* of dmapat-vmm */

#define KB		1024ull
#define MB		(1024 * KB)
#define PAGE		4096u
#define PATH		64	/* bytes of a socket's path */
#define SMALL		(32 * KB)	/* the guest touches 7 pages */
#define LARGE		(2 * MB)
#define GPU_REGION	(4 * MB)
#define MOCK_REGION	(16 * MB)

/* mode=serve of the payload: a page for each type, then the one that its driver uses */
enum { NR_TYPES = 6, NR_PAGES };

static const struct host {
	const char *name;	/* of the buffer */
	const char *exporter;	/* as cells call it */
	enum oracle_type memtype;
	unsigned int level;	/* of the largest page that it can give */
	const char *kind;	/* dmapat-gpu-proc --buffer; NULL: the mock's, from here */
} hosts[] = {
	{ "wb-udmabuf",	"wb-udmabuf",	ORACLE_WB, 1, "udmabuf=/dev/udmabuf" },
	{ "wc-heap",	"wc-heap",	ORACLE_WC, 1, "heap=system-wc" },
	{ "wc-vgem",	"wc-vgem",	ORACLE_WC, 1, "drm=/dev/dri/card0" },
	{ "uc-heap",	"uc-heap",	ORACLE_UC, 1, "heap=system-uc" },
	{ "mock-wb",	"mock-wb",	ORACLE_WB, 1, NULL },
	{ "mock-wc",	"mock-wc",	ORACLE_WC, 1, NULL },
	{ "mock-uc",	"mock-uc",	ORACLE_UC, 1, NULL },
	{ "mock-wb-2M",	"mock-wb",	ORACLE_WB, 2, NULL },
	{ "mock-wc-2M",	"mock-wc",	ORACLE_WC, 2, NULL },
	{ "mock-uc-2M",	"mock-uc",	ORACLE_UC, 2, NULL },
};

#define NR_HOSTS	(sizeof(hosts) / sizeof(hosts[0]))

/* What a driver can not be told of. */
static const struct {
	const char *name;
	enum oracle_type memtype;
} untold[] = { { "mock-wt", ORACLE_WT }, { "mock-wp", ORACLE_WP } };

struct buffer {
	volatile uint64_t *map;	/* this program's; for the mocks the GPU process' mapping */
	int fd;
	struct agree agree;
	uint64_t gpa;
	struct cell cells[NR_PAGES];	/* the guest's accesses, page by page */
};

/* A VMM, its dmapat-gpu-proc, and the mocks from here */
struct side {
	const char *stage;
	const char *bind;
	unsigned int first_phase;
	uint8_t fill;		/* what the GPU process writes to buffer 0; others: plus index */
	char gpu_path[PATH], mocks_path[PATH];
	struct process gpu, vmm;
	struct backend mocks;
	struct control ctl, events;
	struct buffer buffers[NR_HOSTS];
};

enum party { PARTY_GPU, PARTY_VMM, PARTY_GUEST, NR_PARTIES };

static bool traced;	/* in Bochs */

static uint64_t size_of(size_t i)
{
	return hosts[i].level == 2 ? LARGE : SMALL;
}

/* In its back-end's region: each at 2 MiB for those that are so large. */
static uint64_t offset_of(size_t i)
{
	size_t before = 0, n;

	for (n = 0; n < i; n++)
		before += !hosts[n].kind == !hosts[i].kind;
	return before * (hosts[i].kind ? MB : LARGE);
}

static uint64_t fill_word(const struct side *s, size_t i)
{
	return 0x0101010101010101ull * (uint8_t)(s->fill + i);
}

/* ---- starting and ending ---- */

static void start_gpu(struct side *s)
{
	static char specs[NR_HOSTS][160], sock[80];
	const char *argv[NR_HOSTS + 4] = { GPU_PROC, sock, "--shmem-size=4M" };
	size_t i, n = 3;

	snprintf(sock, sizeof(sock), "--socket-path=%s", s->gpu_path);
	for (i = 0; i < NR_HOSTS; i++) {
		if (!hosts[i].kind)
			continue;
		snprintf(specs[i], sizeof(specs[i]),
			 "--buffer=%s,size=%" PRIu64 ",offset=%" PRIu64 ",fill=%u,name=%s",
			 hosts[i].kind, size_of(i), offset_of(i), (uint8_t)(s->fill + i),
			 hosts[i].name);
		argv[n++] = specs[i];
	}
	process_start(&s->gpu, argv);
	test_assert(process_says(&s->gpu, "ready"));
	for (i = 0; i < NR_HOSTS; i++) {
		if (hosts[i].kind)
			s->buffers[i].fd = process_dmabuf_fd(s->gpu.pid, hosts[i].name);
		test_assert(s->buffers[i].fd >= 0);
	}
}

static int make_mock(const char *name, uint64_t size, uint32_t flags, uint32_t page, uint32_t type)
{
	int fd = buffer_mock(size, flags | DMAPAT_MOCK_REGISTERED, page, type, (int32_t)type);

	test_assert(!ioctl(fd, DMA_BUF_SET_NAME_B, (uint64_t)(uintptr_t)name));
	return fd;
}

static void make_buffers(struct side *s)
{
	uint32_t type;
	size_t i;

	for (i = 0; i < NR_HOSTS; i++) {
		type = (uint32_t)hosts[i].memtype;
		if (!hosts[i].kind)
			s->buffers[i].fd = make_mock(hosts[i].name, size_of(i),
						     hosts[i].level == 2 ? DMAPAT_MOCK_HUGE : 0,
						     type, type);
	}
	start_gpu(s);
	for (i = 0; i < NR_HOSTS; i++) {
		s->buffers[i].map = buffer_map(s->buffers[i].fd, size_of(i), 0);
		s->buffers[i].agree = (struct agree) {
			.name = hosts[i].name, .stage = s->stage, .bind = s->bind,
			.memtype = hosts[i].memtype,
		};
	}
}

static void start_mocks(struct side *s)
{
	struct backend_map maps[NR_HOSTS];
	unsigned int n = 0;
	size_t i;

	for (i = 0; i < NR_HOSTS; i++)
		if (!hosts[i].kind)
			maps[n++] = (struct backend_map) { s->buffers[i].fd, offset_of(i),
							   size_of(i) };
	backend_handshake(&s->mocks, MOCK_REGION, maps, n);
	while (n--)
		test_assert(!backend_map_result(&s->mocks));
	backend_finish(&s->mocks);
	backend_serve(&s->mocks);
}

/* @more: options of what the VMM runs, and a NULL */
static void start_side(struct side *s, const char *const *more)
{
	char control[PATH];
	const char *argv[24] = {
		VMM, "run", "--memory", "16M", "--console", "-", "--bind", s->bind,
		"--gpu-proc", s->gpu_path, "--gpu-proc", s->mocks_path, "--control", control,
	};
	size_t n = 14;

	while (*more)
		argv[n++] = *more++;
	snprintf(s->gpu_path, PATH, "/run/%s.gpu", s->stage);
	snprintf(s->mocks_path, PATH, "/run/%s.mocks", s->stage);
	snprintf(control, PATH, "/run/%s.ctl", s->stage);
	make_buffers(s);
	backend_listen(&s->mocks, s->mocks_path);
	process_start(&s->vmm, argv);
	start_mocks(s);
	control_connect(&s->ctl, control);
	control_connect(&s->events, control);
}

static void stop_side(struct side *s)
{
	size_t i;

	control_command(&s->ctl, "\"execute\":\"quit\"");
	if (!test_eq(process_end(&s->vmm), 0, "%s, bind %s: the VMM's exit status", s->stage,
		     s->bind))
		process_show(&s->vmm);
	control_close(&s->ctl);
	control_close(&s->events);
	backend_close(&s->mocks);
	process_end(&s->gpu);
	for (i = 0; i < NR_HOSTS; i++) {
		munmap((void *)s->buffers[i].map, size_of(i));
		close(s->buffers[i].fd);
	}
}

/* ---- what the three parties do ---- */

/* All of a buffer for dmapat-gpu-proc, a word of each page for this program. */
static void fill_mocks(struct side *s)
{
	uint64_t word;
	size_t i;

	for (i = 0; i < NR_HOSTS; i++)
		for (word = 0; !hosts[i].kind && word < size_of(i) / 8; word += PAGE / 8)
			s->buffers[i].map[word] = fill_word(s, i);
}

static void gpu_writes(struct side *s)
{
	fill_mocks(s);	/* page faults are not worth tracing */
	trace_begin(s->first_phase + PARTY_GPU);
	fill_mocks(s);
	test_assert(!kill(s->gpu.pid, SIGUSR1) && process_says(&s->gpu, "filled again"));
	trace_end();
}

static const char *query(struct side *s)
{
	return control_command(&s->ctl, "\"execute\":\"query-memtype\"");
}

/* The VMM reads what the GPU process has written. */
static void vmm_reads(struct side *s)
{
	char sample[17], want[17];
	size_t i;
	int n;

	query(s);
	trace_begin(s->first_phase + PARTY_VMM);
	query(s);
	trace_end();
	for (i = 0; i < NR_HOSTS; i++) {
		agree_query(&s->buffers[i].agree, s->ctl.line, &s->buffers[i].gpa, sample);
		for (n = 0; n < 8; n++)
			snprintf(want + 2 * n, 3, "%02x", (uint8_t)(s->fill + i));
		test_ok(!strcmp(sample, want),
			"%s, bind %s: %s: the GPU process wrote %s, the VMM reads %s", s->stage,
			s->bind, hosts[i].name, want, sample);
	}
}

static uint64_t guest_word(const struct buffer *b, size_t page, unsigned int touch)
{
	return pattern_word(b->gpa + page * PAGE, touch, 0);
}

/* The guest's access to this page, as KVM's tracepoints and the memory have it. */
static struct cell cell_of(const struct side *s, size_t i, size_t page, unsigned int touch)
{
	const struct buffer *b = &s->buffers[i];
	struct cell cell = {
		.modules = CELL_DMAPAT,
		.vendor = leaf_is_ept() ? CELL_INTEL : CELL_AMD,
		.memtype = hosts[i].memtype,
		.page = hosts[i].level,
		.bound = !strcmp(s->bind, "require"),
		.moment = MOMENT,
		.want_level = hosts[i].level,
		.host_pat = mock_host_pat(),
		.data_ok = b->map[page * PAGE / 8] == guest_word(b, page, touch),
		.phase = traced ? trace_phase(s->first_phase + PARTY_GUEST) : 0,
		.linear = b->gpa + page * PAGE,
	};

	snprintf(cell.host, sizeof(cell.host), "%s", hosts[i].exporter);
	cell.level = leaf_last_spte(cell.linear >> 12, &cell.spte);
	return cell;
}

/* The payload's line of a buffer: type and wrong words of each page. */
static void read_line(struct side *s, size_t i, unsigned int touch)
{
	struct buffer *b = &s->buffers[i];
	unsigned long long gpa;
	char text[64], type[8];
	unsigned int wrong;
	const char *at;
	size_t k, p;
	int n;

	snprintf(text, sizeof(text), "serve %s touch %u gpa", hosts[i].name, touch);
	at = strstr(s->vmm.text, text);
	if (!at)
		process_show(&s->vmm);
	test_assert(at && sscanf(at + strlen(text), " %llx wrong:%n", &gpa, &n) == 1);
	b->gpa = gpa;
	at += strlen(text) + (size_t)n;
	for (p = 0; p < NR_PAGES; p++) {
		test_assert(sscanf(at, " %7s %u%n", type, &wrong, &n) == 2);
		at += n;
		for (k = 0; type[k]; k++)
			type[k] = (char)toupper(type[k]);
		b->cells[p] = cell_of(s, i, p, touch);
		b->cells[p].pat = oracle_type_parse(type);
		b->cells[p].data_ok &= !wrong;
		test_assert(b->cells[p].pat != ORACLE_INVALID);
	}
}

/* Touch number @touch of the payload. */
static void guest_touches(struct side *s, unsigned int touch)
{
	size_t i;

	leaf_watch_start();
	trace_begin(s->first_phase + PARTY_GUEST);
	trace_end();
	test_assert(write(s->vmm.in, "t", 1) == 1);
	if (!process_says(&s->vmm, "wrong words"))
		process_show(&s->vmm);
	for (i = 0; i < NR_HOSTS; i++)
		read_line(s, i, touch);
	leaf_watch_stop();
}

/* ---- what came of it ---- */

static struct agree_access access_at(const struct side *s, enum party who, uint64_t linear)
{
	return (struct agree_access) {
		.phase = traced ? trace_phase(s->first_phase + who) : 0,
		.linear = linear,
	};
}

static void look_at_mappings(struct side *s, size_t i)
{
	struct buffer *b = &s->buffers[i];
	uint64_t size = size_of(i), gpu, vmm;

	vmm = process_dmabuf_mapping(s->vmm.pid, hosts[i].name, size);
	gpu = hosts[i].kind ? process_dmabuf_mapping(s->gpu.pid, hosts[i].name, size) :
			      (uintptr_t)b->map;
	b->agree.gpu_pte = agree_pte(hosts[i].kind ? s->gpu.pid : 0, gpu, size);
	/* The VMM has read the first page; nobody but a migration reads the others. */
	b->agree.vmm_pte = agree_pte(s->vmm.pid, vmm, PAGE);
	b->agree.guest_pat = b->cells[NR_TYPES].pat;
	b->agree.gpu = access_at(s, PARTY_GPU, gpu);
	b->agree.vmm = access_at(s, PARTY_VMM, vmm);
	b->agree.guest = access_at(s, PARTY_GUEST, b->cells[NR_TYPES].linear);
}

static void expect_traces(const struct side *s, const struct buffer *b)
{
	const struct cell *cell = &b->cells[NR_TYPES];
	const char *type = oracle_type_name(b->agree.memtype);
	struct oracle_leaf leaf;
	char name[96];

	if (!traced)
		return;
	snprintf(name, sizeof(name), "%s:bind-%s:%s", s->stage, s->bind, b->agree.name);
	trace_expect_host(name, s->first_phase + PARTY_GPU, (void *)b->agree.gpu.linear, 8, "w",
			  type);
	trace_expect_host(name, s->first_phase + PARTY_VMM, (void *)b->agree.vmm.linear, 8, "r",
			  type);
	cell_expected_leaf(cell, &leaf);
	trace_expect_guest(name, s->first_phase + PARTY_GUEST, cell->linear, 8, "rw",
			   oracle_type_name(cell_expected(cell)), oracle_type_name(leaf.type),
			   leaf.ignore_pat);
}

static void check_agreement(struct side *s)
{
	const char *wrong;
	char sample[17];
	size_t i;

	/* Now that the guest has been there: KVM_GET_MEMTYPE tells the leaf that is. */
	query(s);
	for (i = 0; i < NR_HOSTS; i++) {
		struct buffer *b = &s->buffers[i];

		agree_query(&b->agree, s->ctl.line, &b->gpa, sample);
		look_at_mappings(s, i);
		agree_check(&b->agree, &b->cells[NR_TYPES]);
		wrong = cell_wrong(&b->cells[NR_TYPES]);
		test_ok(!wrong, "%s, bind %s: %s: the guest's driver%s%s", s->stage, s->bind,
			hosts[i].name, wrong ? ": " : "", wrong ? wrong : "");
		expect_traces(s, b);
	}
}

static void check_cells(const struct side *s)
{
	const char *wrong;
	size_t i, p;

	for (i = 0; i < NR_HOSTS; i++)
		for (p = 0; p < NR_TYPES; p++) {
			const struct cell *cell = &s->buffers[i].cells[p];

			cell_print(stdout, cell);
			wrong = cell_wrong(cell);
			test_ok(!wrong, MOMENT ", bind %s: %s, guest PAT %s%s%s", s->bind,
				hosts[i].name, oracle_type_name(cell->pat), wrong ? ": " : "",
				wrong ? wrong : "");
		}
}

/* What the source's guest and GPU process had written is in the destination's buffers. */
static void check_arrived(const struct side *from, const struct side *to)
{
	unsigned int other;
	uint64_t word;
	size_t i, p;

	for (i = 0; i < NR_HOSTS; i++) {
		const struct buffer *b = &to->buffers[i];

		other = 0;
		for (p = 0; p < size_of(i) / PAGE; p++) {
			word = p < NR_PAGES ? guest_word(&from->buffers[i], p, 1) :
					      fill_word(from, i);
			other += b->map[p * PAGE / 8] != word;
		}
		test_eq(other, 0, "bind %s: %s: pages that did not arrive", to->bind,
			hosts[i].name);
	}
}

/* ---- tests ---- */

static void migrate(struct side *from)
{
	control_command(&from->ctl,
			"\"execute\":\"migrate\",\"arguments\":{\"uri\":\"" INCOMING "\"}");
	test_assert(strstr(from->ctl.line, "\"return\""));
	do {
		test_assert(control_wait(&from->events, "\"event\":\"MIGRATION\""));
		test_assert(!strstr(from->events.line, "\"status\":\"failed\""));
	} while (!strstr(from->events.line, "\"status\":\"completed\""));
}

static void test_bind(const char *bind, unsigned int first_phase)
{
	static struct side from, to;

	from = (struct side) { .stage = "source", .bind = bind, .fill = 0x51,
			       .first_phase = first_phase };
	to = (struct side) { .stage = "destination", .bind = bind, .fill = 0xa1,
			     .first_phase = first_phase + NR_PARTIES };

	start_side(&from, (const char *const []) {
		"--payload", PAYLOAD, "--cmdline", "mode=serve mark", NULL,
	});
	test_assert(process_says(&from.vmm, "serving "));
	gpu_writes(&from);
	vmm_reads(&from);
	guest_touches(&from, 1);
	check_agreement(&from);

	start_side(&to, (const char *const []) { "--incoming", INCOMING, NULL });
	test_assert(process_says(&to.vmm, "waiting for a migration"));
	migrate(&from);
	check_arrived(&from, &to);
	stop_side(&from);

	/* The guest first: it looks for what it wrote before it was migrated. */
	guest_touches(&to, 2);
	gpu_writes(&to);
	vmm_reads(&to);
	check_cells(&to);
	check_agreement(&to);
	stop_side(&to);
}

/*
 * The exporter and its mmap agree on these, but a bound page keeps the stock leaf, and a
 * driver can not be told: the VMM refuses, so there is no guest that could be migrated.
 */
static void test_untold(size_t i, const char *bind)
{
	static const char socket[] = "/run/untold.mocks";
	uint32_t type = (uint32_t)untold[i].memtype;
	int fd = make_mock(untold[i].name, SMALL, 0, ORACLE_WB, type);
	const bool bound = !strcmp(bind, "require");
	const char *why = bound ? "the leaf does not have the buffer's type" : "no map_info";
	struct backend backend;
	struct process vmm;

	backend_listen(&backend, socket);
	process_run(&vmm, VMM, "run", "--memory", "16M", "--payload", PAYLOAD, "--console", "-",
		    "--bind", bind, "--gpu-proc", socket, "--cmdline", "mode=serve");
	backend_handshake(&backend, MOCK_REGION, &(struct backend_map) { fd, 0, SMALL }, 1);
	test_errno(backend_map_result(&backend), EMEDIUMTYPE, "%s, bind %s: SHMEM_MAP",
		   untold[i].name, bind);
	test_eq(process_end(&vmm), EXIT_SETUP, "%s, bind %s: exit status", untold[i].name, bind);
	if (!test_ok(strstr(vmm.text, why) && !strstr(vmm.text, "payload:"),
		     "%s, bind %s: the VMM says \"%s\", and no guest ran", untold[i].name, bind,
		     why))
		process_show(&vmm);
	printf("# no-cell modules=dmapat host=%s page=4K bound=%d moment=" MOMENT
	       " why=dmapat-vmm refuses the buffer: no leaf and no map_info mean %s\n",
	       untold[i].name, bound, oracle_type_name(untold[i].memtype));
	backend_close(&backend);
	close(fd);
}

/* Bochs' BIOS gives its name. */
static bool in_bochs(void)
{
	FILE *file = fopen("/sys/class/dmi/id/bios_vendor", "re");
	char line[64] = "";

	if (!file)
		return false;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	return strstr(line, "BOCHS") || strstr(line, "Bochs");
}

int main(void)
{
	static const char *const binds[] = { "require", "off" };
	unsigned int b;
	size_t i;

	traced = in_bochs();
	/* A trace line for each 16 or 32 bytes that dmapat-gpu-proc fills, not for each byte. */
	test_assert(!setenv("GLIBC_TUNABLES", "glibc.cpu.x86_rep_stosb_threshold=16777216", 1));
	for (b = 0; b < 2; b++) {
		test_bind(binds[b], 1 + b * 2 * NR_PARTIES);
		for (i = 0; i < sizeof(untold) / sizeof(untold[0]); i++)
			test_untold(i, binds[b]);
	}
	return test_end();
}
