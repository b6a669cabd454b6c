// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linux' own virtio-gpu driver maps a UC, a WC and a WB blob, and a program of the guest
 * uses them: what each party says of the memory type, and what leaf KVM installs. In
 * Bochs the memory trace shows what type the guest's accesses have in effect.
 *
 *	test_linux_blobs	on dmapat's KVM modules
 *	test_linux_blobs stock	on the stock modules, where all of them are WB
 */
#include <inttypes.h>
#include <stdlib.h>

#include "emu/trace.h"
#include "lib/leaf.h"
#include "linux_gpu.h"
#include "oracle/oracle_types.h"

/* As in tests/gpu/guest/blob_test.c: addresses, phases, what it stores. */
#define TYPES_ADDRESS	0x400000000000ull
#define TYPES_STRIDE	0x10000000ull

static const struct memtype {
	const char *name;
	enum oracle_type type;
	const char *map_info;		/* VIRTIO 1.3, 5.7.6.8.1 */
	const char *sample;
} memtypes[] = {
	{ "UC", ORACLE_UC, "\"map_info\":2,", "\"sample\":\"1111111111111111\"" },
	{ "WC", ORACLE_WC, "\"map_info\":3,", "\"sample\":\"2222222222222222\"" },
	{ "WB", ORACLE_WB, "\"map_info\":1,", "\"sample\":\"7777777777777777\"" },
};

#define NR_MEMTYPES	(sizeof(memtypes) / sizeof(memtypes[0]))

/* The answer's object of the buffer that begins with these bytes; NULL: there is none. */
static const char *find_buffer(char *answer, const char *sample)
{
	char *at = strstr(answer, sample);

	if (!at)
		return NULL;
	at[strcspn(at, "}")] = '\0';
	while (at > answer && *at != '{')
		at--;
	return at;
}

static void check_member(const char *buffer, const char *name, const char *member,
			 const char *value)
{
	char text[64];

	snprintf(text, sizeof(text), "\"%s\":\"%s\"", member, value);
	if (!test_ok(strstr(buffer, text), "%s blob: %s is %s", name, member, value))
		test_note("%s", buffer);
}

/* What the VMM says, and what KVM's tracepoints said when the guest touched the page. */
static void check_blob(const struct memtype *type, const char *answer, bool stock)
{
	char *copy = strdup(answer);
	const char *buffer = find_buffer(copy, type->sample), *gpa;

	if (!test_ok(buffer, "%s blob: the VMM reads what the guest wrote", type->name)) {
		test_note("%s", answer);
		free(copy);
		return;
	}
	check_member(buffer, type->name, "query", type->name);
	test_ok(strstr(buffer, type->map_info), "%s blob: %s", type->name, type->map_info);
	if (!stock) {
		check_member(buffer, type->name, "host", type->name);
		check_member(buffer, type->name, "bind", type->name);
		check_member(buffer, type->name, "leaf", type->name);
	}
	gpa = strstr(buffer, "\"gpa\":");
	test_assert(gpa);
	if (stock || type->type == ORACLE_WB)
		leaf_expect_stock(strtoull(gpa + 6, NULL, 10), type->name);
	else
		leaf_expect_type(strtoull(gpa + 6, NULL, 10), type->type, type->name);
	free(copy);
}

/* In Bochs tests/emu/machine judges it. */
static void expect_access(unsigned int i, bool stock)
{
	const char *name = stock ? "WB" : memtypes[i].name;

	trace_expect_guest(memtypes[i].name, 1 + memtypes[i].type, TYPES_ADDRESS + i * TYPES_STRIDE,
			   sizeof(uint64_t), "rw", name, name,
			   stock || memtypes[i].type == ORACLE_WB);
}

int main(int argc, char **argv)
{
	bool stock = argc > 1 && !strcmp(argv[1], "stock");
	char cmdline[80], text[80], *answer;
	struct linux_gpu g;
	unsigned int i;

	signal(SIGPIPE, SIG_IGN);
	snprintf(cmdline, sizeof(cmdline), "DMAPAT_TRACE_BASE=%u", trace_phase(0));
	leaf_watch_start();
	/* The guest's RAM ends below 4 GiB, the window is above. */
	leaf_watch_from(1 << 20);
	linux_gpu__start(&g, "types", cmdline, stock ? "off" : "require");
	linux_vm__says(&g.vmm, "guest: up", "boot");
	for (i = 0; i < NR_MEMTYPES; i++) {
		snprintf(text, sizeof(text), "blob: %s of guest and host: there and back",
			 memtypes[i].name);
		linux_vm__says(&g.vmm, text, "blob_test");
	}
	for (i = 0; i < NR_MEMTYPES; i++) {
		snprintf(text, sizeof(text), "blob: %s, 65536 bytes", memtypes[i].name);
		linux_vm__says(&g.vmm, text, "blob_test");
		expect_access(i, stock);
	}
	linux_vm__says(&g.vmm, "blob: all are there", "blob_test");
	answer = strdup(linux_gpu__query_memtype(&g));
	for (i = 0; i < NR_MEMTYPES; i++)
		check_blob(&memtypes[i], answer, stock);
	free(answer);
	linux_gpu__go_on(&g);
	linux_vm__says(&g.vmm, "guest: blob_test ended with 0", "blob_test");
	linux_gpu__end(&g);
	return test_end();
}
