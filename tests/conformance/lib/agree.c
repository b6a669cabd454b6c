// SPDX-License-Identifier: GPL-2.0-or-later
/* Who says what of a buffer's memory type; see agree.h. */
#include "lib/agree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ktap.h"
#include "lib/witness.h"

#define PAGE	4096u

static enum oracle_type plain(enum oracle_type type)
{
	return type == ORACLE_UC_MINUS ? ORACLE_UC : type;
}

static const char *name_of(enum oracle_type type)
{
	return type == ORACLE_INVALID ? "-" : oracle_type_name(type);
}

/* The value of "member": in the JSON object that begins at @object; false: it is null. */
static bool member(const char *object, const char *name, char *value, size_t size)
{
	const char *end = strchr(object, '}'), *at;
	char key[32];
	size_t n;

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(object, key);
	if (!at || !end || at > end)
		test_note("query-memtype: no \"%s\" in %.*s", name,
			  end ? (int)(end - object) : 80, object);
	test_assert(at && end && at < end);
	at += strlen(key);
	at += *at == '"';
	n = strcspn(at, "\",}");
	test_assert(n < size);
	memcpy(value, at, n);
	value[n] = '\0';
	return strcmp(value, "null") != 0;
}

static enum oracle_type type_member(const char *object, const char *name)
{
	char value[32];

	if (!member(object, name, value, sizeof(value)))
		return ORACLE_INVALID;
	return plain(oracle_type_parse(value));
}

/* virtio 1.3, "Device Operation: Virtio-gpu: VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB" */
static enum oracle_type map_info_type(const char *value)
{
	switch (atoi(value)) {
	case 1:		/* CACHED */
		return ORACLE_WB;
	case 2:		/* UNCACHED */
		return ORACLE_UC;
	case 3:		/* WC */
		return ORACLE_WC;
	}
	return ORACLE_INVALID;
}

void agree_query(struct agree *agree, const char *line, uint64_t *gpa, char sample[17])
{
	char value[64];
	const char *object;

	snprintf(value, sizeof(value), "{\"name\":\"%s\",", agree->name);
	object = strstr(line, value);
	if (!object)
		test_note("query-memtype: no buffer %s in %s", agree->name, line);
	test_assert(object);

	agree->kernel = type_member(object, member(object, "bind", value, sizeof(value)) ?
				    "bind" : "host");
	agree->leaf = type_member(object, "leaf");
	member(object, "map_info", value, sizeof(value));
	agree->map_info = map_info_type(value);
	member(object, "gpa", value, sizeof(value));
	*gpa = strtoull(value, NULL, 10);
	member(object, "sample", sample, 17);
}

enum oracle_type agree_pte(pid_t pid, uint64_t addr, uint64_t size)
{
	enum oracle_type type = ORACLE_INVALID, now;
	struct dmapat_mock_entry entry;
	uint64_t at;
	int err;

	for (at = addr; at < addr + size; at += PAGE) {
		err = witness_entry_of(pid, at, &entry);
		if (err) {
			test_note("process %d, address 0x%" PRIx64 ": %s", pid, at, strerror(err));
			return ORACLE_INVALID;
		}
		now = (enum oracle_type)witness_user_type(&entry);
		if (at != addr && now != type) {
			test_note("process %d: %s at 0x%" PRIx64 ", %s before", pid,
				  name_of(now), at, name_of(type));
			return ORACLE_INVALID;
		}
		type = now;
	}
	return type;
}

static void print_access(const char *who, const struct agree_access *access)
{
	if (access->phase)
		printf(" %s-phase=0x%" PRIx64 " %s-linear=0x%" PRIx64, who, access->phase, who,
		       access->linear);
}

bool agree_check(const struct agree *agree, const struct cell *cell)
{
	const enum oracle_type all[] = { agree->kernel, agree->leaf, agree->map_info,
					 agree->gpu_pte, agree->vmm_pte, agree->guest_pat };
	char says[128];
	size_t i;
	bool ok = true;

	snprintf(says, sizeof(says),
		 "kernel=%s leaf=%s map-info=%s gpu-pte=%s vmm-pte=%s guest-pat=%s",
		 name_of(agree->kernel), name_of(agree->leaf), name_of(agree->map_info),
		 name_of(agree->gpu_pte), name_of(agree->vmm_pte), name_of(agree->guest_pat));
	printf("# agree stage=%s bind=%s vendor=%s host=%s memtype=%s %s", agree->stage,
	       agree->bind, cell_vendor_name(cell->vendor), agree->name, name_of(agree->memtype),
	       says);
	printf(" spte=0x%" PRIx64 " level=%u host-pat=0x%" PRIx64, cell->spte, cell->level,
	       cell->host_pat);
	print_access("gpu", &agree->gpu);
	print_access("vmm", &agree->vmm);
	print_access("guest", &agree->guest);
	putchar('\n');

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		ok &= all[i] == agree->memtype;
	return test_ok(ok, "%s, bind %s: %s: all say %s: %s", agree->stage, agree->bind,
		       agree->name, name_of(agree->memtype), says);
}
