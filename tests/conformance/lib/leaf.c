// SPDX-License-Identifier: GPL-2.0-or-later
/* Leaves as KVM's tracepoints show them; see leaf.h. */
#include <unistd.h>

#include "../../oracle/oracle_types.h"
#include "buffer.h"
#include "ktap.h"
#include "leaf.h"

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
	struct test_leaf leaf = { 0 };

	leaf.level = (int)leaf_last_spte(gfn, &leaf.spte);
	return leaf.level && leaf_decode(&leaf) ? leaf : (struct test_leaf){ 0 };
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
