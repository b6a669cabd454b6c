// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory types: names, the PAT, and which type a buffer is to be mapped with. */
#include "cpu.h"
#include "payload.h"

static const struct {
	enum memtype type;
	const char *name;
} memtypes[] = {
	/* UC- before UC: names are compared as far as they go. */
	{ MT_UC_MINUS, "uc-" }, { MT_UC, "uc" }, { MT_WC, "wc" },
	{ MT_WT, "wt" }, { MT_WP, "wp" }, { MT_WB, "wb" },
};

#define NR_MEMTYPES	(sizeof(memtypes) / sizeof(memtypes[0]))

const char *memtype_name(enum memtype type)
{
	unsigned int i;

	for (i = 0; i < NR_MEMTYPES; i++) {
		if (memtypes[i].type == type)
			return memtypes[i].name;
	}
	return "?";
}

int memtype_parse(const char *name)
{
	const char *a, *b;
	unsigned int i;

	for (i = 0; i < NR_MEMTYPES; i++) {
		for (a = name, b = memtypes[i].name; *b && *a == *b; a++, b++)
			;
		if (!*b && (!*a || *a == ' '))
			return memtypes[i].type;
	}
	return -1;
}

void memtype_set_pat(uint64_t layout)
{
	/* SDM vol. 3A, 12.12.4: no line and no translation of the old types may stay. */
	cpu_wbinvd();
	cpu_wrmsr(MSR_PAT, layout);
	cpu_wbinvd();
	paging_flush();
}

unsigned int memtype_pat_index(enum memtype type)
{
	uint64_t layout = cpu_rdmsr(MSR_PAT);
	unsigned int i;

	for (i = 0; i < 8; i++) {
		if ((layout >> 8 * i & 0xff) == type)
			return i;
	}
	print("payload: PAT 0x%llx has no entry of type %s\n", (unsigned long long)layout,
	      memtype_name(type));
	payload_exit(PAYLOAD_USAGE);
}

enum memtype memtype_of_buffer(const struct boot_info *info, unsigned int n)
{
	char key[8] = "buf";
	const char *value;
	unsigned int i = 3;
	int type;

	if (n >= 10)
		key[i++] = '0' + n / 10;
	key[i++] = '0' + n % 10;
	key[i] = '\0';

	value = cmdline_value(info->cmdline, key);
	if (value) {
		type = memtype_parse(value);
		if (type < 0) {
			print("payload: %s= wants wb, wc, uc, uc-, wt or wp\n", key);
			payload_exit(PAYLOAD_USAGE);
		}
		return type;
	}
	switch (info->buffers[n].map_info) {
	case 1:
		return MT_WB;
	case 3:
		return MT_WC;
	}
	return MT_UC;
}
