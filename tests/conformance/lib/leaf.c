// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaves as KVM's tracepoints show them; see leaf.h. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../oracle/oracle_types.h"
#include "buffer.h"
#include "ktap.h"
#include "leaf.h"

#define TRACING "/sys/kernel/tracing/"

static void tracing_write(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), TRACING "%s", file);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	test_assert(fd >= 0);
	test_assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void tracing_events(const char *on)
{
	tracing_write("events/kvmmmu/kvm_tdp_mmu_spte_changed/enable", on);
	tracing_write("events/kvmmmu/kvm_mmu_set_spte/enable", on);
}

void leaf_watch_start(void)
{
	leaf_watch_clear();
	tracing_events("1");
	tracing_write("tracing_on", "1");
}

void leaf_watch_stop(void)
{
	tracing_events("0");
	leaf_watch_clear();
}

void leaf_watch_clear(void)
{
	/* Opened with O_TRUNC, which is what clears. */
	tracing_write("trace", "");
}

bool leaf_is_ept(void)
{
	return !access("/sys/module/kvm_intel", F_OK);
}

/* Fills in what the entry says; false: it is a table, or maps nothing. */
static bool leaf_decode(struct test_leaf *leaf)
{
	struct oracle_leaf o;

	if (!(leaf_is_ept() ? oracle_ept_leaf(leaf->spte, (unsigned int)leaf->level, &o) :
			      oracle_npt_leaf(leaf->spte, (unsigned int)leaf->level,
					      mock_host_pat(), &o)) || !o.present)
		return false;
	leaf->seen = true;
	leaf->type = (int)o.type;
	leaf->ignores_guest_pat = o.ignore_pat;
	return true;
}

struct test_leaf leaf_last(uint64_t gfn)
{
	struct test_leaf leaf = { 0 }, now;
	FILE *trace = fopen(TRACING "trace", "re");
	char line[512];

	test_assert(trace);
	while (fgets(line, sizeof(line), trace)) {
		unsigned long long at, spte;
		const char *p;
		int level;

		p = strstr(line, "kvm_tdp_mmu_spte_changed:");
		if (p) {
			if (sscanf(p, "kvm_tdp_mmu_spte_changed: as id %*d gfn %llx level %d old_spte %*x new_spte %llx",
				   &at, &level, &spte) != 3)
				test_assert(!"format of kvm_tdp_mmu_spte_changed");
		} else {
			p = strstr(line, "kvm_mmu_set_spte:");
			if (!p)
				continue;
			if (sscanf(p, "kvm_mmu_set_spte: gfn %llx spte %llx (%*[^)]) level %d", &at,
				   &spte, &level) != 3)
				test_assert(!"format of kvm_mmu_set_spte");
		}
		if (gfn < at || gfn >= at + (1ULL << (level - 1) * 9))
			continue;
		now = (struct test_leaf){ .level = level, .spte = spte };
		if (leaf_decode(&now))
			leaf = now;
	}
	fclose(trace);
	return leaf;
}

static bool leaf_expect(uint64_t gpa, int type, bool ignores_guest_pat, const char *what)
{
	struct test_leaf leaf = leaf_last(gpa >> 12);

	if (!leaf.seen) {
		test_note("no leaf was installed for gpa 0x%llx", (unsigned long long)gpa);
		return test_ok(false, "leaf: %s", what);
	}
	if (leaf.type != type || leaf.ignores_guest_pat != ignores_guest_pat)
		test_note("leaf 0x%llx: type %d, ignore-PAT %d", (unsigned long long)leaf.spte,
			  leaf.type, leaf.ignores_guest_pat);
	return test_ok(leaf.type == type && leaf.ignores_guest_pat == ignores_guest_pat,
		       "leaf: %s", what);
}

bool leaf_expect_type(uint64_t gpa, int type, const char *what)
{
	return leaf_expect(gpa, type, false, what);
}

bool leaf_expect_stock(uint64_t gpa, const char *what)
{
	return leaf_expect(gpa, ORACLE_WB, leaf_is_ept(), what);
}

bool leaf_expect_stock_mmio(uint64_t gpa, const char *what)
{
	return leaf_expect(gpa, leaf_is_ept() ? ORACLE_UC : ORACLE_WB, false, what);
}
